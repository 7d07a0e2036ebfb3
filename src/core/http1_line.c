/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1_line: what comes before the first field line: empty lines, a PROXY
 * protocol prefix, the request line (RFC 9112 3) or the status line (4).
 */
#include "http1_int.h"

/* --- before the start line ------------------------------------------------------------------ */

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

enum http1_event http1_in_start(struct run *r)
{
    struct http1 *h = r->h;
    char c = r->p[r->i];
    begin_message(h);
    if (c == 0x16)
        return http1_down(h, HTTP1_R_TLS);
    if (h->direction == HTTP1_RESPONSE)
        h->state = c == 'H' ? S_VERSION : S_START;
    else if (c == '\r')
        h->state = S_BLANK;
    else if (tchar(c))
        h->state = S_METHOD;
    return h->state == S_START ? refuse(r, HTTP1_R_NOT_HTTP) : NEXT;
}

static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";

/* Up to two empty lines before a request line (RFC 9112 2.2), or the PROXY v2 signature, which
 * starts with two of them and a NUL. */
enum http1_event http1_in_blank(struct run *r)
{
    struct http1 *h = r->h;
    char c = r->p[r->i];
    if (h->count < 4 && c == signature[h->count]) {
        h->count++;
        r->i++;
        return NEXT;
    }
    if (h->count % 2 == 1)
        return http1_down(h, HTTP1_R_BARE_CR);
    if (h->count == 4 && c == 0 && (h->flags & F_PROXY)) {
        h->state = S_PROXY2;
        return NEXT;
    }
    if (!tchar(c))
        return refuse(r, HTTP1_R_BAD_START_LINE);
    h->flags &= (uint16_t)~F_PROXY; /* version 1 comes first or not at all */
    h->count = 0;
    h->state = S_METHOD;
    return NEXT;
}

/* The rest of the signature, version and command, family, length (PROXY protocol 2.2). */
enum http1_event http1_in_proxy2(struct run *r)
{
    struct http1 *h = r->h;
    uint8_t c = (uint8_t)r->p[r->i];
    unsigned at = h->count;
    if (at < 12 ? c != (uint8_t)signature[at] : at == 12 && c != 0x20 && c != 0x21)
        return http1_down(h, HTTP1_R_BAD_PROXY);
    r->i++;
    h->count++;
    if (at < 14)
        return NEXT;
    h->remaining = h->remaining << 8 | c;
    if (at == 14)
        return NEXT;
    h->flags &= (uint16_t)~F_PROXY;
    h->state = h->remaining ? S_SKIP : S_START;
    return NEXT;
}

enum http1_event http1_in_skip(struct run *r)
{
    struct http1 *h = r->h;
    size_t n = r->n - r->i;
    if (n > h->remaining)
        n = (size_t)h->remaining;
    r->i += n;
    h->remaining -= n;
    if (h->remaining == 0)
        h->state = S_START;
    return NEXT;
}

/* "PROXY " was read as a method: skip the line, at most 107 bytes with its CRLF (2.1). It goes on
 * with TCP4, TCP6 or UNKNOWN; a method that happens to be called PROXY does not. */
enum http1_event http1_in_proxy1(struct run *r)
{
    struct http1 *h = r->h;
    char c = r->p[r->i];
    bool first = h->count == 6;
    if ((first && c != 'T' && c != 'U') || h->count == 107 || (h->acc == '\r') != (c == '\n'))
        return http1_down(h, HTTP1_R_BAD_PROXY);
    r->i++;
    h->count++;
    h->acc = (uint8_t)c;
    if (c == '\n') {
        h->flags &= (uint16_t)~F_PROXY;
        h->state = S_START;
    }
    return NEXT;
}

/* --- request line --------------------------------------------------------------------------- */

