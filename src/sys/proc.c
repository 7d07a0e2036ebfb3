/* SPDX-License-Identifier: Apache-2.0 */
/* proc: see proc.h. */
#include "sys/proc.h"

#include <sys/mman.h>

#include "sys/arena.h"
#include "sys/raw.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

static int *page;   /* the pid, on a page that a fork wipes; NULL until first use */
static int unwiped; /* the same word where the kernel cannot wipe */
static uint32_t epoch;

static int *pid_word(void)
{
    int *p = __atomic_load_n(&page, __ATOMIC_ACQUIRE);
    if (p)
        return p;
    int *fresh = arena_map(4096);
    if (fresh && raw3(SYS_madvise, (long)fresh, 4096, MADV_WIPEONFORK) < 0) {
        arena_unmap(fresh, 4096);
        fresh = NULL;
    }
    if (!fresh)
        fresh = &unwiped;
    if (__atomic_compare_exchange_n(&page, &p, fresh, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return fresh;
    if (fresh != &unwiped)
        arena_unmap(fresh, 4096);
    return p;
}

bool proc_check(void)
{
    int *word = pid_word(), none = 0;
    if (__atomic_load_n(word, __ATOMIC_RELAXED))
        return false;
    int pid = (int)raw0(SYS_getpid);
    if (!__atomic_compare_exchange_n(word, &none, pid, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        return false;
    __atomic_add_fetch(&epoch, 1, __ATOMIC_RELAXED);
    return true;
}

bool proc_known(void)
{
    int *p = __atomic_load_n(&page, __ATOMIC_ACQUIRE);
    return p && __atomic_load_n(p, __ATOMIC_RELAXED);
}

uint32_t proc_epoch(void)
{
    return __atomic_load_n(&epoch, __ATOMIC_RELAXED);
}

int proc_pid(void)
{
    return __atomic_load_n(pid_word(), __ATOMIC_RELAXED);
}

bool proc_is_vfork_child(void)
{
    proc_check();
    return proc_pid() != (int)raw0(SYS_getpid);
}
