/* SPDX-License-Identifier: Apache-2.0 */
/* valid: see valid.h. Each grammar is a cursor that eats what it expects. */
#include "valid.h"

/* --- bytes ---------------------------------------------------------------------------------- */

enum kind {
    DIGIT = 1,
    LHEX = 2,   /* lower-case hex */
    HEX = 4,    /* hex of either case */
    KEY = 8,    /* of a tracestate key (W3C Trace Context, Level 2) */
    STATE = 16, /* of a tracestate value */
    TOKEN = 32  /* tchar, RFC 9110 5.6.2 */
};

static const uint8_t kinds[256] = {
    ['0' ... '9'] = DIGIT | LHEX | HEX | KEY | STATE | TOKEN,
    ['a' ... 'f'] = LHEX | HEX | KEY | STATE | TOKEN,
    ['g' ... 'z'] = KEY | STATE | TOKEN,
    ['A' ... 'F'] = HEX | STATE | TOKEN,
    ['G' ... 'Z'] = STATE | TOKEN,
    ['-'] = KEY | STATE | TOKEN,
    ['*'] = KEY | STATE | TOKEN,
    ['_'] = KEY | STATE | TOKEN,
    ['/'] = KEY | STATE,
    ['@'] = KEY | STATE,
    ['!'] = STATE | TOKEN,
    ['#' ... '\''] = STATE | TOKEN,
    ['+'] = STATE | TOKEN,
    ['.'] = STATE | TOKEN,
    ['^'] = STATE | TOKEN,
    ['`'] = STATE | TOKEN,
    ['|'] = STATE | TOKEN,
    ['~'] = STATE | TOKEN,
    [' '] = STATE,
    ['"'] = STATE,
    ['(' ... ')'] = STATE,
    [':' ... '<'] = STATE,
    ['>' ... '?'] = STATE,
    ['[' ... ']'] = STATE,
    ['{'] = STATE,
    ['}'] = STATE,
};

static bool is(char c, enum kind k)
{
    return kinds[(uint8_t)c] & k;
}

static bool safe_byte(char c)
{
    return (c >= ' ' && c <= '~') || c == '\t';
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Eight bytes at a time: surely all between space and ~? A tab says no; then each is looked at. */
static bool safe_word(const char *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof(w));
    return !(((w - EACH(' ')) | (w + EACH(1))) & EACH(0x80));
}

static bool safe(struct span s)
{
    size_t i = 0;
    while (s.n - i >= 8 && safe_word(s.p + i))
        i += 8;
    if (i > 0 && s.n - i < 8 && safe_word(s.p + s.n - 8))
        return true;
    while (i < s.n && safe_byte(s.p[i]))
        i++;
    return i == s.n && s.n > 0;
}

/* Eight bytes: all lower-case hex digits? Sums stay below 0x100 in each byte. */
static bool hex_word(const char *p)
{
    uint64_t w, tops = EACH(0x80);
    memcpy(&w, p, sizeof(w));
    uint64_t digit = (w + EACH(0x80 - '0')) & ~(w + EACH(0x7f - '9'));
    uint64_t letter = (w + EACH(0x80 - 'a')) & ~(w + EACH(0x7f - 'f'));
    return !(w & tops) && ((digit | letter) & tops) == tops;
}

/* Sixteen or thirty-two lower-case hex digits, as nearly all ids are. */
static bool hex_words(const char *p, size_t n)
{
    bool good = true;
    for (size_t i = 0; i < n; i += 8)
        good &= hex_word(p + i);
    return good;
}

static bool all(struct span s, enum kind k, size_t min, size_t max)
{
    if ((s.n == 16 || s.n == 32) && (k & (LHEX | HEX)) && hex_words(s.p, s.n))
        return s.n >= min && s.n <= max;
    uint8_t common = 0xff; /* no branch a byte: values are nearly always good */
    for (size_t i = 0; i < s.n; i++)
        common &= kinds[(uint8_t)s.p[i]];
    return (common & k) && s.n >= min && s.n <= max;
}

bool valid_token(struct span s)
{
    return all(s, TOKEN, 1, SIZE_MAX);
}

/* --- cursor --------------------------------------------------------------------------------- */

