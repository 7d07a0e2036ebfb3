/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sysno: syscall(), for the numbers that move bytes of sockets, make or unmake
 * numbers, or wait (libuv closes and polls through it), and prctl(). Any other
 * number passes untouched (bug museum 23).
 */
#include "hooks/recv.h"
#include "hooks/sock.h"
#include "hooks/through.h"
#include "hooks/wait.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "sys/proc.h"

#define PASS() REAL(syscall)(nr, a, b, c, d, e, f)

static COLD long sending(long nr, long a, long b, long c, long d, long e, long f)
{
    struct call call = {.caller = CALLER, .raw = true, .fd = (int)a};
    switch (nr) {
    case SYS_write:
        call.kind = CALL_WRITE;
        call.buf = (const void *)b;
        call.n = (size_t)c;
        break;
    case SYS_writev:
        call.kind = CALL_WRITEV;
        call.iov = (const struct iovec *)b;
        call.iovcnt = (int)c;
        break;
    case SYS_sendto:
        call.kind = CALL_SENDTO;
        call.buf = (const void *)b;
        call.n = (size_t)c;
        call.flags = (int)d;
        call.to = (const struct sockaddr *)e;
        call.tolen = (socklen_t)f;
        break;
    default:
        call.kind = CALL_SENDMSG;
        call.msg = (const struct msghdr *)b;
        call.flags = (int)c;
    }
    return call_through(&call);
}

static bool hides(long nr, long b, long c)
{
    if (nr == SYS_readv)
        return recv_hides((const struct iovec *)b, c > 0 ? (size_t)c : 0, NULL, 0);
    return nr == SYS_recvmsg && recv_hides_msg((const struct msghdr *)b);
}

static COLD long reading(long nr, long a, long b, long c, long d, long e, long f)
{
    int fd = (int)a;
    bool hidden = hides(nr, b, c);
    long got = PASS();
    CALLED_FROM();
    switch (nr) {
    case SYS_read:
        recv_after(fd, (void *)b, got, 0);
        break;
    case SYS_recvfrom:
        recv_after(fd, (void *)b, got, (int)d);
        break;
    case SYS_readv:
        recv_after_vector(fd, hidden ? NULL : (const struct iovec *)b, (int)c, got);
        break;
    default:
        if (hidden)
            recv_after(fd, NULL, got, (int)c);
        else
            recv_after_msg(fd, (const struct msghdr *)b, got, (int)c);
    }
    return got;
}

/* Numbers that came into being. */
static COLD void made(long nr, long a, long b, long d, long r)
{
    switch (nr) {
    case SYS_socket:
        engine_socket((int)r, (int)a, (int)b);
        break;
    case SYS_socketpair:
        engine_socket(((int *)d)[0], (int)a, (int)b);
        engine_socket(((int *)d)[1], (int)a, (int)b);
        break;
    case SYS_accept:
    case SYS_accept4:
        engine_accepted((int)a, (int)r);
        break;
    case SYS_ioctl:
        engine_flags((int)a);
        break;
    case SYS_fcntl: /* most of its commands return no number */
        if (b == F_SETFL)
            engine_flags((int)a);
        if (b == F_DUPFD || b == F_DUPFD_CLOEXEC)
            engine_duplicated((int)a, (int)r);
        break;
#ifdef SYS_epoll_create
    case SYS_epoll_create:
#endif
    case SYS_epoll_create1:
        engine_epoll((int)r);
        break;
    default:
        engine_duplicated((int)a, (int)r);
    }
}

static COLD void waits(long nr, long a, long b, long c)
{
    switch (nr) {
#ifdef SYS_poll
    case SYS_poll:
#endif
    case SYS_ppoll:
        wait_poll((const struct pollfd *)a, (nfds_t)b);
        break;
#ifdef SYS_select
    case SYS_select:
#endif
    case SYS_pselect6:
        wait_select((int)a, (const fd_set *)b, (const fd_set *)c);
        break;
#ifdef SYS_io_uring_enter
    case SYS_io_uring_enter: /* a ring may wait for anything */
#endif
    case SYS_accept:
    case SYS_accept4:
        engine_waiting();
        break;
    default:
        wait_epoll((int)a);
    }
}

