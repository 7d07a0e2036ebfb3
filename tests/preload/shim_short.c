/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim_short: the kernel's whims on demand. Preloaded *under* the library, it
 * takes shim_accept[0] bytes at the first send, shim_accept[1] at the second,
 * then everything. 0 means -1 with EAGAIN; -1 ends the script.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "sys/raw.h"

__attribute__((visibility("default"))) long shim_accept[3] = {-1, -1, -1};

static long done(long r)
{
    if (r >= 0)
        return r;
    errno = (int)-r;
    return -1;
}

static long limit(void)
{
    long k = shim_accept[0];
    if (k >= 0) {
        shim_accept[0] = shim_accept[1];
        shim_accept[1] = shim_accept[2];
        shim_accept[2] = -1;
    }
    return k;
}

static long pieces(int fd, const struct iovec *iov, size_t n, int flags, int plain)
{
    struct iovec cut[256];
    size_t m = 0;
    long k = limit();
    if (k == 0)
        return done(-EAGAIN);
    for (size_t i = 0; i < n && m < 256; i++) {
        size_t len = iov[i].iov_len;
        if (k >= 0 && len > (size_t)k)
            len = (size_t)k;
        cut[m++] = (struct iovec){iov[i].iov_base, len};
        if (k >= 0)
            k -= (long)len;
    }
    if (plain)
        return done(raw3(SYS_writev, fd, (long)cut, (long)m));
    struct msghdr msg = {.msg_iov = cut, .msg_iovlen = m};
    return done(raw3(SYS_sendmsg, fd, (long)&msg, flags));
}

/* The exported names below must not call each other: such a call would begin at the library again.
 */
static ssize_t one(int fd, const void *p, size_t n, int flags, int plain)
{
    struct iovec v = {(void *)p, n};
    return fd <= 2 ? done(raw3(SYS_write, fd, (long)p, (long)n)) : pieces(fd, &v, 1, flags, plain);
}

ssize_t write(int fd, const void *p, size_t n)
{
    return one(fd, p, n, 0, 1);
}
ssize_t writev(int fd, const struct iovec *iov, int n)
{
    return pieces(fd, iov, (size_t)n, 0, 1);
}
ssize_t send(int fd, const void *p, size_t n, int flags)
{
    return one(fd, p, n, flags, 0);
}
ssize_t sendto(int fd, const void *p, size_t n, int flags, const struct sockaddr *to, socklen_t len)
{
    (void)to, (void)len;
    return one(fd, p, n, flags, 0);
}
ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
    return pieces(fd, msg->msg_iov, msg->msg_iovlen, flags, 0);
}
long syscall(long nr, long a, long b, long c, long d, long e, long f)
{
    if (nr == SYS_write)
        return one((int)a, (const void *)b, (size_t)c, 0, 1);
    if (nr == SYS_writev)
        return pieces((int)a, (const struct iovec *)b, (size_t)c, 0, 1);
    return done(raw6(nr, a, b, c, d, e, f));
}
