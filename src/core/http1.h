/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1: an incremental scanner of one direction of an HTTP/1.x stream: message
 * heads and body framing, nothing else (RFC 9110, RFC 9112).
 *
 * The scanner is a value (struct http1): copying it is a checkpoint, copying it
 * back is a rollback. It advances over the bytes it is given and over no others,
 * so a caller feeds it exactly the bytes that the kernel accepted or returned.
 * It never buffers a byte and never needs to see a byte twice.
 *
 * Whatever is ambiguous (RFC 9112 sections 2.2, 5, 6.1, 6.3, 11.2) ends in
 * HTTP1_DOWN with a reason and stays there: mis-tracking must fail towards "no
 * insertion".
 */
#ifndef TB_CORE_HTTP1_H
#define TB_CORE_HTTP1_H

#include "span.h"

enum http1_direction { HTTP1_REQUEST, HTTP1_RESPONSE };

/** What http1_scan() stopped at. */
enum http1_event {
    HTTP1_MORE = 0,   /* every byte consumed, nothing to report */
    HTTP1_EMPTY_LINE, /* stopped *before* the CR of the empty line that ends the head: every
                       * field line is complete; whole lines may be inserted here. Reported at
                       * most once for each head. Not reported where the head must be left alone
                       * (that is HTTP1_DOWN). That LF follows is known only where that byte was
                       * given too; if it does not follow, HTTP1_DOWN says so later. */
    HTTP1_HEAD,       /* the LF of the empty line was consumed: framing is known */
    HTTP1_END,        /* the message (head and body) ended; the next byte starts another. For a
                       * body of no bytes it follows HTTP1_HEAD without consuming anything. */
    HTTP1_DOWN        /* refuse: see .reason; no byte from here on is understood. Final. */
};

/** Why a stream is not (or no longer) understood. One list: names are used in counters. */
#define HTTP1_REASONS(X)                                                                           \
    X(NONE, "none")                                                                                \
    X(NOT_HTTP, "not-http")             /* first byte(s) cannot begin a message */                 \
    X(TLS, "tls")                       /* 0x16, the handshake, at a message start */              \
    X(HTTP2, "http2")                   /* the connection preface PRI * HTTP/2.0 */                \
    X(BAD_START_LINE, "bad-start-line") /* malformed, HTTP/0.9, another major version */           \
    X(BAD_FIELD, "bad-field")           /* name not a token, space before colon, NUL */            \
    X(BARE_CR, "bare-cr")                                                                          \
    X(BARE_LF, "bare-lf")                                                                          \
    X(BAD_LENGTH, "bad-length")       /* Content-Length not digits, overflow, several unequal */   \
    X(LENGTH_AND_TE, "length-and-te") /* both present */                                           \
    X(BAD_TE, "bad-te")               /* Transfer-Encoding other than exactly one "chunked" */     \
    X(BAD_CHUNK, "bad-chunk")                                                                      \
    X(UPGRADE, "upgrade")               /* after a head with Upgrade, or a 101 */                  \
    X(CONNECT, "connect")               /* a CONNECT request, or a 2xx answer to one */            \
    X(HEAD_TOO_LARGE, "head-too-large") /* over HTTP1_HEAD_MAX */                                  \
    X(BAD_PROXY, "bad-proxy")           /* malformed PROXY protocol prefix */

enum http1_reason {
#define X(id, text) HTTP1_R_##id,
    HTTP1_REASONS(X)
#undef X
        HTTP1_R_COUNT
};

#define HTTP1_HEAD_MAX 65536u /* bytes of one head, start line included */

enum http1_method {
    HTTP1_M_OTHER = 0,
    HTTP1_M_GET,
    HTTP1_M_HEAD,
    HTTP1_M_POST,
    HTTP1_M_CONNECT,
    HTTP1_M_TRACE
};

/** How the body is delimited; valid from HTTP1_HEAD on. */
enum http1_body { HTTP1_BODY_NONE, HTTP1_BODY_LENGTH, HTTP1_BODY_CHUNKED, HTTP1_BODY_CLOSE };

/**
 * What the caller hears of a head while it passes. Pieces point into the bytes
 * given to http1_scan() and may be cut anywhere; they are never empty, except
 * that no piece at all is sent for an empty value. All members but `line` are
 * mandatory.
 */
