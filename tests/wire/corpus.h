/* SPDX-License-Identifier: Apache-2.0 */
/*
 * corpus: the reader of the corpus. tests/wire/README.md describes the form.
 *
 * Whatever is not understood is an error, never a case that is silently left out.
 */
#ifndef TB_TESTS_WIRE_CORPUS_H
#define TB_TESTS_WIRE_CORPUS_H

#include <dirent.h>

#include "wire/events.h"

struct corpus {
    FILE *f;
    unsigned line;
    const char *error; /* why it ended early; NULL: it did not */
};

struct wire_case {
    char name[160];
    struct stream stream;
    char *bytes, *expect; /* owned: corpus_free() */
};

struct text {
    char *p;
    size_t n;
};

static inline void text_add(struct text *t, const char *p, size_t n)
{
    t->p = realloc(t->p, t->n + n + 1);
    if (!t->p)
        abort();
    memcpy(t->p + t->n, p, n);
    t->n += n;
    t->p[t->n] = 0;
}

static inline int hex_digit(char c)
{
    const char *digits = "0123456789abcdef", *at = c ? strchr(digits, tolower((uint8_t)c)) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* One byte of a message: itself or an escape. @return after it, or NULL: not understood. */
static inline const char *escape(const char *p, char *to)
{
    const char *names = "r\rn\nt\t\\\\", *at;
    *to = *p;
    if (*p != '\\')
        return (uint8_t)*p < ' ' || *p == 0x7f ? NULL : p + 1;
    if (p[1] == '0')
        return *to = 0, p + 2;
    if (p[1] == 'x' && hex_digit(p[2]) >= 0 && hex_digit(p[3]) >= 0)
        return *to = (char)(hex_digit(p[2]) << 4 | hex_digit(p[3])), p + 4;
    at = p[1] ? strchr(names, p[1]) : NULL;
    if (!at || (at - names) % 2)
        return NULL;
    *to = at[1];
    return p + 2;
}

/* "\{N text}": the text N times. @return after it, or NULL: this is no repetition. */
static inline const char *repetition(const char *p, bool escapes, struct text *t)
{
    char *text;
    unsigned long times = strncmp(p, "\\{", 2) == 0 ? strtoul(p + 2, &text, 10) : 0;
    if (times == 0 || *text != ' ' || !strchr(text, '}'))
        return NULL;
    struct text once = {0};
    for (text++; *text != '}';) {
        char c = *text;
        const char *next = escapes ? escape(text, &c) : text + 1;
        if (!next)
            return free(once.p), NULL;
        text_add(&once, &c, 1);
        text = (char *)next;
    }
    while (times-- && once.n)
        text_add(t, once.p, once.n);
    free(once.p);
    return text + 1;
}

/* A line of a block. In a message its own end does not count and escapes do; in a list of events it
 * is the other way round. */
static inline bool unfold(const char *p, bool escapes, struct text *t)
{
    while (*p && *p != '\n') {
        const char *next = repetition(p, escapes, t);
        if (!next) {
            char c = *p;
            next = escapes ? escape(p, &c) : p + 1;
            if (!next)
                return false;
            text_add(t, &c, 1);
        }
        p = next;
    }
    if (!escapes)
        text_add(t, "\n", 1);
    return true;
}

/* --- files ---------------------------------------------------------------------------------- */

static inline int corpus_error(struct corpus *c, const char *why)
{
    c->error = why;
    return -1;
}

/* The rest of a block, up to its closing fence. */
static inline int corpus_block(struct corpus *c, bool escapes, char **to, size_t *n)
{
    struct text t = {0};
    char *line = NULL;
    size_t cap = 0;
    int ok = -1;
    text_add(&t, "", 0);
    while (getline(&line, &cap, c->f) > 0) {
        c->line++;
        if (strcmp(line, "```\n") == 0) {
            ok = 1;
            break;
        }
        if (!unfold(line, escapes, &t))
            break;
    }
    free(line);
    if (ok < 0 || *to)
        return free(t.p), corpus_error(c, "an escape is not understood, a block is not closed, or "
                                          "there are two of a kind");
    *to = t.p;
    *n = t.n;
    return 1;
}

/* "request", "request proxy", "response", "response to HEAD", ... */
static inline bool corpus_kind(const char *kind, struct stream *s)
{
    static const struct {
        const char *kind;
        struct stream s;
    } kinds[] = {{"request\n", {HTTP1_REQUEST, false, HTTP1_M_GET, NULL, 0}},
                 {"request proxy\n", {HTTP1_REQUEST, true, HTTP1_M_GET, NULL, 0}},
                 {"response\n", {HTTP1_RESPONSE, false, HTTP1_M_GET, NULL, 0}},
                 {"response to HEAD\n", {HTTP1_RESPONSE, false, HTTP1_M_HEAD, NULL, 0}},
                 {"response to CONNECT\n", {HTTP1_RESPONSE, false, HTTP1_M_CONNECT, NULL, 0}}};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(kind, kinds[i].kind) == 0) {
            *s = kinds[i].s;
            return true;
        }
    return false;
}

