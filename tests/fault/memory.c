/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory: the library gets no memory. The tracer (ptrace) runs a program once for
 * every mmap() that the library makes, and lets that one fail, alone or with all
 * that follow: at the entry of the call the process may have no more address space
 * (RLIMIT_AS), at its exit it may again, so that nobody else's mmap() fails. A
 * filter of before the program's start stops it at mmap() and nowhere else. The
 * program must see what it sees otherwise, and the far ends its bytes, with whole
 * lines of the right exchange or without.
 *
 * memory PATH-OF-LIBRARY PATH-OF-PROGRAM; memory program: what is traced.
 */
#include <dlfcn.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
/* after sys/ptrace.h, whose names it shares */
#include <linux/ptrace.h>

#include "fault/conversation.h"

/* --- the program -------------------------------------------------------------------------------
 */

#define MANY 150

static int inserted; /* heads that lines were added to */

static void say(const char *what, const char *why)
{
    printf("%s: %s\n", what, why ? why : "right");
    fflush(stdout);
}

static void talks(int sender, int reader, bool waits, bool tcp)
{
    struct program g = {.sender = sender, .reader = reader, .waits = waits};
    static struct conversation c;
    say("conversation", conversation(&c, &g, tcp));
    inserted += __builtin_popcount(c.heads);
}

static const char half[] = "GET /half HTTP/1.1\r\nHost: a\r\n";

/* The far end received the head, with the lines of exchange 0 or with none. */
static bool received_half(int fd)
{
    char got[1024], with[1024];
    size_t n = sizeof(half) - 1;
    long r = raw_drain(fd, got, sizeof(got));
    int m = sprintf(with, "%s%s\r\n", half, lines[0]);
    if (r == m && memcmp(got, with, (size_t)m) == 0)
        return ++inserted;
    return r == (long)n + 2 && memcmp(got, half, n) == 0 && memcmp(got + n, "\r\n", 2) == 0;
}

static void serve_one(int fd[2])
{
    char in[1024], got[1024];
    size_t n = request(in, 0);
    pair(fd);
    need(raw_write(fd[1], in, n) == (long)n && read(fd[0], got, sizeof(got)) == (long)n, "request");
}

/* Many connections at once, each in the midst of a head. */
static void many(void)
{
    static int fd[MANY][2];
    int a[2], bad = 0;
    serve_one(a);
    for (int i = 0; i < MANY; i++) {
        pair(fd[i]);
        bad += write(fd[i][0], half, sizeof(half) - 1) != sizeof(half) - 1;
    }
    for (int i = 0; i < MANY; i++) {
        bad += write(fd[i][0], "\r\n", 2) != 2 || !received_half(fd[i][1]);
        close(fd[i][0]);
        raw_close(fd[i][1]);
    }
    finish(a);
    say("many", bad ? "a head is not right" : NULL);
}

/* The same through a number of another leaf of the tables. */
static void high(int from)
{
    int a[2], b[2];
    serve_one(a);
    pair(b);
    int fd = fcntl(b[0], F_DUPFD, from);
    close(b[0]);
    bool ok = write(fd, half, sizeof(half) - 1) == sizeof(half) - 1 && write(fd, "\r\n", 2) == 2 &&
              received_half(b[1]);
    close(fd);
    raw_close(b[1]);
    finish(a);
    say("high number", fd < from ? "no such number" : ok ? NULL : "the head is not right");
}

/* A fork child has its own work; what the parent serves is not the child's. */
static void forks(void)
{
    int a[2], b[2], status = 1, before = inserted;
    serve_one(a);
    pair(b);
    fflush(stdout);
    pid_t p = fork();
    if (p == 0) {
        bool ok = write(b[0], half, sizeof(half) - 1) == sizeof(half) - 1 &&
                  write(b[0], "\r\n", 2) == 2 && received_half(b[1]) && inserted == before;
        talks(F_WRITE, R_READ, true, false);
        exit(!ok);
    }
    waitpid(p, &status, 0);
    finish(a);
    close(b[0]);
    raw_close(b[1]);
    say("fork", status ? "the child's head is not right" : NULL);
}

static int program(void)
{
    struct rlimit files = {0, 0};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    program_begin();
    for (int i = 0; i < 4; i++)
        talks(i, i, i & 1, i & 2);
    many();
    high(900);
    if (files.rlim_max > 70000)
        high(70000);
    forks();
    talks(F_SENDMSG, R_RECVMSG, true, true);
    fprintf(stderr, "%d\n", inserted);
    return 0;
}

/* --- the tracer --------------------------------------------------------------------------------
 */

struct order {
    const char *so, *self;
    int from;                 /* the first mmap() that fails, from 1; 0: none */
    bool only;                /* and no other */
    int out, err;             /* what the program said */
    int seen, failed, spared; /* mmap() calls of the library; spared: it did not fail */
};

static int scratch(void)
{
    int fd = memfd_create("said", 0);
    need(fd >= 0, "memfd");
    return fd;
}

static bool stop_at_mmap(void)
{
    struct sock_filter f[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog p = {sizeof(f) / sizeof(f[0]), f};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p) == 0;
}

static void become_program(const struct order *o)
{
    dup2(o->out, 1);
    dup2(o->err, 2);
    setenv("LD_PRELOAD", o->so, 1);
    if (!stop_at_mmap() || ptrace(PTRACE_TRACEME, 0, 0, 0) != 0)
        _exit(126);
    raise(SIGSTOP);
    execl(o->self, o->self, "program", (char *)NULL);
    _exit(127);
}

