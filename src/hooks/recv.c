/* SPDX-License-Identifier: Apache-2.0 */
/* recv: the reading family. The real call comes first; what it returned is then looked at. */
#include "hooks/recv.h"

#include <limits.h>

#include "bridge/bridge.h"
#include "engine/child.h"
#include "sys/probe.h"

_Static_assert(sizeof(struct iovec) == sizeof(struct edit_piece) &&
                   offsetof(struct iovec, iov_base) == offsetof(struct edit_piece, p) &&
                   offsetof(struct iovec, iov_len) == offsetof(struct edit_piece, n),
               "edit_piece stands for iovec");

COLD void recv_after_pieces(int fd, const struct iovec *iov, size_t n, ssize_t got, int flags)
{
    if (got < !CHILD_GIVEN || (flags & (MSG_OOB | MSG_ERRQUEUE)))
        return;
    int saved = tb_errno_get();
    if (__builtin_expect(__atomic_load_n(&bridge_pending, __ATOMIC_RELAXED), 0) &&
        fdtab_kind(fd) != FD_CONN)
        bridge_check(tb_guard.caller);
    struct edit_piece gone = {NULL, (size_t)got};
    bool unseen = (flags & MSG_TRUNC) != 0; /* TCP discards the bytes (tcp(7)) */
    engine_received(fd, unseen ? &gone : (const struct edit_piece *)iov, unseen ? 1 : n,
                    (size_t)got, !(flags & MSG_DONTWAIT), (flags & MSG_PEEK) != 0);
    tb_errno_set(saved);
}

COLD void recv_after(int fd, void *buf, ssize_t got, int flags)
{
    struct iovec one = {buf, got > 0 ? (size_t)got : 0};
    recv_after_pieces(fd, &one, 1, got, flags);
}

/* Numbers that arrive in a message are new to this process. `foreign`: only of those that are known
 * for foreign there is anything to be said. */
static void passed_numbers(const struct msghdr *msg, bool foreign)
{
    struct msghdr m = *msg;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = c->cmsg_len - CMSG_LEN(0);
        size_t left = (size_t)((char *)m.msg_control + m.msg_controllen - (char *)CMSG_DATA(c));
        n = (n < left ? n : left) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
            if (!foreign || is_foreign(fd))
                engine_passed(fd);
        }
    }
}

COLD void recv_after_msg(int fd, const struct msghdr *msg, ssize_t got, int flags)
{
    if (got < 0)
        return;
    if (msg->msg_controllen >= sizeof(struct cmsghdr))
        passed_numbers(msg, false);
    recv_after_pieces(fd, msg->msg_iov, msg->msg_iovlen, got, flags);
}

COLD void recv_after_vector(int fd, const struct iovec *iov, int n, ssize_t got)
{
    if (iov)
        recv_after_pieces(fd, iov, n > 0 ? (size_t)n : 0, got, 0);
    else
        recv_after(fd, NULL, got, 0);
}

static COLD ssize_t cold_read(int fd, void *buf, size_t n)
{
    ssize_t got = REAL(read)(fd, buf, n);
    CALLED_FROM();
    recv_after(fd, buf, got, 0);
    return got;
}

ssize_t hook_read(int fd, void *buf, size_t n)
{
    if (is_foreign(fd))
        return REAL(read)(fd, buf, n);
    return cold_read(fd, buf, n);
}

static COLD ssize_t cold_read_chk(int fd, void *buf, size_t n, size_t buflen)
{
    ssize_t got = REAL(__read_chk)(fd, buf, n, buflen);
    CALLED_FROM();
    recv_after(fd, buf, got, 0);
    return got;
}

ssize_t hook___read_chk(int fd, void *buf, size_t n, size_t buflen)
{
    if (is_foreign(fd))
        return REAL(__read_chk)(fd, buf, n, buflen);
    return cold_read_chk(fd, buf, n, buflen);
}

