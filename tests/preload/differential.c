/* SPDX-License-Identifier: Apache-2.0 */
/*
 * differential NAME: prints everything that a program can see of a sequence of
 * calls; tests/preload/run runs each raw and preloaded and compares. `list`
 * prints the names. Every case runs while the thread serves an exchange without
 * headers, so that nothing is ever added and any difference is harm.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <linux/seccomp.h>

#include "raw.h"

static int in[2], io[2];
static const char head[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

static void show(const char *what, long r)
{
    printf("%s = %ld%s%s\n", what, r, r < 0 ? " " : "", r < 0 ? strerror(errno) : "");
    fflush(stdout);
}
#define SHOW(e) (errno = 0, show(#e, (long)(e)))

static void setup(void)
{
    serve(in, "");
    pair(io);
}

/* --- errors ------------------------------------------------------------------------------------
 */

static void bad_numbers(void)
{
    char b[8];
    struct iovec v = {b, 8};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    struct mmsghdr mm = {.msg_hdr = m};
    int numbers[] = {-1, 999, 70000, 1048576, 2000000000};
    for (int i = 0; i < 5; i++) {
        int fd = numbers[i];
        SHOW(read(fd, b, 1)), SHOW(write(fd, b, 1)), SHOW(recv(fd, b, 1, 0)),
            SHOW(send(fd, b, 1, 0));
        SHOW(readv(fd, &v, 1)), SHOW(writev(fd, &v, 1)), SHOW(recvmsg(fd, &m, 0)),
            SHOW(sendmsg(fd, &m, 0));
        SHOW(recvmmsg(fd, &mm, 1, 0, NULL)), SHOW(sendmmsg(fd, &mm, 1, 0)),
            SHOW(recvfrom(fd, b, 1, 0, NULL, NULL));
        SHOW(sendto(fd, b, 1, 0, NULL, 0)), SHOW(close(fd)), SHOW(dup(fd)), SHOW(dup2(fd, 9)),
            SHOW(dup3(fd, 9, 0));
        SHOW(fcntl(fd, F_GETFL)), SHOW(fcntl(fd, F_DUPFD, 5)), SHOW(shutdown(fd, 2)),
            SHOW(accept(fd, NULL, NULL));
        SHOW(sendfile(fd, 0, NULL, 1)), SHOW(splice(fd, NULL, 1, NULL, 1, 0)), SHOW(listen(fd, 1));
    }
}

static void bad_pointers(void)
{
    char *edge = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *bad = (char *)16;
    struct iovec v[2] = {{(void *)head, 10}, {bad, 10}};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};
    struct mmsghdr mm = {.msg_hdr = m};
    setup();
    raw_write(io[1], "0123456789", 10);
    SHOW(write(io[0], bad, 10)), SHOW(send(io[0], bad, 10, 0)), SHOW(writev(io[0], (void *)bad, 2));
    SHOW(sendmsg(io[0], (void *)bad, 0)), SHOW(sendmmsg(io[0], (void *)bad, 1, 0)),
        SHOW(read(io[0], bad, 10) < 0);
    SHOW(write(io[0], head, sizeof(head) - 1));
    SHOW(writev(io[0], v, 2)), SHOW(sendmsg(io[0], &m, 0)), SHOW(sendmmsg(io[0], &mm, 1, 0));
    mprotect(edge + 4096, 4096, PROT_NONE);
    memset(edge, 'G', 4096);
    SHOW(write(io[0], edge + 4090, 12)), SHOW(write(io[0], edge + 4096, 12));
    SHOW(writev(io[0], v, -1)), SHOW(writev(io[0], v, 5000)), SHOW(writev(io[0], v, 0));
    v[0].iov_len = (size_t)-1;
    SHOW(writev(io[0], v, 2));
    SHOW(poll((void *)bad, 1, 0)), SHOW(poll(NULL, 0, 0));
}

static void lengths(void)
{
    char b[64] = "";
    setup();
    SHOW(write(io[0], b, 0)), SHOW(send(io[0], b, 0, 0)), SHOW(write(io[0], head, 3)),
        SHOW(write(io[0], "", 0));
    SHOW(write(io[0], head + 3, sizeof(head) - 4)), SHOW(raw_drain(io[1], b, sizeof(b)));
    raw_write(io[1], "abcdef", 6);
    SHOW(recv(io[0], b, 0, 0)), SHOW(recv(io[0], b, 3, MSG_PEEK)),
        SHOW(recv(io[0], b, 3, MSG_TRUNC));
    SHOW(recv(io[0], b, 3, MSG_WAITALL)), SHOW(recv(io[0], b, 3, MSG_DONTWAIT));
    raw_write(in[1], "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nab", 40);
    SHOW(recv(in[0], b, 64, MSG_PEEK)), SHOW(read(in[0], b, 64)),
        SHOW(recv(in[0], b, 1, MSG_DONTWAIT));
    raw_close(io[1]);
    signal(SIGPIPE, SIG_IGN);
    SHOW(write(io[0], head, 5)), SHOW(send(io[0], head, 5, MSG_NOSIGNAL)), SHOW(read(io[0], b, 5));
}

