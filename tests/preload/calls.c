/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls: every hooked function, by name, with the arguments and flags that change
 * its meaning: on a number that is not ours, on a connection that serves a traced
 * request, and on one that is in the midst of sending another. Each case prints
 * all that can be seen; tests/preload/run compares with and without the library.
 *
 * What arrives on a client's far end is printed without the lines that are meant
 * to be inserted. That they are is required where EXPECT_INSERTED is set.
 */
#include "raw.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;
extern ssize_t __read_chk(int, void *, size_t, size_t);
extern ssize_t __recv_chk(int, void *, size_t, size_t, int);
extern ssize_t __recvfrom_chk(int, void *, size_t, size_t, int, struct sockaddr *, socklen_t *);
extern int __poll_chk(struct pollfd *, nfds_t, int, size_t);
extern int __ppoll_chk(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *, size_t);

#define BAD  ((void *)8)
#define HEAD "GET /out HTTP/1.1\r\nHost: svc\r\n\r\n"
#define N    (sizeof(HEAD) - 1)

/* What a call returned and said. */
#define R(...)                                                                                     \
    do {                                                                                           \
        errno = 0;                                                                                 \
        long r_ = (long)(__VA_ARGS__);                                                             \
        printf("%s: %ld %d\n", #__VA_ARGS__, r_, errno);                                           \
    } while (0)

static int inserted;

static void show(const char *what, const char *p, long n)
{
    printf("%s %ld: ", what, n);
    for (long i = 0; i < n; i++)
        p[i] >= ' ' && p[i] < 127 ? putchar(p[i]) : printf("\\%02x", (unsigned char)p[i]);
    putchar('\n');
}

/* What has arrived at the far end of a client's connection. */
static void arrived(int fd)
{
    static char got[1 << 16];
    static const char line[] = IN_HEADERS;
    long n = raw_drain(fd, got, sizeof(got));
    for (char *p; (p = memmem(got, (size_t)n, line, sizeof(line) - 1)); inserted++) {
        n -= (long)sizeof(line) - 1;
        memmove(p, p + sizeof(line) - 1, (size_t)(got + n - p));
    }
    show("arrived", got, n);
}

/* The three kinds of numbers. [1] is the far end, raw. */
static int other[2], served[2], client[2], listener;

static void feed(int far, const char *text)
{
    need(raw_write(far, text, strlen(text)) == (long)strlen(text), "feed");
}

static void begin(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    serve(served, IN_HEADERS);
    pair(client);
    need(socketpair(AF_UNIX, SOCK_STREAM, 0, other) == 0, "pair");
    listener = socket(AF_INET, SOCK_STREAM, 0);
    need(bind(listener, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(listener, 4) == 0,
         "listen");
    feed(other[1], "not http at all");
    char b[32];
    need(read(other[0], b, sizeof(b)) > 0, "foreign");
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IONBF, 0);
}

/* --- reading ------------------------------------------------------------------------------------
 */

static void reads_on(int fd, int far)
{
    char b[64], c[64];
    struct iovec v[3] = {{b, 5}, {NULL, 0}, {c, 50}};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 3};
    struct mmsghdr mm[2] = {{.msg_hdr = m}, {.msg_hdr = m}};
    struct sockaddr_storage from;
    socklen_t len = sizeof(from);
    memset(b, 0, sizeof(b)), memset(c, 0, sizeof(c));
    feed(far, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJ");
    R(read(fd, b, 0));
    R(read(fd, b, 3));
    R(__read_chk(fd, b, 2, sizeof(b)));
    R(recv(fd, b, 4, MSG_PEEK));
    show("peeked", b, 4);
    R(recv(fd, b, 2, MSG_DONTWAIT));
    R(__recv_chk(fd, b, 2, sizeof(b), 0));
    R(recvfrom(fd, b, 2, 0, NULL, NULL));
    R(recvfrom(fd, b, 2, MSG_PEEK, (struct sockaddr *)&from, &len));
    R(__recvfrom_chk(fd, b, 2, sizeof(b), 0, NULL, NULL));
    R(recv(fd, b, 6, MSG_WAITALL));
    show("all", b, 6);
    R(readv(fd, v, 0));
    R(preadv2(fd, v, 1, -1, RWF_NOWAIT));
    R(preadv64v2(fd, v, 1, -1, 0));
    R(preadv2(fd, v, 1, 0, 0));
    v[2].iov_len = 2;
    R(readv(fd, v, 3));
    show("vector", b, 5), show("vector", c, 2);
    R(recvmsg(fd, &m, MSG_PEEK));
    R(recvmsg(fd, &m, 0));
    printf("flags %d\n", m.msg_flags);
    R(recvmmsg(fd, mm, 2, MSG_DONTWAIT, NULL));
    R(recv(fd, b, 60, MSG_DONTWAIT));
    R(recv(fd, b, 60, MSG_DONTWAIT));
    R(recvmmsg(fd, mm, 2, MSG_DONTWAIT, NULL));
    R(recv(fd, b, 1, MSG_OOB));
    R(recv(fd, b, 1, MSG_ERRQUEUE | MSG_DONTWAIT));
    feed(far, "xyz");
    R(read(fd, BAD, 2));
    R(recv(fd, BAD, 2, 0));
    R(readv(fd, BAD, 2));
    R(recvmsg(fd, BAD, 0));
    R(readv(fd, v, -1));
    R(recv(fd, b, 60, MSG_TRUNC | MSG_DONTWAIT));
}

static void reading(void)
{
    reads_on(other[0], other[1]);
    reads_on(served[0], served[1]);
    write(client[0], HEAD, N);
    reads_on(client[0], client[1]);
    char b[8];
    struct iovec v = {b, 8};
    R(read(-1, b, 8));
    R(recv(999, b, 8, 0));
    R(readv(-1, &v, 1));
    R(preadv2(-1, &v, 1, -1, 0));
    R(recv(0, b, 8, MSG_DONTWAIT));
}

/* --- sending ------------------------------------------------------------------------------------
 */

static void sends_on(int fd, int far)
{
    char head[] = HEAD;
    struct iovec v[4] = {{head, 4}, {NULL, 0}, {head + 4, 3}, {head + 7, N - 7}};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 4};
    struct mmsghdr mm[2] = {{.msg_hdr = m}, {.msg_hdr = m}};
    struct sockaddr_in to = {.sin_family = AF_INET};
    R(write(fd, head, 0));
    R(write(fd, head, N));
    arrived(far);
    R(write(fd, head, 10));
    R(send(fd, head + 10, N - 10, MSG_NOSIGNAL));
    arrived(far);
    R(send(fd, head, N, MSG_DONTWAIT | MSG_MORE));
    arrived(far);
    R(sendto(fd, head, N, 0, NULL, 0));
    R(sendto(fd, head, N, 0, (struct sockaddr *)&to, sizeof(to)));
    arrived(far);
    R(writev(fd, v, 4));
    R(writev(fd, v, 0));
    arrived(far);
    R(pwritev2(fd, v, 4, -1, 0));
    R(pwritev64v2(fd, v, 4, -1, RWF_NOWAIT));
    R(pwritev2(fd, v, 4, 0, 0));
    arrived(far);
    R(sendmsg(fd, &m, 0));
    arrived(far);
    R(sendmmsg(fd, mm, 2, 0));
    printf("lengths %u %u\n", mm[0].msg_len, mm[1].msg_len);
    arrived(far);
    R(send(fd, "!", 1, MSG_OOB));
    R(write(fd, BAD, 5));
    R(send(fd, BAD, 5, 0));
    R(writev(fd, BAD, 2));
    R(sendmsg(fd, BAD, 0));
    R(sendmmsg(fd, BAD, 1, 0));
    R(writev(fd, v, -1));
    R(send(fd, head, N, MSG_ZEROCOPY));
    arrived(far);
}