static COLD ssize_t cold_recv(int fd, void *buf, size_t n, int flags)
{
    ssize_t got = REAL(recv)(fd, buf, n, flags);
    CALLED_FROM();
    recv_after(fd, buf, got, flags);
    return got;
}

ssize_t hook_recv(int fd, void *buf, size_t n, int flags)
{
    if (is_foreign(fd))
        return REAL(recv)(fd, buf, n, flags);
    return cold_recv(fd, buf, n, flags);
}

static COLD ssize_t cold_recv_chk(int fd, void *buf, size_t n, size_t buflen, int flags)
{
    ssize_t got = REAL(__recv_chk)(fd, buf, n, buflen, flags);
    CALLED_FROM();
    recv_after(fd, buf, got, flags);
    return got;
}

ssize_t hook___recv_chk(int fd, void *buf, size_t n, size_t buflen, int flags)
{
    if (is_foreign(fd))
        return REAL(__recv_chk)(fd, buf, n, buflen, flags);
    return cold_recv_chk(fd, buf, n, buflen, flags);
}

static COLD ssize_t cold_recvfrom(int fd, void *buf, size_t n, int flags, struct sockaddr *from,
                                  socklen_t *len)
{
    ssize_t got = REAL(recvfrom)(fd, buf, n, flags, from, len);
    CALLED_FROM();
    recv_after(fd, buf, got, flags);
    return got;
}

ssize_t hook_recvfrom(int fd, void *buf, size_t n, int flags, struct sockaddr *from, socklen_t *len)
{
    if (is_foreign(fd))
        return REAL(recvfrom)(fd, buf, n, flags, from, len);
    return cold_recvfrom(fd, buf, n, flags, from, len);
}

static COLD ssize_t cold_recvfrom_chk(int fd, void *buf, size_t n, size_t buflen, int flags,
                                      struct sockaddr *from, socklen_t *len)
{
    ssize_t got = REAL(__recvfrom_chk)(fd, buf, n, buflen, flags, from, len);
    CALLED_FROM();
    recv_after(fd, buf, got, flags);
    return got;
}

ssize_t hook___recvfrom_chk(int fd, void *buf, size_t n, size_t buflen, int flags,
                            struct sockaddr *from, socklen_t *len)
{
    if (is_foreign(fd))
        return REAL(__recvfrom_chk)(fd, buf, n, buflen, flags, from, len);
    return cold_recvfrom_chk(fd, buf, n, buflen, flags, from, len);
}

static bool overlap(const void *a, size_t n, const void *b, size_t m)
{
    return (uintptr_t)a < (uintptr_t)b + m && (uintptr_t)b < (uintptr_t)a + n;
}

COLD bool recv_hides(const struct iovec *iov, size_t n, const void *more, size_t len)
{
    size_t bytes = n * sizeof(*iov);
    if (n > IOV_MAX || !probe_range(iov, bytes))
        return true;
    for (size_t i = 0; i < n; i++)
        if (overlap(iov[i].iov_base, iov[i].iov_len, iov, bytes) ||
            overlap(iov[i].iov_base, iov[i].iov_len, more, len))
            return true;
    return false;
}

COLD bool recv_hides_msg(const struct msghdr *msg)
{
    return !probe_range(msg, sizeof(*msg)) ||
           recv_hides(msg->msg_iov, msg->msg_iovlen, msg, sizeof(*msg));
}

static COLD ssize_t cold_recvmsg(int fd, struct msghdr *msg, int flags)
{
    bool hidden = recv_hides_msg(msg);
    ssize_t got = REAL(recvmsg)(fd, msg, flags);
    CALLED_FROM();
    if (hidden)
        recv_after(fd, NULL, got, flags);
    else
        recv_after_msg(fd, msg, got, flags);
    return got;
}

/* What is not followed may bring numbers, too. The kernel has read and written *msg; what it holds
 * now may be anything if the program received into it. */
