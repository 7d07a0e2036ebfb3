/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_http1: any bytes through the scanner under the rules of tests/wire:
 * nothing is read beyond what was given (guard page), the events are the same
 * however the stream is cut and whatever was rolled back, `used` never exceeds
 * what was given, a refusal is final, an insertion is allowed and an end is seen
 * only where tests/wire/naive.h agrees.
 *
 * An input is one byte that says what it is (SETUPS below) and the stream.
 *
 *   libFuzzer:  clang -DFUZZ_LIBFUZZER -fsanitize=fuzzer,address,undefined ...
 *   otherwise:  fuzz_http1 [ROUNDS [SEED]]   mutations of the cases of tests/wire
 *               fuzz_http1 seeds DIRECTORY   these cases as inputs for libFuzzer
 *               fuzz_http1 FILE...           inputs as libFuzzer keeps them
 */
#define _GNU_SOURCE
#include "wire/corpus.h"

#define BYTEWISE_MAX 4096 /* longer ones are not fed byte by byte */

static const struct stream setups[] = {{HTTP1_REQUEST, false, HTTP1_M_GET, NULL, 0},
                                       {HTTP1_REQUEST, true, HTTP1_M_GET, NULL, 0},
                                       {HTTP1_RESPONSE, false, HTTP1_M_GET, NULL, 0},
                                       {HTTP1_RESPONSE, false, HTTP1_M_HEAD, NULL, 0},
                                       {HTTP1_RESPONSE, false, HTTP1_M_CONNECT, NULL, 0}};
#define SETUPS (sizeof(setups) / sizeof(setups[0]))

/* @return what is wrong with the events of another cut, or NULL. */
static const char *differs(const struct stream *s, const struct events *whole, events_cut *cut,
                           void *how, uint64_t seed)
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

static const char *judge(const struct stream *s)
{
    struct events whole = events_of(s, NULL, NULL, 0);
    const char *why = whole.broken;
    uint64_t seed = 1469598103934665603u;
    for (size_t i = 0; i < s->n; i++)
        seed = (seed ^ (uint8_t)s->p[i]) * 1099511628211u;
    if (!why && s->n <= BYTEWISE_MAX)
        why = differs(s, &whole, cut_bytes, NULL, 0);
    for (unsigned i = 0; !why && i < 2; i++) {
        uint64_t cuts = seed + i + !(seed + i);
        why = differs(s, &whole, cut_random, &cuts, seed | 1);
    }
    if (why)
        fprintf(stderr, "%s at %zu; whole:\n%s", why, whole.broken_at, whole.text);
    events_free(&whole);
    return why;
}

