/* SPDX-License-Identifier: Apache-2.0 */
/* send: the writing family. */
#include "hooks/through.h"

#include <errno.h>

#include "sys/probe.h"

ssize_t hook_write(int fd, const void *buf, size_t n)
{
    if (is_foreign(fd))
        return REAL(write)(fd, buf, n);
    struct call c = {.kind = CALL_WRITE, .fd = fd, .buf = buf, .n = n};
    return call_through(&c);
}

ssize_t hook_send(int fd, const void *buf, size_t n, int flags)
{
    if (is_foreign(fd))
        return REAL(send)(fd, buf, n, flags);
    struct call c = {.kind = CALL_SEND, .fd = fd, .buf = buf, .n = n, .flags = flags};
    return call_through(&c);
}

ssize_t hook_sendto(int fd, const void *buf, size_t n, int flags, const struct sockaddr *to,
                      socklen_t len)
{
    if (is_foreign(fd))
        return REAL(sendto)(fd, buf, n, flags, to, len);
    struct call c = {.kind = CALL_SENDTO,
                     .fd = fd,
                     .buf = buf,
                     .n = n,
                     .flags = flags,
                     .to = to,
                     .tolen = len};
    return call_through(&c);
}

static ssize_t one_message(int fd, const struct msghdr *msg, int flags)
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

/* As the kernel does it: message after message, until one fails or is sent in part. */
static COLD int messages(int fd, struct mmsghdr *vec, unsigned n, int flags)
{
    unsigned done = 0;
    while (done < n) {
        struct msghdr *msg = &vec[done].msg_hdr;
        size_t want = 0;
        if (!probe_range(msg->msg_iov, msg->msg_iovlen * sizeof(struct iovec))) {
            tb_errno_set(EFAULT);
            break;
        }
        for (size_t i = 0; i < msg->msg_iovlen; i++)
            want += msg->msg_iov[i].iov_len;
        ssize_t r = one_message(fd, msg, flags);
        if (r < 0)
            break;
        vec[done++].msg_len = (unsigned)r;
        if ((size_t)r < want)
            break;
    }
    return done > 0 || n == 0 ? (int)done : -1;
}

int hook_sendmmsg(int fd, struct mmsghdr *vec, unsigned n, int flags)
{
    bool plain = is_foreign(fd) || fdtab_kind(fd) == FD_UNKNOWN || n > 1024;
    if (plain || !probe_range(vec, n * sizeof(*vec)))
        return REAL(sendmmsg)(fd, vec, n, flags);
    return messages(fd, vec, n, flags);
}

ssize_t hook_writev(int fd, const struct iovec *iov, int n)
{
    if (is_foreign(fd))
        return REAL(writev)(fd, iov, n);
    struct call c = {.kind = CALL_WRITEV, .fd = fd, .iov = iov, .iovcnt = n};
    return call_through(&c);
}
