/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blocked NAME: what ends a call that waits. Each blocking call, by name, is
 * cancelled, interrupted (with and without SA_RESTART), jumped out of, timed out,
 * made non-blocking, and left by its peer; each prints what can be seen.
 * `list` prints the names; tests/preload/run compares raw and preloaded.
 *
 * C++, because a cancelled thread's frames are unwound: destructors run as well as
 * handlers. Every call is made while the thread serves an exchange, whose trace is
 * carried where EXPECT_INSERTED is set; what arrives is checked for being whole heads.
 */
#include <fcntl.h>
#include <poll.h>
#include <atomic>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "raw.h"

extern "C" {
ssize_t __read_chk(int, void *, size_t, size_t);
ssize_t __recv_chk(int, void *, size_t, size_t, int);
ssize_t __recvfrom_chk(int, void *, size_t, size_t, int, struct sockaddr *, socklen_t *);
}

#define BODY "POST /out HTTP/1.1\r\nHost: svc\r\nContent-Length: 100000000\r\n\r\n"

#define HEAD "GET /out HTTP/1.1\r\nHost: svc\r\n\r\n"

/* [1] is the far end, raw. `reader` has nothing to read, `full` no room to write. */
static int in[2], io[2], full[2], taps[2], reader, feeder, file, listener, busy, reluctant, epoll;
static struct sockaddr_un crowded, quiet;
static char mass[4096];
static struct iovec vec = {mass, sizeof(mass)};
static struct msghdr msg;
static struct mmsghdr many;
static struct pollfd waited;
static struct epoll_event event;

/* --- the calls ---------------------------------------------------------------------------------
 */

enum kind { READS, WRITES, ACCEPTS, CONNECTS, WAITS };

static long by_select()
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(reader, &set);
    return select(reader + 1, &set, nullptr, nullptr, nullptr);
}

static long by_pselect()
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(reader, &set);
    return pselect(reader + 1, &set, nullptr, nullptr, nullptr, nullptr);
}

static const struct call {
    const char *name;
    enum kind kind;
    long (*make)();
} calls[] = {
#define CALL(name, kind, ...) {name, kind, []() -> long { return (long)(__VA_ARGS__); }},
    CALL("read", READS, read(reader, mass, 9)) CALL("readv", READS, readv(reader, &vec, 1)) CALL(
        "preadv2", READS, preadv2(reader, &vec, 1, -1, 0)) CALL("recv", READS,
                                                                recv(reader, mass, 9, 0))
        CALL("recv-peek", READS, recv(reader, mass, 9, MSG_PEEK)) CALL(
            "recvfrom", READS,
            recvfrom(reader, mass, 9, 0, nullptr, nullptr)) CALL("recvmsg", READS,
                                                                 recvmsg(reader, &msg, 0))
            CALL("recvmmsg", READS, recvmmsg(reader, &many, 1, 0, nullptr)) CALL(
                "read_chk",
                READS, __read_chk(reader, mass, 9, sizeof(mass)))
                CALL("recv_chk", READS, __recv_chk(reader, mass, 9, sizeof(mass), 0)) CALL(
                    "recvfrom_chk",
                    READS, __recvfrom_chk(reader, mass, 9, sizeof(mass), 0, nullptr, nullptr))
                    CALL("splice-in", READS, splice(reader, nullptr, taps[1], nullptr, 9, 0))
                        CALL("write", WRITES, write(full[0], mass, sizeof(mass))) CALL(
                            "writev", WRITES,
                            writev(full[0], &vec,
                                   1)) CALL("pwritev2", WRITES, pwritev2(full[0], &vec, 1, -1, 0))
                            CALL("send", WRITES, send(full[0], mass, sizeof(mass), 0)) CALL(
                                "sendto", WRITES,
                                sendto(full[0], mass, sizeof(mass), 0, nullptr,
                                       0)) CALL("sendmsg", WRITES, sendmsg(full[0], &msg, 0))
                                CALL("sendmmsg", WRITES, sendmmsg(full[0], &many, 1, 0)) CALL(
                                    "sendfile",
                                    WRITES,
                                    (lseek(file, 0, SEEK_SET), sendfile(full[0], file, nullptr, 9)))
                                    CALL("sendfile64", WRITES,
                                         (lseek(file, 0, SEEK_SET),
                                          sendfile64(full[0], file, nullptr, 9)))
                                        CALL("accept", ACCEPTS, accept(listener, nullptr, nullptr))
                                            CALL("accept4", ACCEPTS,
                                                 accept4(listener, nullptr, nullptr, SOCK_CLOEXEC))
                                                CALL("connect", CONNECTS,
                                                     connect(busy, (struct sockaddr *)&crowded,
                                                             sizeof(crowded)))
                                                    CALL("poll", WAITS, poll(&waited, 1, -1)) CALL(
                                                        "ppoll", WAITS,
                                                        ppoll(&waited, 1, nullptr, nullptr))
                                                        CALL("select", WAITS, by_select()) CALL(
                                                            "pselect", WAITS, by_pselect())
                                                            CALL("epoll_wait", WAITS,
                                                                 epoll_wait(epoll, &event, 1, -1))
                                                                CALL("epoll_pwait", WAITS,
                                                                     epoll_pwait(epoll, &event, 1,
                                                                                 -1, nullptr))
                                                                    CALL("epoll_pwait2", WAITS,
                                                                         epoll_pwait2(epoll, &event,
                                                                                      1, nullptr,
                                                                                      nullptr))
#undef CALL
};
static const struct call *it;

