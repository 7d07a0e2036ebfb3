/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_http_parser: see opinion.h; the other is http_parser, which Node.js had
 * before llhttp.
 * needs: /usr/include/http_parser.h
 * links: -lhttp_parser
 */
#define _GNU_SOURCE
#define FUZZ_NAME   "http_parser"
#define FUZZ_TOKENS STREAM_TOKENS
#define FUZZ_ENOUGH
#include "fuzz/opinion.h"

#include <http_parser.h>

struct other {
    struct opinion o;
    enum kind kind;
    size_t at; /* bytes given so far */
};

static int head_ended(http_parser *p)
{
    struct other *x = p->data;
    unsigned status = p->type == HTTP_RESPONSE ? p->status_code : 200;
    x->o.head = x->at;
    /* RFC 9112 6.3, 1: it leaves to its caller to know what was asked. */
    if (x->kind == RESPONSE_TO_HEAD || status / 100 == 1 || status == 204 || status == 304)
        return 1;
    x->o.unread = p->uses_transfer_encoding && !(p->flags & F_CHUNKED);
    if (p->flags & F_CHUNKED)
        x->o.body = HTTP1_BODY_CHUNKED;
    else if (p->content_length != UINT64_MAX) {
        x->o.body = HTTP1_BODY_LENGTH;
        x->o.length = p->content_length;
    }
    return 0;
}

static int message_ended(http_parser *p)
{
    struct other *x = p->data;
    x->o.end = x->at;
    return 0;
}

static const http_parser_settings settings = {.on_headers_complete = head_ended,
                                              .on_message_complete = message_ended};

/* A byte a call, so that the callbacks say where they are. That the stream ends is said to a copy,
 * which then says whether the message did. */
static struct opinion other_scan(enum kind kind, const char *p, size_t n)
{
    struct other x = {.o = {.head = NOWHERE, .end = NOWHERE}, .kind = kind};
    http_parser parser;
    http_parser_init(&parser, kind == REQUEST ? HTTP_REQUEST : HTTP_RESPONSE);
    parser.data = &x;
    while (x.at < n && x.o.end == NOWHERE && !x.o.refused) {
        const char *byte = p + x.at++;
        x.o.refused = http_parser_execute(&parser, &settings, byte, 1) != 1 && !parser.upgrade;
        if (x.o.head == x.at && x.o.end == NOWHERE && !x.o.refused) {
            struct other closed = x;
            http_parser copy = parser;
            copy.data = &closed;
            http_parser_execute(&copy, &settings, NULL, 0);
            if (closed.o.end != NOWHERE)
                x.o.body = HTTP1_BODY_CLOSE;
        }
    }
    x.o.upgrade = parser.upgrade;
    x.o.error = http_errno_name(HTTP_PARSER_ERRNO(&parser));
    x.o.no_body = x.o.refused && x.o.head == x.at;
    return x.o;
}
