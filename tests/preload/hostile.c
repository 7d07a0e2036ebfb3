/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostile: what programs do behind the hooks' back, or to them. Every case runs
 * in a child of its own with an alarm, so that a crash or a hang is one `not ok`.
 * Far ends of connections are only used raw. Wherever a context may or may not be
 * given, both are right; a wrong one, or any other byte, is not.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <time.h>

#include "raw.h"

#define SECONDS 20

static const char call[] = "GET /out HTTP/1.1\r\nHost: next\r\n\r\n";
static const char line1[] = IN_HEADERS;
static const char trace_a[] =
    "traceparent: 00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-aaaaaaaaaaaaaaaa-01\r\n";
static const char trace_b[] =
    "traceparent: 00-bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-bbbbbbbbbbbbbbbb-01\r\n";
static const char decoy[] = "GET /decoy HTTP/1.1\r\nHost: d\r\n\r\n";
static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/* --- the frame ------------------------------------------------------------------------------- */

static char *why_shared; /* the child's reason, or "" */

static const char *fail(const char *format, ...)
{
    va_list a;
    va_start(a, format);
    vsnprintf(why_shared, 4096, format, a);
    va_end(a);
    return why_shared;
}

/* At most 400 bytes of it on one line. */
static const char *visible(const char *p, size_t n)
{
    static char text[2][1700];
    static int turn;
    char *at = text[turn ^= 1];
    for (size_t i = 0; i < n && i < 400; i++)
        at += sprintf(at, p[i] < ' ' || p[i] > '~' ? (p[i] == '\n' ? "\\n" : "\\x%02x") : "%c",
                      (unsigned char)p[i]);
    *at = 0;
    return text[turn];
}

/* Run one case in a child. The argument tells variants of one function apart. */
static void test(const char *name, const char *(*f)(int), int how)
{
    char title[128], why[4200] = "";
    int status = 0;
    why_shared[0] = 0;
    snprintf(title, sizeof(title), "hostile %s", name);
    fflush(stdout);
    pid_t p = fork();
    if (p == 0) {
        alarm(SECONDS);
        const char *bad = f(how);
        if (bad && bad != why_shared)
            fail("%s", bad);
        fflush(stdout);
        _exit(bad != NULL);
    }
    waitpid(p, &status, 0);
    if (WIFSIGNALED(status))
        snprintf(why, sizeof(why), "killed by signal %d (%s) %s", WTERMSIG(status),
                 strsignal(WTERMSIG(status)), why_shared);
    else if (status != 0 || why_shared[0])
        snprintf(why, sizeof(why), "%s", why_shared[0] ? why_shared : "setup failed");
    result(title, why[0] ? why : NULL);
}

/* A TCP listener that the program made. */
static int listener(struct sockaddr_in *a)
{
    socklen_t len = sizeof(*a);
    int l = socket(AF_INET, SOCK_STREAM, 0);
    *a = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    need(bind(l, (struct sockaddr *)a, len) == 0 && listen(l, 8) == 0 &&
             getsockname(l, (struct sockaddr *)a, &len) == 0,
         "listen");
    return l;
}

enum { UNIX = 0, TCP = 16 }; /* or'ed to the variant */

/* A connection that the program made: [0] is the program's end, [1] is only used raw. */
static void outward(int how, int fd[2])
{
    struct sockaddr_in a;
    if (!(how & TCP)) {
        pair(fd);
        return;
    }
    int l = listener(&a);
    fd[0] = socket(AF_INET, SOCK_STREAM, 0);
    need(connect(fd[0], (struct sockaddr *)&a, sizeof(a)) == 0, "connect");
    fd[1] = (int)raw3(SYS_accept, l, 0, 0);
    close(l);
}

/* A connection that the program accepted. */
static void inward(int how, int fd[2])
{
    struct sockaddr_in a;
    if (!(how & TCP)) {
        pair(fd);
        return;
    }
    int l = listener(&a);
    fd[1] = (int)raw3(SYS_socket, AF_INET, SOCK_STREAM, 0);
    need(raw3(SYS_connect, fd[1], (long)&a, sizeof(a)) == 0, "connect");
    fd[0] = accept(l, NULL, NULL);
    close(l);
}

/* Exactly n bytes, waiting for them; less at the end of the stream. */
static size_t raw_all(int fd, char *p, size_t n)
{
    size_t got = 0;
    for (long r; got < n && (r = raw_read(fd, p + got, n - got)) > 0;)
        got += (size_t)r;
    return got;
}

/* All that is there after the program's end is shut: nothing is guessed about delays. */
static size_t to_the_end(int fd[2], char *p, size_t n)
{
    raw2(SYS_shutdown, fd[0], SHUT_WR);
    return raw_all(fd[1], p, n);
}

/* The program's bytes, or these with `added` before the empty line of their head at `head`. */
static const char *altered(const char *got, size_t n, const char *bytes, size_t len, size_t head,
                           const char *added)
{
    const char *empty = memmem(bytes + head, len - head, "\r\n\r\n", 4);
    if (n == len && memcmp(got, bytes, n) == 0)
        return NULL;
    if (empty && added[0]) {
        size_t before = (size_t)(empty - bytes) + 2, more = strlen(added);
        if (n == len + more && memcmp(got, bytes, before) == 0 &&
            memcmp(got + before, added, more) == 0 &&
            memcmp(got + before + more, bytes + before, len - before) == 0)
            return NULL;
    }
    size_t same = 0;
    while (same < n && same < len && got[same] == bytes[same])
        same++;
    size_t from = same > 80 ? same - 80 : 0;
    return fail("altered: %zu bytes for %zu, they differ from %zu on: ...%s", n, len, same,
                visible(got + from, n - from));
}

/* A small request of this thread: it may carry `may`, or nothing. */
static const char *carries(int fd[2], const char *may)
{
    char got[4096];
    need(write(fd[0], call, sizeof(call) - 1) == sizeof(call) - 1, "write");
    size_t n = to_the_end(fd, got, sizeof(got));
    const char *why = altered(got, n, call, sizeof(call) - 1, 0, may);
    return why ? fail("the request arrived as %s", visible(got, n)) : NULL;
}

static void feed_by_recv(int fd[2], const char *headers)
{
    char buf[4096];
    int n = snprintf(buf, sizeof(buf), "GET /in HTTP/1.1\r\nHost: me\r\n%s\r\n", headers);
    need(raw_write(fd[1], buf, (size_t)n) == n, "inbound write");
    need(recv(fd[0], buf, (size_t)n, MSG_WAITALL) == n, "inbound recv");
}

/* --- ways to write that no hook sees, or not under that number ------------------------------- */

enum { RAW, PWRITEV2, DPRINTF, STDIO, RAW_DUP, S_SENDMMSG, S_SENDFILE, S_SPLICE, UNSEEN };
static const char *const unseen_name[] = {
    "raw",     "pwritev2",         "dprintf",          "stdio",
    "raw-dup", "syscall-sendmmsg", "syscall-sendfile", "syscall-splice"};

