/* SPDX-License-Identifier: Apache-2.0 */
/* test_head: what is kept of a head, however it is cut and however little room there is. */
#include "unit/unit.h"

#include "core/head.h"
#include "unit/warned.h"

static const char request[] =
    "GET /some/target?x=1 HTTP/1.1\r\n"
    "Host: \t next.svc:80 \t\r\n"
    "Accept: */*\r\n"
    "X-Request-ID: abc\r\n"
    "TraceParent:00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n"
    "tracestate: a=1\r\n"
    "tracestate:\r\n"
    "tracestate: b=2\r\n"
    "baggage: x\r\n y\r\n"
    "P-One: 1\r\n"
    "Authorization: Bearer 0123456789abcdefghijklmnopqrstuvwxyz\r\n"
    "Connection: close\r\n\r\n";

static struct names names;

/* Scan text in two pieces, the second from its own block. */
static void feed_to(const struct http1_sink *sink, struct head *h, const char *text, size_t n,
                    size_t cut)
{
    struct http1 scanner;
    const char *part[2] = {text, text + cut};
    size_t len[2] = {cut, n - cut};
    http1_init(&scanner, HTTP1_REQUEST, false);
    for (int i = 0; i < 2; i++) {
        char *exact = malloc(len[i] + !len[i]);
        memcpy(exact, part[i], len[i]);
        for (size_t at = 0, used; at < len[i]; at += used) {
            enum http1_event ev = http1_scan(&scanner, exact + at, len[i] - at, &used, sink, h);
            CHECK(ev != HTTP1_DOWN && (ev != HTTP1_MORE || at + used == len[i]));
            if (ev == HTTP1_DOWN || (ev == HTTP1_END && at + used == len[i]))
                break;
        }
        free(exact);
    }
}

static void feed(struct head *h, const char *text, size_t n, size_t cut)
{
    feed_to(&head_sink, h, text, n, cut);
}

static bool value_is(const struct head *h, int id, const char *want)
{
    const struct head_field *f = head_find(h, id);
    struct span v = f ? head_value(h, f) : (struct span){NULL, 0};
    return f && span_eq(v, (struct span){want, strlen(want)});
}

