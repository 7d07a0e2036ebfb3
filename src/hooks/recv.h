/* SPDX-License-Identifier: Apache-2.0 */
/* recv: what the reading hooks (and syscall()) do after the real call. errno is kept. */
#ifndef TB_HOOKS_RECV_H
#define TB_HOOKS_RECV_H

#include "hooks/real.h"
#include "sys/guard.h"

/** They note where the program called from: cold functions are reached by a jump, so their return
 *  address is the program's. */
#define CALLED_FROM() (tb_guard.caller = __builtin_return_address(0))

void recv_after(int fd, void *buf, ssize_t got, int flags);
/** iov NULL: the bytes were consumed, but nobody may look at where they went. */
void recv_after_vector(int fd, const struct iovec *iov, int n, ssize_t got);
/** Before the call: may the vector (or what `more` points to) be overwritten by the very bytes that
 *  are read, or can it not be read at all? Then it must not be looked at afterwards. */
bool recv_hides(const struct iovec *iov, size_t n, const void *more, size_t len);
bool recv_hides_msg(const struct msghdr *msg);
void recv_after_pieces(int fd, const struct iovec *iov, size_t n, ssize_t got, int flags);
void recv_after_msg(int fd, const struct msghdr *msg, ssize_t got, int flags);

#endif
