/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inbound: see inbound.h. An exchange opens when its head is complete and it is
 * the connection's turn (pipelined heads wait in a queue), and ends when its
 * final response is complete.
 */
#include "engine/inbound.h"

#include "engine/carrying.h"
#include "engine/count.h"
#include "engine/engine.h"
#include "engine/flow.h"
#include "sys/probe.h"

bool inbound_plausible(const char *p, size_t n)
{
    return n > 0 && ((*p >= 'A' && *p <= 'Z') || *p == '\r' || inlet_guess(p, n) != INLET_NONE);
}

void inbound_begin(struct conn *c, const char *p, size_t n)
{
    enum inlet_kind door = inlet_guess(p, n);
    inlet_init(&c->door_in, door, false);
    inlet_init(&c->door_out, door, true);
    CONN_SET(c->role, ROLE_SERVER);
    http1_init(&c->in, HTTP1_REQUEST, true);
    http1_init(&c->out, HTTP1_RESPONSE, false);
}

/* For the account, where one is kept. */
static void note_opened(struct conn *c)
{
    struct page_event e = {.kind = PAGE_EVENT_IN, .exchange = c->now.xid};
    e.rule = e.result = c->now.ctx ? COUNT_CONTEXTS : COUNT_NONE_EMPTY;
    if (!c->addr.family)
        probe_peer(c->fd, &c->addr.family, &c->addr.port, c->addr.ip);
    e.family = c->addr.family;
    e.port = c->addr.port;
    memcpy(e.ip, c->addr.ip, sizeof(e.ip));
    if (c->now.ctx)
        memcpy(e.trace, c->now.ctx->trace, sizeof(e.trace));
    page_note(&e);
}

/* A bridge, or whoever asks by the API, may keep what the exchange carries beyond it. */
void inbound_baton(struct conn *c)
{
    if (c->now.baton)
        return;
    CONN_SET(c->now.told, false);
    c->now.baton = baton_exchange(c->now.ctx, c->now.xid);
    if (c->overlap)
        baton_revoke(c->now.baton);
    if (c->baton)
        baton_serve(c->baton, c->now.baton);
}

static void drop_baton(struct conn *c)
{
    if (c->baton)
        baton_serve(c->baton, 0);
    if (c->now.baton)
        baton_drop(c->now.baton);
    c->now.baton = 0;
}

static void open_exchange(struct conn *c, struct context *ctx, uint8_t mode, uint8_t method)
{
    conn_context_release(c->now.ctx);
    c->now.ctx = ctx;
    CONN_SET(c->now.mode, mode);
    c->opened_in = c->reads;
    http1_answer_to(&c->out, (enum http1_method)method);
    flow_opened(c);
    if (carrier_here())
        inbound_baton(c);
    if (page_kept)
        note_opened(c);
}

/* The response of the open exchange is complete: next, please. A pipelined request becomes current
 * on the thread that finished the one before it, if that is how this connection is served; where
 * reads do not block, nothing says which thread takes it. */
static void close_exchange(struct conn *c, bool complete)
{
    const void *owner = c->now.owner;
    flow_ending(c, complete);
    __atomic_store_n(&c->now.xid, 0, __ATOMIC_RELEASE);
    conn_context_release(c->now.ctx);
    c->now.ctx = NULL;
    drop_baton(c);
    if (!c->queued) {
        c->overlap = false;
        return;
    }
    struct context *ctx = c->queue[0].ctx;
    uint8_t mode = c->queue[0].mode, method = c->queue[0].method;
    memmove(c->queue, c->queue + 1, --c->queued * sizeof(c->queue[0]));
    open_exchange(c, ctx, mode, method);
    if (mode != MODE_BLOCKING || !flow_serves(c) || !owner)
        __atomic_store_n(&c->now.owner, NULL, __ATOMIC_RELAXED);
}

