/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_inlet: FastCGI, uwsgi and SCGI in both directions. Events, fields and refusals must not
 * depend on how the stream is cut.
 * links: src/inlet
 */
#define _GNU_SOURCE
#define FUZZ_NAME "inlet"
#define FUZZ_TOKENS                                                                                \
    "Z", "\1\4Z\1", "\1\5Z\1", "\1\6Z\1", "HTTP_", "CONTENT_LENGTH", "HTTP_TRACEPARENT",           \
        "4:", ",", "\x80", "\xff", "\x7f"
#include "fuzz/fuzz.h"

#include "inlet/inlet.h"

/* Texts cannot hold zero bytes: 'Z' stands for one. */
static const char *fuzz_seeds(void)
{
    static const char *const seeds[] = {
        "\1\1Z\1Z\10ZZZ\1\1ZZZZZ\1\4Z\1Z\31ZZ\20\7HTTP_TRACEPARENT00-4b-1\1\4Z\1ZZZZ\1\5Z\1ZZZZ",
        "\1\1Z\1Z\10ZZZ\1ZZZZZZ\1\4Z\1Z\5\3Z\13\2HTT\1\4Z\1Z\12ZZP_BAGGAGEa\1\4Z\1ZZZZ",
        "\1\6Z\1Z\5\3Zhelloabc\1\3Z\1Z\10ZZZZZZZZZZ",
        "Z\60ZZ\16ZCONTENT_LENGTH\1Z4\20ZHTTP_TRACEPARENT\7Z00-4b-1body",
        "41:CONTENT_LENGTHZ4ZHTTP_TRACEPARENTZ00-4b-1Z,body",
        "41:CONTENT_LENGTHZ4ZHTTP_TRACEPARENTZ00-4b-1Z,body41:CONTENT_LENGTHZ4Z"};
    for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++)
        fuzz_seed(seeds[i], strlen(seeds[i]));
    return NULL;
}

struct heard {
    char text[4096];
    size_t n;
};

static void say(struct heard *h, const char *p, size_t n)
{
    n = n < sizeof(h->text) - h->n ? n : sizeof(h->text) - h->n;
    memcpy(h->text + h->n, p, n);
    h->n += n;
}
static void on_target(void *ctx, const char *p, size_t n)
{
    (void)ctx, (void)p, (void)n;
}
static bool on_field(void *ctx, struct span name)
{
    if (!name.n || name.n > HTTP1_NAME_MAX)
        says("a name of no length");
    say(ctx, name.p, name.n);
    say(ctx, "=", 1);
    return name.p[0] != 'x';
}
static void on_value(void *ctx, const char *p, size_t n)
{
    say(ctx, p, n);
}
static void on_end(void *ctx, bool folded)
{
    (void)folded;
    say(ctx, ";", 1);
}
static const struct http1_sink sink = {
    .target = on_target, .field = on_field, .value = on_value, .end = on_end};

static void scan(const char *p, size_t n, size_t step, enum inlet_kind kind, bool outbound,
                 struct heard *h)
{
    struct inlet in;
    inlet_init(&in, kind, outbound);
    h->n = 0;
    for (size_t at = 0; at < n; at += step) {
        size_t left = step < n - at ? step : n - at, used;
        for (const char *q = p + at;; q += used, left -= used) {
            enum inlet_event ev = inlet_scan(&in, q, left, &used, &sink, h);
            if (used > left)
                says("more consumed than given");
            if (ev == INLET_MORE)
                break;
            say(h, &"mBHED"[ev], 1);
            if (ev == INLET_DOWN)
                return;
        }
    }
}

static const char *fuzz_judge(const uint8_t *data, size_t n)
{
    static struct heard whole, cut;
    char *p = malloc(n ? n : 1);
    for (size_t i = 0; i < n; i++)
        p[i] = data[i] == 'Z' ? 0 : (char)data[i];
    inlet_guess(p, n);
    for (int way = 0; way < 6; way++) {
        enum inlet_kind kind = INLET_FASTCGI + way / 2;
        bool outbound = way % 2;
        scan(p, n, n + 1, kind, outbound, &whole);
        for (size_t step = 1; step < 12; step += 1 + n % 4) {
            scan(p, n, step, kind, outbound, &cut);
            if (cut.n != whole.n || memcmp(cut.text, whole.text, cut.n) != 0)
                says("cut, it is heard otherwise");
        }
    }
    free(p);
    return NULL;
}
