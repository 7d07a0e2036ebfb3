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
            return "NUL in a head";
        if (p[i] == '\n' && (i == 0 || p[i - 1] != '\r'))
            return "bare LF in a head";
        if (p[i] == '\r' && (i + 1 == n || p[i + 1] != '\n'))
            return "bare CR in a head";
    }
    return n < 2 || p[n - 1] != '\n' ? "the last line of a head is not ended" : NULL;
}

static inline bool naive_token(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!p[i] || (!isalnum((uint8_t)p[i]) && !strchr("!#$%&'*+-.^_`|~", p[i])))
            return false;
    return n > 0;
}

static inline const char *naive_request_line(const char *line)
{
    const char *target = strchr(line, ' '), *version = target ? strchr(target + 1, ' ') : NULL;
    if (!version || !naive_token(line, (size_t)(target - line)) || target - line > 24 ||
        version == target + 1)
        return "not a request line";
    for (const char *p = target + 1; p < version; p++)
        if ((uint8_t)*p < 0x21 || *p == 0x7f)
            return "not a target";
    if (strncmp(version, " HTTP/1.", 8) != 0 || !isdigit((uint8_t)version[8]) || version[9])
        return "not the version of a request";
    if (strncmp(line, "CONNECT ", 8) == 0 || strncmp(line, "PRI ", 4) == 0)
        return "CONNECT or PRI";
    return NULL;
}

static inline const char *naive_status_line(const char *line)
{
    if (strncmp(line, "HTTP/1.", 7) != 0 || !isdigit((uint8_t)line[7]) || line[8] != ' ')
        return "not the version of a response";
    if (line[9] < '1' || line[9] > '9' || !isdigit((uint8_t)line[10]) ||
        !isdigit((uint8_t)line[11]) || (line[12] && line[12] != ' '))
        return "not a status";
    for (line += 12; *line; line++)
        if (((uint8_t)*line < 0x20 && *line != '\t') || *line == 0x7f)
            return "not a reason phrase";
    return NULL;
}

static inline bool naive_name(const char *line)
{
    size_t n = strcspn(line, ":");
    return line[n] == ':' && naive_token(line, n);
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
        return "length and transfer coding";
    if (!length)
        return NULL;
    char *v = line + 15 + strspn(line + 15, " \t"), *end = v + strspn(v, "0123456789");
    if (end == v || end[strspn(end, " \t")])
        return "a length that is none";
    *end = 0;
    while (*v == '0' && v[1])
        v++;
    if (strlen(v) > 20 || strtoull(v, NULL, 10) > UINT64_C(1) << 62 ||
        (f->length && strcmp(v, f->value) != 0))
        return "a huge length, or unequal lengths";
    strcpy(f->value, v);
    f->length = true;
    return NULL;
}

/** Judge a head that an insertion was, or was not, allowed into: from its first byte to before the
 *  CR of its empty line. @param lines  its field lines; -1: unknown.
 *  @return NULL: fine, else what is wrong. */
static inline const char *naive_head(bool request, const char *p, size_t n, long lines)
{
    static char line[70000];
    struct naive_framing f = {0};
    const char *why = naive_bytes(p, n);
    long seen = 0;
    if (why)
        return why;
    long len = naive_line(p, n, line, sizeof(line));
    why = request ? naive_request_line(line) : naive_status_line(line);
    bool old = !why && line[request ? len - 1 : 7] == '0';
    for (size_t at = (size_t)len + 2; !why && at < n; at += (size_t)len + 2, seen++) {
        len = naive_line(p + at, n - at, line, sizeof(line));
        if (len == 0)
            return "an empty line inside of a head";
        if (line[0] != ' ' && line[0] != '\t')
            why = naive_name(line) ? naive_field(&f, line) : "a line without a valid name";
        else if (seen == 0 || f.last || !line[strspn(line, " \t")])
            why = "a continuation line that changes the framing, or of nothing";
    }
    if (!why && f.te && old)
        return "a transfer coding in HTTP/1.0";
    return !why && lines >= 0 && seen != lines ? "lines were counted wrongly" : why;
}

/* The size of "SIZE [;extension]"; -1: it is none. */
static inline long long naive_size(const char *line, size_t n)
{
    size_t digits = strspn(line, "0123456789abcdefABCDEF");
    size_t at = digits + strspn(line + digits, " \t");
    if (digits == 0 || digits > 16 || (at < n && line[at] != ';') || n - digits > 4096)
        return -1;
    for (; at < n; at++)
        if (((uint8_t)line[at] < 0x20 && line[at] != '\t') || line[at] == 0x7f)
            return -1;
    unsigned long long size = strtoull(line, NULL, 16);
    return size < UINT64_C(1) << 62 ? (long long)size : -1;
}

/** @return how long a chunked body is, its last CRLF included; SIZE_MAX: it is malformed or does
 *  not end. */
static inline size_t naive_chunks(const char *p, size_t n)
{
    static char line[70000];
    size_t at = 0;
    for (long long size = 1; size > 0; at += size ? (size_t)size + 2 : 0) {
        long len = naive_line(p + at, n - at, line, sizeof(line));
        size = len < 0 ? -1 : naive_size(line, (size_t)len);
        if (size < 0)
            return SIZE_MAX;
        at += (size_t)len + 2;
        if (size && ((size_t)size + 2 > n - at || memcmp(p + at + size, "\r\n", 2) != 0))
            return SIZE_MAX;
    }
    for (long len = 1; len > 0; at += (size_t)len + 2) {
        len = naive_line(p + at, n - at, line, sizeof(line));
        if (len < 0 || (len > 0 && (naive_bytes(p + at, (size_t)len + 2) || !naive_name(line))))
            return SIZE_MAX;
    }
    return at;
}

#endif