static void unseen(int how, int fd, const char *p, size_t n)
{
    struct iovec v = {(void *)p, n};
    struct mmsghdr m = {.msg_hdr = {.msg_iov = &v, .msg_iovlen = 1}};
    int other, pipes[2];
    long r = -1;
    switch (how % TCP) {
    case RAW:
        r = raw_write(fd, p, n);
        break;
    case PWRITEV2:
        r = pwritev2(fd, &v, 1, -1, 0);
        break;
    case DPRINTF:
        r = dprintf(fd, "%.*s", (int)n, p);
        break;
    case STDIO: {
        FILE *f = fdopen(fd, "w"); /* left open: fclose would close the number */
        r = fprintf(f, "%.*s", (int)n, p);
        need(fflush(f) == 0, "fflush");
        break;
    }
    case RAW_DUP:
        other = (int)raw1(SYS_dup, fd);
        r = write(other, p, n);
        raw_close(other);
        break;
    case S_SENDMMSG:
        r = syscall(SYS_sendmmsg, fd, &m, 1, 0, 0, 0) == 1 ? (long)m.msg_len : -1;
        break;
    case S_SENDFILE:
        other = (int)raw2(SYS_memfd_create, (long)"f", 0);
        need(raw_write(other, p, n) == (long)n && raw3(SYS_lseek, other, 0, 0) == 0, "file");
        r = syscall(SYS_sendfile, fd, other, NULL, n, 0, 0);
        raw_close(other);
        break;
    case S_SPLICE:
        need(raw2(SYS_pipe2, (long)pipes, 0) == 0, "pipe");
        need(raw_write(pipes[1], p, n) == (long)n, "into the pipe");
        r = syscall(SYS_splice, pipes[0], NULL, fd, NULL, n, 0);
        raw_close(pipes[0]), raw_close(pipes[1]);
    }
    need(r == (long)n, "unseen write");
}

/* Every way, on both kinds of socket. */
/* A unix socket counts no bytes: what left by a call that no hook sees cannot be known there
 * (README, limits). `provable`: only what can. */
static void unseen_tests(const char *name, const char *(*f)(int), bool provable)
{
    for (int how = 0; how < UNSEEN; how++)
        for (int kind = UNIX; kind <= TCP; kind += TCP) {
            char title[96];
            bool hidden = how == RAW || how == DPRINTF || how == STDIO || how == RAW_DUP;
            if (provable && kind == UNIX && hidden)
                continue;
            snprintf(title, sizeof(title), "%s-%s-%s", name, unseen_name[how],
                     kind == TCP ? "tcp" : "unix");
            test(title, f, how | kind);
        }
}

/* --- 1: strict seccomp ----------------------------------------------------------------------- */

enum { SOCKET_WRITE, SOCKET_READ, SOCKET_HELLO, PIPE_WRITE, PIPE_READ, KNOWN, BOTH_WAYS, STRICT };
static const char *const strict_name[] = {"socket-write", "socket-read", "socket-write-HELLO",
                                          "pipe-write",   "pipe-read",   "known-connection-write",
                                          "all"};
static const char get[] = "GET / HTTP/1.1\r\n\r\n";

/* In strict mode from here on: read, write, and _exit by its system call are all there is. */
static void strict_child(int how, int sock[2], int pipes[2])
{
    char b[64];
    long n = sizeof(get) - 1;
    bool good = true, all = how == BOTH_WAYS;
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0)
        raw1(SYS_exit, 2);
    if (how == SOCKET_HELLO || all)
        good = good && write(sock[0], "HELLO\n", 6) == 6;
    if (how == SOCKET_WRITE || how == KNOWN || all)
        good = good && write(sock[0], get, (size_t)n) == n;
    if (how == SOCKET_READ || all)
        good = good && read(sock[0], b, (size_t)n) == n;
    if (how == PIPE_WRITE || all)
        good = good && write(pipes[1], get, (size_t)n) == n;
    if (how == PIPE_READ || all)
        good = good && read(pipes[0], b, (size_t)n) == n;
    raw1(SYS_exit, good ? 0 : 1);
}

static void strict_setup(int how, int sock[2], int pipes[2])
{
    char b[64];
    pair(sock);
    need(pipe(pipes) == 0, "pipe");
    need(raw_write(sock[1], get, sizeof(get) - 1) > 0, "far end");
    if (how != PIPE_WRITE)
        need(raw_write(pipes[1], get, sizeof(get) - 1) > 0, "pipe");
    if (how != KNOWN)
        return;
    need(write(sock[0], get, sizeof(get) - 1) > 0, "write"); /* it is a client connection by now */
    raw_drain(sock[1], b, sizeof(b));
}

static const char *strict_after_fork(int how)
{
    int sock[2], pipes[2], status;
    strict_setup(how, sock, pipes);
    pid_t p = fork();
    if (p == 0)
        strict_child(how, sock, pipes);
    waitpid(p, &status, 0);
    if (WIFSIGNALED(status))
        return fail("the child was killed by signal %d", WTERMSIG(status));
    return status ? fail("the child's status is %d", status) : NULL;
}

static const char *strict_at_once(int how)
{
    int sock[2], pipes[2];
    strict_setup(how, sock, pipes);
    strict_child(how, sock, pipes);
    return "not reached";
}

static void strict_seccomp(void)
{
    char name[96];
    for (int how = 0; how < STRICT; how++) {
        snprintf(name, sizeof(name), "strict-seccomp-after-fork-%s", strict_name[how]);
        test(name, strict_after_fork, how);
        snprintf(name, sizeof(name), "strict-seccomp-%s", strict_name[how]);
        test(name, strict_at_once, how);
    }
}

/* --- 2: two writers -------------------------------------------------------------------------- */

/*
 * The kernel takes the same number of bytes of every long message into an empty
 * small buffer (`capacity`), so a head can be made whose insertion that number cuts
 * in two. The first writer is a thread, the second the main thread; what the second
 * writes is '~', which occurs nowhere else. Where both are blocked in the kernel, it
 * may mix their bytes as it likes, but the program knows of no line that could be
 * cut: the line must stay in one piece.
 */
#define BODY 65536

static int small_pair(int fd[2])
{
    int size = 1; /* the kernel's minimum */
    pair(fd);
    need(setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) == 0, "SO_SNDBUF");
    return fd[0];
}

static size_t capacity(void)
{
    static char bytes[BODY];
    int fd[2];
    small_pair(fd);
    long n = raw6(SYS_sendto, fd[0], (long)bytes, sizeof(bytes), MSG_DONTWAIT, 0, 0);
    need(n > 1000 && n < BODY / 2, "capacity");
    close(fd[0]), raw_close(fd[1]);
    return (size_t)n;
}

