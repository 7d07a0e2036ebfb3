/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program: a correct program. It sends and reads by any family of calls, resends
 * what was not taken, polls after EAGAIN, tries again after EINTR, ENOBUFS and
 * ENOMEM, gives up after a reset or an early end, and complains (`wrong`) of any
 * result that it may not be told.
 */
#ifndef TB_TESTS_FAULT_PROGRAM_H
#define TB_TESTS_FAULT_PROGRAM_H

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>

#include "fault/shim.h"
#include "preload/families.h"

/* families.h knows the first seven. The last three begin with write() and move the rest, and what
 * is no head, in another way. */
enum { F_PWRITEV2 = FAMILIES, F_SENDFILE, F_SPLICE, F_ZEROCOPY, SENDERS };
enum {
    R_READ,
    R_RECV,
    R_RECVFROM,
    R_READV,
    R_RECVMSG,
    R_RECVMMSG,
    R_PREADV2,
    R_SYSCALL,
    R_CHK,
    R_PEEK,
    READERS
};
static const char *const sender_name[] = {"write",    "send",     "sendto",  "writev",
                                          "sendmsg",  "sendmmsg", "syscall", "pwritev2",
                                          "sendfile", "splice",   "zerocopy"};
static const char *const reader_name[] = {"read",     "recv",    "recvfrom", "readv",    "recvmsg",
                                          "recvmmsg", "preadv2", "syscall",  "read_chk", "peek"};

#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY 0x4000000
#endif

struct program {
    int sender, reader;
    bool waits;        /* its sockets block */
    struct shim *shim; /* NULL: nothing fails */
    bool gave_up;
    char wrong[200]; /* "" or what it should never have been told */
};

ssize_t __read_chk(int fd, void *p, size_t n, size_t room);

static int file_of_bytes = -1, pipe_of_bytes[2];

static void program_begin(void)
{
    file_of_bytes = memfd_create("request", 0);
    need(file_of_bytes >= 0 && pipe(pipe_of_bytes) == 0, "memfd, pipe");
}

/* The socket keeps the file's page, not a copy: bytes on their way are not written over. */
static ssize_t by_sendfile(int fd, const char *p, size_t n)
{
    static off_t next;
    off_t at = next;
    next = (next + (off_t)n) % (1 << 20);
    need(raw4(SYS_pwrite64, file_of_bytes, (long)p, (long)n, at) == (long)n, "pwrite");
    return sendfile(fd, file_of_bytes, &at, n);
}

static ssize_t by_splice(int fd, const char *p, size_t n)
{
    char rest[4096];
    need(n <= sizeof(rest) && raw_write(pipe_of_bytes[1], p, n) == (long)n, "pipe");
    ssize_t r = splice(pipe_of_bytes[0], NULL, fd, NULL, n, 0);
    int saved = errno;
    if (r < (ssize_t)n)
        raw_read(pipe_of_bytes[0], rest, sizeof(rest));
    errno = saved;
    return r;
}

static ssize_t send_once(int sender, int fd, const char *p, size_t n, bool rest)
{
    struct iovec v[4];
    switch (sender) {
    case F_PWRITEV2:
        return pwritev2(fd, v, (int)cut4(v, p, n), -1, 0);
    case F_SENDFILE:
        return rest ? by_sendfile(fd, p, n) : write(fd, p, n);
    case F_SPLICE:
        return rest ? by_splice(fd, p, n) : write(fd, p, n);
    case F_ZEROCOPY:
        return rest ? send(fd, p, n, MSG_ZEROCOPY) : write(fd, p, n);
    default:
        return send_by((enum family)sender, fd, p, n, 0);
    }
}

static ssize_t read_message(int fd, struct iovec *v, bool many)
{
    struct mmsghdr m = {.msg_hdr = {.msg_iov = v, .msg_iovlen = 2}};
    if (!many)
        return recvmsg(fd, &m.msg_hdr, 0);
    int r = recvmmsg(fd, &m, 1, 0, NULL);
    return r <= 0 ? r : (ssize_t)m.msg_len;
}

static ssize_t peek_then_read(int fd, char *p, size_t n)
{
    ssize_t r = recv(fd, p, n, MSG_PEEK);
    return r <= 0 ? r : recv(fd, p, (size_t)r, 0);
}