static inline void corpus_free(struct wire_case *w)
{
    free(w->bytes);
    free(w->expect);
    memset(w, 0, sizeof(*w));
}

static inline int corpus_line(struct corpus *c, const char *line, struct wire_case *w)
{
    size_t n;
    if (strncmp(line, "## ", 3) == 0) {
        if (w->name[0])
            return corpus_error(c, "the case before has not both its blocks");
        snprintf(w->name, sizeof(w->name), "%.*s", (int)strcspn(line + 3, "\n"), line + 3);
        return 1;
    }
    if (strncmp(line, "```", 3) != 0)
        return 1;
    if (!w->name[0])
        return corpus_error(c, "a block without a heading");
    if (strcmp(line, "```events\n") == 0)
        return corpus_block(c, false, &w->expect, &n);
    if (!corpus_kind(line + 3, &w->stream))
        return corpus_error(c, "a block of unknown kind");
    int r = corpus_block(c, true, &w->bytes, &w->stream.n);
    w->stream.p = w->bytes;
    return r;
}

/** Read the next case. @return 1: it is the caller's to free, 0: there is none, -1: c->error. */
static inline int corpus_next(struct corpus *c, struct wire_case *w)
{
    char *line = NULL;
    size_t cap = 0;
    int r = 1;
    memset(w, 0, sizeof(*w));
    while (r > 0 && !(w->bytes && w->expect)) {
        if (getline(&line, &cap, c->f) <= 0) {
            r = w->name[0] ? corpus_error(c, "the last case has not both its blocks") : 0;
            break;
        }
        c->line++;
        r = corpus_line(c, line, w);
    }
    free(line);
    if (r <= 0)
        corpus_free(w);
    return r;
}

/** Call `each` for every case of every file of tests/wire but README.md, files in order of their
 *  names. @return the number of cases; errors in the files are said by `bad`. */
static inline unsigned corpus_all(void (*each)(const char *file, struct wire_case *w),
                                  void (*bad)(const char *file, const struct corpus *c))
{
    struct dirent **names;
    unsigned cases = 0;
    int n = scandir("tests/wire", &names, NULL, alphasort);
    for (int i = 0; i < n; free(names[i++])) {
        const char *name = names[i]->d_name, *dot = strrchr(name, '.');
        if (!dot || strcmp(dot, ".md") != 0 || strcmp(name, "README.md") == 0)
            continue;
        char path[300];
        snprintf(path, sizeof(path), "tests/wire/%s", name);
        struct corpus c = {.f = fopen(path, "r")};
        struct wire_case w;
        while (c.f && corpus_next(&c, &w) > 0) {
            each(name, &w);
            corpus_free(&w);
            cases++;
        }
        if (!c.f || c.error)
            bad(name, &c);
        if (c.f)
            fclose(c.f);
    }
    if (n >= 0)
        free(names);
    return cases;
}

#endif
