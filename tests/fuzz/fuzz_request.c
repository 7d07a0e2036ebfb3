/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_request: the scanner over requests, with and without a PROXY prefix. See
 * scan.h. And with it the insertion itself: a stream into which a line was
 * inserted at every place where that is allowed is framed as it was before.
 */
#define _GNU_SOURCE
#define FUZZ_NAME   "request"
#define FUZZ_TOKENS STREAM_TOKENS
#include "fuzz/fuzz.h"
#include "fuzz/scan.h"

static const struct stream setups[] = {{HTTP1_REQUEST, false, HTTP1_M_GET, NULL, 0},
                                       {HTTP1_REQUEST, true, HTTP1_M_GET, NULL, 0}};
#define SETUPS (sizeof(setups) / sizeof(setups[0]))

#define LINE "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"

/* Everything of an event that must not change, and what changes by the lines inserted so far. */
struct seen {
    enum http1_event ev;
    uint8_t reason, method, body;
    bool close, expect, upgrade;
    uint64_t remaining;
    size_t at;
    uint32_t head_bytes, head_lines;
};

#define SEEN_MAX 4096

/* Scan all; where `to` is given, write the stream there with LINE in every head.
 * @return the number of events. */
static size_t scan_all(const struct stream *s, struct seen *seen, struct text *to)
{
    struct http1 h;
    size_t n = 0, at = 0;
    http1_init(&h, s->direction, s->proxy);
    for (enum http1_event ev = HTTP1_HEAD; n < SEEN_MAX && ev != HTTP1_MORE && ev != HTTP1_DOWN;) {
        size_t used;
        ev = http1_scan(&h, s->p + at, s->n - at, &used, &deaf_sink, NULL);
        if (to)
            text_add(to, s->p + at, used);
        if (to && ev == HTTP1_EMPTY_LINE)
            text_add(to, LINE, sizeof(LINE) - 1);
        at += used;
        seen[n++] =
            (struct seen){ev,        h.reason,    h.method, h.body,       h.close,     h.expect,
                          h.upgrade, h.remaining, at,       h.head_bytes, h.head_lines};
    }
    if (to)
        text_add(to, s->p + at, s->n - at);
    return n;
}

static const char *same(const struct seen *a, const struct seen *b, size_t lines, bool in_head)
{
    if (a->ev != b->ev || a->reason != b->reason || b->at != a->at + lines * (sizeof(LINE) - 1))
        return "an insertion changes where the messages are";
    if (a->method != b->method || a->body != b->body || a->remaining != b->remaining ||
        a->close != b->close || a->expect != b->expect || a->upgrade != b->upgrade)
        return "an insertion changes what the messages are";
    if (a->ev == HTTP1_HEAD && in_head &&
        (b->head_lines != a->head_lines + 1 || b->head_bytes != a->head_bytes + sizeof(LINE) - 1))
        return "an inserted line is not one line";
    return NULL;
}

/* The scan of the result stops before the empty line behind the inserted one: the event at the same
 * place is the same. */
static const char *transparent(const struct stream *s)
{
    static struct seen a[SEEN_MAX], b[SEEN_MAX];
    struct text t = {0};
    const char *why = NULL;
    text_add(&t, "", 0);
    size_t n = scan_all(s, a, &t), lines = 0;
    struct stream after = *s;
    after.p = t.p;
    after.n = t.n;
    if (scan_all(&after, b, NULL) != n)
        why = "an insertion changes the number of events";
    for (size_t i = 0; !why && i < n; i++) {
        lines += a[i].ev == HTTP1_EMPTY_LINE;
        why = same(&a[i], &b[i], lines, i > 0 && a[i - 1].ev == HTTP1_EMPTY_LINE);
    }
    free(t.p);
    return why;
}

static const char *fuzz_judge(const uint8_t *data, size_t n)
{
    if (n == 0)
        return NULL;
    struct stream s = setups[data[0] % SETUPS];
    s.p = (const char *)data + 1;
    s.n = n - 1;
    const char *why = scan_judge(&s);
    return why ? why : transparent(&s);
}

static void add_case(const char *file, struct wire_case *w)
{
    (void)file;
    size_t setup = scan_setup(setups, SETUPS, &w->stream);
    if (setup < SETUPS)
        stream_seed((uint8_t)setup, w->stream.p, w->stream.n);
}

static const char *fuzz_seeds(void)
{
    static const char *const more[] = {
        "POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabcGET / "
        "HTTP/1.1\r\n\r\n",
        "PUT /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
        "3;a=\"b\";c\r\nabc\r\n00\r\nX-Sum: 1\r\n\r\nGET / HTTP/1.0\r\nConnection: "
        "keep-alive\r\n\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"};
    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
        for (uint8_t setup = 0; setup < SETUPS; setup++)
            stream_seed(setup, more[i], strlen(more[i]));
    return stream_cases(add_case);
}
