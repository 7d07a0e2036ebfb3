/* SPDX-License-Identifier: Apache-2.0 */
/*
 * naive: the rules of a message head and of the chunked coding once more, the
 * obvious way over a whole buffer: no states, no speed, nothing in common with
 * src/core/http1*.c. Where the scanner allowed an insertion or saw an end, this
 * must agree.
 */
#ifndef TB_TESTS_WIRE_NAIVE_H
#define TB_TESTS_WIRE_NAIVE_H

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* One line without its CRLF as a string in `to`; what is longer than `cap` is cut.
 * @return the length of the line, or -1 where no CRLF is left. */
static inline long naive_line(const char *p, size_t n, char *to, size_t cap)
{
    const char *end = memmem(p, n, "\r\n", 2);
    if (!end)
        return -1;
    size_t len = (size_t)(end - p), kept = len < cap - 1 ? len : cap - 1;
    memcpy(to, p, kept);
    to[kept] = 0;
    return (long)len;
}

static inline const char *naive_bytes(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] == 0)
            return "NUL in an accepted head";
        if (p[i] == '\n' && (i == 0 || p[i - 1] != '\r'))
            return "bare LF in an accepted head";
        if (p[i] == '\r' && (i + 1 == n || p[i + 1] != '\n'))
            return "bare CR in an accepted head";
    }
    return n < 2 || p[n - 1] != '\n' ? "the last line of an accepted head is not ended" : NULL;
}

static inline const char *naive_start(bool request, const char *line, size_t n)
{
    unsigned spaces = 0;
    for (size_t i = 0; i < n; i++)
        spaces += line[i] == ' ';
    if (!request)
        return strncmp(line, "HTTP/1.", 7) || !isdigit((uint8_t)line[7]) || line[8] != ' ' ||
                       !isdigit((uint8_t)line[9]) || !isdigit((uint8_t)line[10]) ||
                       !isdigit((uint8_t)line[11])
                   ? "not a status line"
                   : NULL;
    if (spaces != 2 || n < 12 || memcmp(line + n - 9, " HTTP/1.", 8) != 0 ||
        !isdigit((uint8_t)line[n - 1]) || line[0] == ' ' || line[n - 10] == ' ')
        return "not a request line";
    if (strncmp(line, "CONNECT ", 8) == 0 || strncmp(line, "PRI ", 4) == 0)
        return "CONNECT or PRI was accepted";
    return NULL;
}

static inline bool naive_name(const char *line)
{
    size_t n = strcspn(line, ":");
    for (size_t i = 0; i < n; i++)
        if (!isalnum((uint8_t)line[i]) && !strchr("!#$%&'*+-.^_`|~", line[i]))
            return false;
    return n > 0 && line[n] == ':';
}

/* What framing was seen so far. */
struct naive_framing {
    bool te, length, last; /* last: the line before was one of them */
    char value[64];
};

static inline const char *naive_field(struct naive_framing *f, char *line)
{
    bool te = strncasecmp(line, "transfer-encoding:", 18) == 0;
    bool length = strncasecmp(line, "content-length:", 15) == 0;
    f->te |= te;
    f->last = te || length;
    if (f->te && (f->length || length))
        return "length and transfer coding were accepted";
    if (!length)
        return NULL;
    char *v = line + 15 + strspn(line + 15, " \t"), *end = v + strspn(v, "0123456789");
    if (end == v || end[strspn(end, " \t")])
        return "a length that is none was accepted";
    *end = 0;
    while (*v == '0' && v[1])
        v++;
    if (strlen(v) > 20 || strtoull(v, NULL, 10) > UINT64_C(1) << 62 ||
        (f->length && strcmp(v, f->value) != 0))
        return "a huge length, or unequal lengths, were accepted";
    strcpy(f->value, v);
    f->length = true;
    return NULL;
}

/** Judge a head that an insertion was allowed into: from its first byte to before the CR of its
 *  empty line. @return NULL: fine, else what is wrong. */
static inline const char *naive_head(bool request, const char *p, size_t n, unsigned lines)
{
    static char line[70000];
    struct naive_framing f = {0};
    const char *why = naive_bytes(p, n);
    unsigned seen = 0;
    if (why)
        return why;
    long len = naive_line(p, n, line, sizeof(line));
    why = naive_start(request, line, (size_t)len);
    bool old = line[request ? len - 1 : 7] == '0';
    for (size_t at = (size_t)len + 2; !why && at < n; at += (size_t)len + 2, seen++) {
        len = naive_line(p + at, n - at, line, sizeof(line));
        if (len == 0)
            return "an empty line inside of an accepted head";
        if (line[0] != ' ' && line[0] != '\t')
            why = naive_name(line) ? naive_field(&f, line) : "a line without a valid name";
        else if (seen == 0 || f.last || !line[strspn(line, " \t")])
            return "a continuation line that changes the framing, or of nothing";
    }
    if (!why && f.te && old)
        return "a transfer coding was accepted in HTTP/1.0";
    return !why && seen != lines ? "lines were counted wrongly" : why;
}

/** @return how long a chunked body is, its last CRLF included; SIZE_MAX: no end found. */
static inline size_t naive_chunks(const char *p, size_t n)
{
    char line[8192];
    size_t at = 0;
    for (unsigned long long size = 1; size > 0; at += size ? size + 2 : 0) {
        long len = at < n ? naive_line(p + at, n - at, line, sizeof(line)) : -1;
        if (len < 0 || !isxdigit((uint8_t)line[0]))
            return SIZE_MAX;
        size = strtoull(line, NULL, 16);
        at += (size_t)len + 2;
        if (size && (size > n || n - at < size + 2 || memcmp(p + at + size, "\r\n", 2) != 0))
            return SIZE_MAX;
    }
    for (long len = 1; len > 0; at += (size_t)len + 2) {
        len = naive_line(p + at, n - at, line, sizeof(line));
        if (len < 0)
            return SIZE_MAX;
    }
    return at;
}

#endif
