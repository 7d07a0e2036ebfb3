/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exchange: one inbound request and one outbound request of the same flow,
 * through scanner, head, capture and composition. Every input lives in a block
 * of exactly its size, so that a sanitizer sees the first byte read beyond it.
 */
#ifndef TB_TESTS_EXCHANGE_H
#define TB_TESTS_EXCHANGE_H

#include <stdio.h>
#include <stdlib.h>

#include "core/context.h"

#define EXCHANGE_STORE 31000

struct exchange {
    struct names names;
    struct peers peers;
    struct peer_addr addr;
    uint32_t more_bytes, more_lines; /* of the outbound head, as if it had them */
    struct context_notes captured, composed;
    enum context_own own;
    char *added; /* text, terminated */
};

/* A default configuration; the peer's address is not known. */
static inline void exchange_init(struct exchange *x)
{
    memset(x, 0, sizeof(*x));
    names_default(&x->names);
    peers_default(&x->peers);
    x->added = malloc(CONTEXT_MAX + 1);
}

static inline void exchange_done(struct exchange *x)
{
    free(x->added);
}

/* Scan a head (without its empty line). @return false: the scanner refused it. */
static inline bool exchange_scan(const struct names *names, const char *text, size_t n,
                                 struct http1 *h, struct head *head, char *store, uint32_t cap)
{
    char *wire = malloc(n + 2);
    size_t used;
    memcpy(wire, text, n);
    memcpy(wire + n, "\r\n", 2);
    http1_init(h, HTTP1_REQUEST, false);
    head_begin(head, names, store, 0, cap);
    bool ok = http1_scan(h, wire, n + 2, &used, &head_sink, head) == HTTP1_EMPTY_LINE;
    free(wire);
    return ok && used == n;
}

/* Capture. @return the context, to be freed; NULL: the head was refused. */
static inline struct context *exchange_capture(struct exchange *x, const char *in, size_t n)
{
    struct http1 h;
    struct head head;
    char *store = malloc(EXCHANGE_STORE);
    struct context *c = NULL;
    memset(&x->captured, 0, sizeof(x->captured));
    if (exchange_scan(&x->names, in, n, &h, &head, store, EXCHANGE_STORE))
        c = context_build(&head, malloc(CONTEXT_MEM), CONTEXT_MEM, &x->captured);
    free(store);
    return c;
}

/* Compose. @return the added lines; NULL: the head was refused. */
static inline const char *exchange_compose(struct exchange *x, const struct context *c,
                                           const char *out, size_t n)
{
    struct http1 h;
    struct head head;
    char *store = malloc(EXCHANGE_STORE);
    memset(&x->composed, 0, sizeof(x->composed));
    bool ok = exchange_scan(&x->names, out, n, &h, &head, store, EXCHANGE_STORE);
    if (ok) {
        struct context_out o = {.head = &head,
                                .peers = &x->peers,
                                .addr = x->addr,
                                .method = h.method,
                                .head_bytes = h.head_bytes + x->more_bytes,
                                .head_lines = h.head_lines + x->more_lines};
        size_t len = context_compose(c, &o, x->added, CONTEXT_MAX, &x->own, &x->composed);
        x->added[len] = 0;
    }
    free(store);
    return ok ? x->added : NULL;
}

/* Both: `in` are header lines, `out` is a start line and header lines; each line with its CRLF. */
static inline const char *exchange_run(struct exchange *x, const char *in, const char *out)
{
    size_t n = strlen(in) + 64;
    char *whole = malloc(n);
    snprintf(whole, n, "GET / HTTP/1.1\r\nHost: me.svc\r\n%s", in);
    struct context *c = exchange_capture(x, whole, strlen(whole));
    const char *r = c ? exchange_compose(x, c, out, strlen(out)) : NULL;
    free(whole);
    free(c);
    return r;
}

#endif