static void check_request(const struct head *h)
{
    CHECK(span_eq(head_target(h), SPAN("/some/target?x=1")));
    CHECK(h->n == 10 && h->dropped == 0);
    CHECK(value_is(h, NAME_HOST, "next.svc:80"));
    CHECK(value_is(h, NAME_X_REQUEST_ID, "abc"));
    CHECK(value_is(h, NAME_TRACEPARENT, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
    CHECK(value_is(h, NAME_TRACESTATE, "a=1"));
    CHECK(value_is(h, NAME_CONNECTION, "close"));
    CHECK(span_eq(head_value(h, &h->field[4]), SPAN("")));
    CHECK(span_eq(head_value(h, &h->field[5]), SPAN("b=2")));
    const struct head_field *bag = head_find(h, NAME_BAGGAGE), *p = head_find(h, NAMES_EXTRA);
    CHECK(bag && bag->folded && bag->name_len == 0);
    CHECK(p && p->name_len == 5 && memcmp(h->buf + p->name_off, "p-one", 5) == 0);
    CHECK(p && span_eq(head_value(h, p), SPAN("1")));
    const struct head_field *auth = head_find(h, NAME_AUTH);
    CHECK(auth && auth->cut && auth->len < 20); /* no more of a credential than its scheme */
    CHECK(!head_find(h, NAME_B3) && !head_find(h, NAME_SIGNATURE_INPUT));
}

START_TEST(every_cut)
{
    for (size_t cut = 0; cut < sizeof(request); cut++) {
        struct head h;
        char store[512];
        head_begin(&h, &names, store, 0, sizeof(store));
        feed(&h, request, sizeof(request) - 1, cut);
        check_request(&h);
    }
}
END_TEST

/* A copy of the struct is a checkpoint: what was appended since is forgotten. */
START_TEST(rollback)
{
    static const char junk[] = "x-b3-traceid: 1\r\nbaggage: forgotten\r\nP-Two: 2\r\n";
    for (size_t cut = 40; cut < sizeof(request) - 3; cut++) {
        struct head h, saved;
        struct http1 s;
        char store[1024];
        size_t used;
        head_begin(&h, &names, store, 7, sizeof(store));
        http1_init(&s, HTTP1_REQUEST, false);
        CHECK(http1_scan(&s, request, cut, &used, &head_sink, &h) == HTTP1_MORE);
        struct http1 saved_scanner = s;
        saved = h;
        http1_scan(&s, junk, sizeof(junk) - 1, &used, &head_sink, &h);
        h = saved;
        s = saved_scanner;
        CHECK(http1_scan(&s, request + cut, sizeof(request) - 1 - cut, &used, &head_sink, &h) ==
              HTTP1_EMPTY_LINE);
        check_request(&h);
    }
}
END_TEST

/* Whatever the room: no byte is written beyond it, and what is not whole says so. */
START_TEST(every_room)
{
    struct head whole;
    char all[512];
    head_begin(&whole, &names, all, 0, sizeof(all));
    feed(&whole, request, sizeof(request) - 1, 0);
    for (uint32_t cap = 0; cap <= whole.len + 2; cap++)
        for (uint32_t at = 0; at < 3; at++) {
            struct head h;
            char *store = malloc(cap + !cap);
            head_begin(&h, &names, store, at, cap);
            feed(&h, request, sizeof(request) - 1, 0);
            CHECK(h.len <= h.cap && h.n == whole.n);
            CHECK((h.len == h.cap) == (cap <= whole.len + (at < cap ? at : 0)));
            CHECK(h.target_cut == (cap < (at < cap ? at : cap) + 16));
            for (unsigned i = 0; i < h.n; i++) {
                const struct head_field *f = &h.field[i], *g = &whole.field[i];
                CHECK(f->id == g->id && f->off + f->len <= h.cap && (f->cut || f->len == g->len));
                CHECK(f->cut || memcmp(store + f->off, all + g->off, f->len) == 0);
            }
            free(store);
        }
}
END_TEST

START_TEST(long_target)
{
    for (size_t n = 8190; n < 8195; n++) {
        char *text = malloc(n + 64), *store = malloc(16384);
        struct head h;
        memcpy(text, "GET /", 5);
        memset(text + 5, 'x', n - 1);
        strcpy(text + 4 + n, " HTTP/1.1\r\nHost: a\r\n\r\n");
        for (size_t cut = 0; cut < n; cut += 1000) {
            head_begin(&h, &names, store, 0, 16384);
            feed(&h, text, strlen(text), cut);
            CHECK(h.target_cut == (n > 8192));
            CHECK(head_target(&h).n == (n > 8192 ? 0 : n));
            CHECK(value_is(&h, NAME_HOST, "a"));
        }
        free(text);
        free(store);
    }
}
END_TEST

/* One giant value does not take the room of the others. */
START_TEST(giant_value)
{
    char *text = malloc(60000), *store = malloc(16384);
    struct head h;
    strcpy(text, "GET / HTTP/1.1\r\nHost: a\r\nx-request-id: ");
    size_t at = strlen(text);
    memset(text + at, 'x', 50000);
    strcpy(text + at + 50000, "\r\nb3: 0\r\n\r\n");
    for (size_t cut = 0; cut < strlen(text); cut += 1777) {
        head_begin(&h, &names, store, 0, 16384);
        feed(&h, text, strlen(text), cut);
        const struct head_field *f = head_find(&h, NAME_X_REQUEST_ID);
        CHECK(f && f->cut && f->len > 1024 && f->len < 2048);
        CHECK(value_is(&h, NAME_B3, "0"));
    }
    free(text);
    free(store);
}
END_TEST

START_TEST(many_fields)
{
    char text[4096], store[4096], *p = text + sprintf(text, "GET / HTTP/1.1\r\n");
    struct head h;
    for (int i = 0; i < HEAD_FIELDS + 7; i++)
        p += sprintf(p, "tracestate: a=%d\r\n", i);
    strcpy(p, "\r\n");
    head_begin(&h, &names, store, 0, sizeof(store));
    feed(&h, text, strlen(text), 100);
    CHECK(h.n == HEAD_FIELDS && h.dropped == 7);
}
END_TEST

/* Are these two the same, but for where their bytes are? */
static bool same(const struct head *a, const struct head *b)
{
    bool ok = a->n == b->n && a->dropped == b->dropped && a->len == b->len && a->open == b->open &&
              memcmp(a->buf, b->buf, a->len) == 0;
    for (unsigned i = 0; ok && i < a->n; i++) {
        const struct head_field *f = &a->field[i], *g = &b->field[i];
        ok = f->id == g->id && f->folded == g->folded && f->cut == g->cut && f->off == g->off &&
             f->len == g->len && f->name_len == g->name_len && f->name_off == g->name_off;
    }
    return ok;
}

/* A line that is reported at once leaves what one in pieces does, whatever the room. */
static void check_pieces(const char *text, uint32_t cap)
{
    struct http1_sink pieces = head_sink;
    char *one = calloc(1, cap + 1), *two = calloc(1, cap + 1);
    struct head a, b;
    pieces.line = NULL;
    head_begin(&a, &names, one, 0, cap);
    head_begin(&b, &names, two, 0, cap);
    feed(&a, text, strlen(text), strlen(text));
    feed_to(&pieces, &b, text, strlen(text), strlen(text));
    CHECK(same(&a, &b));
    free(one);
    free(two);
}

/* About every row's greatest length, which is that of what is kept, too. */
START_TEST(whole_or_in_pieces)
{
    static char text[20000];
    for (uint32_t cap = 0; cap < 512; cap++)
        check_pieces(request, cap);
    for (int id = 0; id <= NAMES_EXTRA; id++) {
        if (id < NAMES_BUILTIN && names_rows[id].def == DEFAULT_NEVER)
            continue; /* not looked for; a length of letters is refused */
        struct span name = names_text(&names, id);
        size_t max = id == NAMES_EXTRA ? NAMES_EXTRA_MAX : names_rows[id].max;
        for (size_t n = max > 3 ? max - 3 : 1; n < max + 20; n++) {
            int at = sprintf(text, "GET / HTTP/1.1\r\n%.*sx: a\r\n%.*s: ", (int)name.n, name.p,
                             (int)name.n, name.p);
            memset(text + at, 'v', n);
            strcpy(text + at + n, "\r\nb3: 0\r\n\r\n");
            check_pieces(text, sizeof(text));
            check_pieces(text, (uint32_t)max);
        }
    }
}
END_TEST

/* The same of more lines than are kept. */
START_TEST(many_in_pieces)
{
    char text[4096], *p = text + sprintf(text, "GET / HTTP/1.1\r\n");
    for (int i = 0; i < HEAD_FIELDS + 7; i++)
        p += sprintf(p, "P-%d: a=%d\r\n", i, i);
    strcpy(p, "\r\n");
    check_pieces(text, sizeof(text));
}
END_TEST

int main(void)
{
    unit_begin("head");
    names_default(&names);
    names_add(&names, SPAN("p-*"), warned);
    UNIT(every_cut);
    UNIT(rollback);
    UNIT(every_room);
    UNIT(long_target);
    UNIT(giant_value);
    UNIT(many_fields);
    UNIT(whole_or_in_pieces);
    UNIT(many_in_pieces);
    return unit_run();
}
