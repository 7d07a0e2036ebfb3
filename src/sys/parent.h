/* SPDX-License-Identifier: Apache-2.0 */
/* parent: which thread of its parent made this process? The kernel lists the children of each
 * thread
 * (/proc/PID/task/TID/children; a kernel built without that list says nothing). Raw system calls;
 * for the constructor: a number is open for the time of one read. */
#ifndef TB_SYS_PARENT_H
#define TB_SYS_PARENT_H

#include <stdbool.h>

/** Was this process made by that thread of its parent? False also where it cannot be told. */
bool parent_thread_was(int tid);

/** The calling thread. */
int parent_my_tid(void);

#endif
