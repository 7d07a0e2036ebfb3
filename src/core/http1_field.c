/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1_field: field lines (RFC 9112 5) and the empty line after them. Only the
 * fields that framing depends on are understood here; the rest is for the sink.
 *
 * Nearly every line is given whole, has a plain name, and means nothing to framing: such lines pass
 * in one function, which looks at everything before it reports anything. What it declines goes
 * through the states, with the same events.
 */
#include "http1_int.h"

/* --- the fields that framing depends on ----------------------------------------------------- */

static uint8_t framing_field(struct span name)
{
    static const uint32_t lengths = 1u << 6 | 1u << 7 | 1u << 10 | 1u << 14 | 1u << 17;
    if (name.n > 17 || !(lengths >> name.n & 1))
        return FIELD_OTHER;
    if (span_eq(name, SPAN("content-length")))
        return FIELD_LENGTH;
    if (span_eq(name, SPAN("connection")))
        return FIELD_CONNECTION;
    if (span_eq(name, SPAN("transfer-encoding")))
        return FIELD_TE;
    if (span_eq(name, SPAN("upgrade")))
        return FIELD_UPGRADE;
    return span_eq(name, SPAN("expect")) ? FIELD_EXPECT : FIELD_OTHER;
}

/* Nearly all names begin with another letter than those. */
static inline bool may_be_framing(char first)
{
#define BIT(c) (UINT32_C(1) << ((c)&31))
    return (BIT('c') | BIT('e') | BIT('t') | BIT('u')) >> (first & 31) & 1;
#undef BIT
}

static void framing_begins(struct http1 *h)
{
    if (h->field == FIELD_TE) {
        if (h->te)
            h->flags |= F_TE_BAD;
        h->te = true;
    }
    if (h->field == FIELD_UPGRADE)
        h->upgrade = true;
    h->acc = 0;
    h->count = 0;
    h->name_len = 0;
}

/* Content-Length: digits, then white space. Beyond 2^58 another digit is refused, which keeps
 * every sum of lengths far from overflow. */
static bool length_byte(struct http1 *h, char c)
{
    if (is_space(c)) {
        h->flags |= F_LENGTH_OVER; /* it is never leading: value_ows() has seen to that */
        return true;
    }
    if (c < '0' || c > '9' || (h->flags & F_LENGTH_OVER) || h->acc > (UINT64_C(1) << 58))
        return false;
    h->acc = h->acc * 10 + (uint64_t)(c - '0');
    h->count = 1;
    return true;
}

/* Transfer-Encoding: exactly "chunked"; anything else is only noted. */
static void te_byte(struct http1 *h, char c)
{
    static const char text[] = "chunked";
    if (is_space(c))
        h->acc = 1;
    else if (h->acc || h->count == 7 || span_lower(c) != text[h->count++])
        h->flags |= F_TE_BAD;
}

static void token_done(struct http1 *h)
{
    struct span t = {h->name, h->name_len};
    if (h->field == FIELD_CONNECTION) {
        if (span_eq(t, SPAN("close")))
            h->flags |= F_CLOSE;
        else if (span_eq(t, SPAN("keep-alive")))
            h->flags |= F_KEEP;
        else if (span_eq(t, SPAN("upgrade")))
            h->flags |= F_UPGRADE;
    } else if (span_eq(t, SPAN("100-continue"))) {
        h->expect = true;
    }
    h->name_len = 0;
}

/* A comma-separated list of tokens; white space may be anywhere. */
static void token_byte(struct http1 *h, char c)
{
    if (c == ',')
        token_done(h);
    else if (!is_space(c) && h->name_len < HTTP1_NAME_MAX)
        h->name[h->name_len++] = span_lower(c);
}

/* @return how many of the bytes were accepted: all, or those before the one to be refused. */
static size_t framing_bytes(struct http1 *h, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (h->field == FIELD_TE)
            te_byte(h, p[i]);
        else if (h->field == FIELD_LENGTH) {
            if (!length_byte(h, p[i]))
                return i;
        } else if (h->field != FIELD_UPGRADE)
            token_byte(h, p[i]);
    return n;
}

