/* SPDX-License-Identifier: Apache-2.0 */
/* http1_int: what http1.c (heads) and http1_body.c (bodies) share. */
#ifndef TB_CORE_HTTP1_INT_H
#define TB_CORE_HTTP1_INT_H

#include "http1.h"

#define NEXT       ((enum http1_event)99) /* nothing to report: go on */
#define METHOD_MAX 24
#define CHUNK_EXT_MAX 4096

enum state {
    S_START,
    S_BLANK,
    S_PROXY1,
    S_PROXY2,
    S_SKIP,
    S_METHOD, /* from here ... */
    S_TARGET,
    S_VERSION,
    S_STATUS,
    S_REASON,
    S_LINE_CR,
    S_LINE_LF,
    S_FIELD,
    S_NAME,
    S_VALUE_OWS,
    S_VALUE,
    S_VALUE_LF,
    S_EMPTY,
    S_EMPTY_CR,
    S_EMPTY_LF, /* ... to here: bytes of the head */
    S_BODY,
    S_CHUNK_SIZE,
    S_CHUNK_EXT,
    S_CHUNK_LF,
    S_CHUNK_DATA,
    S_CHUNK_CR,
    S_CHUNK_DATA_LF,
    S_TRAILER,
    S_TRAILER_NAME,
    S_TRAILER_VALUE,
    S_TRAILER_LF,
    S_LAST_LF,
    S_CLOSE,    /* body until the connection closes */
    S_END,      /* HTTP1_END is due */
    S_WILL_DOWN, /* HTTP1_DOWN with .acc as reason is due */
    S_DOWN,
    S_COUNT
};

enum field {
    FIELD_OTHER,
    FIELD_LENGTH,
    FIELD_TE,
    FIELD_CONNECTION,
    FIELD_UPGRADE,
    FIELD_EXPECT
};

enum flags {
    F_PROXY = 1,       /* a PROXY prefix is still acceptable */
    F_WANTED = 4,      /* the sink wants this field's value */
    F_FOLDED = 8,      /* this field has obs-fold lines */
    F_LONG_NAME = 16,
    F_IN_FIELD = 32,   /* a field line was read whose continuation may follow */
    F_TE_BAD = 64,     /* Transfer-Encoding is not exactly one "chunked" */
    F_LENGTH_OVER = 128, /* white space after the digits */
    F_CLOSE = 256,
    F_KEEP = 512,
    F_UPGRADE = 1024
};

/* One call of http1_scan(). */
struct run {
    struct http1 *h;
    const char *p;
    size_t n, i;
    const struct http1_sink *sink;
    void *ctx;
};

enum http1_event http1_down(struct http1 *h, enum http1_reason r);
/* The head is complete: which body follows? */
void http1_frame(struct http1 *h);
/* An event that needs no further byte, or NEXT. */
enum http1_event http1_due(struct http1 *h);

enum http1_event http1_body(struct run *r);
enum http1_event http1_chunk_size(struct run *r);
enum http1_event http1_chunk_ext(struct run *r);
enum http1_event http1_chunk_lf(struct run *r);
enum http1_event http1_chunk_data(struct run *r);
enum http1_event http1_chunk_cr(struct run *r);
enum http1_event http1_chunk_data_lf(struct run *r);
enum http1_event http1_trailer(struct run *r);
enum http1_event http1_trailer_name(struct run *r);
enum http1_event http1_trailer_value(struct run *r);
enum http1_event http1_trailer_lf(struct run *r);
enum http1_event http1_last_lf(struct run *r);

#endif
