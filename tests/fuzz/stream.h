/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream: seeds for every target whose input holds HTTP/1.x streams: the cases of
 * tests/wire.
 */
#ifndef TB_TESTS_FUZZ_STREAM_H
#define TB_TESTS_FUZZ_STREAM_H

#include "fuzz/fuzz.h"
#include "wire/corpus.h"

static const char *stream_bad;

static void stream_bad_file(const char *file, const struct corpus *c)
{
    static char text[400];
    snprintf(text, sizeof(text), "%s: line %u: %s", file, c->line, c->error ? c->error : "?");
    stream_bad = text;
}

/** Call `each` for every case. @return why that is not possible, or NULL. */
static inline const char *stream_cases(void (*each)(const char *file, struct wire_case *w))
{
    corpus_all(each, stream_bad_file);
    return stream_bad;
}

/** One byte that says what a stream is, and the stream, as a seed. */
static inline void stream_seed(uint8_t setup, const char *p, size_t n)
{
    struct text t = {0};
    text_add(&t, (const char *)&setup, 1);
    text_add(&t, p, n);
    fuzz_seed(t.p, t.n);
    free(t.p);
}

#endif
