/* SPDX-License-Identifier: Apache-2.0 */
/* sock: where sockets come from. */
#include "hooks/sock.h"

#include "hooks/load.h"
#include "hooks/through.h"

#include "bridge/bridge.h"
#include "sys/guard.h"

#include <errno.h>

int hook_socket(int domain, int type, int protocol)
{
    int fd = REAL(socket)(domain, type, protocol);
    if (fd >= 0)
        engine_socket(fd, domain, type);
    return fd;
}

int hook_socketpair(int domain, int type, int protocol, int sv[2])
{
    int r = REAL(socketpair)(domain, type, protocol, sv);
    if (r == 0) {
        engine_socket(sv[0], domain, type);
        engine_socket(sv[1], domain, type);
    }
    return r;
}

static COLD void listening(int fd, const void *caller)
{
    engine_listening(fd);
    if (__atomic_load_n(&bridge_pending, __ATOMIC_RELAXED))
        bridge_check(caller);
}

int hook_listen(int fd, int backlog)
{
    if (!is_foreign(fd))
        listening(fd, CALLER);
    return REAL(listen)(fd, backlog);
}

static void accepted(int listener, int fd, const void *caller)
{
    int saved = tb_errno_get(); /* a bridge may run its runtime's code */
    load_check();
    if (__atomic_load_n(&bridge_pending, __ATOMIC_RELAXED))
        bridge_check(caller);
    tb_guard.caller = caller;
    engine_accepted(listener, fd);
    tb_errno_set(saved);
}

/* Errno is kept over engine_waiting() by the engine's callers' contract: a failed accept sets it
 * again, a good one does not read it. */
int hook_accept(int fd, struct sockaddr *addr, socklen_t *len)
{
    if (engine_serving())
        engine_waiting();
    int got = REAL(accept)(fd, addr, len);
    if (got >= 0)
        accepted(fd, got, CALLER);
    return got;
}

int hook_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
    if (engine_serving())
        engine_waiting();
    int got = REAL(accept4)(fd, addr, len, flags);
    if (got >= 0)
        accepted(fd, got, CALLER);
    return got;
}

void sock_connected(int fd, int r)
{
    int saved = tb_errno_get();
    if (fdtab_kind(fd) == FD_CONN && (r == 0 || saved == EINPROGRESS || saved == EINTR))
        engine_connected(fd);
    tb_errno_set(saved);
}

int hook_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    if (is_foreign(fd))
        return REAL(connect)(fd, addr, len);
    if (engine_serving())
        engine_connecting(fd);
    int r = REAL(connect)(fd, addr, len);
    sock_connected(fd, r);
    return r;
}

COLD void sock_shutting(int fd)
{
    int saved = tb_errno_get();
    call_flush_owed(fd, MSG_DONTWAIT);
    engine_shutdown(fd);
    tb_errno_set(saved);
}

int hook_shutdown(int fd, int how)
{
    if (fdtab_kind(fd) == FD_CONN && how != SHUT_RD)
        sock_shutting(fd);
    return REAL(shutdown)(fd, how);
}
