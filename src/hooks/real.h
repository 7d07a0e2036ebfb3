/* SPDX-License-Identifier: Apache-2.0 */
/*
 * real: the functions that would have been called without us.
 *
 * Rules of src/hooks: one family a file; a hook on an fd that is not ours is one
 * byte load and a tail call; the real call is the last thing on the fast path,
 * no lock and no guard is held across it; errno is the real call's.
 *
 * Hooks run before our constructor (a dependency's constructor may do I/O) and
 * after our destructor, so every pointer begins at a stub that binds them all.
 */
#ifndef TB_HOOKS_REAL_H
#define TB_HOOKS_REAL_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#include "engine/engine.h"
#include "sys/errno.h"

typedef void *pointer; /* one word, for the exports that are cut out of the list */

struct real {
#define HOOK(family, ret, name, params, args) ret(*name) params;
#include "hooks/hooks.def"
#undef HOOK
};

extern struct real real_;

#define REAL(name) (__atomic_load_n(&real_.name, __ATOMIC_RELAXED))

/** Find them all. Idempotent; any thread, any time. */
void real_bind(void);

#define COLD __attribute__((noinline, cold))

/* The exported functions: hook_NAME in C, NAME in the symbol table, so that the libc headers'
 * attributes and (variadic) types of the same names are none of our business. */
#define HOOK(family, ret, name, params, args)                                                      \
    __attribute__((visibility("default"))) ret hook_##name params __asm__(#name);
#include "hooks/hooks.def"
#undef HOOK

/** Surely not ours. Numbers outside the near table are looked at by the cold path, so that this
 * stays one comparison and one byte load. */
static inline bool is_foreign(int fd)
{
    return __builtin_expect((unsigned)fd < FDTAB_NEAR, 1) &&
           __builtin_expect(__atomic_load_n(&fdtab_near[fd], __ATOMIC_RELAXED) == FD_FOREIGN, 1);
}

/** Nothing is remembered of it: no hint is needed when it goes. */
static inline bool is_untracked(int fd)
{
    return __builtin_expect(fdtab_kind(fd) <= FD_FOREIGN, 1);
}

#endif
