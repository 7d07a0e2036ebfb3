/* SPDX-License-Identifier: Apache-2.0 */
/*
 * museum: bugs that other preload libraries had, each with its number in README.md, shown not to
 * be ours. Every exhibit runs in a child with an alarm: a crash or a hang is one `not ok`.
 *
 *   museum NAME...      run these
 */
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "raw.h"

static int errno_at_main;
static const char call[] = "GET /out HTTP/1.1\r\nHost: next\r\n\r\n";
static const char carried[] = "GET /out HTTP/1.1\r\nHost: next\r\nx-request-id: %s\r\n\r\n";

/* What arrived is exactly this? */
static const char *arrived(int far, const char *want, size_t n)
{
    static __thread char got[1 << 16], why[700];
    long len = raw_drain(far, got, sizeof(got));
    if (len == (long)n && memcmp(got, want, n) == 0)
        return NULL;
    snprintf(why, sizeof(why), "%ld bytes arrived, not %zu: %.*s", len, n,
             (int)(len < 300 ? len : 300), got);
    for (char *c = why; *c; c++)
        if (*c == '\r' || *c == '\n')
            *c = '|';
    return why;
}

/* A call leaves on a fresh connection with this id and no other byte; id NULL: as it is. */
static const char *leaves_with(const char *id)
{
    char want[200];
    int fd[2], n = id ? snprintf(want, sizeof(want), carried, id)
                      : snprintf(want, sizeof(want), "%s", call);
    pair(fd);
    need(write(fd[0], call, sizeof(call) - 1) == sizeof(call) - 1, "call");
    const char *why = arrived(fd[1], want, (size_t)n);
    close(fd[0]);
    raw_close(fd[1]);
    return why;
}

static const char *exchange(const char *id)
{
    char line[64];
    int in[2];
    snprintf(line, sizeof(line), "x-request-id: %s\r\n", id);
    serve(in, line);
    const char *why = leaves_with(id);
    finish(in);
    return why;
}

/* --- 01: MSG_PEEK bytes counted twice -------------------------------------------------------- */

static const char *peek(void)
{
    char buf[512], head[128];
    int fd[2];
    const char *why = NULL;
    pair(fd);
    for (int i = 0; i < 3 && !why; i++) {
        char id[8];
        sprintf(id, "p%d", i);
        int n = sprintf(
            head, "POST /in HTTP/1.1\r\nx-request-id: %s\r\nContent-Length: 5\r\n\r\nabcde", id);
        raw_write(fd[1], head, (size_t)n);
        need(recv(fd[0], buf, 9, MSG_PEEK) == 9 && recv(fd[0], buf, sizeof(buf), MSG_PEEK) == n &&
                 read(fd[0], buf, 9) == 9 && recv(fd[0], buf, sizeof(buf), MSG_PEEK) == n - 9 &&
                 read(fd[0], buf, sizeof(buf)) == n - 9,
             "peeks and reads");
        why = leaves_with(id);
        need(write(fd[0], "HTTP/1.1 204 N\r\n\r\n", 18) == 18, "answer");
        raw_drain(fd[1], buf, sizeof(buf));
    }
    return why;
}

/* --- 02: close in one thread, send in another ------------------------------------------------- */

static volatile int over;
static int shared_fd;

