/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proc: which process is this? A fork child starts with its parent's memory and
 * a vfork child runs in it; both look the same to a cached pid. One page marked
 * MADV_WIPEONFORK tells them apart without a system call: in a fork child it
 * reads zero, in a vfork child it still holds the parent's pid.
 */
#ifndef TB_SYS_PROC_H
#define TB_SYS_PROC_H

#include <stdbool.h>
#include <stdint.h>

/** Notice a fork. Cheap: one load in the usual case. @return true on the first call in a child */
bool proc_check(void);

/** Has proc_check() been called in this process? No system call. */
bool proc_known(void);

/** Counts forks on the way to this process; proc_check() first. */
uint32_t proc_epoch(void);

/** The pid as of the last proc_check(). */
int proc_pid(void);

/** Does this code run in the memory of another process? One system call. Where the kernel has no
 *  MADV_WIPEONFORK (before 4.14) a fork child answers true as well: it keeps no books. */
bool proc_is_vfork_child(void);

#endif