/* Several lengths are fine as long as they are equal (RFC 9112 6.3, 5). */
static enum http1_event length_done(struct http1 *h)
{
    if (!h->count || (h->length && h->length_value != h->acc))
        return http1_down(h, HTTP1_R_BAD_LENGTH);
    h->length = true;
    h->length_value = h->acc;
    h->flags &= (uint16_t)~F_LENGTH_OVER;
    return NEXT;
}

/* --- one line ------------------------------------------------------------------------------- */

enum http1_event http1_in_value_lf(struct run *r)
{
    r->h->flags |= F_IN_FIELD;
    return want(r, '\n', S_FIELD, HTTP1_R_BARE_CR);
}

static enum http1_event value_piece(struct run *r, size_t n)
{
    struct http1 *h = r->h;
    const char *p = r->p + r->i;
    size_t good = h->field == FIELD_OTHER ? n : framing_bytes(h, p, n);
    r->i += good;
    if (good && (h->flags & (F_WANTED | F_FOLDED)) == F_WANTED)
        r->sink->value(r->ctx, p, good);
    return good == n ? NEXT : http1_down(h, HTTP1_R_BAD_LENGTH);
}

enum http1_event http1_in_value(struct run *r)
{
    const char *p = r->p + r->i;
    size_t left = r->n - r->i, n = run_of(p, left, ' ', false);
    while (n < left && !ends_value(p[n])) {
        n++;
        n += run_of(p + n, left - n, ' ', false);
    }
    enum http1_event ev = n ? value_piece(r, n) : NEXT;
    if (ev != NEXT || n == left)
        return ev;
    if (p[n] != '\r')
        return refuse(r, HTTP1_R_BAD_FIELD);
    r->i++;
    return then(r, S_VALUE_LF, http1_in_value_lf);
}

/* A continuation line of nothing but white space looks like the empty line to some: refused. */
enum http1_event http1_in_value_ows(struct run *r)
{
    while (r->i < r->n && is_space(r->p[r->i]))
        r->i++;
    if (r->i == r->n)
        return NEXT;
    if ((r->h->flags & F_FOLDED) && r->p[r->i] == '\r')
        return http1_down(r->h, HTTP1_R_BAD_FIELD);
    return then(r, S_VALUE, http1_in_value);
}

static enum http1_event name_done(struct run *r)
{
    struct http1 *h = r->h;
    struct span name = {h->name, h->name_len};
    bool known = !(h->flags & F_LONG_NAME);
    h->field = known ? framing_field(name) : FIELD_OTHER;
    h->flags &= (uint16_t) ~(F_WANTED | F_FOLDED | F_LONG_NAME);
    if (known && r->sink->field(r->ctx, name))
        h->flags |= F_WANTED;
    h->head_lines++;
    if (h->field != FIELD_OTHER)
        framing_begins(h);
    return then(r, S_VALUE_OWS, http1_in_value_ows);
}

/* Keep the bytes of a name as long as they are tchars. @return how many. */
static size_t keep_bytes(struct http1 *h, const char *p, size_t n)
{
    unsigned len = h->name_len;
    size_t i = 0;
    for (char c; i < n && (c = tchar(p[i])) != 0; i++)
        if (len < HTTP1_NAME_MAX)
            h->name[len++] = c;
        else
            h->flags |= F_LONG_NAME;
    h->name_len = (uint16_t)len;
    return i;
}

enum http1_event http1_in_name(struct run *r)
{
    r->i += keep_bytes(r->h, r->p + r->i, r->n - r->i);
    if (r->i == r->n)
        return NEXT;
    if (r->p[r->i] != ':' || r->h->name_len == 0)
        return refuse(r, HTTP1_R_BAD_FIELD);
    r->i++;
    return name_done(r);
}

/* The value of a field that framing depends on is complete. */
static enum http1_event framing_ends(struct http1 *h)
{
    if (h->field == FIELD_CONNECTION || h->field == FIELD_EXPECT)
        token_done(h);
    if (h->field == FIELD_TE && h->count != 7)
        h->flags |= F_TE_BAD;
    return h->field == FIELD_LENGTH ? length_done(h) : NEXT;
}

