/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process NAME: what surrounds the calls: roots, users, limits, locked memory,
 * closed numbers, ends of threads and of the process. Each case prints all that
 * can be seen; `list` prints the names; tests/preload/run compares raw and
 * preloaded, with an account (TRACEBATON_DIR), which must not show either.
 *
 * C++ for the destructors of thread-local and static objects.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <atomic>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "raw.h"

#define HEAD "GET /out HTTP/1.1\r\nHost: svc\r\n\r\n"
#define N    (sizeof(HEAD) - 1)

static void show(const char *what, long r)
{
    int e = errno;
    printf("%s = %ld%s%s\n", what, r, r < 0 ? " " : "", r < 0 ? strerror(e) : "");
    fflush(stdout);
}
#define SHOW(...) (errno = 0, show(#__VA_ARGS__, (long)(__VA_ARGS__)))

/* A request is served and makes one of its own; what arrives is shown without the line that may
 * have been added. @return whether one was. */
static bool exchange(const char *when)
{
    static const char line[] = IN_HEADERS;
    int in[2], out[2];
    char got[1024];
    serve(in, IN_HEADERS);
    pair(out);
    long r = write(out[0], HEAD, N), n = raw_drain(out[1], got, sizeof(got));
    char *p = (char *)memmem(got, (size_t)n, line, sizeof(line) - 1);
    if (p) {
        n -= (long)sizeof(line) - 1;
        memmove(p, p + sizeof(line) - 1, (size_t)(got + n - p));
    }
    printf("%s: %ld written, %ld arrived, %s\n", when, r, n,
           memcmp(got, HEAD, N) == 0 ? "whole" : "torn");
    fflush(stdout);
    finish(in);
    close(out[0]);
    raw_close(out[1]);
    return p;
}

/* Where nothing is in the way, the line is there. */
static void carried(const char *when)
{
    if (!exchange(when) && getenv("EXPECT_INSERTED"))
        printf("carries nothing\n");
}

static int in_child(void (*run)())
{
    int status;
    fflush(stdout);
    pid_t p = fork();
    if (p == 0) {
        alarm(20);
        run();
        exit(0);
    }
    waitpid(p, &status, 0);
    return status;
}

/* --- roots and users ---------------------------------------------------------------------------
 */

static const char *running; /* the case */

static bool root()
{
    if (geteuid() == 0)
        return true;
    printf("skip process-%s: not root\n", running);
    return false;
}

static void another_root()
{
    char dir[] = "/tmp/tracebaton-root-XXXXXX";
    if (!root())
        return;
    carried("before");
    need(mkdtemp(dir) != NULL, "mkdtemp");
    SHOW(chroot(dir));
    SHOW(chdir("/"));
    rmdir(dir);
    exchange("in it");
    SHOW(in_child([] { exchange("in a child of it"); }));
    SHOW(open("/proc/self/maps", O_RDONLY));
}

static void another_user()
{
    if (!root())
        return;
    carried("before");
    SHOW(setgid(65534)), SHOW(setuid(65534)), SHOW(setuid(0));
    exchange("after");
    SHOW(in_child([] { exchange("in a child"); }));
    SHOW(prctl(PR_GET_DUMPABLE));
}

static void another_user_at_once()
{
    if (!root())
        return;
    SHOW(setresuid(65534, 65534, 65534));
    exchange("after");
}

static void no_new_privileges()
{
    SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)), SHOW(prctl(PR_SET_DUMPABLE, 0));
    exchange("after");
    SHOW(in_child([] { exchange("in a child"); }));
}

/* --- limits ------------------------------------------------------------------------------------
 */

static void limit(int what, rlim_t to)
{
    struct rlimit r = {to, to};
    show("limit", setrlimit((__rlimit_resource_t)what, &r));
}

static void locked_memory()
{
    if (!root())
        return;
    SHOW(mlockall(MCL_CURRENT | MCL_FUTURE));
    carried("locked");
    SHOW(munlockall());
}

/* What would be mapped from now on would be too much locked. */
static void little_locked_memory()
{
    SHOW(mlockall(MCL_FUTURE));
    limit(RLIMIT_MEMLOCK, 1);
    if (geteuid() == 0)
        SHOW(setuid(65534));
    exchange("with a limit");
    SHOW(in_child([] { exchange("in a child"); }));
}

static void no_more_memory()
{
    limit(RLIMIT_AS, 1 << 20);
    for (int i = 0; i < 3; i++)
        exchange("without memory");
}

static void no_more_data()
{
    limit(RLIMIT_DATA, 0);
    exchange("without data");
}

/* SIGXFSZ would end it. (What is printed goes nowhere, for that would exceed the limit, too.) */
static void no_files()
{
    SHOW(in_child([] {
        signal(SIGXFSZ, SIG_DFL);
        freopen("/dev/null", "w", stdout);
        limit(RLIMIT_FSIZE, 0);
        exchange("without files");
        exit(in_child([] { exchange("in a child"); }) ? 5 : 6);
    }));
}