static struct context *capture(struct conn *c)
{
    const struct head *head = &c->store->head;
    if (head->n == 0 && head->dropped == 0)
        return NULL;
    size_t size;
    void *block = conn_context_block(context_bound(head), &size);
    if (!block)
        return NULL;
    struct context_notes notes = {{0}};
    struct context *ctx = context_build(head, block, size, &notes);
    count_notes(COUNT_CAPTURE, &notes);
    if (ctx->n == 0) {
        conn_context_release(ctx);
        return NULL;
    }
    count(COUNT_CONTEXTS);
    if (page_kept)
        context_trace(ctx, ctx->trace);
    return ctx;
}

static uint8_t mode_of(struct conn *c, bool waits)
{
    return waits && conn_blocks(c) ? MODE_BLOCKING : MODE_NONBLOCKING;
}

/* The request direction is not understood any more. @return whether the connection is still of
 * interest: an exchange that is open still has its response to come. */
static bool in_down(struct conn *c, unsigned counter)
{
    count(counter);
    c->in_down = true;
    conn_store_release(c);
    return c->now.xid != 0;
}

/* Requests that wait for their turn will not be told apart any more. */
static void drop_queue(struct conn *c)
{
    while (c->queued > 0)
        conn_context_release(c->queue[--c->queued].ctx);
}

/* A request in a later read than the one that is open: is it pipelined, or has the response left by
 * a call that nobody hooks (dprintf, a raw system call, a number that we never saw)? The kernel
 * knows. Where it does not, nobody says whose work the thread does now.
 * @return whether the thread that read this one may be its owner */
static bool after_open(struct conn *c)
{
    int all = c->out_down || c->sending || c->opened_in == c->reads ? 1 : conn_sent_all(c);
    if (all != 1) {
        count(COUNT_DOWN_UNSEEN);
        c->out_down = true;
    }
    if (c->out_down) { /* its end cannot be seen; its number is superseded */
        drop_queue(c);
        close_exchange(c, false);
    }
    return all >= 0;
}

/* A request head is complete. Whether the fd still is the socket we knew is asked when the exchange
 * is used (flow_current), not here: one question an exchange is enough. */
static void arrived(struct conn *c, bool waits)
{
    count(COUNT_REQUESTS_IN);
    bool clear = !c->now.xid || after_open(c);
    struct context *ctx = capture(c);
    uint8_t mode = mode_of(c, waits);
    if (!c->now.xid) {
        open_exchange(c, ctx, mode, c->in.method);
        if (!clear)
            __atomic_store_n(&c->now.owner, NULL, __ATOMIC_RELAXED);
    } else if (c->queued < CONN_QUEUE) {
        c->overlap = true;
        baton_revoke(c->now.baton);
        c->queue[c->queued].ctx = ctx;
        c->queue[c->queued].mode = mode;
        c->queue[c->queued++].method = c->in.method;
    } else {
        conn_context_release(ctx);
        conn_poison(c, COUNT_DOWN_PIPELINE);
    }
}

static bool begin_head(struct conn *c)
{
    if (!(c->door_in.kind || http1_idle(&c->in)) || c->store)
        return true;
    struct store *s = conn_store(c);
    if (s)
        head_begin(&s->head, &engine_policy.names, s->buf, 0, sizeof(s->buf));
    return s != NULL;
}

/* Scan one piece. @return false: in_down() says nothing more is of interest. */
static bool scan(struct conn *c, const char *p, size_t n, bool waits)
{
    for (size_t used = 0;; p += used, n -= used) {
        if (n && !begin_head(c))
            return in_down(c, COUNT_DOWN_MEMORY);
        struct head *head = c->store ? &c->store->head : NULL;
        switch (http1_scan(&c->in, p, n, &used, &head_sink, head)) {
        case HTTP1_MORE:
            return true;
        case HTTP1_EMPTY_LINE:
            break;
        case HTTP1_HEAD:
            if (!conn_in_step(c, c->fd, false))
                return in_down(c, COUNT_DOWN_UNSEEN);
            arrived(c, waits);
            conn_store_release(c);
            break;
        case HTTP1_END:
            break;
        case HTTP1_DOWN:
            return in_down(c, COUNT_DOWN_IN + c->in.reason);
        }
    }
}

/* Another door is not understood any more. Its answers need not come in order (FastCGI's ids), nor
 * is their end always seen: nobody says of which request the thread that reads on makes calls. */
