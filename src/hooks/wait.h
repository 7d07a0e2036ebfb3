/* SPDX-License-Identifier: Apache-2.0 */
/* wait: what comes before a wait, whatever the call, on a thread that serves an exchange. errno is
 * kept. */
#ifndef TB_HOOKS_WAIT_H
#define TB_HOOKS_WAIT_H

#include "hooks/real.h"

void wait_poll(const struct pollfd *fds, nfds_t n);
void wait_select(int n, const fd_set *r, const fd_set *w);
void wait_epoll(int fd);

/** After epoll_ctl(EPOLL_CTL_ADD). */
void wait_added(int epfd, int fd);

#endif
