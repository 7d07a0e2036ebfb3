/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow: see flow.h. A thread's view is its guard's room: two revocable
 * references and a few bits; a process's view is four words.
 *
 * The references are checked without a lock: an exchange's number is unique in
 * the process and its first bits name the process (a fork child trusts nothing
 * it inherited), so "the connection still carries that number" is enough.
 */
#include "engine/flow.h"

#include "engine/child.h"
#include "engine/count.h"
#include "sys/guard.h"
#include "sys/probe.h"
#include "sys/proc.h"

#define SERVED 2

/* The room in struct guard, as this file uses it. */
struct serving {
    struct exchange_ref slot[SERVED];
};
_Static_assert(sizeof(struct serving) <= sizeof(((struct guard *)0)->room), "thread-local room");

/* Bits of guard.flags. */
enum { LAST_MASK = 3, WHY_WAITED = 4, TOO_MANY = 8 /* this thread is a loop, for good */ };

static enum flow_runtime runtime;
static uint64_t next_number;
static uint32_t proven, refuted, contradicted, refused;

static struct serving *mine(void)
{
    return (struct serving *)tb_guard.room;
}

static bool alive(const struct exchange_ref *r)
{
    return r->xid && __atomic_load_n(&r->conn->now.xid, __ATOMIC_ACQUIRE) == r->xid &&
           (r->xid >> 48) == (proc_epoch() & 0xffff) && !proc_is_inherited();
}

static bool owned(const struct exchange_ref *r)
{
    return alive(r) && __atomic_load_n(&r->conn->now.owner, __ATOMIC_RELAXED) == &tb_guard;
}

static const char *const *php_sapi;

void flow_init(enum flow_runtime rt, const char *const *sapi)
{
    runtime = rt;
    php_sapi = sapi;
}

/* Decided when the first request is there: by then PHP has started. */
static void decide_php(void)
{
    const char *name = probe_range(php_sapi, sizeof(*php_sapi)) ? *php_sapi : NULL;
    bool server = name && ((probe_range(name, 11) && memcmp(name, "cli-server", 11) == 0) ||
                           (probe_range(name, 9) && memcmp(name, "fpm-fcgi", 9) == 0));
    php_sapi = NULL;
    runtime = server ? RUNTIME_SYNC_LAST : RUNTIME_ANY;
}

static bool disproved(void)
{
    return runtime == RUNTIME_ANY && __atomic_load_n(&refuted, __ATOMIC_RELAXED);
}

static void refute(void)
{
    if (runtime == RUNTIME_ANY && !__atomic_exchange_n(&refuted, 1, __ATOMIC_RELAXED))
        count(COUNT_REFUTED);
}

void flow_contradicted(void)
{
    __atomic_store_n(&contradicted, 1, __ATOMIC_RELAXED);
}

bool flow_is_contradicted(void)
{
    return __atomic_load_n(&contradicted, __ATOMIC_RELAXED);
}

void flow_refuse(void)
{
    __atomic_store_n(&refused, 1, __ATOMIC_RELAXED);
}

/* A close that nobody saw leaves an exchange open; its fd tells. */
static bool still_there(const struct exchange_ref *r)
{
    return conn_there(r->conn);
}

static void serve(struct conn *c)
{
    struct serving *s = mine();
    unsigned at = SERVED;
    for (unsigned i = 0; i < SERVED; i++)
        if (!owned(&s->slot[i]) || s->slot[i].conn == c)
            at = i;
    if (at == SERVED) {
        tb_guard.flags |= TOO_MANY;
        if (runtime != RUNTIME_SYNC_LAST)
            return;
        at = !(tb_guard.flags & LAST_MASK);
    }
    s->slot[at] = (struct exchange_ref){c, c->now.xid};
    tb_guard.flags = (tb_guard.flags & ~(uint32_t)(LAST_MASK | WHY_WAITED)) | at;
}

/* Another exchange of this thread is open, and really is. */
static bool serves_another(const struct conn *c)
{
    struct serving *s = mine();
    for (unsigned i = 0; i < SERVED; i++)
        if (s->slot[i].conn != c && owned(&s->slot[i]) && still_there(&s->slot[i]))
            return true;
    return false;
}

static void drop_vanished(void)
{
    struct serving *s = mine();
    for (unsigned i = 0; i < SERVED; i++)
        if (owned(&s->slot[i]) && !still_there(&s->slot[i]))
            s->slot[i].xid = 0;
}

void flow_opened(struct conn *c)
{
    proc_check();
    child_independent();
    if (php_sapi)
        decide_php();
    uint64_t n = __atomic_add_fetch(&next_number, 1, __ATOMIC_RELAXED);
    CONN_SET(c->now.sync_wait, false);
    CONN_SET(c->now.parallel, false);
    __atomic_store_n(&c->now.owner, &tb_guard, __ATOMIC_RELAXED);
    __atomic_store_n(&c->now.xid, (uint64_t)(proc_epoch() & 0xffff) << 48 | (n & 0xffffffffffff),
                     __ATOMIC_RELEASE);
    if (serves_another(c))
        refute();
    else
        drop_vanished();
    serve(c);
}

static void hand_off(struct conn *c)
{
    __atomic_store_n(&c->now.owner, NULL, __ATOMIC_RELAXED);
    refute();
}

void flow_touched(struct conn *c)
{
    if (c->now.owner == &tb_guard)
        serve(c);
    else if (runtime == RUNTIME_ANY)
        hand_off(c);
    else if (c->now.owner) {
        __atomic_store_n(&c->now.owner, &tb_guard, __ATOMIC_RELAXED);
        serve(c);
    }
}