static bool door_down(struct conn *c, unsigned counter)
{
    drop_queue(c);
    if (c->now.xid)
        close_exchange(c, false);
    return in_down(c, counter);
}

/* The same through another door. A request ends with its answer, or when the next one begins. */
static bool scan_door(struct conn *c, const char *p, size_t n, bool waits)
{
    for (size_t used = 0;; p += used, n -= used) {
        struct head *head = c->store ? &c->store->head : NULL;
        switch (inlet_scan(&c->door_in, p, n, &used, &head_sink, head)) {
        case INLET_BEGIN:
            if (!begin_head(c))
                return door_down(c, COUNT_DOWN_MEMORY);
            break;
        case INLET_HEAD:
            arrived(c, waits);
            conn_store_release(c);
            break;
        case INLET_DOWN:
            return door_down(c, COUNT_DOWN_INLET);
        default:
            return true;
        }
    }
}

static bool between_requests(const struct conn *c)
{
    return c->door_in.kind ? !c->store : http1_idle(&c->in);
}

bool inbound_received(struct conn *c, const struct edit_piece *v, size_t nv, size_t n, bool waits)
{
    c->reads++;
    if (c->now.xid && (c->in_down || !between_requests(c)))
        flow_touched(c);
    for (size_t i = 0; i < nv && n > 0 && !c->in_down; i++) {
        size_t len = v[i].n < n ? v[i].n : n;
        n -= len;
        if (!v[i].p && c->door_in.kind)
            return door_down(c, COUNT_DOWN_UNSEEN);
        if (!v[i].p && http1_opaque(&c->in) < len)
            return in_down(c, COUNT_DOWN_UNSEEN);
        if (len && !(c->door_in.kind ? scan_door : scan)(c, v[i].p, len, waits))
            return false;
    }
    return true;
}

/* The response direction is not understood any more: the exchange's end cannot be seen. */
static bool out_down(struct conn *c)
{
    c->out_down = true;
    if (c->now.xid)
        close_exchange(c, false);
    return false;
}

static void ignore_piece(void *ctx, const char *p, size_t n)
{
    (void)ctx, (void)p, (void)n;
}
static bool ignore_field(void *ctx, struct span name)
{
    (void)ctx, (void)name;
    return false;
}
static void ignore_end(void *ctx, bool folded)
{
    (void)ctx, (void)folded;
}
static const struct http1_sink nobody = {ignore_piece, ignore_field, ignore_piece, ignore_end,
                                         NULL};

static bool answered_door(struct conn *c, const char *p, size_t n)
{
    for (size_t used = 0;; p += used, n -= used)
        switch (inlet_scan(&c->door_out, p, n, &used, &nobody, NULL)) {
        case INLET_END:
            c->door_in.open = false;
            if (c->now.xid)
                close_exchange(c, true);
            break;
        case INLET_DOWN:
            count(COUNT_DOWN_INLET);
            return out_down(c);
        default:
            return true;
        }
}

bool inbound_answered(struct conn *c, const char *p, size_t n)
{
    if (c->out_down)
        return false;
    if (c->now.xid)
        flow_answered(c);
    if (c->door_out.kind && p)
        return answered_door(c, p, n);
    if (!p && (c->door_out.kind || http1_opaque(&c->out) < n)) {
        count(COUNT_DOWN_UNSEEN);
        return out_down(c);
    }
    for (size_t used = 0;; p = p ? p + used : p, n -= used) {
        switch (http1_scan(&c->out, p, n, &used, &nobody, NULL)) {
        case HTTP1_MORE:
            return true;
        case HTTP1_EMPTY_LINE:
        case HTTP1_HEAD:
            break;
        case HTTP1_END:
            if (c->out.status >= 200 && c->now.xid)
                close_exchange(c, true);
            break;
        case HTTP1_DOWN:
            count(COUNT_DOWN_OUT + c->out.reason);
            return out_down(c);
        }
    }
}

void inbound_shutdown(struct conn *c)
{
    drop_queue(c); /* they can never be answered */
    c->in_down = true;
    if (c->now.xid)
        close_exchange(c, http1_close_delimited(&c->out));
}