static ssize_t read_once(int reader, int fd, char *p, size_t n)
{
    struct iovec v[2] = {{p, 5}, {p + 5, n - 5}};
    switch (reader) {
    case R_READ:
        return read(fd, p, n);
    case R_RECV:
        return recv(fd, p, n, 0);
    case R_RECVFROM:
        return recvfrom(fd, p, n, 0, NULL, NULL);
    case R_READV:
        return readv(fd, v, 2);
    case R_PREADV2:
        return preadv2(fd, v, 2, -1, 0);
    case R_SYSCALL:
        return syscall(SYS_read, fd, p, n, 0, 0, 0);
    case R_CHK:
        return __read_chk(fd, p, n, n);
    case R_PEEK:
        return peek_then_read(fd, p, n);
    default:
        return read_message(fd, v, reader == R_RECVMMSG);
    }
}

/* --- what it may be told -----------------------------------------------------------------------
 */

static bool complain(struct program *g, const char *what, long r, size_t n)
{
    snprintf(g->wrong, sizeof(g->wrong), "%s: %ld of %zu, errno %d", what, r, n, r < 0 ? errno : 0);
    return false;
}

static bool was_given(const struct program *g, int err)
{
    for (int i = 0; g->shim && i < g->shim->errs; i++)
        if (g->shim->err[i] == err)
            return true;
    /* A cut says that the buffer is full; who was told nothing of it yet may be told that. */
    return g->shim && g->shim->cut && err == EAGAIN && !g->waits;
}

static bool any_fault(const struct program *g)
{
    return g->shim && (g->shim->cut || g->shim->errs);
}

/* @return false: it must not be so */
static bool may_be_told(struct program *g, bool reads, long r, size_t n)
{
    if (r > (long)n)
        return complain(g, "more than offered", r, n);
    if (r < 0 && !was_given(g, errno))
        return complain(g, "an error that the kernel did not give", r, n);
    if (r == 0 && !(reads && g->shim && g->shim->ended))
        return complain(g, "a count of 0 that the kernel did not give", r, n);
    if (r >= 0 && !reads && r < (long)n && !any_fault(g))
        return complain(g, "a short count that the kernel did not give", r, n);
    return true;
}

static void clear(struct program *g)
{
    if (g->shim)
        g->shim->cut = g->shim->errs = g->shim->ended = 0;
    errno = 0;
}

/* After an error: is there more to try? */
static bool tries_again(struct program *g, int fd, short events)
{
    if (errno == EAGAIN) {
        struct pollfd p = {fd, events, 0};
        if (poll(&p, 1, 1000) == 1)
            return true;
        return complain(g, "nothing to poll for", 0, 0);
    }
    if (errno == EINTR || errno == ENOBUFS || errno == ENOMEM)
        return true;
    g->gave_up = true;
    return false;
}

/* Send all. @return false: it gave up, or was told what it may not be told */
static bool program_send(struct program *g, int fd, const char *p, size_t n, bool rest)
{
    for (int tries = 0; n > 0; tries++, rest = true) {
        clear(g);
        ssize_t r = send_once(g->sender, fd, p, n, rest);
        if (!may_be_told(g, false, r, n))
            return false;
        if (tries > 8)
            return complain(g, "no progress", r, n);
        if (r < 0 && !tries_again(g, fd, POLLOUT))
            return false;
        p += r > 0 ? r : 0;
        n -= r > 0 ? (size_t)r : 0;
    }
    return true;
}

/* Read what is there. @return bytes; 0: it gave up, or was told what it may not be told */
static size_t program_read(struct program *g, int fd, char *p, size_t n)
{
    for (int tries = 0; tries < 9; tries++) {
        clear(g);
        ssize_t r = read_once(g->reader, fd, p, n);
        if (!may_be_told(g, true, r, n))
            return 0;
        if (r == 0)
            g->gave_up = true;
        if (r >= 0)
            return (size_t)r;
        if (!tries_again(g, fd, POLLIN))
            return 0;
    }
    complain(g, "no progress", 0, n);
    return 0;
}

#endif
