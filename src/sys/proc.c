/* SPDX-License-Identifier: Apache-2.0 */
/* proc: see proc.h. */
#include "sys/proc.h"

#include <sys/mman.h>

#include "sys/arena.h"
#include "sys/raw.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

int *proc_word;
uint32_t proc_life; /* how many forks lie behind */
int proc_unwiped;   /* the same word where the kernel cannot wipe, or gives no page */

/* Between the two no other thread of the child may take the parent's epoch for its own. */
#define BEGINNING (-1)
#define TURNS     1000

static int *pid_word(void)
{
    int *p = __atomic_load_n(&proc_word, __ATOMIC_ACQUIRE);
    if (p)
        return p;
    int *fresh = arena_map(4096);
    if (fresh && raw3(SYS_madvise, (long)fresh, 4096, MADV_WIPEONFORK) < 0) {
        arena_unmap(fresh, 4096);
        fresh = NULL;
    }
    if (!fresh)
        fresh = &proc_unwiped;
    if (__atomic_compare_exchange_n(&proc_word, &p, fresh, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return fresh;
    if (fresh != &proc_unwiped)
        arena_unmap(fresh, 4096);
    return p;
}

bool proc_begin(void)
{
    int *word = pid_word(), none = 0;
    if (!__atomic_compare_exchange_n(word, &none, BEGINNING, 0, __ATOMIC_ACQUIRE,
                                     __ATOMIC_ACQUIRE)) {
        for (int i = 0; i < TURNS && __atomic_load_n(word, __ATOMIC_ACQUIRE) == BEGINNING; i++)
            raw0(SYS_sched_yield);
        return false;
    }
    __atomic_add_fetch(&proc_life, 1, __ATOMIC_RELAXED);
    __atomic_store_n(word, (int)raw0(SYS_getpid), __ATOMIC_RELEASE);
    return true;
}

void proc_forked(void)
{
    if (__atomic_load_n(&proc_word, __ATOMIC_ACQUIRE) == &proc_unwiped)
        __atomic_store_n(&proc_unwiped, 0, __ATOMIC_RELEASE);
    proc_check();
}

int proc_pid(void)
{
    return __atomic_load_n(pid_word(), __ATOMIC_RELAXED);
}

bool proc_is_unwiped_child(void)
{
    return proc_pid() != (int)raw0(SYS_getpid);
}

bool proc_is_vfork_child(void)
{
    proc_check();
    return proc_pid() != (int)raw0(SYS_getpid);
}
