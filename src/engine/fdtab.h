/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fdtab: what is known of each file descriptor number: one byte, and a
 * connection where there is one.
 *
 * Rule: no lock. The byte and the pointer are separate atomics; the pointer is
 * only trusted after conn_acquire() has locked the connection and read the slot
 * again. An untouched table costs no memory (.bss); numbers from FDTAB_NEAR on
 * live in pages that are mapped when first needed.
 */
#ifndef TB_ENGINE_FDTAB_H
#define TB_ENGINE_FDTAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FDTAB_NEAR 65536   /* numbers whose byte lies in .bss */
#define FDTAB_MAX  1048577 /* numbers from here on are never ours */

enum fd_kind {
    FD_UNKNOWN = 0, /* never seen: inherited, or made by a call that is not hooked */
    FD_FOREIGN = 1, /* not ours: pass */
    FD_FRESH,       /* a stream socket whose creation we saw and that has not spoken yet */
    FD_ACCEPTED,    /* ... made by accept() */
    FD_LISTEN,      /* listen() or accept() was called on it */
    FD_POLLER,      /* an epoll instance that watches inbound sockets */
    FD_CONN,        /* has a connection */
    FD_EPOLL        /* an epoll instance whose creation we saw and that watches nothing inbound */
};

/* A byte holds the kind and, above it, in which process of a line of forks it was learnt (modulo
 * 32): what a parent saw of a number says nothing of the bytes its child and others sent since. */
#define FDTAB_KIND 7

struct conn;

extern uint8_t fdtab_near[FDTAB_NEAR];

/** The byte of a number outside the near table. */
uint8_t fdtab_far(int fd);

/** enum fd_kind of any int. This is the hot path: one byte load. */
static inline uint8_t fdtab_kind(int fd)
{
    if (__builtin_expect((unsigned)fd < FDTAB_NEAR, 1))
        return __atomic_load_n(&fdtab_near[fd], __ATOMIC_RELAXED) & FDTAB_KIND;
    return fdtab_far(fd) & FDTAB_KIND;
}

/** Was the kind of this number learnt in this process? No system call. */
bool fdtab_is_own(int fd);

#define FDTAB_LEAF   1024 /* connection pointers a page */
#define FDTAB_LEAVES ((FDTAB_MAX + FDTAB_LEAF - 1) / FDTAB_LEAF)

extern struct conn **fdtab_leaves[FDTAB_LEAVES];

/** The connection of a number, or NULL; see conn_acquire(). */
static inline struct conn *fdtab_conn(int fd)
{
    if (__builtin_expect((unsigned)fd >= FDTAB_MAX, 0))
        return NULL;
    struct conn **leaf =
        __atomic_load_n(&fdtab_leaves[(unsigned)fd / FDTAB_LEAF], __ATOMIC_ACQUIRE);
    return leaf ? __atomic_load_n(&leaf[(unsigned)fd % FDTAB_LEAF], __ATOMIC_ACQUIRE) : NULL;
}

/** Set both; c only with FD_CONN. Returns the connection that was there before (the caller owns the
 *  reference it held). A number that cannot be stored (no memory) stays what it is and c comes
 *  back: its reference was not taken. */
struct conn *fdtab_set(int fd, enum fd_kind kind, struct conn *c);

/** One more than the highest number ever given a connection or FD_FRESH. */
int fdtab_top(void);

#endif