static void on_signal(int s)
{
    printf("signal %d\n", s);
    fflush(stdout);
}

static void broken_pipe(void)
{
    setup();
    signal(SIGPIPE, on_signal);
    raw_close(io[1]);
    SHOW(write(io[0], head, sizeof(head) - 1)), SHOW(send(io[0], head, 5, MSG_NOSIGNAL)),
        SHOW(writev(io[0], NULL, 0));
}

static void timeouts(void)
{
    char b[70000];
    struct timeval tv = {0, 30000};
    setup();
    memset(b, 'x', sizeof(b));
    setsockopt(io[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
    setsockopt(io[0], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
    SHOW(recv(io[0], b, 1, 0)),
        SHOW(write(io[0], "POST / HTTP/1.1\r\nContent-Length: 900000\r\n\r\n", 43));
    long sum = 0, r;
    while ((r = write(io[0], b, sizeof(b))) > 0)
        sum += r;
    show("all", sum > 0), show("last", r);
}

static void interrupted(void)
{
    char b[8];
    struct sigaction sa = {.sa_handler = on_signal};
    struct itimerval t = {{0, 0}, {0, 20000}};
    setup();
    sigaction(SIGALRM, &sa, NULL);
    setitimer(ITIMER_REAL, &t, NULL);
    SHOW(read(io[0], b, 1));
    sa.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &sa, NULL);
    setitimer(ITIMER_REAL, &t, NULL);
    if (fork() == 0) {
        usleep(80000);
        raw_write(io[1], "x", 1);
        _exit(0);
    }
    SHOW(read(io[0], b, 1));
    wait(NULL);
}

static sigjmp_buf jump;
static void leap(int s)
{
    siglongjmp(jump, s);
}

static void jumps(void)
{
    char b[64];
    struct itimerval t = {{0, 0}, {0, 20000}};
    setup();
    signal(SIGALRM, leap);
    for (int i = 0; i < 3; i++) {
        setitimer(ITIMER_REAL, &t, NULL);
        if (sigsetjmp(jump, 1) == 0)
            SHOW(read(io[0], b, 1));
        else
            puts("jumped");
    }
    SHOW(write(io[0], head, sizeof(head) - 1)), SHOW(raw_drain(io[1], b, sizeof(b)));
}

static void writes_in_handler(int s)
{
    (void)s;
    if (write(io[0], head, sizeof(head) - 1) < 0)
        puts("handler failed");
}

static void handlers_that_write(void)
{
    static char b[1 << 20];
    struct itimerval t = {{0, 300}, {0, 300}};
    long sum = 0;
    setup();
    signal(SIGALRM, writes_in_handler);
    setitimer(ITIMER_REAL, &t, NULL);
    for (int i = 0; i < 4000; i++) {
        sum += write(io[0], head, sizeof(head) - 1) == sizeof(head) - 1;
        raw_drain(io[1], b, sizeof(b));
    }
    t = (struct itimerval){{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &t, NULL);
    show("sum", sum);
}

/* --- threads and processes ---------------------------------------------------------------------
 */

static void cleanup(void *what)
{
    printf("cleanup %s\n", (char *)what);
    fflush(stdout);
}

static void *blocked(void *how)
{
    char b[8];
    pthread_cleanup_push(cleanup, how);
    if (*(char *)how == 'a')
        accept(in[0], NULL, NULL);
    else if (*(char *)how == 'v')
        readv(io[0], &(struct iovec){b, 8}, 1);
    else if (*(char *)how == 'p')
        poll(&(struct pollfd){io[0], POLLIN, 0}, 1, -1);
    else if (*(char *)how == 'w')
        for (;;)
            if (write(io[0], head, sizeof(head) - 1) < 0)
                break;
    read(io[0], b, 1);
    pthread_cleanup_pop(1);
    return NULL;
}

static void cancelled(void)
{
    setup();
    static const char *const how[] = {"read", "vector", "poll", "write"};
    for (int i = 0; i < 4; i++) {
        pthread_t t;
        void *end;
        pthread_create(&t, NULL, blocked, (void *)how[i]);
        usleep(30000);
        pthread_cancel(t);
        pthread_join(t, &end);
        show(how[i], end == PTHREAD_CANCELED);
    }
    char b[8];
    raw_write(io[1], "x", 1);
    SHOW(read(io[0], b, 1));
}

static _Atomic int stop;
static void *busy(void *arg)
{
    char b[1024]; /* not thread-local: that would be taken from every thread's stack */
    int fd[2];
    (void)arg;
    while (!stop) {
        pair(fd);
        if (write(fd[0], head, sizeof(head) - 1) < 0)
            break;
        raw_drain(fd[1], b, sizeof(b));
        close(fd[0]);
        raw_close(fd[1]);
    }
    return NULL;
}

static void forks_under_load(void)
{
    pthread_t t[3];
    int good = 0;
    setup();
    for (int i = 0; i < 3; i++)
        pthread_create(&t[i], NULL, busy, NULL);
    for (int i = 0; i < 200; i++) {
        pid_t p = fork();
        if (p == 0) {
            int fd[2];
            char b[64];
            pair(fd);
            alarm(5);
            _exit(write(fd[0], head, sizeof(head) - 1) == sizeof(head) - 1 &&
                          raw_drain(fd[1], b, 64) > 0
                      ? 0
                      : 1);
        }
        int status;
        waitpid(p, &status, 0);
        good += status == 0;
    }
    stop = 1;
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    show("children", good);
}

static void vfork_child_closes_all(void)
{
    char b[64];
    setup();
    SHOW(write(io[0], head, 10));
    pid_t p = vfork();
    if (p == 0) {
        for (int fd = 3; fd < 40; fd++)
            close(fd);
        dup2(1, 7);
        close_range(3, 100, 0);
        execl("/bin/true", "true", (char *)NULL);
        _exit(1);
    }
    int status;
    waitpid(p, &status, 0);
    show("child", status);
    SHOW(write(io[0], head + 10, sizeof(head) - 11)), SHOW(raw_drain(io[1], b, sizeof(b)));
}

static void *small_stack(void *arg)
{
    int fd[2];
    char b[128];
    (void)arg;
    pair(fd);
    SHOW(write(fd[0], head, sizeof(head) - 1)), SHOW(raw_drain(fd[1], b, sizeof(b)));
    return NULL;
}

static void small_stacks(void)
{
    pthread_attr_t a;
    pthread_t t;
    pthread_attr_init(&a);
    show("size", pthread_attr_setstacksize(&a, 32768));
    int r = pthread_create(&t, &a, small_stack, NULL);
    pthread_join(t, NULL);
    show("create", r);
}

/* --- numbers -----------------------------------------------------------------------------------
 */

/* As high as the limit lets us (tests/unit/test_fdtab.c goes to the end of the table). */
static void high_numbers(void)
{
    struct rlimit r;
    char b[128];
    getrlimit(RLIMIT_NOFILE, &r);
    struct rlimit high = {1048576, 1048576};
    if (setrlimit(RLIMIT_NOFILE, &high) != 0) {
        r.rlim_cur = r.rlim_max;
        need(setrlimit(RLIMIT_NOFILE, &r) == 0, "setrlimit");
    }
    getrlimit(RLIMIT_NOFILE, &r);
    setup();
    long numbers[] = {1023, 1024, 65535, 65536, 65537, 131072, (long)r.rlim_cur - 1};
    for (int i = 0; i < 7; i++) {
        int fd = (int)numbers[i];
        if (numbers[i] >= (long)r.rlim_cur)
            continue;
        SHOW(dup2(io[0], fd)), SHOW(write(fd, head, sizeof(head) - 1));
        SHOW(raw_drain(io[1], b, sizeof(b))), SHOW(close(fd)), SHOW(close(fd));
    }
}

static void reuse(void)
{
    char b[256];
    int other[2], f;
    setup();
    SHOW(write(io[0], head, 20));
    raw_close(io[0]);
    need(pipe(other) == 0, "pipe");
    show("the number is back", other[0] == io[0] || other[1] == io[0]);
    SHOW(write(other[1], head, sizeof(head) - 1)), SHOW(read(other[0], b, sizeof(b)));
    raw_close(other[0]), raw_close(other[1]);
    f = (int)raw3(SYS_memfd_create, (long)"f", 0, 0);
    show("file", f == io[0]);
    SHOW(write(f, head, sizeof(head) - 1)), SHOW(lseek(f, 0, SEEK_SET)),
        SHOW(read(f, b, sizeof(b)));
    SHOW(fcntl(f, F_GETFD)), SHOW(close(f)), SHOW(close(f));
}

static void passing(void)
{
    int fds[2], got = -1;
    char b[64], control[CMSG_SPACE(sizeof(int))];
    struct iovec v = {b, 1};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    setup();
    pair(fds);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    *c = (struct cmsghdr){
        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
    memcpy(CMSG_DATA(c), &io[0], sizeof(int));
    b[0] = 'x';
    SHOW(sendmsg(fds[0], &m, 0)), SHOW(recvmsg(fds[1], &m, 0));
    memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
    SHOW(write(got, head, sizeof(head) - 1)), SHOW(raw_drain(io[1], b, sizeof(b)));
}

static void files(void)
{
    char b[256];
    off_t off = 2;
    setup();
    int f = memfd_create("f", 0), p[2];
    SHOW(write(f, "0123456789", 10)), SHOW(sendfile(io[0], f, &off, 5)), show("off", off);
    SHOW(pipe(p)), SHOW(write(p[1], "abc", 3)), SHOW(splice(p[0], NULL, io[0], NULL, 3, 0));
    SHOW(raw_drain(io[1], b, sizeof(b)));
    SHOW(write(io[0], head, sizeof(head) - 1)), SHOW(raw_drain(io[1], b, sizeof(b)));
    SHOW(shutdown(io[0], SHUT_WR)), SHOW(write(io[0], head, 3) < 0 ? -errno : 0);
}

static void system_calls(void)
{
    char b[64];
    setup();
    SHOW(syscall(SYS_write, io[0], head, sizeof(head) - 1)), SHOW(raw_drain(io[1], b, sizeof(b)));
    raw_write(io[1], "abc", 3);
    SHOW(syscall(SYS_read, io[0], b, 2)), SHOW(syscall(SYS_recvfrom, io[0], b, 2, 0, NULL, NULL));
    SHOW(syscall(SYS_close, io[0])), SHOW(syscall(SYS_close, io[0])),
        SHOW(syscall(SYS_read, io[0], b, 1));
    SHOW(syscall(SYS_write, io[0], head, 1)), SHOW(syscall(9999)), SHOW(syscall(SYS_getppid) > 0);
}

static void strict_seccomp(void)
{
    char b[64];
    setup();
    printf("before\n");
    fflush(stdout);
    if (fork() == 0) {
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
        ssize_t r = write(1, "in strict mode\n", 15);
        r += read(0, b, sizeof(b)) >= 0;
        r += write(1, "still\n", 6);
        raw1(SYS_exit, (int)r);
    }
    int status;
    wait(&status);
    show("status", status);
}

static void little_memory(void)
{
    struct rlimit r = {64 << 20, 64 << 20};
    char b[64];
    show("limit", setrlimit(RLIMIT_AS, &r));
    setup();
    SHOW(write(io[0], head, sizeof(head) - 1)), SHOW(raw_drain(io[1], b, sizeof(b)));
}

static void maps_and_numbers(void)
{
    int n = 0;
    for (int fd = 0; fd < 64; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    show("open numbers", n);
    setup();
    for (int i = n = 0; i < 64; i++)
        n += fcntl(i, F_GETFD) >= 0;
    show("with four more", n);
    show("SIGALRM is default", signal(SIGALRM, SIG_DFL) == SIG_DFL);
    show("SIGPIPE is default", signal(SIGPIPE, SIG_DFL) == SIG_DFL);
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {{"bad-numbers", bad_numbers},
             {"bad-pointers", bad_pointers},
             {"lengths", lengths},
             {"broken-pipe", broken_pipe},
             {"timeouts", timeouts},
             {"interrupted", interrupted},
             {"jumps", jumps},
             {"handlers-that-write", handlers_that_write},
             {"cancelled", cancelled},
             {"forks-under-load", forks_under_load},
             {"vfork-child-closes-all", vfork_child_closes_all},
             {"small-stacks", small_stacks},
             {"high-numbers", high_numbers},
             {"reuse", reuse},
             {"passing", passing},
             {"files", files},
             {"system-calls", system_calls},
             {"strict-seccomp", strict_seccomp},
             {"little-memory", little_memory},
             {"maps-and-numbers", maps_and_numbers}};

int main(int argc, char **argv)
{
    int at_start = errno;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (argc > 1 && strcmp(argv[1], "list") == 0)
            puts(cases[i].name);
        else if (argc > 1 && strcmp(argv[1], cases[i].name) == 0) {
            show("errno at main", at_start);
            cases[i].run();
        }
    return 0;
}
