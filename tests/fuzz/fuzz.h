/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz: the two ways to drive a target: libFuzzer, or seeded mutations of its
 * `fuzz_seeds()` (NULL-terminated), the same each time. A target defines
 * fuzz_name, fuzz_seeds() and fuzz_one(), which says() what is wrong.
 *
 *   TARGET [ROUNDS [SEED]]   TARGET seeds DIRECTORY   TARGET FILE...
 */
#ifndef TB_TESTS_FUZZ_H
#define TB_TESTS_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *fuzz_name(void);
static const char *const *fuzz_seeds(void);
static void fuzz_one(const uint8_t *data, size_t n);

static const uint8_t *fuzz_data;
static size_t fuzz_n;

/* What is wrong; the input is left in the working directory of the caller's choice. */
static inline void says(const char *why)
{
    const char *to = getenv("FUZZ_LEAVE");
    FILE *f = to ? fopen(to, "wb") : NULL;
    printf("not ok %s: %s\n", fuzz_name(), why);
    if (f) {
        fwrite(fuzz_data, 1, fuzz_n, f);
        fclose(f);
    }
    fflush(stdout);
    abort();
}

/* In a block of its very size, so that a sanitizer sees the first byte beyond. */
static inline void fuzz_exact(const uint8_t *data, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1);
    memcpy(copy, data, n);
    fuzz_data = copy;
    fuzz_n = n;
    fuzz_one(copy, n);
    free(copy);
}

#ifdef FUZZ_LIBFUZZER
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    (void)fuzz_seeds;
    fuzz_exact(data, n);
    return 0;
}
#else

static uint64_t fuzz_state = 1;

static inline size_t roll(size_t n)
{
    fuzz_state ^= fuzz_state << 13;
    fuzz_state ^= fuzz_state >> 7;
    fuzz_state ^= fuzz_state << 17;
    return n ? (size_t)(fuzz_state % n) : 0;
}

/* One to four changes: a byte, a piece copied elsewhere, a piece removed, another seed's piece. */
static inline size_t fuzz_mutate(uint8_t *b, size_t n, size_t cap, size_t seeds)
{
    for (size_t k = 1 + roll(4); k > 0 && n > 0; k--) {
        size_t at = roll(n), len = 1 + roll(n - at < 40 ? n - at : 40);
        const char *other = fuzz_seeds()[roll(seeds)];
        switch (roll(4)) {
        case 0:
            b[at] = roll(2) ? (uint8_t)roll(256) : (uint8_t) "\r\n:,;= \t-\0%."[roll(12)];
            break;
        case 1:
            if (n + len <= cap) {
                memmove(b + at + len, b + at, n - at);
                n += len;
            }
            break;
        case 2:
            memmove(b + at, b + at + len, n - at - len);
            n -= len;
            break;
        default:
            if (strlen(other) > 1) {
                size_t from = roll(strlen(other) - 1), m = strlen(other) - from;
                m = m < n - at ? m : n - at;
                memcpy(b + at, other + from, m);
            }
        }
    }
    return n;
}

static inline int fuzz_files(int argc, char **argv)
{
    static uint8_t b[1 << 16];
    for (int i = 1; i < argc; i++) {
        FILE *f = fopen(argv[i], "rb");
        if (!f)
            return 2;
        fuzz_exact(b, fread(b, 1, sizeof(b), f));
        fclose(f);
    }
    return 0;
}

static inline int fuzz_write_seeds(const char *dir)
{
    for (size_t i = 0; fuzz_seeds()[i]; i++) {
        char path[4096];
        snprintf(path, sizeof(path), "%s/%zu", dir, i);
        FILE *f = fopen(path, "wb");
        if (!f)
            return 1;
        fwrite(fuzz_seeds()[i], 1, strlen(fuzz_seeds()[i]), f);
        fclose(f);
    }
    return 0;
}

int main(int argc, char **argv)
{
    static uint8_t b[8192];
    size_t seeds = 0;
    while (fuzz_seeds()[seeds])
        seeds++;
    if (argc == 3 && strcmp(argv[1], "seeds") == 0)
        return fuzz_write_seeds(argv[2]);
    if (argc > 1 && (argv[1][0] < '0' || argv[1][0] > '9'))
        return fuzz_files(argc, argv);
    long rounds = argc > 1 ? atol(argv[1]) : 60000;
    fuzz_state = argc > 2 ? (uint64_t)atol(argv[2]) | 1 : 1;
    for (long i = 0; i < rounds; i++) {
        const char *s = fuzz_seeds()[(size_t)i % seeds];
        size_t n = strlen(s);
        memcpy(b, s, n);
        fuzz_exact(b, i < (long)seeds ? n : fuzz_mutate(b, n, sizeof(b), seeds));
    }
    printf("ok fuzz %s # %ld mutations\n", fuzz_name(), rounds);
    return 0;
}
#endif

#endif
