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
#include "unit/unit.h"

#include "wire/corpus.h"

#define EVERY   4096
#define STEP    4099
#define RANDOMS 40

static struct unit {
    char name[224]; /* FILE: NAME */
    struct wire_case w;
    char error[160]; /* instead of a case */
} * units;
static size_t count;

/* Scan cut in this way: the events are those of the case and no rule is broken. */
static void check(const struct wire_case *w, events_cut *cut, void *how, uint64_t seed,
                  const char *cut_how)
{
    struct events e = events_of(&w->stream, cut, how, seed);
    const char *want = w->expect, *got = e.text;
    CHECK_SAY(!e.broken, "%s at %zu, %s", e.broken, e.broken_at, cut_how);
    if (strcmp(want, got) != 0) {
        while (*want == *got) /* to the first line that differs */
            want++, got++;
        while (want > w->expect && want[-1] != '\n')
            want--, got--;
        ck_abort_msg("other events %s: wanted %.*s, got %.*s", cut_how, (int)strcspn(want, "\n"),
                     want, (int)strcspn(got, "\n"), got);
    }
    events_free(&e);
}

START_TEST(one)
{
    const struct wire_case *w = &units[_i].w;
    char cut_how[80];
    bool big = w->stream.n > EVERY;
    CHECK_SAY(!*units[_i].error, "%s", units[_i].error);
    check(w, NULL, NULL, 0, "in one piece");
    check(w, cut_bytes, NULL, 0, "one byte at a time");
    for (size_t at = 1; at < w->stream.n; at += big ? STEP : 1) {
        snprintf(cut_how, sizeof(cut_how), "when cut at %zu", at);
        check(w, cut_at, &at, 0, cut_how);
    }
    for (uint64_t seed = 1; seed <= RANDOMS; seed += big ? 10 : 1) {
        uint64_t cuts = seed * 0x9e3779b97f4a7c15u;
        check(w, cut_random, &cuts, seed, "in random pieces with rollbacks");
    }
}
END_TEST

static struct unit *more(const char *file, const char *name)
{
    units = realloc(units, (count + 1) * sizeof(*units));
    if (!units)
        abort();
    struct unit *u = memset(&units[count++], 0, sizeof(*u));
    snprintf(u->name, sizeof(u->name), "%s: %s", file, name);
    return u;
}

/* The case is kept: it is not the reader's any more. */
static void each(const char *file, struct wire_case *w)
{
    more(file, w->name)->w = *w;
    memset(w, 0, sizeof(*w));
}

static void bad(const char *file, const struct corpus *c)
{
    struct unit *u = more(file, "the file");
    snprintf(u->error, sizeof(u->error), "line %u: %s", c->line,
             c->f ? c->error : "cannot be opened");
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
    corpus_all(only_show ? show : each, bad);
    for (size_t i = 0; only_show && i < count; i++)
        printf("not ok wire %s: %s\n", units[i].name, units[i].error);
    if (only_show)
        return count > 0;
    unit_begin("wire");
    for (size_t i = 0; i < count; i++)
        unit_add(units[i].name, one, i);
    return unit_run();
}
