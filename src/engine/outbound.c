/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbound: see outbound.h. The scanner runs over the offered bytes once; if the
 * kernel took fewer, it is set back to the checkpoint and runs again over what
 * was accepted, so that it advances over accepted bytes and not over calls.
 */
#include "engine/outbound.h"

#include <limits.h>

#include "engine/baton.h"
#include "engine/child.h"
#include "engine/conn.h"
#include "engine/count.h"
#include "engine/flow.h"
#include "sys/guard.h"
#include "sys/probe.h"

#define PAGE 4096
#define FLAT 4096 /* a longer call is not copied */

bool outbound_plausible(const char *p, size_t n)
{
    return n > 0 && ((*p >= 'A' && *p <= 'Z') || *p == '\r');
}

void outbound_begin(struct conn *c)
{
    CONN_SET(c->role, ROLE_CLIENT);
    http1_init(&c->out, HTTP1_REQUEST, false);
}

/* The sum, as far as it makes sense: of more than SSIZE_MAX the kernel takes the beginning
 * (MAX_RW_COUNT, see write(2)) or nothing. Wrapped it would let bytes pass what is owed. */
size_t outbound_total(const struct edit_piece *v, size_t nv)
{
    size_t n = 0;
    for (size_t i = 0; i < nv; i++)
        n = v[i].n < SSIZE_MAX - n ? n + v[i].n : SSIZE_MAX;
    return n;
}

static bool begin_head(struct conn *c)
{
    if (!http1_idle(&c->out))
        return c->store != NULL;
    uint32_t at = c->store ? c->store->head.len : 0; /* append: a rollback needs the old bytes */
    struct store *s = conn_store(c);
    if (!s)
        return false;
    head_begin(&s->head, &engine_policy.names, s->buf, at, sizeof(s->buf));
    c->decided = false;
    return true;
}

/* --- the decision --------------------------------------------------------------------------- */

static void address(struct conn *c, int fd)
{
    if (!c->addr.family)
        probe_peer(fd, &c->addr.family, &c->addr.port, c->addr.ip);
}

/* Who owns a head: an exchange by its connection, or what a baton stands for (it is held); neither:
 * nobody does, for sure. */
struct claim {
    struct exchange_ref ref;
    bool told; /* view is valid */
    struct baton_view view;
    uint64_t xid;  /* of either; 0: nobody */
    unsigned rule; /* by which rule; else the reason */
};

/* What the thread's own doings say. */
static void inferred(struct conn *c, struct claim *w)
{
    struct exchange_ref ref = flow_current(&w->rule), bound = c->bound;
    c->bound.xid = 0; /* for the first request only */
    c->sent = flow_candidate();
    c->sent_by = &tb_guard;
    bool idle = w->rule == COUNT_NONE_NO_INBOUND || w->rule == COUNT_NONE_WAITED;
    bool mine = engine_policy.best || c->bound_by == &tb_guard;
    if (ref.xid) {
        w->rule = COUNT_RULE_THREAD;
    } else if (idle && bound.xid && mine && flow_open(bound)) {
        w->rule = COUNT_RULE_CONNECT;
        ref = bound;
    }
    w->ref = ref;
    w->xid = ref.xid;
}

/* What was said of it. */
static void told(const struct engine_send *s, struct claim *w)
{
    w->rule = s->answer == CARRIER_UNKNOWN ? COUNT_NONE_UNBRIDGED : COUNT_NONE_BRIDGE;
    if (s->answer != CARRIER_HELD)
        return;
    if (flow_is_contradicted()) {
        w->rule = COUNT_NONE_CONTRADICTED;
        return;
    }
    if (!tb_guard.told && child_has_left()) {
        w->rule = COUNT_NONE_STALE;
        return;
    }
    w->told = baton_look(s->baton, &w->view);
    w->rule = w->told ? s->rule : COUNT_NONE_STALE;
    w->xid = w->told ? w->view.xid : 0;
}

/* The process was started inside an exchange and has no inbound work of its own. */
static void by_birth(struct claim *w)
{
    w->told = baton_look(child_baton(), &w->view);
    if (!w->told)
        return;
    w->rule = COUNT_RULE_CHILD;
    w->xid = w->view.xid;
}

static void whose(struct conn *c, const struct engine_send *s, struct claim *w)
{
    memset(w, 0, sizeof(*w));
    if (s->answer == CARRIER_PASS)
        inferred(c, w);
    else
        told(s, w);
    if (!w->xid && !tb_guard.told && child_baton() && !flow_is_contradicted())
        by_birth(w);
}