static void *sends(void *arg)
{
    while (!over)
        send(shared_fd, call, sizeof(call) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    return arg;
}

static const char *closed_under(void)
{
    static char got[1 << 20];
    pthread_t t[2];
    int fd[2], in[2];
    const char *why = NULL;
    shared_fd = fcntl(0, F_DUPFD, 500); /* a number that no new socket takes meanwhile */
    serve(in, IN_HEADERS);
    for (int i = 0; i < 2; i++)
        pthread_create(&t[i], NULL, sends, NULL);
    for (int i = 0; i < 300 && !why; i++) {
        pair(fd);
        dup2(fd[0], shared_fd);
        close(fd[0]);
        why = i % 3 == 0 ? leaves_with("r1") : NULL;
        close(shared_fd);
        long n = raw_drain(fd[1], got, sizeof(got));
        if (n % (long)(sizeof(call) - 1) || (n && memcmp(got, call, sizeof(call) - 1)))
            why = "another thread's bytes were changed";
        raw_close(fd[1]);
    }
    over = 1;
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    return why;
}

/* --- 03, 20: fork while other threads are inside ---------------------------------------------- */

static void *exchanges(void *arg)
{
    while (!over && !exchange("busy"))
        ;
    return arg;
}

static const char *forks(bool child_works)
{
    pthread_t t[3];
    const char *why = NULL;
    for (int i = 0; i < 3; i++)
        pthread_create(&t[i], NULL, exchanges, NULL);
    for (int i = 0; i < 200 && !why; i++) {
        int status = 0;
        pid_t p = fork();
        if (p == 0) {
            alarm(5);
            _exit(child_works ? exchange("child") != NULL : close(0) != 0);
        }
        waitpid(p, &status, 0);
        why = WIFSIGNALED(status) ? "a child hangs"
              : status            ? "a child's exchange is wrong"
                                  : exchange("parent");
    }
    over = 1;
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    return why;
}
static const char *fork_hang(void)
{
    return forks(false);
}
static const char *fork_child_works(void)
{
    return forks(true);
}

/* --- 07, 30: errno ---------------------------------------------------------------------------- */

#define KEEPS(expression)                                                                          \
    do {                                                                                           \
        errno = 1234;                                                                              \
        if ((long)(expression) < 0 || errno != 1234)                                               \
            return "errno after " #expression;                                                     \
    } while (0)

static const char *errno_kept(void)
{
    char buf[512];
    int fd[2], ep, in[2];
    struct epoll_event ev = {.events = EPOLLIN};
    if (errno_at_main)
        return "errno is not 0 at the beginning of main";
    struct iovec v = {(void *)call, sizeof(call) - 1};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    serve(in, IN_HEADERS);
    KEEPS(socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
    struct pollfd p = {fd[0], POLLOUT, 0};
    KEEPS(write(fd[0], call, sizeof(call) - 1));
    KEEPS(send(fd[0], call, sizeof(call) - 1, 0));
    KEEPS(writev(fd[0], &v, 1));
    KEEPS(sendmsg(fd[0], &m, 0));
    KEEPS(syscall(SYS_write, fd[0], call, sizeof(call) - 1));
    raw_write(fd[1], buf, 40);
    KEEPS(recv(fd[0], buf, 10, MSG_PEEK));
    KEEPS(read(fd[0], buf, 10));
    KEEPS(recv(fd[0], buf, 10, 0));
    KEEPS(poll(&p, 1, 0));
    KEEPS(ep = epoll_create1(0));
    KEEPS(epoll_ctl(ep, EPOLL_CTL_ADD, fd[0], &ev));
    KEEPS(epoll_wait(ep, &ev, 1, 0));
    KEEPS(fcntl(fd[0], F_SETFL, O_NONBLOCK));
    KEEPS(dup2(fd[0], 99));
    KEEPS(shutdown(fd[0], SHUT_WR));
    KEEPS(close(99));
    KEEPS(close(fd[0]));
    return NULL;
}

#define FAILS(expression, code)                                                                    \
    do {                                                                                           \
        errno = 1234;                                                                              \
        if ((expression) != -1 || errno != (code))                                                 \
            return "errno of " #expression;                                                        \
    } while (0)

static const char *errno_of_the_call(void)
{
    char buf[64];
    int fd[2], in[2];
    struct iovec v = {(void *)call, sizeof(call) - 1};
    signal(SIGPIPE, SIG_IGN);
    serve(in, IN_HEADERS);
    pair(fd);
    fcntl(fd[0], F_SETFL, O_NONBLOCK);
    FAILS(read(fd[0], buf, 9), EAGAIN);
    FAILS(recv(fd[0], buf, 9, MSG_PEEK), EAGAIN);
    raw_close(fd[1]);
    FAILS(write(fd[0], call, sizeof(call) - 1), EPIPE); /* this one was edited */
    FAILS(writev(fd[0], &v, 1), EPIPE);
    FAILS(send(fd[0], call, 3, MSG_NOSIGNAL), EPIPE);
    close(fd[0]);
    FAILS(write(fd[0], call, 3), EBADF);
    FAILS(close(fd[0]), EBADF);
    FAILS(read(-1, buf, 1), EBADF);
    FAILS(syscall(SYS_read, fd[0], buf, 1), EBADF);
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int s = socket(AF_INET, SOCK_STREAM, 0);
    FAILS(connect(s, (struct sockaddr *)&a, sizeof(a)), ECONNREFUSED);
    FAILS(send(s, call, sizeof(call) - 1, MSG_NOSIGNAL), EPIPE);
    return NULL;
}

/* --- 09: patched code --- */

static const char *code_is_unchanged(void)
{
    static char why[300];
    char line[400], map[400] = "";
    exchange("x");
    FILE *f = fopen("/proc/self/smaps", "r");
    need(f != NULL, "smaps");
    while (fgets(line, sizeof(line), f)) {
        if (strstr(line, "-xp ") || strstr(line, "wx"))
            strcpy(map, line);
        else if (strchr(line, '-') && strstr(line, "p ") && line[0] != 'P')
            map[0] = 0;
        if (map[0] && strstr(line, "Private_Dirty:") && !strstr(line, " 0 kB"))
            snprintf(why, sizeof(why), "written: %.*s", (int)strcspn(map, "\n"), map);
        if (map[0] && strstr(map, "wx"))
            return "a mapping is writable and executable";
    }
    fclose(f);
    return why[0] ? why : NULL;
}

/* --- 12, 19: threads, signals, timers, numbers --- */

static const char *print_state(void)
{
    char line[300];
    exchange("x");
    int probe = dup(0);
    printf("# number %d\n", probe);
    for (int fd = 0; fd < 4096; fd++)
        if (raw3(SYS_fcntl, fd, F_GETFD, 0) >= 0)
            printf("# open %d\n", fd);
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof(line), f))
        if (strncmp(line, "Threads", 7) == 0 || strncmp(line, "Sig", 3) == 0 ||
            strncmp(line, "Shd", 3) == 0)
            printf("# %s", line);
    f = fopen("/proc/self/timers", "r");
    while (f && fgets(line, sizeof(line), f))
        printf("# timer %s", line);
    return NULL;
}

