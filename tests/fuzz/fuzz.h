/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz: what the targets share: libFuzzer's entry, and a program of its own for
 * where there is none: seeded mutations of the seeds, the same each time. An
 * input that fails is left beside the program, whichever way it fails.
 *
 *   libFuzzer:  clang -DFUZZ_LIBFUZZER -fsanitize=fuzzer,address,undefined ...
 *   otherwise:  TARGET [ROUNDS [SEED]]   mutations
 *               TARGET seeds DIRECTORY   the seeds as files, the tokens in DIRECTORY.dict
 *               TARGET FILE...           replay
 *
 * A target defines the functions declared first, and FUZZ_NAME and FUZZ_TOKENS
 * (strings of which its inputs are made) before it includes this; fuzz_enough()
 * only with FUZZ_ENOUGH.
 */
#ifndef TB_TESTS_FUZZ_H
#define TB_TESTS_FUZZ_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUZZ_MAX 4096 /* bytes of an input */

/** Tokens of HTTP/1.x streams. */
#define STREAM_TOKENS                                                                              \
    "\r\n", "\r", "\n", "\r\n\r\n", " ", "\t", ":", "\x80", "\x7f", "0\r\n\r\n", "chunked", ", ",  \
        "Content-Length: 3\r\n", "Content-Length: 0\r\n", "GET / HTTP/1.1\r\n", "\r\n ",           \
        "Transfer-Encoding: chunked\r\n", "HTTP/1.1 200 OK\r\n", "1", "Connection: close\r\n",     \
        "Connection: close, upgrade\r\n", "Connection: keep-alive\r\n", "Upgrade: h2c\r\n", ";",   \
        "PROXY TCP4 1 2 3 4\r\n", "HTTP/1.0", "CONNECT ", "HEAD ", "9999999",                      \
        "Expect: 100-continue\r\n", "HTTP/1.1 100 Continue\r\n\r\n", "fffffff",                    \
        "3;a=b\r\nabc\r\n", "0\r\nX-T: v\r\n\r\n", "HTTP/1.1 204 No Content\r\n",                  \
        "HTTP/1.1 304 Not Modified\r\n"

/** @return what is wrong, or NULL. Aborts, too, are noticed. */
static const char *fuzz_judge(const uint8_t *data, size_t n);
/** Give all seeds to fuzz_seed(). @return why that is not possible, or NULL. */
__attribute__((unused)) static const char *fuzz_seeds(void);

#ifdef FUZZ_ENOUGH
/** After `n` inputs: whether they showed anything. @return what is wrong, or NULL. */
static const char *fuzz_enough(unsigned long n);
#endif

/* From a block of its own, so that not one byte around it may be read. */
static inline const char *fuzz_judge_copy(const uint8_t *data, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1);
    if (!copy)
        abort();
    if (n)
        memcpy(copy, data, n);
    const char *why = fuzz_judge(copy, n);
    free(copy);
    return why;
}

#ifdef FUZZ_LIBFUZZER

static void fuzz_keep(void)
{ /* libFuzzer does */
}

static unsigned long fuzz_runs;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    fuzz_runs++;
    const char *why = fuzz_judge_copy(data, n);
    if (why) {
        fprintf(stderr, "SUMMARY: %s: %s\n", FUZZ_NAME, why);
        abort();
    }
    return 0;
}

#ifdef FUZZ_ENOUGH
__attribute__((destructor)) static void fuzz_last(void)
{
    const char *why = fuzz_enough(fuzz_runs);
    if (!why)
        return;
    fprintf(stderr, "SUMMARY: %s: %s\n", FUZZ_NAME, why);
    _Exit(1);
}
#endif
#else
static void fuzz_keep(void);
#endif

/** What is wrong where a target cannot go on. */
__attribute__((noreturn, unused)) static void says(const char *why)
{
    fprintf(stderr, "SUMMARY: %s: %s\n", FUZZ_NAME, why);
    fuzz_keep();
    abort();
}

static uint64_t fuzz_random = 1;

/** Less than n (0 for 0), from the seed. */
static inline size_t fuzz_below(size_t n)
{
    fuzz_random ^= fuzz_random << 13;
    fuzz_random ^= fuzz_random >> 7;
    fuzz_random ^= fuzz_random << 17;
    return n ? (size_t)(fuzz_random >> 11) % n : 0;
}