struct http1_sink {
    /** A piece of the request target (requests only). */
    void (*target)(void *ctx, const char *p, size_t n);
    /** A field begins; `name` is lower-cased, complete, and valid only during the call; names
     *  longer than HTTP1_NAME_MAX are not reported. Returns whether the value is wanted. */
    bool (*field)(void *ctx, struct span name);
    /** A piece of the value of a wanted field. Leading optional white space is left out,
     *  trailing white space is not (the receiver trims it). Of a folded value (obs-fold) only
     *  the first line is reported. */
    void (*value)(void *ctx, const char *p, size_t n);
    /** The wanted field is complete; `folded`: it had obs-fold lines and must not be trusted. */
    void (*end)(void *ctx, bool folded);
    /** NULL, or: instead of field, value, end, a line that was given whole, at once. The name as
     * for field; the value is not empty, not folded and without white space at both ends: exactly
     * what value would have been given. Which lines these are depends on how the stream is cut, and
     * some come in pieces however it is; what the receiver makes of both must be the same. */
    void (*line)(void *ctx, struct span name, struct span value);
};

#define HTTP1_NAME_MAX 128

struct http1 {
    /* Readable by anyone: */
    uint8_t direction;   /* enum http1_direction */
    uint8_t reason;      /* enum http1_reason; not NONE exactly when down */
    uint8_t method;      /* enum http1_method of this request; for a response: of the request it
                          * answers, see http1_answer_to() */
    uint8_t minor;       /* HTTP/1.<minor> */
    uint8_t body;        /* enum http1_body */
    bool started;        /* false until the LF of the first start line was accepted, true from then
                          * on: this is HTTP, whatever comes later */
    bool upgrade;        /* Upgrade: was seen in this head */
    bool te, length;     /* Transfer-Encoding, Content-Length was seen in this head */
    bool close;          /* Connection: close, or HTTP/1.0 without keep-alive */
    bool expect;         /* Expect: 100-continue was seen */
    uint16_t status;     /* responses: the status code */
    uint32_t head_bytes; /* bytes of this head so far (of the complete head from HTTP1_HEAD on);
                          * at HTTP1_EMPTY_LINE the two bytes of the empty line are not in it */
    uint32_t head_lines; /* field lines so far, folded lines counted as lines */
    uint64_t remaining;  /* body bytes still to come (length) or of this chunk (chunked) */
    /* Private: */
    uint8_t state, field;
    uint16_t flags;
    uint16_t count;    /* of a match, of a token, of digits, of bytes to skip */
    uint16_t name_len; /* of name; beyond HTTP1_NAME_MAX it stops */
    uint64_t length_value, acc;
    char name[HTTP1_NAME_MAX]; /* the field name; then, for Connection and Expect, a token */
};

/** Start a fresh stream in the given direction, at a message start. For requests a PROXY
 *  protocol v1/v2 prefix is tolerated at this first start only if `proxy` is true. */
void http1_init(struct http1 *h, enum http1_direction direction, bool proxy);

/**
 * Scan bytes until the next event.
 * @param used  out: how many of the n bytes were consumed (also for HTTP1_DOWN: the bytes before
 *              the one refused).
 * @return the event. After any event but DOWN the caller calls again with the rest; call again even
 *         with n == 0 after HTTP1_HEAD, since HTTP1_END (or a pending DOWN) may be due at once.
 *         A call with n == 0 that has nothing due returns HTTP1_MORE.
 */
enum http1_event http1_scan(struct http1 *h, const char *p, size_t n, size_t *used,
                            const struct http1_sink *sink, void *ctx);

/** Responses: the method of the request that the next final response answers (RFC 9112 6.3: HEAD
 *  and CONNECT change the framing). To be called before the response's first byte. Default GET. */
void http1_answer_to(struct http1 *h, enum http1_method method);

/** True between messages: nothing of a next head has been seen. */
bool http1_idle(const struct http1 *h);

/** True inside a body that ends only when the connection does. */
bool http1_close_delimited(const struct http1 *h);

/** Body bytes that may be skipped without looking at them (inside a Content-Length body, the data
 *  of a chunk, or a close-delimited body (then SIZE_MAX)); 0 elsewhere. */
uint64_t http1_opaque(const struct http1 *h);

/** Text of a reason, for counters and messages. */
const char *http1_reason_name(enum http1_reason r);

#endif
