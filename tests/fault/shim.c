/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim: the kernel's whims on demand. Preloaded *under* the library, so that the
 * library's real calls end here. While shim.on is set they are numbered, and those
 * that shim.fault names fail or move less than was asked. A connection that was
 * reset stays so. The exported names must not call each other: such a call would
 * begin at the library again.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "fault/shim.h"
#include "sys/raw.h"

#define PUBLIC __attribute__((visibility("default")))
#define PIECES 256

PUBLIC struct shim shim;

static long done(long r)
{
    if (r >= 0)
        return r;
    errno = (int)-r;
    return -1;
}

static long give(int err)
{
    if (err == SHIM_END)
        shim.ended = 1;
    else if (shim.errs < 4)
        shim.err[shim.errs++] = err;
    return err == SHIM_END ? 0 : -err;
}

/* @return how much the call may move; 0: the stream's end; negative: the error */
static long gate(int fd, int reads, long n)
{
    if (!shim.on || fd < 0 || fd >= SHIM_FDS)
        return n;
    if (shim.dead[fd])
        return reads ? give(SHIM_END) : give(EPIPE);
    int at = ++shim.calls;
    if (at < SHIM_CALLS)
        shim.call[at] = (struct shim_call){fd, reads, n};
    for (int i = 0; i < 2; i++) {
        struct fault f = shim.fault[i];
        if (f.at != at)
            continue;
        shim.dead[fd] = f.err == ECONNRESET || f.err == EPIPE || f.err == SHIM_END;
        if (f.err)
            return give(f.err);
        if (f.cut < n) {
            shim.cut = 1;
            return f.cut;
        }
    }
    return n;
}

/* What a read really moved is what can be cut. */
static long noted(int reads, long r)
{
    if (shim.on && reads && r > 0 && shim.calls > 0 && shim.calls < SHIM_CALLS)
        shim.call[shim.calls].n = r;
    return done(r);
}

static long one(long nr, int reads, int fd, const void *p, size_t n, long flags, long e, long f)
{
    long k = n ? gate(fd, reads, (long)n) : 0;
    if (k < 0 || (k == 0 && n))
        return done(k);
    return noted(reads, raw6(nr, fd, (long)p, k, flags, e, f));
}

/* @return the number of pieces that hold the first k bytes */
static size_t cut_to(struct iovec *cut, const struct iovec *iov, size_t n, long k)
{
    size_t m = 0;
    for (; m < n && m < PIECES; m++) {
        size_t len = iov[m].iov_len < (size_t)k ? iov[m].iov_len : (size_t)k;
        cut[m] = (struct iovec){iov[m].iov_base, len};
        k -= (long)len;
    }
    return m;
}

static long length(const struct iovec *iov, size_t n)
{
    long sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (long)iov[i].iov_len;
    return sum;
}

static long vector(long nr, int reads, int fd, const struct iovec *iov, size_t n, int flags)
{
    struct iovec cut[PIECES];
    long all = length(iov, n), k = all ? gate(fd, reads, all) : 0;
    if (k < 0 || (k == 0 && all))
        return done(k);
    size_t m = cut_to(cut, iov, n, k);
    return noted(reads, raw6(nr, fd, (long)cut, (long)m, -1, -1, flags));
}

static long message(long nr, int reads, int fd, struct msghdr *msg, int flags)
{
    struct iovec cut[PIECES];
    struct msghdr m = *msg;
    long all = length(m.msg_iov, m.msg_iovlen), k = all ? gate(fd, reads, all) : 0;
    if (k < 0 || (k == 0 && all))
        return done(k);
    m.msg_iovlen = cut_to(cut, m.msg_iov, m.msg_iovlen, k);
    m.msg_iov = cut;
    long r = noted(reads, raw3(nr, fd, (long)&m, flags));
    if (reads) {
        msg->msg_flags = m.msg_flags;
        msg->msg_controllen = m.msg_controllen;
    }
    return r;
}

static int messages(long nr, int reads, int fd, struct mmsghdr *vec, unsigned n, int flags)
{
    unsigned at = 0;
    for (; at < n; at++) {
        long want = length(vec[at].msg_hdr.msg_iov, vec[at].msg_hdr.msg_iovlen);
        long r = message(nr, reads, fd, &vec[at].msg_hdr, flags);
        if (r < 0)
            return at ? (int)at : -1;
        vec[at].msg_len = (unsigned)r;
        if (r < want || reads)
            return (int)at + 1;
    }
    return (int)at;
}

/* --- writing -----------------------------------------------------------------------------------
 */