/* The line after a field was no continuation of it. */
static enum http1_event field_done(struct run *r)
{
    struct http1 *h = r->h;
    h->flags &= (uint16_t)~F_IN_FIELD;
    if (h->flags & F_WANTED)
        r->sink->end(r->ctx, (h->flags & F_FOLDED) != 0);
    return h->field == FIELD_OTHER ? NEXT : framing_ends(h);
}

/* obs-fold (RFC 9112 5.2): tolerated, but the value is not to be trusted, and framing must not
 * depend on it. */
static enum http1_event fold(struct run *r)
{
    struct http1 *h = r->h;
    if (!(h->flags & F_IN_FIELD))
        return http1_down(h, HTTP1_R_BAD_FIELD);
    if (h->field == FIELD_LENGTH || h->field == FIELD_TE)
        return http1_down(h, h->field == FIELD_TE ? HTTP1_R_BAD_TE : HTTP1_R_BAD_LENGTH);
    if (h->field == FIELD_CONNECTION || h->field == FIELD_EXPECT)
        token_byte(h, ',');
    h->flags |= F_FOLDED;
    h->head_lines++;
    return then(r, S_VALUE_OWS, http1_in_value_ows);
}

/* --- whole lines: what nearly all are, in one go -------------------------------------------- */

/* A name that is given with its colon and whole words up to there (none beyond the one at `last`).
 * It is kept in lower case (what lies behind it is of no interest).
 * @return its length; 0: let http1_in_name() see. */
static inline size_t whole_name(char *name, const char *p, const char *last)
{
    for (size_t i = 0; p + i <= last && i <= HTTP1_NAME_MAX - 8; i += 8) {
        uint64_t w = word_at(p + i), lower = w | EACH(0x20), odd = tops_odd(w);
        memcpy(name + i, &lower, 8);
        if (odd) {
            i += first_of(odd);
            return p[i] == ':' ? i : 0;
        }
    }
    return 0;
}

/* The one Content-Length of a head, of digits that cannot overflow; anything else is for the
 * states.
 */
static bool whole_length(struct http1 *h, struct span value)
{
    uint64_t length = 0;
    if (h->length || value.n > 16)
        return false;
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] < '0' || value.p[i] > '9')
            return false;
        length = length * 10 + (uint64_t)(value.p[i] - '0');
    }
    h->length = true;
    h->length_value = length;
    return true;
}

static inline void report(struct run *r, struct span name, struct span value)
{
    const struct http1_sink *sink = r->sink;
    r->h->head_lines++;
    if (sink->line)
        sink->line(r->ctx, name, value);
    else if (sink->field(r->ctx, name)) {
        sink->value(r->ctx, value.p, value.n);
        sink->end(r->ctx, false);
    }
}

/* A whole line whose name begins like those of the fields that framing depends on. The value comes
 * last: a token takes the place of the name. Only in a length anything can be refused.
 * @return whether it was taken; if not, nothing was done. */
__attribute__((noinline)) static bool maybe_framing(struct run *r, struct span name,
                                                    struct span value)
{
    struct http1 *h = r->h;
    uint8_t field = framing_field(name);
    if (field == FIELD_LENGTH && !whole_length(h, value))
        return false;
    report(r, name, value);
    if (field <= FIELD_LENGTH)
        return true;
    h->field = field;
    framing_begins(h);
    framing_bytes(h, value.p, value.n);
    framing_ends(h);
    return true;
}

/* The first control byte from p on, in a buffer whose last whole word is at `last`, or its end. */
static inline const char *whole_value(const char *p, const char *last)
{
    uint64_t w, stops;
    for (; p <= last; p += 8) {
        w = word_at(p), stops = (w - EACH(' ')) & TOPS;
        if (stops && (stops &= ~w) != 0) /* bytes of 0x80 and more only cost a second look */
            return p + first_of(stops);
    }
    if (p == last + 8)
        return p;
    w = word_at(last) >> (p - last) * 8; /* zeros come in */
    return p + first_of((w - EACH(' ')) & ~w & TOPS);
}