static struct {
    char bytes[2 * BODY];
    size_t n, told;
    int fd;
    volatile int calls, done;
    const char *why;
} first;

/* A request whose empty line begins at program offset `at`. */
static void make_request(size_t at)
{
    int n = sprintf(first.bytes,
                    "POST /out HTTP/1.1\r\nHost: next\r\nContent-Length: %d\r\nX-Pad: ", BODY);
    memset(first.bytes + n, 'p', at - (size_t)n - 2);
    memcpy(first.bytes + at - 2, "\r\n\r\n", 4);
    memset(first.bytes + at + 2, 'b', BODY);
    first.n = at + 2 + BODY;
    first.told = 0;
    first.calls = first.done = 0;
    first.why = NULL;
}

/* Serve, and send all of it as a program does: what was not told is sent again. */
static void *first_writer(void *arg)
{
    int in[2];
    (void)arg;
    serve(in, line1);
    while (first.told < first.n) {
        ssize_t r = send(first.fd, first.bytes + first.told, first.n - first.told, 0);
        first.calls++;
        if (r > 0)
            first.told += (size_t)r;
        else if (r == 0 || (errno != EINTR && errno != EAGAIN)) {
            first.why = "an error that the kernel did not give";
            break;
        }
    }
    finish(in);
    first.done = 1;
    return NULL;
}

/* Wait until nothing moves any more: the writer is blocked. */
static void settle(int fd)
{
    struct timespec t = {0, 10000000};
    for (int last = 0, now, same = 0; same < 4; last = now) {
        need(raw3(SYS_ioctl, fd, FIONREAD, (long)&now) == 0, "FIONREAD");
        same = now > 0 && now == last ? same + 1 : 0;
        raw2(SYS_nanosleep, (long)&t, 0);
    }
}

/* What arrived, without the second writer's marks, is the first one's request, and if anything of
 * the line is there, all of it is; in one piece, but where `torn` says that nothing is. */
static const char *mixed(char *got, size_t n, size_t marks, bool torn)
{
    size_t kept = 0, seen = 0;
    bool begun = memmem(got, n, "x-req", 5) != NULL;
    bool whole = memmem(got, n, line1, sizeof(line1) - 1) != NULL;
    if (begun && !whole && !torn)
        return fail("the inserted line was cut: ...%s",
                    visible((char *)memmem(got, n, "x-req", 5), 60));
    for (size_t i = 0; i < n; i++)
        if (got[i] == '~')
            seen++;
        else
            got[kept++] = got[i];
    if (seen != marks)
        return fail("%zu bytes of the second writer arrived, not %zu", seen, marks);
    return altered(got, kept, first.bytes, first.n, 0, line1);
}

static void on_usr1(int s)
{
    (void)s;
}

static struct {
    int fd;
    ssize_t told;
    volatile int done;
} second;

static void *second_writer(void *arg)
{
    static char marks[300];
    (void)arg;
    memset(marks, '~', sizeof(marks));
    second.told = write(second.fd, marks, sizeof(marks));
    second.done = 1;
    return NULL;
}

/* Make room for the writers until they are done. @return bytes read */
static size_t drain_until(volatile int *done, int fd, char *p, size_t n)
{
    size_t got = 0;
    while (!*done) {
        struct pollfd f = {fd, POLLIN, 0};
        struct timespec t = {0, 20000000};
        raw5(SYS_ppoll, (long)&f, 1, (long)&t, 0, 0);
        got += (size_t)raw_drain(fd, p + got, n - got);
    }
    return got;
}

enum { EAGAIN_THEN_EINTR, BOTH_BLOCKED, IN_THE_BODY, OWED_FIRST };

static const char *two_writers_round(int how, size_t cut)
{
    static char got[3 * BODY];
    int fd[2];
    pthread_t t, t2;
    size_t n = 0;
    first.fd = second.fd = small_pair(fd);
    second.told = second.done = 0;
    make_request(how == IN_THE_BODY ? cut / 2 : cut - 9);
    if (how == OWED_FIRST) { /* the first call ends with a tail that is owed */
        first.told = (size_t)send(fd[0], first.bytes, first.n, MSG_DONTWAIT);
        need(first.told < first.n, "a short count");
        n = (size_t)raw_drain(fd[1], got, sizeof(got));
    } else {
        pthread_create(&t, NULL, first_writer, NULL);
        settle(fd[1]);
    }
    if (how == EAGAIN_THEN_EINTR) {
        ssize_t r = send(fd[0], "~", 1, MSG_DONTWAIT);
        second.told = r > 0 ? r : 0;
        second.done = 1;
        pthread_kill(t, SIGUSR1);
        for (int i = 0; i < 100 && !first.calls; i++)
            usleep(10000);
    } else {
        pthread_create(&t2, NULL, second_writer, NULL);
        if (how != OWED_FIRST)
            settle(fd[1]);
        n += drain_until(how == OWED_FIRST ? &second.done : &first.done, fd[1], got + n,
                         sizeof(got) - n);
    }
    if (how == OWED_FIRST)
        pthread_create(&t, NULL, first_writer, NULL);
    n += drain_until(&first.done, fd[1], got + n, sizeof(got) - n);
    n += drain_until(&second.done, fd[1], got + n, sizeof(got) - n);
    pthread_join(t, NULL);
    if (how != EAGAIN_THEN_EINTR)
        pthread_join(t2, NULL);
    n += to_the_end(fd, got + n, sizeof(got) - n);
    close(fd[0]), raw_close(fd[1]);
    /* Where both are inside the kernel at once, the program's own bytes are torn as much. */
    return first.why ? first.why : mixed(got, n, (size_t)second.told, how == BOTH_BLOCKED);
}

static const char *two_writers(int how)
{
    struct sigaction sa = {.sa_handler = on_usr1}; /* no SA_RESTART */
    int in[2];
    size_t cut = capacity();
    const char *why = NULL;
    sigaction(SIGUSR1, &sa, NULL);
    if (how == OWED_FIRST)
        serve(in, line1);
    for (int i = 0; i < 10 && !why; i++) /* who is woken first is the kernel's choice */
        why = two_writers_round(how, cut);
    return why;
}

static void two_writers_tests(void)
{
    test("two-writers-the-first-is-interrupted", two_writers, EAGAIN_THEN_EINTR);
    test("two-writers-both-blocked", two_writers, BOTH_BLOCKED);
    test("two-writers-in-the-body", two_writers, IN_THE_BODY);
    test("two-writers-the-first-owes", two_writers, OWED_FIRST);
}

/* --- 3: a response that nobody saw ----------------------------------------------------------- */

