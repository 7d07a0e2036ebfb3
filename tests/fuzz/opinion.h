/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opinion: a second opinion on the framing of HTTP/1.x. Another parser, which
 * shares no line with our scanner, reads the same stream, message by message.
 * Where our scanner accepts, the two must agree on
 *
 *   - where the head ends,
 *   - how the body is delimited (none, length and which, chunked, until close),
 *   - where the message ends.
 *
 * We stand down on more than others do (RFC 9112 2.2, 5.1, 6.1, 6.3, 11.2), which
 * is no other answer; what the other refuses and ours accepts must be in the list
 * `stricter`. That both accepted is counted, and too little of it is a failure: a
 * comparison that compares nothing shows nothing.
 *
 * What differs and is right, counted by name beside that list:
 *
 *   upgrade     RFC 9110 7.8, 9.3.6: at the end of a head that upgrades, or of
 *               CONNECT, the other hands all the rest over to its caller, body
 *               included. Only the head is compared.
 *   stand-down  RFC 9112 6.1, 6.3: ours refuses the framing of a head that it had
 *               to read to its end for that (codings but one "chunked", upgrades)
 *               and says nothing of the body. Only the head is compared.
 *
 * An input is one byte (a request; a response to GET; a response to HEAD) and the
 * stream. A target says what the other parser is: other_scan().
 */
#ifndef TB_TESTS_FUZZ_OPINION_H
#define TB_TESTS_FUZZ_OPINION_H

#include "fuzz/stream.h"

#define NOWHERE SIZE_MAX

enum kind { REQUEST, RESPONSE, RESPONSE_TO_HEAD, KINDS };

/* What is said of one message: offsets from its first byte. */
struct opinion {
    bool refused;      /* at its end, or before */
    bool upgrade;      /* of the other: see above */
    bool no_body;      /* refused with the head, before anything was said of the body */
    bool unread;       /* of the other: a coding that it does not know, see below */
    size_t head, end;  /* NOWHERE: not in these bytes */
    uint8_t body;      /* enum http1_body; where head is known */
    uint64_t length;   /* of HTTP1_BODY_LENGTH */
    const char *error; /* of the other, refused: its name for the reason */
};

/** What the other parser says of the message that begins at p. */
static struct opinion other_scan(enum kind kind, const char *p, size_t n);

/* For what others refuse that ours accepts, and why ours is right. One name of theirs may stand for
 * more than that (unequal lengths have the name of repeated ones): such heads are judged by
 * tests/wire/naive.h, in the targets request and response. */
static struct {
    const char *error, *because;
    unsigned long times;
} stricter[] = {
    {"HPE_INVALID_METHOD", "RFC 9110 9.1: a method is any token", 0},
    {"HPE_INVALID_URL", "RFC 9112 3.2: the target is not looked into, it frames nothing", 0},
    {"HPE_INVALID_VERSION", "RFC 9110 2.5: a higher minor version is read as one that is known", 0},
    {"HPE_INVALID_HEADER_TOKEN",
     "RFC 9110 5.5: control characters but CR, LF and NUL may stay in a value", 0},
    {"HPE_INVALID_CONTENT_LENGTH",
     "RFC 9110 5.6.3: tabs are white space; RFC 9112 7.1.2: trailers do not frame", 0},
    {"HPE_UNEXPECTED_CONTENT_LENGTH", "RFC 9110 8.6: one length, several times", 0},
    {"HPE_INVALID_TRANSFER_ENCODING",
     "RFC 9110 5.6.3: tabs are white space; http_parser takes longer names for this one", 0},
    {"HPE_INVALID_CHUNK_SIZE", "RFC 9112 7.1.1: chunk extensions, and white space in them", 0},
    {"HPE_STRICT", "RFC 9112 7.1.1: chunk extensions with any text", 0}};
#define STRICTER (sizeof(stricter) / sizeof(stricter[0]))

/* What the answers to one stream add up to. */
static struct {
    unsigned long streams, heads, ends, lengths, chunked, close, upgrade, down;
} opinions;

