/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1_int: what the files of the scanner share. http1.c is the machine,
 * http1_line.c knows what comes before the first field line, http1_field.c the
 * fields and the empty line, http1_body.c framing and bodies.
 *
 * A state function is called with at least one byte left (r->i < r->n). It
 * consumes what it understands and returns NEXT, or the event to be reported. A
 * byte that is refused is not consumed. What it does must not depend on how many
 * bytes happen to be left: the events are the same however the stream is cut.
 */
#ifndef TB_CORE_HTTP1_INT_H
#define TB_CORE_HTTP1_INT_H

#include "http1.h"

#define NEXT          ((enum http1_event)99) /* nothing to report: go on */
#define METHOD_MAX    24
#define CHUNK_EXT_MAX 4096

/* One list of the states that consume bytes: the enum, the prototypes and the table derive from it.
 * HEAD: the bytes count as bytes of a message head. */
#define HTTP1_STATES(X)                                                                            \
    X(START, start, OTHER)                                                                         \
    X(BLANK, blank, OTHER)                                                                         \
    X(PROXY1, proxy1, OTHER)                                                                       \
    X(PROXY2, proxy2, OTHER)                                                                       \
    X(SKIP, skip, OTHER)                                                                           \
    X(METHOD, method, HEAD)                                                                        \
    X(TARGET, target, HEAD)                                                                        \
    X(VERSION, version, HEAD)                                                                      \
    X(STATUS, status, HEAD)                                                                        \
    X(PHRASE, phrase, HEAD)                                                                        \
    X(LINE_CR, line_cr, HEAD)                                                                      \
    X(LINE_LF, line_lf, HEAD)                                                                      \
    X(FIELD, field, HEAD)                                                                          \
    X(NAME, name, HEAD)                                                                            \
    X(VALUE_OWS, value_ows, HEAD)                                                                  \
    X(VALUE, value, HEAD)                                                                          \
    X(VALUE_LF, value_lf, HEAD)                                                                    \
    X(EMPTY, empty, HEAD)                                                                          \
    X(EMPTY_CR, empty_cr, HEAD)                                                                    \
    X(EMPTY_LF, empty_lf, HEAD)                                                                    \
    X(BODY, body, OTHER)                                                                           \
    X(CLOSE, close, OTHER)                                                                         \
    X(CHUNK_SIZE, chunk_size, OTHER)                                                               \
    X(CHUNK_EXT, chunk_ext, OTHER)                                                                 \
    X(CHUNK_LF, chunk_lf, OTHER)                                                                   \
    X(CHUNK_DATA, chunk_data, OTHER)                                                               \
    X(CHUNK_CR, chunk_cr, OTHER)                                                                   \
    X(CHUNK_DATA_LF, chunk_data_lf, OTHER)                                                         \
    X(TRAILER, trailer, OTHER)                                                                     \
    X(TRAILER_NAME, trailer_name, OTHER)                                                           \
    X(TRAILER_VALUE, trailer_value, OTHER)                                                         \
    X(TRAILER_LF, trailer_lf, OTHER)                                                               \
    X(LAST_LF, last_lf, OTHER)

enum state {
#define X(id, fn, part) S_##id,
    HTTP1_STATES(X)
#undef X
        S_END,   /* HTTP1_END is due */
    S_WILL_DOWN, /* HTTP1_DOWN with .acc as reason is due */
    S_DOWN
};

enum field { FIELD_OTHER, FIELD_LENGTH, FIELD_TE, FIELD_CONNECTION, FIELD_UPGRADE, FIELD_EXPECT };