static const char *judge_input(const uint8_t *data, size_t n)
{
    if (n == 0)
        return NULL;
    struct stream s = setups[data[0] % SETUPS];
    s.p = (const char *)data + 1;
    s.n = n - 1;
    return judge(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (judge_input(data, n))
        abort();
    return 0;
}

#ifndef FUZZ_LIBFUZZER

/* --- seeded mutations of the corpus --------------------------------------------------------- */

#define CASES     1024
#define INPUT_MAX 2048

static struct {
    uint8_t setup;
    char *p;
    size_t n;
} cases[CASES];
static size_t ncases;
static uint64_t seed = 1;

struct input {
    uint8_t bytes[1 + INPUT_MAX]; /* as libFuzzer would have it */
    size_t n;                     /* of the stream */
};

static size_t below(size_t n)
{
    return n ? (size_t)(events_random(&seed) >> 11) % n : 0;
}

static void add_case(const char *file, struct wire_case *w)
{
    (void)file;
    if (ncases == CASES || w->stream.n > INPUT_MAX)
        return;
    for (uint8_t i = 0; i < SETUPS; i++)
        if (setups[i].direction == w->stream.direction && setups[i].proxy == w->stream.proxy &&
            setups[i].answers == w->stream.answers)
            cases[ncases].setup = i;
    cases[ncases].p = w->bytes;
    cases[ncases++].n = w->stream.n;
    w->bytes = NULL; /* kept */
}

static void bad_file(const char *file, const struct corpus *c)
{
    printf("not ok fuzz http1: %s: line %u: %s\n", file, c->line, c->error ? c->error : "?");
    exit(1);
}

/* Replace [at, at + old) by n bytes; what does not fit is left undone. */
static void put(struct input *in, size_t at, size_t old, const char *p, size_t n)
{
    char *stream = (char *)in->bytes + 1;
    if (old > in->n - at)
        old = in->n - at;
    if (in->n - old + n > INPUT_MAX)
        return;
    memmove(stream + at + n, stream + at + old, in->n - at - old);
    memcpy(stream + at, p, n);
    in->n += n - old;
}

static void put_token(struct input *in)
{
    static const char *const tokens[] = {"\r\n",
                                         "\r",
                                         "\n",
                                         "\r\n\r\n",
                                         " ",
                                         "\t",
                                         ":",
                                         "\x80",
                                         "0\r\n\r\n",
                                         "chunked",
                                         ", ",
                                         "Content-Length: 3\r\n",
                                         "GET / HTTP/1.1\r\n",
                                         "\r\n ",
                                         "Transfer-Encoding: chunked\r\n",
                                         "HTTP/1.1 200 OK\r\n",
                                         "1",
                                         "Connection: close, upgrade\r\n",
                                         "Upgrade: h2c\r\n",
                                         ";",
                                         "PROXY TCP4 1 2 3 4\r\n",
                                         "HTTP/1.0",
                                         "CONNECT ",
                                         "9999999",
                                         "Expect: 100-continue\r\n",
                                         "HTTP/1.1 100 Continue\r\n\r\n",
                                         "fffffff",
                                         "\x7f"};
    const char *t = tokens[below(sizeof(tokens) / sizeof(tokens[0]))];
    put(in, below(in->n + 1), below(4) ? 0 : below(12), t, strlen(t));
}

static void mutate(struct input *in)
{
    size_t at = below(in->n + 1), len = below(in->n - at + 1), other = below(ncases);
    char byte = (char)below(256), copy[INPUT_MAX];
    switch (below(6)) {
    case 0:
        put(in, at, below(2), &byte, 1);
        break;
    case 1:
        put(in, at, below(2) ? len : below(5), "", 0);
        break;
    case 2: /* again, elsewhere */
        memcpy(copy, in->bytes + 1 + at, len);
        put(in, below(in->n + 1), 0, copy, len);
        break;
    case 3: /* a part of another case */
        at = below(cases[other].n + 1);
        len = below(cases[other].n - at + 1);
        put(in, below(in->n + 1), below(2) ? 0 : below(30), cases[other].p + at, len);
        break;
    default:
        put_token(in);
    }
}

static void new_input(struct input *in)
{
    size_t k = below(ncases);
    in->bytes[0] = below(16) ? cases[k].setup : (uint8_t)below(SETUPS);
    in->n = cases[k].n;
    memcpy(in->bytes + 1, cases[k].p, in->n);
    for (size_t times = 1 + below(6); times; times--)
        mutate(in);
}

static bool write_input(const char *path, uint8_t setup, const void *p, size_t n)
{
    FILE *f = fopen(path, "wb");
    bool ok = f && fputc(setup, f) != EOF && fwrite(p, 1, n, f) == n;
    return f && fclose(f) == 0 && ok;
}

static bool keep(const struct input *in)
{
    return write_input("fuzz_http1.failed", in->bytes[0], in->bytes + 1, in->n);
}

static int seeds(const char *directory)
{
    char path[4096];
    corpus_all(add_case, bad_file);
    for (size_t i = 0; i < ncases; i++) {
        snprintf(path, sizeof(path), "%s/%zu", directory, i);
        if (!write_input(path, cases[i].setup, cases[i].p, cases[i].n))
            return perror(path), 1;
    }
    return ncases == 0;
}

static int rounds(unsigned long n)
{
    uint64_t first = seed;
    struct input in;
    corpus_all(add_case, bad_file);
    if (ncases == 0)
        return puts("not ok fuzz http1: there are no cases in tests/wire"), 1;
    for (unsigned long i = 0; i < n; i++) {
        new_input(&in);
        const char *why = judge_input(in.bytes, in.n + 1);
        if (why) {
            printf("not ok fuzz http1: %s (round %lu of seed %llu%s)\n", why, i,
                   (unsigned long long)first, keep(&in) ? "; input in fuzz_http1.failed" : "");
            return 1;
        }
    }
    printf("ok fuzz http1 # %lu mutations of %zu cases, seed %llu\n", n, ncases,
           (unsigned long long)first);
    return 0;
}

static int replay(const char *path)
{
    static uint8_t bytes[1 << 20];
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(bytes, 1, sizeof(bytes), f) : 0;
    const char *why = f ? judge_input(bytes, n) : "cannot be opened";
    if (f)
        fclose(f);
    printf(why ? "not ok fuzz http1 %s: %s\n" : "ok fuzz http1 %s\n", path, why);
    return why != NULL;
}

int main(int argc, char **argv)
{
    char *end = NULL;
    unsigned long n = argc > 1 ? strtoul(argv[1], &end, 10) : 20000;
    int failed = 0;
    if (argc == 1 || !*end) {
        seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
        seed += !seed;
        return rounds(n);
    }
    if (argc == 3 && strcmp(argv[1], "seeds") == 0)
        return seeds(argv[2]);
    for (int i = 1; i < argc; i++)
        failed |= replay(argv[i]);
    return failed;
}

#endif
