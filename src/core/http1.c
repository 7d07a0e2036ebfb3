/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1: the state machine of http1.h: start lines and fields here, bodies in
 * http1_body.c. Each state function consumes a run of bytes and returns NEXT, or
 * the event to be reported.
 */
#include "http1_int.h"

/* --- tables --------------------------------------------------------------------------------- */

/* tchar, RFC 9110 5.6.2, as a bitmap. */
static const uint32_t token_bits[4] = {0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff};

static inline bool is_token(char c)
{
    uint8_t b = (uint8_t)c;
    return b < 128 && (token_bits[b >> 5] >> (b & 31) & 1);
}

/* A byte that ends the fast run over a value: a control byte or DEL. */
static inline bool is_control(char c)
{
    return (uint8_t)c < 0x20 || c == 0x7f;
}

/* Eight bytes at a time: any below 0x20, or 0x7f? (bytes of 0x80 and more are neither) */
static inline bool word_has_control(uint64_t w)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    uint64_t low = w - ones * 0x20, del = w ^ (ones * 0x7f);
    return ((low & ~w) | ((del - ones) & ~del)) & tops;
}

static size_t plain_run(const char *p, size_t n)
{
    size_t i = 0;
    for (uint64_t w; n - i >= 8; i += 8) {
        memcpy(&w, p + i, 8);
        if (word_has_control(w))
            break;
    }
    while (i < n && !is_control(p[i]))
        i++;
    return i;
}

/* --- life ----------------------------------------------------------------------------------- */

const char *http1_reason_name(enum http1_reason r)
{
    static const char *const names[] = {
#define X(id, text) text,
        HTTP1_REASONS(X)
#undef X
    };
    return (unsigned)r < HTTP1_R_COUNT ? names[r] : "";
}

void http1_init(struct http1 *h, enum http1_direction direction, bool proxy)
{
    memset(h, 0, sizeof(*h));
    h->direction = (uint8_t)direction;
    h->method = HTTP1_M_GET;
    h->flags = proxy ? F_PROXY : 0;
}

void http1_answer_to(struct http1 *h, enum http1_method method)
{
    h->method = (uint8_t)method;
}

bool http1_idle(const struct http1 *h)
{
    return h->state == S_START;
}

enum http1_event http1_down(struct http1 *h, enum http1_reason r)
{
    h->state = S_DOWN;
    h->reason = (uint8_t)r;
    return HTTP1_DOWN;
}

/* The first byte of a message: forget the last one. A response keeps the method it answers. */
static void begin_message(struct http1 *h)
{
    h->upgrade = h->te = h->length = h->close = h->expect = false;
    h->flags &= F_PROXY;
    h->status = 0;
    h->head_bytes = h->head_lines = 0;
    h->remaining = h->acc = h->length_value = 0;
    h->body = HTTP1_BODY_NONE;
    h->count = h->name_len = 0;
    h->field = FIELD_OTHER;
    if (h->direction == HTTP1_REQUEST)
        h->method = HTTP1_M_OTHER;
}

/* --- before the start line ------------------------------------------------------------------ */

static const char proxy2[] = "\r\n\r\n\0\r\nQUIT\n";

static enum http1_event start(struct run *r)
{
    struct http1 *h = r->h;
    char c = r->p[r->i];
    begin_message(h);
    if (h->direction == HTTP1_RESPONSE) {
        h->state = S_VERSION;
        return c == 'H' ? NEXT : http1_down(h, c == '\n' ? HTTP1_R_BARE_LF : HTTP1_R_NOT_HTTP);
    }
    if (c == '\r') {
        h->state = S_BLANK;
        return NEXT;
    }
    if (c == 0x16)
        return http1_down(h, HTTP1_R_TLS);
    if (!is_token(c))
        return http1_down(h, c == '\n' ? HTTP1_R_BARE_LF : HTTP1_R_NOT_HTTP);
    h->state = S_METHOD;
    return NEXT;
}

/* Up to two empty lines before a request line (RFC 9112 2.2), or the PROXY v2 signature, which
 * starts with two of them and a NUL. */