/* Eat the longest run of a kind of byte; @return its length. */
static size_t run(struct span *s, enum kind k)
{
    size_t n = 0;
    while (n < s->n && is(s->p[n], k))
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

/* Of 16 or 32 bytes. */
static bool only_zero(const char *p, size_t n)
{
    uint64_t differs = 0;
    for (size_t i = 0; i < n; i += 8) {
        uint64_t w;
        memcpy(&w, p + i, sizeof(w));
        differs |= w ^ EACH('0');
    }
    return !differs;
}

/* --- grammars ------------------------------------------------------------------------------- */

/* Of bytes that are safe: none is a space or a tab. */
static bool visible(struct span s)
{
    uint64_t w, low = 0;
    size_t i = 0;
    for (; s.n - i >= 8; i += 8) {
        memcpy(&w, s.p + i, sizeof(w));
        low |= w - EACH(' ' + 1);
    }
    for (; i < s.n; i++)
        if (s.p[i] <= ' ')
            return false;
    return !(low & EACH(0x80));
}

/* W3C Trace Context 3.2: 2-32-16-2 lower-case hex; version 00 ends there, later ones may go on with
 * "-"; ff and zero ids are invalid. */
static bool traceparent(struct span s)
{
    static const struct {
        uint8_t at, n;
    } hex[] = {{0, 2}, {3, 32}, {36, 16}, {53, 2}};
    const char *p = s.p;
    if (s.n < 55 || p[2] != '-' || p[35] != '-' || p[52] != '-')
        return false;
    for (int i = 0; i < 4; i++)
        if (!all((struct span){p + hex[i].at, hex[i].n}, LHEX, 0, 32))
            return false;
    if (memcmp(p, "ff", 2) == 0 || only_zero(p + 3, 32) || only_zero(p + 36, 16))
        return false;
    return s.n == 55 || (memcmp(p, "00", 2) != 0 && p[55] == '-');
}

static void ows(struct span *s)
{
    while (eat(s, ' ') || eat(s, '\t'))
        ;
}

/* key=value; key [a-z0-9][a-z0-9_*@/-]{0,255}, value of 1 to 256 bytes, no space at its end. */
static bool member(struct span *s)
{
    const char *key = s->p;
    size_t n = run(s, KEY);
    if (n < 1 || n > 256 || !(is(key[0], DIGIT) || (key[0] >= 'a' && key[0] <= 'z')) ||
        !eat(s, '='))
        return false;
    const char *value = s->p;
    n = run(s, STATE);
    while (n > 0 && value[n - 1] == ' ')
        n--;
    return n >= 1 && n <= 256;
}

/* Does a later member have this key, too? No value holds "=": what is before one is a key. */
static bool again(struct span rest, struct span key)
{
    for (size_t i = 1; i + key.n < rest.n; i++)
        if ((rest.p[i - 1] == ',' || rest.p[i - 1] == ' ' || rest.p[i - 1] == '\t') &&
            rest.p[i + key.n] == '=' && memcmp(rest.p + i, key.p, key.n) == 0)
            return true;
    return false;
}

/* W3C Trace Context 3.3, for `strict` only: grammar, 32 members, no key twice. */
static bool tracestate(struct span s)
{
    unsigned members = 0;
    for (;;) {
        ows(&s);
        if (s.n && s.p[0] != ',') {
            struct span key = s;
            if (!member(&s) || ++members > 32)
                return false;
            for (key.n = 0; key.p[key.n] != '=';)
                key.n++;
            if (s.n && again(s, key))
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
    size_t id = run(&s, HEX);
    if ((id != 32 && id != 16) || !eat(&s, '-') || run(&s, HEX) != 16)
        return false;
    if (!s.n)
        return true;
    if (!eat(&s, '-') || !(eat(&s, '0') || eat(&s, '1') || eat(&s, 'd')))
        return false;
    return !s.n || (eat(&s, '-') && run(&s, HEX) == 16 && !s.n);
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
    if (run(&s, HEX) != 32)
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
    size_t id = run(&s, HEX);
    return id >= 1 && id <= 32 && colon(&s) && run(&s, HEX) && colon(&s) && run(&s, HEX) &&
           colon(&s) && run(&s, HEX) && !s.n;
}

static bool sentry(struct span s)
{
    if (run(&s, HEX) != 32 || !eat(&s, '-') || run(&s, HEX) != 16)
        return false;
    return !s.n || (eat(&s, '-') && (eat(&s, '0') || eat(&s, '1')) && !s.n);
}

/* Grammars whose bytes are all safe need no other look at them. */
static bool grammar(enum valid v, struct span s)
{
    switch (v) {
    case VALID_B3:
        return b3(s);
    case VALID_HEX32:
        return all(s, HEX, 1, 32);
    case VALID_HEX16:
        return all(s, HEX, 1, 16);
    case VALID_HEX16_32:
        return all(s, HEX, 16, 32) && (s.n == 16 || s.n == 32);
    case VALID_BOOL:
        return boolean(s);
    case VALID_DIGITS:
        return all(s, DIGIT, 1, 20);
    case VALID_UINT64:
        return uint64(s);
    case VALID_PRIORITY:
        return priority(s);
    case VALID_GCP:
        return gcp(s);
    case VALID_JAEGER:
        return jaeger(s);
    default:
        return sentry(s);
    }
}

bool valid_value(enum valid v, struct span s, bool strict)
{
    switch (v) {
    case VALID_SAFE:
        return safe(s);
    case VALID_VISIBLE:
        return safe(s) && visible(s);
    case VALID_TRACEPARENT:
        return traceparent(s) && (s.n == 55 || safe(s));
    case VALID_TRACESTATE:
        return safe(s) && (!strict || tracestate(s));
    case VALID_SW8:
        return safe(s) && sw8(s);
    default:
        return grammar(v, s);
    }
}

size_t valid_members(struct span list, size_t max)
{
    size_t n = list.n;
    if (n <= max)
        return n;
    while (n > max) {
        while (n > 0 && list.p[n - 1] != ',')
            n--;
        n -= n > 0;
    }
    while (n > 0 && (list.p[n - 1] == ',' || list.p[n - 1] == ' ' || list.p[n - 1] == '\t'))
        n--;
    return n;
}
