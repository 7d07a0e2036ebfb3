/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_edit: edit planning. A program writes a stream of requests by calls of any
 * lengths, in any pieces, to a kernel that accepts any number of bytes; what it
 * does not accept the program offers again. Each call is planned as the engine
 * does it (scan what is offered, insert at each empty line, set the scanner back,
 * advance over what was told), and edit.h keeps the account. Then
 *
 *   - each call: the pieces are the wire bytes from any offset on, whatever room
 *     there is for them; the program is told no more than it offered, and exactly
 *     its bytes among those accepted; what is owed is what is missing;
 *   - all calls: on the wire are the program's bytes and one line before each
 *     empty line, as a scan of the whole stream at once has them.
 *
 * An input: bytes that decide (0s when they run out), a separator, the stream.
 */
#define _GNU_SOURCE
#define FUZZ_NAME   "edit"
#define FUZZ_TOKENS STREAM_TOKENS, FUZZ_SEPARATOR, "\x01", "\x02", "\x05", "\xff"
#include "fuzz/stream.h"

#include "core/edit.h"

#define LINES  512 /* insertions into one stream; an input of FUZZ_MAX has no more heads */
#define PIECES 24

/* Of any length, each another one. */
static struct span line_of(size_t i)
{
    static char lines[LINES][40];
    static const char filler[] = "traceparent-of-the-exchange-0123";
    int n =
        snprintf(lines[i], sizeof(lines[i]), "%.*s%zu: v\r\n", (int)(1 + i * 7 % 30), filler, i);
    return (struct span){lines[i], (size_t)n};
}

struct sender {
    struct fuzz_reader how;
    const char *p; /* the program's stream */
    size_t n, at;  /* of which `at` bytes are told */
    struct http1 scanner;
    bool decided, down;
    size_t heads; /* insertions that have begun to leave */
    struct span owed;
    struct text wire;
};

/* As outbound.c does. @return the insertions into the next `total` bytes. */
static void plan(struct sender *s, struct edit *e, size_t total)
{
    struct http1 h = s->scanner;
    bool decided = s->decided;
    e->total = total;
    e->lead = s->owed;
    for (size_t at = 0, used; !s->down; at += used) {
        if (http1_idle(&h))
            decided = false;
        enum http1_event ev =
            http1_scan(&h, s->p + s->at + at, total - at, &used, &deaf_sink, NULL);
        if (ev == HTTP1_MORE || ev == HTTP1_DOWN)
            return;
        if (ev == HTTP1_EMPTY_LINE && !decided) {
            if (e->n == EDIT_INSERTIONS) { /* the program offers no more in one call here */
                e->total = at + used;
                return;
            }
            e->ins[e->n] = (struct edit_insertion){at + used, line_of(s->heads + e->n)};
            e->n++;
            decided = true;
        }
    }
}

/* Over the bytes that were told. */
static void advance(struct sender *s, size_t told, bool begun)
{
    for (size_t at = 0, used; !s->down; at += used) {
        if (http1_idle(&s->scanner))
            s->decided = false;
        enum http1_event ev =
            http1_scan(&s->scanner, s->p + s->at + at, told - at, &used, &deaf_sink, NULL);
        s->decided |= ev == HTTP1_EMPTY_LINE;
        s->down = ev == HTTP1_DOWN;
        if (ev == HTTP1_MORE)
            break;
    }
    s->decided |= begun;
    s->at += told;
}

/* The call's wire, the obvious way. */
static struct text spelled(const struct edit *e, const char *p)
{
    struct text t = {0};
    size_t at = 0;
    text_add(&t, e->lead.n ? e->lead.p : "", e->lead.n);
    for (unsigned i = 0; i < e->n; i++) {
        text_add(&t, p + at, e->ins[i].at - at);
        text_add(&t, e->ins[i].text.p, e->ins[i].text.n);
        at = e->ins[i].at;
    }
    text_add(&t, p + at, e->total - at);
    return t;
}

/* Cut the program's bytes into pieces, empty ones among them. */
static size_t in_pieces(struct sender *s, size_t total, struct edit_piece *prog)
{
    size_t n = 0, left = total;
    const char *p = s->p + s->at;
    for (size_t want = fuzz_byte(&s->how) % PIECES; n < want; n++) {
        size_t some = fuzz_byte(&s->how) % (left + 1);
        prog[n] = (struct edit_piece){some ? p : NULL, some};
        p += some;
        left -= some;
    }
    prog[n++] = (struct edit_piece){p, left + fuzz_byte(&s->how) % 3}; /* or more than total */
    return n;
}

static const char *check_pieces(struct sender *s, const struct edit *e, const struct text *wire)
{
    struct edit_piece prog[PIECES + 1], out[3 * PIECES];
    size_t nprog = in_pieces(s, e->total, prog);
    size_t cap = 1 + fuzz_byte(&s->how) % (3 * PIECES), at = fuzz_byte(&s->how) % (wire->n + 1);
    while (at < wire->n) {
        size_t n = edit_pieces(e, at, prog, nprog, out, cap);
        if (n == 0 || n > cap)
            return "no pieces, or more than fit";
        for (size_t i = 0; i < n; at += out[i++].n)
            if (out[i].n == 0 || out[i].n > wire->n - at ||
                memcmp(out[i].p, wire->p + at, out[i].n))
                return "pieces are not the wire";
        if (n < cap && at != wire->n)
            return "fewer pieces than there is room for";
    }
    return NULL;
}