static enum http1_event blank(struct run *r)
{
    struct http1 *h = r->h;
    char c = r->p[r->i];
    if (c == proxy2[h->count] && h->count < 4) {
        h->count++;
        r->i++;
        return NEXT;
    }
    bool line_end = h->count == 2 || h->count == 4;
    if (h->count == 4 && c == 0 && (h->flags & F_PROXY)) {
        h->state = S_PROXY2;
        return NEXT;
    }
    if (!line_end)
        return http1_down(h, HTTP1_R_BARE_CR);
    if (!is_token(c))
        return http1_down(h, HTTP1_R_BAD_START_LINE);
    h->count = 0;
    h->state = S_METHOD;
    return NEXT;
}

/* 12 bytes of signature, version and command, family, length (HAProxy PROXY protocol 2.2). */
static enum http1_event proxy_v2(struct run *r)
{
    struct http1 *h = r->h;
    uint8_t c = (uint8_t)r->p[r->i++];
    unsigned at = h->count++;
    bool ok = at < 12 ? c == (uint8_t)proxy2[at] : at == 12 ? (c == 0x20 || c == 0x21) : true;
    if (!ok)
        return http1_down(h, HTTP1_R_BAD_PROXY);
    if (at == 14)
        h->acc = (uint64_t)c << 8;
    if (at != 15)
        return NEXT;
    h->remaining = h->acc | c;
    h->flags &= (uint16_t)~F_PROXY;
    h->state = h->remaining ? S_SKIP : S_START;
    return NEXT;
}

static enum http1_event skip(struct run *r)
{
    struct http1 *h = r->h;
    size_t len = r->n - r->i;
    if (len > h->remaining)
        len = (size_t)h->remaining;
    r->i += len;
    h->remaining -= len;
    if (h->remaining == 0)
        h->state = S_START;
    return NEXT;
}

/* "PROXY " was read as a method: skip the line, at most 107 bytes with its CRLF (2.1). */
static enum http1_event proxy_v1(struct run *r)
{
    struct http1 *h = r->h;
    char c = r->p[r->i++];
    if (++h->count > 107 || (h->acc == '\r') != (c == '\n'))
        return http1_down(h, HTTP1_R_BAD_PROXY);
    h->acc = (uint8_t)c;
    if (c == '\n') {
        h->flags &= (uint16_t)~F_PROXY;
        h->state = S_START;
    }
    return NEXT;
}

/* --- start lines ---------------------------------------------------------------------------- */