static const char *after_close_range(void)
{
    int in[2];
    serve(in, IN_HEADERS);
    const char *why = leaves_with("r1");
    syscall(SYS_close_range, 3, 5000, 0);
    if (!why)
        why = exchange("again");
    need(close_range(3, 5000, 0) == 0, "close_range");
    return why ? why : exchange("more");
}

/* --- 13: bytes of another protocol in the same buffer --- */

static const char *upgraded(void)
{
    static const char up[] =
        "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    static const char yes[] =
        "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x05hello";
    char buf[512], all[2048];
    int in[2], fd[2];
    serve(in, IN_HEADERS);
    pair(fd);
    need(write(fd[0], up, sizeof(up) - 1) == sizeof(up) - 1, "upgrade");
    raw_drain(fd[1], buf, sizeof(buf));
    raw_write(fd[1], yes, sizeof(yes) - 1);
    need(read(fd[0], buf, sizeof(buf)) == sizeof(yes) - 1, "101");
    need(write(fd[0], call, sizeof(call) - 1) == sizeof(call) - 1,
         "frame"); /* that is no request */
    const char *why = arrived(fd[1], call, sizeof(call) - 1);
    if (why)
        return why;
    pair(fd); /* and in one call: after the CONNECT's head comes what looks like a request */
    int n = sprintf(all, "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n%s", call);
    need(write(fd[0], all, (size_t)n) == n, "connect");
    return arrived(fd[1], all, (size_t)n);
}

/* --- 15, 16: short writes (under shim_short) --- */

static long *script;

