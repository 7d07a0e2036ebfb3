/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits: what cannot be seen from a preloaded library, and what happens instead, as
 * README.md's table of limits says: nothing is carried, nothing is changed, and
 * what was seen before is not taken for what came unseen. (Static programs:
 * tests/load.)
 */
#include "raw.h"

#include <arpa/inet.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

static const char head[] = "GET /out HTTP/1.1\r\nHost: svc\r\n\r\n";
static const char in[] = "GET /in HTTP/1.1\r\nx-request-id: unseen\r\n\r\n";

/* What arrived is the program's bytes, and nothing else. */
static const char *plain(int fd)
{
    char got[4096];
    long n = raw_drain(fd, got, sizeof(got));
    return n == sizeof(head) - 1 && memcmp(got, head, (size_t)n) == 0 ? NULL
                                                                      : "other bytes arrived";
}

/* A request that leaves by a call that is seen carries nothing. */
static const char *carries_nothing(void)
{
    int fd[2];
    pair(fd);
    need(write(fd[0], head, sizeof(head) - 1) == sizeof(head) - 1, "write");
    const char *why = plain(fd[1]);
    close(fd[0]);
    raw_close(fd[1]);
    return why;
}

/* A TCP connection; [1] is only used raw. */
static void tcp(int fd[2])
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int s = socket(AF_INET, SOCK_STREAM, 0);
    need(bind(s, (struct sockaddr *)&a, len) == 0 && listen(s, 1) == 0, "listen");
    getsockname(s, (struct sockaddr *)&a, &len);
    fd[0] = socket(AF_INET, SOCK_STREAM, 0);
    need(connect(fd[0], (struct sockaddr *)&a, len) == 0, "connect");
    fd[1] = accept(s, NULL, NULL);
    close(s);
}

/* --- out: during an exchange that is seen ---------------------------------------------------- */

static void stdio_out(void)
{
    int a[2], fd[2];
    serve(a, IN_HEADERS);
    pair(fd);
    FILE *f = fdopen(fd[0], "w");
    fputs(head, f);
    fflush(f);
    result("limit-stdio-out", plain(fd[1]));
    fclose(f);
    raw_close(fd[1]);
    finish(a);
}

static void raw_out(void)
{
    int a[2], fd[2];
    serve(a, IN_HEADERS);
    pair(fd);
    raw_write(fd[0], head, sizeof(head) - 1);
    result("limit-raw-out", plain(fd[1]));
    close(fd[0]);
    raw_close(fd[1]);
    finish(a);
}

/* The beginning of a head leaves unseen, its end does not: on TCP the kernel's counters tell. */
static void mixed_out(void)
{
    int a[2], fd[2];
    char got[4096];
    serve(a, IN_HEADERS);
    tcp(fd);
    static const char post[] = "POST /a HTTP/1.1\r\nContent-Length: 60\r\n\r\n";
    raw_write(fd[0], post, sizeof(post) - 1);
    char body[61] = "GET /not-a-request HTTP/1.1\r\nHost: body\r\n\r\n";
    need(write(fd[0], body, 60) == 60, "write");
    struct timespec t = {0, 50000000};
    nanosleep(&t, NULL);
    long n = raw_drain(fd[1], got, sizeof(got));
    result("limit-mixed-out", n == (long)sizeof(post) - 1 + 60 && !memcmp(got + n - 60, body, 60)
                                  ? NULL
                                  : "a body was changed");
    close(fd[0]);
    raw_close(fd[1]);
    finish(a);
}

/* --- in: a request that is not seen, after one that was --------------------------------------- */

static void after_one(void)
{
    int a[2];
    serve(a, IN_HEADERS);
    finish(a);
}

static void stdio_in(void)
{
    char line[256];
    int fd[2];
    after_one();
    pair(fd);
    raw_write(fd[1], in, sizeof(in) - 1);
    FILE *f = fdopen(fd[0], "r");
    while (fgets(line, sizeof(line), f) && line[0] != '\r')
        ;
    result("limit-stdio-in", carries_nothing());
    fclose(f);
    raw_close(fd[1]);
}

static void raw_in(void)
{
    char buf[256];
    int fd[2];
    after_one();
    pair(fd);
    raw_write(fd[1], in, sizeof(in) - 1);
    need(raw_read(fd[0], buf, sizeof(buf)) == sizeof(in) - 1, "read");
    result("limit-raw-in", carries_nothing());
    close(fd[0]);
    raw_close(fd[1]);
}