static uint8_t method_of(struct span m)
{
    static const struct {
        struct span name;
        uint8_t id;
    } known[] = {{{"GET", 3}, HTTP1_M_GET},         {{"HEAD", 4}, HTTP1_M_HEAD},
                 {{"POST", 4}, HTTP1_M_POST},       {{"CONNECT", 7}, HTTP1_M_CONNECT},
                 {{"TRACE", 5}, HTTP1_M_TRACE}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (span_eq(m, known[i].name))
            return known[i].id;
    return HTTP1_M_OTHER;
}

static enum http1_event method_done(struct http1 *h)
{
    struct span m = {h->name, h->name_len};
    if (span_eq(m, SPAN("PROXY")) && (h->flags & F_PROXY)) {
        h->state = S_PROXY1;
        h->count = 6;
        h->acc = 0;
        return NEXT;
    }
    if (span_eq(m, SPAN("PRI")))
        return http1_down(h, HTTP1_R_HTTP2);
    h->flags &= (uint16_t)~F_PROXY;
    h->method = method_of(m);
    h->state = S_TARGET;
    h->count = 0;
    return NEXT;
}

static enum http1_event method(struct run *r)
{
    struct http1 *h = r->h;
    for (; r->i < r->n; r->i++) {
        char c = r->p[r->i];
        if (c == ' ' && h->name_len > 0) {
            r->i++;
            return method_done(h);
        }
        if (!is_token(c) || h->name_len == METHOD_MAX)
            return http1_down(h, HTTP1_R_BAD_START_LINE);
        h->name[h->name_len++] = c;
    }
    return NEXT;
}

static enum http1_event target(struct run *r)
{
    struct http1 *h = r->h;
    size_t from = r->i;
    while (r->i < r->n && !is_control(r->p[r->i]) && r->p[r->i] != ' ')
        r->i++;
    if (r->i > from) {
        h->count = 1;
        r->sink->target(r->ctx, r->p + from, r->i - from);
    }
    if (r->i == r->n)
        return NEXT;
    if (r->p[r->i] != ' ' || h->count == 0)
        return http1_down(h, HTTP1_R_BAD_START_LINE);
    r->i++;
    h->count = 0;
    h->state = S_VERSION;
    return NEXT;
}

static enum http1_event version(struct run *r)
{
    static const char text[] = "HTTP/1.";
    struct http1 *h = r->h;
    char c = r->p[r->i++];
    if (h->count < 7) {
        if (c == text[h->count++])
            return NEXT;
        r->i--;
        return http1_down(h, h->direction == HTTP1_RESPONSE && !h->started
                                 ? HTTP1_R_NOT_HTTP
                                 : HTTP1_R_BAD_START_LINE);
    }
    if (c < '0' || c > '9')
        return http1_down(h, HTTP1_R_BAD_START_LINE);
    h->minor = (uint8_t)(c - '0');
    h->count = 0;
    h->state = h->direction == HTTP1_REQUEST ? S_LINE_CR : S_STATUS;
    return NEXT;
}

/* SP, three digits, then SP and a reason or the end of the line (the SP may be missing in the
 * wild; a reason may be empty). */
static enum http1_event status(struct run *r)
{
    struct http1 *h = r->h;
    char c = r->p[r->i];
    if (h->count == 4) {
        if (c != ' ' && c != '\r')
            return http1_down(h, HTTP1_R_BAD_START_LINE);
        h->state = S_REASON;
        return NEXT;
    }
    r->i++;
    if (h->count++ == 0)
        return c == ' ' ? NEXT : http1_down(h, HTTP1_R_BAD_START_LINE);
    if (c < '0' || c > '9')
        return http1_down(h, HTTP1_R_BAD_START_LINE);
    h->status = (uint16_t)(h->status * 10 + (c - '0'));
    if (h->count == 4 && h->status < 100)
        return http1_down(h, HTTP1_R_BAD_START_LINE);
    return NEXT;
}

static enum http1_event bad_byte(struct http1 *h, char c, enum http1_reason other)
{
    return http1_down(h, c == '\n' ? HTTP1_R_BARE_LF : other);
}

static enum http1_event reason_phrase(struct run *r)
{
    r->i += plain_run(r->p + r->i, r->n - r->i);
    if (r->i == r->n)
        return NEXT;
    char c = r->p[r->i];
    if (c == '\t') {
        r->i++;
        return NEXT;
    }
    if (c != '\r')
        return bad_byte(r->h, c, HTTP1_R_BAD_START_LINE);
    r->h->state = S_LINE_CR;
    return NEXT;
}

static enum http1_event line_cr(struct run *r)
{
    if (r->p[r->i] != '\r')
        return bad_byte(r->h, r->p[r->i], HTTP1_R_BAD_START_LINE);
    r->i++;
    r->h->state = S_LINE_LF;
    return NEXT;
}

static enum http1_event line_lf(struct run *r)
{
    if (r->p[r->i] != '\n')
        return http1_down(r->h, HTTP1_R_BARE_CR);
    r->i++;
    r->h->started = true;
    r->h->state = S_FIELD;
    return NEXT;
}

/* --- fields --------------------------------------------------------------------------------- */

/* The fields that framing depends on. */
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

/* A value of FIELD_LENGTH, FIELD_TE: seen twice? */
static enum http1_event framing_field(struct http1 *h)
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
    return NEXT;
}

static enum http1_event name_done(struct run *r)
{
    struct http1 *h = r->h;
    struct span name = {h->name, h->name_len};
    bool known = !(h->flags & F_LONG_NAME);
    h->field = known ? field_of(name) : FIELD_OTHER;
    h->flags &= (uint16_t)~(F_WANTED | F_FOLDED | F_LONG_NAME);
    if (known && r->sink->field(r->ctx, name))
        h->flags |= F_WANTED;
    h->head_lines++;
    h->name_len = 0;
    h->state = S_VALUE_OWS;
    return framing_field(h);
}

