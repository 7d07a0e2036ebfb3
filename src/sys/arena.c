/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena: see arena.h. Chunks of 256 KiB and more are added when a pool is
 * empty. A block is named by its index, so that a name and a tag fit one
 * 64-bit word. The links of the free blocks lie behind the blocks of their chunk:
 * a thread that is about to take a block may still read its link when another has
 * taken it and writes into it, so the two are no memory in common.
 */
#include "sys/arena.h"

#include <sys/mman.h>

#include "sys/raw.h"

#define CHUNK_BYTES (256u << 10)
#define CHUNKS      64u

static uint32_t mapped; /* bytes of all pools */

void *arena_map(size_t size)
{
    long p =
        raw6(SYS_mmap, 0, (long)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p < 0 && p > -4096 ? NULL : (void *)p;
}

void arena_unmap(void *p, size_t size)
{
    raw2(SYS_munmap, (long)p, (long)size);
}

static inline uint32_t blocks_in(const struct arena_pool *pool, size_t bytes)
{
    return (uint32_t)(pool->shift ? bytes >> pool->shift : bytes / pool->size);
}

/* Later chunks are larger, so that 64 of them reach the bound. */
static uint32_t chunk_blocks(const struct arena_pool *pool, uint32_t chunk)
{
    uint32_t bytes = CHUNK_BYTES << (chunk / 8 < 3 ? chunk / 8 : 3);
    return blocks_in(pool, bytes);
}

/* Where a block lies, and its link. */
struct place {
    void *block;
    uint32_t *link;
};

static struct place place_of(struct arena_pool *pool, uint32_t index)
{
    for (uint32_t c = 0; c < CHUNKS; c++) {
        uint32_t n = chunk_blocks(pool, c);
        if (index < n) {
            char *at = __atomic_load_n(&pool->chunk[c], __ATOMIC_ACQUIRE);
            char *links = at + (size_t)n * pool->size;
            return (struct place){at + (size_t)index * pool->size,
                                  (uint32_t *)(void *)links + index};
        }
        index -= n;
    }
    return (struct place){NULL, NULL};
}

static uint32_t index_of(struct arena_pool *pool, const void *block)
{
    uint32_t base = 0;
    for (uint32_t c = 0; c < CHUNKS; c++) {
        char *at = __atomic_load_n(&pool->chunk[c], __ATOMIC_ACQUIRE);
        size_t bytes = (size_t)chunk_blocks(pool, c) * pool->size;
        if (at && (const char *)block >= at && (const char *)block < at + bytes)
            return base + blocks_in(pool, (size_t)((const char *)block - at));
        base += chunk_blocks(pool, c);
    }
    return UINT32_MAX;
}

static void *pop(struct arena_pool *pool)
{
    uint64_t head = __atomic_load_n(&pool->head, __ATOMIC_ACQUIRE);
    for (;;) {
        uint32_t first = (uint32_t)head;
        if (!first)
            return NULL;
        struct place p = place_of(pool, first - 1);
        /* May be stale if another thread took the block: then the tag has changed. */
        uint32_t next = __atomic_load_n(p.link, __ATOMIC_RELAXED);
        uint64_t to = ((head >> 32) + 1) << 32 | next;
        if (__atomic_compare_exchange_n(&pool->head, &head, to, 0, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE))
            return p.block;
    }
}

static void push(struct arena_pool *pool, uint32_t index)
{
    uint64_t head = __atomic_load_n(&pool->head, __ATOMIC_ACQUIRE), to;
    uint32_t *link = place_of(pool, index).link;
    do {
        __atomic_store_n(link, (uint32_t)head, __ATOMIC_RELAXED);
        to = ((head >> 32) + 1) << 32 | (index + 1);
    } while (!__atomic_compare_exchange_n(&pool->head, &head, to, 0, __ATOMIC_ACQ_REL,
                                          __ATOMIC_ACQUIRE));
}

/* Add the next chunk. */
static int grow(struct arena_pool *pool, uint32_t c)
{
    size_t each = pool->size + sizeof(uint32_t);
    size_t bytes = (chunk_blocks(pool, c) * each + 4095) & ~(size_t)4095;
    if (__atomic_add_fetch(&mapped, (uint32_t)bytes, __ATOMIC_RELAXED) > ARENA_MAX) {
        __atomic_sub_fetch(&mapped, (uint32_t)bytes, __ATOMIC_RELAXED);
        return 0;
    }
    char *none = NULL, *p = arena_map(bytes);
    if (p && __atomic_compare_exchange_n(&pool->chunk[c], &none, p, 0, __ATOMIC_ACQ_REL,
                                         __ATOMIC_RELAXED))
        return 1;
    __atomic_sub_fetch(&mapped, (uint32_t)bytes, __ATOMIC_RELAXED);
    if (p)
        arena_unmap(p, bytes);
    return none != NULL; /* another thread added it */
}

/* Hand out a block that was never used. Untouched blocks cost no memory, so a new chunk is not put
 * on the stack but cut from its start. */
static void *cut(struct arena_pool *pool)
{
    uint32_t index = __atomic_load_n(&pool->cut, __ATOMIC_RELAXED);
    for (;;) {
        uint32_t c = 0, rest = index;
        while (c < CHUNKS && rest >= chunk_blocks(pool, c))
            rest -= chunk_blocks(pool, c++);
        if (c == CHUNKS)
            return NULL;
        if (!__atomic_load_n(&pool->chunk[c], __ATOMIC_ACQUIRE) && !grow(pool, c))
            return NULL;
        if (__atomic_compare_exchange_n(&pool->cut, &index, index + 1, 0, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED))
            return place_of(pool, index).block;
    }
}

void *arena_block(struct arena_pool *pool)
{
    void *block = pop(pool);
    return block ? block : cut(pool);
}

bool arena_release(struct arena_pool *pool, void *block)
{
    uint32_t index = index_of(pool, block);
    if (index == UINT32_MAX)
        return false;
    push(pool, index);
    return true;
}