static COLD ssize_t foreign_recvmsg(ssize_t got, const struct msghdr *msg)
{
    int saved = tb_errno_get();
    if (got >= 0 && msg->msg_controllen >= sizeof(struct cmsghdr) && !engine_restricted_now() &&
        probe_range(msg->msg_control, msg->msg_controllen))
        passed_numbers(msg, true);
    tb_errno_set(saved);
    return got;
}

ssize_t hook_recvmsg(int fd, struct msghdr *msg, int flags)
{
    if (is_foreign(fd))
        return foreign_recvmsg(REAL(recvmsg)(fd, msg, flags), msg);
    return cold_recvmsg(fd, msg, flags);
}

/* What can be read of a batch is a stream's only in theory: followed where the vector is plain. */
static bool hides_batch(const struct mmsghdr *vec, unsigned n)
{
    bool hidden = n > IOV_MAX || !probe_range(vec, n * sizeof(*vec));
    for (unsigned i = 0; i < n && !hidden; i++)
        hidden =
            recv_hides(vec[i].msg_hdr.msg_iov, vec[i].msg_hdr.msg_iovlen, vec, n * sizeof(*vec));
    return hidden;
}

static COLD int cold_recvmmsg(int fd, struct mmsghdr *vec, unsigned n, int flags,
                              struct timespec *timeout)
{
    bool hidden = hides_batch(vec, n);
    int got = REAL(recvmmsg)(fd, vec, n, flags, timeout);
    CALLED_FROM();
    if (hidden && got > 0)
        engine_stray(fd);
    for (int i = 0; i < got && !hidden; i++)
        recv_after_msg(fd, &vec[i].msg_hdr, vec[i].msg_len, flags);
    return got;
}

int hook_recvmmsg(int fd, struct mmsghdr *vec, unsigned n, int flags, struct timespec *timeout)
{
    if (is_foreign(fd))
        return REAL(recvmmsg)(fd, vec, n, flags, timeout);
    return cold_recvmmsg(fd, vec, n, flags, timeout);
}

static COLD ssize_t cold_readv(int fd, const struct iovec *iov, int n)
{
    size_t answer;
    if (fd == BRIDGE_FD && bridge_call((const struct edit_piece *)iov, n, &answer))
        return (ssize_t)answer;
    bool hidden = recv_hides(iov, n > 0 ? (size_t)n : 0, NULL, 0);
    ssize_t got = REAL(readv)(fd, iov, n);
    CALLED_FROM();
    recv_after_vector(fd, hidden ? NULL : iov, n, got);
    return got;
}

ssize_t hook_readv(int fd, const struct iovec *iov, int n)
{
    if (is_foreign(fd))
        return REAL(readv)(fd, iov, n);
    return cold_readv(fd, iov, n);
}

/* At offset -1 it is readv() with flags; at any other a socket refuses it. */
static COLD ssize_t cold_preadv2(int fd, const struct iovec *iov, int n, off64_t at, int flags)
{
    bool hidden = recv_hides(iov, n > 0 ? (size_t)n : 0, NULL, 0);
    ssize_t got = REAL(preadv2)(fd, iov, n, at, flags);
    CALLED_FROM();
    recv_after_vector(fd, hidden ? NULL : iov, n, got);
    return got;
}

ssize_t hook_preadv2(int fd, const struct iovec *iov, int n, off64_t at, int flags)
{
    if (is_foreign(fd) || at != -1)
        return REAL(preadv2)(fd, iov, n, at, flags);
    return cold_preadv2(fd, iov, n, at, flags);
}

ssize_t hook_preadv64v2(int fd, const struct iovec *iov, int n, off64_t at, int flags)
{
    if (is_foreign(fd) || at != -1)
        return REAL(preadv64v2)(fd, iov, n, at, flags);
    return cold_preadv2(fd, iov, n, at, flags);
}
