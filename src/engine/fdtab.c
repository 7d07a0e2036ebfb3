/* SPDX-License-Identifier: Apache-2.0 */
/* fdtab: see fdtab.h. */
#include "engine/fdtab.h"

#include <stddef.h>

#include "sys/arena.h"
#include "sys/proc.h"

#define FAR_PAGE 65536
#define FARS     (FDTAB_MAX / FAR_PAGE + 1)

uint8_t fdtab_near[FDTAB_NEAR];

static uint8_t *far_kind[FARS];           /* [0] stays NULL: the near table */
struct conn **fdtab_leaves[FDTAB_LEAVES]; /* 8 KiB of .bss, untouched pages cost nothing */
static int top;

/* Map a zeroed page once; of two threads that race the loser's mapping is given back. */
static void *mapped(void **slot, size_t size)
{
    void *p = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
    if (p)
        return p;
    void *fresh = arena_map(size);
    if (!fresh)
        return NULL;
    if (__atomic_compare_exchange_n(slot, &p, fresh, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return fresh;
    arena_unmap(fresh, size);
    return p;
}

uint8_t fdtab_far(int fd)
{
    if (fd < 0 || fd >= FDTAB_MAX)
        return FD_FOREIGN;
    uint8_t *page = __atomic_load_n(&far_kind[fd / FAR_PAGE], __ATOMIC_ACQUIRE);
    return page ? __atomic_load_n(&page[fd % FAR_PAGE], __ATOMIC_RELAXED) : FD_UNKNOWN;
}

static uint8_t *kind_slot(int fd)
{
    if (fd < FDTAB_NEAR)
        return &fdtab_near[fd];
    uint8_t *page = mapped((void **)&far_kind[fd / FAR_PAGE], FAR_PAGE);
    return page ? &page[fd % FAR_PAGE] : NULL;
}

static struct conn **conn_slot(int fd, int map)
{
    struct conn ***leaf = &fdtab_leaves[fd / FDTAB_LEAF];
    struct conn **page = map ? mapped((void **)leaf, FDTAB_LEAF * sizeof(struct conn *))
                             : __atomic_load_n(leaf, __ATOMIC_ACQUIRE);
    return page ? &page[fd % FDTAB_LEAF] : NULL;
}

static void raise_top(int fd)
{
    int seen = __atomic_load_n(&top, __ATOMIC_RELAXED);
    while (fd >= seen &&
           !__atomic_compare_exchange_n(&top, &seen, fd + 1, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

struct conn *fdtab_set(int fd, enum fd_kind kind, struct conn *c)
{
    if (fd < 0 || fd >= FDTAB_MAX)
        return c;
    uint8_t *k = kind_slot(fd);
    struct conn **slot = conn_slot(fd, c != NULL);
    if (!k || (c && !slot))
        return c;
    if (kind >= FD_FRESH)
        raise_top(fd);
    struct conn *old = slot ? __atomic_exchange_n(slot, c, __ATOMIC_ACQ_REL) : NULL;
    proc_check();
    unsigned life = kind > FD_FOREIGN ? proc_epoch() * (FDTAB_KIND + 1) : 0;
    __atomic_store_n(k, (uint8_t)(life | kind), __ATOMIC_RELEASE);
    return old;
}

bool fdtab_is_own(int fd)
{
    unsigned byte = fd >= 0 && fd < FDTAB_NEAR ? __atomic_load_n(&fdtab_near[fd], __ATOMIC_RELAXED)
                                               : fdtab_far(fd);
    return proc_known() && (uint8_t)(proc_epoch() * (FDTAB_KIND + 1)) == (byte & ~FDTAB_KIND);
}

int fdtab_top(void)
{
    return __atomic_load_n(&top, __ATOMIC_RELAXED);
}
