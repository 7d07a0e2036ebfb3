/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_context: capture and composition, rule by rule (docs/headers.md). Most
 * cases are rows: what came in, what the program sends, what must be added, in
 * this order and no byte else.
 */
#include "unit/unit.h"

#include <ctype.h>

#include "core/valid.h"
#include "unit/exchange.h"
#include "unit/warned.h"

#define RID  "x-request-id: 8cda17a5-eb41-9ced-9843-acc826f95c8c\r\n"
#define TP   "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n"
#define TP2  "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"
#define TPS  "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-b7ad6b7169203331-01\r\n"
#define TS   "tracestate: a=1\r\n"
#define B3   "b3: 80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1\r\n"
#define BT   "x-b3-traceid: 80f198ee56343ba864fe8b2a57d3eff7\r\n"
#define BS   "x-b3-spanid: e457b5a2e4d86bd1\r\n"
#define BP   "x-b3-parentspanid: 05e3ac9a4f6e3b90\r\n"
#define BD   "x-b3-sampled: 1\r\n"
#define BM   BT BS BP BD
#define BAG  "baggage: a=1,b=2\r\n"
#define SW   "sw8: 1-T-S-3-A-B-C-D\r\n"
#define AMZN "x-amzn-trace-id: Root=1-5759e988-bd862e3fe1be46a994272793\r\n"
#define GET  "GET /x HTTP/1.1\r\nHost: next.svc\r\n"
#define FAR  "GET /x HTTP/1.1\r\nHost: api.example.com\r\n"

struct row {
    const char *name, *in, *out, *want;
};

static void check_row(const struct row *r)
{
    struct exchange x;
    exchange_init(&x);
    const char *got = exchange_run(&x, r->in, r->out);
    CHECK_SAY(got, "a head was refused");
    CHECK_SAY(strcmp(got, r->want) == 0, "added [%s], wanted [%s]", got, r->want);
    exchange_done(&x);
}

/* A test a row. */
#define ROWS(test, rows)                                                                           \
    do {                                                                                           \
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)                                \
            unit_add(rows[i].name, test, i);                                                       \
    } while (0)

static const struct row capture_rows[] = {
    {"R11: the order of insertion is ours, not the wire's", BAG TS BD BS BT TP RID, GET,
     RID TP BT BS BD TS BAG},
    {"R3: no control byte", "baggage: a=\x01\r\n" RID, GET, RID},
    {"R3: no DEL", "baggage: a=\x7f\r\n" RID, GET, RID},
    {"R3: no byte above 0x7e", "baggage: a=\xc3\xa9\r\n" RID, GET, RID},
    {"R3: HTAB is fine", "baggage: a=1,\tb=2\r\n", GET, "baggage: a=1,\tb=2\r\n"},
    {"R3: a folded value is not trusted", "traceparent: \r\n 00-4bf9\r\n" RID, GET, RID},
    {"R3: a folded list is not trusted", TP "tracestate: a=1\r\n ,b=2\r\n", GET, TP},
    {"R4: a bad identity takes its companions along", "traceparent: 01\r\n" TS RID, GET, RID},
    {"R4: sw8 likewise", "sw8: 2-a\r\nsw8-x: 0\r\nsw8-correlation: a:b\r\n" RID, GET, RID},
    {"R4: a bad member does not", "x-b3-flags: x\r\n" BT BS, GET, BT BS},
    {"an empty value is never carried", "x-b3-parentspanid:  \r\n" BT BS BD, GET, BT BS BD},
    {"an empty first line is the first line", "x-request-id:\r\n" RID, GET, ""},
    {"datadog without trace id keeps the priority",
     "x-datadog-parent-id: 1\r\nx-datadog-sampling-priority: 2\r\nx-datadog-origin: rum\r\n", GET,
     "x-datadog-sampling-priority: 2\r\n"},
    {"datadog ids are uint64",
     "x-datadog-trace-id: 18446744073709551616\r\nx-datadog-sampling-priority: 3\r\n", GET, ""},
    {"datadog ids up to the greatest", "x-datadog-trace-id: 18446744073709551615\r\n", GET,
     "x-datadog-trace-id: 18446744073709551615\r\n"},
    {"an unpaired span id goes", BS BD, GET, BD},
    {"an unpaired parent goes, too", BP, GET, ""},
    {"R7: a stale b3 goes", "b3: 80f198ee56343ba864fe8b2a57d3eff7-05e3ac9a4f6e3b90-1\r\n" BT BS,
     GET, BT BS},
    {"R7: the same span is not stale", B3 BT BS, GET, BT BS B3},
    {"R7: case does not make it stale",
     "b3: 80F198EE56343BA864FE8B2A57D3EFF7-E457B5A2E4D86BD1-1\r\n" BT BS, GET,
     BT BS "b3: 80F198EE56343BA864FE8B2A57D3EFF7-E457B5A2E4D86BD1-1\r\n"},
    {"R7: a decision alone is not stale", "b3: 0\r\n" BT BS, GET, BT BS "b3: 0\r\n"},
    {"R9: what Connection names stays here", "Connection: close , TRACEPARENT\r\n" TP TS RID, GET,
     RID},
    {"R9: any Connection line", "Connection: close\r\nConnection: baggage\r\n" BAG RID, GET, RID},
    {"R9: half a name is no name", "Connection: trace\r\n" TP, GET, TP},
    {"R9: a folded Connection could name anything", "Connection: close,\r\n baggage\r\n" BAG RID TP,
     GET, ""},
    {"a header of no group that is on", "uber-trace-id: 1:1:0:1\r\nend-user: bob\r\n" RID, GET,
     RID},
    {"credentials are not carried", "Cookie: s=1\r\nAuthorization: Bearer x\r\njwt: y\r\n" RID, GET,
     RID},
    {"x-amzn-trace-id is carried as it is", AMZN, GET, AMZN},
    {"x-cloud-trace-context", "x-cloud-trace-context: 4bf92f3577b34da6a3ce929d0e0e4736/1;o=1\r\n",
     GET, "x-cloud-trace-context: 4bf92f3577b34da6a3ce929d0e0e4736/1;o=1\r\n"},
    {"traceparent twice, even if equal", TP TP TS RID, GET, RID},
    {"tracestate lines are joined in order", TP TS "tracestate:\r\ntracestate: b=2 \r\n", GET,
     TP "tracestate: a=1,b=2\r\n"},
    {"one bad line spoils a list", TP TS "tracestate: \x02\r\n", GET, TP},
};

