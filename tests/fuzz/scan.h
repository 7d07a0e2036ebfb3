/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan: any bytes through the scanner under the rules of tests/wire: nothing is
 * read beyond what was given (guard page), the events are the same however the
 * stream is cut and whatever was rolled back, `used` never exceeds what was
 * given, a refusal is final, an insertion is allowed and an end is seen only
 * where tests/wire/naive.h agrees.
 *
 * An input is one byte that says what the stream is (scan_setups of the target)
 * and the stream.
 */
#ifndef TB_TESTS_FUZZ_SCAN_H
#define TB_TESTS_FUZZ_SCAN_H

#include "fuzz/stream.h"

#define BYTEWISE_MAX FUZZ_MAX

/* @return what is wrong with the events of another cut, or NULL. */
static inline const char *scan_differs(const struct stream *s, const struct events *whole,
                                       events_cut *cut, void *how, uint64_t seed)
{
    struct events e = events_of(s, cut, how, seed);
    const char *why = e.broken                      ? e.broken
                      : strcmp(whole->text, e.text) ? "other events when cut"
                                                    : NULL;
    if (why)
        fprintf(stderr, "%s at %zu:\n%s", why, e.broken_at, e.text);
    events_free(&e);
    return why;
}

static inline const char *scan_judge(const struct stream *s)
{
    struct events whole = events_of(s, NULL, NULL, 0);
    const char *why = whole.broken;
    uint64_t seed = 1469598103934665603u;
    for (size_t i = 0; i < s->n; i++)
        seed = (seed ^ (uint8_t)s->p[i]) * 1099511628211u;
    if (!why && s->n <= BYTEWISE_MAX)
        why = scan_differs(s, &whole, cut_bytes, NULL, 0);
    for (unsigned i = 0; !why && i < 2; i++) {
        uint64_t cuts = seed + i + !(seed + i);
        why = scan_differs(s, &whole, cut_random, &cuts, seed | 1);
    }
    if (why)
        fprintf(stderr, "%s at %zu; whole:\n%s", why, whole.broken_at, whole.text);
    events_free(&whole);
    return why;
}

/* Which of these setups is that of the case? @return n: none. */
static inline size_t scan_setup(const struct stream *setups, size_t n, const struct stream *s)
{
    for (size_t i = 0; i < n; i++)
        if (setups[i].direction == s->direction && setups[i].proxy == s->proxy &&
            setups[i].answers == s->answers)
            return i;
    return n;
}

#endif