static const char *short_writes(bool moves)
{
    static const char head[] = "POST /x HTTP/1.1\r\nHost: a\r\n",
                      tail[] = "Content-Length: 3\r\n\r\nabc";
    char right[400], bytes[400];
    size_t n = (size_t)sprintf(bytes, "%s%s", head, tail), at = strlen(bytes) - 5;
    int in[2], fd[2], wire = sprintf(right, "%.*s" IN_HEADERS "%s", (int)at, bytes, bytes + at);
    const char *why = NULL;
    script = dlsym(RTLD_DEFAULT, "shim_accept");
    need(script != NULL, "the shim is preloaded");
    serve(in, IN_HEADERS);
    for (long k = 0; k < wire && !why; k++) {
        pair(fd);
        fcntl(fd[0], F_SETFL, O_NONBLOCK);
        script[0] = k, script[1] = 0, script[2] = -1;
        for (size_t sent = 0, tries = 0; sent < n && !why; tries++) {
            char *copy = malloc(n - sent);
            memcpy(copy, bytes + sent, n - sent);
            ssize_t r = write(fd[0], copy, n - sent);
            if (moves) {
                memset(copy, 'Z', n - sent);
                long saved = script[0];
                script[0] = -1;
                why = leaves_with("r1"); /* takes and leaves memory of ours */
                script[0] = saved;
            }
            free(copy);
            if (r > (ssize_t)(n - sent) || r == 0 || (r < 0 && errno != EAGAIN) || tries > 9)
                why = "an impossible count";
            sent += r > 0 ? (size_t)r : 0;
        }
        why = why ? why : arrived(fd[1], right, (size_t)wire);
        close(fd[0]), raw_close(fd[1]);
    }
    return why;
}
static const char *partial_write(void)
{
    return short_writes(false);
}

/* The retry comes from elsewhere, and other calls were made in between. */
static const char *moved_retry(void)
{
    return short_writes(true);
}

/* What is owed goes before a vector whose lengths wrap: nothing but the owed and the readable. */
static const char *wrapped_vector(void)
{
    char got[4096];
    int in[2], fd[2];
    char *room = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(room, 'x', 1 << 20);
    struct iovec v[4];
    for (int i = 0; i < 4; i++)
        v[i] = (struct iovec){room, (size_t)1 << 62};
    script = dlsym(RTLD_DEFAULT, "shim_accept");
    need(script != NULL, "the shim is preloaded");
    serve(in, IN_HEADERS);
    pair(fd);
    fcntl(fd[0], F_SETFL, O_NONBLOCK);
    script[0] = sizeof(call) - 1 - 2 + 4, script[1] = -1; /* four bytes of the insertion */
    need(write(fd[0], call, sizeof(call) - 1) == sizeof(call) - 3, "a short count");
    need(raw_drain(fd[1], got, sizeof(got)) == sizeof(call) - 1 + 2, "four bytes of it");
    script[0] = 30, script[1] = -1; /* of the next call thirty bytes */
    ssize_t r = writev(fd[0], v, 4);
    long n = raw_drain(fd[1], got, sizeof(got));
    if (n > 0 && memcmp(got, IN_HEADERS + 4, sizeof(IN_HEADERS) - 5))
        return "bytes passed what was owed";
    return r > n ? "told more than was accepted" : NULL;
}

/* --- 17: a constructor that waits for a thread that does I/O --- */

static const char *loader_lock(void)
{
    const char *path = getenv("MUSEUM_LIBRARY");
    return path && dlopen(path, RTLD_NOW) ? exchange("after") : "dlopen failed";
}

/* --- 18: an allocator that does I/O --- */

extern int allocator_talks(int) __attribute__((weak));

static const char *talking_allocator(void)
{
    free((void *volatile){malloc(10)});
    need(allocator_talks && allocator_talks(1) > 0, "the allocator talks");
    void *l = dlopen("libm.so.6", RTLD_NOW);
    const char *why = exchange("talk");
    if (l)
        dlclose(l);
    allocator_talks(0);
    return why;
}

/* --- 21, 22: children that are none --- */

static const char *vforked(void)
{
    int in[2], fd[2], status, n = sizeof(call) - 1;
    char want[200];
    serve(in, IN_HEADERS);
    pair(fd);
    need(write(fd[0], call, 10) == 10, "the first part");
    pid_t p = vfork();
    if (p == 0) {
        for (int i = 3; i < 60; i++)
            close(i);
        execl("/bin/true", "true", (char *)NULL);
        _exit(1);
    }
    waitpid(p, &status, 0);
    need(status == 0, "true");
    need(write(fd[0], call + 10, (size_t)n - 10) == n - 10, "the second part");
    char got[512];
    long len = raw_drain(fd[1], got, sizeof(got));
    int wanted = sprintf(want, carried, "r1"); /* or untouched: the child closed that number */
    if ((len == wanted && !memcmp(got, want, (size_t)len)) ||
        (len == n && !memcmp(got, call, (size_t)n)))
        return close(fd[0]), finish(in), exchange("after");
    return "the request was spoiled";
}