PUBLIC ssize_t write(int fd, const void *p, size_t n)
{
    return one(SYS_write, 0, fd, p, n, 0, 0, 0);
}
PUBLIC ssize_t send(int fd, const void *p, size_t n, int flags)
{
    return one(SYS_sendto, 0, fd, p, n, flags, 0, 0);
}
PUBLIC ssize_t sendto(int fd, const void *p, size_t n, int flags, const struct sockaddr *to,
                      socklen_t len)
{
    return one(SYS_sendto, 0, fd, p, n, flags, (long)to, len);
}
PUBLIC ssize_t writev(int fd, const struct iovec *iov, int n)
{
    return vector(SYS_writev, 0, fd, iov, (size_t)n, 0);
}
PUBLIC ssize_t pwritev2(int fd, const struct iovec *iov, int n, off_t at, int flags)
{
    (void)at;
    return vector(SYS_pwritev2, 0, fd, iov, (size_t)n, flags);
}
PUBLIC ssize_t pwritev64v2(int fd, const struct iovec *iov, int n, off_t at, int flags)
{
    (void)at;
    return vector(SYS_pwritev2, 0, fd, iov, (size_t)n, flags);
}
PUBLIC ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
    return message(SYS_sendmsg, 0, fd, (struct msghdr *)msg, flags);
}
PUBLIC int sendmmsg(int fd, struct mmsghdr *vec, unsigned n, int flags)
{
    return messages(SYS_sendmsg, 0, fd, vec, n, flags);
}

static long file(int out, int in, off_t *off, size_t n)
{
    long k = gate(out, 0, (long)n);
    return k <= 0 ? done(k) : done(raw4(SYS_sendfile, out, in, (long)off, k));
}
PUBLIC ssize_t sendfile(int out, int in, off_t *off, size_t n)
{
    return file(out, in, off, n);
}
PUBLIC ssize_t sendfile64(int out, int in, off64_t *off, size_t n)
{
    return file(out, in, (off_t *)off, n);
}
PUBLIC ssize_t splice(int in, off64_t *offin, int out, off64_t *offout, size_t n, unsigned flags)
{
    long k = gate(out, 0, (long)n);
    return k <= 0 ? done(k) : done(raw6(SYS_splice, in, (long)offin, out, (long)offout, k, flags));
}

/* --- reading -----------------------------------------------------------------------------------
 */

PUBLIC ssize_t read(int fd, void *p, size_t n)
{
    return one(SYS_read, 1, fd, p, n, 0, 0, 0);
}
PUBLIC ssize_t __read_chk(int fd, void *p, size_t n, size_t room)
{
    (void)room;
    return one(SYS_read, 1, fd, p, n, 0, 0, 0);
}
PUBLIC ssize_t recv(int fd, void *p, size_t n, int flags)
{
    return one(SYS_recvfrom, 1, fd, p, n, flags, 0, 0);
}
PUBLIC ssize_t recvfrom(int fd, void *p, size_t n, int flags, struct sockaddr *from, socklen_t *len)
{
    return one(SYS_recvfrom, 1, fd, p, n, flags, (long)from, (long)len);
}
PUBLIC ssize_t readv(int fd, const struct iovec *iov, int n)
{
    return vector(SYS_readv, 1, fd, iov, (size_t)n, 0);
}
PUBLIC ssize_t preadv2(int fd, const struct iovec *iov, int n, off_t at, int flags)
{
    (void)at;
    return vector(SYS_preadv2, 1, fd, iov, (size_t)n, flags);
}
PUBLIC ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
    return message(SYS_recvmsg, 1, fd, msg, flags);
}
PUBLIC int recvmmsg(int fd, struct mmsghdr *vec, unsigned n, int flags, struct timespec *timeout)
{
    (void)timeout;
    return messages(SYS_recvmsg, 1, fd, vec, n, flags & ~MSG_WAITFORONE);
}

/* --- by number ---------------------------------------------------------------------------------
 */

PUBLIC long syscall(long nr, long a, long b, long c, long d, long e, long f)
{
    switch (nr) {
    case SYS_write:
    case SYS_sendto:
        return one(nr, 0, (int)a, (const void *)b, (size_t)c, d, e, f);
    case SYS_read:
    case SYS_recvfrom:
        return one(nr, 1, (int)a, (const void *)b, (size_t)c, d, e, f);
    case SYS_writev:
        return vector(nr, 0, (int)a, (const struct iovec *)b, (size_t)c, 0);
    case SYS_readv:
        return vector(nr, 1, (int)a, (const struct iovec *)b, (size_t)c, 0);
    case SYS_sendmsg:
        return message(nr, 0, (int)a, (struct msghdr *)b, (int)c);
    case SYS_recvmsg:
        return message(nr, 1, (int)a, (struct msghdr *)b, (int)c);
    default:
        return done(raw6(nr, a, b, c, d, e, f));
    }
}