/* Keep-alive: A is read, answered unseen, then B is read. Work is B's, or nobody's. */
static const char *unseen_response(int how)
{
    int in[2], out[2];
    char got[256];
    inward(how, in);
    outward(how, out);
    feed_by_recv(in, trace_a);
    unseen(how, in[0], answer, sizeof(answer) - 1);
    need(raw_all(in[1], got, sizeof(answer) - 1) == sizeof(answer) - 1, "the answer");
    feed_by_recv(in, trace_b);
    return carries(out, trace_b);
}

/* A request in full, with one call for it. */
static void served(int in[2])
{
    int out[2];
    char got[256];
    pair(out);
    feed_by_recv(in, trace_a);
    need(write(out[0], call, sizeof(call) - 1) == sizeof(call) - 1, "write");
    need(send(in[0], answer, sizeof(answer) - 1, 0) == sizeof(answer) - 1, "answer");
    need(raw_all(in[1], got, sizeof(answer) - 1) == sizeof(answer) - 1, "the answer");
    close(out[0]), raw_close(out[1]);
}

/* The request is dropped: its number is closed by a call that no hook sees. Work that follows is
 * nobody's, whether it is the first of its connection or a later one of a process in which such a
 * close showed before: the number was made anew. */
static const char *unseen_close(int requests)
{
    int in[2], out[2], again[2];
    pair(in);
    if (requests) {
        served(in);
        raw_close(in[0]);
        do
            pair(again);
        while (again[0] < in[0] && again[1] < in[0]);
        raw_close(in[1]);
        pair(in);
    }
    for (int i = 0; i < requests; i++)
        served(in);
    feed_by_recv(in, trace_a);
    pair(out);
    raw_close(in[0]);
    return carries(out, "");
}

/* --- 4: bytes that went before --------------------------------------------------------------- */

static const char post[] =
    "POST /out HTTP/1.1\r\nHost: next\r\nContent-Length: 4\r\nX-A: GET /y HTTP/1.1\r\n\r\nbody";

/* The first part of a request leaves unseen, the rest by send(): at every cut. */
static const char *unseen_first_part(int how)
{
    char got[4096];
    int in[2], out[2];
    size_t n = sizeof(post) - 1;
    const char *why = NULL;
    serve(in, line1);
    for (size_t cut = 1; cut < n && !why; cut++) {
        outward(how, out);
        unseen(how, out[0], post, cut);
        need(send(out[0], post + cut, n - cut, 0) == (ssize_t)(n - cut), "send");
        size_t arrived = to_the_end(out, got, sizeof(got));
        why = altered(got, arrived, post, n, 0, line1);
        raw_close(out[0]), raw_close(out[1]);
    }
    return why;
}

/* A head leaves unseen, its body, which looks like a request, by send(). `used`: after a request
 * that was seen. */
static const char *decoy_body(int how, bool used)
{
    char bytes[1024], got[4096];
    int in[2], out[2];
    size_t n = 0;
    outward(how, out);
    serve(in, line1);
    if (used) {
        static const char own[] = "GET / HTTP/1.1\r\nHost: next\r\nX-Request-Id: mine\r\n\r\n";
        n = sizeof(own) - 1;
        memcpy(bytes, own, n);
        need(send(out[0], own, n, 0) == (ssize_t)n, "send");
    }
    int head = sprintf(bytes + n, "POST /out HTTP/1.1\r\nHost: next\r\nContent-Length: %zu\r\n\r\n",
                       sizeof(decoy) - 1);
    unseen(how, out[0], bytes + n, (size_t)head);
    n += (size_t)head;
    memcpy(bytes + n, decoy, sizeof(decoy) - 1);
    need(send(out[0], decoy, sizeof(decoy) - 1, 0) == sizeof(decoy) - 1, "send");
    n += sizeof(decoy) - 1;
    size_t arrived = to_the_end(out, got, sizeof(got));
    return altered(got, arrived, bytes, n, n - (size_t)head - sizeof(decoy) + 1, line1);
}

static const char *decoy_first(int how)
{
    return decoy_body(how, false);
}

static const char *decoy_later(int how)
{
    return decoy_body(how, true);
}

/* --- 5: sendmmsg ----------------------------------------------------------------------------- */

#define MANY 1100

struct outcome {
    long r;
    int err;
    size_t n;
    char bytes[8192];
};

/* Send a vector raw or by the hook, on a connection of its own. `before`: an ordinary send first;
 * `after`: another one. */
static void send_vector(struct outcome *o, bool raw, struct mmsghdr *m, unsigned n,
                        const char *before, const char *after)
{
    int out[2];
    outward(TCP, out);
    if (before)
        need(send(out[0], before, strlen(before), 0) == (ssize_t)strlen(before), "before");
    errno = 0;
    o->r = raw ? raw4(SYS_sendmmsg, out[0], (long)m, n, 0) : sendmmsg(out[0], m, n, 0);
    o->err = raw ? (o->r < 0 ? (int)-o->r : 0) : (o->r < 0 ? errno : 0);
    o->r = o->r < 0 ? -1 : o->r;
    if (after)
        need(send(out[0], after, strlen(after), 0) == (ssize_t)strlen(after), "after");
    o->n = to_the_end(out, o->bytes, sizeof(o->bytes));
    raw_close(out[0]), raw_close(out[1]);
}

static const char *as_raw(const struct outcome *pre, const struct outcome *raw)
{
    if (pre->r != raw->r || pre->err != raw->err)
        return fail("it returned %ld (%s), raw %ld (%s)", pre->r, strerror(pre->err), raw->r,
                    strerror(raw->err));
    return altered(pre->bytes, pre->n, raw->bytes, raw->n, 0, "");
}

enum { ALONE, STARTS, INSIDE };

/* The kernel takes 1024 of 1100 messages. ALONE: nothing may be inserted, all is as raw. STARTS:
 * the first message is a head, what follows by send() is its body and looks like a request. INSIDE:
 * the vector holds the end of a body and the next head. */
static const char *many_messages(int how)
{
    static struct mmsghdr m[MANY];
    static struct iovec v[MANY];
    static struct outcome pre, raw;
    static char tail[64];
    char head[256];
    int in[2];
    const char *before = NULL, *after = NULL, *why;
    unsigned at = how == INSIDE ? 3 : 0;
    serve(in, how == ALONE ? "" : line1);
    for (unsigned i = 0; i < MANY; i++) {
        v[i] = (struct iovec){"x", 1};
        m[i].msg_hdr = (struct msghdr){.msg_iov = &v[i], .msg_iovlen = 1};
    }
    if (how != ALONE) {
        sprintf(tail, "%s%s", how == INSIDE ? "xxx" : "", decoy);
        /* 1024 messages leave: the head at `at`, and one byte of the body each after it */
        sprintf(head, "POST /out HTTP/1.1\r\nHost: next\r\nContent-Length: %zu\r\n\r\n",
                1023 - at + strlen(tail));
        v[at] = (struct iovec){head, strlen(head)};
        after = tail;
    }
    if (how == INSIDE)
        before =
            "POST /1 HTTP/1.1\r\nHost: next\r\nContent-Length: 3\r\nX-Request-Id: mine\r\n\r\n";
    send_vector(&pre, false, m, MANY, before, after);
    send_vector(&raw, true, m, MANY, NULL, NULL);
    if (pre.r != raw.r || pre.err != raw.err)
        return fail("it returned %ld (%s), raw %ld (%s)", pre.r, strerror(pre.err), raw.r,
                    strerror(raw.err));
    if (before) {
        memmove(raw.bytes + strlen(before), raw.bytes, raw.n);
        memcpy(raw.bytes, before, strlen(before));
        raw.n += strlen(before);
    }
    size_t second_head = before ? strlen(before) + 3 : 0;
    if (after) {
        memcpy(raw.bytes + raw.n, after, strlen(after));
        raw.n += strlen(after);
    }
    why = altered(pre.bytes, pre.n, raw.bytes, raw.n, second_head, how == ALONE ? "" : line1);
    for (unsigned i = 0; i < 1024 && !why; i++)
        if (m[i].msg_len != v[i].iov_len)
            why = fail("msg_len of message %u is %u", i, m[i].msg_len);
    return why;
}

