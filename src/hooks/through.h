/* SPDX-License-Identifier: Apache-2.0 */
/*
 * through: one way for all sending families. A call is described once; the
 * engine says whether it goes out as it is or as edited pieces.
 */
#ifndef TB_HOOKS_THROUGH_H
#define TB_HOOKS_THROUGH_H

#include "hooks/real.h"

enum call_kind { CALL_WRITE, CALL_WRITEV, CALL_PWRITEV2, CALL_SEND, CALL_SENDTO, CALL_SENDMSG };

/** One call of the program, as it made it. */
struct call {
    enum call_kind kind;
    bool raw; /* it came through syscall(): no cancellation point */
    int fd;
    int flags;       /* MSG_* */
    int rwf;         /* PWRITEV2: RWF_* */
    const void *buf; /* WRITE, SEND, SENDTO */
    size_t n;
    const struct iovec *iov; /* WRITEV, PWRITEV2 */
    int iovcnt;
    const struct sockaddr *to; /* SENDTO */
    socklen_t tolen;
    const struct msghdr *msg; /* SENDMSG */
};

/** Make it. @return what the program is to be told, errno set as by the real call. */
ssize_t call_through(const struct call *c);

/** Send what is owed on this number before other bytes may leave.
 *  @return false: it did not leave (errno says why, be it EAGAIN or ENOBUFS); nothing else may be
 *  sent. */
bool call_flush_owed(int fd, int flags);

#endif