void outbound_compare(enum context_own own)
{
    if (own == CONTEXT_OWN_AGREES)
        count(COUNT_OWN_RIGHT);
    if (own != CONTEXT_OWN_CONTRADICTS)
        return;
    count(COUNT_OWN_WRONG);
    if (!engine_policy.shadow)
        flow_contradicted();
}

static size_t compose_from(struct conn *c, const struct context *ctx, char *dst, size_t cap,
                           unsigned *result)
{
    size_t n = 0;
    enum context_own own = CONTEXT_OWN_SILENT;
    struct context_notes notes = {{0}};
    struct context_out out = {&c->store->head,   &engine_policy.peers, c->addr, c->out.method,
                              c->out.head_bytes, c->out.head_lines,    &c->memo};
    if (ctx)
        n = context_compose(ctx, &out, dst, cap, &own, &notes);
    *result = n > 0 ? COUNT_INSERTED : ctx ? COUNT_NONE_COMPOSED : COUNT_NONE_EMPTY;
    count_notes(COUNT_INSERT, &notes);
    outbound_compare(own);
    return n;
}

/* A server may keep an answer back while it works for the next request that it has read already
 * (Apache httpd does: one packet for all the answers), so the exchange that is open on a pipelined
 * connection is certain only when no other one waits.
 *
 * Compose the lines of an exchange for the head in c->store. @return their bytes, or 0: *result
 * says why there are none. */
static size_t compose(struct conn *c, const struct claim *w, char *dst, size_t cap,
                      unsigned *result)
{
    *result = COUNT_NONE_PIPELINED;
    if (w->told)
        return w->view.revoked ? 0 : compose_from(c, w->view.ctx, dst, cap, result);
    struct conn *x = conn_acquire_ref(w->ref);
    if (!x) {
        *result = COUNT_NONE_STALE;
        return 0;
    }
    size_t n = 0;
    if (!x->sending && !conn_in_step(x, x->fd, true)) { /* answered by calls that nobody hooks */
        conn_poison(x, COUNT_DOWN_UNSEEN);
        *result = COUNT_NONE_STALE;
    } else if (!x->queued) {
        n = compose_from(c, x->now.ctx, dst, cap, result);
    }
    conn_unlock(x);
    return n;
}

static char *room(struct engine_send *s)
{
    if (s->e.n == EDIT_INSERTIONS)
        return NULL;
    if (!s->block)
        s->block = conn_block();
    if (!s->block || STORE_SIZE - s->block_used < CONTEXT_MAX)
        return NULL;
    return (char *)s->block + s->block_used;
}

/* Plan the insertion of this exchange's lines at program offset `at`. @return what came of it. */
static unsigned insert(struct conn *c, struct engine_send *s, size_t at, unsigned flags,
                       const struct claim *w)
{
    unsigned result;
    if (flags & ENGINE_NO_EDIT)
        return COUNT_NONE_FLAGS;
    if (!s->identified && !conn_verify(c, s->fd))
        return COUNT_NONE_IDENTITY;
    if (!conn_in_step(c, s->fd, true)) {
        c->out_down = true;
        return COUNT_DOWN_UNSEEN;
    }
    char *dst = room(s);
    if (!dst)
        return COUNT_NONE_MANY;
    address(c, s->fd);
    if (!c->addr.family) /* the call itself connects (MSG_FASTOPEN): to whom? */
        return COUNT_NONE_FLAGS;
    size_t n = compose(c, w, dst, STORE_SIZE - s->block_used, &result);
    if (n == 0)
        return result;
    if (engine_policy.shadow)
        return COUNT_NONE_SHADOW;
    s->block_used += n;
    s->e.ins[s->e.n++] = (struct edit_insertion){at, {dst, n}};
    return COUNT_INSERTED;
}

/* For the account, where one is kept. */
static void note(struct conn *c, const struct claim *w, unsigned result)
{
    struct page_event e = {.kind = PAGE_EVENT_OUT, .exchange = w->xid};
    address(c, c->fd);
    e.family = c->addr.family;
    e.port = c->addr.port;
    memcpy(e.ip, c->addr.ip, sizeof(e.ip));
    e.rule = (uint16_t)w->rule;
    e.result = (uint16_t)result;
    if (w->told && w->view.ctx)
        memcpy(e.trace, w->view.ctx->trace, sizeof(e.trace));
    struct conn *x = w->told ? NULL : conn_acquire_ref(w->ref);
    if (x) {
        if (x->now.ctx)
            memcpy(e.trace, x->now.ctx->trace, sizeof(e.trace));
        conn_unlock(x);
    }
    page_note(&e);
}

