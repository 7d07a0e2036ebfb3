/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena: fixed-size blocks from private mappings. No malloc (it may be in the
 * middle of itself), no lock, nothing is given back to the system: a stale
 * pointer to a block always points to a block.
 *
 * A pool is a stack of free blocks behind one tagged word; the tag defeats ABA.
 * All operations are async-signal-safe and survive a fork at any instant.
 */
#ifndef TB_SYS_ARENA_H
#define TB_SYS_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARENA_MAX (64u << 20) /* bytes that all pools together may map */

struct arena_pool {
    uint64_t head;  /* tag << 32 | index + 1 of the first free block */
    uint32_t size;  /* of a block */
    uint32_t shift; /* its logarithm, where it is a power of two (a division is dear); else 0 */
    uint32_t cut;   /* blocks ever handed out for the first time */
    char *chunk[64];
};

#define ARENA_POOL(bytes)                                                                          \
    {                                                                                              \
        .size = ((uint32_t)(bytes) + 15u) & ~15u,                                                  \
        .shift = ((bytes) & ((bytes)-1)) ? 0 : (uint32_t)__builtin_ctzl(bytes)                     \
    }

/** A block of undefined content, 16-aligned; NULL when the bound is reached. */
void *arena_block(struct arena_pool *pool);

/** Give it back. @return false: it is not of this pool */
bool arena_release(struct arena_pool *pool, void *block);

/** Zeroed pages, not counted; NULL on failure. */
void *arena_map(size_t size);
void arena_unmap(void *p, size_t size);

#endif
