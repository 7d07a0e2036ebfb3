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

/* Sixteen bytes at once. A test of them has 0xff where a byte passes. */
typedef uint8_t block __attribute__((vector_size(16)));
typedef int8_t signed_block __attribute__((vector_size(16)));
typedef uint64_t pair __attribute__((vector_size(16)));

static inline block between(block v, uint8_t from, uint8_t to)
{
    return (block)(v - from <= (uint8_t)(to - from));
}

static inline block is_safe(block v)
{
    return between(v, ' ', '~') | (block)(v == '\t');
}

/* All that is safe but HTAB: one comparison, as signed bytes. */
static inline block is_print(block v)
{
    return (block)((signed_block)(v + 1) > ' ');
}

static inline block is_visible(block v)
{
    return between(v, '!', '~');
}

static inline block is_digit(block v)
{
    return between(v, '0', '9');
}

static inline block is_lhex(block v)
{
    return between(v, '0', '9') | between(v, 'a', 'f');
}

static inline block is_hex(block v)
{
    return between(v, '0', '9') | between(v | 0x20, 'a', 'f');
}

static inline bool passed(block v)
{
    pair both = (pair)v;
    return (both[0] & both[1]) == UINT64_MAX;
}

static inline block load(const char *p)
{
    block v;
    memcpy(&v, p, sizeof(v));
    return v;
}

/* Fewer than 16 bytes: each of them somewhere, and nothing else. */
static inline block load_short(const char *p, size_t n)
{
    const uint64_t ones = 0x0001000100010001u;
    pair v;
    if (n >= 8) {
        memcpy(&v, p, 8);
        memcpy((char *)&v + 8, p + n - 8, 8);
    } else if (n >= 4) {
        uint32_t a, b;
        memcpy(&a, p, 4);
        memcpy(&b, p + n - 4, 4);
        v = (pair){(uint64_t)a << 32 | b, (uint64_t)a << 32 | b};
    } else {
        uint8_t a = (uint8_t)p[0], b = (uint8_t)p[n / 2], c = (uint8_t)p[n - 1];
        v = (pair){ones * (uint64_t)(a << 8 | b), ones * (uint64_t)(b << 8 | c)};
    }
    return (block)v;
}

/* Do all bytes, of which there must be one, pass? */
static inline __attribute__((always_inline)) bool every(struct span s, block (*test)(block))
{
    if (s.n < 16)
        return s.n > 0 && passed(test(load_short(s.p, s.n)));
    block good = test(load(s.p + s.n - 16));
    for (size_t i = 0; i + 16 < s.n; i += 16)
        good &= test(load(s.p + i));
    return passed(good);
}

bool valid_safe(struct span s)
{
    return every(s, is_print) || every(s, is_safe); /* HTAB is rare */
}

bool valid_token(struct span s)
{
    uint8_t common = TOKEN; /* no branch a byte: names are nearly always good */
    for (size_t i = 0; i < s.n; i++)
        common &= kinds[(uint8_t)s.p[i]];
    return common && s.n > 0;
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

/* --- grammars ------------------------------------------------------------------------------- */

/* W3C Trace Context 3.2: 2-32-16-2 lower-case hex; version 00 ends there, later ones may go on with
 * "-"; ff and zero ids are invalid. */
static bool traceparent(struct span s)
{
    const char *p = s.p;
    if (s.n < 55 || p[2] != '-' || p[35] != '-' || p[52] != '-')
        return false;
    block high = load(p + 3), low = load(p + 19), parent = load(p + 36);
    if (!passed(is_lhex(high) & is_lhex(low) & is_lhex(parent)) ||
        passed((block)((high | low) == '0')) || passed((block)(parent == '0')))
        return false;
    if (!is(p[0], LHEX) || !is(p[1], LHEX) || !is(p[53], LHEX) || !is(p[54], LHEX) ||
        (p[0] == 'f' && p[1] == 'f'))
        return false;
    return s.n == 55 || ((p[0] != '0' || p[1] != '0') && p[55] == '-' && valid_safe(s));
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
static bool strict_tracestate(struct span s)
{
    unsigned members = 0;
    if (!valid_safe(s))
        return false;
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

static bool id16(const char *p)
{
    return passed(is_hex(load(p)));
}

/* 0, 1, d, or traceid-spanid[-flag[-parent]] (openzipkin b3-propagation). */
static bool b3(struct span s)
{
    if (s.n == 1)
        return s.p[0] == '0' || s.p[0] == '1' || s.p[0] == 'd';
    size_t id = s.n > 16 && s.p[16] == '-' ? 16 : 32, ids = id + 1 + 16;
    if (s.n < ids || s.p[id] != '-' || !id16(s.p) || !id16(s.p + id - 16) || !id16(s.p + id + 1))
        return false;
    s = (struct span){s.p + ids, s.n - ids};
    if (!s.n)
        return true;
    if (!eat(&s, '-') || !(eat(&s, '0') || eat(&s, '1') || eat(&s, 'd')))
        return false;
    return !s.n || (s.n == 17 && s.p[0] == '-' && id16(s.p + 1));
}

static bool boolean(struct span s)
{
    return span_eq(s, SPAN("0")) || span_eq(s, SPAN("1")) || span_ieq(s, SPAN("true")) ||
           span_ieq(s, SPAN("false"));
}

static bool uint64(struct span s)
{
    static const char max[] = "18446744073709551615";
    if (s.n > 20 || !every(s, is_digit))
        return false;
    return s.n < 20 || memcmp(s.p, max, 20) <= 0;
}

static bool priority(struct span s)
{
    return span_eq(s, SPAN("-1")) || (s.n == 1 && s.p[0] >= '0' && s.p[0] <= '2');
}

static bool sw8(struct span s)
{
    if (!valid_safe(s))
        return false;
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

static bool visible(struct span s)
{
    return every(s, is_visible);
}

static bool hex32(struct span s)
{
    return s.n <= 32 && every(s, is_hex);
}

static bool hex16(struct span s)
{
    return s.n <= 16 && every(s, is_hex);
}

static bool hex16_32(struct span s)
{
    return (s.n == 16 || s.n == 32) && every(s, is_hex);
}

static bool digits(struct span s)
{
    return s.n <= 20 && every(s, is_digit);
}

/* Most grammars have no byte that is not safe: only the others ask for that, too. */
bool valid_value(enum valid v, struct span s, bool strict)
{
    static bool (*const checks[])(struct span) = {
        [VALID_SAFE] = valid_safe,
        [VALID_VISIBLE] = visible,
        [VALID_TRACEPARENT] = traceparent,
        [VALID_TRACESTATE] = valid_safe,
        [VALID_B3] = b3,
        [VALID_HEX32] = hex32,
        [VALID_HEX16] = hex16,
        [VALID_HEX16_32] = hex16_32,
        [VALID_BOOL] = boolean,
        [VALID_DIGITS] = digits,
        [VALID_UINT64] = uint64,
        [VALID_PRIORITY] = priority,
        [VALID_SW8] = sw8,
        [VALID_GCP] = gcp,
        [VALID_JAEGER] = jaeger,
        [VALID_SENTRY] = sentry,
    };
    return v == VALID_TRACESTATE && strict ? strict_tracestate(s) : checks[v](s);
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
