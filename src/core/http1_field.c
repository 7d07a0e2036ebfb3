/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1_field: field lines (RFC 9112 5) and the empty line after them. Only the
 * fields that framing depends on are understood here; the rest is for the sink.
 *
 * The functions of one line call each other directly where bytes are left: five
 * turns of the machine for each line cost more than the bytes.
 */
#include "http1_int.h"

/* --- the fields that framing depends on ----------------------------------------------------- */

static uint8_t field_of(struct span name)
{
    static const struct {
        struct span name;
        uint8_t field;
    } known[] = {{{"content-length", 14}, FIELD_LENGTH},
                 {{"transfer-encoding", 17}, FIELD_TE},
                 {{"connection", 10}, FIELD_CONNECTION},
                 {{"upgrade", 7}, FIELD_UPGRADE},
                 {{"expect", 6}, FIELD_EXPECT}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (known[i].name.n == name.n && known[i].name.p[0] == name.p[0] &&
            span_eq(name, known[i].name))
            return known[i].field;
    return FIELD_OTHER;
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

static enum http1_event then(struct run *r, enum state s, enum http1_event (*f)(struct run *))
{
    r->h->state = (uint8_t)s;
    return r->i < r->n ? f(r) : NEXT;
}

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
    size_t left = r->n - r->i, n = plain_run(p, left, ' ');
    while (n < left && !ends_value(p[n])) {
        n++;
        n += plain_run(p + n, left - n, ' ');
    }
    enum http1_event ev = value_piece(r, n);
    if (ev != NEXT || n == left)
        return ev;
    if (r->p[r->i] != '\r')
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
    framing_begins(h);
    return then(r, S_VALUE_OWS, http1_in_value_ows);
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Eight bytes at a time, the bytes that names are made of: letters, digits, '-'. @return them in
 * lower case, 0 when any is another (it may still be a tchar). Sums stay below 0x100 in each byte.
 */
static uint64_t plain_name_word(uint64_t w)
{
    uint64_t lower = w | EACH(0x20), high = EACH(0x80);
    uint64_t letter = (lower + EACH(0x80 - 'a')) & ~(lower + EACH(0x7f - 'z'));
    uint64_t digit = (lower + EACH(0x80 - '0')) & ~(lower + EACH(0x7f - '9'));
    uint64_t dash = (lower + EACH(0x80 - '-')) & ~(lower + EACH(0x7f - '-'));
    uint64_t no_control = w << 1 | w << 2; /* 0x0d would look like '-' */
    return (w & high) == 0 && ((letter | digit | dash) & no_control & high) == high ? lower : 0;
}

/* Keep the whole words at the front of a name. @return how many bytes */
static size_t keep_words(struct http1 *h, const char *p, size_t n)
{
    size_t i = 0;
    for (uint64_t w; n - i >= 8 && h->name_len + 8 <= HTTP1_NAME_MAX; i += 8) {
        memcpy(&w, p + i, 8);
        w = plain_name_word(w);
        if (!w)
            break;
        memcpy(h->name + h->name_len, &w, 8);
        h->name_len = (uint16_t)(h->name_len + 8);
    }
    return i;
}

/* ... and its other bytes, as long as they are tchars. */
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
    r->i += keep_words(r->h, r->p + r->i, r->n - r->i);
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

/* The first byte of a line in the head. */
enum http1_event http1_in_field(struct run *r)
{
    struct http1 *h = r->h;
    char c = r->p[r->i];
    if (is_space(c))
        return fold(r);
    enum http1_event ev = h->flags & F_IN_FIELD ? field_done(r) : NEXT;
    if (ev != NEXT)
        return ev;
    h->name_len = 0;
    return c == '\r' ? then(r, S_EMPTY, http1_in_empty) : then(r, S_NAME, http1_in_name);
}

/* --- the empty line ------------------------------------------------------------------------- */

/* Whatever makes an insertion unsafe is said before it. (Nothing was consumed since the line began,
 * so that .head_bytes is exact.) */
static enum http1_reason unsafe(const struct http1 *h)
{
    if (h->head_bytes > HTTP1_HEAD_MAX - 2)
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
    enum http1_reason bad = unsafe(h);
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
    return want(r, '\r', S_EMPTY_LF, HTTP1_R_BARE_CR);
}

enum http1_event http1_in_empty_lf(struct run *r)
{
    enum http1_event ev = want(r, '\n', S_EMPTY_LF, HTTP1_R_BARE_CR);
    if (ev != NEXT)
        return ev;
    http1_frame(r->h);
    return HTTP1_HEAD;
}
