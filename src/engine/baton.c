/* SPDX-License-Identifier: Apache-2.0 */
/*
 * baton: see baton.h. A slot's state is one word, generation and references; a
 * slot whose count falls to zero gets the next generation before it is put back,
 * so that no handle of its last life finds it.
 */
#include "engine/baton.h"

#include "engine/conn.h"
#include "sys/arena.h"
#include "sys/guard.h"

struct slot {
    uint64_t state; /* generation << 32 | references */
    uint64_t xid;
    struct context *ctx;
    uint64_t now; /* a connection's: the exchange's handle, held */
    const void *reader;
    uint32_t next; /* of the free ones: index + 1 */
    bool is_connection;
    bool revoked;
};

static struct slot *table;
static uint64_t free_head; /* tag << 32 | index + 1 */
static uint32_t used;      /* slots ever handed out */

static uint64_t lingering[BATON_LINGER];
static uint32_t linger_at;

static struct slot *slots(void)
{
    struct slot *t = __atomic_load_n(&table, __ATOMIC_ACQUIRE), *none = NULL;
    if (t)
        return t;
    t = arena_map(BATON_MAX * sizeof(*t));
    if (!t || __atomic_compare_exchange_n(&table, &none, t, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return t;
    arena_unmap(t, BATON_MAX * sizeof(*t));
    return none;
}

static struct slot *slot_of(uint64_t handle)
{
    struct slot *t = __atomic_load_n(&table, __ATOMIC_ACQUIRE);
    uint32_t at = (uint32_t)handle - 1;
    return t && at < BATON_MAX ? &t[at] : NULL;
}

static struct slot *pop(struct slot *t)
{
    uint64_t head = __atomic_load_n(&free_head, __ATOMIC_ACQUIRE), to;
    do {
        if (!(uint32_t)head)
            return NULL;
        uint32_t next = __atomic_load_n(&t[(uint32_t)head - 1].next, __ATOMIC_RELAXED);
        to = ((head >> 32) + 1) << 32 | next;
    } while (
        !__atomic_compare_exchange_n(&free_head, &head, to, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
    return &t[(uint32_t)head - 1];
}

static void push(struct slot *s)
{
    uint64_t head = __atomic_load_n(&free_head, __ATOMIC_ACQUIRE), to;
    do {
        __atomic_store_n(&s->next, (uint32_t)head, __ATOMIC_RELAXED);
        to = ((head >> 32) + 1) << 32 | (uint32_t)(s - table + 1);
    } while (
        !__atomic_compare_exchange_n(&free_head, &head, to, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
}

static struct slot *unused(struct slot *t)
{
    uint32_t at = __atomic_load_n(&used, __ATOMIC_RELAXED);
    while (at < BATON_MAX)
        if (__atomic_compare_exchange_n(&used, &at, at + 1, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return &t[at];
    return NULL;
}

/* A slot of nobody, held once. */
static uint64_t begin(struct context *ctx, uint64_t xid, bool is_connection)
{
    struct slot *t = slots(), *s = t ? pop(t) : NULL;
    if (t && !s)
        s = unused(t);
    if (!s)
        return 0;
    uint64_t gen = __atomic_load_n(&s->state, __ATOMIC_RELAXED) >> 32;
    s->xid = xid;
    s->ctx = ctx;
    s->now = 0;
    s->is_connection = is_connection;
    __atomic_store_n(&s->revoked, false, __ATOMIC_RELAXED);
    __atomic_store_n(&s->state, gen << 32 | 1, __ATOMIC_RELEASE);
    return gen << 32 | (uint64_t)(s - t + 1);
}

uint64_t baton_exchange(struct context *ctx, uint64_t xid)
{
    if (ctx)
        conn_context_share(ctx);
    uint64_t h = begin(ctx, xid, false);
    if (!h)
        conn_context_release(ctx);
    return h;
}

uint64_t baton_connection(void)
{
    return begin(NULL, 0, true);
}

bool baton_take(uint64_t handle)
{
    struct slot *s = slot_of(handle);
    uint64_t state = s ? __atomic_load_n(&s->state, __ATOMIC_ACQUIRE) : 0;
    while (s && state >> 32 == handle >> 32 && (uint32_t)state > 0)
        if (__atomic_compare_exchange_n(&s->state, &state, state + 1, 0, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE))
            return true;
    return false;
}

/* The last hand is off: nobody can take it any more. */
static void end(struct slot *s)
{
    struct context *ctx = s->ctx;
    uint64_t now = __atomic_exchange_n(&s->now, 0, __ATOMIC_ACQ_REL);
    s->ctx = NULL;
    push(s);
    conn_context_release(ctx);
    if (now)
        baton_drop(now); /* an exchange's: it has none of its own */
}

void baton_drop(uint64_t handle)
{
    struct slot *s = slot_of(handle);
    uint64_t state = s ? __atomic_load_n(&s->state, __ATOMIC_ACQUIRE) : 0, to;
    do {
        if (!s || state >> 32 != handle >> 32 || !(uint32_t)state)
            return;
        to = (uint32_t)state == 1 ? ((state >> 32) + 1) << 32 : state - 1;
    } while (
        !__atomic_compare_exchange_n(&s->state, &state, to, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
    if ((uint32_t)state == 1)
        end(s);
}

void baton_linger(uint64_t handle)
{
    uint32_t at = __atomic_fetch_add(&linger_at, 1, __ATOMIC_RELAXED) % BATON_LINGER;
    uint64_t old = __atomic_exchange_n(&lingering[at], handle, __ATOMIC_ACQ_REL);
    if (old)
        baton_drop(old);
}

void baton_serve(uint64_t connection, uint64_t exchange)
{
    struct slot *s = slot_of(connection);
    if (!s || !baton_take(connection))
        return;
    if (exchange && !baton_take(exchange))
        exchange = 0;
    __atomic_store_n(&s->reader, &tb_guard, __ATOMIC_RELAXED);
    uint64_t old = __atomic_exchange_n(&s->now, exchange, __ATOMIC_ACQ_REL);
    if (old)
        baton_drop(old);
    baton_drop(connection);
}

/* What a connection that is held stands for, held; 0: nothing, here. */
static uint64_t open_on(const struct slot *s)
{
    uint64_t now = __atomic_load_n(&s->now, __ATOMIC_ACQUIRE);
    if (__atomic_load_n(&s->reader, __ATOMIC_RELAXED) != &tb_guard || !now || !baton_take(now))
        return 0;
    return now;
}

uint64_t baton_pin(uint64_t handle)
{
    if (!baton_take(handle))
        return 0;
    const struct slot *s = slot_of(handle);
    if (!s->is_connection)
        return handle;
    uint64_t now = open_on(s);
    baton_drop(handle);
    return now;
}

bool baton_look(uint64_t handle, struct baton_view *view)
{
    view->held = baton_pin(handle);
    if (!view->held)
        return false;
    const struct slot *s = slot_of(view->held);
    view->xid = s->xid;
    view->ctx = s->ctx;
    view->revoked = __atomic_load_n(&s->revoked, __ATOMIC_RELAXED);
    return true;
}

void baton_revoke(uint64_t handle)
{
    struct slot *s = slot_of(handle);
    if (!s || !baton_take(handle))
        return;
    __atomic_store_n(&s->revoked, true, __ATOMIC_RELAXED);
    baton_drop(handle);
}