static enum http1_event name(struct run *r)
{
    struct http1 *h = r->h;
    for (; r->i < r->n; r->i++) {
        char c = r->p[r->i];
        if (c == ':' && h->name_len > 0) {
            r->i++;
            return name_done(r);
        }
        if (!is_token(c))
            return bad_byte(h, c, HTTP1_R_BAD_FIELD);
        if (h->name_len < HTTP1_NAME_MAX)
            h->name[h->name_len++] = span_lower(c);
        else
            h->flags |= F_LONG_NAME;
    }
    return NEXT;
}

/* Content-Length: digits, then white space. */
static bool length_byte(struct http1 *h, char c)
{
    if (c == ' ' || c == '\t') {
        if (h->count)
            h->flags |= F_LENGTH_OVER;
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
    if (c == ' ' || c == '\t')
        h->acc = h->count ? 1 : 0;
    else if (h->acc || h->count >= 7 || span_lower(c) != text[h->count++])
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

static void token_byte(struct http1 *h, char c)
{
    if (c == ',')
        token_done(h);
    else if (c != ' ' && c != '\t' && h->name_len < HTTP1_NAME_MAX)
        h->name[h->name_len++] = span_lower(c);
}

/* @return false: refuse */
static bool framing_bytes(struct http1 *h, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (h->field == FIELD_TE)
            te_byte(h, p[i]);
        else if (h->field == FIELD_LENGTH) {
            if (!length_byte(h, p[i]))
                return false;
        } else if (h->field != FIELD_UPGRADE)
            token_byte(h, p[i]);
    return true;
}

static enum http1_event value_piece(struct run *r, const char *p, size_t n)
{
    struct http1 *h = r->h;
    if (n == 0)
        return NEXT;
    if (h->field != FIELD_OTHER && !framing_bytes(h, p, n))
        return http1_down(h, HTTP1_R_BAD_LENGTH);
    if ((h->flags & (F_WANTED | F_FOLDED)) == F_WANTED)
        r->sink->value(r->ctx, p, n);
    return NEXT;
}

static enum http1_event value_ows(struct run *r)
{
    while (r->i < r->n && (r->p[r->i] == ' ' || r->p[r->i] == '\t'))
        r->i++;
    if (r->i < r->n)
        r->h->state = S_VALUE;
    return NEXT;
}

/* NUL, CR and LF are dangerous in a value; other control bytes only make it invalid (RFC 9110 5.5),
 * which is for those to see who want the value. */
static inline bool ends_value(char c)
{
    return c == '\r' || c == '\n' || c == 0;
}

static enum http1_event value(struct run *r)
{
    size_t from = r->i;
    for (;; r->i++) {
        r->i += plain_run(r->p + r->i, r->n - r->i);
        if (r->i == r->n || ends_value(r->p[r->i]))
            break;
    }
    enum http1_event ev = value_piece(r, r->p + from, r->i - from);
    if (ev != NEXT || r->i == r->n)
        return ev;
    if (r->p[r->i] != '\r')
        return bad_byte(r->h, r->p[r->i], HTTP1_R_BAD_FIELD);
    r->i++;
    r->h->state = S_VALUE_LF;
    return NEXT;
}

static enum http1_event value_lf(struct run *r)
{
    if (r->p[r->i] != '\n')
        return http1_down(r->h, HTTP1_R_BARE_CR);
    r->i++;
    r->h->flags |= F_IN_FIELD;
    r->h->state = S_FIELD;
    return NEXT;
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
    if (h->field != FIELD_LENGTH)
        return NEXT;
    if (!h->count || (h->length && h->length_value != h->acc))
        return http1_down(h, HTTP1_R_BAD_LENGTH);
    h->length = true;
    h->length_value = h->acc;
    h->flags &= (uint16_t)~F_LENGTH_OVER;
    return NEXT;
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
    h->flags &= (uint16_t)~F_IN_FIELD;
    h->head_lines++;
    h->state = S_VALUE_OWS;
    return NEXT;
}

/* The first byte of a line in the head. */
static enum http1_event field(struct run *r)
{
    struct http1 *h = r->h;
    char c = r->p[r->i];
    if (c == ' ' || c == '\t')
        return fold(r);
    if (h->flags & F_IN_FIELD) {
        enum http1_event ev = field_done(r);
        if (ev != NEXT)
            return ev;
    }
    h->name_len = 0;
    h->state = c == '\r' ? S_EMPTY : S_NAME;
    return NEXT;
}

/* --- the empty line ------------------------------------------------------------------------- */

/* Whatever makes an insertion unsafe is said before it. */
static enum http1_reason unsafe(const struct http1 *h)
{
    if (h->te && h->length)
        return HTTP1_R_LENGTH_AND_TE;
    if (h->te && h->minor == 0)
        return HTTP1_R_BAD_TE;
    if (h->direction == HTTP1_REQUEST && h->method == HTTP1_M_CONNECT)
        return HTTP1_R_CONNECT;
    return HTTP1_R_NONE;
}

static enum http1_event empty(struct run *r)
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

static enum http1_event empty_cr(struct run *r)
{
    r->i++;
    r->h->state = S_EMPTY_LF;
    return NEXT;
}

static enum http1_event empty_lf(struct run *r)
{
    if (r->p[r->i] != '\n')
        return http1_down(r->h, HTTP1_R_BARE_CR);
    r->i++;
    http1_frame(r->h);
    return HTTP1_HEAD;
}

/* --- the machine ---------------------------------------------------------------------------- */

typedef enum http1_event (*state_fn)(struct run *);

static const state_fn states[S_COUNT] = {
    [S_START] = start,           [S_BLANK] = blank,         [S_PROXY1] = proxy_v1,
    [S_PROXY2] = proxy_v2,       [S_SKIP] = skip,           [S_METHOD] = method,
    [S_TARGET] = target,         [S_VERSION] = version,     [S_STATUS] = status,
    [S_REASON] = reason_phrase,  [S_LINE_CR] = line_cr,     [S_LINE_LF] = line_lf,
    [S_FIELD] = field,           [S_NAME] = name,           [S_VALUE_OWS] = value_ows,
    [S_VALUE] = value,           [S_VALUE_LF] = value_lf,   [S_EMPTY] = empty,
    [S_EMPTY_CR] = empty_cr,     [S_EMPTY_LF] = empty_lf,   [S_BODY] = http1_body,
    [S_CHUNK_SIZE] = http1_chunk_size,   [S_CHUNK_EXT] = http1_chunk_ext,
    [S_CHUNK_LF] = http1_chunk_lf,       [S_CHUNK_DATA] = http1_chunk_data,
    [S_CHUNK_CR] = http1_chunk_cr,       [S_CHUNK_DATA_LF] = http1_chunk_data_lf,
    [S_TRAILER] = http1_trailer,         [S_TRAILER_NAME] = http1_trailer_name,
    [S_TRAILER_VALUE] = http1_trailer_value, [S_TRAILER_LF] = http1_trailer_lf,
    [S_LAST_LF] = http1_last_lf,          [S_CLOSE] = http1_body};

/* One state; the bytes of a head are counted here, so that none is missed. */
static enum http1_event step(struct run *r)
{
    struct http1 *h = r->h;
    size_t from = r->i;
    bool head = h->state >= S_METHOD && h->state <= S_EMPTY_LF;
    enum http1_event ev = states[h->state](r);
    if (!head)
        return ev;
    h->head_bytes += (uint32_t)(r->i - from);
    if (h->head_bytes > HTTP1_HEAD_MAX && ev != HTTP1_DOWN && ev != HTTP1_HEAD)
        return http1_down(h, HTTP1_R_HEAD_TOO_LARGE);
    return ev;
}

enum http1_event http1_scan(struct http1 *h, const char *p, size_t n, size_t *used,
                            const struct http1_sink *sink, void *ctx)
{
    struct run r = {h, p, n, 0, sink, ctx};
    enum http1_event ev = http1_due(h);
    while (ev == NEXT && r.i < n)
        ev = step(&r);
    *used = r.i;
    return ev == NEXT ? HTTP1_MORE : ev;
}
