/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events: what http1_scan() says of a stream, as readable text, and the rules
 * that every stream must obey whatever it says.
 *
 * A stream is fed in pieces. Each piece is copied so that its last byte touches
 * a page that cannot be read: one byte too far is a fault, not a lucky guess.
 * The text must be the same however the stream is cut; naive.h checks the same
 * stream a second time, written the obvious way over the whole buffer.
 *
 *     target "/x"            pieces are joined
 *     host: "a"              a field; "folded" if it was
 *     insert @N              HTTP1_EMPTY_LINE: N program bytes are before it
 *     head @N GET 1.1 ...    HTTP1_HEAD
 *     end @N                 HTTP1_END
 *     down @N REASON         HTTP1_DOWN: N bytes were understood
 *     rest WHAT              where the stream ran out
 *
 * One difference is allowed (http1.h, HTTP1_EMPTY_LINE): a CR that is the last
 * byte given is taken for an empty line until the next byte says otherwise. The
 * text then shows only the refusal.
 */
#ifndef TB_TESTS_WIRE_EVENTS_H
#define TB_TESTS_WIRE_EVENTS_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/http1.h"
#include "wire/naive.h"

/* What is freed is not kept for long: a stream is scanned thousands of times. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=1";
}

struct stream {
    enum http1_direction direction;
    bool proxy;
    enum http1_method answers; /* responses */
    const char *p;
    size_t n;
};

struct events {
    char *text;
    size_t n, cap;
    bool in_target, in_field;
    size_t before_insert, insert; /* length of the text before it; its offset */
    const char *broken;           /* the first rule that was broken, or NULL */
    size_t broken_at;
};

/* --- text ----------------------------------------------------------------------------------- */

static inline void events_bytes(struct events *e, const char *p, size_t n)
{
    if (e->n + n + 1 > e->cap) {
        e->cap = (e->n + n + 1) * 2;
        e->text = realloc(e->text, e->cap);
        if (!e->text)
            abort();
    }
    memcpy(e->text + e->n, p, n);
    e->n += n;
    e->text[e->n] = 0;
}

static inline void events_say(struct events *e, const char *format, ...)
{
    char line[256];
    va_list a;
    va_start(a, format);
    int n = vsnprintf(line, sizeof(line), format, a);
    va_end(a);
    events_bytes(e, line, (size_t)n);
}

static inline void events_visible(struct events *e, const char *p, size_t n)
{
    static const char raw[] = "\r\n\t\\", named[] = "rnt\\";
    for (size_t i = 0; i < n; i++) {
        const char *known = p[i] ? strchr(raw, p[i]) : NULL;
        if (known)
            events_say(e, "\\%c", named[known - raw]);
        else if (p[i] < 0x20 || p[i] > 0x7e)
            events_say(e, "\\x%02x", (uint8_t)p[i]);
        else
            events_bytes(e, p + i, 1);
    }
}

/* Close the line that pieces are being joined on. Nobody says where a target ends. */
static inline void events_close(struct events *e, const char *how)
{
    if (e->in_target || e->in_field)
        events_say(e, "\"%s\n", e->in_field ? how : "");
    e->in_target = e->in_field = false;
}

static inline void events_broken(struct events *e, const char *rule, size_t at)
{
    if (!e->broken) {
        e->broken = rule;
        e->broken_at = at;
    }
}

/* --- sink ----------------------------------------------------------------------------------- */

static inline void events_target(void *ctx, const char *p, size_t n)
{
    struct events *e = ctx;
    if (!e->in_target)
        events_say(e, "target \"");
    if (n == 0)
        events_broken(e, "a piece of the target is empty", 0);
    e->in_target = true;
    events_visible(e, p, n);
}

static inline bool events_field(void *ctx, struct span name)
{
    struct events *e = ctx;
    events_close(e, "");
    events_bytes(e, name.p, name.n);
    events_say(e, ": \"");
    e->in_field = true;
    return true;
}

static inline void events_value(void *ctx, const char *p, size_t n)
{
    struct events *e = ctx;
    if (n == 0 || !e->in_field)
        events_broken(e, "a piece of a value is empty or outside of a field", 0);
    events_visible(e, p, n);
}

static inline void events_end(void *ctx, bool folded)
{
    struct events *e = ctx;
    if (!e->in_field)
        events_broken(e, "a field ends that did not begin", 0);
    events_close(e, folded ? " folded" : "");
}

static const struct http1_sink events_sink = {events_target, events_field, events_value, events_end,
                                              NULL};

static inline void deaf_piece(void *ctx, const char *p, size_t n)
{
    static volatile char sink;
    (void)ctx;
    for (size_t i = 0; i < n; i++)
        sink = p[i]; /* touch every byte */
    (void)sink;
}

static inline bool deaf_field(void *ctx, struct span name)
{
    deaf_piece(ctx, name.p, name.n);
    return name.n % 2;
}

static inline void deaf_end(void *ctx, bool folded)
{
    (void)ctx, (void)folded;
}

static const struct http1_sink deaf_sink = {deaf_piece, deaf_field, deaf_piece, deaf_end, NULL};