static const char *raw_clone(void)
{
    int in[2], status = 0;
    serve(in, IN_HEADERS);
    for (int i = 0; i < 20; i++) {
#ifdef __x86_64__
        pid_t p = (pid_t)raw6(SYS_clone, SIGCHLD, 0, 0, 0, 0, 0);
#else
        pid_t p = (pid_t)raw6(SYS_clone, SIGCHLD, 0, 0, 0, 0, 0);
#endif
        if (p == 0) {
            const char *why = leaves_with(NULL); /* the parent's exchange is not the child's */
            why = why ? why : exchange("own");
            raw1(SYS_exit_group, why != NULL);
        }
        waitpid(p, &status, 0);
        if (status)
            return WIFSIGNALED(status) ? "the child died" : "the child's exchange is wrong";
    }
    return leaves_with("r1");
}

/* --- 23: system calls nobody knows --- */

static const char *unknown_calls(void)
{
    for (long nr = 440; nr < 1200; nr += nr < 480 ? 100 : 37) {
        long r = raw6(nr, -1, -1, -1, -1, -1, -1);
        errno = 0;
        long s = syscall(nr, -1L, -1L, -1L, -1L, -1L, -1L);
        if (s != (r < 0 ? -1 : r) || (r < 0 && errno != -r))
            return "another answer than the kernel's";
    }
    if (syscall(SYS_getpid) != getpid() || syscall(SYS_gettid) != gettid())
        return "getpid";
    void *p = (void *)syscall(SYS_mmap, NULL, 4096L, (long)PROT_READ,
                              (long)(MAP_PRIVATE | MAP_ANONYMOUS), -1L, 0L);
    return p == MAP_FAILED ? "six arguments" : NULL;
}

/* --- 27, 28: the loader --- */

static void *in_thread(void *why)
{
    *(const char **)why = exchange("late");
    return NULL;
}

static void *calls(void *why)
{
    *(const char **)why = leaves_with(NULL);
    return NULL;
}

/* Not preloaded: opened late, when little static TLS is left, with threads already there. */
static const char *opened_late(void)
{
    const char *path = getenv("MUSEUM_LIBRARY"), *why = NULL;
    pthread_t t;
    void *l = path ? dlopen(path, RTLD_NOW | RTLD_GLOBAL) : NULL;
    if (!l)
        return dlerror();
    why = leaves_with(NULL);
    if (!why)
        pthread_create(&t, NULL, calls, &why), pthread_join(t, NULL);
    return why;
}

extern int loader_calls(void) __attribute__((weak));

static const char *asks_the_loader_never(void)
{
    need(loader_calls != NULL, "the counter is preloaded");
    int before = loader_calls();
    pthread_t t;
    const char *why = exchange("a");
    pthread_create(&t, NULL, in_thread, &why);
    pthread_join(t, NULL);
    return why ? why : loader_calls() != before ? "the loader was asked after the start" : NULL;
}

/* --- the rules of one file for every libc, numbered in README.md ------------------------------ */

static int cleaned;
static void cleans(int *n)
{
    cleaned += *n;
}

static void *is_cancelled(void *fd)
{
    int one __attribute__((cleanup(cleans))) = 1;
    char b[8];
    (void)one;
    return read(*(int *)fd, b, sizeof(b)) < 0 ? fd : NULL;
}

/* 'S': asleep. */
static char state_of_the_other_thread(void)
{
    char path[300], line[256] = "", *end;
    DIR *d = opendir("/proc/self/task");
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_name[0] == '.' || atoi(e->d_name) == getpid())
            continue;
        snprintf(path, sizeof(path), "/proc/self/task/%s/stat", e->d_name);
        FILE *f = fopen(path, "r");
        if (f && !fgets(line, sizeof(line), f))
            line[0] = 0;
        if (f)
            fclose(f);
    }
    if (d)
        closedir(d);
    end = strrchr(line, ')');
    return end ? end[2] : 0;
}