static void no_processes()
{
    limit(RLIMIT_NPROC, 0);
    exchange("alone");
}

static void few_numbers()
{
    int fd[2];
    limit(RLIMIT_NOFILE, 7); /* as many as an exchange has */
    exchange("with few numbers");
    limit(RLIMIT_NOFILE, 3);
    SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, fd)), SHOW(dup(0)), SHOW(socket(AF_INET, 1, 0));
}

static void little_stack()
{
    struct rlimit r = {128 << 10, 128 << 10};
    char self[4096] = "", name[] = "process", next[] = "carried";
    need(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0, "readlink");
    char *const argv[] = {name, next, NULL};
    SHOW(setrlimit(RLIMIT_STACK, &r));
    execv(self, argv);
    show("exec", -1);
}

static void simply_carried()
{
    carried("here");
}

static void *thread_exchange(void *)
{
    exchange("in a thread");
    return NULL;
}

static void least_stacks()
{
    pthread_attr_t a;
    pthread_t t;
    pthread_attr_init(&a);
    SHOW(pthread_attr_setstacksize(&a, 1 << 15)), SHOW(pthread_attr_setguardsize(&a, 0));
    SHOW(pthread_create(
        &t, &a,
        [](void *) -> void * {
            int fd[2];
            char got[64];
            pair(fd);
            SHOW(write(fd[0], HEAD, N)), SHOW(raw_drain(fd[1], got, sizeof(got)));
            return NULL;
        },
        NULL));
    SHOW(pthread_join(t, NULL));
}

static char other_stack[1 << 16];
static void on_another_stack(int)
{
    exchange("on a signal's stack");
}

static void signal_stacks()
{
    stack_t s = {other_stack, 0, sizeof(other_stack)};
    struct sigaction sa = {};
    sa.sa_handler = on_another_stack, sa.sa_flags = SA_ONSTACK;
    SHOW(sigaltstack(&s, NULL)), SHOW(sigaction(SIGUSR1, &sa, NULL));
    raise(SIGUSR1);
}

/* --- numbers -----------------------------------------------------------------------------------
 */

static void closed_from()
{
    carried("before");
    closefrom(3);
    carried("after");
    int in[2], out[2];
    serve(in, IN_HEADERS);
    pair(out);
    SHOW(write(out[0], HEAD, 9));
    closefrom(out[0]);
    SHOW(write(out[0], HEAD + 9, N - 9));
    SHOW(in_child([] { closefrom(0), _exit(write(1, "x", 1) == -1 ? 3 : 4); }));
}

static void spawned_without_numbers()
{
    char sh[] = "/bin/sh", c[] = "-c", text[] = "ls /proc/self/fd | wc -l";
    char *const argv[] = {sh, c, text, NULL};
    posix_spawn_file_actions_t f;
    int in[2], status;
    pid_t pid;
    serve(in, IN_HEADERS);
    for (int how = 0; how < 2; how++) {
        posix_spawn_file_actions_init(&f);
        if (how == 0)
            SHOW(posix_spawn_file_actions_addclosefrom_np(&f, 3));
        for (int fd = 3; how == 1 && fd < 20; fd++)
            posix_spawn_file_actions_addclose(&f, fd);
        posix_spawn_file_actions_adddup2(&f, 1, 9);
        SHOW(posix_spawn(&pid, sh, &f, NULL, argv, environ));
        SHOW(waitpid(pid, &status, 0) == pid), show("status", status);
    }
    finish(in);
    carried("after");
}

/* Numbers come and go under other threads' feet, and each stream is still its writer's. */
static std::atomic<bool> enough;
static void *replaces(void *)
{
    while (!enough) {
        int a = socket(AF_UNIX, SOCK_STREAM, 0), b = dup(a), c = fcntl(b, F_DUPFD_CLOEXEC, 40);
        close(a), raw_close(b);
        dup2(1, c);
        close(c);
    }
    return NULL;
}

static void *streams(void *)
{
    long torn = 0;
    for (int i = 0; i < 300; i++) {
        char got[256];
        int fd[2];
        pair(fd);
        long r = write(fd[0], HEAD, 7) + write(fd[0], HEAD + 7, N - 7);
        long n = raw_drain(fd[1], got, sizeof(got));
        torn += r != (long)N || n != (long)N || memcmp(got, HEAD, N) != 0;
        i % 2 ? close(fd[0]) : (int)raw1(SYS_close, fd[0]);
        raw_close(fd[1]);
    }
    return (void *)torn;
}

