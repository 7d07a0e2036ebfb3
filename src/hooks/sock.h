/* SPDX-License-Identifier: Apache-2.0 */
/* sock: what syscall() has to do as the hooks of the same calls do. errno is kept. */
#ifndef TB_HOOKS_SOCK_H
#define TB_HOOKS_SOCK_H

void sock_connected(int fd, int r); /* after connect() */
void sock_shutting(int fd);         /* before shutdown() of the sending direction */

#endif
