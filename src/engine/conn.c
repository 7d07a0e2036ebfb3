/* SPDX-License-Identifier: Apache-2.0 */
/* conn: see conn.h. Blocks come from the arena and are never given back to the system. */
#include "engine/conn.h"

#include "engine/baton.h"
#include "engine/count.h"
#include "engine/fdtab.h"
#include "engine/flow.h"
#include "sys/arena.h"
#include "sys/parent.h"
#include "sys/probe.h"
#include "sys/proc.h"

#define SPINS  400 /* about a microsecond or two: a holder only does bookkeeping */
#define YIELDS 400 /* the holder may be preempted; more than that and it is gone */

#define SMALL_CONTEXT 2048

static struct arena_pool conns = ARENA_POOL(sizeof(struct conn));
static struct arena_pool blocks = ARENA_POOL(STORE_SIZE);
static struct arena_pool small_contexts = ARENA_POOL(SMALL_CONTEXT);

static bool try_lock(struct conn *c)
{
    return __atomic_exchange_n(&c->lock, 1, __ATOMIC_ACQUIRE) == 0;
}

static bool lock(struct conn *c)
{
    for (int i = 0; i < SPINS + YIELDS; i++) {
        if (try_lock(c))
            return true;
        if (i >= SPINS)
            probe_yield();
    }
    return false;
}

void conn_unlock(struct conn *c)
{
    __atomic_store_n(&c->lock, 0, __ATOMIC_RELEASE);
}

void conn_poison(struct conn *c, unsigned reason_counter)
{
    if (!__atomic_exchange_n(&c->poison, 1, __ATOMIC_RELAXED))
        count(reason_counter);
}

bool conn_poisoned(const struct conn *c)
{
    return __atomic_load_n(&c->poison, __ATOMIC_RELAXED);
}

struct conn *conn_relock(struct conn *c, uint32_t gen)
{
    if (!lock(c)) {
        conn_poison(c, COUNT_DOWN_RACE);
        return NULL;
    }
    if (c->gen == gen)
        return c;
    conn_unlock(c);
    return NULL;
}

struct conn *conn_acquire(int fd)
{
    struct conn *c = fdtab_conn(fd);
    if (!c)
        return NULL;
    if (!lock(c)) {
        conn_poison(c, COUNT_DOWN_RACE);
        return NULL;
    }
    if (fdtab_conn(fd) != c) {
        conn_unlock(c);
        return NULL;
    }
    /* After a fork both processes have the stream, and neither knows what the other sends. */
    bool inherited = !fdtab_is_own(fd);
    if (inherited || (conn_poisoned(c) && !c->owed.n)) {
        conn_abandon(c, fd);
        return NULL;
    }
    CONN_SET(c->fd, fd);
    return c;
}

struct conn *conn_acquire_ref(struct exchange_ref ref)
{
    if (!ref.xid || !lock(ref.conn))
        return NULL;
    if (__atomic_load_n(&ref.conn->now.xid, __ATOMIC_RELAXED) == ref.xid &&
        !conn_poisoned(ref.conn))
        return ref.conn;
    conn_unlock(ref.conn);
    return NULL;
}

/* Everything but the lock and the generation, which outlive the connection. */
static void reset(struct conn *c, int fd)
{
    CONN_SET(c->poison, 0);
    CONN_SET(c->role, ROLE_NONE);
    CONN_SET(c->blocks_known, false);
    CONN_SET(c->identified, false);
    CONN_SET(c->fd, fd);
    CONN_SET(c->in_checked, 0);
    CONN_SET(c->now.xid, 0);
    CONN_SET(c->now.owner, NULL);
    c->now.ctx = NULL;
    c->now.baton = 0;
    memset((char *)c + offsetof(struct conn, sending), 0,
           sizeof(*c) - offsetof(struct conn, sending));
    c->refs = 1;
    __atomic_add_fetch(&c->gen, 1, __ATOMIC_RELEASE);
}

struct conn *conn_create(int fd)
{
    struct conn *c = arena_block(&conns);
    if (!c) {
        count(COUNT_DOWN_MEMORY);
        return NULL;
    }
    if (!lock(c)) /* a late hand of its last life; leave the block to it */
        return NULL;
    reset(c, fd);
    struct conn *old = fdtab_set(fd, FD_CONN, c);
    if (old == c) {
        conn_unlock(c);
        arena_release(&conns, c);
        return NULL;
    }
    count(COUNT_CONNS);
    if (old)
        conn_drop(old);
    return c;
}

static void end_exchange(struct conn *c)
{
    if (!c->now.xid)
        return;
    flow_ending(c, false);
    __atomic_store_n(&c->now.xid, 0, __ATOMIC_RELEASE);
}

static void give_back(uint64_t *handle)
{
    if (*handle)
        baton_drop(*handle);
    *handle = 0;
}