static void numbers_race()
{
    pthread_t t[6];
    void *torn;
    for (int i = 0; i < 6; i++)
        pthread_create(&t[i], NULL, i < 2 ? replaces : streams, NULL);
    for (int i = 5; i >= 0; i--) {
        enough = i < 2;
        pthread_join(t[i], &torn);
        show("torn", i < 2 ? 0 : (long)torn);
    }
}

static long lines_of(const char *path)
{
    long n = 0;
    char b[4096];
    int f = open(path, O_RDONLY);
    for (ssize_t r; (r = read(f, b, sizeof(b))) > 0;)
        for (ssize_t i = 0; i < r; i++)
            n += b[i] == '\n';
    close(f);
    return n;
}

static long entries_of(const char *path)
{
    long n = 0;
    DIR *d = opendir(path);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

/* A thousand exchanges leave nothing behind. (How many maps there are before is the loader's.) */
static void counts()
{
    freopen("/dev/null", "w", stdout);
    for (int i = 0; i < 100; i++)
        exchange("");
    long maps = lines_of("/proc/self/maps"), fds = entries_of("/proc/self/fd");
    for (int i = 0; i < 1000; i++)
        exchange("");
    dup2(2, 1);
    show("more maps", lines_of("/proc/self/maps") - maps);
    show("more numbers", entries_of("/proc/self/fd") - fds);
    show("numbers", fds), show("threads", entries_of("/proc/self/task") - 2);
    sigset_t pending, blocked;
    sigpending(&pending), sigprocmask(SIG_BLOCK, NULL, &blocked);
    for (int s = 1; s < 65; s++) {
        struct sigaction sa = {};
        sigaction(s, NULL, &sa);
        if (sigismember(&pending, s) == 1 || sigismember(&blocked, s) == 1 || sa.sa_handler)
            show("signal", s);
    }
}

/* --- TCP ---------------------------------------------------------------------------------------
 */

static void tcp(int fd[2])
{
    struct sockaddr_in a = {};
    socklen_t len = sizeof(a);
    a.sin_family = AF_INET, a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int l = socket(AF_INET, SOCK_STREAM, 0);
    need(bind(l, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(l, 1) == 0, "listen");
    getsockname(l, (struct sockaddr *)&a, &len);
    fd[0] = socket(AF_INET, SOCK_STREAM, 0);
    need(connect(fd[0], (struct sockaddr *)&a, sizeof(a)) == 0, "connect");
    fd[1] = accept(l, NULL, NULL);
    close(l);
}

/* Each send with the flag has one number, which comes back when the kernel is done with it. */
static void zero_copy()
{
    static char body[70000];
    char control[256];
    int in[2], fd[2], on = 1;
    serve(in, IN_HEADERS);
    tcp(fd);
    SHOW(setsockopt(fd[0], SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)));
    SHOW(send(fd[0], HEAD, N, MSG_ZEROCOPY));
    SHOW(send(fd[0], "POST / HTTP/1.1\r\nContent-Length: 70000\r\n\r\n", 42, 0));
    SHOW(send(fd[0], body, sizeof(body), MSG_ZEROCOPY));
    SHOW(send(fd[0], HEAD, 9, MSG_ZEROCOPY)), SHOW(send(fd[0], HEAD + 9, N - 9, MSG_ZEROCOPY));
    for (int seen = 0, tries = 0; seen < 4 && tries < 2000; tries++) {
        struct msghdr m = {};
        m.msg_control = control, m.msg_controllen = sizeof(control);
        if (recvmsg(fd[0], &m, MSG_ERRQUEUE) < 0) {
            usleep(1000);
            continue;
        }
        struct sock_extended_err *e = (struct sock_extended_err *)CMSG_DATA(CMSG_FIRSTHDR(&m));
        for (unsigned i = e->ee_info; i <= e->ee_data; i++, seen++)
            printf("number %u, origin %d\n", i, e->ee_origin);
    }
}

static void urgent()
{
    char b[16] = "";
    int fd[2], mark = 0, on = 1;
    exchange("before");
    tcp(fd);
    SHOW(write(fd[0], "ab", 2)), SHOW(send(fd[0], "!", 1, MSG_OOB)), SHOW(write(fd[0], "cd", 2));
    usleep(20000);
    SHOW(recv(fd[1], b, 16, 0)), SHOW(ioctl(fd[1], SIOCATMARK, &mark)), show("mark", mark);
    SHOW(recv(fd[1], b, 1, MSG_OOB)), show("urgent", b[0]);
    SHOW(recv(fd[1], b, 16, 0));
    SHOW(setsockopt(fd[1], SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)));
    SHOW(send(fd[0], "efg", 3, MSG_OOB)), SHOW(write(fd[0], HEAD, N));
    usleep(20000);
    SHOW(recv(fd[1], b, 16, 0)), SHOW(recv(fd[1], b, 1, MSG_OOB)), SHOW(recv(fd[1], b, 16, 0));
}