/* --- before and after --------------------------------------------------------------------------
 */

static void listens(int *fd, struct sockaddr_un *at, int backlog)
{
    static int n;
    *fd = socket(AF_UNIX, SOCK_STREAM, 0);
    at->sun_family = AF_UNIX;
    snprintf(at->sun_path + 1, sizeof(at->sun_path) - 1, "tracebaton-%d-%d", (int)getpid(), n++);
    need(bind(*fd, (struct sockaddr *)at, sizeof(*at)) == 0 && listen(*fd, backlog) == 0, "listen");
}

/* A listener that has no room, and a socket that wants to connect to it. */
static void crowd()
{
    listens(&reluctant, &crowded, 0);
    int fd;
    do
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    while (connect(fd, (struct sockaddr *)&crowded, sizeof(crowded)) == 0);
    close(fd);
    busy = socket(AF_UNIX, SOCK_STREAM, 0);
}

/* A connection in the midst of a body that takes no more. */
static void fill()
{
    pair(full);
    need(write(full[0], BODY, sizeof(BODY) - 1) == sizeof(BODY) - 1, "head");
    while (send(full[0], mass, sizeof(mass), MSG_DONTWAIT) > 0)
        ;
}

/* A connection that waits for the answer to its request. */
static void ask(int fd[2])
{
    char sink[1024];
    pair(fd);
    need(write(fd[0], HEAD, sizeof(HEAD) - 1) == sizeof(HEAD) - 1, "ask");
    raw_drain(fd[1], sink, sizeof(sink));
}

static bool of_server; /* what is read: the answer to a call, or the next of a client's requests */

static void begin()
{
    serve(in, IN_HEADERS);
    ask(io);
    reader = of_server ? in[0] : io[0], feeder = of_server ? in[1] : io[1];
    memset(mass, 'x', sizeof(mass));
    fill();
    need(pipe(taps) == 0, "pipe");
    msg.msg_iov = &vec, msg.msg_iovlen = 1, many.msg_hdr = msg;
    file = (int)syscall(SYS_memfd_create, "f", 0);
    need(write(file, "123456789", 9) == 9, "file");
    crowd();
    listens(&listener, &quiet, 4);
    waited.fd = reader, waited.events = POLLIN;
    epoll = epoll_create1(0);
    event.events = EPOLLIN;
    need(epoll_ctl(epoll, EPOLL_CTL_ADD, reader, &event) == 0, "epoll");
}

