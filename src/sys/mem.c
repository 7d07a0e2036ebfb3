/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem: hidden memcpy and friends. The compiler calls them on its own; a strong
 * reference to libc's would kill a program that has no libc, and a weak one
 * cannot be tested before each such call. Built with
 * -fno-tree-loop-distribute-patterns, so that they do not call themselves.
 */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *p, int c, size_t n);
size_t strlen(const char *s);
int bcmp(const void *a, const void *b, size_t n);

typedef uint64_t __attribute__((may_alias, aligned(1))) word;
typedef uint32_t __attribute__((may_alias, aligned(1))) half;
typedef uint64_t __attribute__((vector_size(16))) vector;
typedef vector __attribute__((may_alias, aligned(1))) pair;

/* Fewer than 16 bytes: two copies that may overlap. */
static inline void copy_short(char *d, const char *s, size_t n)
{
    if (n >= 8) {
        word a = *(const word *)s, b = *(const word *)(s + n - 8);
        *(word *)d = a;
        *(word *)(d + n - 8) = b;
    } else if (n >= 4) {
        half a = *(const half *)s, b = *(const half *)(s + n - 4);
        *(half *)d = a;
        *(half *)(d + n - 4) = b;
    } else {
        while (n--)
            *d++ = *s++;
    }
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    char *d = to;
    const char *s = from;
    if (n < 16) {
        copy_short(d, s, n);
        return to;
    }
    pair last = *(const pair *)(s + n - 16);
    char *end = d + n - 16;
    for (; d < end; d += 16, s += 16)
        *(pair *)d = *(const pair *)s;
    *(pair *)end = last;
    return to;
}

void *memmove(void *to, const void *from, size_t n)
{
    char *d = to;
    const char *s = from;
    if ((uintptr_t)d - (uintptr_t)s >= n) {
        for (; n >= sizeof(word); n -= sizeof(word), d += sizeof(word), s += sizeof(word))
            *(word *)d = *(const word *)s;
        while (n--)
            *d++ = *s++;
        return to;
    }
    while (n--)
        d[n] = s[n];
    return to;
}

void *memset(void *to, int c, size_t n)
{
    char *d = to;
    word w = 0x0101010101010101u * (uint8_t)c;
    pair p = {w, w};
    for (; n >= sizeof(pair); n -= sizeof(pair), d += sizeof(pair))
        *(pair *)d = p;
    while (n--)
        *d++ = (char)c;
    return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;
    for (; n >= sizeof(word) && *(const word *)x == *(const word *)y; n -= sizeof(word)) {
        x += sizeof(word);
        y += sizeof(word);
    }
    for (; n; n--, x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

void *memchr(const void *p, int c, size_t n)
{
    const uint8_t *s = p;
    for (; n; n--, s++)
        if (*s == (uint8_t)c)
            return (void *)(uintptr_t)s;
    return NULL;
}

size_t strlen(const char *s)
{
    size_t n = 0;
    while (s[n])
        n++;
    return n;
}

/* clang makes this of memcmp() == 0. */
int bcmp(const void *a, const void *b, size_t n)
{
    return memcmp(a, b, n);
}