/* Is this line plain: one space, a value of at least one byte and no white space around it, the end
 * of the line, and, given too, a byte that says that it is not folded? */
static inline bool is_plain(const char *p, const char *end, const char *last)
{
    return end <= last + 5 && memcmp(end, "\r\n", 2) == 0 &&
           ((uint8_t)end[2] > ' ' || end[2] == '\r') && (uint8_t)p[0] > ' ' && end[-1] != ' ';
}

/* Report the line at p. `last` is where the last whole word of the buffer is. @return where the
 * line ends; NULL: it is not plain, or not all there, and nothing was done. */
static inline const char *line(struct run *r, const char *p, const char *last)
{
    struct http1 *h = r->h;
    struct span name = {h->name, whole_name(h->name, p, last)};
    const char *from = p + name.n + 2;
    if (name.n == 0 || from > last + 7 || from[-1] != ' ')
        return NULL;
    const char *end = whole_value(from, last);
    if (!is_plain(from, end, last))
        return NULL;
    struct span value = {from, (size_t)(end - from)};
    if (!may_be_framing(name.p[0]))
        report(r, name, value);
    else if (!maybe_framing(r, name, value))
        return NULL;
    return end + 2;
}

/* Lines up to one that is in any way special. */
static enum http1_event lines(struct run *r)
{
    const char *p = r->p + r->i, *last = r->p + r->n - 8;
    if (r->n - r->i >= 8)
        for (const char *next; *p != '\r' && (next = line(r, p, last)); p = next)
            ;
    r->i = (size_t)(p - r->p);
    r->h->name_len = 0;
    return *p == '\r' ? then(r, S_EMPTY, http1_in_empty) : then(r, S_NAME, http1_in_name);
}

/* The first byte of a line in the head. */
enum http1_event http1_in_field(struct run *r)
{
    struct http1 *h = r->h;
    if (is_space(r->p[r->i]))
        return fold(r);
    enum http1_event ev = h->flags & F_IN_FIELD ? field_done(r) : NEXT;
    return ev == NEXT ? lines(r) : ev;
}

/* --- the empty line ------------------------------------------------------------------------- */

/* Whatever makes an insertion unsafe is said before it. (Nothing was consumed since the line began,
 * so that `bytes` is exact.) */
static enum http1_reason unsafe(const struct http1 *h, size_t bytes)
{
    if (bytes > HTTP1_HEAD_MAX - 2)
        return HTTP1_R_HEAD_TOO_LARGE;
    if (h->te && h->length)
        return HTTP1_R_LENGTH_AND_TE;
    if (h->te && h->minor == 0)
        return HTTP1_R_BAD_TE;
    if (h->direction == HTTP1_REQUEST && h->method == HTTP1_M_CONNECT)
        return HTTP1_R_CONNECT;
    return HTTP1_R_NONE;
}

enum http1_event http1_in_empty(struct run *r)
{
    struct http1 *h = r->h;
    enum http1_reason bad = unsafe(h, h->head_bytes + (r->i - r->head));
    if (bad)
        return http1_down(h, bad);
    if (r->n - r->i > 1 && r->p[r->i + 1] != '\n')
        return http1_down(h, HTTP1_R_BARE_CR);
    h->close = (h->flags & F_CLOSE) || (h->minor == 0 && !(h->flags & F_KEEP));
    h->state = S_EMPTY_CR;
    return HTTP1_EMPTY_LINE;
}

/* Nothing was consumed at the empty line, so the CR is still to come. */
enum http1_event http1_in_empty_cr(struct run *r)
{
    enum http1_event ev = want(r, '\r', S_EMPTY_LF, HTTP1_R_BARE_CR);
    return ev == NEXT ? then(r, S_EMPTY_LF, http1_in_empty_lf) : ev;
}

enum http1_event http1_in_empty_lf(struct run *r)
{
    enum http1_event ev = want(r, '\n', S_EMPTY_LF, HTTP1_R_BARE_CR);
    if (ev != NEXT)
        return ev;
    http1_frame(r->h);
    return HTTP1_HEAD;
}
