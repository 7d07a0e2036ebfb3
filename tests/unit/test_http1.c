/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_http1: what http1.h promises that a corpus of streams (test_wire) cannot
 * say: single calls, what can be read when, and, in both directions, every byte
 * value at every place of a head against tests/wire/naive.h.
 */
#define _GNU_SOURCE
#include "unit/unit.h"

#include "wire/events.h"

#define EXPECT(cond, what) CHECK_SAY(cond, "%s", what)

/* Scan on with nothing listening. */
static enum http1_event scan(struct http1 *h, const char *p, size_t n, size_t *used)
{
    return http1_scan(h, p, n, used, &deaf_sink, NULL);
}

/* A whole text, until `last` is reported. @return bytes used. */
static size_t until(struct http1 *h, enum http1_event last, const char *p)
{
    size_t at = 0, n = strlen(p), used;
    for (unsigned calls = 0; calls < 10; calls++) {
        enum http1_event ev = scan(h, p + at, n - at, &used);
        at += used;
        if (ev == last)
            return at;
        if (ev == HTTP1_MORE || ev == HTTP1_DOWN)
            break;
    }
    EXPECT(false, "the event did not come");
    return at;
}

START_TEST(reasons)
{
    for (unsigned i = 0; i < HTTP1_R_COUNT; i++) {
        EXPECT(*http1_reason_name((enum http1_reason)i), "a reason without a name");
        for (unsigned k = 0; k < i; k++)
            EXPECT(strcmp(http1_reason_name((enum http1_reason)i),
                          http1_reason_name((enum http1_reason)k)) != 0,
                   "two reasons of one name");
    }
    EXPECT(!*http1_reason_name(HTTP1_R_COUNT), "a name where there is no reason");
}
END_TEST

/* .started: false until the LF of the first start line, then true for good. */
static void started_by(enum http1_direction d, const char *head, const char *then)
{
    struct http1 h;
    size_t line = strcspn(head, "\n"), used;
    http1_init(&h, d, false);
    for (size_t i = 0; head[i]; i++) {
        EXPECT(h.started == (i > line), "started at the wrong byte");
        scan(&h, head + i, 1, &used);
    }
    until(&h, HTTP1_DOWN, then);
    EXPECT(h.started, "not started any more");
}

START_TEST(started)
{
    static const char *const never[] = {"GET /\r\n", "GET / HTTP/1.1\n", "\x16\x03\x01",
                                        "PRI * HTTP/2.0\r\n", "hello world\r\n"};
    struct http1 h;
    started_by(HTTP1_REQUEST, "GET / HTTP/1.1\r\nA: b\r\n", "x y\r\n");
    started_by(HTTP1_RESPONSE, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "x");
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        http1_init(&h, HTTP1_REQUEST, false);
        until(&h, HTTP1_DOWN, never[i]);
        EXPECT(!h.started, "started by what is not HTTP/1");
    }
}
END_TEST

/* After the end everything about the message can still be read, until the next one begins. */
START_TEST(readable_after_end)
{
    struct http1 h;
    size_t used;
    http1_init(&h, HTTP1_REQUEST, false);
    until(&h, HTTP1_END,
          "POST / HTTP/1.0\r\nExpect: 100-continue\r\nUpgrade: x\r\nContent-Length: 2\r\n\r\nab");
    EXPECT(http1_idle(&h) && h.method == HTTP1_M_POST && h.close && h.expect && h.length &&
               h.upgrade && h.minor == 0 && h.body == HTTP1_BODY_LENGTH && h.head_lines == 3,
           "something of the message was forgotten");
    EXPECT(scan(&h, NULL, 0, &used) == HTTP1_MORE && h.method == HTTP1_M_POST && h.close,
           "forgotten by a call without bytes");
    scan(&h, "G", 1, &used);
    EXPECT(!http1_idle(&h) && !h.close && !h.expect && !h.length && !h.upgrade &&
               h.head_bytes == 1 && h.head_lines == 0,
           "something of the last message is left");
}
END_TEST

