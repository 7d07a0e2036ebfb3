/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait: a thread that serves an exchange and waits for other inbound work is not
 * working for that exchange any more; one that waits for a single number is
 * (flow.h). Nothing is done on threads that serve nothing, and never after the
 * real call.
 */
#include "hooks/wait.h"

#include "sys/probe.h"

COLD void wait_poll(const struct pollfd *fds, nfds_t n)
{
    int saved = tb_errno_get();
    engine_waiting_for(-1);
    if (n > 0 && n < 65536 && probe_range(fds, n * sizeof(*fds))) {
        if (n == 1)
            engine_waiting_for(fds[0].fd);
        for (nfds_t i = 0; i < n; i++)
            if (fds[i].fd >= 0 && (fds[i].events & (POLLIN | POLLRDNORM)) &&
                engine_inbound(fds[i].fd)) {
                engine_waiting();
                break;
            }
    }
    tb_errno_set(saved);
}

/* Read sets are looked at; one number in all sets together is a wait for it alone. */
COLD void wait_select(int n, const fd_set *r, const fd_set *w)
{
    int saved = tb_errno_get(), numbers = 0, only = -1;
    size_t bytes = ((size_t)(n > 0 ? n : 0) + 7) / 8;
    engine_waiting_for(-1);
    if (n <= 65536 && (!r || probe_range(r, bytes)) && (!w || probe_range(w, bytes)))
        for (int fd = 0; fd < n; fd++) {
            bool in = r && ((const uint8_t *)r)[fd / 8] >> (fd % 8) & 1;
            bool out = w && ((const uint8_t *)w)[fd / 8] >> (fd % 8) & 1;
            if (in && engine_inbound(fd)) {
                engine_waiting();
                break;
            }
            if (in || out) {
                numbers++;
                only = fd;
            }
        }
    if (numbers == 1)
        engine_waiting_for(only);
    tb_errno_set(saved);
}

COLD void wait_epoll(int fd)
{
    int saved = tb_errno_get();
    engine_waiting_for(-1);
    engine_polling(fd);
    tb_errno_set(saved);
}

int hook_poll(struct pollfd *fds, nfds_t n, int timeout)
{
    if (engine_serving())
        wait_poll(fds, n);
    return REAL(poll)(fds, n, timeout);
}

int hook___poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t buflen)
{
    if (engine_serving())
        wait_poll(fds, n);
    return REAL(__poll_chk)(fds, n, timeout, buflen);
}

int hook_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
    if (engine_serving())
        wait_poll(fds, n);
    return REAL(ppoll)(fds, n, timeout, mask);
}

int hook___ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
                     const sigset_t *mask, size_t buflen)
{
    if (engine_serving())
        wait_poll(fds, n);
    return REAL(__ppoll_chk)(fds, n, timeout, mask, buflen);
}

int hook_select(int n, fd_set *r, fd_set *w, fd_set *x, struct timeval *timeout)
{
    if (engine_serving())
        wait_select(n, r, w);
    return REAL(select)(n, r, w, x, timeout);
}

int hook_pselect(int n, fd_set *r, fd_set *w, fd_set *x, const struct timespec *timeout,
                 const sigset_t *mask)
{
    if (engine_serving())
        wait_select(n, r, w);
    return REAL(pselect)(n, r, w, x, timeout, mask);
}

static int made(int fd)
{
    if (fd >= 0)
        engine_epoll(fd);
    return fd;
}

int hook_epoll_create(int n)
{
    return made(REAL(epoll_create)(n));
}

int hook_epoll_create1(int flags)
{
    return made(REAL(epoll_create1)(flags));
}

COLD void wait_added(int epfd, int fd)
{
    int saved = tb_errno_get();
    engine_watched(epfd, fd);
    tb_errno_set(saved);
}

int hook_epoll_ctl(int fd, int op, int watched, struct epoll_event *ev)
{
    int r = REAL(epoll_ctl)(fd, op, watched, ev);
    if (r == 0 && op == EPOLL_CTL_ADD && !is_foreign(watched))
        wait_added(fd, watched);
    return r;
}

int hook_epoll_wait(int fd, struct epoll_event *ev, int n, int timeout)
{
    if (engine_serving())
        wait_epoll(fd);
    return REAL(epoll_wait)(fd, ev, n, timeout);
}

int hook_epoll_pwait(int fd, struct epoll_event *ev, int n, int timeout, const sigset_t *mask)
{
    if (engine_serving())
        wait_epoll(fd);
    return REAL(epoll_pwait)(fd, ev, n, timeout, mask);
}

int hook_epoll_pwait2(int fd, struct epoll_event *ev, int n, const struct timespec *timeout,
                      const sigset_t *mask)
{
    if (engine_serving())
        wait_epoll(fd);
    return REAL(epoll_pwait2)(fd, ev, n, timeout, mask);
}
