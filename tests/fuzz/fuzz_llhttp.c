/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_llhttp: see opinion.h; the other is llhttp, with which Node.js reads.
 * needs: /usr/share/include/llhttp/llhttp.h /usr/share/llhttp/llhttp.c
 * links: /usr/share/llhttp/api.c /usr/share/llhttp/http.c /usr/share/llhttp/llhttp.c
 */
#define _GNU_SOURCE
#define FUZZ_NAME   "llhttp"
#define FUZZ_TOKENS STREAM_TOKENS
#define FUZZ_ENOUGH
#include "fuzz/opinion.h"

#include "/usr/share/include/llhttp/llhttp.h"

struct other {
    struct opinion o;
    enum kind kind;
    size_t at; /* bytes given so far */
};

static int head_ended(llhttp_t *p)
{
    struct other *x = p->data;
    x->o.head = x->at;
    unsigned status = p->type == HTTP_RESPONSE ? p->status_code : 200;
    /* RFC 9112 6.3, 1: it leaves to its caller to know what was asked, and what has no body. */
    if (x->kind == RESPONSE_TO_HEAD || status / 100 == 1 || status == 204 || status == 304)
        return 1;
    x->o.unread = (p->flags & F_TRANSFER_ENCODING) && !(p->flags & F_CHUNKED);
    if (p->flags & F_CHUNKED)
        x->o.body = HTTP1_BODY_CHUNKED;
    else if (p->flags & F_CONTENT_LENGTH) {
        x->o.body = HTTP1_BODY_LENGTH;
        x->o.length = p->content_length;
    } else if (llhttp_message_needs_eof(p))
        x->o.body = HTTP1_BODY_CLOSE;
    return 0;
}

static int message_ended(llhttp_t *p)
{
    struct other *x = p->data;
    x->o.end = x->at;
    return 0;
}

/* A byte a call, so that the callbacks say where they are. */
static struct opinion other_scan(enum kind kind, const char *p, size_t n)
{
    struct other x = {.o = {.head = NOWHERE, .end = NOWHERE}, .kind = kind};
    llhttp_settings_t settings;
    llhttp_t parser;
    llhttp_settings_init(&settings);
    settings.on_headers_complete = head_ended;
    settings.on_message_complete = message_ended;
    llhttp_init(&parser, kind == REQUEST ? HTTP_REQUEST : HTTP_RESPONSE, &settings);
    parser.data = &x;
    while (x.at < n && x.o.end == NOWHERE && !x.o.refused && !x.o.upgrade) {
        const char *byte = p + x.at++;
        enum llhttp_errno e = llhttp_execute(&parser, byte, 1);
        x.o.upgrade = e == HPE_PAUSED_UPGRADE;
        x.o.refused = e != HPE_OK && !x.o.upgrade;
    }
    x.o.error = llhttp_errno_name(llhttp_get_errno(&parser));
    x.o.no_body = x.o.refused && x.o.head == x.at;
    return x.o;
}