/* --- inputs that are read in order ------------------------------------------------------------ */

struct fuzz_reader {
    const uint8_t *p;
    size_t n;
};

/** The next byte; zeros after the end. */
static inline uint8_t fuzz_byte(struct fuzz_reader *r)
{
    return r->n ? r->n--, *r->p++ : 0;
}

#define FUZZ_SEPARATOR "\x1e\x1e"

/** The bytes up to the next separator, or the rest. */
static inline struct fuzz_reader fuzz_section(struct fuzz_reader *r)
{
    const uint8_t *end = r->n ? memmem(r->p, r->n, FUZZ_SEPARATOR, 2) : NULL;
    struct fuzz_reader s = {r->p, end ? (size_t)(end - r->p) : r->n};
    size_t gone = end ? s.n + 2 : s.n;
    r->p += gone;
    r->n -= gone;
    return s;
}

/* --- seeds ------------------------------------------------------------------------------------ */

struct fuzz_input {
    size_t n;
    uint8_t bytes[FUZZ_MAX];
};

static struct fuzz_input *fuzz_corpus;
static size_t fuzz_count;

/** One seed; what is too long is left out. */
__attribute__((unused)) static void fuzz_seed(const void *p, size_t n)
{
    if (n > FUZZ_MAX)
        return;
    if ((fuzz_count & (fuzz_count - 1)) == 0)
        fuzz_corpus =
            realloc(fuzz_corpus, (fuzz_count ? 2 * fuzz_count : 1) * sizeof(*fuzz_corpus));
    if (!fuzz_corpus)
        abort();
    fuzz_corpus[fuzz_count].n = n;
    memcpy(fuzz_corpus[fuzz_count++].bytes, p, n);
}

#ifndef FUZZ_LIBFUZZER

static const char *const fuzz_tokens[] = {FUZZ_TOKENS};

/* --- seeded mutations ------------------------------------------------------------------------- */

/* Replace [at, at + old) by n bytes; what does not fit is left undone. */
static void fuzz_put(struct fuzz_input *in, size_t at, size_t old, const void *p, size_t n)
{
    if (old > in->n - at)
        old = in->n - at;
    if (in->n - old + n > FUZZ_MAX)
        return;
    memmove(in->bytes + at + n, in->bytes + at + old, in->n - at - old);
    memcpy(in->bytes + at, p, n);
    in->n += n - old;
}

static void fuzz_put_token(struct fuzz_input *in, size_t at)
{
    const char *t = fuzz_tokens[fuzz_below(sizeof(fuzz_tokens) / sizeof(fuzz_tokens[0]))];
    fuzz_put(in, at, fuzz_below(4) ? 0 : fuzz_below(12), t, strlen(t));
}

static void fuzz_put_number(struct fuzz_input *in, size_t at)
{
    static const uint64_t odd[] = {0,          1,          0x7f,       0xff,
                                   0x7fffffff, 0x80000000, 0xffffffff, 0xffffffffffffffff};
    size_t width = (size_t)1 << fuzz_below(4);
    fuzz_put(in, at, width, &odd[fuzz_below(8)], width);
}

static void fuzz_mutate(struct fuzz_input *in)
{
    const struct fuzz_input *other = &fuzz_corpus[fuzz_below(fuzz_count)];
    size_t at = fuzz_below(in->n + 1), len = fuzz_below(in->n - at + 1);
    uint8_t byte = (uint8_t)fuzz_below(256), copy[FUZZ_MAX];
    switch (fuzz_below(7)) {
    case 0:
        fuzz_put(in, at, fuzz_below(2), &byte, 1);
        break;
    case 1:
        fuzz_put(in, at, fuzz_below(2) ? len : fuzz_below(5), "", 0);
        break;
    case 2: /* again, elsewhere */
        memcpy(copy, in->bytes + at, len);
        fuzz_put(in, fuzz_below(in->n + 1), 0, copy, len);
        break;
    case 3: /* a part of another one */
        at = fuzz_below(other->n + 1);
        len = fuzz_below(other->n - at + 1);
        fuzz_put(in, fuzz_below(in->n + 1), fuzz_below(2) ? 0 : fuzz_below(30), other->bytes + at,
                 len);
        break;
    case 4:
        fuzz_put_number(in, at);
        break;
    default:
        fuzz_put_token(in, at);
    }
}