/* One message with the scanner that has read those before it. */
static inline struct opinion our_scan(struct http1 *h, enum kind kind, const char *p, size_t n)
{
    struct opinion o = {.head = NOWHERE, .end = NOWHERE};
    size_t at = 0, used;
    if (kind != REQUEST)
        http1_answer_to(h, kind == RESPONSE ? HTTP1_M_GET : HTTP1_M_HEAD);
    for (;; at += used) {
        switch (http1_scan(h, p + at, n - at, &used, &deaf_sink, NULL)) {
        case HTTP1_HEAD:
            o.head = at + used;
            o.body = h->body;
            o.length = h->body == HTTP1_BODY_LENGTH ? h->remaining : 0;
            break;
        case HTTP1_END:
            o.end = at + used;
            return o;
        case HTTP1_DOWN:
            o.refused = true;
            o.no_body = o.head == at + used;
            return o;
        case HTTP1_MORE:
            return o;
        case HTTP1_EMPTY_LINE:
            break;
        }
    }
}

/* A coding that is not known is refused in a request, and makes a body until close of an answer
 * (RFC 9112 6.3, 4). "chunked<TAB>" is such a one to both others (RFC 9110 5.6.3: it is not). */
static inline void opinion_unread(struct opinion *b)
{
    if (!b->unread)
        return;
    b->no_body = b->refused = true;
    b->error = "HPE_INVALID_TRANSFER_ENCODING";
}

/* A body of length 0 is none. */
static inline uint8_t body_of(const struct opinion *o)
{
    return o->body == HTTP1_BODY_LENGTH && o->length == 0 ? HTTP1_BODY_NONE : o->body;
}

static inline void opinion_count(const struct opinion *a, const struct opinion *b)
{
    uint8_t body = body_of(a);
    opinions.heads++;
    opinions.lengths += body == HTTP1_BODY_LENGTH;
    opinions.chunked += body == HTTP1_BODY_CHUNKED;
    opinions.close += body == HTTP1_BODY_CLOSE;
    opinions.ends += a->end != NOWHERE && b->end != NOWHERE;
}

/* The other refuses what ours accepts. */
static inline const char *opinion_alone(const struct opinion *b)
{
    for (size_t i = 0; i < STRICTER; i++)
        if (strcmp(stricter[i].error, b->error) == 0)
            return stricter[i].times++, NULL;
    return "the other refuses what ours accepts, for a reason that is not listed";
}

static inline const char *opinions_differ(const struct opinion *a, const struct opinion *b)
{
    if (a->head == NOWHERE && a->refused)
        return NULL;
    if (b->head == NOWHERE && b->refused)
        return a->head != NOWHERE && !a->no_body ? opinion_alone(b) : NULL;
    if (a->head != b->head)
        return "the head ends elsewhere";
    if (a->head == NOWHERE)
        return NULL;
    opinions.upgrade += b->upgrade;
    opinions.down += a->no_body && !b->upgrade;
    if (b->upgrade || a->no_body)
        return NULL;
    if (b->no_body)
        return opinion_alone(b);
    if (body_of(a) != body_of(b))
        return "the body is delimited otherwise";
    if (a->length != b->length)
        return "the body has another length";
    if (b->refused && a->end != NOWHERE)
        return opinion_alone(b);
    if (!a->refused && !b->refused && a->end != b->end)
        return "the message ends elsewhere";
    opinion_count(a, b);
    return NULL;
}

static inline void opinion_say(const char *who, const struct opinion *o)
{
    static const char *const bodies[] = {"none", "length", "chunked", "close"};
    fprintf(stderr, "%s: head %zd, %s %llu, end %zd%s%s %s\n", who, (ssize_t)o->head,
            bodies[o->body], (unsigned long long)o->length, (ssize_t)o->end,
            o->refused ? ", refused" : "", o->upgrade ? ", upgrade" : "",
            o->refused && o->error ? o->error : "");
}