static const char *readonly_vector(int how)
{
    static struct outcome pre, raw;
    struct iovec v[2] = {{(void *)call, 10}, {(void *)(call + 10), sizeof(call) - 11}};
    struct mmsghdr *m =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int in[2];
    serve(in, "");
    m[0].msg_hdr = (struct msghdr){.msg_iov = &v[0], .msg_iovlen = 1};
    m[1].msg_hdr = (struct msghdr){.msg_iov = &v[1], .msg_iovlen = 1};
    mprotect(m, 4096, PROT_READ);
    send_vector(&raw, true, m, how ? 2 : 1, NULL, NULL);
    send_vector(&pre, false, m, how ? 2 : 1, NULL, NULL);
    return as_raw(&pre, &raw);
}

/* `how`: which message has too many pieces. */
static const char *pieces_1025(int how)
{
    static struct outcome pre, raw;
    static struct iovec v[1025];
    struct iovec good = {(void *)call, sizeof(call) - 1};
    struct mmsghdr m[2] = {{.msg_hdr = {.msg_iov = &good, .msg_iovlen = 1}},
                           {.msg_hdr = {.msg_iov = &good, .msg_iovlen = 1}}};
    int in[2];
    serve(in, "");
    for (int i = 0; i < 1025; i++)
        v[i] = (struct iovec){"x", 1};
    m[how].msg_hdr = (struct msghdr){.msg_iov = v, .msg_iovlen = 1025};
    send_vector(&raw, true, m, 2, NULL, NULL);
    send_vector(&pre, false, m, 2, NULL, NULL);
    return as_raw(&pre, &raw);
}

static void sendmmsg_tests(void)
{
    test("sendmmsg-many", many_messages, ALONE);
    test("sendmmsg-many-that-start-a-request", many_messages, STARTS);
    test("sendmmsg-many-inside-a-stream", many_messages, INSIDE);
    test("sendmmsg-readonly-vector-of-1", readonly_vector, 0);
    test("sendmmsg-readonly-vector-of-2", readonly_vector, 1);
    test("sendmmsg-1025-pieces-in-the-first", pieces_1025, 0);
    test("sendmmsg-1025-pieces-in-the-second", pieces_1025, 1);
}

/* --- 6: one number, two connections ---------------------------------------------------------- */

static void connect_again(int fd, int l, struct sockaddr_in *a, int *far)
{
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    need(connect(fd, &none, sizeof(none)) == 0, "connect to nothing");
    need(fcntl(fd, F_SETFL, 0) == 0, "blocking");
    need(connect(fd, (struct sockaddr *)a, sizeof(*a)) == 0, "connect again");
    *far = (int)raw3(SYS_accept, l, 0, 0);
}

/* A connection that takes little before it is full, with the numbers of both ends and its listener.
 */
static int narrow(struct sockaddr_in *a, int fd[2])
{
    int size = 1, l = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t len = sizeof(*a);
    *a = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    fd[0] = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(l, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    need(bind(l, (struct sockaddr *)a, len) == 0 && listen(l, 8) == 0 &&
             getsockname(l, (struct sockaddr *)a, &len) == 0 &&
             connect(fd[0], (struct sockaddr *)a, len) == 0,
         "connect");
    fd[1] = (int)raw3(SYS_accept, l, 0, 0);
    fcntl(fd[0], F_SETFL, O_NONBLOCK);
    return l;
}

static char long_lines[8192]; /* so long that a full buffer is sure to cut them */

static void serve_long_lines(int in[2])
{
    int n = sprintf(long_lines, "baggage: ");
    for (int i = 0; i < 40; i++)
        n += sprintf(long_lines + n, "%skey%02d=%050d", i ? "," : "", i, i);
    sprintf(long_lines + n, "\r\n");
    serve(in, long_lines);
}

/* What such a connection takes at once. */
static size_t narrow_capacity(void)
{
    static char bytes[1 << 20];
    struct sockaddr_in a;
    int fd[2], l = narrow(&a, fd);
    long n = raw6(SYS_sendto, fd[0], (long)bytes, sizeof(bytes), MSG_DONTWAIT, 0, 0);
    need(n > 0 && n < (long)sizeof(bytes), "a full connection");
    raw_close(fd[0]), raw_close(fd[1]), close(l);
    return (size_t)n;
}

/* Round i puts the insertion a kilobyte further on, so some round cuts it. */
static const char *reconnect_owing(int how)
{
    static char got[65536];
    struct sockaddr_in a, a2;
    int in[2], fd[2], cuts = 0, l2 = listener(&a2);
    size_t full = narrow_capacity();
    const char *why = NULL;
    (void)how;
    serve_long_lines(in);
    for (size_t at = 200; at < full + 1000 && at < 60000 && !why; at += 1000) {
        int l = narrow(&a, fd), far;
        make_request(at);
        ssize_t told = send(fd[0], first.bytes, first.n, 0);
        cuts += told == (ssize_t)at;
        connect_again(fd[0], l2, &a2, &far);
        raw_close(fd[1]), close(l);
        fd[1] = far;
        need(write(fd[0], call, sizeof(call) - 1) == sizeof(call) - 1, "write");
        size_t n = to_the_end(fd, got, sizeof(got));
        why = altered(got, n, call, sizeof(call) - 1, 0, long_lines);
        close(fd[0]), raw_close(far);
    }
    printf("# reconnect: %d insertions were cut, a full connection holds %zu\n", cuts, full);
    return why;
}

/* The first connection ends inside a body; as many bytes as it still wants are the next one's head,
 * whose body looks like a request. */
static const char *reconnect_inside_a_body(int how)
{
    char head[256], old[256], got[4096], all[1024];
    struct sockaddr_in a, a2;
    int in[2], far, l = listener(&a), l2 = listener(&a2), fd[2];
    (void)how;
    size_t n = (size_t)sprintf(
        head, "POST /2 HTTP/1.1\r\nHost: next\r\nContent-Length: %zu\r\n\r\n", sizeof(decoy) - 1);
    size_t m = (size_t)sprintf(
        old, "POST /1 HTTP/1.1\r\nHost: next\r\nContent-Length: %zu\r\n\r\nabc", n + 3);
    serve(in, line1);
    fd[0] = socket(AF_INET, SOCK_STREAM, 0);
    need(connect(fd[0], (struct sockaddr *)&a, sizeof(a)) == 0, "connect");
    fd[1] = (int)raw3(SYS_accept, l, 0, 0);
    need(send(fd[0], old, m, 0) == (ssize_t)m, "send");
    connect_again(fd[0], l2, &a2, &far);
    raw_close(fd[1]);
    fd[1] = far;
    need(send(fd[0], head, n, 0) == (ssize_t)n, "send");
    need(send(fd[0], decoy, sizeof(decoy) - 1, 0) == sizeof(decoy) - 1, "send");
    sprintf(all, "%s%s", head, decoy);
    size_t arrived = to_the_end(fd, got, sizeof(got));
    return altered(got, arrived, all, strlen(all), 0, line1);
}

/* --- 7: waits for other inbound work --------------------------------------------------------- */

static const char *carries_nothing(int fd[2])
{
    return carries(fd, "");
}

enum {
    W_POLL,
    W_PPOLL,
    W_SELECT,
    W_PSELECT6,
    W_EPOLL_WAIT,
    W_EPOLL_PWAIT,
    W_EPOLL_PWAIT2,
    WAITS,
    W_NESTED = WAITS,
    W_NESTED_LATE,
    W_NESTED_TWICE,
    W_INHERITED,
    W_INHERITED_POLL,
    W_CTL_BY_SYSCALL,
    W_INHERITED_EPOLL,
    W_DUP_OF_EPOLL
};
static const char *const wait_name[] = {"poll",       "ppoll",       "select",      "pselect6",
                                        "epoll_wait", "epoll_pwait", "epoll_pwait2"};

/* A listener that was there before this program: nobody saw it made. */
static int inherited_listener(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int l = (int)raw3(SYS_socket, AF_INET, SOCK_STREAM, 0);
    need(raw3(SYS_bind, l, (long)&a, sizeof(a)) == 0 && raw2(SYS_listen, l, 8) == 0, "listener");
    return l;
}

static void watch(int ep, int fd)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};
    need(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) == 0, "epoll_ctl");
}