/* Closed with bytes unread, or by a reset: the errors are the program's. */
static void resets()
{
    char b[64];
    int fd[2];
    struct linger l = {1, 0};
    signal(SIGPIPE, SIG_IGN);
    for (int how = 0; how < 2; how++) {
        tcp(fd);
        SHOW(write(fd[0], HEAD, N));
        if (how == 0)
            setsockopt(fd[1], SOL_SOCKET, SO_LINGER, &l, sizeof(l));
        raw_close(fd[1]);
        usleep(20000);
        SHOW(write(fd[0], HEAD, N)), SHOW(write(fd[0], HEAD, N)), SHOW(read(fd[0], b, 64));
        SHOW(read(fd[0], b, 64)), SHOW(send(fd[0], HEAD, N, MSG_NOSIGNAL));
    }
}

static void half_closed()
{
    char b[256];
    int in[2], fd[2];
    serve(in, IN_HEADERS);
    tcp(fd);
    SHOW(send(fd[0], HEAD, 7, 0) + send(fd[0], HEAD + 7, N - 7, 0)), SHOW(shutdown(fd[0], SHUT_WR));
    usleep(20000);
    SHOW(raw_drain(fd[1], b, sizeof(b)) >= (long)N), SHOW(raw_drain(fd[1], b, sizeof(b)));
    SHOW(raw_write(fd[1], "HTTP/1.1 200 OK\r\n\r\nuntil close", 30)), raw_close(fd[1]);
    SHOW(recv(fd[0], b, 9, MSG_WAITALL)), SHOW(recv(fd[0], b, 64, MSG_WAITALL)),
        SHOW(recv(fd[0], b, 64, 0));
}

/* --- ends --------------------------------------------------------------------------------------
 */

struct late {
    int fd[2];
    const char *of;
    explicit late(const char *name) : of(name)
    {
        pair(fd);
    }
    ~late()
    {
        char got[256];
        long r = write(fd[0], HEAD, N), n = raw_drain(fd[1], got, sizeof(got));
        printf("the end of a %s: %ld %ld\n", of, r, n);
        fflush(stdout);
        close(fd[0]), raw_close(fd[1]);
    }
};

static pthread_key_t key;
static void last_of_all(void *left)
{
    exchange("a key's destructor");
    if (left != (void *)1)
        pthread_setspecific(key, (char *)left - 1); /* and once more */
}

static void *dies(void *)
{
    static thread_local late object("thread");
    write(object.fd[0], "", 0);
    pthread_setspecific(key, (void *)3);
    exchange("in a thread");
    return NULL;
}

static void late_destructors()
{
    pthread_t t;
    pthread_key_create(&key, last_of_all);
    for (int i = 0; i < 2; i++) {
        pthread_create(&t, NULL, dies, NULL);
        pthread_join(t, NULL);
    }
    static thread_local late of_main("main thread");
    static late of_process("process");
    atexit([] { exchange("at exit"); });
    write(of_main.fd[0], "", 0), write(of_process.fd[0], "", 0);
    exchange("in main");
}

static void quick_ends()
{
    SHOW(in_child([] { at_quick_exit([] { exchange("at quick exit"); }), quick_exit(3); }));
    SHOW(in_child([] { exchange("before"), _exit(4); }));
    SHOW(in_child([] { exchange("before"), abort(); }));
    SHOW(in_child([] {
        pthread_t t;
        pthread_create(&t, NULL, thread_exchange, NULL);
        pthread_join(t, NULL);
        pthread_exit(NULL);
    }));
}

static const struct {
    const char *name;
    void (*run)();
} cases[] = {{"another-root", another_root},
             {"another-user", another_user},
             {"another-user-at-once", another_user_at_once},
             {"no-new-privileges", no_new_privileges},
             {"locked-memory", locked_memory},
             {"little-locked-memory", little_locked_memory},
             {"no-more-memory", no_more_memory},
             {"no-more-data", no_more_data},
             {"no-files", no_files},
             {"no-processes", no_processes},
             {"few-numbers", few_numbers},
             {"little-stack", little_stack},
             {"carried", simply_carried},
             {"least-stacks", least_stacks},
             {"signal-stacks", signal_stacks},
             {"closed-from", closed_from},
             {"spawned-without-numbers", spawned_without_numbers},
             {"numbers-race", numbers_race},
             {"counts", counts},
             {"zero-copy", zero_copy},
             {"urgent", urgent},
             {"resets", resets},
             {"half-closed", half_closed},
             {"late-destructors", late_destructors},
             {"quick-ends", quick_ends}};

int main(int argc, char **argv)
{
    for (const auto &c : cases)
        if (argc > 1 && strcmp(argv[1], "list") == 0)
            puts(c.name);
        else if (argc > 1 && strcmp(argv[1], c.name) == 0)
            running = c.name, c.run();
    return 0;
}