enum flags {
    F_PROXY = 1,        /* a PROXY prefix is still acceptable */
    F_WANTED = 2,       /* the sink wants this field's value */
    F_FOLDED = 4,       /* this field has obs-fold lines */
    F_LONG_NAME = 8,    /* longer than HTTP1_NAME_MAX: not reported */
    F_IN_FIELD = 16,    /* a field line was read whose continuation may follow */
    F_TE_BAD = 32,      /* Transfer-Encoding is not exactly one "chunked" */
    F_LENGTH_OVER = 64, /* white space after the digits */
    F_CLOSE = 128,      /* these three: options of Connection */
    F_KEEP = 256,
    F_UPGRADE = 512
};

/* One call of http1_scan(). */
struct run {
    struct http1 *h;
    const char *p;
    size_t n, i;
    size_t head; /* up to here h->head_bytes counts */
    const struct http1_sink *sink;
    void *ctx;
};

#define X(id, fn, part) enum http1_event http1_in_##fn(struct run *r);
HTTP1_STATES(X)
#undef X

enum http1_event http1_down(struct http1 *h, enum http1_reason r);
/* The head is complete: which body follows? */
void http1_frame(struct http1 *h);
/* The event of a state from S_END on: it needs no further byte. */
enum http1_event http1_due(struct http1 *h);

/* --- bytes ---------------------------------------------------------------------------------- */

/* tchar (RFC 9110 5.6.2) in lower case; 0: not one. */
extern const char http1_tchar[256];

static inline char tchar(char c)
{
    return http1_tchar[(uint8_t)c];
}

static inline bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* NUL, CR and LF are dangerous in a value; other control bytes only make it invalid (RFC 9110 5.5),
 * which is for those to see who want the value. */
static inline bool ends_value(char c)
{
    return c == '\r' || c == '\n' || c == 0;
}

/* Refuse this byte. A line feed where no CR was is its own reason: receivers disagree on it. */
static inline enum http1_event refuse(struct run *r, enum http1_reason reason)
{
    return http1_down(r->h, r->p[r->i] == '\n' ? HTTP1_R_BARE_LF : reason);
}

/* Expect this byte. */
static inline enum http1_event want(struct run *r, char c, enum state next, enum http1_reason bad)
{
    if (r->p[r->i] != c)
        return http1_down(r->h, bad);
    r->i++;
    r->h->state = (uint8_t)next;
    return NEXT;
}

/* Go on in that state, directly where bytes are left: a turn of the machine for each part of a line
 * costs more than its bytes. Only between states of the same part (HTTP1_STATES). */
static inline enum http1_event then(struct run *r, enum state s,
                                    enum http1_event (*f)(struct run *))
{
    r->h->state = (uint8_t)s;
    return r->i < r->n ? f(r) : NEXT;
}

/* --- eight bytes at a time ------------------------------------------------------------------ */

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))
#define TOPS       EACH(0x80)

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first byte is the lowest");

static inline uint64_t word_at(const char *p)
{
    uint64_t w;
    memcpy(&w, p, 8);
    return w;
}

/* Of the tops of bytes: which byte is the first? */
static inline unsigned first_of(uint64_t tops)
{
    return (unsigned)__builtin_ctzll(tops) >> 3;
}

/* The tops of the bytes that are DEL. Only the first is exact: a borrow goes upwards. */
static inline uint64_t tops_del(uint64_t w)
{
    uint64_t x = w ^ EACH(0x7f);
    return (x - EACH(1)) & ~x & TOPS;
}

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

/* Length of the leading run of bytes that are not below `low` nor, if `del`, DEL. */
static inline size_t run_of(const char *p, size_t n, unsigned low, bool del)
{
    size_t i = 0;
    if (n >= 8)
        for (size_t last = n - 8; i <= last; i += 8) {
            uint64_t w = word_at(p + i), stops = (w - EACH(low)) & TOPS;
            if (del)
                stops |= tops_del(w);
            if (stops && (stops &= ~w) != 0) /* bytes of 0x80 and more only cost a second look */
                return i + first_of(stops);
        }
    while (i < n && (uint8_t)p[i] >= low && !(del && p[i] == 0x7f))
        i++;
    return i;
}

#endif
