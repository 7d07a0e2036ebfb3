/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_wire: every case of tests/wire through the scanner: whole, against what
 * the case expects; then one byte at a time, in two at every place, in random
 * pieces, and with rollbacks: the events must be the same.
 *
 * Streams of more than EVERY bytes are cut in two at every STEPth place only,
 * and less often at random.
 */
#define _GNU_SOURCE
#include "wire/corpus.h"

#define EVERY   4096
#define STEP    4099
#define RANDOMS 40

static int failed;

static void not_ok(const char *file, const char *name, const char *why)
{
    printf("not ok wire %s: %s: %s\n", file, name, why);
    failed = 1;
}

/* The first line in which two texts differ. */
static void show_difference(const char *want, const char *got)
{
    while (*want && *got) {
        size_t a = strcspn(want, "\n") + 1, b = strcspn(got, "\n") + 1;
        if (a != b || memcmp(want, got, a) != 0)
            break;
        want += a;
        got += b;
    }
    printf("# want %.*s\n", (int)strcspn(want, "\n"), want);
    printf("# got  %.*s\n", (int)strcspn(got, "\n"), got);
}

/* Scan cut in this way; @return whether the events are those wanted and no rule was broken. */
static bool same(const struct wire_case *w, const char *want, events_cut *cut, void *how,
                 uint64_t seed)
{
    struct events e = events_of(&w->stream, cut, how, seed);
    bool ok = !e.broken && strcmp(want, e.text) == 0;
    if (e.broken)
        printf("# %s at %zu\n", e.broken, e.broken_at);
    else if (!ok)
        show_difference(want, e.text);
    events_free(&e);
    return ok;
}

static const char *run(const struct wire_case *w)
{
    static char why[80];
    bool big = w->stream.n > EVERY;
    if (!same(w, w->expect, NULL, NULL, 0))
        return "other events than expected";
    if (!same(w, w->expect, cut_bytes, NULL, 0))
        return "other events one byte at a time";
    for (size_t at = 1; at < w->stream.n; at += big ? STEP : 1)
        if (!same(w, w->expect, cut_at, &at, 0)) {
            snprintf(why, sizeof(why), "other events when cut at %zu", at);
            return why;
        }
    for (uint64_t seed = 1; seed <= RANDOMS; seed += big ? 10 : 1) {
        uint64_t cuts = seed * 0x9e3779b97f4a7c15u;
        if (!same(w, w->expect, cut_random, &cuts, seed))
            return "other events in random pieces with rollbacks";
    }
    return NULL;
}

static void each(const char *file, struct wire_case *w)
{
    const char *why = run(w);
    if (why)
        not_ok(file, w->name, why);
    else
        printf("ok wire %s: %s\n", file, w->name);
}

static void bad(const char *file, const struct corpus *c)
{
    char why[160];
    snprintf(why, sizeof(why), "line %u: %s", c->line, c->f ? c->error : "cannot be opened");
    not_ok(file, "the file", why);
}

/* For whoever writes a case: the events of every case, unjudged. */
static void show(const char *file, struct wire_case *w)
{
    struct events e = events_of(&w->stream, NULL, NULL, 0);
    printf("@@ %s: %s\n%s", file, w->name, e.text);
    if (e.broken)
        printf("broken @%zu: %s\n", e.broken_at, e.broken);
    events_free(&e);
}

int main(int argc, char **argv)
{
    bool only_show = argc > 1 && strcmp(argv[1], "show") == 0;
    if (corpus_all(only_show ? show : each, bad) == 0)
        not_ok("tests/wire", "cases", "there are none");
    return failed;
}