/* A request is seen; its answer and the next request are not: on TCP the kernel's counters tell. */
static void mixed_in(void)
{
    static const char first[] = "GET /in HTTP/1.1\r\n" IN_HEADERS "\r\n",
                      ok[] = "HTTP/1.1 204 N\r\n\r\n";
    char buf[256];
    int fd[2];
    tcp(fd);
    int near = fd[1], far = fd[0]; /* the one that was accepted is the program's */
    raw_write(far, first, sizeof(first) - 1);
    need(read(near, buf, sizeof(buf)) == sizeof(first) - 1, "read");
    raw_write(near, ok, sizeof(ok) - 1);
    raw_write(far, in, sizeof(in) - 1);
    need(raw_read(near, buf, sizeof(buf)) == sizeof(in) - 1, "raw read");
    result("limit-mixed-in", carries_nothing());
    close(near);
    raw_close(far);
}

/* --- io_uring --------------------------------------------------------------------------------- */

struct ring {
    int fd;
    struct io_uring_params p;
    char *sq, *cq;
    struct io_uring_sqe *sqe;
};

static bool ring_begin(struct ring *r)
{
    memset(&r->p, 0, sizeof(r->p));
    r->fd = (int)raw2(SYS_io_uring_setup, 4, (long)&r->p);
    if (r->fd < 0)
        return false;
    size_t sq = r->p.sq_off.array + r->p.sq_entries * 4,
           cq = r->p.cq_off.cqes + r->p.cq_entries * 16;
    r->sq = mmap(NULL, sq, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, IORING_OFF_SQ_RING);
    r->cq = mmap(NULL, cq, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, IORING_OFF_CQ_RING);
    r->sqe = mmap(NULL, r->p.sq_entries * sizeof(*r->sqe), PROT_READ | PROT_WRITE, MAP_SHARED,
                  r->fd, IORING_OFF_SQES);
    return r->sq != MAP_FAILED && r->cq != MAP_FAILED && r->sqe != MAP_FAILED;
}

/* One read or write, waited for. */
static int ring_do(struct ring *r, int op, int fd, void *buf, unsigned n)
{
    unsigned *tail = (void *)(r->sq + r->p.sq_off.tail),
             mask = *(unsigned *)(void *)(r->sq + r->p.sq_off.ring_mask);
    unsigned at = *tail & mask;
    memset(&r->sqe[at], 0, sizeof(r->sqe[at]));
    r->sqe[at].opcode = (uint8_t)op;
    r->sqe[at].fd = fd;
    r->sqe[at].addr = (uint64_t)(uintptr_t)buf;
    r->sqe[at].len = n;
    ((unsigned *)(void *)(r->sq + r->p.sq_off.array))[at] = at;
    __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
    raw6(SYS_io_uring_enter, r->fd, 1, 1, IORING_ENTER_GETEVENTS, 0, 0);
    unsigned *first = (void *)(r->cq + r->p.cq_off.head);
    struct io_uring_cqe *cqe = (void *)(r->cq + r->p.cq_off.cqes);
    int res = cqe[*first & *(unsigned *)(void *)(r->cq + r->p.cq_off.ring_mask)].res;
    __atomic_store_n(first, *first + 1, __ATOMIC_RELEASE);
    return res;
}

static void uring(void)
{
    struct ring r;
    int a[2], fd[2];
    char buf[256];
    if (!ring_begin(&r)) {
        printf("skip limit-io_uring: this kernel does not let us (errno %d)\n", -r.fd);
        return;
    }
    serve(a, IN_HEADERS);
    pair(fd);
    need(ring_do(&r, IORING_OP_WRITE, fd[0], (void *)(uintptr_t)head, sizeof(head) - 1) ==
             sizeof(head) - 1,
         "ring write");
    result("limit-io_uring-out", plain(fd[1]));
    finish(a);
    raw_write(fd[1], in, sizeof(in) - 1);
    need(ring_do(&r, IORING_OP_READ, fd[0], buf, sizeof(buf)) == sizeof(in) - 1, "ring read");
    result("limit-io_uring-in", carries_nothing());
    close(fd[0]);
    raw_close(fd[1]);
    raw_close(r.fd);
}

/* In a process of its own: what one case leaves behind would make the next one's abstain. */
static void alone(void (*f)(void))
{
    int status = 0;
    fflush(stdout);
    pid_t p = fork();
    if (p == 0) {
        f();
        fflush(stdout);
        _exit(failures != 0);
    }
    failures += waitpid(p, &status, 0) != p || status != 0;
    if (WIFSIGNALED(status))
        printf("not ok limits: killed by signal %d\n", WTERMSIG(status));
}

int main(void)
{
    static void (*const cases[])(void) = {stdio_out, raw_out,  mixed_out, stdio_in,
                                          raw_in,    mixed_in, uring};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        alone(cases[i]);
    return failures != 0;
}
