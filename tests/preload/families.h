/* SPDX-License-Identifier: Apache-2.0 */
/* families: one send, by every call a program may make it with. Vectors are cut in four, one empty.
 */
#ifndef TB_TESTS_FAMILIES_H
#define TB_TESTS_FAMILIES_H

#include "raw.h"

enum family { F_WRITE, F_SEND, F_SENDTO, F_WRITEV, F_SENDMSG, F_SENDMMSG, F_SYSCALL, FAMILIES };
static const char *const family_name[] = {"write",   "send",     "sendto", "writev",
                                          "sendmsg", "sendmmsg", "syscall"};

static inline size_t cut4(struct iovec v[4], const char *p, size_t n)
{
    size_t a = n / 3, b = n - n / 4;
    v[0] = (struct iovec){(void *)p, a};
    v[1] = (struct iovec){(void *)(p + a), 0};
    v[2] = (struct iovec){(void *)(p + a), b - a};
    v[3] = (struct iovec){(void *)(p + b), n - b};
    return 4;
}

/* Two messages: the first half and the second. @return bytes told, or -1 */
static inline ssize_t by_sendmmsg(int fd, const char *p, size_t n, int flags)
{
    struct iovec v[2] = {{(void *)p, n / 2}, {(void *)(p + n / 2), n - n / 2}};
    struct mmsghdr m[2] = {{.msg_hdr = {.msg_iov = &v[0], .msg_iovlen = 1}},
                           {.msg_hdr = {.msg_iov = &v[1], .msg_iovlen = 1}}};
    int first = n / 2 == 0;
    int r = sendmmsg(fd, m + first, 2u - (unsigned)first, flags);
    if (r < 0)
        return -1;
    ssize_t told = 0;
    for (int i = 0; i < r; i++)
        told += m[first + i].msg_len;
    return told;
}

static inline ssize_t send_by(enum family f, int fd, const char *p, size_t n, int flags)
{
    struct iovec v[4];
    struct msghdr m = {.msg_iov = v, .msg_iovlen = cut4(v, p, n)};
    switch (f) {
    case F_WRITE:
        return write(fd, p, n);
    case F_SEND:
        return send(fd, p, n, flags);
    case F_SENDTO:
        return sendto(fd, p, n, flags, NULL, 0);
    case F_WRITEV:
        return writev(fd, v, 4);
    case F_SENDMSG:
        return sendmsg(fd, &m, flags);
    case F_SENDMMSG:
        return by_sendmmsg(fd, p, n, flags);
    default:
        return syscall(SYS_write, fd, p, n, 0, 0, 0);
    }
}

#endif