START_TEST(calls_without_bytes)
{
    struct http1 h;
    size_t used;
    http1_init(&h, HTTP1_REQUEST, false);
    EXPECT(http1_idle(&h) && scan(&h, NULL, 0, &used) == HTTP1_MORE && used == 0 &&
               http1_idle(&h) && !h.started,
           "a fresh scanner");
    until(&h, HTTP1_EMPTY_LINE, "GET / HTTP/1.1\r\n\r\n");
    EXPECT(scan(&h, NULL, 0, &used) == HTTP1_MORE, "the empty line was said twice");
    EXPECT(scan(&h, "\r\nG", 3, &used) == HTTP1_HEAD && used == 2, "no head");
    EXPECT(!http1_idle(&h) && scan(&h, NULL, 0, &used) == HTTP1_END && used == 0, "no end is due");
    EXPECT(http1_idle(&h) && scan(&h, NULL, 0, &used) == HTTP1_MORE, "the end was said twice");
    until(&h, HTTP1_HEAD, "GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    EXPECT(h.reason == HTTP1_R_NONE && scan(&h, NULL, 0, &used) == HTTP1_DOWN && used == 0 &&
               h.reason == HTTP1_R_UPGRADE,
           "no refusal is due");
    EXPECT(scan(&h, "GET", 3, &used) == HTTP1_DOWN && used == 0, "the refusal is not final");
}
END_TEST