static uint8_t method_of(struct span m)
{
    if (span_eq(m, SPAN("GET")))
        return HTTP1_M_GET;
    if (span_eq(m, SPAN("POST")))
        return HTTP1_M_POST;
    if (span_eq(m, SPAN("HEAD")))
        return HTTP1_M_HEAD;
    if (span_eq(m, SPAN("CONNECT")))
        return HTTP1_M_CONNECT;
    return span_eq(m, SPAN("TRACE")) ? HTTP1_M_TRACE : HTTP1_M_OTHER;
}

static inline bool digit(char c, char least)
{
    return c >= least && c <= '9';
}

/* Is this " HTTP/1.x" and the end of the line? */
static inline bool whole_version(const char *p, size_t n)
{
    return n >= 11 && memcmp(p, " HTTP/1.", 8) == 0 && digit(p[8], '0') &&
           memcmp(p + 9, "\r\n", 2) == 0;
}

/* A request line that is given whole and is as nearly all are: a short method of letters. "PRI" and
 * "PROXY" may mean something else. @return whether it was; if not, nothing was done. */
static bool whole_request(struct run *r)
{
    struct http1 *h = r->h;
    const char *p = r->p + r->i;
    size_t n = r->n - r->i;
    uint64_t odd = n >= 8 ? tops_odd(word_at(p)) : 0;
    struct span m = {p, odd ? first_of(odd) : 0};
    if (m.n == 0 || p[m.n] != ' ' || (m.p[0] == 'P' && m.p[1] == 'R'))
        return false;
    size_t from = m.n + 1, to = from + run_of(p + from, n - from, ' ' + 1, true);
    if (to == from || !whole_version(p + to, n - to))
        return false;
    h->method = method_of(m);
    h->minor = (uint8_t)(p[to + 8] - '0');
    h->flags &= (uint16_t)~F_PROXY;
    h->started = true;
    r->i += to + 11;
    r->sink->target(r->ctx, p + from, to - from);
    return true;
}

static enum http1_event method_done(struct run *r)
{
    struct http1 *h = r->h;
    struct span m = {h->name, h->name_len};
    if ((h->flags & F_PROXY) && span_eq(m, SPAN("PROXY"))) {
        h->state = S_PROXY1;
        h->count = 6;
        h->acc = 0;
        return NEXT;
    }
    if (span_eq(m, SPAN("PRI"))) /* reserved for the preface: RFC 9113 11.6 */
        return http1_down(h, HTTP1_R_HTTP2);
    h->flags &= (uint16_t)~F_PROXY;
    h->method = method_of(m);
    h->count = 0;
    return then(r, S_TARGET, http1_in_target);
}

enum http1_event http1_in_method(struct run *r)
{
    struct http1 *h = r->h;
    if (h->name_len == 0 && whole_request(r))
        return then(r, S_FIELD, http1_in_field);
    const char *p = r->p + r->i;
    size_t left = r->n - r->i, len = h->name_len, i = 0;
    char c = 0;
    for (; i < left && len < METHOD_MAX && tchar(c = p[i]); i++)
        h->name[len++] = c;
    h->name_len = (uint16_t)len;
    r->i += i;
    if (i == left)
        return NEXT;
    if (p[i] != ' ' || len == 0)
        return refuse(r, HTTP1_R_BAD_START_LINE);
    r->i++;
    return method_done(r);
}

enum http1_event http1_in_target(struct run *r)
{
    struct http1 *h = r->h;
    size_t n = run_of(r->p + r->i, r->n - r->i, ' ' + 1, true);
    if (n > 0) {
        h->count = 1;
        r->sink->target(r->ctx, r->p + r->i, n);
        r->i += n;
    }
    if (r->i == r->n)
        return NEXT;
    if (r->p[r->i] != ' ' || h->count == 0)
        return refuse(r, HTTP1_R_BAD_START_LINE);
    r->i++;
    h->count = 0;
    return then(r, S_VERSION, http1_in_version);
}

/* --- both lines ----------------------------------------------------------------------------- */

