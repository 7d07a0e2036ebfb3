/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1_body: how a message is delimited (RFC 9112 6.3) and the chunked coding
 * (7.1). A body is skipped by arithmetic; http1_scan() may be given a NULL
 * pointer for bytes that http1_opaque() covers.
 */
#include "http1_int.h"

static void will_down(struct http1 *h, enum http1_reason r)
{
    h->acc = r;
    h->state = S_WILL_DOWN;
}

static void frame_length(struct http1 *h, uint64_t n)
{
    h->body = n ? HTTP1_BODY_LENGTH : HTTP1_BODY_NONE;
    h->remaining = n;
    h->state = n ? S_BODY : S_END;
}

static void frame_chunked(struct http1 *h)
{
    h->body = HTTP1_BODY_CHUNKED;
    h->count = 0;
    h->acc = 0;
    h->state = S_CHUNK_SIZE;
}

static void frame_request(struct http1 *h)
{
    if (h->flags & F_TE_BAD)
        will_down(h, HTTP1_R_BAD_TE);
    else if (h->upgrade && (h->flags & F_UPGRADE))
        will_down(h, HTTP1_R_UPGRADE);
    else if (h->te)
        frame_chunked(h);
    else
        frame_length(h, h->length ? h->length_value : 0);
}

static bool bodiless(const struct http1 *h)
{
    return h->status < 200 || h->status == 204 || h->status == 304 || h->method == HTTP1_M_HEAD;
}

static void frame_response(struct http1 *h)
{
    if (h->status == 101)
        will_down(h, HTTP1_R_UPGRADE);
    else if (h->method == HTTP1_M_CONNECT && h->status >= 200 && h->status < 300)
        will_down(h, HTTP1_R_CONNECT);
    else if (bodiless(h))
        frame_length(h, 0);
    else if (h->flags & F_TE_BAD)
        will_down(h, HTTP1_R_BAD_TE);
    else if (h->te)
        frame_chunked(h);
    else if (h->length)
        frame_length(h, h->length_value);
    else {
        h->body = HTTP1_BODY_CLOSE;
        h->state = S_CLOSE;
    }
}

void http1_frame(struct http1 *h)
{
    if (h->direction == HTTP1_REQUEST)
        frame_request(h);
    else
        frame_response(h);
}

enum http1_event http1_due(struct http1 *h)
{
    if (h->state == S_DOWN)
        return HTTP1_DOWN;
    if (h->state == S_WILL_DOWN)
        return http1_down(h, (enum http1_reason)h->acc);
    if (h->state != S_END)
        return NEXT;
    h->state = S_START;
    return HTTP1_END;
}

bool http1_close_delimited(const struct http1 *h)
{
    return h->state == S_CLOSE;
}

uint64_t http1_opaque(const struct http1 *h)
{
    if (h->state == S_CLOSE)
        return SIZE_MAX;
    return h->state == S_BODY || h->state == S_CHUNK_DATA ? h->remaining : 0;
}

/* Skip; @return whether the run reached its end. */
static bool skipped(struct run *r)
{
    struct http1 *h = r->h;
    size_t len = r->n - r->i;
    if (len > h->remaining)
        len = (size_t)h->remaining;
    h->remaining -= len;
    r->i += len;
    return h->remaining == 0;
}

enum http1_event http1_body(struct run *r)
{
    if (r->h->state == S_CLOSE) {
        r->i = r->n;
        return NEXT;
    }
    if (!skipped(r))
        return NEXT;
    r->h->state = S_START;
    return HTTP1_END;
}

/* --- chunks --------------------------------------------------------------------------------- */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = span_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum http1_event http1_chunk_size(struct run *r)
{
    struct http1 *h = r->h;
    char c = r->p[r->i];
    int digit = hex(c);
    if (digit < 0) {
        if (!h->count)
            return http1_down(h, HTTP1_R_BAD_CHUNK);
        h->count = 0;
        h->state = S_CHUNK_EXT;
        return NEXT;
    }
    if (h->count == 15)
        return http1_down(h, HTTP1_R_BAD_CHUNK);
    h->count++;
    h->acc = h->acc << 4 | (unsigned)digit;
    r->i++;
    return NEXT;
}