void flow_answered(struct conn *c)
{
    if (c->now.owner && c->now.owner != &tb_guard)
        hand_off(c);
}

void flow_ending(struct conn *c, bool complete)
{
    if (!complete || c->now.owner != &tb_guard || !CONN_GET(c->now.sync_wait) ||
        !CONN_GET(c->now.parallel))
        return;
    if (c->now.mode == MODE_BLOCKING || __atomic_load_n(&refuted, __ATOMIC_RELAXED))
        return;
    if (__atomic_add_fetch(&proven, 1, __ATOMIC_RELAXED) == EVIDENCE_NEEDED)
        count(COUNT_PROVEN);
}

bool flow_wants_evidence(const struct conn *client)
{
    return runtime == RUNTIME_ANY && !disproved() &&
           __atomic_load_n(&proven, __ATOMIC_RELAXED) < EVIDENCE_NEEDED &&
           client->sent_by == &tb_guard && owned(&client->sent) &&
           CONN_GET(client->sent.conn->now.mode) == MODE_NONBLOCKING;
}

void flow_upstream_answer(struct conn *client, bool synchronous)
{
    if (!synchronous)
        return;
    struct exchange *x = &client->sent.conn->now;
    CONN_SET(x->sync_wait, true);
    if (__atomic_load_n(&next_number, __ATOMIC_RELAXED) != (CONN_GET(x->xid) & 0xffffffffffff))
        CONN_SET(x->parallel, true);
}

bool flow_serving(void)
{
    struct serving *s = mine();
    return s->slot[0].xid | s->slot[1].xid;
}

bool flow_serves_unproven(void)
{
    struct serving *s = mine();
    for (unsigned i = 0; i < SERVED; i++)
        if (owned(&s->slot[i]) && CONN_GET(s->slot[i].conn->now.mode) == MODE_NONBLOCKING)
            return true;
    return false;
}

bool flow_serves(const struct conn *c)
{
    struct serving *s = mine();
    for (unsigned i = 0; i < SERVED; i++)
        if (s->slot[i].conn == c && owned(&s->slot[i]))
            return true;
    return false;
}

/* Whoever waits for others while a request lies before it in full is a loop. (A server that waits
 * for the rest of a request has not called its handler yet.) */
static void seen_as_loop(struct exchange_ref ref)
{
    tb_guard.flags |= WHY_WAITED;
    refute();
    struct conn *c = conn_acquire_ref(ref);
    if (!c)
        return;
    if (c->in_down || http1_idle(&c->in))
        tb_guard.flags |= TOO_MANY;
    conn_unlock(c);
}

void flow_waited(void)
{
    struct serving *s = mine();
    bool known = disproved() && (tb_guard.flags & TOO_MANY); /* a loop: no question */
    for (unsigned i = 0; i < SERVED; i++) {
        if (!known && owned(&s->slot[i]) && still_there(&s->slot[i]))
            seen_as_loop(s->slot[i]);
        s->slot[i] = (struct exchange_ref){NULL, 0};
    }
}

bool flow_open(struct exchange_ref ref)
{
    return alive(&ref) && still_there(&ref);
}

/* Which slot, if exactly one (or the last, where one thread serves all) is the thread's. */
static unsigned only_slot(unsigned *reason)
{
    struct serving *s = mine();
    unsigned n = 0, at = SERVED, last = tb_guard.flags & LAST_MASK;
    for (unsigned i = 0; i < SERVED; i++)
        if (owned(&s->slot[i])) {
            at = i;
            n++;
        } else if (s->slot[i].xid)
            *reason = alive(&s->slot[i]) ? COUNT_NONE_HANDED : COUNT_NONE_STALE;
    if (runtime == RUNTIME_SYNC_LAST && owned(&s->slot[last]))
        return last;
    if (n <= 1 && !(tb_guard.flags & TOO_MANY))
        return at;
    *reason = COUNT_NONE_AMBIGUOUS;
    return SERVED;
}

struct exchange_ref flow_candidate(void)
{
    unsigned reason = COUNT_NONE_NO_INBOUND;
    proc_check();
    unsigned at = only_slot(&reason);
    return at < SERVED ? mine()->slot[at] : (struct exchange_ref){NULL, 0};
}

/* One exchange at a time is how this program works: see flow.h. */
static unsigned doubt(const struct exchange *x)
{
    if (runtime != RUNTIME_ANY || CONN_GET(x->mode) == MODE_BLOCKING)
        return 0;
    return __atomic_load_n(&proven, __ATOMIC_RELAXED) >= EVIDENCE_NEEDED ? 0 : COUNT_NONE_UNPROVEN;
}

struct exchange_ref flow_current(unsigned *reason)
{
    struct exchange_ref none = {NULL, 0};
    proc_check();
    *reason = (tb_guard.flags & WHY_WAITED) ? COUNT_NONE_WAITED : COUNT_NONE_NO_INBOUND;
    if (flow_is_contradicted()) {
        *reason = COUNT_NONE_CONTRADICTED;
        return none;
    }
    if (runtime == RUNTIME_ANY && __atomic_load_n(&refused, __ATOMIC_RELAXED)) {
        *reason = COUNT_NONE_REFUSED;
        return none;
    }
    if (disproved()) { /* also what was bound before (rule `connect`) was no stretch of one exchange
                        */
        *reason = COUNT_NONE_REFUTED;
        return none;
    }
    unsigned at = only_slot(reason);
    if (at == SERVED)
        return none;
    struct exchange_ref ref = mine()->slot[at];
    unsigned why = doubt(&ref.conn->now);
    if (!why && !conn_there_yet(ref.conn))
        why = COUNT_NONE_STALE;
    if (!why)
        return ref;
    *reason = why;
    return none;
}
