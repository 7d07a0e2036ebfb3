/* SPDX-License-Identifier: Apache-2.0 */
/* send: the writing family. The descriptions of calls are made in cold functions, so that the fast
 * path of a hook needs no stack. */
#include "hooks/through.h"

#include <errno.h>

#include "sys/probe.h"

static COLD ssize_t cold_write(int fd, const void *buf, size_t n)
{
    struct call c = {.kind = CALL_WRITE, .fd = fd, .buf = buf, .n = n};
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
    struct call c = {.kind = CALL_SEND, .fd = fd, .buf = buf, .n = n, .flags = flags};
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
    struct call c = {
        .kind = CALL_SENDTO, .fd = fd, .buf = buf, .n = n, .flags = flags, .to = to, .tolen = len};
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
    struct call c = {.kind = CALL_SENDMSG, .fd = fd, .msg = msg, .flags = flags};
    return call_through(&c);
}

ssize_t hook_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    if (is_foreign(fd))
        return REAL(sendmsg)(fd, msg, flags);
    return one_message(fd, msg, flags);
}

static bool wanted_bytes(const struct msghdr *msg, size_t *n)
{
    *n = 0;
    if (msg->msg_iovlen > 1024 ||
        !probe_range(msg->msg_iov, msg->msg_iovlen * sizeof(struct iovec)))
        return false;
    for (size_t i = 0; i < msg->msg_iovlen; i++)
        *n += msg->msg_iov[i].iov_len;
    return true;
}

/* As the kernel does it: message after message, until one fails or is sent in part. */
static COLD int messages(int fd, struct mmsghdr *vec, unsigned n, int flags)
{
    unsigned done = 0;
    while (done < n) {
        size_t want;
        if (!wanted_bytes(&vec[done].msg_hdr, &want)) {
            tb_errno_set(EFAULT);
            break;
        }
        ssize_t r = one_message(fd, &vec[done].msg_hdr, flags);
        if (r < 0)
            break;
        vec[done++].msg_len = (unsigned)r;
        if ((size_t)r < want)
            break;
    }
    return done > 0 || n == 0 ? (int)done : -1;
}

static COLD int cold_sendmmsg(int fd, struct mmsghdr *vec, unsigned n, int flags)
{
    if (fdtab_kind(fd) <= FD_FOREIGN || n > 1024 || !probe_range(vec, n * sizeof(*vec)))
        return REAL(sendmmsg)(fd, vec, n, flags);
    return messages(fd, vec, n, flags);
}

int hook_sendmmsg(int fd, struct mmsghdr *vec, unsigned n, int flags)
{
    if (is_foreign(fd))
        return REAL(sendmmsg)(fd, vec, n, flags);
    return cold_sendmmsg(fd, vec, n, flags);
}

static COLD ssize_t cold_writev(int fd, const struct iovec *iov, int n)
{
    struct call c = {.kind = CALL_WRITEV, .fd = fd, .iov = iov, .iovcnt = n};
    return call_through(&c);
}

ssize_t hook_writev(int fd, const struct iovec *iov, int n)
{
    if (is_foreign(fd))
        return REAL(writev)(fd, iov, n);
    return cold_writev(fd, iov, n);
}