/* What is said of a number before the call. */
static COLD void leaves(long nr, long a, long b, long c)
{
    if (nr == SYS_shutdown && fdtab_kind((int)a) == FD_CONN && b != SHUT_RD)
        sock_shutting((int)a);
    if (nr == SYS_close && !is_untracked((int)a))
        engine_closing((int)a);
#ifdef SYS_close_range
    if (nr == SYS_close_range && !(c & (CLOSE_RANGE_CLOEXEC | CLOSE_RANGE_UNSHARE)))
        engine_closing_range((unsigned)a, (unsigned)b);
#endif
    if (nr == SYS_listen && !is_foreign((int)a))
        engine_listening((int)a);
}

/* Bytes move by a call that nobody makes this way: what is owed leaves first, then the stream is
 * left alone. */
static COLD bool strays(long fd)
{
    if (is_foreign((int)fd))
        return true;
    int saved = tb_errno_get();
    if (!call_flush_owed((int)fd, 0))
        return false;
    engine_stray((int)fd);
    tb_errno_set(saved);
    return true;
}

/* A filter may kill for any call it does not name. A vfork child's is not its parent's, whose
 * memory this is. */
static bool is_restriction(long nr, long a)
{
    return nr == SYS_prctl ? a == PR_SET_SECCOMP
                           : a == SECCOMP_SET_MODE_STRICT || a == SECCOMP_SET_MODE_FILTER;
}

static COLD long restricts(long nr, long a, long b, long c, long d, long e, long f)
{
    bool ours = is_restriction(nr, a) && !proc_is_vfork_child();
    long r = PASS();
    if (r == 0 && ours)
        engine_restricted();
    return r;
}

int hook_prctl(int op, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
    bool ours = op == PR_SET_SECCOMP && !proc_is_vfork_child();
    int r = REAL(prctl)(op, a, b, c, d);
    if (r == 0 && ours)
        engine_restricted();
    return r;
}

static COLD long makes(long nr, long a, long b, long c, long d, long e, long f)
{
    long r = PASS();
    int saved = tb_errno_get();
    if (r >= 0)
        made(nr, a, b, d, r);
    tb_errno_set(saved);
    return r;
}

static COLD long connects(long nr, long a, long b, long c, long d, long e, long f)
{
    long r = PASS();
    sock_connected((int)a, (int)r);
    return r;
}

static COLD long watches(long nr, long a, long b, long c, long d, long e, long f)
{
    long r = PASS();
    if (r == 0 && b == EPOLL_CTL_ADD && !is_foreign((int)c))
        wait_added((int)a, (int)c);
    return r;
}

enum sort {
#define SORT(sort) sort,
#include "hooks/sysno.def"
#undef SORT
};

static inline enum sort sort_of(long nr)
{
    switch (nr) {
#define SYSNO(name, sort)                                                                          \
    case SYS_##name:                                                                               \
        return sort;
#include "hooks/sysno.def"
#undef SYSNO
    }
    return OTHER;
}

static COLD long handle(enum sort sort, long nr, long a, long b, long c, long d, long e, long f)
{
    switch (sort) {
    case READS:
        return is_foreign((int)a) ? PASS() : reading(nr, a, b, c, d, e, f);
    case WRITES:
        return is_foreign((int)a) ? PASS() : sending(nr, a, b, c, d, e, f);
    case LEAVES:
        leaves(nr, a, b, c);
        return PASS();
    case ACCEPTS:
        if (engine_serving())
            waits(nr, a, b, c);
        return makes(nr, a, b, c, d, e, f);
    case MAKES:
        return makes(nr, a, b, c, d, e, f);
    case WAITS:
        if (engine_serving())
            waits(nr, a, b, c);
        return PASS();
    case CONNECTS:
        return is_foreign((int)a) ? PASS() : connects(nr, a, b, c, d, e, f);
    case WATCHES:
        return watches(nr, a, b, c, d, e, f);
    case STRAYS:
        return strays(a) && (nr != SYS_splice || strays(c)) ? PASS() : -1;
    case RESTRICTS:
        return restricts(nr, a, b, c, d, e, f);
    case OTHER:
        break;
    }
    return PASS();
}

long hook_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
    enum sort sort = sort_of(nr);
    return __builtin_expect(sort == OTHER, 1) ? PASS() : handle(sort, nr, a, b, c, d, e, f);
}
