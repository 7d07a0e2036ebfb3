/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sysno: syscall(), for the numbers that runtimes use on sockets (libuv closes
 * and polls through it). Any other number passes untouched (bug museum 23).
 */
#include "hooks/recv.h"
#include "hooks/through.h"

#include <sys/syscall.h>

#define PASS() REAL(syscall)(nr, a, b, c, d, e, f)

static COLD long sending(long nr, long a, long b, long c, long d, long e, long f)
{
    struct call call = {.raw = true, .fd = (int)a};
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

static COLD long reading(long nr, long a, long b, long c, long d, long e, long f)
{
    int fd = (int)a;
    long got = PASS();
    switch (nr) {
    case SYS_read:
        recv_after(fd, (void *)b, got, 0);
        break;
    case SYS_recvfrom:
        recv_after(fd, (void *)b, got, (int)d);
        break;
    case SYS_readv:
        recv_after_pieces(fd, (const struct iovec *)b, c > 0 ? (size_t)c : 0, got, 0);
        break;
    default:
        recv_after_msg(fd, (const struct msghdr *)b, got, (int)c);
    }
    return got;
}

static COLD void made(long nr, long a, long b, long r)
{
    switch (nr) {
    case SYS_socket:
        engine_socket((int)r, (int)a, (int)b);
        break;
    case SYS_accept:
    case SYS_accept4:
        engine_accepted((int)a, (int)r);
        break;
    default:
        engine_duplicated((int)a, (int)r);
    }
}

long hook_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
    switch (nr) {
    case SYS_read:
    case SYS_readv:
    case SYS_recvfrom:
    case SYS_recvmsg:
        return is_foreign((int)a) ? PASS() : reading(nr, a, b, c, d, e, f);
    case SYS_write:
    case SYS_writev:
    case SYS_sendto:
    case SYS_sendmsg:
        return is_foreign((int)a) ? PASS() : sending(nr, a, b, c, d, e, f);
    case SYS_close:
        if (!is_untracked((int)a))
            engine_closing((int)a);
        return PASS();
    case SYS_accept:
    case SYS_accept4:
        if (engine_serving())
            engine_waiting();
        /* fall through */
    case SYS_socket:
    case SYS_dup:
#ifdef SYS_dup2
    case SYS_dup2:
#endif
    case SYS_dup3: {
        long r = PASS();
        if (r >= 0)
            made(nr, a, b, r);
        return r;
    }
#ifdef SYS_epoll_wait
    case SYS_epoll_wait:
#endif
    case SYS_epoll_pwait:
        if (engine_serving())
            engine_polling((int)a);
        return PASS();
#ifdef SYS_io_uring_enter
    case SYS_io_uring_enter: /* a ring may wait for anything */
        if (engine_serving())
            engine_waiting();
        return PASS();
#endif
    default:
        return PASS();
    }
}
