/* SPDX-License-Identifier: Apache-2.0 */
/* recv: what the reading hooks (and syscall()) do after the real call. errno is kept. */
#ifndef TB_HOOKS_RECV_H
#define TB_HOOKS_RECV_H

#include "hooks/real.h"

void recv_after(int fd, void *buf, ssize_t got, int flags);
void recv_after_pieces(int fd, const struct iovec *iov, size_t n, ssize_t got, int flags);
void recv_after_msg(int fd, const struct msghdr *msg, ssize_t got, int flags);

#endif