static void sending(void)
{
    sends_on(other[0], other[1]);
    sends_on(client[0], client[1]);
    struct iovec v = {(void *)(uintptr_t)HEAD, N};
    struct mmsghdr mm = {.msg_hdr = {.msg_iov = &v, .msg_iovlen = 1}};
    R(write(-1, HEAD, N));
    R(send(999, HEAD, N, 0));
    R(writev(-1, &v, 1));
    R(pwritev2(-1, &v, 1, -1, 0));
    R(sendmmsg(-1, &mm, 1, 0));
    R(send(0, HEAD, N, 0));
    raw_close(client[1]);
    R(write(client[0], HEAD, N));
    R(send(client[0], HEAD, N, MSG_NOSIGNAL));
}

static void answering(void)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    struct iovec v[2] = {{(void *)(uintptr_t)answer, 20},
                         {(void *)(uintptr_t)(answer + 20), sizeof(answer) - 21}};
    R(write(served[0], answer, sizeof(answer) - 1));
    arrived(served[1]);
    feed(served[1], "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    char b[99];
    R(read(served[0], b, sizeof(b)));
    R(writev(served[0], v, 2));
    arrived(served[1]);
}

static void files(void)
{
    char name[] = "/tmp/tracebaton-calls-XXXXXX";
    int f = mkstemp(name), p[2];
    off_t at = 3;
    off64_t at64 = 3;
    unlink(name);
    need(write(f, "POST / HTTP/1.1\r\n", 17) == 17 && pipe(p) == 0, "file");
    lseek(f, 0, SEEK_SET);
    R(sendfile(other[0], f, NULL, 5));
    R(sendfile64(other[0], f, &at64, 5));
    printf("at %ld\n", (long)at64);
    arrived(other[1]);
    R(write(client[0], "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n", 49));
    R(sendfile(client[0], f, &at, 6));
    printf("at %ld\n", (long)at);
    R(write(p[1], "sixsix", 6));
    R(splice(p[0], NULL, client[0], NULL, 6, 0));
    arrived(client[1]);
    R(write(client[0], HEAD, N));
    arrived(client[1]);
    R(sendfile(-1, f, NULL, 1));
    R(sendfile(client[0], -1, NULL, 1));
    R(splice(-1, NULL, client[0], NULL, 1, 0));
    R(splice(p[0], NULL, client[0], NULL, 1, SPLICE_F_NONBLOCK));
    feed(served[1], "more");
    R(splice(served[0], NULL, p[1], NULL, 4, 0));
    char b[8];
    R(read(p[0], b, 8));
    show("spliced", b, 4);
}