/* What it waits for happens. Handlers may call this. */
static void release()
{
    static char sink[1 << 20];
    if (it->kind == READS || it->kind == WAITS)
        raw_write(feeder, "released.", 9);
    else if (it->kind == WRITES)
        raw_drain(full[1], sink, sizeof(sink));
    else if (it->kind == ACCEPTS)
        raw3(SYS_connect, raw3(SYS_socket, AF_UNIX, SOCK_STREAM, 0), (long)&quiet, sizeof(quiet));
    else
        raw3(SYS_accept, reluctant, 0, 0);
}

/* Which number accept() gives depends on what the library does not show. */
static void say(const char *how, long r)
{
    int e = errno;
    printf("%s %s: %ld %d\n", it->name, how, it->kind == ACCEPTS && r > 0 ? 0 : r, r < 0 ? e : 0);
    fflush(stdout);
}

/* The thread is still at its exchange: a request of its own arrives whole, with the line. */
static void end()
{
    static const char line[] = IN_HEADERS;
    char got[1024];
    int fd[2];
    pair(fd);
    long r = write(fd[0], HEAD, sizeof(HEAD) - 1), n = raw_drain(fd[1], got, sizeof(got));
    char *p = (char *)memmem(got, (size_t)n, line, sizeof(line) - 1);
    if (p) {
        n -= (long)sizeof(line) - 1;
        memmove(p, p + sizeof(line) - 1, (size_t)(got + n - p));
    }
    bool whole = r == n && memcmp(got, HEAD, sizeof(HEAD) - 1) == 0;
    bool may_not =
        of_server || it->kind == ACCEPTS || it->kind == WAITS; /* as an event loop does */
    bool carried = p || may_not || !getenv("EXPECT_INSERTED");
    say(whole ? carried ? "and then" : "carries nothing" : "torn", r);
}

/* --- the ends ----------------------------------------------------------------------------------
 */

struct frame {
    const char *of;
    ~frame()
    {
        printf("  destructor of %s\n", of);
        fflush(stdout);
    }
};

static void handler(void *of)
{
    printf("  handler of %s\n", (const char *)of);
    fflush(stdout);
}

static std::atomic<bool> go;

static void *in_thread(void *)
{
    long r;
    frame f{it->name};
    pthread_cleanup_push(handler, (void *)it->name);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, nullptr);
    while (!go)
        usleep(100);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, nullptr);
    r = it->make();
    pthread_cleanup_pop(0);
    say("in a thread", r);
    return nullptr;
}

static void ends_as(pthread_t t)
{
    void *end;
    pthread_join(t, &end);
    say("was cancelled", end == PTHREAD_CANCELED);
}

/* sendfile() is none. */
static bool cancellation_point()
{
    return strncmp(it->name, "sendfile", 8) != 0;
}

static void cancelled()
{
    pthread_t t;
    if (!cancellation_point())
        return;
    go = true;
    pthread_create(&t, nullptr, in_thread, nullptr);
    usleep(20000);
    pthread_cancel(t);
    ends_as(t);
    release();
    say("again", it->make());
}

/* It need not wait, and yet it ends the thread, with nothing done. */
static void cancelled_before()
{
    pthread_t t;
    if (!cancellation_point())
        return;
    go = false;
    release();
    pthread_create(&t, nullptr, in_thread, nullptr);
    pthread_cancel(t);
    go = true;
    ends_as(t);
    say("again", it->make());
}

static volatile int ticks;
static sigjmp_buf out;

static void tick(int)
{
    ticks++;
}

static void tick_and_release(int)
{
    if (++ticks == 2)
        release();
}

static void leap(int)
{
    siglongjmp(out, 1);
}

static void every(int ms, int flags, void (*f)(int))
{
    struct sigaction sa = {};
    struct itimerval t = {{0, ms * 1000}, {0, ms * 1000}};
    sa.sa_handler = f, sa.sa_flags = flags;
    ticks = 0;
    sigaction(SIGALRM, &sa, nullptr);
    setitimer(ITIMER_REAL, &t, nullptr);
}

