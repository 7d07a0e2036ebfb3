/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1: the machine of http1.h: life, questions, and the loop over the states
 * of http1_int.h.
 */
#include "http1_int.h"

_Static_assert(sizeof(struct http1) < 256, "copied as a checkpoint for each send");

/* What is absent is not a tchar. */
#define SAME(c)  [c] = c
#define LOWER(c) [c] = c, [(c)-32] = c
const char http1_tchar[256] = {
    SAME('!'),  SAME('#'),  SAME('$'),  SAME('%'),  SAME('&'),  SAME('\''), SAME('*'),  SAME('+'),
    SAME('-'),  SAME('.'),  SAME('^'),  SAME('_'),  SAME('`'),  SAME('|'),  SAME('~'),  SAME('0'),
    SAME('1'),  SAME('2'),  SAME('3'),  SAME('4'),  SAME('5'),  SAME('6'),  SAME('7'),  SAME('8'),
    SAME('9'),  LOWER('a'), LOWER('b'), LOWER('c'), LOWER('d'), LOWER('e'), LOWER('f'), LOWER('g'),
    LOWER('h'), LOWER('i'), LOWER('j'), LOWER('k'), LOWER('l'), LOWER('m'), LOWER('n'), LOWER('o'),
    LOWER('p'), LOWER('q'), LOWER('r'), LOWER('s'), LOWER('t'), LOWER('u'), LOWER('v'), LOWER('w'),
    LOWER('x'), LOWER('y'), LOWER('z')};

const char *http1_reason_name(enum http1_reason r)
{
    static const char *const names[] = {
#define X(id, text) text,
        HTTP1_REASONS(X)
#undef X
    };
    return (unsigned)r < HTTP1_R_COUNT ? names[r] : "";
}

void http1_init(struct http1 *h, enum http1_direction direction, bool proxy)
{
    memset(h, 0, sizeof(*h));
    h->direction = (uint8_t)direction;
    h->method = HTTP1_M_GET;
    h->flags = proxy ? F_PROXY : 0;
}

void http1_answer_to(struct http1 *h, enum http1_method method)
{
    h->method = (uint8_t)method;
}

bool http1_idle(const struct http1 *h)
{
    return h->state == S_START;
}

bool http1_close_delimited(const struct http1 *h)
{
    return h->state == S_CLOSE;
}

uint64_t http1_opaque(const struct http1 *h)
{
    if (h->state == S_CLOSE)
        return SIZE_MAX;
    return h->state == S_BODY || h->state == S_CHUNK_DATA ? h->remaining : 0;
}

enum http1_event http1_down(struct http1 *h, enum http1_reason r)
{
    h->state = S_DOWN;
    h->reason = (uint8_t)r;
    return HTTP1_DOWN;
}

static const struct {
    enum http1_event (*run)(struct run *);
    bool head;
} states[] = {
#define HEAD            true
#define OTHER           false
#define X(id, fn, part) [S_##id] = {http1_in_##fn, part},
    HTTP1_STATES(X)
#undef X
#undef HEAD
#undef OTHER
};

/* Bytes of the head are counted here, so that none is missed, and no state sees one beyond the
 * limit, so that where the refusal comes does not depend on the cuts. Whole heads pass in one turn
 * of this. */
static enum http1_event head_run(struct run *r)
{
    struct http1 *h = r->h;
    enum http1_event ev;
    size_t n = r->n, room = HTTP1_HEAD_MAX - h->head_bytes;
    if (room == 0)
        return http1_down(h, HTTP1_R_HEAD_TOO_LARGE);
    if (n - r->i > room)
        r->n = r->i + room;
    r->head = r->i;
    do
        ev = states[h->state].run(r);
    while (ev == NEXT && r->i < r->n && states[h->state].head);
    r->n = n;
    h->head_bytes += (uint32_t)(r->i - r->head);
    return ev;
}

/* On its own, so that a call without bytes, of which each message has some, costs next to nothing.
 */
__attribute__((noinline)) static enum http1_event scan(struct run *r)
{
    struct http1 *h = r->h;
    enum http1_event ev;
    do
        ev = states[h->state].head ? head_run(r) : states[h->state].run(r);
    while (ev == NEXT && r->i < r->n);
    return ev == NEXT ? HTTP1_MORE : ev;
}

enum http1_event http1_scan(struct http1 *h, const char *p, size_t n, size_t *used,
                            const struct http1_sink *sink, void *ctx)
{
    *used = 0;
    if (h->state >= S_END)
        return http1_due(h);
    if (n == 0)
        return HTTP1_MORE;
    if (h->state == S_EMPTY_CR && n >= 2 && memcmp(p, "\r\n", 2) == 0) {
        *used = 2; /* the whole empty line, which each head has: without the machine */
        h->head_bytes += 2;
        http1_frame(h);
        return HTTP1_HEAD;
    }
    struct run r = {h, p, n, 0, 0, sink, ctx};
    enum http1_event ev = scan(&r);
    *used = r.i;
    return ev;
}