static const struct row app_rows[] = {
    {"R5: what it wrote itself is not written again", RID BAG, GET "X-Request-ID: mine\r\n", BAG},
    {"R5: not even if it is empty", RID BAG, GET "x-request-id:\r\n", BAG},
    {"R5: a folded one counts as present", RID BAG, GET "x-request-id: a\r\n b\r\n", BAG},
    {"R6.1: nothing of its own: all", TP TS RID, GET, RID TP TS},
    {"R6.2: a plain copier is completed", TP TS RID BAG, GET TP, RID TS BAG},
    {"R6.2: across groups", TP TS BT BS, GET BT BS, TP TS},
    {"R6.2: white space around its copy", TP TS,
     GET "traceparent:"
         "\t00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 \r\n",
     TS},
    {"R6.3: its own trace: no identity, no companion", TP TS BM SW RID BAG, GET TP2, RID BAG},
    {"R6.3: its own span of the same trace", TP TS BM RID, GET TPS, RID},
    {"R6.3: its own format", TP TS RID, GET B3, RID},
    {"R6.3: an empty identity", TP TS RID, GET "traceparent:\r\n", RID},
    {"R6.3: one equal, one different", TP BT BS RID, GET TP "x-b3-traceid: 1\r\n", RID},
    {"R6.3: the same identity twice", TP TS RID, GET TP TP, RID},
    {"R6.4: baggage and request id alone", RID BAG, GET "baggage:\r\n" TP2, RID},
    {"a sampling decision is not an identity", TP BT BS BD, GET "x-b3-sampled: 0\r\n", TP BT BS},
    {"b3: 0 is how exporters say no", TP BT BS, GET "b3: 0\r\n", ""},
    {"its tracestate, our traceparent", TP TS, GET "tracestate: z=9\r\n", TP},
};

static const struct row request_rows[] = {
    {"TRACE: opaque ids only", RID TP TS BAG, "TRACE / HTTP/1.1\r\nHost: a.svc\r\n", RID TP},
    {"span export: zipkin", RID, "POST /api/v2/spans HTTP/1.1\r\nHost: z.svc\r\n", ""},
    {"span export: otlp", RID, "POST /v1/traces?x=1 HTTP/1.1\r\nHost: z.svc\r\n", ""},
    {"span export: metrics", RID, "POST /v1/metrics HTTP/1.1\r\nHost: z.svc\r\n", ""},
    {"span export: logs", RID, "POST /v1/logs HTTP/1.1\r\nHost: z.svc\r\n", ""},
    {"span export: jaeger", RID, "POST /api/traces?format=jaeger.thrift HTTP/1.1\r\nHost: z\r\n",
     ""},
    {"span export: elastic", RID, "POST /intake/v2/events HTTP/1.1\r\nHost: z.svc\r\n", ""},
    {"span export: datadog", RID, "POST /v0.4/traces HTTP/1.1\r\nHost: z.svc\r\n", ""},
    {"span export: through a proxy", RID, "POST http://z.svc/v1/traces HTTP/1.1\r\nHost: z.svc\r\n",
     ""},
    {"a GET of such a path is none", RID, "GET /api/traces HTTP/1.1\r\nHost: z.svc\r\n", RID},
    {"nor a longer path", RID, "POST /v1/traces2 HTTP/1.1\r\nHost: z.svc\r\n", RID},
    {"nor another version", RID, "POST /v0.44/traces HTTP/1.1\r\nHost: z.svc\r\n", RID},
    {"signed: AWS", RID, GET "Authorization: AWS4-HMAC-SHA256 Credential=x\r\n", ""},
    {"signed: AWS, version 2", RID, GET "Authorization: AWS AKID:sig\r\n", ""},
    {"signed: Google", RID, GET "authorization: goog4-rsa-sha256 x\r\n", ""},
    {"signed: Azure", RID, GET "Authorization: SharedKey a:b\r\n", ""},
    {"signed: Azure, lite", RID, GET "Authorization: SharedKeyLite a:b\r\n", ""},
    {"a token is no signature", RID, GET "Authorization: Bearer AWS4-HMAC\r\n", RID},
    {"presigned: AWS", RID, "GET /x?a=b&X-Amz-Signature=00 HTTP/1.1\r\nHost: s3.svc\r\n", ""},
    {"presigned: first of the query", RID, "GET /x?x-amz-signature=00 HTTP/1.1\r\nHost: s\r\n", ""},
    {"presigned: Google", RID, "GET /x?X-Goog-Signature=0 HTTP/1.1\r\nHost: s\r\n", ""},
    {"the path may be called so", RID, "GET /X-Amz-Signature=0 HTTP/1.1\r\nHost: s\r\n", RID},
    {"so may the end of a name", RID, "GET /x?notX-Amz-Signature=0 HTTP/1.1\r\nHost: s\r\n", RID},
    {"RFC 9421: not what is covered", RID BAG,
     GET "Signature-Input: sig=(\"@method\" \"BAGGAGE\" \"host\");created=1\r\n", RID},
    {"RFC 9421: all if nothing is", RID BAG, GET "Signature-Input: sig=(\"@method\")\r\n", RID BAG},
    {"RFC 9421: part of a name is another name", RID BAG,
     GET "Signature-Input: s=(\"x-baggage\")\r\n", RID BAG},
    {"RFC 9421: a covered identity takes companions along", TP TS RID,
     GET "Signature-Input: s=(\"traceparent\")\r\n", RID},
    {"RFC 9421: a folded list could name anything", RID,
     GET "Signature-Input: s=(\"a\"\r\n \"b\")\r\n", ""},
};