/* After the size: white space, then ";" and an extension, or the end of the line. What an extension
 * holds does not matter as long as it is text; a first byte that is neither is refused, since
 * receivers disagree on "5 5" and the like. */
enum http1_event http1_chunk_ext(struct run *r)
{
    struct http1 *h = r->h;
    for (; r->i < r->n; r->i++) {
        char c = r->p[r->i];
        if (c == '\r') {
            r->i++;
            h->state = S_CHUNK_LF;
            return NEXT;
        }
        bool space = c == ' ' || c == '\t';
        bool first = !(h->count & 0x8000);
        if ((((uint8_t)c < 0x20 && c != '\t') || c == 0x7f) || (first && c != ';' && !space) ||
            (h->count & 0x7fff) > CHUNK_EXT_MAX)
            return http1_down(h, c == '\n' ? HTTP1_R_BARE_LF : HTTP1_R_BAD_CHUNK);
        h->count++;
        if (c == ';')
            h->count |= 0x8000;
    }
    return NEXT;
}

enum http1_event http1_chunk_lf(struct run *r)
{
    struct http1 *h = r->h;
    if (r->p[r->i++] != '\n') {
        r->i--;
        return http1_down(h, HTTP1_R_BARE_CR);
    }
    h->remaining = h->acc;
    h->acc = 0;
    h->count = 0;
    h->state = h->remaining ? S_CHUNK_DATA : S_TRAILER;
    return NEXT;
}

enum http1_event http1_chunk_data(struct run *r)
{
    if (skipped(r))
        r->h->state = S_CHUNK_CR;
    return NEXT;
}

static enum http1_event want(struct run *r, char c, enum state then)
{
    if (r->p[r->i] != c)
        return http1_down(r->h, HTTP1_R_BAD_CHUNK);
    r->i++;
    r->h->state = (uint8_t)then;
    return NEXT;
}

enum http1_event http1_chunk_cr(struct run *r)
{
    return want(r, '\r', S_CHUNK_DATA_LF);
}

enum http1_event http1_chunk_data_lf(struct run *r)
{
    return want(r, '\n', S_CHUNK_SIZE);
}

/* --- trailers: part of the body (RFC 9112 7.1.2); bounded like a head ------------------------ */

static bool too_long(struct http1 *h, size_t n)
{
    h->acc += n;
    return h->acc > HTTP1_HEAD_MAX;
}

enum http1_event http1_trailer(struct run *r)
{
    struct http1 *h = r->h;
    char c = r->p[r->i];
    if (c == '\r') {
        r->i++;
        h->state = S_LAST_LF;
        return NEXT;
    }
    if (c == ' ' || c == '\t' || c == ':')
        return http1_down(h, HTTP1_R_BAD_FIELD);
    h->state = S_TRAILER_NAME;
    return NEXT;
}

enum http1_event http1_trailer_name(struct run *r)
{
    struct http1 *h = r->h;
    char c = r->p[r->i++];
    if (c == ':')
        h->state = S_TRAILER_VALUE;
    else if ((uint8_t)c <= ' ' || (uint8_t)c >= 0x7f || too_long(h, 1)) {
        r->i--;
        return http1_down(h, c == '\n' ? HTTP1_R_BARE_LF : HTTP1_R_BAD_FIELD);
    }
    return NEXT;
}

enum http1_event http1_trailer_value(struct run *r)
{
    struct http1 *h = r->h;
    char c = r->p[r->i++];
    if (c == '\r')
        h->state = S_TRAILER_LF;
    else if (((uint8_t)c < ' ' && c != '\t') || c == 0x7f || too_long(h, 1)) {
        r->i--;
        return http1_down(h, c == '\n' ? HTTP1_R_BARE_LF : HTTP1_R_BAD_FIELD);
    }
    return NEXT;
}

enum http1_event http1_trailer_lf(struct run *r)
{
    if (r->p[r->i] != '\n')
        return http1_down(r->h, HTTP1_R_BARE_CR);
    r->i++;
    r->h->state = S_TRAILER;
    return NEXT;
}

enum http1_event http1_last_lf(struct run *r)
{
    if (r->p[r->i] != '\n')
        return http1_down(r->h, HTTP1_R_BARE_CR);
    r->i++;
    r->h->state = S_START;
    return HTTP1_END;
}