/* What unwinds a cancelled thread passes the hook's frame, if there is one. */
static const char *unwound(void)
{
    int fd[2];
    pthread_t t;
    void *end;
    pair(fd);
    pthread_create(&t, NULL, is_cancelled, &fd[0]);
    for (char state = 0; state != 'S';) /* until it is blocked: the only other thread */
        state = state_of_the_other_thread();
    pthread_cancel(t);
    pthread_join(t, &end);
    return end != PTHREAD_CANCELED ? "not cancelled"
           : cleaned != 1          ? "a cleanup was left out"
                                   : exchange("after");
}

/* A number that a stream's fclose() closed is another connection's now. */
static const char *closed_unseen(void)
{
    static const char part[] = "GET /part HTTP/1.1\r\nHost";
    int fd[2], in[2];
    pair(fd);
    int number = fd[0];
    need(write(number, part, sizeof(part) - 1) == sizeof(part) - 1, "half a head");
    fclose(fdopen(number, "w"));
    serve(in, IN_HEADERS);
    need(in[0] == number, "the number is back");
    const char *why = leaves_with("r1");
    finish(in);
    return why ? why : exchange("after");
}

static pthread_key_t key;
static int rounds;
static void talks_at_the_end(void *again)
{
    const char *why = exchange("end");
    rounds += why == NULL;
    if (rounds < 4)
        pthread_setspecific(key, again);
}

static void *has_a_destructor(void *arg)
{
    pthread_setspecific(key, arg);
    return NULL;
}

/* Destructors of thread data do I/O, and again: more exchanges than one thread's end has rounds. */
static const char *thread_ends(void)
{
    pthread_key_create(&key, talks_at_the_end);
    for (int i = 0; i < 50; i++) {
        pthread_t t;
        rounds = 0;
        pthread_create(&t, NULL, has_a_destructor, &key);
        pthread_join(t, NULL);
        if (rounds != 4)
            return "an exchange in a destructor is wrong";
    }
    return exchange("after");
}

/* --- the frame --- */

static const struct {
    const char *name;
    const char *(*f)(void);
} exhibits[] = {{"01-peek-counted-twice", peek},
                {"02-close-while-sending", closed_under},
                {"03-hang-after-fork", fork_hang},
                {"07-errno-is-kept", errno_kept},
                {"09-code-is-unchanged", code_is_unchanged},
                {"state", print_state},
                {"13-upgrade-in-one-buffer", upgraded},
                {"15-partial-write-reported-full", partial_write},
                {"15-a-vector-that-wraps", wrapped_vector},
                {"16-retry-from-another-buffer", moved_retry},
                {"17-loader-lock", loader_lock},
                {"18-allocator-that-talks", talking_allocator},
                {"19-after-close-range", after_close_range},
                {"20-fork-child-works", fork_child_works},
                {"21-vfork", vforked},
                {"22-raw-clone", raw_clone},
                {"23-unknown-system-calls", unknown_calls},
                {"27-opened-late", opened_late},
                {"28-loader-not-asked", asks_the_loader_never},
                {"30-errno-of-the-call", errno_of_the_call},
                {"r05-a-cancelled-thread-is-unwound", unwound},
                {"r11-closed-by-fclose", closed_unseen},
                {"r12-destructors-of-threads-talk", thread_ends}};

static void show(const char *name, const char *(*f)(void))
{
    static char title[128], why[1024];
    int status = 0, p[2];
    snprintf(title, sizeof(title), "museum %s", name);
    need(raw3(SYS_pipe2, (long)p, 0, 0) == 0, "pipe");
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        const char *bad = f();
        fflush(stdout);
        if (bad)
            raw_write(p[1], bad, strlen(bad));
        _exit(bad != NULL);
    }
    raw_close(p[1]);
    waitpid(child, &status, 0);
    long n = raw_read(p[0], why, sizeof(why) - 1);
    why[n > 0 ? n : 0] = 0;
    raw_close(p[0]);
    if (WIFSIGNALED(status))
        snprintf(why, sizeof(why), "killed by signal %d", WTERMSIG(status));
    result(title, status == 0 ? NULL : why[0] ? why : "setup failed");
}

int main(int argc, char **argv)
{
    errno_at_main = errno;
    for (int i = 1; i < argc; i++)
        for (size_t j = 0; j < sizeof(exhibits) / sizeof(exhibits[0]); j++)
            if (strncmp(exhibits[j].name, argv[i], strlen(argv[i])) == 0)
                show(exhibits[j].name, exhibits[j].f);
    return failures ? 1 : 0;
}
