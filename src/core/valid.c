/* SPDX-License-Identifier: Apache-2.0 */
/* valid: see valid.h. Each grammar is a cursor that eats what it expects. */
#include "valid.h"

/* Eight bytes at a time: none below 0x20 (HTAB is left to the slow way), none above 0x7e. */
static bool word_plain(uint64_t w)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    return !(((w - ones * 0x20) | (w + ones)) & tops) && !(w & tops);
}

static bool safe(struct span s)
{
    size_t i = 0;
    for (uint64_t w; s.n - i >= 8; i += 8) {
        memcpy(&w, s.p + i, 8);
        if (!word_plain(w))
            break;
    }
    for (; i < s.n; i++) {
        uint8_t c = (uint8_t)s.p[i];
        if ((c < 0x20 && c != '\t') || c > 0x7e)
            return false;
    }
    return s.n > 0;
}

bool valid_token(struct span s)
{
    static const uint32_t bits[4] = {0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff};
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = (uint8_t)s.p[i];
        if (c > 127 || !(bits[c >> 5] >> (c & 31) & 1))
            return false;
    }
    return s.n > 0;
}

/* --- cursor --------------------------------------------------------------------------------- */

/* Kinds of bytes, as bits of a table: a value is looked at byte by byte here and nowhere else. */
enum { DIGIT = 1, LOWER_HEX = 2, ANY_HEX = 4, KEY = 8, STATE = 16 };

#define PLAIN STATE
#define KEYS  (KEY | STATE)
static const uint8_t kinds[256] = {
    [' ' ... ')'] = PLAIN,       ['*'] = KEYS,          ['+'] = PLAIN,
    ['-'] = KEYS,                ['.'] = PLAIN,         ['/'] = KEYS,
    ['0' ... '9'] = DIGIT | LOWER_HEX | ANY_HEX | KEYS, [':' ... '<'] = PLAIN,
    ['>' ... '?'] = PLAIN,       ['@'] = KEYS,          ['A' ... 'F'] = ANY_HEX | PLAIN,
    ['G' ... '^'] = PLAIN,       ['_'] = KEYS,          ['`'] = PLAIN,
    ['a' ... 'f'] = LOWER_HEX | ANY_HEX | KEYS,         ['g' ... 'z'] = KEYS,
    ['{' ... '~'] = PLAIN,
};

static bool is(char c, unsigned kind)
{
    return kinds[(uint8_t)c] & kind;
}

/* Eat the longest run of a kind of byte; @return its length. */
static size_t run(struct span *s, unsigned kind)
{
    size_t n = 0;
    while (n < s->n && is(s->p[n], kind))
        n++;
    *s = (struct span){s->p + n, s->n - n};
    return n;
}

static bool eat(struct span *s, char c)
{
    if (!s->n || s->p[0] != c)
        return false;
    *s = (struct span){s->p + 1, s->n - 1};
    return true;
}

static bool all(struct span s, unsigned kind, size_t min, size_t max)
{
    size_t n = run(&s, kind);
    return s.n == 0 && n >= min && n <= max;
}

static bool only_zero(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != '0')
            return false;
    return true;
}

/* --- grammars ------------------------------------------------------------------------------- */

static bool visible(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ')
            return false;
    return true;
}

/* W3C Trace Context 3.2: 2-32-16-2 lower-case hex; version 00 ends there, later ones may go on with
 * "-"; ff and zero ids are invalid. */
static bool traceparent(struct span s)
{
    const char *p = s.p;
    if (s.n < 55 || run(&s, LOWER_HEX) != 2 || !eat(&s, '-') || run(&s, LOWER_HEX) != 32 ||
        !eat(&s, '-') || run(&s, LOWER_HEX) != 16 || !eat(&s, '-') || run(&s, LOWER_HEX) != 2)
        return false;
    if (memcmp(p, "ff", 2) == 0 || only_zero(p + 3, 32) || only_zero(p + 36, 16))
        return false;
    return s.n == 0 || (memcmp(p, "00", 2) != 0 && s.p[0] == '-');
}

static void ows(struct span *s)
{
    while (eat(s, ' ') || eat(s, '\t'))
        ;
}

/* key=value; key [a-z0-9][a-z0-9_*@/-]{0,255}, value 1 to 256 bytes that does not end in a space. */
static bool member(struct span *s)
{
    if (!s->n || !is(s->p[0], KEY) || (!is(s->p[0], DIGIT) && s->p[0] < 'a'))
        return false;
    size_t n = run(s, KEY);
    if (n > 256 || !eat(s, '='))
        return false;
    n = run(s, STATE);
    return n >= 1 && n <= 256;
}