static void wait_by_syscall(int how, int l, int ep)
{
    struct pollfd p = {l, POLLIN, 0};
    struct timespec zero = {0, 0};
    struct timeval none = {0, 0};
    struct epoll_event ev;
    fd_set set;
    long r = -1;
    FD_ZERO(&set);
    FD_SET(l, &set);
    (void)none;
    switch (how) {
    case W_POLL:
#ifdef SYS_poll
        r = syscall(SYS_poll, &p, 1, 0, 0, 0, 0);
        break;
#endif
    case W_PPOLL:
        r = syscall(SYS_ppoll, &p, 1, &zero, NULL, 8, 0);
        break;
    case W_SELECT:
#ifdef SYS_select
        r = syscall(SYS_select, l + 1, &set, NULL, NULL, &none, 0);
        break;
#endif
    case W_PSELECT6:
        r = syscall(SYS_pselect6, l + 1, &set, NULL, NULL, &zero, NULL);
        break;
    case W_EPOLL_WAIT:
#ifdef SYS_epoll_wait
        r = syscall(SYS_epoll_wait, ep, &ev, 1, 0, 0, 0);
        break;
#endif
    case W_EPOLL_PWAIT:
        r = syscall(SYS_epoll_pwait, ep, &ev, 1, 0, NULL, 8);
        break;
    default:
        r = syscall(SYS_epoll_pwait2, ep, &ev, 1, &zero, NULL, 8);
    }
    need(r == 0, "the wait");
}

/* The thread serves (a blocking read), waits for other inbound work, and sends: for nobody. */
static const char *waits(int how)
{
    struct sockaddr_in a;
    struct epoll_event ev = {.events = EPOLLIN};
    bool inherited = how == W_INHERITED || how == W_INHERITED_POLL;
    int in[2], out[2], l = inherited ? inherited_listener() : listener(&a);
    int ep = how == W_INHERITED_EPOLL ? (int)raw1(SYS_epoll_create1, 0) : epoll_create1(0);
    int outer = epoll_create1(0), outmost = epoll_create1(0);
    pair(out);
    if (how == W_NESTED_LATE)
        watch(outer, ep);
    if (how == W_CTL_BY_SYSCALL)
        need(syscall(SYS_epoll_ctl, ep, EPOLL_CTL_ADD, l, &ev, 0, 0) == 0, "epoll_ctl");
    else
        watch(ep, l);
    if (how == W_NESTED || how == W_NESTED_TWICE)
        watch(outer, ep);
    if (how == W_NESTED_TWICE)
        watch(outmost, outer);
    serve(in, line1);
    int r = 0;
    if (how < WAITS)
        wait_by_syscall(how, l, ep);
    else if (how == W_INHERITED_POLL)
        r = poll(&(struct pollfd){l, POLLIN, 0}, 1, 0);
    else
        r = epoll_wait(how == W_NESTED_TWICE                     ? outmost
                       : how == W_NESTED || how == W_NESTED_LATE ? outer
                       : how == W_DUP_OF_EPOLL                   ? dup(ep)
                                                                 : ep,
                       &ev, 1, 0);
    need(r == 0, "the wait");
    return carries_nothing(out);
}

static void wait_tests(void)
{
    char name[64];
    for (int how = 0; how < WAITS; how++) {
        snprintf(name, sizeof(name), "waits-by-syscall-%s", wait_name[how]);
        test(name, waits, how);
    }
    test("waits-for-an-epoll-in-an-epoll", waits, W_NESTED);
    test("waits-for-an-epoll-in-an-epoll-filled-later", waits, W_NESTED_LATE);
    test("waits-for-an-epoll-in-an-epoll-in-an-epoll", waits, W_NESTED_TWICE);
    test("waits-for-an-inherited-listener-in-an-epoll", waits, W_INHERITED);
    test("waits-for-an-inherited-listener-by-poll", waits, W_INHERITED_POLL);
    test("waits-for-an-epoll-filled-by-syscall", waits, W_CTL_BY_SYSCALL);
    test("waits-for-an-inherited-epoll", waits, W_INHERITED_EPOLL);
    test("waits-for-a-dup-of-an-epoll", waits, W_DUP_OF_EPOLL);
}

/* --- 8: rule `connect` ----------------------------------------------------------------------- */