static bool in_library(pid_t pid, const char *so, uint64_t at)
{
    char name[64], row[512];
    uint64_t from, to;
    bool found = false;
    snprintf(name, sizeof(name), "/proc/%d/maps", pid);
    FILE *f = fopen(name, "re");
    while (f && !found && fgets(row, sizeof(row), f))
        found = strstr(row, so) && sscanf(row, "%" SCNx64 "-%" SCNx64, &from, &to) == 2 &&
                at >= from && at < to;
    if (f)
        fclose(f);
    return found;
}

static void address_space(pid_t pid, bool any)
{
    struct rlimit l = {any ? RLIM_INFINITY : 0, RLIM_INFINITY};
    need(prlimit(pid, RLIMIT_AS, &l, NULL) == 0, "prlimit");
}

static bool to_fail(struct order *o)
{
    o->seen++;
    return o->from && (o->only ? o->seen == o->from : o->seen >= o->from);
}

/* One stop before mmap(). @return whether it is to be refused */
static bool at_entry(struct order *o, pid_t pid)
{
    struct ptrace_syscall_info i;
    if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(i), &i) <= 0 ||
        !in_library(pid, o->so, i.instruction_pointer) || !to_fail(o))
        return false;
    address_space(pid, false);
    return true;
}

static void at_exit(struct order *o, pid_t pid)
{
    struct ptrace_syscall_info i = {.op = PTRACE_SYSCALL_INFO_NONE};
    address_space(pid, true);
    ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(i), &i);
    *(i.op == PTRACE_SYSCALL_INFO_EXIT && i.exit.rval == -ENOMEM ? &o->failed : &o->spared) += 1;
}

/* @return the program's wait status */
static int trace(struct order *o, pid_t first)
{
    int status, last = -1;
    pid_t pid;
    while ((pid = waitpid(-1, &status, __WALL)) > 0) {
        int sig = 0, refuse = 0;
        if (!WIFSTOPPED(status)) {
            if (pid == first)
                last = status;
            continue;
        }
        if (status >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8))
            refuse = at_entry(o, pid);
        else if (WSTOPSIG(status) == (SIGTRAP | 0x80))
            at_exit(o, pid);
        else if (WSTOPSIG(status) != SIGTRAP && WSTOPSIG(status) != SIGSTOP)
            sig = WSTOPSIG(status);
        ptrace(refuse ? PTRACE_SYSCALL : PTRACE_CONT, pid, 0, sig);
    }
    return last;
}

/* @return the wait status; -1: it cannot be traced */
static int run(struct order *o)
{
    int status;
    o->out = scratch();
    o->err = scratch();
    o->seen = o->failed = o->spared = 0;
    fflush(stdout);
    pid_t p = fork();
    if (p == 0)
        become_program(o);
    waitpid(p, &status, 0);
    if (!WIFSTOPPED(status) ||
        ptrace(PTRACE_SETOPTIONS, p, 0,
               PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEEXEC |
                   PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL) != 0)
        return -1;
    ptrace(PTRACE_CONT, p, 0, 0);
    return trace(o, p);
}

static int said(int fd, char *to, size_t n)
{
    ssize_t r = pread(fd, to, n - 1, 0);
    to[r > 0 ? r : 0] = 0;
    close(fd);
    return atoi(to);
}

/* @return why it is wrong, or NULL; *heads: that lines were added to */
static const char *judge(struct order *o, const char *right, int *heads)
{
    static char why[300];
    char out[4096], err[200];
    int status = run(o);
    said(o->out, out, sizeof(out));
    *heads = said(o->err, err, sizeof(err));
    why[0] = 0;
    if (status != 0)
        snprintf(why, sizeof(why), "wait status %x: %.200s", status, err);
    else if (strcmp(out, right) != 0)
        snprintf(why, sizeof(why), "the program saw %.200s", out);
    else if (o->spared || (o->from && !o->failed))
        snprintf(why, sizeof(why), "%d calls failed, %d did not", o->failed, o->spared);
    return why[0] ? why : NULL;
}

static void every(struct order *o, const char *right, int calls, int all)
{
    for (o->from = 1; o->from <= calls; o->from++) {
        char name[160];
        int heads;
        const char *why = judge(o, right, &heads);
        if (!why && o->from == 1 && !o->only && heads != 0)
            why = "lines were added without memory";
        int n =
            snprintf(name, sizeof(name), "fault memory-%s-%d", o->only ? "only" : "from", o->from);
        if (!why)
            snprintf(name + n, sizeof(name) - (size_t)n,
                     " # of %d: %d calls failed, %d of %d heads got lines", calls, o->failed, heads,
                     all);
        result(name, why);
    }
}

int main(int argc, char **argv)
{
    char right[4096], err[200];
    int all;
    if (argc < 3)
        return program();
    alarm(100);
    struct order o = {.so = "", .self = argv[2]};
    if (run(&o) < 0)
        return puts("skip fault memory: a child cannot be traced here"), 0;
    said(o.out, right, sizeof(right));
    need(said(o.err, err, sizeof(err)) == 0 && right[0], "the program alone");
    o.so = argv[1];
    const char *why = judge(&o, right, &all);
    int calls = o.seen;
    if (!why && (calls < 5 || all < 150))
        why = "the library makes fewer calls, or adds fewer lines, than this test needs";
    result("fault memory-is-there", why);
    every(&o, right, why ? 0 : calls, all);
    o.only = true;
    every(&o, right, why ? 0 : calls, all);
    return failures != 0;
}