/* With the lock held: give back all that hangs on it. */
static void strip(struct conn *c)
{
    end_exchange(c);
    conn_context_release(c->now.ctx);
    c->now.ctx = NULL;
    give_back(&c->now.baton);
    give_back(&c->baton);
    give_back(&c->promised);
    while (c->queued > 0)
        conn_context_release(c->queue[--c->queued].ctx);
    conn_store_release(c);
    if (c->owed_block)
        conn_block_release(c->owed_block);
    c->owed_block = NULL;
    c->owed.n = 0;
}

void conn_drop(struct conn *c)
{
    if (__atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    if (!lock(c)) { /* its holder is gone: so is the block, but nobody may use its exchange */
        conn_poison(c, COUNT_DOWN_RACE);
        return;
    }
    strip(c);
    __atomic_add_fetch(&c->gen, 1, __ATOMIC_RELEASE);
    conn_unlock(c);
    arena_release(&conns, c);
    count(COUNT_CONNS_DONE);
}

void conn_abandon(struct conn *c, int fd)
{
    end_exchange(c);
    __atomic_store_n(&c->poison, 1, __ATOMIC_RELAXED); /* its other numbers must not begin anew */
    conn_unlock(c);
    if (fdtab_conn(fd) != c) /* closed meanwhile; a duplicate keeps it alive */
        return;
    struct conn *old = fdtab_set(fd, FD_FOREIGN, NULL);
    if (old)
        conn_drop(old);
}

bool conn_verify(struct conn *c, int fd)
{
    uint64_t dev, ino;
    if (!probe_socket(fd, &dev, &ino))
        return false;
    if (!c->identified) {
        CONN_SET(c->dev, dev);
        CONN_SET(c->ino, ino);
        CONN_SET(c->identified, true);
        return true;
    }
    return c->dev == dev && c->ino == ino;
}

static uint32_t vanished;

void conn_vanished(void)
{
    CONN_SET(vanished, 1);
}

bool conn_there(const struct conn *c)
{
    uint64_t dev, ino;
    bool known = CONN_GET(c->identified);
    if (probe_socket(CONN_GET(c->fd), &dev, &ino) &&
        (!known || (CONN_GET(c->dev) == dev && CONN_GET(c->ino) == ino)))
        return true;
    /* A vfork child, which is about to execute a program, has closed numbers of its own. */
    if (known && proc_is_vfork_child())
        return parent_has_socket(proc_pid(), CONN_GET(c->fd), CONN_GET(c->ino));
    conn_vanished();
    return false;
}

static bool power_of_two(uint32_t n)
{
    return (n & (n - 1)) == 0;
}

bool conn_there_yet(const struct conn *c)
{
    bool ask = CONN_GET(vanished) || power_of_two(CONN_GET(c->in_checked));
    return !ask || conn_there(c);
}

bool conn_in_step(struct conn *c, int fd, bool outbound)
{
    uint64_t n;
    uint32_t *checked = outbound ? &c->out_checked : &c->in_checked;
    CONN_SET(*checked, *checked + 1);
    if (!power_of_two(*checked))
        return true;
    return outbound ? !probe_sent(fd, &n) || n == c->out_bytes
                    : probe_consumed(fd, c->in_bytes) != 0;
}

/* The answer is remembered before the question, so that a change meanwhile is not forgotten. */
bool conn_blocks(struct conn *c)
{
    if (__atomic_load_n(&c->blocks_known, __ATOMIC_ACQUIRE) && !power_of_two(c->in_checked))
        return c->blocks;
    __atomic_store_n(&c->blocks_known, true, __ATOMIC_SEQ_CST);
    c->blocks = probe_blocks(c->fd);
    return c->blocks;
}

int conn_sent_all(const struct conn *c)
{
    uint64_t n;
    return probe_sent(c->fd, &n) ? n == c->out_bytes : -1;
}

void *conn_block(void)
{
    void *b = arena_block(&blocks);
    count(b ? COUNT_BLOCKS : COUNT_DOWN_MEMORY);
    return b;
}

void conn_block_release(void *block)
{
    arena_release(&blocks, block);
    count(COUNT_BLOCKS_DONE);
}

struct store *conn_store(struct conn *c)
{
    if (!c->store)
        c->store = conn_block();
    return c->store;
}

void conn_store_release(struct conn *c)
{
    if (c->store)
        conn_block_release(c->store);
    c->store = NULL;
}

void conn_context_share(struct context *ctx)
{
    __atomic_fetch_add(&ctx->shares, 1, __ATOMIC_RELAXED);
}

/* Which pool a block is of, its chunks know (arena_release asks where it lies). */
void *conn_context_block(size_t need, size_t *size)
{
    void *small = need <= SMALL_CONTEXT ? arena_block(&small_contexts) : NULL;
    *size = small ? SMALL_CONTEXT : STORE_SIZE;
    if (small)
        count(COUNT_BLOCKS);
    return small ? small : conn_block();
}

void conn_context_release(struct context *ctx)
{
    if (!ctx || __atomic_fetch_sub(&ctx->shares, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    if (arena_release(&small_contexts, ctx))
        count(COUNT_BLOCKS_DONE);
    else
        conn_block_release(ctx);
}