/* Does it carry anything? Where the bridge writes the lines, that head has had its decision. */
static bool settled(const struct engine_send *s, const struct head *h)
{
    for (unsigned i = 0; i < h->n && s->answer == CARRIER_WRITES; i++)
        if (names_carried(&engine_policy.names, h->field[i].id))
            return true;
    return false;
}

/* The empty line of a request head begins at program offset `at`. INSERTED is counted when the
 * kernel has taken the bytes. */
static void decide(struct conn *c, struct engine_send *s, size_t at, unsigned flags)
{
    struct claim w;
    bool own = context_app_identity(&c->store->head);
    c->decided = true;
    count(COUNT_REQUESTS_OUT);
    if (settled(s, &c->store->head))
        return;
    if (own)
        count(COUNT_RULE_APP);
    whose(c, s, &w);
    if (c->promised)
        baton_drop(c->promised);
    c->promised = 0;
    count(w.rule);
    if (own && !w.xid)
        count(COUNT_OWN_MISSING);
    unsigned result = w.xid ? insert(c, s, at, flags, &w) : w.rule;
    if (w.xid && result == COUNT_DOWN_UNSEEN)
        conn_poison(c, COUNT_DOWN_UNSEEN);
    else if (w.xid && result != COUNT_INSERTED)
        count(result);
    if (page_kept)
        note(c, &w, result);
    if (w.told)
        baton_drop(w.view.held);
}

bool outbound_asks(const struct conn *c)
{
    return !c->out_down && (c->role == ROLE_NONE || http1_idle(&c->out) || !c->decided);
}

/* --- scanning ------------------------------------------------------------------------------- */

/* Scan one slice that is known to be readable; `at` is its program offset. s NULL: a replay, in
 * which nothing is decided. @return false when the stream is not understood from here on. */
static bool scan(struct conn *c, struct engine_send *s, const char *p, size_t n, size_t at,
                 unsigned flags)
{
    for (size_t used = 0;; p += used, n -= used, at += used) {
        if (n && http1_idle(&c->out) && !begin_head(c)) {
            count(COUNT_DOWN_MEMORY);
            c->out_down = true;
            return false;
        }
        struct head *head = c->store ? &c->store->head : NULL;
        switch (http1_scan(&c->out, p, n, &used, &head_sink, head)) {
        case HTTP1_MORE:
            return true;
        case HTTP1_EMPTY_LINE:
            if (s && !c->decided)
                decide(c, s, at + used, flags);
            c->decided = true;
            if (c->out_down)
                return false;
            break;
        case HTTP1_HEAD:
        case HTTP1_END:
            break;
        case HTTP1_DOWN:
            c->out_down = true;
            return false;
        }
    }
}

/* One piece, page by page: bytes are only looked at where the program may read them (a bad pointer
 * is the kernel's to refuse, with EFAULT), and bodies are not looked at at all.
 * @return false: stop. */
static bool scan_piece(struct conn *c, struct engine_send *s, struct edit_piece v, size_t at,
                       unsigned flags)
{
    const char *p = v.p;
    for (size_t n = v.n, len; n > 0; p += len, n -= len, at += len) {
        uint64_t body = http1_opaque(&c->out);
        size_t page = PAGE - ((uintptr_t)p & (PAGE - 1));
        len = page < n ? page : n;
        if (body > len) {
            len = body < n ? (size_t)body : n;
            if (s)
                s->skipped = true;
        } else if (s && !probe_readable(p)) {
            s->scanned = false;
            return false;
        }
        if (!scan(c, s, p, len, at, flags))
            return false;
    }
    return true;
}

static void scan_offered(struct conn *c, struct engine_send *s, unsigned flags)
{
    size_t at = 0;
    s->scanned = true;
    for (size_t i = 0; i < s->nv && !c->out_down; at += s->v[i++].n)
        if (!scan_piece(c, s, s->v[i], at, flags))
            break;
    s->saw_down = c->out_down;
}

static void checkpoint(struct conn *c, struct engine_send *s)
{
    c->saved_out = c->out;
    if (c->store)
        c->store->saved = c->store->head;
    s->had_store = c->store != NULL;
    s->was_decided = c->decided;
}

