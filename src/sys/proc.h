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

/** The pid, on a page that a fork wipes; NULL until first use. Private to this file. */
extern int *proc_word;
extern uint32_t proc_life;
extern int proc_unwiped;
bool proc_is_unwiped_child(void);
bool proc_begin(void);

/** Notice a fork. Cheap: two loads in the usual case. @return true on the first call in a child */
static inline bool proc_check(void)
{
    int *word = __atomic_load_n(&proc_word, __ATOMIC_ACQUIRE);
    if (__builtin_expect(word && __atomic_load_n(word, __ATOMIC_ACQUIRE) > 0, 1))
        return false;
    return proc_begin();
}

/** This is a fork child, for sure (its only thread says so): also where no page is wiped. */
void proc_forked(void);

/** Has proc_check() been called in this process? No system call. */
static inline bool proc_known(void)
{
    int *word = __atomic_load_n(&proc_word, __ATOMIC_ACQUIRE);
    return word && __atomic_load_n(word, __ATOMIC_ACQUIRE) > 0;
}

/** Counts forks on the way to this process; proc_check() first. */
static inline uint32_t proc_epoch(void)
{
    return __atomic_load_n(&proc_life, __ATOMIC_RELAXED);
}

/** May these be a parent's books, in a fork child that could not be noticed? No system call but
 * where there is no page that a fork wipes; proc_check() first. */
static inline bool proc_is_inherited(void)
{
    return __builtin_expect(__atomic_load_n(&proc_word, __ATOMIC_ACQUIRE) == &proc_unwiped, 0) &&
           proc_is_unwiped_child();
}

/** The pid as of the last proc_check(). */
int proc_pid(void);

/** Does this code run in the memory of another process? One system call. Where the kernel has no
 *  MADV_WIPEONFORK (before 4.14) a fork child answers true as well: it keeps no books. */
bool proc_is_vfork_child(void);

#endif
