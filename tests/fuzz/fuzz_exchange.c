/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_exchange: capture and composition. The input is a list of extra headers, a
 * list of propagators, an inbound and an outbound head, separated by a byte of
 * 0x01. Whatever they hold: what is inserted is whole lines of names that are
 * carried, with values that are safe to write into another message (RFC 9110 5.5),
 * never a name that the program wrote itself, never more than the room that was
 * given; and cuts of the inbound head make no difference.
 */
#define _GNU_SOURCE
#define FUZZ_NAME "exchange"
#define FUZZ_TOKENS                                                                                \
    "\r\n", "\r\n\r\n", "\1", ": ", ",", ";", "=", "*", "traceparent: ", "tracestate: ",           \
        "baggage: ", "b3: ", "x-b3-traceid: ", "Connection: ", "Host: ", "tracecontext",           \
        "b3multi", "none", "all", "%", "\x80", "\r\n ", "sw8: ", "uber-trace-id: "
#include "fuzz/fuzz.h"

#include <strings.h>

#include "core/context.h"
#include "core/http1.h"

#define IN                                                                                         \
    "GET / HTTP/1.1\r\nHost: a\r\nx-request-id: 8cda17a5-eb41-9ced-9843-acc826f95c8c\r\n"          \
    "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n"                     \
    "tracestate: a=1,b=2\r\nTraceState: c=3\r\nx-b3-traceid: 80f198ee56343ba864fe8b2a57d3eff7\r\n" \
    "x-b3-spanid: e457b5a2e4d86bd1\r\nx-b3-sampled: 1\r\nb3: 0\r\nx-tenant: t\r\nbaggage: a=1\r\n" \
    "baggage: b=2\r\nConnection: close, x-b3-flags\r\nx-datadog-trace-id: 12\r\nsw8: "             \
    "1-a-b-3-c-d-e-f\r\n\r\n"
#define OUT "POST /x?X-Amz-Signature=1 HTTP/1.1\r\nHost: b.svc:80\r\nContent-Length: 0\r\n\r\n"

static const char *fuzz_seeds(void)
{
    static const char *const seeds[] = {
        "\1\1" IN "\1GET / HTTP/1.1\r\nHost: b\r\n\r\n",
        "x-tenant,p-*\1tracecontext,b3,baggage\1" IN "\1" OUT,
        "cookie,user-agent\1b3multi,datadog,sw8,jaeger,gcp,xray\1" IN
        "\1GET http://c.example/ HTTP/1.1\r\nHost: b\r\ntraceparent: 00-1\r\nAuthorization: "
        "AWS4-x\r\n\r\n",
        "\1none\1" IN "\1CONNECT b:1 HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
        "*\1all,\1GET / HTTP/1.1\r\n folded: x\r\nuberctx-a: 1\r\nuber-trace-id: "
        "1:2:0:1\r\nbaggage: "
        "a\r\n b\r\n\r\n\1"
        "GET / HTTP/1.1\r\nHost: 169.254.169.254\r\nsignature-input: "
        "sig=(\"traceparent\")\r\n\r\n"};
    for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++)
        fuzz_seed(seeds[i], strlen(seeds[i]));
    return NULL;
}

static void warned(const char *what, const char *detail, size_t n)
{
    (void)what, (void)detail, (void)n;
}

/* The next field of the input. */
static struct span field(struct span *rest)
{
    size_t i = 0;
    while (i < rest->n && rest->p[i] != 1)
        i++;
    struct span f = {rest->p, i};
    i += i < rest->n;
    *rest = (struct span){rest->p + i, rest->n - i};
    return f;
}

/* Scan a head in pieces. @return whether its empty line was reached */
static bool scan(struct span text, size_t step, const struct names *names, struct http1 *h,
                 struct head *head, char *store, uint32_t cap)
{
    http1_init(h, HTTP1_REQUEST, false);
    head_begin(head, names, store, 0, cap);
    for (size_t at = 0, used; at < text.n; at += used) {
        size_t n = step < text.n - at ? step : text.n - at;
        enum http1_event ev = http1_scan(h, text.p + at, n, &used, &head_sink, head);
        if (ev == HTTP1_EMPTY_LINE)
            return true;
        if (ev != HTTP1_MORE)
            return false;
    }
    return false;
}

static bool wrote(const struct span out, const char *name, size_t n)
{
    for (size_t i = 2; i + n < out.n; i++)
        if (out.p[i - 1] == '\n' && strncasecmp(out.p + i, name, n) == 0 && out.p[i + n] == ':')
            return true;
    return false;
}

static void check_line(const struct names *names, struct span out, const char *p, size_t n)
{
    const char *colon = memchr(p, ':', n);
    if (!colon || colon == p || colon + 2 >= p + n || colon[1] != ' ')
        says("not a field line");
    int id = names_find(names, (struct span){p, (size_t)(colon - p)});
    if (id < 0 || (id >= NAMES_BUILTIN && id < NAMES_EXTRA))
        says("a name that is not carried");
    for (const char *c = colon + 2; c < p + n; c++)
        if ((*c < ' ' || *c > '~') && *c != '\t')
            says("an unsafe byte");
    if (wrote(out, p, (size_t)(colon - p)))
        says("a header that the program wrote itself");
}

static void check(const struct names *names, struct span out, const char *added, size_t n)
{
    for (size_t at = 0; at < n;) {
        const char *end = memchr(added + at, '\r', n - at);
        if (!end || end + 1 >= added + n || end[1] != '\n')
            says("a line without its end");
        check_line(names, out, added + at, (size_t)(end - added) - at);
        at = (size_t)(end - added) + 2;
    }
}

static const char *fuzz_judge(const uint8_t *data, size_t n)
{
    static char store[2][31000];
    static uint64_t room[2][CONTEXT_MEM / 8 + 1];
    struct span rest = {(const char *)data, n}, extras = field(&rest), groups = field(&rest),
                in = field(&rest), out = field(&rest);
    struct names names;
    struct peers peers;
    struct http1 h;
    struct head head, again;
    struct context_notes notes = {{0}};
    enum context_own own;
    names_default(&names);
    if (groups.n)
        names_select(&names, groups, warned);
    names_add(&names, extras, warned);
    peers_default(&peers);
    if (!scan(in, in.n + 1, &names, &h, &head, store[0], sizeof(store[0])))
        return NULL;
    struct context *c = context_build(&head, room[0], sizeof(room[0]), &notes);
    size_t size = c->size;
    if (!scan(in, 1 + n % 7, &names, &h, &again, store[1], sizeof(store[1])))
        says("cut, the head is refused");
    struct context *d = context_build(&again, room[1], sizeof(room[1]), &notes);
    if (d->size != size || d->text_len != c->text_len || memcmp(c->text, d->text, c->text_len) != 0)
        says("cut, the context is another");
    if (!scan(out, out.n + 1, &names, &h, &head, store[0], sizeof(store[0])))
        return NULL;
    out.n = h.head_bytes + 2 < out.n ? h.head_bytes + 2 : out.n; /* behind it is a body */
    size_t cap = n % 3 ? CONTEXT_MAX : n % 500;
    char *added = malloc(cap ? cap : 1);
    struct context_out o = {.head = &head,
                            .peers = &peers,
                            .method = h.method,
                            .head_bytes = h.head_bytes,
                            .head_lines = h.head_lines};
    size_t got = context_compose(d, &o, added, cap, &own, &notes);
    if (got > cap || got > d->text_len)
        says("more than there was");
    check(&names, out, added, got);
    free(added);
    return NULL;
}
