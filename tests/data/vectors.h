/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vectors: reads trace-context-vectors.tsv (its head describes the format). A
 * row's lines are decoded to bytes: the inbound header lines, the lines that the
 * application wrote itself, and the lines that must be added.
 */
#ifndef TB_TESTS_VECTORS_H
#define TB_TESTS_VECTORS_H

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VECTOR_LINES 48
#define VECTOR_BYTES 65536

struct vector_line {
    char *p;
    size_t n;
};

struct vector {
    char id[128];
    struct vector_line in[VECTOR_LINES], app[VECTOR_LINES], want[VECTOR_LINES];
    unsigned nin, napp, nwant;
    char *text; /* one allocation for all lines */
};

static inline size_t vector_escape(const char **at, char *out)
{
    const char *p = *at;
    static const char from[] = "tr0\\$", to[] = {'\t', '\r', 0, '\\', '$'};
    if (p[1] == 'x' && isxdigit((unsigned char)p[2]) && isxdigit((unsigned char)p[3])) {
        char hex[3] = {p[2], p[3], 0};
        *out = (char)strtol(hex, NULL, 16);
        *at = p + 4;
        return 1;
    }
    const char *f = p[1] ? strchr(from, p[1]) : NULL;
    if (!f) {
        *out = *p;
        *at = p + 1;
        return 1;
    }
    *out = to[f - from];
    *at = p + 2;
    return 1;
}

/* Decode one line ("\n" ends it). */
static inline size_t vector_decode(const char **at, char *out)
{
    size_t n = 0;
    const char *p = *at;
    while (*p && !(p[0] == '\\' && p[1] == 'n')) {
        char c;
        int count, end;
        if (sscanf(p, "${%c*%d}%n", &c, &count, &end) == 2 && n + (size_t)count < VECTOR_BYTES) {
            memset(out + n, c, (size_t)count);
            n += (size_t)count;
            p += end;
        } else if (*p == '\\') {
            n += vector_escape(&p, out + n);
        } else {
            out[n++] = *p++;
        }
    }
    *at = *p ? p + 2 : p;
    return n;
}

static inline void vector_lines(const char *s, char **text, struct vector_line *to, unsigned *n,
                                struct vector_line *app, unsigned *napp)
{
    if (strcmp(s, "(none)") == 0)
        return;
    while (*s) {
        bool own = strncmp(s, "> ", 2) == 0;
        s += own ? 2 : 0;
        struct vector_line l = {*text, vector_decode(&s, *text)};
        *text += l.n;
        if (own && app)
            app[(*napp)++] = l;
        else
            to[(*n)++] = l;
    }
}

/* The next row; false at the end of the file. */
static inline bool vector_next(FILE *f, struct vector *v)
{
    static char row[VECTOR_BYTES];
    while (fgets(row, sizeof(row), f)) {
        char *field[4] = {row, NULL, NULL, NULL}, *p = row;
        for (int i = 1; i < 4 && p; i++)
            if ((p = strchr(p, '\t')) != NULL)
                *p++ = 0, field[i] = p;
        if (row[0] == '#' || strcmp(row, "case_id") == 0 || !field[3])
            continue;
        memset(v, 0, sizeof(*v));
        snprintf(v->id, sizeof(v->id), "%s", field[0]);
        char *text = v->text = malloc(VECTOR_BYTES * 2);
        vector_lines(field[1], &text, v->in, &v->nin, v->app, &v->napp);
        vector_lines(field[2], &text, v->want, &v->nwant, NULL, NULL);
        return true;
    }
    return false;
}

/* Which switches a row needs. */
static inline bool vector_strict(const struct vector *v)
{
    return strncmp(v->id, "strict.", 7) == 0;
}

/* Is the line of `n` bytes at p one of the wanted ones not yet seen? Order is free. */
static inline bool vector_wants(const struct vector *v, const char *p, size_t n, bool *seen)
{
    for (unsigned i = 0; i < v->nwant; i++)
        if (!seen[i] && v->want[i].n == n && memcmp(v->want[i].p, p, n) == 0)
            return seen[i] = true;
    return false;
}

/* Do the added lines (each with CRLF) agree with the row? NULL: yes, else what is wrong. */
static inline const char *vector_check(const struct vector *v, const char *p, size_t n)
{
    bool seen[VECTOR_LINES] = {false};
    unsigned lines = 0;
    while (n > 0) {
        const char *end = memchr(p, '\n', n);
        if (!end || end == p || end[-1] != '\r')
            return "an incomplete line was added";
        if (!vector_wants(v, p, (size_t)(end - p) - 1, seen))
            return "a line was added that is not wanted";
        lines++;
        n -= (size_t)(end - p) + 1;
        p = end + 1;
    }
    return lines == v->nwant ? NULL : "a wanted line is missing";
}

#endif