/* Byte by byte: whose is each of the first k, and what is missing of the one that was begun? */
static const char *check_cut(const struct edit *e, size_t k, const struct edit_cut *cut)
{
    size_t told = 0, left = k < e->lead.n ? e->lead.n - k : 0;
    unsigned done = 0;
    k -= k < e->lead.n ? k : e->lead.n;
    for (; k > 0; k--) {
        if (left == 0 && done < e->n && e->ins[done].at == told)
            left = e->ins[done++].text.n;
        if (left > 0)
            left--;
        else
            told++;
    }
    const struct span whole = done ? e->ins[done - 1].text : e->lead;
    if (cut->told != told || cut->told > e->total)
        return "the program is told another number";
    if (cut->done != done)
        return "another number of insertions has begun";
    if (cut->owed.n != left || (left && cut->owed.p != whole.p + whole.n - left))
        return "something else is owed";
    return NULL;
}

static const char *call(struct sender *s, bool all)
{
    size_t left = s->n - s->at, some = fuzz_byte(&s->how), most = some < 200 ? some : left;
    struct edit e = {0};
    plan(s, &e, all || most > left ? left : most);
    struct text wire = spelled(&e, s->p + s->at);
    const char *why = edit_wire(&e) == wire.n ? NULL : "the wire has another length";
    if (!why)
        why = check_pieces(s, &e, &wire);
    size_t k = fuzz_byte(&s->how) | (size_t)fuzz_byte(&s->how) << 8;
    k = all || k > wire.n ? wire.n : k;
    struct edit_cut cut = edit_accepted(&e, k);
    if (!why)
        why = check_cut(&e, k, &cut);
    if (!why) {
        text_add(&s->wire, wire.p, k);
        s->heads += cut.done;
        s->owed = cut.owed;
        advance(s, cut.told, cut.done > 0 && e.ins[cut.done - 1].at == cut.told);
    }
    free(wire.p);
    return why;
}

/* The whole stream in one scan. A CR that ended a call was an empty line as far as anybody could
 * know (http1.h): there a line may have left that this scan has no place for. */
static const char *compare(const struct sender *s, const struct stream *stream)
{
    struct http1 h;
    struct text want = {0};
    size_t at = 0, heads = 0, cr = SIZE_MAX, used;
    http1_init(&h, HTTP1_REQUEST, false);
    for (enum http1_event ev = HTTP1_HEAD; ev != HTTP1_MORE && ev != HTTP1_DOWN; at += used) {
        ev = http1_scan(&h, stream->p + at, stream->n - at, &used, &deaf_sink, NULL);
        text_add(&want, stream->p + at, used);
        if (ev == HTTP1_EMPTY_LINE) {
            struct span line = line_of(heads++);
            text_add(&want, line.p, line.n);
        }
    }
    if (h.reason == HTTP1_R_BARE_CR && s->heads == heads + 1)
        cr = at > 0 && stream->p[at - 1] == '\r' ? at - 1 : at;
    if (cr != SIZE_MAX) {
        struct span line = line_of(heads);
        want.n -= at - cr;
        text_add(&want, line.p, line.n);
        text_add(&want, stream->p + cr, at - cr);
    }
    text_add(&want, stream->p + at, stream->n - at);
    bool same = want.n == s->wire.n && memcmp(want.p, s->wire.p, want.n) == 0;
    free(want.p);
    return same ? NULL : "the stream is another one";
}

static const char *fuzz_judge(const uint8_t *data, size_t n)
{
    struct fuzz_reader all = {data, n};
    struct sender s = {.how = fuzz_section(&all)};
    const struct stream stream = {HTTP1_REQUEST, false, HTTP1_M_GET, (const char *)all.p, all.n};
    const char *why = NULL;
    s.p = stream.p;
    s.n = stream.n;
    http1_init(&s.scanner, HTTP1_REQUEST, false);
    text_add(&s.wire, "", 0);
    /* Calls that decide something, then the rest of the stream. */
    for (unsigned calls = 0; !why && (s.at < s.n || s.owed.n > 0); calls++)
        why = calls > 2 * FUZZ_MAX ? "does not come to an end" : call(&s, s.how.n == 0);
    if (!why)
        why = compare(&s, &stream);
    free(s.wire.p);
    return why;
}

static void add(const char *p, size_t n)
{
    static const char *const how[] = {"", "\xff\3\5\1\4\1\2\7\1",
                                      "\21\0\0\1\0\20\0\31\2\3\4\0\2\0\11",
                                      "\377\0\0\3\1\44\0\377\0\0\1\0\3\0\377\0\0\2\0\377\377"};
    static const uint8_t lengths[] = {0, 9, 15, 21};
    struct text t = {0};
    size_t i = fuzz_count % 4;
    text_add(&t, how[i], lengths[i]);
    text_add(&t, FUZZ_SEPARATOR, 2);
    text_add(&t, p, n);
    fuzz_seed(t.p, t.n);
    free(t.p);
}

static void add_case(const char *file, struct wire_case *w)
{
    (void)file;
    if (w->stream.direction == HTTP1_REQUEST && !w->stream.proxy)
        add(w->stream.p, w->stream.n);
}

static const char *fuzz_seeds(void)
{
    static const char get[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    struct text t = {0};
    for (unsigned i = 0; i < 12; i++) {
        text_add(&t, get, sizeof(get) - 1);
        add(t.p, t.n);
    }
    free(t.p);
    return stream_cases(add_case);
}