static void no_more()
{
    struct itimerval t = {};
    setitimer(ITIMER_REAL, &t, nullptr);
}

static void interrupted()
{
    every(10, 0, tick);
    long r = it->make();
    int e = errno;
    no_more();
    errno = e;
    say("interrupted", r);
    release();
    say("again", it->make());
}

static void restarted()
{
    every(10, SA_RESTART, tick_and_release);
    long r = it->make();
    int e = errno;
    no_more();
    errno = e;
    say("restarted", r);
}

static void jumped()
{
    for (int i = 0; i < 2; i++) {
        every(10, 0, leap);
        if (sigsetjmp(out, 1) == 0)
            it->make();
        no_more();
        say("jumped", i);
    }
    release();
    say("again", it->make());
}

static void with_timeout()
{
    struct timeval tv = {0, 10000};
    int all[] = {reader, full[0], listener, busy};
    if (it->kind == WAITS)
        return;
    for (int fd : all) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
    }
    say("timed out", it->make());
    release();
    say("again", it->make());
}

static void non_blocking()
{
    int all[] = {reader, full[0], listener, busy};
    if (it->kind == WAITS)
        return;
    for (int fd : all)
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    say("would block", it->make());
    release();
    say("again", it->make());
}

/* In another thread, a little later. */
static void (*other)();
static void *soon(void *)
{
    usleep(20000);
    other();
    return nullptr;
}

static void while_blocked(const char *how, void (*what)())
{
    pthread_t t;
    signal(SIGPIPE, SIG_IGN);
    other = what;
    pthread_create(&t, nullptr, soon, nullptr);
    long r = it->make();
    int e = errno;
    pthread_join(t, nullptr);
    errno = e;
    say(how, r);
    if (it->kind == READS || it->kind == WRITES)
        say("again", it->make());
}

static void left()
{
    while_blocked("left", [] {
        if (it->kind == ACCEPTS || it->kind == CONNECTS)
            return release();
        raw2(SYS_shutdown, feeder, SHUT_RDWR);
        raw2(SYS_shutdown, full[1], SHUT_RDWR);
    });
}

static void half_closed()
{
    while_blocked("half closed", [] {
        if (it->kind == ACCEPTS || it->kind == CONNECTS)
            return release();
        raw2(SYS_shutdown, feeder, SHUT_WR);
        raw2(SYS_shutdown, full[1], SHUT_RD);
    });
}

static void shut_here()
{
    while_blocked("shut here", [] {
        if (it->kind == CONNECTS)
            return release();
        shutdown(it->kind == WRITES ? full[0] : it->kind == ACCEPTS ? listener : reader, SHUT_RDWR);
    });
}

static const struct {
    const char *name;
    void (*run)();
} cases[] = {{"cancelled-in-each", cancelled},     {"cancelled-before-each", cancelled_before},
             {"interrupted-in-each", interrupted}, {"restarted-in-each", restarted},
             {"jumped-out-of-each", jumped},       {"timed-out-in-each", with_timeout},
             {"non-blocking-each", non_blocking},  {"left-in-each", left},
             {"half-closed-in-each", half_closed}, {"shut-down-in-each", shut_here}};

/* In a process of its own: what one leaves behind is nothing to the next. */
static void alone(const struct call &one, void (*run)())
{
    int status;
    if (fork() == 0) {
        alarm(20);
        it = &one;
        begin();
        run();
        end();
        exit(0);
    }
    wait(&status);
    if (status)
        printf("%s: status %d\n", one.name, status);
}

int main(int argc, char **argv)
{
    for (const auto &c : cases)
        for (int server = 0; server < 2 && argc > 1; server++) {
            char name[64];
            snprintf(name, sizeof(name), "%s%s", server ? "served-" : "", c.name);
            if (strcmp(argv[1], "list") == 0)
                puts(name);
            if (strcmp(argv[1], name) != 0)
                continue;
            of_server = server;
            for (const call &one : calls)
                alone(one, c.run);
        }
    return 0;
}