/* Bodies need not be shown, and cost the same whatever their size. */
START_TEST(opaque)
{
    struct http1 h;
    size_t used;
    const size_t tera = (size_t)1 << 40;
    http1_init(&h, HTTP1_RESPONSE, false);
    until(&h, HTTP1_HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 1099511627781\r\n\r\n");
    EXPECT(http1_opaque(&h) == tera + 5, "opaque bytes of a length");
    EXPECT(scan(&h, NULL, tera, &used) == HTTP1_MORE && used == tera, "a body was not skipped");
    EXPECT(http1_opaque(&h) == 5, "five are left");
    EXPECT(scan(&h, NULL, 5, &used) == HTTP1_END && used == 5, "its end");
    EXPECT(http1_opaque(&h) == 0, "opaque between messages");
    until(&h, HTTP1_HEAD, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    EXPECT(http1_opaque(&h) == 0, "a chunk size is not opaque");
    EXPECT(scan(&h, "10000000003\r\n", 13, &used) == HTTP1_MORE, "a chunk size");
    EXPECT(http1_opaque(&h) == tera + 3, "opaque bytes of a chunk");
    EXPECT(scan(&h, NULL, tera + 3, &used) == HTTP1_MORE && used == tera + 3, "a chunk");
    EXPECT(http1_opaque(&h) == 0, "the CR LF after a chunk is not opaque");
    until(&h, HTTP1_END, "\r\n0\r\n\r\n");
    until(&h, HTTP1_HEAD, "HTTP/1.1 200 OK\r\n\r\n");
    EXPECT(http1_close_delimited(&h) && http1_opaque(&h) == SIZE_MAX, "until close");
    for (unsigned i = 0; i < 3; i++)
        EXPECT(scan(&h, NULL, SIZE_MAX, &used) == HTTP1_MORE && used == SIZE_MAX, "ended");
}
END_TEST

/* Each response is framed by the request it answers. */
START_TEST(answers)
{
    struct http1 h;
    size_t used;
    http1_init(&h, HTTP1_RESPONSE, false);
    http1_answer_to(&h, HTTP1_M_HEAD);
    until(&h, HTTP1_END, "HTTP/1.1 100 Continue\r\n\r\n");
    until(&h, HTTP1_END, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n");
    http1_answer_to(&h, HTTP1_M_GET);
    until(&h, HTTP1_END, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc");
    EXPECT(h.method == HTTP1_M_GET && h.status == 200, "not an answer to GET");
    http1_answer_to(&h, HTTP1_M_CONNECT);
    until(&h, HTTP1_HEAD, "HTTP/1.1 299 Tunnel\r\n\r\n");
    EXPECT(scan(&h, "x", 1, &used) == HTTP1_DOWN && h.reason == HTTP1_R_CONNECT, "no tunnel");
}
END_TEST

/* What the sink does not want it does not hear of. */
static bool only_b(void *ctx, struct span name)
{
    (void)ctx;
    return name.n == 1 && *name.p == 'b';
}

static void count_value(void *ctx, const char *p, size_t n)
{
    (void)p;
    *(size_t *)ctx += n;
}

static void count_end(void *ctx, bool folded)
{
    *(size_t *)ctx += folded ? 10000 : 100;
}

START_TEST(unwanted)
{
    static const struct http1_sink sink = {deaf_piece, only_b, count_value, count_end, NULL};
    static const char head[] =
        "GET / HTTP/1.1\r\nA: xxx\r\nB: yy\r\nC: zzz\r\n zz\r\nB: w\r\n v\r\n"
        "Bb: xx\r\nB:\r\nD: x\r\n\r\n";
    struct http1 h;
    size_t used, heard = 0;
    http1_init(&h, HTTP1_REQUEST, false);
    EXPECT(http1_scan(&h, head, sizeof(head) - 1, &used, &sink, &heard) == HTTP1_EMPTY_LINE,
           "no empty line");
    EXPECT(heard == 2 + 100 + 1 + 10000 + 0 + 100, "heard too much or too little");
    EXPECT(h.head_lines == 9, "lines");
}
END_TEST

/* A copy is a checkpoint: from the empty line on, twice. */
START_TEST(rollback)
{
    static const char tail[] = "\r\nabcGET /2 HTTP/1.1\r\n";
    struct http1 h, copy;
    size_t used;
    http1_init(&h, HTTP1_REQUEST, false);
    until(&h, HTTP1_EMPTY_LINE, "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n");
    copy = h;
    for (unsigned i = 0; i < 2; i++, h = copy) {
        until(&h, HTTP1_END, tail);
        EXPECT(h.method == HTTP1_M_POST, "another method");
    }
    EXPECT(scan(&h, "\rX", 2, &used) == HTTP1_DOWN && used == 1 && h.reason == HTTP1_R_BARE_CR,
           "a bare CR instead, after a rollback");
}
END_TEST

/* Where the byte after the CR is given too, an empty line that is none is not reported. */
START_TEST(looks_ahead)
{
    static const char head[] = "GET / HTTP/1.1\r\nA: b\r\n\rX";
    struct http1 h;
    size_t used, n = sizeof(head) - 1;
    http1_init(&h, HTTP1_REQUEST, false);
    EXPECT(scan(&h, head, n, &used) == HTTP1_DOWN && used == n - 2 && h.reason == HTTP1_R_BARE_CR,
           "an empty line, or another refusal");
    http1_init(&h, HTTP1_REQUEST, false);
    EXPECT(scan(&h, head, n - 1, &used) == HTTP1_EMPTY_LINE && used == n - 2, "no empty line");
    EXPECT(scan(&h, head + n - 2, 2, &used) == HTTP1_DOWN && used == 1 &&
               h.reason == HTTP1_R_BARE_CR,
           "no refusal later");
}
END_TEST

START_TEST(many_lines)
{
    static char head[HTTP1_HEAD_MAX + 64];
    size_t at = (size_t)sprintf(head, "GET / HTTP/1.1\r\n");
    struct http1 h;
    unsigned lines = 0;
    for (; at + 8 <= HTTP1_HEAD_MAX - 2; at += 8, lines++)
        memcpy(head + at, "Foo: a\r\n", 9);
    memcpy(head + at, "\r\n", 3);
    http1_init(&h, HTTP1_REQUEST, false);
    size_t used = until(&h, HTTP1_HEAD, head);
    EXPECT(used == at + 2 && h.head_bytes == at + 2 && h.head_lines == lines, "counts");
    memcpy(head + at, "Foo: a\r\nFoo: b\r\n\r\n", 19);
    http1_init(&h, HTTP1_REQUEST, false);
    used = until(&h, HTTP1_DOWN, head);
    EXPECT(used == HTTP1_HEAD_MAX && h.reason == HTTP1_R_HEAD_TOO_LARGE, "too many lines");
}
END_TEST

/* --- every byte at every place ---------------------------------------------------------------- */

/* Is an event said to be at this place? */
static bool said(const struct events *e, const char *event, size_t at)
{
    char line[64];
    snprintf(line, sizeof(line), "\n%s @%zu\n", event, at);
    return strstr(e->text, line) != NULL;
}

/* Does the scanner allow an insertion exactly where naive.h finds a head to be fine? */
static bool agrees_on_head(const struct stream *s, const struct events *e)
{
    const char *end = memmem(s->p, s->n, "\r\n\r\n", 4);
    size_t n = end ? (size_t)(end + 2 - s->p) : 0;
    return said(e, "insert", n) == (end && !naive_head(s->direction == HTTP1_REQUEST, s->p, n, -1));
}

/* Does a chunked body behind this head end exactly where naive.h says? */
static size_t head_bytes;
static bool agrees_on_chunks(const struct stream *s, const struct events *e)
{
    size_t n = naive_chunks(s->p + head_bytes, s->n - head_bytes);
    return n == SIZE_MAX ? !strstr(e->text, "\nend @") : said(e, "end", head_bytes + n);
}

typedef bool agreement(const struct stream *s, const struct events *e);

static void check(enum http1_direction d, const char *p, size_t n, agreement *agrees)
{
    struct stream s = {.direction = d, .answers = HTTP1_M_GET, .p = p, .n = n};
    struct events e = events_of(&s, NULL, NULL, 0);
    if (e.broken || !agrees(&s, &e)) {
        events_visible(&e, p, n);
        ck_abort_msg("%s: %s", e.broken ? e.broken : "the naive reader disagrees", e.text);
    }
    events_free(&e);
}

/* From `from` on: each byte replaced by each value, each left out, each value put in everywhere. */
static void every_byte(enum http1_direction d, const char *p, size_t from, agreement *agrees)
{
    char bytes[512];
    size_t n = strlen(p);
    for (size_t at = from; at < n; at++) {
        memcpy(bytes, p, at);
        memcpy(bytes + at, p + at + 1, n - at - 1);
        check(d, bytes, n - 1, agrees);
        for (unsigned b = 0; b < 256; b++) {
            memcpy(bytes, p, n);
            bytes[at] = (char)b;
            check(d, bytes, n, agrees);
            memcpy(bytes + at + 1, p + at, n - at);
            if (at > 0) /* an empty line may come before a head: not for naive.h */
                check(d, bytes, n + 1, agrees);
        }
    }
}

START_TEST(every_byte_of_a_request)
{
    every_byte(HTTP1_REQUEST,
               "PUT /a HTTP/1.1\r\nHost: b\r\nFoo: c\r\n d\r\nContent-Length: 12\r\n\r\n", 0,
               agrees_on_head);
}
END_TEST

START_TEST(every_byte_of_a_coding)
{
    every_byte(HTTP1_REQUEST, "PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 0,
               agrees_on_head);
}
END_TEST

START_TEST(every_byte_of_a_response)
{
    every_byte(HTTP1_RESPONSE,
               "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 0,
               agrees_on_head);
}
END_TEST

START_TEST(every_byte_of_chunks)
{
    static const char body[] = "PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "2\r\nab\r\n0A;x=\"y\" \r\n0123456789\r\n1 \r\n\n\r\n"
                               "00\r\nFoo: b\r\nB:\r\n\r\n";
    head_bytes = (size_t)(strstr(body, "\r\n\r\n") + 4 - body);
    every_byte(HTTP1_REQUEST, body, head_bytes, agrees_on_chunks);
}
END_TEST

int main(void)
{
    unit_begin("http1");
    unit_add("reasons", reasons, 0);
    unit_add("started", started, 0);
    unit_add("readable after the end", readable_after_end, 0);
    unit_add("calls without bytes", calls_without_bytes, 0);
    unit_add("opaque bytes", opaque, 0);
    unit_add("answers", answers, 0);
    unit_add("unwanted fields", unwanted, 0);
    unit_add("rollback", rollback, 0);
    unit_add("looks ahead", looks_ahead, 0);
    unit_add("many lines", many_lines, 0);
    unit_add("every byte of a request", every_byte_of_a_request, 0);
    unit_add("every byte of a transfer coding", every_byte_of_a_coding, 0);
    unit_add("every byte of a response", every_byte_of_a_response, 0);
    unit_add("every byte of chunks", every_byte_of_chunks, 0);
    return unit_run();
}