static const struct row peer_rows[] = {
    {"class I anywhere", RID TP TS SW BAG, FAR, RID TP},
    {"never: metadata by address", RID, "GET / HTTP/1.1\r\nHost: 169.254.169.254\r\n", ""},
    {"never: metadata by name", RID, "GET / HTTP/1.1\r\nHost: METADATA.google.internal.:80\r\n",
     ""},
    {"absolute-form beats Host", RID BAG, "GET http://api.example.com/ HTTP/1.1\r\nHost: a.svc\r\n",
     RID},
    {"absolute-form, mesh-local", RID BAG, "GET http://a.svc:80/ HTTP/1.1\r\nHost: b.com\r\n",
     RID BAG},
    {"absolute-form with user", RID BAG, "GET http://a.svc@b.com/ HTTP/1.1\r\nHost: a.svc\r\n",
     RID},
    {"absolute-form without authority", RID BAG, "GET http:///x HTTP/1.1\r\nHost: a.svc\r\n", ""},
    {"a colon later is not absolute-form", RID BAG,
     "GET x?u=http://b.com/ HTTP/1.1\r\nHost: a.svc\r\n", RID BAG},
    {"asterisk-form", RID BAG, "OPTIONS * HTTP/1.1\r\nHost: a.svc\r\n", RID BAG},
    {"no Host: the address decides, and is not known", RID BAG, "GET / HTTP/1.0\r\n", RID},
    {"two Hosts: whom?", RID BAG, GET "Host: b.com\r\n", ""},
    {"a folded Host: whom?", RID, "GET / HTTP/1.1\r\nHost: a.svc\r\n .b.com\r\n", ""},
};

START_TEST(capture_row)
{
    check_row(&capture_rows[_i]);
}
END_TEST

START_TEST(app_row)
{
    check_row(&app_rows[_i]);
}
END_TEST

START_TEST(request_row)
{
    check_row(&request_rows[_i]);
}
END_TEST

START_TEST(peer_row)
{
    check_row(&peer_rows[_i]);
}
END_TEST

/* --- what rows cannot say --------------------------------------------------------------------- */

/* The address of a proxy says nothing about where an absolute-form request goes. */
START_TEST(proxy_address)
{
    struct exchange x;
    exchange_init(&x);
    x.addr = (struct peer_addr){.family = 4, .port = 3128, .ip = {10, 0, 0, 1}};
    CHECK(!strcmp(exchange_run(&x, RID BAG, "GET http://api.example.com/ HTTP/1.1\r\nHost: q\r\n"),
                  RID));
    CHECK(!strcmp(exchange_run(&x, RID BAG, FAR), RID BAG)); /* a service entry */
    peers_parse(&x.peers, SPAN("U=b.com:80"), warned);
    CHECK(!strcmp(exchange_run(&x, BAG, "GET http://b.com/ HTTP/1.1\r\nHost: b.com\r\n"), BAG));
    CHECK(!strcmp(exchange_run(&x, BAG, "GET https://b.com/ HTTP/1.1\r\nHost: b.com\r\n"), ""));
    exchange_done(&x);
}
END_TEST

START_TEST(never_by_address)
{
    struct exchange x;
    exchange_init(&x);
    x.addr = (struct peer_addr){.family = 4, .port = 80, .ip = {169, 254, 169, 254}};
    CHECK(!strcmp(exchange_run(&x, RID, GET), ""));
    CHECK(x.composed.count[CONTEXT_N_PEER_NEVER] == 1);
    exchange_done(&x);
}
END_TEST

START_TEST(connect_never)
{
    struct exchange x;
    struct head head;
    char store[1024], dst[1024];
    struct http1 h;
    exchange_init(&x);
    struct context *c = exchange_capture(&x, GET RID, strlen(GET RID));
    CHECK(exchange_scan(&x.names, GET, strlen(GET), &h, &head, store, sizeof(store)));
    struct context_out o = {.head = &head, .peers = &x.peers, .method = HTTP1_M_CONNECT};
    enum context_own con;
    CHECK(context_compose(c, &o, dst, sizeof(dst), &con, &x.composed) == 0);
    CHECK(x.composed.count[CONTEXT_N_METHOD] == 1);
    o.method = HTTP1_M_GET;
    CHECK(context_compose(c, &o, dst, sizeof(dst), &con, &x.composed) == strlen(RID));
    CHECK(context_compose(c, &o, dst, strlen(RID) - 1, &con, &x.composed) == 0);
    free(c);
    exchange_done(&x);
}
END_TEST

START_TEST(insert_signed)
{
    struct exchange x;
    exchange_init(&x);
    peers_parse(&x.peers, SPAN("signed=insert"), warned);
    CHECK(!strcmp(exchange_run(&x, RID, GET "Authorization: AWS4-HMAC-SHA256 x\r\n"), RID));
    peers_parse(&x.peers, SPAN("signed=skip"), warned);
    CHECK(!strcmp(exchange_run(&x, RID, GET "Authorization: AWS4-HMAC-SHA256 x\r\n"), ""));
    CHECK(x.composed.count[CONTEXT_N_SIGNED] == 1);
    exchange_done(&x);
}
END_TEST

static bool contradicts(const char *in, const char *own)
{
    struct exchange x;
    char out[512];
    exchange_init(&x);
    snprintf(out, sizeof(out), GET "%s\r\n", own);
    CHECK_FOR(exchange_run(&x, in, out) != NULL, own);
    exchange_done(&x);
    return x.own == CONTEXT_OWN_CONTRADICTS;
}

/* Proof that the context is not the request's own: another trace id, not another span, another
 * spelling, a shortened id or a value that is no id at all. */
