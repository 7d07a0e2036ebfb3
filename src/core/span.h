/* SPDX-License-Identifier: Apache-2.0 */
/*
 * span: a pointer and a length, the only string type of this room.
 *
 * Rules of src/core: pure bytes. No state, no I/O, no allocation, no errno, no
 * libc but mem*. Everything here may be fuzzed, proved and reused alone.
 */
#ifndef TB_CORE_SPAN_H
#define TB_CORE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const char *p;
    size_t n;
};

/** A literal as a span. */
#define SPAN(lit) ((struct span){(lit), sizeof(lit) - 1})

static inline char span_lower(char c)
{
    return (c >= 'A' && c <= 'Z') ? (char)(c | 0x20) : c;
}

static inline uint64_t span_word(const char *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof(w));
    return w;
}

static inline uint32_t span_half(const char *p)
{
    uint32_t w;
    memcpy(&w, p, sizeof(w));
    return w;
}

/** memcpy() by a call. Where code is compiled for size, compilers copy a length that they do not
 * know by "rep movsb", which takes longer to begin than most names and values take to copy. */
extern void *span_copy(void *restrict to, const void *restrict from, size_t n) __asm__("memcpy");

/** Are these `n` bytes the same? By words, the last of which may overlap the one before: names are
 *  short, and a call of memcmp() is dear. */
static inline bool span_same(const char *a, const char *b, size_t n)
{
    size_t i = 0;
    if (n < 8) {
        if (n >= 4)
            return span_half(a) == span_half(b) && span_half(a + n - 4) == span_half(b + n - 4);
        while (i < n && a[i] == b[i])
            i++;
        return i == n;
    }
    for (; i + 8 < n; i += 8)
        if (span_word(a + i) != span_word(b + i))
            return false;
    return span_word(a + n - 8) == span_word(b + n - 8);
}

/** Equal, byte for byte. */
static inline bool span_eq(struct span a, struct span b)
{
    return a.n == b.n && span_same(a.p, b.p, a.n);
}

/** Where the first `c` is; s.n: nowhere. */
static inline size_t span_find(struct span s, char c)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    size_t i = 0;
    for (; s.n - i >= 8; i += 8) {
        uint64_t x = span_word(s.p + i) ^ ones * (uint8_t)c; /* a byte that is c is zero */
        if ((x - ones) & ~x & tops)
            break;
    }
    while (i < s.n && s.p[i] != c)
        i++;
    return i;
}

/** Equal but for the case of ASCII letters. */
static inline bool span_ieq(struct span a, struct span b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (span_lower(a.p[i]) != span_lower(b.p[i]))
            return false;
    return true;
}

#endif