static bool same_key(struct span all_members, const char *key, size_t n)
{
    size_t seen = 0;
    for (size_t i = 0; i + n < all_members.n; i++)
        if ((i == 0 || all_members.p[i - 1] == ',' || all_members.p[i - 1] == ' ' ||
             all_members.p[i - 1] == '\t') &&
            memcmp(all_members.p + i, key, n) == 0 && all_members.p[i + n] == '=')
            seen++;
    return seen > 1;
}

/* W3C Trace Context 3.3, for `strict` only: grammar, 32 members, no key twice. */
static bool tracestate(struct span s)
{
    struct span whole = s;
    unsigned members = 0;
    for (;;) {
        ows(&s);
        if (s.n && s.p[0] != ',') {
            const char *key = s.p;
            size_t n = 0;
            while (n < s.n && key[n] != '=')
                n++;
            if (!member(&s) || ++members > 32 || same_key(whole, key, n))
                return false;
            ows(&s);
        }
        if (!s.n)
            return members > 0;
        if (!eat(&s, ','))
            return false;
    }
}

/* 0, 1, d, or traceid-spanid[-flag[-parent]] (openzipkin b3-propagation). */
static bool b3(struct span s)
{
    if (s.n == 1)
        return s.p[0] == '0' || s.p[0] == '1' || s.p[0] == 'd';
    size_t id = run(&s, ANY_HEX);
    if ((id != 32 && id != 16) || !eat(&s, '-') || run(&s, ANY_HEX) != 16)
        return false;
    if (!s.n)
        return true;
    if (!eat(&s, '-') || !(eat(&s, '0') || eat(&s, '1') || eat(&s, 'd')))
        return false;
    return !s.n || (eat(&s, '-') && run(&s, ANY_HEX) == 16 && !s.n);
}

static bool boolean(struct span s)
{
    return span_eq(s, SPAN("0")) || span_eq(s, SPAN("1")) || span_ieq(s, SPAN("true")) ||
           span_ieq(s, SPAN("false"));
}

static bool uint64(struct span s)
{
    static const char max[] = "18446744073709551615";
    if (!all(s, DIGIT, 1, 20))
        return false;
    return s.n < 20 || memcmp(s.p, max, 20) <= 0;
}

static bool priority(struct span s)
{
    return span_eq(s, SPAN("-1")) || (s.n == 1 && s.p[0] >= '0' && s.p[0] <= '2');
}

static bool sw8(struct span s)
{
    unsigned dashes = 0;
    for (size_t i = 0; i < s.n; i++)
        dashes += s.p[i] == '-';
    return dashes == 7 && s.n > 1 && (s.p[0] == '0' || s.p[0] == '1') && s.p[1] == '-';
}

/* 32hex [/decimal] [;o=digits] */
static bool gcp(struct span s)
{
    if (run(&s, ANY_HEX) != 32)
        return false;
    if (eat(&s, '/') && !run(&s, DIGIT))
        return false;
    if (eat(&s, ';') && !(eat(&s, 'o') && eat(&s, '=') && run(&s, DIGIT)))
        return false;
    return s.n == 0;
}

static bool colon(struct span *s)
{
    if (eat(s, ':'))
        return true;
    return eat(s, '%') && eat(s, '3') && (eat(s, 'A') || eat(s, 'a'));
}

static bool jaeger(struct span s)
{
    size_t id = run(&s, ANY_HEX);
    return id >= 1 && id <= 32 && colon(&s) && run(&s, ANY_HEX) && colon(&s) && run(&s, ANY_HEX) &&
           colon(&s) && run(&s, ANY_HEX) && !s.n;
}

static bool sentry(struct span s)
{
    if (run(&s, ANY_HEX) != 32 || !eat(&s, '-') || run(&s, ANY_HEX) != 16)
        return false;
    return !s.n || (eat(&s, '-') && (eat(&s, '0') || eat(&s, '1')) && !s.n);
}

bool valid_value(enum valid v, struct span s, bool strict)
{
    if (!safe(s))
        return false;
    switch (v) {
    case VALID_SAFE:
        return true;
    case VALID_VISIBLE:
        return visible(s);
    case VALID_TRACEPARENT:
        return traceparent(s);
    case VALID_TRACESTATE:
        return !strict || tracestate(s);
    case VALID_B3:
        return b3(s);
    case VALID_HEX32:
        return all(s, ANY_HEX, 1, 32);
    case VALID_HEX16:
        return all(s, ANY_HEX, 1, 16);
    case VALID_HEX16_32:
        return all(s, ANY_HEX, 16, 32) && (s.n == 16 || s.n == 32);
    case VALID_BOOL:
        return boolean(s);
    case VALID_DIGITS:
        return all(s, DIGIT, 1, 20);
    case VALID_UINT64:
        return uint64(s);
    case VALID_PRIORITY:
        return priority(s);
    case VALID_SW8:
        return sw8(s);
    case VALID_GCP:
        return gcp(s);
    case VALID_JAEGER:
        return jaeger(s);
    case VALID_SENTRY:
        return sentry(s);
    }
    return false;
}