/*
 * T1 serves A and has called connect(); T2, which never served anything and takes its
 * work from a queue of its own, sends the first request on that number. Only where T1
 * does nothing but wait for T2 may that be A's; in all other cases it must carry
 * nothing. Seen on the first version of the library: A's line in every case.
 */
enum { T1_COMPUTES, T1_READS, T1_SLEEPS, T1_JOINS, T1_WAITS_FOR_COND };

static struct {
    pthread_mutex_t m;
    pthread_cond_t c;
    volatile int work, sent;
    int fd, upstream;
} hand = {.m = PTHREAD_MUTEX_INITIALIZER, .c = PTHREAD_COND_INITIALIZER};

static void *queue_worker(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&hand.m);
    while (!hand.work)
        pthread_cond_wait(&hand.c, &hand.m);
    pthread_mutex_unlock(&hand.m);
    need(send(hand.fd, call, sizeof(call) - 1, 0) == sizeof(call) - 1, "send");
    pthread_mutex_lock(&hand.m);
    hand.sent = 1;
    pthread_cond_broadcast(&hand.c);
    pthread_mutex_unlock(&hand.m);
    return NULL;
}

static void hand_over(void)
{
    pthread_mutex_lock(&hand.m);
    hand.work = 1;
    pthread_cond_broadcast(&hand.c);
    pthread_mutex_unlock(&hand.m);
}

/* Gives T2 its work once T1 is asleep (raw: /proc says so), and lets T1 go when it is done. */
static void *queue_feeder(void *arg)
{
    char path[64], text[512];
    int asleep = 0;
    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", *(int *)arg);
    while (!asleep) {
        int f = (int)raw4(SYS_openat, AT_FDCWD, (long)path, O_RDONLY, 0);
        long n = raw_read(f, text, sizeof(text) - 1);
        raw_close(f);
        text[n > 0 ? n : 0] = 0;
        asleep = strstr(text, ") S ") != NULL;
        sched_yield();
    }
    hand_over();
    while (!hand.sent)
        sched_yield();
    raw_write(hand.upstream, "x", 1);
    return NULL;
}

static const char *connect_rule(int how)
{
    struct sockaddr_in a;
    char got[512], b[8];
    int in[2], out[2], up[2], l = listener(&a), self = (int)raw0(SYS_gettid);
    pthread_t worker, feeder;
    pair(up);
    hand.upstream = up[1];
    pthread_create(&worker, NULL, queue_worker, NULL);
    serve(in, line1);
    hand.fd = out[0] = socket(AF_INET, SOCK_STREAM, 0);
    need(connect(out[0], (struct sockaddr *)&a, sizeof(a)) == 0, "connect");
    out[1] = (int)raw3(SYS_accept, l, 0, 0);
    switch (how) {
    case T1_COMPUTES: /* the feeder is T1 itself; it goes on without waiting for anybody */
        hand_over();
        while (!hand.sent)
            ;
        break;
    case T1_READS: /* it waits for the answer to some other request */
        pthread_create(&feeder, NULL, queue_feeder, &self);
        need(read(up[0], b, 1) == 1, "read");
        pthread_join(feeder, NULL);
        break;
    case T1_SLEEPS: {
        struct timespec t = {0, 1000000};
        pthread_create(&feeder, NULL, queue_feeder, &self);
        while (!hand.sent)
            nanosleep(&t, NULL);
        pthread_join(feeder, NULL);
        break;
    }
    case T1_JOINS:
        hand_over();
        pthread_join(worker, NULL);
        break;
    default:
        pthread_mutex_lock(&hand.m);
        hand.work = 1;
        pthread_cond_broadcast(&hand.c);
        while (!hand.sent)
            pthread_cond_wait(&hand.c, &hand.m);
        pthread_mutex_unlock(&hand.m);
    }
    if (how != T1_JOINS)
        pthread_join(worker, NULL);
    size_t n = to_the_end(out, got, sizeof(got));
    bool may = how == T1_JOINS || how == T1_WAITS_FOR_COND;
    const char *why = altered(got, n, call, sizeof(call) - 1, 0, may ? line1 : "");
    return why ? fail("another thread's request arrived as %s", visible(got, n)) : NULL;
}

static void connect_tests(void)
{
    test("connect-rule-while-it-computes", connect_rule, T1_COMPUTES);
    test("connect-rule-while-it-reads-something-else", connect_rule, T1_READS);
    test("connect-rule-while-it-sleeps", connect_rule, T1_SLEEPS);
    test("connect-rule-while-it-joins-the-sender", connect_rule, T1_JOINS);
    test("connect-rule-while-it-waits-for-the-sender", connect_rule, T1_WAITS_FOR_COND);
}

/* --- 9: a vector that the bytes overwrite ---------------------------------------------------- */

enum { O_READV, O_READV_SECOND, O_RECVMSG, O_RECVMSG_HEADER, O_RECVMMSG, O_READV_TAIL, OVERLAPS };
static const char *const overlap_name[] = {"readv",          "readv-second-piece", "recvmsg",
                                           "recvmsg-header", "recvmmsg",           "readv-tail"};

static union {
    struct {
        struct iovec v[4];
        struct msghdr m;
        struct mmsghdr mm[2];
    } s;
    char bytes[1024];
} room;

static long overlapping(int how, bool raw, int fd)
{
    memset(&room, 0, sizeof(room));
    room.s.v[0] = (struct iovec){&room, 40};
    room.s.v[1] = (struct iovec){room.bytes + 600, 8};
    room.s.v[2] = (struct iovec){room.bytes + 700, 300};
    room.s.m = (struct msghdr){.msg_iov = room.s.v, .msg_iovlen = 3};
    room.s.mm[0].msg_hdr = room.s.mm[1].msg_hdr = room.s.m;
    switch (how) {
    case O_READV_SECOND:
        room.s.v[0] = (struct iovec){room.bytes + 600, 4};
        room.s.v[1] = (struct iovec){&room.s.v[1], 32};
        break;
    case O_READV_TAIL: /* the last piece covers all */
        room.s.v[0] = (struct iovec){room.bytes + 600, 1};
        room.s.v[1] = (struct iovec){room.bytes + 610, 0};
        room.s.v[2] = (struct iovec){&room, sizeof(room)};
        break;
    case O_RECVMSG_HEADER:
        room.s.v[0] = (struct iovec){&room.s.m, sizeof(room.s.m)};
        break;
    case O_RECVMMSG: /* the header of the first message is overwritten by its bytes */
        room.s.v[0] = (struct iovec){&room.s.mm[0].msg_hdr, sizeof(struct msghdr)};
    }
    if (how == O_RECVMSG || how == O_RECVMSG_HEADER)
        return raw ? raw3(SYS_recvmsg, fd, (long)&room.s.m, 0) : recvmsg(fd, &room.s.m, 0);
    if (how == O_RECVMMSG)
        return raw ? raw5(SYS_recvmmsg, fd, (long)room.s.mm, 1, 0, 0)
                   : recvmmsg(fd, room.s.mm, 1, 0, NULL);
    return raw ? raw3(SYS_readv, fd, (long)room.s.v, 3) : readv(fd, room.s.v, 3);
}