static const char *fuzz_judge(const uint8_t *data, size_t n)
{
    if (n < 2)
        return NULL;
    enum kind kind = data[0] % KINDS;
    const char *p = (const char *)data + 1, *end = (const char *)data + n;
    struct http1 h;
    http1_init(&h, kind == REQUEST ? HTTP1_REQUEST : HTTP1_RESPONSE, false);
    opinions.streams++;
    for (; p < end;) {
        struct opinion a = our_scan(&h, kind, p, (size_t)(end - p)),
                       b = other_scan(kind, p, (size_t)(end - p));
        opinion_unread(&b);
        const char *why = opinions_differ(&a, &b);
        if (why) {
            fprintf(stderr, "at %zu\n", (size_t)(p - (const char *)data));
            opinion_say("ours", &a);
            opinion_say("the other's", &b);
            return why;
        }
        if (a.refused || a.end == NOWHERE || b.refused || b.upgrade)
            return NULL;
        p += a.end;
    }
    return NULL;
}

/* Far fewer of libFuzzer's inputs are messages than of ours. */
#ifdef FUZZ_LIBFUZZER
#define SHARE 1000
#else
#define SHARE 20
#endif

static const char *fuzz_enough(unsigned long n)
{
    unsigned long heads = opinions.streams / SHARE, some = heads / 50;
    fprintf(
        stderr,
        "# %s: %lu streams; both accepted %lu heads (%lu of a length, %lu chunked, %lu until "
        "close) and %lu whole messages; %lu upgrades, %lu times ours stood down with the head\n",
        FUZZ_NAME, opinions.streams, opinions.heads, opinions.lengths, opinions.chunked,
        opinions.close, opinions.ends, opinions.upgrade, opinions.down);
    for (size_t i = 0; i < STRICTER; i++)
        if (stricter[i].times)
            fprintf(stderr, "# ours alone: %lu %s (%s)\n", stricter[i].times, stricter[i].error,
                    stricter[i].because);
    if (n < 10000) /* a replay */
        return NULL;
    if (opinions.heads < heads || opinions.ends < heads / 2 || opinions.lengths < some ||
        opinions.chunked < some || opinions.close < some)
        return "too little was compared";
    return NULL;
}

static void add_case(const char *file, struct wire_case *w)
{
    (void)file;
    const struct stream *s = &w->stream;
    if (!s->proxy && (s->direction == HTTP1_REQUEST || s->answers != HTTP1_M_CONNECT))
        stream_seed(s->direction == HTTP1_REQUEST ? REQUEST
                    : s->answers == HTTP1_M_HEAD  ? RESPONSE_TO_HEAD
                                                  : RESPONSE,
                    s->p, s->n);
}

static const char *fuzz_seeds(void)
{
    static const struct {
        enum kind kind;
        const char *text;
    } more[] = {
        {REQUEST, "GET /a?b=c HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\nGET / HTTP/1.1\r\n\r\n"},
        {REQUEST,
         "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcdeGET / HTTP/1.1\r\n\r\n"},
        {REQUEST, "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\nA;x=y\r\n"
                  "0123456789\r\n0\r\nX: y\r\n\r\nGET / HTTP/1.1\r\n\r\n"},
        {REQUEST, "PUT / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"},
        {REQUEST, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "1a\r\nabcdefghijklmnopqrstuvwxyz\r\n010;x\r\n0123456789012345\r\n000\r\n\r\nGET "
                  "/ HTTP/1.1\r\n\r\n"},
        {RESPONSE,
         "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nabcdefghijklHTTP/1.1 304 No\r\n\r\n"},
        /* Other sizes end here, too: a wrong one is another answer, not a refusal. */
        {REQUEST, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "1a\r\n0123456789\r\n0\r\n\r\nGET / HTT\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n"},
        {REQUEST, "POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n"},
        {REQUEST, "OPTIONS * HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"},
        {REQUEST, "\r\nGET / HTTP/1.1\r\nA:b\r\nC: \r\nD:\te \r\n\r\n"},
        {RESPONSE, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 204 No\r\n\r\n"},
        {RESPONSE, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"},
        {RESPONSE,
         "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"},
        {RESPONSE, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"},
        {RESPONSE, "HTTP/1.0 200 OK\r\nServer: x\r\n\r\nuntil it closes"},
        {RESPONSE, "HTTP/1.1 500\r\nContent-Length: 0\r\n\r\n"},
        {RESPONSE_TO_HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"},
        {RESPONSE_TO_HEAD, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"}};
    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
        stream_seed((uint8_t)more[i].kind, more[i].text, strlen(more[i].text));
    return stream_cases(add_case);
}

#endif