/* --- one event ------------------------------------------------------------------------------ */

struct feeding {
    const struct stream *s;
    struct events *e;
    struct http1 h;
    size_t at;      /* bytes of the stream consumed */
    size_t message; /* where this one began, at the earliest */
    size_t body;    /* offset after the head */
    uint64_t length;
    bool pending;  /* HTTP1_EMPTY_LINE was reported, HTTP1_HEAD was not yet */
    uint64_t seed; /* not 0: before each call, go astray in a copy and roll back */
};

static inline const char *events_method(unsigned m)
{
    static const char *const names[] = {"other", "GET", "HEAD", "POST", "CONNECT", "TRACE"};
    return m < 6 ? names[m] : "?";
}

static inline void on_empty_line(struct feeding *f)
{
    const struct stream *s = f->s;
    struct events *e = f->e;
    size_t at = f->at, from = at - f->h.head_bytes;
    e->before_insert = e->n;
    e->insert = at;
    events_say(e, "insert @%zu\n", at);
    if (f->pending)
        events_broken(e, "two empty lines for one head", at);
    f->pending = true;
    if (f->h.head_bytes > at - f->message || at >= s->n || s->p[at] != '\r')
        events_broken(e, "the empty line is not where it is said to be", at);
    else if (at + 1 < s->n && s->p[at + 1] == '\n') {
        const char *why =
            naive_head(s->direction == HTTP1_REQUEST, s->p + from, at - from, f->h.head_lines);
        if (why)
            events_broken(e, why, at);
    }
}

static inline void on_head(struct feeding *f)
{
    static const char *const bodies[] = {"none", "length", "chunked", "close"};
    struct http1 *h = &f->h;
    struct events *e = f->e;
    if (!f->pending || f->at != e->insert + 2)
        events_broken(e, "a head without its empty line", f->at);
    f->pending = false;
    f->body = f->at;
    f->length = h->remaining;
    events_say(e, "head @%zu ", f->at);
    if (h->direction == HTTP1_RESPONSE)
        events_say(e, "%u to ", h->status);
    events_say(e, "%s 1.%u bytes=%u lines=%u body=%s", events_method(h->method), h->minor,
               h->head_bytes, h->head_lines, bodies[h->body]);
    if (h->body == HTTP1_BODY_LENGTH)
        events_say(e, ":%llu", (unsigned long long)h->remaining);
    events_say(e, "%s%s%s\n", h->close ? " close" : "", h->expect ? " expect" : "",
               h->upgrade ? " upgrade" : "");
}

static inline void on_end(struct feeding *f)
{
    const struct stream *s = f->s;
    size_t want = f->body;
    if (f->h.body == HTTP1_BODY_LENGTH)
        want += f->length;
    if (f->h.body == HTTP1_BODY_CHUNKED)
        want += naive_chunks(s->p + f->body, s->n - f->body);
    events_say(f->e, "end @%zu\n", f->at);
    if (f->pending || f->h.body == HTTP1_BODY_CLOSE || want != f->at)
        events_broken(f->e, "the body does not end there", f->at);
    if (!http1_idle(&f->h))
        events_broken(f->e, "not idle after the end", f->at);
    f->message = f->at;
}

static inline void on_down(struct feeding *f)
{
    struct events *e = f->e;
    size_t at = f->at;
    if (f->h.reason == HTTP1_R_BARE_CR && f->pending && at - e->insert < 2) {
        at = e->insert;
        e->n = e->before_insert;
    }
    events_close(e, " ...");
    events_say(e, "down @%zu %s\n", at, http1_reason_name((enum http1_reason)f->h.reason));
}

/* --- feeding -------------------------------------------------------------------------------- */

static inline uint64_t events_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Go astray: scan other amounts of these bytes in a copy. The copy is thrown away, which is what a
 * rollback is; what is said afterwards must not have changed. */
static inline void go_astray(struct feeding *f, const char *p, size_t n)
{
    struct http1 copy = f->h;
    for (size_t used, k = 0; k < 4; k++, p += used, n -= used) {
        size_t some = n ? events_random(&f->seed) % (n + 1) : 0;
        if (http1_scan(&copy, p, some, &used, &deaf_sink, NULL) == HTTP1_DOWN)
            return;
    }
}

/* Bytes that are said to be opaque need not be shown. */
static inline void check_opaque(struct feeding *f, const char *p, size_t n)
{
    struct http1 seen = f->h, unseen = f->h;
    size_t u1, u2, some = http1_opaque(&seen) < n ? (size_t)http1_opaque(&seen) : n;
    if (some == 0)
        return;
    enum http1_event a = http1_scan(&seen, p, some, &u1, &deaf_sink, NULL);
    enum http1_event b = http1_scan(&unseen, NULL, some, &u2, &deaf_sink, NULL);
    if (a != b || u1 != u2 || memcmp(&seen, &unseen, sizeof(seen)) != 0)
        events_broken(f->e, "opaque bytes were looked at", f->at);
}