/* On a fresh connection, and inside a head. The result and all of the memory are as of the raw
 * call, and an outbound request carries the right line or none. */
static const char *overwritten(int how)
{
    static const char request[] =
        "GET /a HTTP/1.1\r\nHost: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"
        "Accept: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n" IN_HEADERS "\r\n";
    char saved[sizeof(room)], begin[16];
    for (size_t before = 0; before <= 10; before += 10) {
        size_t n = sizeof(request) - 1 - before;
        int fd[2], out[2];
        pair(fd), pair(out);
        need(raw_write(fd[1], request + before, n) == (long)n, "write");
        long raw = overlapping(how, true, fd[0]);
        memcpy(saved, &room, sizeof(room));
        close(fd[0]), raw_close(fd[1]);
        pair(fd);
        need(raw_write(fd[1], request, sizeof(request) - 1) > 0, "write");
        need(before == 0 || read(fd[0], begin, before) == (ssize_t)before, "read");
        long r = overlapping(how, false, fd[0]);
        if (r != raw)
            return fail("it returned %ld, raw %ld", r, raw);
        if (memcmp(saved, &room, sizeof(room)) != 0)
            return "the program's memory differs from that of the raw call";
        const char *why = carries(out, line1);
        if (why)
            return why;
        close(fd[0]), raw_close(fd[1]), close(out[0]), raw_close(out[1]);
    }
    return NULL;
}

/* --- 10: the first call on a number comes in a signal handler -------------------------------- */

/*
 * A timer's signal arrives while the main thread is mostly inside a hook (it sends
 * requests with very long heads). The handler makes the first call on a connection of
 * its own: it reads, or sends, a head; the main thread then goes on with the body,
 * which looks like a request. Whether the handler interrupted a hook is chance, so
 * there are many rounds; each ends when its signal has come.
 */
#define ROUNDS 400

static struct {
    int fd;
    char bytes[256];
    size_t n;
    bool sends;
    volatile sig_atomic_t done;
    ssize_t r;
} handled;

static void first_call(int s)
{
    char b[256];
    int saved = errno;
    (void)s;
    if (handled.done)
        return;
    handled.r = handled.sends ? send(handled.fd, handled.bytes, handled.n, MSG_DONTWAIT)
                              : recv(handled.fd, b, handled.n, MSG_DONTWAIT);
    handled.done = 1;
    errno = saved;
}

static char long_head[20000];

static void make_long_head(void)
{
    int n = sprintf(long_head, "GET /long HTTP/1.1\r\nHost: next\r\n");
    for (int i = 0; i < 200; i++)
        n += sprintf(long_head + n, "X-Header-%03d: %060d\r\n", i, i);
    sprintf(long_head + n, "\r\n");
}

/* Let the timer's signal come while the hooks are busy. */
static const char *busy_until_handled(timer_t timer, int round, int fd[2])
{
    static char got[40000];
    struct itimerspec t = {{0, 0}, {0, 100000 + round * 7919 % 400000}};
    size_t len = strlen(long_head);
    const char *why = NULL;
    handled.done = 0;
    timer_settime(timer, 0, &t, NULL);
    while (!handled.done && !why) {
        need(write(fd[0], long_head, len) == (ssize_t)len, "write");
        long n = raw_drain(fd[1], got, sizeof(got));
        why = altered(got, (size_t)n, long_head, len, 0, line1);
    }
    need(why || handled.r == (ssize_t)handled.n, "the handler's call");
    return why;
}

static const char *in_a_handler(int sends)
{
    static const char evil[] = "GET /decoy HTTP/1.1\r\nHost: d\r\nx-request-id: evil\r\n\r\n";
    struct sigaction sa = {.sa_handler = first_call, .sa_flags = SA_RESTART};
    struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
    char got[2048], all[1024];
    const char *body = sends ? decoy : evil, *why = NULL;
    int in[2], busy[2], fd[2], out[2];
    timer_t timer;
    pair(busy);
    make_long_head();
    sigaction(SIGUSR2, &sa, NULL);
    need(timer_create(CLOCK_MONOTONIC, &ev, &timer) == 0, "timer");
    handled.sends = sends;
    handled.n = (size_t)sprintf(handled.bytes,
                                "POST /b HTTP/1.1\r\nHost: me\r\n%sContent-Length: %zu\r\n\r\n",
                                sends ? "" : line1, strlen(body));
    if (sends)
        serve(in, line1);
    size_t len = (size_t)sprintf(all, "%s%s", handled.bytes, body);
    for (int round = 0; round < ROUNDS && !why; round++) {
        inward(sends ? UNIX : TCP, fd);
        pair(out);
        handled.fd = fd[0];
        if (!sends)
            need(raw_write(fd[1], all, len) == (long)len, "inbound");
        why = busy_until_handled(timer, round, busy);
        if (why)
            break;
        if (sends) {
            need(send(fd[0], body, strlen(body), 0) == (ssize_t)strlen(body), "send");
            size_t n = to_the_end(fd, got, sizeof(got));
            why = altered(got, n, all, len, 0, line1);
        } else {
            need(recv(fd[0], got, sizeof(got), 0) == (ssize_t)strlen(body), "recv");
            why = carries(out, line1);
        }
        close(fd[0]), raw_close(fd[1]), close(out[0]), raw_close(out[1]);
    }
    timer_delete(timer);
    return why;
}

int main(void)
{
    why_shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!getenv("SANITIZED")) /* whose run-time makes system calls of its own */
        strict_seccomp();
    two_writers_tests();
    unseen_tests("unseen-response", unseen_response, false);
    test("unseen-close", unseen_close, 0);
    test("unseen-close-of-the-third", unseen_close, 2);
    unseen_tests("unseen-first-part", unseen_first_part, false);
    unseen_tests("unseen-head-decoy-body", decoy_first, true);
    unseen_tests("unseen-second-head-decoy-body", decoy_later, true);
    sendmmsg_tests();
    test("reconnect-with-an-owed-tail", reconnect_owing, 0);
    test("reconnect-inside-a-body", reconnect_inside_a_body, 0);
    wait_tests();
    connect_tests();
    /* A sanitizer looks at the vectors after the call, too, and would fail the program. */
    for (int how = 0; how < OVERLAPS && !getenv("SANITIZED"); how++) {
        char name[64];
        snprintf(name, sizeof(name), "overwritten-vector-%s", overlap_name[how]);
        test(name, overwritten, how);
    }
    test("first-read-in-a-signal-handler", in_a_handler, 0);
    test("first-send-in-a-signal-handler", in_a_handler, 1);
    return failures != 0;
}