/* --- the program ------------------------------------------------------------------------------ */

static struct fuzz_input fuzz_now;
static char fuzz_failed[4096]; /* where it is left */

static bool fuzz_write(const char *path, const struct fuzz_input *in)
{
    FILE *f = fopen(path, "wb");
    bool ok = f && fwrite(in->bytes, 1, in->n, f) == in->n;
    return f && fclose(f) == 0 && ok;
}

/* The sanitizers call this before they end the program. */
void __sanitizer_set_death_callback(void (*)(void));
static void fuzz_keep(void)
{
    if (fuzz_write(fuzz_failed, &fuzz_now))
        printf("not ok fuzz %s: input left in %s\n", FUZZ_NAME, fuzz_failed);
    fflush(stdout);
}

static bool fuzz_token_file(const char *directory)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s.dict", directory);
    FILE *f = fopen(path, "w");
    for (size_t i = 0; f && i < sizeof(fuzz_tokens) / sizeof(fuzz_tokens[0]); i++) {
        fputc('"', f);
        for (const char *p = fuzz_tokens[i]; *p; p++)
            fprintf(f, "\\x%02x", (unsigned char)*p);
        fputs("\"\n", f);
    }
    return f && fclose(f) == 0;
}

static int fuzz_write_seeds(const char *directory)
{
    char path[4096];
    for (size_t i = 0; i < fuzz_count; i++) {
        snprintf(path, sizeof(path), "%s/%zu", directory, i);
        if (!fuzz_write(path, &fuzz_corpus[i]))
            return perror(path), 1;
    }
    return !fuzz_token_file(directory);
}

static int fuzz_rounds(unsigned long n)
{
    uint64_t first = fuzz_random;
    for (unsigned long i = 0; i < fuzz_count + n; i++) {
        fuzz_now = fuzz_corpus[i < fuzz_count ? i : fuzz_below(fuzz_count)];
        for (size_t times = i < fuzz_count ? 0 : 1 + fuzz_below(6); times; times--)
            fuzz_mutate(&fuzz_now);
        const char *why = fuzz_judge_copy(fuzz_now.bytes, fuzz_now.n);
        if (why) {
            printf("not ok fuzz %s: %s (round %lu of seed %llu; input in %s)\n", FUZZ_NAME, why, i,
                   (unsigned long long)first,
                   fuzz_write(fuzz_failed, &fuzz_now) ? fuzz_failed : "no file");
            return 1;
        }
    }
#ifdef FUZZ_ENOUGH
    const char *little = fuzz_enough(fuzz_count + n);
    if (little)
        return printf("not ok fuzz %s: %s\n", FUZZ_NAME, little), 1;
#endif
    printf("ok fuzz %s # %lu mutations of %zu seeds, seed %llu\n", FUZZ_NAME, n, fuzz_count,
           (unsigned long long)first);
    return 0;
}

static int fuzz_replay(const char *path)
{
    FILE *f = fopen(path, "rb");
    fuzz_now.n = f ? fread(fuzz_now.bytes, 1, sizeof(fuzz_now.bytes), f) : 0;
    const char *why = f ? fuzz_judge_copy(fuzz_now.bytes, fuzz_now.n) : "cannot be opened";
    if (f)
        fclose(f);
    printf(why ? "not ok fuzz %s %s: %s\n" : "ok fuzz %s %s\n", FUZZ_NAME, path, why);
    return why != NULL;
}

int main(int argc, char **argv)
{
    char *end = NULL;
    unsigned long n = argc > 1 ? strtoul(argv[1], &end, 10) : 20000;
    const char *why = fuzz_seeds();
    int failed = 0;
    if (why || !fuzz_count)
        return printf("not ok fuzz %s: %s\n", FUZZ_NAME, why ? why : "no seeds"), 1;
    snprintf(fuzz_failed, sizeof(fuzz_failed), "%s.failed", argv[0]);
    __sanitizer_set_death_callback(fuzz_keep);
    if (argc == 1 || !*end) {
        fuzz_random = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
        fuzz_random += !fuzz_random;
        return fuzz_rounds(n);
    }
    if (argc == 3 && strcmp(argv[1], "seeds") == 0)
        return fuzz_write_seeds(argv[2]);
    for (int i = 1; i < argc; i++)
        failed |= fuzz_replay(argv[i]);
    return failed;
}

#endif
#endif
