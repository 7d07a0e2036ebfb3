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

/* Lengths first: these comparisons are of constant size, so the compiler makes words of them. */
static inline uint8_t field_of(struct span name)
{
#define IS(text) (memcmp(name.p, text, sizeof(text) - 1) == 0)
    switch (name.n) {
    case 6:
        return IS("expect") ? FIELD_EXPECT : FIELD_OTHER;
    case 7:
        return IS("upgrade") ? FIELD_UPGRADE : FIELD_OTHER;
    case 10:
        return IS("connection") ? FIELD_CONNECTION : FIELD_OTHER;
    case 14:
        return IS("content-length") ? FIELD_LENGTH : FIELD_OTHER;
    case 17:
        return IS("transfer-encoding") ? FIELD_TE : FIELD_OTHER;
    default:
        return FIELD_OTHER;
    }
#undef IS
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
    h->field = known ? field_of(name) : FIELD_OTHER;
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

/* The line after a field was no continuation of it. */
static enum http1_event field_done(struct run *r)
{
    struct http1 *h = r->h;
    h->flags &= (uint16_t)~F_IN_FIELD;
    if (h->flags & F_WANTED)
        r->sink->end(r->ctx, (h->flags & F_FOLDED) != 0);
    if (h->field == FIELD_OTHER)
        return NEXT;
    if (h->field == FIELD_CONNECTION || h->field == FIELD_EXPECT)
        token_done(h);
    if (h->field == FIELD_TE && h->count != 7)
        h->flags |= F_TE_BAD;
    return h->field == FIELD_LENGTH ? length_done(h) : NEXT;
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

/* The tops of the bytes that are none of those that nearly all names are made of: letters, digits,
 * '-' (those may still be tchars). The first is exact: only a byte of 0x80 or more, which is one of
 * them, makes a sum leave its byte, upwards. */
static inline uint64_t tops_odd(uint64_t w)
{
    uint64_t lower = w | EACH(0x20);
    uint64_t letter = (lower + EACH(0x80 - 'a')) ^ (lower + EACH(0x7f - 'z'));
    uint64_t digit = (w + EACH(0x80 - '0')) ^ (w + EACH(0x7f - '9'));
    uint64_t other = (w ^ EACH('-')) + EACH(0x7f);
    return ((other & ~(letter | digit)) | w) & TOPS;
}

/* A name that is given with its colon and whole words up to there. It is kept in lower case (what
 * lies behind it is of no interest). @return its length; 0: let http1_in_name() see. */
static inline size_t whole_name(char *name, const char *p, size_t n)
{
    if (n < 8)
        return 0;
    for (size_t i = 0, last = (n < HTTP1_NAME_MAX ? n : HTTP1_NAME_MAX) - 8; i <= last; i += 8) {
        uint64_t w = word_at(p + i), lower = w | EACH(0x20), odd = tops_odd(w);
        memcpy(name + i, &lower, 8);
        if (odd) {
            i += first_of(odd);
            return p[i] == ':' ? i : 0;
        }
    }
    return 0;
}

/* The n bytes after the colon of such a name begin with a value and the end of its line, and the
 * byte after that says that it is not folded: report it.
 * @return the length of all that; 0: it is not so, and nothing was done. */
static inline size_t whole_value(struct run *r, struct span name, const char *p, size_t n)
{
    size_t from = n > 0 && p[0] == ' ', end = from + run_of(p + from, n - from, ' ', false);
    if (n - end < 3 || memcmp(p + end, "\r\n", 2) != 0 || is_space(p[end + 2]) ||
        (uint8_t)p[from] <= ' ')
        return 0;
    r->h->head_lines++;
    if (r->sink->field(r->ctx, name)) {
        r->sink->value(r->ctx, p + from, end - from);
        r->sink->end(r->ctx, false);
    }
    return end + 2;
}

/* Lines up to one that is in any way special. */
static enum http1_event lines(struct run *r)
{
    struct http1 *h = r->h;
    const char *p = r->p + r->i, *end = r->p + r->n;
    struct span name = {h->name, 0};
    for (size_t more = 0; *p != '\r'; p += more) {
        name.n = whole_name(h->name, p, (size_t)(end - p));
        if (name.n == 0)
            break;
        p += name.n + 1;
        more = field_of(name) == FIELD_OTHER ? whole_value(r, name, p, (size_t)(end - p)) : 0;
        if (more == 0)
            break;
        name.n = 0;
    }
    r->i = (size_t)(p - r->p);
    h->name_len = (uint16_t)name.n;
    if (name.n > 0)
        return name_done(r);
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