static enum http1_reason bad_version(const struct http1 *h)
{
    return h->direction == HTTP1_RESPONSE && !h->started ? HTTP1_R_NOT_HTTP
                                                         : HTTP1_R_BAD_START_LINE;
}

/* A status line that is given whole: RFC 9112 4. The space before the reason may be missing in the
 * wild. @return whether it was; if not, nothing was done. */
static bool whole_status(struct run *r)
{
    struct http1 *h = r->h;
    const char *p = r->p + r->i;
    size_t n = r->n - r->i;
    if (n < 14 || memcmp(p, "HTTP/1.", 7) != 0 || !digit(p[7], '0') || p[8] != ' ' ||
        !digit(p[9], '1') || !digit(p[10], '0') || !digit(p[11], '0') ||
        (p[12] != ' ' && p[12] != '\r'))
        return false;
    size_t end = 12 + run_of(p + 12, n - 12, ' ', true);
    if (n - end < 2 || memcmp(p + end, "\r\n", 2) != 0)
        return false;
    h->minor = (uint8_t)(p[7] - '0');
    h->status = (uint16_t)(p[9] * 100 + p[10] * 10 + p[11] - '0' * 111);
    h->started = true;
    r->i += end + 2;
    return true;
}

enum http1_event http1_in_version(struct run *r)
{
    static const char text[] = "HTTP/1.";
    struct http1 *h = r->h;
    if (h->direction == HTTP1_RESPONSE && h->count == 0 && whole_status(r))
        return then(r, S_FIELD, http1_in_field);
    char c = r->p[r->i];
    if (h->count < 7 ? c != text[h->count] : c < '0' || c > '9')
        return refuse(r, bad_version(h));
    r->i++;
    if (h->count++ < 7)
        return NEXT;
    h->minor = (uint8_t)(c - '0');
    h->count = 0;
    if (h->direction == HTTP1_REQUEST)
        return then(r, S_LINE_CR, http1_in_line_cr);
    return then(r, S_STATUS, http1_in_status);
}

enum http1_event http1_in_line_cr(struct run *r)
{
    if (r->p[r->i] != '\r')
        return refuse(r, HTTP1_R_BAD_START_LINE);
    r->i++;
    return then(r, S_LINE_LF, http1_in_line_lf);
}

enum http1_event http1_in_line_lf(struct run *r)
{
    enum http1_event ev = want(r, '\n', S_FIELD, HTTP1_R_BARE_CR);
    if (ev == NEXT)
        r->h->started = true;
    return ev;
}

/* --- status line ---------------------------------------------------------------------------- */

/* SP, three digits, then SP and a reason or the end of the line (the SP may be missing in the
 * wild; a reason may be empty). */
static bool status_byte(struct http1 *h, char c)
{
    if (h->count == 0)
        return c == ' ';
    if (h->count == 4)
        return c == ' ' || c == '\r';
    if (!digit(c, h->count == 1 ? '1' : '0'))
        return false;
    h->status = (uint16_t)(h->status * 10 + (c - '0'));
    return true;
}

enum http1_event http1_in_status(struct run *r)
{
    struct http1 *h = r->h;
    for (; r->i < r->n; r->i++, h->count++) {
        if (!status_byte(h, r->p[r->i]))
            return refuse(r, HTTP1_R_BAD_START_LINE);
        if (h->count == 4)
            return then(r, S_PHRASE, http1_in_phrase);
    }
    return NEXT;
}

enum http1_event http1_in_phrase(struct run *r)
{
    r->i += run_of(r->p + r->i, r->n - r->i, ' ', true);
    if (r->i == r->n)
        return NEXT;
    char c = r->p[r->i];
    if (c != '\t' && c != '\r')
        return refuse(r, HTTP1_R_BAD_START_LINE);
    r->i++;
    return c == '\r' ? then(r, S_LINE_LF, http1_in_line_lf) : NEXT;
}
