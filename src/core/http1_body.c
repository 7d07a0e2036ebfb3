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
    h->state = S_START;
    return HTTP1_END;
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

enum http1_event http1_in_body(struct run *r)
{
    if (!skipped(r))
        return NEXT;
    r->h->state = S_START;
    return HTTP1_END;
}

enum http1_event http1_in_close(struct run *r)
{
    r->i = r->n;
    return NEXT;
}

/* --- chunks --------------------------------------------------------------------------------- */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = span_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Up to 16 digits, below 2^62. */
enum http1_event http1_in_chunk_size(struct run *r)
{
    struct http1 *h = r->h;
    int digit = hex(r->p[r->i]);
    if (digit < 0 && h->count > 0) {
        h->count = 0;
        h->state = S_CHUNK_EXT;
        return NEXT;
    }
    if (digit < 0 || h->count == 16 || h->acc >> 58)
        return http1_down(h, HTTP1_R_BAD_CHUNK);
    h->count++;
    h->acc = h->acc << 4 | (unsigned)digit;
    r->i++;
    return NEXT;
}

#define IN_EXT 0x8000 /* in .count: the ";" was seen */

/* After the size: white space, then ";" and an extension, or the end of the line. What an extension
 * holds does not matter as long as it is text; anything else in front of the ";" is refused, since
 * receivers disagree on "5 5" and the like. */
static bool ext_byte(struct http1 *h, char c)
{
    if ((h->count & ~IN_EXT) == CHUNK_EXT_MAX)
        return false;
    h->count++;
    if (c == ';')
        h->count |= IN_EXT;
    return is_space(c) || ((h->count & IN_EXT) && (uint8_t)c > ' ' && c != 0x7f);
}

enum http1_event http1_in_chunk_ext(struct run *r)
{
    for (; r->i < r->n && r->p[r->i] != '\r'; r->i++)
        if (!ext_byte(r->h, r->p[r->i]))
            return refuse(r, HTTP1_R_BAD_CHUNK);
    return r->i < r->n ? want(r, '\r', S_CHUNK_LF, HTTP1_R_BAD_CHUNK) : NEXT;
}

enum http1_event http1_in_chunk_lf(struct run *r)
{
    struct http1 *h = r->h;
    enum http1_event ev = want(r, '\n', h->acc ? S_CHUNK_DATA : S_TRAILER, HTTP1_R_BARE_CR);
    h->remaining = h->acc;
    h->acc = 0;
    h->count = 0;
    return ev;
}

enum http1_event http1_in_chunk_data(struct run *r)
{
    if (skipped(r))
        r->h->state = S_CHUNK_CR;
    return NEXT;
}

enum http1_event http1_in_chunk_cr(struct run *r)
{
    return want(r, '\r', S_CHUNK_DATA_LF, HTTP1_R_BAD_CHUNK);
}

enum http1_event http1_in_chunk_data_lf(struct run *r)
{
    return want(r, '\n', S_CHUNK_SIZE, HTTP1_R_BAD_CHUNK);
}

/* --- trailers: part of the body (RFC 9112 7.1.2); .acc counts them: bounded like a head ------- */

enum http1_event http1_in_trailer(struct run *r)
{
    struct http1 *h = r->h;
    if (r->p[r->i] == '\r')
        return want(r, '\r', S_LAST_LF, HTTP1_R_BARE_CR);
    if (!tchar(r->p[r->i]))
        return refuse(r, HTTP1_R_BAD_FIELD);
    h->state = S_TRAILER_NAME;
    return NEXT;
}

/* Count a byte of a trailer line that is allowed there; refuse another. */
static enum http1_event trailer_byte(struct run *r, bool allowed)
{
    if (!allowed)
        return refuse(r, HTTP1_R_BAD_FIELD);
    if (r->h->acc++ == HTTP1_HEAD_MAX)
        return http1_down(r->h, HTTP1_R_HEAD_TOO_LARGE);
    r->i++;
    return NEXT;
}

enum http1_event http1_in_trailer_name(struct run *r)
{
    char c = r->p[r->i];
    if (c == ':')
        r->h->state = S_TRAILER_VALUE;
    return trailer_byte(r, c == ':' || tchar(c));
}

enum http1_event http1_in_trailer_value(struct run *r)
{
    char c = r->p[r->i];
    if (c == '\r')
        return want(r, '\r', S_TRAILER_LF, HTTP1_R_BARE_CR);
    return trailer_byte(r, !ends_value(c));
}

enum http1_event http1_in_trailer_lf(struct run *r)
{
    return want(r, '\n', S_TRAILER, HTTP1_R_BARE_CR);
}

enum http1_event http1_in_last_lf(struct run *r)
{
    enum http1_event ev = want(r, '\n', S_START, HTTP1_R_BARE_CR);
    return ev == NEXT ? HTTP1_END : ev;
}