static inline void check_call(struct feeding *f, enum http1_event ev, size_t used, size_t n)
{
    if (used > n)
        events_broken(f->e, "more bytes used than given", f->at);
    if (ev == HTTP1_MORE && used != n)
        events_broken(f->e, "bytes left over without an event", f->at);
    if ((ev == HTTP1_DOWN) != (f->h.reason != HTTP1_R_NONE))
        events_broken(f->e, "down without a reason, or a reason without down", f->at);
}

static inline void check_final(struct feeding *f, const char *p, size_t n)
{
    size_t used = 1;
    uint8_t reason = f->h.reason;
    struct events none = {0};
    for (size_t i = 0; i < 2; i++)
        if (http1_scan(&f->h, p, i ? n : 0, &used, &events_sink, &none) != HTTP1_DOWN || used ||
            f->h.reason != reason || none.n || http1_idle(&f->h))
            events_broken(f->e, "down is not final", f->at);
    free(none.text);
}

static inline void note(struct feeding *f, enum http1_event ev)
{
    if (ev != HTTP1_MORE && ev != HTTP1_DOWN)
        events_close(f->e, "");
    if (ev == HTTP1_EMPTY_LINE)
        on_empty_line(f);
    else if (ev == HTTP1_HEAD)
        on_head(f);
    else if (ev == HTTP1_END)
        on_end(f);
    else if (ev == HTTP1_DOWN)
        on_down(f);
}

/* All of a piece. @return false: down. */
static inline bool feed_piece(struct feeding *f, const char *p, size_t n)
{
    for (unsigned calls = 0;; calls++) {
        size_t used;
        if (f->seed)
            go_astray(f, p, n);
        check_opaque(f, p, n);
        enum http1_event ev = http1_scan(&f->h, p, n, &used, &events_sink, f->e);
        check_call(f, ev, used, n);
        if (f->e->broken)
            return false;
        f->at += used;
        note(f, ev);
        p += used;
        n -= used;
        if (ev == HTTP1_DOWN)
            check_final(f, p, n);
        if (ev == HTTP1_MORE || ev == HTTP1_DOWN)
            return ev == HTTP1_MORE;
        if (calls > 3 * (f->s->n + 3))
            return events_broken(f->e, "does not come to an end", f->at), false;
    }
}

/* The end of a page that is followed by one that cannot be read; room for `n` bytes before it. */
static inline char *guard_end(size_t n)
{
    static char *end;
    static size_t room;
    size_t page = (size_t)sysconf(_SC_PAGESIZE), want = (n / page + 1) * page;
    if (want <= room)
        return end;
    if (end)
        munmap(end - room, room + page);
    char *p = mmap(NULL, want + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || mprotect(p + want, page, PROT_NONE) != 0)
        abort();
    room = want;
    end = p + want;
    return end;
}

static inline bool feed(struct feeding *f, size_t from, size_t n)
{
    char *p = guard_end(n) - n;
    memcpy(p, f->s->p + from, n);
    return feed_piece(f, p, n);
}

static inline void say_rest(struct feeding *f)
{
    struct http1 *h = &f->h;
    events_close(f->e, " ...");
    if (http1_close_delimited(h))
        events_say(f->e, "rest close\n");
    else if (http1_opaque(h))
        events_say(f->e, "rest opaque %llu\n", (unsigned long long)http1_opaque(h));
    else
        events_say(f->e, "rest %s\n", http1_idle(h) ? "idle" : "open");
}

/** How a stream is cut: the length of the next piece when `at` of `n` bytes are gone (1..n - at).
 */
typedef size_t events_cut(void *how, size_t at, size_t n);

/** Scan the stream in pieces. The text is the caller's to free with events_free(). `seed` not 0:
 *  with rollbacks. */
static inline struct events events_of(const struct stream *s, events_cut *cut, void *how,
                                      uint64_t seed)
{
    struct events e = {0};
    struct feeding f = {.s = s, .e = &e, .seed = seed};
    bool up = true;
    events_bytes(&e, "", 0);
    http1_init(&f.h, s->direction, s->proxy);
    if (s->direction == HTTP1_RESPONSE)
        http1_answer_to(&f.h, s->answers);
    for (size_t at = 0; up && at < s->n;) {
        size_t n = cut ? cut(how, at, s->n) : s->n;
        up = feed(&f, at, n);
        at += n;
    }
    if (up && !e.broken)
        say_rest(&f);
    return e;
}

static inline void events_free(struct events *e)
{
    free(e->text);
    *e = (struct events){0};
}

static inline size_t cut_bytes(void *how, size_t at, size_t n)
{
    (void)how, (void)at, (void)n;
    return 1;
}

/* In two, at *how. */
static inline size_t cut_at(void *how, size_t at, size_t n)
{
    size_t where = *(size_t *)how;
    return at < where && where < n ? where - at : n - at;
}

/* Anywhere; *how is the seed. Short pieces are as likely as long ones. */
static inline size_t cut_random(void *how, size_t at, size_t n)
{
    uint64_t r = events_random(how);
    size_t most = (r & 3) ? 1 + (r >> 8) % 7 : n - at;
    size_t some = 1 + (r >> 16) % most;
    return some < n - at ? some : n - at;
}

#endif