/* --- numbers -------------------------------------------------------------------------------------
 */

static void sockets(void)
{
    struct sockaddr_in a;
    socklen_t len = sizeof(a);
    int sv[2];
    R(socket(-1, SOCK_STREAM, 0));
    R(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    R(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv));
    R(socketpair(AF_UNIX, SOCK_STREAM, 0, BAD));
    R(socketpair(AF_INET, SOCK_STREAM, 0, sv));
    R(listen(-1, 1));
    R(listen(0, 1));
    R(accept(-1, NULL, NULL));
    R(accept(other[0], NULL, NULL));
    R(fcntl(listener, F_SETFL, O_NONBLOCK));
    R(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
    R(accept4(listener, NULL, NULL, 12345));
    getsockname(listener, (struct sockaddr *)&a, &len);
    int c = socket(AF_INET, SOCK_STREAM, 0);
    R(connect(c, (struct sockaddr *)&a, 1));
    R(connect(c, BAD, sizeof(a)));
    R(connect(c, (struct sockaddr *)&a, sizeof(a)));
    R(connect(c, (struct sockaddr *)&a, sizeof(a)));
    R(accept4(listener, (struct sockaddr *)&a, &len, SOCK_NONBLOCK | SOCK_CLOEXEC));
    R(connect(-1, (struct sockaddr *)&a, sizeof(a)));
    R(shutdown(c, 9));
    R(shutdown(c, SHUT_WR));
    R(write(c, "x", 1));
    R(shutdown(-1, SHUT_RD));
    R(shutdown(client[0], SHUT_RD));
    R(write(client[0], HEAD, N));
    arrived(client[1]);
    R(shutdown(client[0], SHUT_RDWR));
    R(write(client[0], HEAD, N));
}

static void numbers(void)
{
    int n = 0;
    R(close(-1));
    R(close(other[0]));
    R(close(other[0]));
    R(dup(-1));
    R(dup(client[0]));
    R(dup2(client[0], client[0]));
    R(dup2(-1, 5));
    R(dup2(client[0], 700));
    R(dup3(client[0], 701, O_CLOEXEC));
    R(dup3(client[0], client[0], 0));
    R(write(700, HEAD, 9));
    R(write(701, HEAD + 9, N - 9));
    arrived(client[1]);
    R(fcntl(client[0], F_DUPFD, 710));
    R(fcntl(client[0], F_DUPFD_CLOEXEC, 720));
    R(fcntl64(client[0], F_DUPFD, 730));
    R(fcntl(client[0], F_GETFL));
    R(fcntl(client[0], F_SETFL, O_NONBLOCK));
    R(fcntl64(client[0], F_GETFL, 0));
    R(fcntl(client[0], F_GETFD));
    R(fcntl(-1, F_GETFL));
    R(ioctl(served[0], FIONREAD, &n));
    R(ioctl(client[0], FIONBIO, &n));
    R(ioctl(-1, FIONREAD, &n));
    R(ioctl(client[0], FIONREAD, BAD));
    R(close_range(700, 740, 0));
    R(write(710, HEAD, N));
    R(close_range(9, 1, 0));
    R(write(client[0], HEAD, N));
    arrived(client[1]);
}

/* --- waiting
 * -------------------------------------------------------------------------------------- */

static void on_alarm(int n)
{
    (void)n;
}

static void waiting(void)
{
    struct timespec none = {0, 0}, tick = {0, 2000000};
    struct pollfd f[3] = {
        {served[0], POLLIN, 0}, {client[0], POLLIN | POLLOUT, 0}, {listener, POLLIN, 0}};
    struct timeval now = {0, 0};
    struct epoll_event ev = {.events = EPOLLOUT, .data.u32 = 7}, out[4];
    sigset_t mask;
    fd_set r, w;
    sigemptyset(&mask);
    R(poll(f, 3, 0));
    printf("revents %d %d %d\n", f[0].revents, f[1].revents, f[2].revents);
    R(__poll_chk(f, 3, 0, sizeof(f)));
    R(ppoll(f, 3, &none, &mask));
    R(__ppoll_chk(f, 1, &tick, NULL, sizeof(f)));
    R(poll(BAD, 1, 0));
    R(poll(NULL, 0, 1));
    fd_set r0, w0;
    FD_ZERO(&r0);
    FD_ZERO(&w0);
    FD_SET(served[0], &r0);
    FD_SET(client[0], &w0);
    r = r0, w = w0;
    R(select(client[0] + 1, &r, &w, NULL, &now));
    printf("set %d %d\n", !!FD_ISSET(served[0], &r), !!FD_ISSET(client[0], &w));
    r = r0, w = w0;
    R(pselect(client[0] + 1, &r, &w, NULL, &none, &mask));
    R(select(-1, NULL, NULL, NULL, &now));
    R(select(3, BAD, NULL, NULL, &now));
    R(epoll_create(0));
    R(epoll_create1(12345));
    int e = epoll_create(1), e1 = epoll_create1(EPOLL_CLOEXEC);
    R(epoll_ctl(e, EPOLL_CTL_ADD, client[0], &ev));
    R(epoll_ctl(e, EPOLL_CTL_ADD, client[0], &ev));
    R(epoll_ctl(e, EPOLL_CTL_ADD, e1, &ev));
    R(epoll_ctl(e, EPOLL_CTL_MOD, served[0], &ev));
    R(epoll_ctl(-1, EPOLL_CTL_ADD, client[0], &ev));
    R(epoll_wait(e, out, 4, 0));
    printf("event %u %u\n", out[0].events, out[0].data.u32);
    R(epoll_pwait(e, out, 4, 0, &mask));
    R(epoll_pwait2(e, out, 4, &none, &mask));
    R(epoll_wait(e, out, 0, 0));
    R(epoll_wait(e, BAD, 4, 0));
    R(epoll_wait(-1, out, 4, 0));
    R(epoll_wait(client[0], out, 4, 0));
    struct sigaction sa = {.sa_handler = on_alarm};
    struct itimerspec soon = {.it_value = {0, 20000000}};
    struct sigevent by = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    timer_t t;
    sigaction(SIGALRM, &sa, NULL);
    timer_create(CLOCK_MONOTONIC, &by, &t);
    timer_settime(t, 0, &soon, NULL);
    R(epoll_wait(e1, out, 4, 5000));
    timer_settime(t, 0, &soon, NULL);
    R(poll(f, 1, 5000));
    timer_settime(t, 0, &soon, NULL);
    char b[4];
    R(read(served[0], b, 4));
}

/* --- processes
 * ------------------------------------------------------------------------------------- */

#define CHILD(statement)                                                                           \
    do {                                                                                           \
        int status_ = -1;                                                                          \
        pid_t pid_ = fork();                                                                       \
        if (pid_ == 0) {                                                                           \
            statement;                                                                             \
            _exit(100 + errno);                                                                    \
        }                                                                                          \
        waitpid(pid_, &status_, 0);                                                                \
        printf("%s: %d\n", #statement, WEXITSTATUS(status_));                                      \
    } while (0)

static void processes(void)
{
    char *const argv[] = {"sh", "-c", "exit 7", NULL};
    char *const env[] = {"A=b", NULL};
    char b[32];
    int status = 0;
    pid_t pid;
    CHILD(execve("/bin/sh", argv, env));
    CHILD(execve("/nonexistent", argv, env));
    CHILD(execve("/bin/sh", argv, BAD));
    CHILD(execve(BAD, argv, env));
    CHILD(execv("/bin/sh", argv));
    CHILD(execvp("sh", argv));
    CHILD(execvp("nonexistent-program", argv));
    CHILD(execvpe("sh", argv, env));
    CHILD(execl("/bin/sh", "sh", "-c", "exit 8", NULL));
    CHILD(execlp("sh", "sh", "-c", "exit 9", NULL));
    CHILD(execle("/bin/sh", "sh", "-c", "exit ${#A}", NULL, env));
    CHILD(fexecve(open("/bin/sh", O_RDONLY), argv, env));
    CHILD(fexecve(-1, argv, env));
    CHILD(execveat(AT_FDCWD, "/bin/sh", argv, env, 0));
    CHILD(execveat(-1, "sh", argv, env, 0));
    CHILD(setsid() > 0 ? _exit(3) : _exit(4));
    CHILD((setsid(), setsid() == -1) ? _exit(5) : _exit(6));
    CHILD(daemon(1, 1) == 0 ? _exit(1) : _exit(2));
    R(posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, env));
    waitpid(pid, &status, 0);
    printf("status %d\n", WEXITSTATUS(status));
    R(posix_spawnp(&pid, "sh", NULL, NULL, argv, environ));
    waitpid(pid, &status, 0);
    printf("status %d\n", WEXITSTATUS(status));
    R(posix_spawn(&pid, "/nonexistent", NULL, NULL, argv, env));
    R(WEXITSTATUS(system("exit 3")));
    R(system(NULL) != 0);
    FILE *f = popen("echo hi", "r");
    R(fread(b, 1, sizeof(b), f));
    R(WEXITSTATUS(pclose(f)));
    R(popen("x", "bad mode") != NULL);
    R(write(client[0], HEAD, N)); /* and the parent goes on as before */
    arrived(client[1]);
}

static void others(void)
{
    char name[16];
    R(prctl(PR_GET_NAME, name));
    R(prctl(-1, 0, 0, 0, 0));
    R(prctl(PR_SET_DUMPABLE, 9, 0, 0, 0));
    R(dlopen("libm.so.6", RTLD_NOW) != NULL);
    R(dlopen("no-such-library.so", RTLD_NOW) != NULL);
    R(dlopen(NULL, RTLD_LAZY) != NULL);
    R(syscall(SYS_write, client[0], HEAD, N));
    arrived(client[1]);
    R(syscall(99999));
    R(syscall(SYS_getppid) == getppid());
}

static const struct {
    const char *name;
    void (*run)(void);
    bool inserts;
} cases[] = {{"calls-reading", reading, false},     {"calls-sending", sending, true},
             {"calls-answering", answering, false}, {"calls-files", files, true},
             {"calls-sockets", sockets, false},      {"calls-numbers", numbers, true},
             {"calls-waiting", waiting, false},     {"calls-processes", processes, true},
             {"calls-others", others, true}};

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (argc < 2 || strcmp(argv[1], "list") == 0) {
            printf("%s\n", cases[i].name);
        } else if (strcmp(argv[1], cases[i].name) == 0) {
            begin();
            cases[i].run();
            if (cases[i].inserts && getenv("EXPECT_INSERTED") && !inserted)
                printf("nothing was inserted\n");
        }
    }
    return 0;
}