START_TEST(contradiction)
{
    CHECK(contradicts(TP, "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
    CHECK(contradicts(BM, "X-B3-TraceId: 1"));
    CHECK(contradicts(B3, "b3: 463ac35c9f6413ad48485a3953bb6124-e457b5a2e4d86bd1-1"));
    CHECK(contradicts("x-datadog-trace-id: 12\r\n", "x-datadog-trace-id: 13"));
    CHECK(!contradicts(TP, "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-b7ad6b7169203331-00"));
    CHECK(!contradicts(TP, "traceparent: 00-broken-b7ad6b7169203331-01"));
    CHECK(!contradicts(TP, "traceparent:"));
    CHECK(!contradicts(
        TP, "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n x"));
    CHECK(!contradicts(RID, "x-request-id: other"));
    CHECK(!contradicts(TP, "b3: 463ac35c9f6413ad48485a3953bb6124-e457b5a2e4d86bd1-1"));
    CHECK(!contradicts("b3: 0\r\n", "b3: 463ac35c9f6413ad48485a3953bb6124-e457b5a2e4d86bd1-1"));
    CHECK(!contradicts(B3, "b3: 0"));
    CHECK(!contradicts(B3, "b3: 64fe8b2a57d3eff7-e457b5a2e4d86bd1-1")); /* its low half */
    CHECK(contradicts(B3, "b3: 64fe8b2a57d3eff8-e457b5a2e4d86bd1-1"));
    CHECK(
        !contradicts("x-b3-traceid: 1e3\r\nx-b3-spanid: 2\r\n", "x-b3-traceid: 00000000000001E3"));
    CHECK(!contradicts(BM, "x-b3-spanid: 1"));
    CHECK(!contradicts(AMZN, "x-amzn-trace-id: Root=1-00000000-bd862e3fe1be46a994272793"));
}
END_TEST

START_TEST(app_identity)
{
    static const struct {
        const char *out;
        bool yes;
    } rows[] = {{GET, false},     {GET RID, false}, {GET TP, true},
                {GET BS, true},   {GET BD, false},  {GET TS, false},
                {GET BAG, false}, {GET SW, true},   {GET "traceparent:\r\n", true}};
    struct names names;
    names_default(&names);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct head head;
        struct http1 h;
        char store[2048];
        CHECK(exchange_scan(&names, rows[i].out, strlen(rows[i].out), &h, &head, store,
                            sizeof(store)));
        CHECK_FOR(context_app_identity(&head) == rows[i].yes, rows[i].out);
    }
}
END_TEST

START_TEST(extras)
{
    struct exchange x;
    exchange_init(&x);
    names_add(&x.names, SPAN("X-Tenant, route-*, cookie"), warned);
    CHECK(!strcmp(
        exchange_run(&x, BAG "X-TENANT: a\r\nRoute-Key: k\r\nroute-key: l\r\nroute-: z\r\n" RID,
                     GET),
        RID "x-tenant: a\r\nroute-key: k\r\n" BAG));
    CHECK(!strcmp(
        exchange_run(&x, "x-tenant: a\r\nroute-a: 1\r\nroute-b: 2\r\n", GET "Route-A: own\r\n"),
        "x-tenant: a\r\nroute-b: 2\r\n"));
    CHECK(!strcmp(exchange_run(&x, "x-tenant: a\r\nroute-a: 1\r\n" RID, FAR), RID));
    CHECK(!strcmp(exchange_run(&x, "x-tenant: a\r\n" TP, GET TP2), "x-tenant: a\r\n"));
    CHECK(!strcmp(exchange_run(&x, "route-a: 1\r\nConnection: route-a\r\n", GET), ""));
    CHECK(!strcmp(exchange_run(&x, "Cookie: s=1\r\n" RID, GET), RID));
    peers_parse(&x.peers, SPAN("C=auth.svc:8080"), warned);
    CHECK(!strcmp(exchange_run(&x, "Cookie: s=1\r\n", "GET / HTTP/1.1\r\nHost: auth.svc:8080\r\n"),
                  "cookie: s=1\r\n"));
    CHECK(!strcmp(exchange_run(&x, "Cookie: s=1\r\n", "GET / HTTP/1.1\r\nHost: auth.svc\r\n"), ""));
    exchange_done(&x);
}
END_TEST

/* A prefix rule follows its group's identity; authorization as an extra still tells signatures. */
START_TEST(opt_in)
{
    struct exchange x;
    exchange_init(&x);
    names_select(&x.names, SPAN("jaeger"), warned);
    CHECK(
        !strcmp(exchange_run(&x, "uberctx-a: 1\r\nuber-trace-id: 1:2:0:1\r\nuberctx-a: 2\r\n", GET),
                "uber-trace-id: 1:2:0:1\r\nuberctx-a: 1\r\n"));
    CHECK(!strcmp(exchange_run(&x, "uberctx-a: 1\r\n" RID, GET), RID));
    CHECK(!strcmp(exchange_run(&x, TP, GET), ""));
    names_add(&x.names, SPAN("authorization"), warned);
    peers_parse(&x.peers, SPAN("C=any"), warned);
    CHECK(!strcmp(exchange_run(&x, "Authorization: Bearer x\r\n" RID, GET),
                  RID "authorization: Bearer x\r\n"));
    CHECK(!strcmp(exchange_run(&x, RID, GET "Authorization: AWS4-HMAC-SHA256 x\r\n"), ""));
    CHECK(!strcmp(
        exchange_run(&x, "Authorization: Bearer x\r\n" RID, GET "Authorization: Basic y\r\n"),
        RID));
    exchange_done(&x);
}
END_TEST

/* --- sizes ------------------------------------------------------------------------------------ */

static char *repeat(const char *before, const char *unit, size_t times, const char *end)
{
    char *s = malloc(strlen(before) + strlen(unit) * times + strlen(end) + 1);
    char *p = stpcpy(s, before);
    for (size_t i = 0; i < times; i++)
        p = stpcpy(p, unit);
    strcpy(p, end);
    return s;
}

/* Every built-in value is carried up to its cap and not beyond. */
START_TEST(caps)
{
    for (int id = 0; id < NAMES_BUILTIN; id++) {
        const struct names_row *row = &names_rows[id];
        if (row->def != DEFAULT_ON || (row->valid != VALID_SAFE && row->valid != VALID_VISIBLE) ||
            row->role == ROLE_H_COMPANION)
            continue;
        for (size_t over = 0; over < 2; over++) {
            struct exchange x;
            exchange_init(&x);
            char *in = repeat(row->name, ":", 1, "");
            char *line = repeat(in, "v", row->max + over, "  \t \r\n");
            x.more_bytes = 17000; /* an ample budget */
            const char *got = exchange_run(&x, line, GET);
            CHECK_FOR(got && (strlen(got) == row->len + row->max + 4u) == !over, row->name);
            CHECK_FOR(got && (*got == 0) == over, row->name);
            free(in);
            free(line);
            exchange_done(&x);
        }
    }
}
END_TEST

/* Baggage over its cap loses whole members from the end, wherever the cap falls. */
START_TEST(long_baggage)
{
    for (size_t len = 8150; len < 8260; len++) {
        struct exchange x;
        exchange_init(&x);
        x.more_bytes = 17000;
        char *first = repeat("baggage: a=", "v", len, ",b=");
        char *in = repeat(first, "w", 20, "\r\nbaggage: c=3\r\n");
        size_t a = len + 2, all = a + 1 + 22 + 1 + 3;
        size_t want = all <= 8192 ? all : a + 1 + 22 <= 8192 ? a + 1 + 22 : a <= 8192 ? a : 0;
        const char *got = exchange_run(&x, in, GET);
        CHECK(got && strlen(got) == (want ? want + 11 : 0));
        CHECK(got && (!want || memcmp(got, in, want < a ? want : a) == 0));
        free(first);
        free(in);
        exchange_done(&x);
    }
}
END_TEST

/* However long it is: what fits of it is whole members. */
START_TEST(huge_baggage)
{
    struct exchange x;
    exchange_init(&x);
    x.more_bytes = 17000;
    char *in = repeat("baggage: k=v", ",key=value", 4000, "\r\n" RID);
    const char *got = exchange_run(&x, in, GET);
    size_t n = got ? strlen(got) : 0;
    CHECK(n > 8192 && n < 8192 + 128);
    CHECK(n > 12 && strcmp(got + n - 12, ",key=value\r\n") == 0);
    free(in);
    in = repeat("tracestate: k=v", ",key=value", 900, "\r\n" TP);
    got = exchange_run(&x, in, GET);
    CHECK(got && strcmp(got, TP) == 0); /* tracestate is never cut */
    free(in);
    exchange_done(&x);
}
END_TEST

/* Section 6: never past the next common limit, minus a spare; what goes first is the end of R11. */
START_TEST(budget_bytes)
{
    static const char in[] = RID TP BM B3 TS BAG;
    size_t last = strlen(in);
    const char *seen[64] = {0};
    unsigned kinds = 0;
    for (uint32_t more = 7000; more < 8300; more++) {
        struct exchange x;
        exchange_init(&x);
        x.more_bytes = more;
        const char *got = exchange_run(&x, in, GET);
        uint32_t s = more + (uint32_t)strlen(GET);
        size_t n = got ? strlen(got) : 0;
        uint32_t limit = s <= 8192 ? 8192 : 16384;
        CHECK(s + n <= limit - 256 || n == 0);
        CHECK(s > 8192 ? n == strlen(in) : n <= last);
        last = n;
        bool fresh = n > 0;
        for (unsigned i = 0; i < kinds; i++)
            fresh = fresh && strcmp(seen[i], got) != 0;
        if (fresh && kinds < 64)
            seen[kinds++] = strdup(got);
        exchange_done(&x);
    }
    static const char *const want[] = {RID TP BM B3 TS BAG,
                                       RID TP BM B3 TS "baggage: a=1\r\n",
                                       RID TP BM B3 TS,
                                       RID TP BM B3,
                                       RID TP BM,
                                       RID TP,
                                       RID};
    CHECK(kinds == sizeof(want) / sizeof(want[0]));
    for (unsigned i = 0; i < kinds; i++) {
        CHECK_FOR(strcmp(seen[i], want[i]) == 0, seen[i]);
        free((char *)seen[i]);
    }
}
END_TEST

START_TEST(budget_lines)
{
    for (uint32_t more = 80; more < 100; more++) {
        struct exchange x;
        exchange_init(&x);
        x.more_lines = more;
        const char *got = exchange_run(&x, RID TP TS BAG, GET);
        uint32_t lines = 0;
        for (const char *p = got; p && *p; p++)
            lines += *p == '\n';
        uint32_t room = more + 1 < 96 ? 96 - more - 1 : 0;
        CHECK(lines == (room < 4 ? room : 4));
        exchange_done(&x);
    }
}
END_TEST

START_TEST(budget_top)
{
    static const struct {
        uint32_t size;
        bool fits;
    } rows[] = {{8192 - 256, false}, {8192, false},  {8193, true},       {16384, false},
                {16385, true},       {32768, false}, {32769, true},      {61440 - 300, false},
                {61441, false},      {70000, false}, {61440 - 400, true}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct exchange x;
        exchange_init(&x);
        x.more_bytes = rows[i].size - (uint32_t)strlen(GET);
        const char *got = exchange_run(&x, RID, GET);
        CHECK(got && (*got != 0) == rows[i].fits);
        exchange_done(&x);
    }
}
END_TEST

/* More kept lines than there is room for: what is known is carried, and the loss is noted. */
START_TEST(too_many_lines)
{
    struct exchange x;
    exchange_init(&x);
    names_add(&x.names, SPAN("p-*"), warned);
    char in[8192], *p = in;
    for (int i = 0; i < 60; i++)
        p += sprintf(p, "p-%d: %d\r\n", i, i);
    x.more_bytes = 9000;
    char *whole = repeat(RID, in, 1, "");
    const char *got = exchange_run(&x, whole, GET);
    unsigned lines = 0;
    for (const char *q = got; q && *q; q++)
        lines += *q == '\n';
    CHECK(lines == CONTEXT_LINES);
    CHECK(x.captured.count[CONTEXT_N_OVERFLOW] > 0);
    free(whole);
    whole = repeat(GET, "p-1: x\r\n", HEAD_FIELDS + 1, "");
    got = exchange_run(&x, RID, whole); /* the program's own are not all known: hands off */
    CHECK(got && *got == 0 && x.composed.count[CONTEXT_N_OVERFLOW] == 1);
    free(whole);
    whole = repeat("GET /", "x", 9000, " HTTP/1.1\r\nHost: a.svc\r\n");
    got = exchange_run(&x, RID, whole);
    CHECK(got && *got == 0 && x.composed.count[CONTEXT_N_OVERFLOW] == 1);
    free(whole);
    exchange_done(&x);
}
END_TEST

/* The context's memory may be smaller than its contents: lines are dropped whole. */
START_TEST(small_memory)
{
    static const char in[] = GET RID TP BM TS BAG;
    struct names names;
    names_default(&names);
    struct head head;
    struct http1 h;
    char store[2048];
    CHECK(exchange_scan(&names, in, strlen(in), &h, &head, store, sizeof(store)));
    for (size_t cap = sizeof(struct context); cap < sizeof(struct context) + 500; cap++) {
        struct context_notes notes = {{0}};
        struct context *c = context_build(&head, malloc(cap), cap, &notes);
        CHECK(c->size <= cap && c->size == sizeof(*c) + c->text_len);
        CHECK(c->n <= 8 &&
              (c->n == 8 || notes.count[CONTEXT_N_OVERFLOW] || notes.count[CONTEXT_N_INVALID]));
        uint32_t at = 0;
        for (uint32_t i = 0; i < c->n; i++) {
            CHECK(c->line[i].off == at);
            at += c->line[i].len;
            CHECK(memcmp(c->text + at - 2, "\r\n", 2) == 0);
        }
        CHECK(at == c->text_len);
        free(c);
    }
}
END_TEST

/* The store of a head may be full at any byte: what is not fully known is not carried, and where
 * what the program wrote is not fully known nothing is added. */
START_TEST(full_store)
{
    static const char in[] = GET RID "baggage: a=1,bb=22,ccc=333\r\n" TP;
    static const char own[] = GET "P-own: 1\r\nx-request-id: 1\r\n";
    static const char *const want[] = {"",
                                       RID,
                                       RID "baggage: a=1\r\n",
                                       RID "baggage: a=1,bb=22\r\n",
                                       RID "baggage: a=1,bb=22,ccc=333\r\n",
                                       RID TP "baggage: a=1,bb=22,ccc=333\r\n"};
    struct exchange x;
    unsigned reached = 0;
    exchange_init(&x);
    names_add(&x.names, SPAN("p-*"), warned);
    for (uint32_t cap = 0; cap < 200; cap++) {
        struct http1 h;
        struct head head;
        struct context_notes notes = {{0}};
        char *store = malloc(cap + !cap), *mem = malloc(CONTEXT_MEM);
        CHECK(exchange_scan(&x.names, in, strlen(in), &h, &head, store, cap));
        const char *got =
            exchange_compose(&x, context_build(&head, mem, CONTEXT_MEM, &notes), GET, strlen(GET));
        while (got && reached < 6 && strcmp(got, want[reached]) != 0)
            reached++;
        CHECK(reached < 6);
        CHECK(exchange_scan(&x.names, own, strlen(own), &h, &head, store, cap));
        struct context *c = exchange_capture(&x, GET "p-own: 2\r\n" BAG, strlen(GET BAG) + 10);
        struct context_out o = {.head = &head, .peers = &x.peers, .method = HTTP1_M_GET};
        enum context_own con;
        size_t n = context_compose(c, &o, x.added, CONTEXT_MAX, &con, &notes);
        CHECK(n == (head.len < cap ? strlen(BAG) : 0));
        free(c);
        free(mem);
        free(store);
    }
    CHECK(reached == 5);
    exchange_done(&x);
}
END_TEST

/* --- hostile bytes ---------------------------------------------------------------------------- */

/* Whatever was added is whole lines of token ": " safe bytes CRLF. */
static bool well_formed(const char *p)
{
    while (*p) {
        const char *colon = strstr(p, ": "), *end = strstr(p, "\r\n");
        if (!colon || !end || colon > end || colon == p || colon + 2 == end)
            return false;
        if (!valid_token((struct span){p, (size_t)(colon - p)}))
            return false;
        for (const char *v = colon + 2; v < end; v++)
            if ((*v < ' ' && *v != '\t') || *v > '~')
                return false;
        p = end + 2;
    }
    return true;
}

/* Every byte value at every place of a head with something of every kind. */
START_TEST(every_byte)
{
    static const char base[] = GET "Connection: x\r\n" RID TP TS BM B3 SW BAG
                                   "x-datadog-trace-id: 1\r\nx-datadog-tags: a=b\r\n" AMZN;
    struct exchange x;
    exchange_init(&x);
    x.more_bytes = 9000;
    char *in = strdup(base);
    unsigned captured = 0;
    for (size_t at = strlen(GET); at < strlen(base); at++)
        for (int c = 0; c < 256; c++) {
            in[at] = (char)c;
            struct context *ctx = exchange_capture(&x, in, strlen(base));
            if (ctx) {
                const char *got = exchange_compose(&x, ctx, GET, strlen(GET));
                captured += ctx->n > 0;
                CHECK(got && well_formed(got));
                CHECK(ctx->n == 0 || got[0]); /* nothing captured is later found bad */
                CHECK(x.composed.count[CONTEXT_N_INVALID] == 0);
                free(ctx);
            }
            in[at] = base[at];
        }
    CHECK(captured > 1000);
    free(in);
    exchange_done(&x);
}
END_TEST

/* traceparent against a check that is written another way. */
static bool naive_traceparent(const char *v, size_t n)
{
    char f[4][64];
    char *copy = strndup(v, n);
    int end = 0, k = sscanf(copy, "%2[0-9a-f]-%32[0-9a-f]-%16[0-9a-f]-%2[0-9a-f]%n", f[0], f[1],
                            f[2], f[3], &end);
    bool ok = strlen(copy) == n && k == 4 && end == 55 && strcmp(f[0], "ff") != 0 &&
              strspn(f[1], "0") != 32 && strspn(f[2], "0") != 16;
    ok = ok && (n == 55 || (strcmp(f[0], "00") != 0 && v[55] == '-'));
    for (size_t i = 0; ok && i < n; i++)
        ok = (v[i] >= ' ' && v[i] <= '~') || v[i] == '\t';
    free(copy);
    return ok;
}

START_TEST(traceparent_oracle)
{
    static const char *const seeds[] = {
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-future",
        "00-00000000000000000000000000000001-0000000000000001-00",
    };
    unsigned good = 0;
    for (int i = 0; i < 200000; i++) {
        char v[80];
        size_t n = strlen(strcpy(v, seeds[unit_random(3)]));
        for (unsigned k = unit_random(3); k > 0; k--)
            v[unit_random((unsigned)n)] = "0123456789abcdefF-. \x7f\x80g"[unit_random(22)];
        if (unit_random(8) == 0)
            n = unit_random((unsigned)n + 1);
        bool want = naive_traceparent(v, n);
        char *exact = malloc(n + !n);
        memcpy(exact, v, n);
        v[n] = 0;
        CHECK_FOR(valid_value(VALID_TRACEPARENT, (struct span){exact, n}, false) == want, v);
        free(exact);
        good += want;
    }
    CHECK(good > 1000);
}
END_TEST

/* SAFE, at every length and place, against the obvious loop. */
START_TEST(safe_oracle)
{
    for (size_t n = 0; n < 40; n++)
        for (size_t at = 0; at < n; at++)
            for (int c = 0; c < 256; c++) {
                char *v = malloc(n);
                memset(v, 'x', n);
                v[at] = (char)c;
                bool want = (c >= 0x20 && c <= 0x7e) || c == '\t';
                CHECK(valid_value(VALID_SAFE, (struct span){v, n}, false) == want);
                bool visible = c > 0x20 && c <= 0x7e;
                CHECK(valid_value(VALID_VISIBLE, (struct span){v, n}, false) == visible);
                free(v);
            }
    CHECK(!valid_value(VALID_SAFE, (struct span){"", 0}, false));
}
END_TEST

/* Hex and digits, at every length and place, against the obvious loop. */
START_TEST(hex_oracle)
{
    for (size_t n = 1; n < 35; n++)
        for (size_t at = 0; at < n; at++)
            for (int c = 0; c < 256; c++) {
                char *v = malloc(n);
                memset(v, '7', n);
                v[at] = (char)c;
                struct span s = {v, n};
                bool digit = c >= '0' && c <= '9';
                bool hex = digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
                CHECK(valid_value(VALID_HEX32, s, false) == (hex && n <= 32));
                CHECK(valid_value(VALID_HEX16, s, false) == (hex && n <= 16));
                CHECK(valid_value(VALID_HEX16_32, s, false) == (hex && (n == 16 || n == 32)));
                CHECK(valid_value(VALID_DIGITS, s, false) == (digit && n <= 20));
                free(v);
            }
}
END_TEST

START_TEST(b3_forms)
{
    static const char whole[] =
        "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90";
    for (size_t from = 0; from < 32; from++)
        for (size_t n = 2; from + n <= strlen(whole); n++) {
            char *v = malloc(n);
            memcpy(v, whole + from, n);
            size_t rest = n - (from == 0 ? 32 : 16);
            bool want = (from == 0 || from == 16) && (rest == 17 || rest == 19 || rest == 36);
            CHECK(valid_value(VALID_B3, (struct span){v, n}, false) == want);
            free(v);
        }
}
END_TEST

START_TEST(tokens)
{
    for (int c = 0; c < 256; c++) {
        char b[2] = {'x', (char)c};
        bool want = c && (isalnum(c) || strchr("!#$%&'*+-.^_`|~", c));
        CHECK(valid_token((struct span){b, 2}) == (c < 128 && want));
    }
    CHECK(!valid_token((struct span){"", 0}));
}
END_TEST

/* A context in memory that somebody else wrote to: no byte beyond it is read, nothing unsafe
 * leaves. */
START_TEST(damaged_context)
{
    static const char in[] = GET RID TP TS BM B3 BAG;
    struct exchange x;
    unsigned used = 0;
    exchange_init(&x);
    struct context *c = exchange_capture(&x, in, strlen(in));
    char *good = malloc(c->size);
    memcpy(good, c, c->size);
    size_t size = c->size;
    struct context *bad = malloc(CONTEXT_MEM);
    for (int i = 0; i < 60000; i++) {
        memset(bad, 'A', CONTEXT_MEM);
        memcpy(bad, good, size);
        for (unsigned k = 1 + unit_random(3); k > 0; k--)
            ((char *)bad)[unit_random(unit_random(2) ? (unsigned)size : 60)] =
                (char)unit_random(256);
        const char *got = exchange_compose(&x, bad, GET, strlen(GET));
        CHECK(got && well_formed(got));
        used += *got != 0;
    }
    CHECK(used > 20); /* what was written was what had been there */
    free(good);
    free(bad);
    free(c);
    exchange_done(&x);
}
END_TEST

/* Damage of every kind that must be seen, one at a time: to the layout, */
static void damage_layout(struct context *c, int kind)
{
    struct context_line *l = c->line;
    uint32_t *const word[] = {&c->n, &c->n, &c->text_len, &c->text_len, &l[2].off, &l[4].len};
    static const uint32_t value[] = {CONTEXT_LINES + 1, 4, 1, CONTEXT_MAX + 1, 1, UINT32_MAX};
    if (kind < 6)
        *word[kind] = value[kind];
    else if (kind == 6)
        l[1] = l[0]; /* a line twice */
    else
        l[0].name_len++;
}

/* to ids (never of another line, nor of what was not asked for), names and text. */
static void damage_text(struct context *c, int kind)
{
    static const uint16_t id[] = {NAME_HOST, NAME_COOKIE, UINT16_MAX, NAME_TRACEPARENT};
    struct context_line *l = c->line;
    char *const byte[] = {c->text + l[1].off, c->text + l[3].off + 1, c->text + l[3].off + 2,
                          c->text + l[4].off - 1, c->text + l[4].off + 12};
    if (kind < 4)
        l[0].id = id[kind];
    else
        *byte[kind - 4] = "T=(\r\n"[kind - 4];
}

START_TEST(soundness)
{
    static const char in[] = GET RID TP TS "p-a: 1\r\n" BAG;
    struct exchange x;
    exchange_init(&x);
    names_add(&x.names, SPAN("p-*"), warned);
    struct context *c = exchange_capture(&x, in, strlen(in)), *bad = malloc(CONTEXT_MEM);
    CHECK(c->n == 5);
    for (int kind = 0; kind < 17; kind++) {
        memcpy(bad, c, c->size);
        if (kind < 8)
            damage_layout(bad, kind);
        else
            damage_text(bad, kind - 8);
        CHECK(*exchange_compose(&x, bad, GET, strlen(GET)) == 0);
        CHECK(x.composed.count[CONTEXT_N_INVALID] == 1);
    }
    CHECK(strlen(exchange_compose(&x, c, GET, strlen(GET))) == c->text_len);
    memcpy(bad, c, c->size);
    memset(bad->text + bad->line[1].off + 13, 'x', 55); /* no trace id, but safe */
    CHECK(*exchange_compose(&x, bad, GET TP2, strlen(GET TP2)) == 0 && !x.own);
    free(bad);
    free(c);
    exchange_done(&x);
}
END_TEST

/* Random heads from pieces that matter, both ways. */
START_TEST(random_heads)
{
    static const char *const pieces[] = {
        RID,
        TP,
        TP2,
        TS,
        BT,
        BS,
        BP,
        BD,
        B3,
        SW,
        BAG,
        AMZN,
        "baggage: ",
        "b3: 0",
        "b3: d\r\n",
        "\r\n ",
        "connection: close, b3\r\n",
        "Connection: ",
        "traceparent",
        "tracestate: ,,\r\n",
        ",",
        ":",
        " ",
        "\t",
        "\r\n",
        "x-b3-",
        "uberctx-a: 1\r\n",
        "uber-trace-id: 1:1:0:1\r\n",
        "p-",
        "p-x: 1\r\n",
        "host: ",
        "a.svc\r\n",
        "authorization: AWS4-\r\n",
        "signature-input: s=(\"b3\")\r\n",
        "\x80",
        "=",
        "traceparent:\r\n",
        "x-datadog-trace-id: 1\r\n",
        "x-datadog-origin: x\r\n",
    };
    struct exchange x;
    exchange_init(&x);
    names_select(&x.names, SPAN("tracecontext,baggage,b3,b3multi,datadog,jaeger,sw8"), warned);
    names_add(&x.names, SPAN("p-*"), warned);
    unsigned added = 0;
    for (int i = 0; i < 40000; i++) {
        char head[2][4096];
        for (int k = 0; k < 2; k++) {
            char *p = stpcpy(head[k], GET);
            for (unsigned n = unit_random(k ? 6 : 14); n > 0; n--)
                p = stpcpy(p, pieces[unit_random(sizeof(pieces) / sizeof(pieces[0]))]);
            strcpy(p, p[-1] == '\n' ? "" : "\r\n");
        }
        struct context *c = exchange_capture(&x, head[0], strlen(head[0]));
        const char *got = c ? exchange_compose(&x, c, head[1], strlen(head[1])) : NULL;
        CHECK(!got || well_formed(got));
        added += got && *got;
        free(c);
    }
    CHECK(added > 2000);
    exchange_done(&x);
}
END_TEST

START_TEST(strict_tracestate)
{
    static const struct {
        const char *v;
        bool ok;
    } rows[] = {
        {"a=1", true},      {"a=1,b=2", true},    {"a=1 ,\t b=2", true}, {"a=1,,b=2", true},
        {",", false},       {"a=1,a=2", false},   {"ab=1,b=1", true},    {"a= b", true},
        {"a= ,b=1", false}, {"a=", false},        {"=1", false},         {"A=1", false},
        {"a b=1", false},   {"0a@b-_*/=x", true}, {"@a=1", false},       {"_a=1", false},
        {"a=b=c", false},   {"a", false},         {"a=1;b", true},       {"a=1,b =2", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct span v = {rows[i].v, strlen(rows[i].v)};
        CHECK_FOR(valid_value(VALID_TRACESTATE, v, true) == rows[i].ok, rows[i].v);
        CHECK(valid_value(VALID_TRACESTATE, v, false));
    }
    char many[400] = "", *p = many;
    for (int i = 0; i < 33; i++) {
        CHECK(i == 0 ||
              valid_value(VALID_TRACESTATE, (struct span){many, strlen(many)}, true) == (i <= 32));
        p += sprintf(p, "%sk%d=v", i ? "," : "", i);
    }
    CHECK(!valid_value(VALID_TRACESTATE, (struct span){many, strlen(many)}, true));
}
END_TEST

START_TEST(members)
{
    static const struct {
        const char *v;
        size_t max, want;
    } rows[] = {{"a=1,b=2", 7, 7},   {"a=1,b=2", 6, 3}, {"a=1,b=2", 3, 3}, {"a=1,b=2", 2, 0},
                {"a=1, ,b=2", 8, 3}, {"a=1,", 4, 4},    {"a=1,", 3, 3},    {"", 0, 0},
                {",", 0, 0},         {"a=1,b=2", 0, 0}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CHECK_FOR(valid_members((struct span){rows[i].v, strlen(rows[i].v)}, rows[i].max) ==
                      rows[i].want,
                  rows[i].v);
}
END_TEST

START_TEST(notes)
{
    struct context_notes n = {{0}};
    for (int i = 0; i < 300; i++)
        context_note_add(&n, CONTEXT_N_PEER);
    CHECK(n.count[CONTEXT_N_PEER] == 255);
    for (int i = 0; i < CONTEXT_N_COUNT; i++)
        CHECK(*context_note_name((enum context_note)i));
    CHECK(!*context_note_name(CONTEXT_N_COUNT));
}
END_TEST

int main(void)
{
    unit_begin("context");
    ROWS(capture_row, capture_rows);
    ROWS(app_row, app_rows);
    ROWS(request_row, request_rows);
    ROWS(peer_row, peer_rows);
    UNIT(proxy_address);
    UNIT(never_by_address);
    UNIT(connect_never);
    UNIT(insert_signed);
    UNIT(contradiction);
    UNIT(app_identity);
    UNIT(extras);
    UNIT(opt_in);
    UNIT(caps);
    UNIT(long_baggage);
    UNIT(huge_baggage);
    UNIT(budget_bytes);
    UNIT(budget_lines);
    UNIT(budget_top);
    UNIT(too_many_lines);
    UNIT(small_memory);
    UNIT(full_store);
    UNIT(every_byte);
    UNIT(traceparent_oracle);
    UNIT(safe_oracle);
    UNIT(tokens);
    UNIT(strict_tracestate);
    UNIT(members);
    UNIT(hex_oracle);
    UNIT(b3_forms);
    UNIT(damaged_context);
    UNIT(soundness);
    UNIT(random_heads);
    UNIT(notes);
    return unit_run();
}
