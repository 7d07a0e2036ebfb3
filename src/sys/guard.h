/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guard: the single thread-local object, plain data without a destructor (late
 * TLS destructors do I/O), initial-exec, at most 64 bytes.
 *
 * The guard is set around our own bookkeeping only, never across a real call: a
 * siglongjmp out of a blocking read must not leave it set. One that was left set
 * by a longjmp out of a signal handler is recognised by its frame: a caller
 * whose frame is shallower than the one that set it proves that one is gone.
 */
#ifndef TB_SYS_GUARD_H
#define TB_SYS_GUARD_H

#include <stdbool.h>
#include <stdint.h>

struct guard {
    uint32_t flags;     /* the engine's */
    int alone;          /* the engine's */
    uintptr_t frame;    /* 0: not inside */
    const void *caller; /* the program's call to libc that is being looked at returns there */
    uint64_t told;      /* the engine's */
    uint64_t room[4];   /* the engine's */
};
_Static_assert(sizeof(struct guard) <= 64, "static TLS is taken from every thread's stack");

/* Bits of guard.flags that several files of the engine know. */
#define GUARD_BRIDGED 0x20000000u /* `told` was told by a bridge */

/** Set for good when the program restricts its own system calls (seccomp): any of ours could kill
 *  it, so from then on nothing is done at all. */
extern bool guard_forbidden;

extern __thread struct guard tb_guard __attribute__((tls_model("initial-exec")));

static inline bool guard_enter(void)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    if ((tb_guard.frame && here <= tb_guard.frame) ||
        __atomic_load_n(&guard_forbidden, __ATOMIC_RELAXED))
        return false;
    tb_guard.frame = here;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    return true;
}

static inline void guard_leave(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    tb_guard.frame = 0;
}

#endif
