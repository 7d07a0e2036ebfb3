/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parent: which thread of its parent made this process? The kernel lists the children of each
 * thread (/proc/PID/task/TID/children; a kernel built without that list says nothing). Raw system
 * calls. A number is open for the time of one read, in the constructor only.
 */
#ifndef TB_SYS_PARENT_H
#define TB_SYS_PARENT_H

#include <stdbool.h>
#include <stdint.h>

/** Was this process made by that thread of its parent? False also where it cannot be told. */
bool parent_thread_was(int tid);

/** Is that number of a process (of a vfork child's parent) the socket with this inode? False also
 *  where we may not ask. */
bool parent_has_socket(int pid, int fd, uint64_t ino);

/** The calling thread. */
int parent_my_tid(void);

#endif
