/* SPDX-License-Identifier: Apache-2.0 */
/* send: the writing family. The descriptions of calls are made in cold functions, so that the fast
 * path of a hook needs no stack. */
#include "hooks/through.h"

#include <errno.h>
#include <limits.h>

#include "sys/probe.h"

static COLD ssize_t cold_write(int fd, const void *buf, size_t n)
{
    struct call c = {.caller = CALLER, .kind = CALL_WRITE, .fd = fd, .buf = buf, .n = n};
    return call_through(&c);
}

ssize_t hook_write(int fd, const void *buf, size_t n)
{
    if (is_foreign(fd))
        return REAL(write)(fd, buf, n);
    return cold_write(fd, buf, n);
}

static COLD ssize_t cold_send(int fd, const void *buf, size_t n, int flags)
{
    struct call c = {
        .caller = CALLER, .kind = CALL_SEND, .fd = fd, .buf = buf, .n = n, .flags = flags};
    return call_through(&c);
}

ssize_t hook_send(int fd, const void *buf, size_t n, int flags)
{
    if (is_foreign(fd))
        return REAL(send)(fd, buf, n, flags);
    return cold_send(fd, buf, n, flags);
}

static COLD ssize_t cold_sendto(int fd, const void *buf, size_t n, int flags,
                                const struct sockaddr *to, socklen_t len)
{
    struct call c = {.caller = CALLER,
                     .kind = CALL_SENDTO,
                     .fd = fd,
                     .buf = buf,
                     .n = n,
                     .flags = flags,
                     .to = to,
                     .tolen = len};
    return call_through(&c);
}

ssize_t hook_sendto(int fd, const void *buf, size_t n, int flags, const struct sockaddr *to,
                    socklen_t len)
{
    if (is_foreign(fd))
        return REAL(sendto)(fd, buf, n, flags, to, len);
    return cold_sendto(fd, buf, n, flags, to, len);
}

static COLD ssize_t one_message(int fd, const struct msghdr *msg, int flags)
{
    struct call c = {.caller = CALLER, .kind = CALL_SENDMSG, .fd = fd, .msg = msg, .flags = flags};
    return call_through(&c);
}

ssize_t hook_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    if (is_foreign(fd))
        return REAL(sendmsg)(fd, msg, flags);
    return one_message(fd, msg, flags);
}

/* How many bytes a message offers; 0 where it cannot be read (then the kernel refuses it). */
static size_t offered(const struct msghdr *msg)
{
    size_t n = 0;
    if (msg->msg_iovlen > IOV_MAX ||
        !probe_range(msg->msg_iov, msg->msg_iovlen * sizeof(struct iovec)))
        return 0;
    for (size_t i = 0; i < msg->msg_iovlen; i++)
        n += msg->msg_iov[i].iov_len;
    return n;
}

/* As the kernel does it: message after message, until one fails or is sent in part; a length that
 * cannot be written back is EFAULT after the message has left. */
static COLD int messages(int fd, struct mmsghdr *vec, unsigned n, int flags)
{
    unsigned done = 0;
    while (done < n) {
        struct mmsghdr *m = &vec[done];
        if (!probe_range(m, sizeof(*m))) {
            tb_errno_set(EFAULT);
            break;
        }
        size_t want = offered(&m->msg_hdr);
        ssize_t r = one_message(fd, &m->msg_hdr, flags);
        if (r < 0)
            break;
        if (!probe_writable(&m->msg_len)) {
            tb_errno_set(EFAULT);
            break;
        }
        m->msg_len = (unsigned)r;
        done++;
        if ((size_t)r < want)
            break;
    }
    return done > 0 || n == 0 ? (int)done : -1;
}

static COLD int cold_sendmmsg(int fd, struct mmsghdr *vec, unsigned n, int flags)
{
    if (fdtab_kind(fd) <= FD_FOREIGN || engine_restricted_now())
        return REAL(sendmmsg)(fd, vec, n, flags);
    return messages(fd, vec, n < IOV_MAX ? n : IOV_MAX, flags);
}

int hook_sendmmsg(int fd, struct mmsghdr *vec, unsigned n, int flags)
{
    if (is_foreign(fd))
        return REAL(sendmmsg)(fd, vec, n, flags);
    return cold_sendmmsg(fd, vec, n, flags);
}

static COLD ssize_t cold_writev(int fd, const struct iovec *iov, int n)
{
    struct call c = {.caller = CALLER, .kind = CALL_WRITEV, .fd = fd, .iov = iov, .iovcnt = n};
    return call_through(&c);
}

ssize_t hook_writev(int fd, const struct iovec *iov, int n)
{
    if (is_foreign(fd))
        return REAL(writev)(fd, iov, n);
    return cold_writev(fd, iov, n);
}

static COLD ssize_t cold_pwritev2(int fd, const struct iovec *iov, int n, int flags)
{
    struct call c = {
        .caller = CALLER, .kind = CALL_PWRITEV2, .fd = fd, .iov = iov, .iovcnt = n, .rwf = flags};
    return call_through(&c);
}

/* At offset -1 it is writev() with flags; at any other a socket refuses it. */
ssize_t hook_pwritev2(int fd, const struct iovec *iov, int n, off64_t at, int flags)
{
    if (is_foreign(fd) || at != -1)
        return REAL(pwritev2)(fd, iov, n, at, flags);
    return cold_pwritev2(fd, iov, n, flags);
}

ssize_t hook_pwritev64v2(int fd, const struct iovec *iov, int n, off64_t at, int flags)
{
    if (is_foreign(fd) || at != -1)
        return REAL(pwritev64v2)(fd, iov, n, at, flags);
    return cold_pwritev2(fd, iov, n, flags);
}
