/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_opinion: a second opinion. http_parser, which served Node.js and nginx's
 * kin for years and shares no line with our scanner, reads the same bytes. Where
 * both understand a message they must agree on where its head ends and where the
 * message ends. We refuse more than it does (propagation notes, section 5), so a
 * refusal of ours is no difference; that something is agreed upon at all is
 * counted, and too little of it is a failure.
 *
 * The first byte of an input says what it is: `q` a request, `s` a response, `h`
 * a response to HEAD.
 *
 * Where http_parser is known to be wrong or is told more than the bytes:
 *  - an upgrade (101, or a request it takes for one) and CONNECT: its message ends with the head;
 *  - RFC 9112 6.3: it leaves to its user that answers to HEAD, 1xx, 204 and 304 have no body;
 *  - RFC 9112 6.3: a response with Transfer-Encoding and no chunked ends with the connection.
 */
#include "fuzz/fuzz.h"

#include <http_parser.h>

#include "core/http1.h"

static const char *fuzz_name(void)
{
    return "opinion";
}

#define H "Host: a\r\n"

static const char *const *fuzz_seeds(void)
{
    static const char *const seeds[] = {
        "qGET / HTTP/1.1\r\n" H "\r\n",
        "qGET /a?b=c HTTP/1.1\r\n" H
        "X-Request-Id: 1\r\ntraceparent: 00-1\r\nAccept: */*\r\n\r\nGET / HTTP/1.1\r\n",
        "qPOST / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nabcdeGET",
        "qPOST / HTTP/1.1\r\n" H
        "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\nA;x=y\r\n0123456789\r\n0\r\n\r\nGET",
        "qPUT / HTTP/1.1\r\n" H
        "Transfer-Encoding: gzip, chunked\r\nTrailer: x\r\n\r\n1\r\na\r\n0\r\nX: y\r\n\r\n",
        "qPOST / HTTP/1.0\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n",
        "qDELETE http://a/b HTTP/1.1\r\n" H
        "Connection: close, x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
        "qOPTIONS * HTTP/1.1\r\n" H "Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        "q\r\nGET / HTTP/1.1\r\n" H "A:b\r\nC: \r\nD:\te \r\n\r\n",
        "sHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP",
        "sHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "sHTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n",
        "sHTTP/1.1 204 No Content\r\n\r\n",
        "sHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
        "sHTTP/1.0 200 OK\r\nServer: x\r\n\r\nuntil it closes",
        "sHTTP/1.1 500\r\nContent-Length: 0\r\n\r\n",
        "hHTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n",
        "hHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        NULL};
    return seeds;
}

/* What one of them says of the first message: offsets, or NOWHERE. */
#define NOWHERE SIZE_MAX

struct opinion {
    size_t head, end;
    bool refused;
};

/* --- ours --------------------------------------------------------------------------------------
 */

static void piece(void *ctx, const char *p, size_t n)
{
    (void)ctx, (void)p, (void)n;
}
static bool field(void *ctx, struct span name)
{
    (void)ctx, (void)name;
    return false;
}
static void end(void *ctx, bool folded)
{
    (void)ctx, (void)folded;
}
static const struct http1_sink sink = {.target = piece, .field = field, .value = piece, .end = end};

static struct opinion ours(char kind, const char *p, size_t n, bool *special)
{
    struct opinion o = {NOWHERE, NOWHERE, false};
    struct http1 h;
    size_t used, at = 0;
    http1_init(&h, kind == 'q' ? HTTP1_REQUEST : HTTP1_RESPONSE, false);
    if (kind != 'q')
        http1_answer_to(&h, kind == 'h' ? HTTP1_M_HEAD : HTTP1_M_GET);
    for (;; at += used) {
        enum http1_event ev = http1_scan(&h, p + at, n - at, &used, &sink, NULL);
        if (ev == HTTP1_MORE)
            return o;
        if (ev == HTTP1_HEAD) {
            o.head = at + used;
            *special = h.upgrade || h.status == 101 || h.method == HTTP1_M_CONNECT;
        }
        if (ev == HTTP1_END || ev == HTTP1_DOWN) {
            o.refused = ev == HTTP1_DOWN;
            o.end = ev == HTTP1_END ? at + used : NOWHERE;
            return o;
        }
    }
}

/* --- the other's --------------------------------------------------------------------------------
 */

struct other {
    http_parser parser;
    struct opinion o;
    size_t at; /* bytes given so far */
    bool head_only;
};

static int on_head(http_parser *p)
{
    struct other *x = p->data;
    unsigned status = p->type == HTTP_RESPONSE ? p->status_code : 200;
    x->o.head = x->at;
    return x->head_only || status / 100 == 1 || status == 204 || status == 304;
}

static int on_end(http_parser *p)
{
    struct other *x = p->data;
    if (x->o.end == NOWHERE)
        x->o.end = x->at;
    return 0;
}

/* A byte a call: so its callbacks say where they are. */
static struct opinion theirs(char kind, const char *p, size_t n, bool *special)
{
    static const http_parser_settings settings = {.on_headers_complete = on_head,
                                                  .on_message_complete = on_end};
    struct other x = {.o = {NOWHERE, NOWHERE, false}, .head_only = kind == 'h'};
    http_parser_init(&x.parser, kind == 'q' ? HTTP_REQUEST : HTTP_RESPONSE);
    x.parser.data = &x;
    for (size_t i = 0; i < n && x.o.end == NOWHERE && !x.o.refused; i++) {
        x.at = i + 1;
        x.o.refused = http_parser_execute(&x.parser, &settings, p + i, 1) != 1 && !x.parser.upgrade;
    }
    *special |= x.parser.upgrade;
    return x.o;
}

/* --- together ------------------------------------------------------------------------------------
 */

static unsigned long heads, ends, all;

static void fuzz_one(const uint8_t *data, size_t n)
{
    if (n < 2 || !strchr("qsh", data[0]))
        return;
    const char *p = (const char *)data + 1;
    bool special = false;
    struct opinion a = ours((char)data[0], p, n - 1, &special),
                   b = theirs((char)data[0], p, n - 1, &special);
    all++;
    if (a.refused || b.refused)
        return;
    if (a.head != b.head)
        says("the head ends elsewhere");
    heads += a.head != NOWHERE;
    if (a.head == NOWHERE || special)
        return;
    if (a.end != b.end)
        says("the message ends elsewhere");
    ends += a.end != NOWHERE;
}

#ifndef FUZZ_LIBFUZZER /* whose inputs are seldom messages */
/* A comparison that compares nothing shows nothing. */
__attribute__((destructor)) static void enough(void)
{
    if (all < 1000)
        return;
    printf("# %lu inputs: both saw the head of %lu, and the end of %lu\n", all, heads, ends);
    if (heads < all / 20 || ends < all / 40) {
        printf("not ok fuzz opinion: too little is compared\n");
        fflush(stdout);
        _Exit(1);
    }
}
#endif