/* Set back to the checkpoint and advance over the first n program bytes. */
static void replay(struct conn *c, struct engine_send *s, size_t n)
{
    c->out = c->saved_out;
    c->out_down = false;
    c->decided = s->was_decided;
    if (s->had_store)
        c->store->head = c->store->saved;
    else
        conn_store_release(c);
    for (size_t i = 0; i < s->nv && n > 0 && !c->out_down; i++) {
        struct edit_piece v = {s->v[i].p, s->v[i].n < n ? s->v[i].n : n};
        n -= v.n;
        scan_piece(c, NULL, v, 0, 0);
    }
}

/* One piece costs the kernel less than three; what is copied has been read already. */
static void flatten(struct engine_send *s)
{
    size_t wire = edit_wire(&s->e);
    if (s->skipped || s->e.lead.n || wire > FLAT || STORE_SIZE - s->block_used < wire)
        return;
    char *to = (char *)s->block + s->block_used;
    struct edit_piece v[16];
    size_t n = edit_pieces(&s->e, 0, s->v, s->nv, v, 16), at = 0;
    for (size_t i = 0; i < n; at += v[i++].n)
        span_copy(to + at, v[i].p, v[i].n);
    if (at == wire)
        s->flat = to;
}

void outbound_plan(struct conn *c, struct engine_send *s, unsigned flags)
{
    s->e.total = outbound_total(s->v, s->nv);
    s->e.lead = c->owed;
    s->scanned = false;
    if (!c->out_down) {
        checkpoint(c, s);
        if (http1_opaque(&c->out) < s->e.total && s->e.total < SSIZE_MAX)
            scan_offered(c, s, flags);
        if (!s->scanned) /* nothing may be inserted into what was not read to its end */
            s->e.n = 0;
    }
    s->edited = s->e.total > 0 && (s->e.n > 0 || s->e.lead.n > 0);
    if (s->edited)
        flatten(s);
}

/* --- accounting ----------------------------------------------------------------------------- */

/* The cut left a tail owed: keep the block that holds it. */
static void keep_owed(struct conn *c, struct engine_send *s, struct edit_cut cut)
{
    bool in_lead = cut.owed.n > 0 && cut.done == 0;
    c->owed = cut.owed;
    if (c->owed_block && !in_lead) {
        conn_block_release(c->owed_block);
        c->owed_block = NULL;
    }
    if (cut.owed.n > 0 && !in_lead) {
        count(COUNT_OWED);
        c->owed_block = s->block;
        s->block = NULL;
    }
}

static void count_inserted(const struct engine_send *s, unsigned done)
{
    for (unsigned i = 0; i < done; i++) {
        count(COUNT_INSERTED);
        page_add(COUNT_BYTES, s->e.ins[i].text.n);
    }
}

/* Advance `out` over what was told. */
static void advance(struct conn *c, struct engine_send *s, struct edit_cut cut)
{
    if (c->out_down && !s->saw_down)
        return;
    if (s->scanned && cut.told == s->e.total)
        return;
    replay(c, s, cut.told);
    if (cut.done > 0 && s->e.ins[cut.done - 1].at == cut.told)
        c->decided = true;
}

static bool interesting(struct conn *c)
{
    if (http1_idle(&c->out) && !c->out_down)
        conn_store_release(c);
    if (!c->out_down || c->owed.n > 0)
        return true;
    if (c->out.reason != HTTP1_R_NONE)
        count(COUNT_DOWN_OUT + c->out.reason);
    return false;
}

bool outbound_sent(struct conn *c, struct engine_send *s, size_t accepted)
{
    struct edit_cut cut = {accepted, 0, {NULL, 0}};
    if (s->edited) {
        cut = edit_accepted(&s->e, accepted);
        if (accepted < edit_wire(&s->e))
            count(COUNT_SHORT);
        keep_owed(c, s, cut);
        count_inserted(s, cut.done);
    }
    advance(c, s, cut);
    return interesting(c);
}

bool outbound_unseen(struct conn *c, size_t n)
{
    size_t used;
    if (c->out_down)
        return interesting(c);
    if (http1_opaque(&c->out) >= n) {
        http1_scan(&c->out, NULL, n, &used, &head_sink, NULL);
        http1_scan(&c->out, NULL, 0, &used, &head_sink, NULL);
        return interesting(c);
    }
    count(COUNT_DOWN_UNSEEN);
    c->out_down = true;
    return interesting(c);
}

void outbound_owed_sent(struct conn *c, size_t n)
{
    c->owed = (struct span){c->owed.p + n, c->owed.n - n};
    if (c->owed.n > 0 || !c->owed_block)
        return;
    conn_block_release(c->owed_block);
    c->owed_block = NULL;
}
