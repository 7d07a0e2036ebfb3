/* SPDX-License-Identifier: Apache-2.0 */
/* aside: see aside.h. Everything lies in two blocks of the arena for the time of one question. */
#include "engine/aside.h"

#include "engine/baton.h"
#include "engine/child.h"
#include "engine/conn.h"
#include "engine/count.h"
#include "engine/engine.h"
#include "engine/flow.h"
#include "engine/outbound.h"
#include "sys/guard.h"

/* Exactly one head, to the end of the text. */
static bool read_head(struct head *h, struct http1 *scan, struct span text)
{
    size_t used;
    http1_init(scan, HTTP1_REQUEST, false);
    return http1_scan(scan, text.p, text.n, &used, &head_sink, h) == HTTP1_EMPTY_LINE &&
           used + 2 == text.n;
}

/* As if the others had not come. */
static void only_ids(struct context *ctx)
{
    uint32_t n = ctx->n;
    ctx->n = ctx->text_len = 0;
    ctx->classes = 1u << PEER_I;
    for (uint32_t i = 0; i < n; i++) {
        struct context_line l = ctx->line[i];
        if (names_row(&engine_policy.names, l.id)->cls != PEER_I)
            continue;
        memmove(ctx->text + ctx->text_len, ctx->text + l.off, l.len);
        l.off = ctx->text_len;
        ctx->text_len += l.len;
        ctx->line[ctx->n++] = l;
    }
    ctx->sum = context_sum(ctx);
}

/* A block of our own: it may be changed. */
static struct context *copied(const struct context *from)
{
    size_t size, n = sizeof(*from) + from->text_len;
    struct context *ctx = conn_context_block(n, &size);
    if (!ctx)
        return NULL;
    memcpy(ctx, from, n);
    ctx->size = (uint32_t)size;
    ctx->shares = 0;
    return ctx;
}

static struct context *of_baton(uint64_t baton)
{
    struct baton_view v;
    if (child_has_left() || !baton_look(baton, &v))
        return NULL;
    struct context *ctx = v.ctx && !v.revoked ? copied(v.ctx) : NULL;
    baton_drop(v.held);
    return ctx;
}

static struct context *of_text(struct span in, struct store *s)
{
    size_t size;
    struct http1 scan;
    if (!read_head(&s->head, &scan, in))
        return NULL;
    void *block = conn_context_block(context_bound(&s->head), &size);
    if (!block)
        return NULL;
    struct context_notes notes = {{0}}; /* were counted where the request was read */
    return context_build(&s->head, block, size, &notes);
}

/* What the inbound request carries; NULL: no memory, not understood, or not to be used. */
static struct context *build(const struct aside *q, struct store *s)
{
    head_begin(&s->head, &engine_policy.names, s->buf, 0, sizeof(s->buf));
    struct context *ctx = q->baton ? of_baton(q->baton) : of_text(q->in, s);
    if (ctx && q->elsewhere)
        only_ids(ctx);
    return ctx;
}

static unsigned compose(const struct aside *q, struct store *s, const struct context *ctx,
                        char *dst, size_t *cap)
{
    struct http1 scan;
    size_t room = *cap;
    enum context_own own = CONTEXT_OWN_SILENT;
    struct context_notes notes = {{0}};
    *cap = 0;
    head_begin(&s->saved, &engine_policy.names, s->buf, s->head.len, sizeof(s->buf));
    if (!read_head(&s->saved, &scan, q->out))
        return COUNT_NONE_UNBRIDGED;
    if (context_app_identity(&s->saved))
        count(COUNT_RULE_APP);
    if (flow_is_contradicted())
        return COUNT_NONE_CONTRADICTED;
    if (ctx->n == 0)
        return COUNT_NONE_EMPTY;
    struct context_out out = {&s->saved,   &engine_policy.peers, {.port = q->port},
                              scan.method, scan.head_bytes,      scan.head_lines,
                              NULL};
    size_t n = context_compose(ctx, &out, dst, room, &own, &notes);
    count_notes(COUNT_INSERT, &notes);
    outbound_compare(own);
    if (n > 0 && !engine_policy.shadow)
        *cap = n;
    return n == 0 ? COUNT_NONE_COMPOSED : engine_policy.shadow ? COUNT_NONE_SHADOW : COUNT_INSERTED;
}

/* The account's numbers, and the decision in its ring. */
static void settle(const struct context *ctx, unsigned result, size_t n)
{
    struct page_event e = {.kind = PAGE_EVENT_OUT, .rule = COUNT_RULE_BRIDGE};
    if (!page_kept)
        return;
    page_add_kept(COUNT_RULE_BRIDGE, 1);
    page_add_kept(result, 1);
    page_add_kept(COUNT_BYTES, n);
    e.result = (uint16_t)result;
    context_trace(ctx, e.trace);
    page_note(&e);
}

static size_t answer(const struct aside *q, struct store *s, char *dst, size_t cap)
{
    struct context *ctx = build(q, s);
    if (!ctx) {
        count(COUNT_NONE_UNBRIDGED);
        return 0;
    }
    unsigned result = compose(q, s, ctx, dst, &cap);
    settle(ctx, result, cap);
    conn_context_release(ctx);
    return cap;
}

size_t aside_compose(const struct aside *q, char *dst, size_t cap)
{
    size_t n = 0;
    if (!guard_enter())
        return 0;
    struct store *s = conn_block();
    if (s) {
        n = answer(q, s, dst, cap);
        conn_block_release(s);
    }
    guard_leave();
    return n;
}
