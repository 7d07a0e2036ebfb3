/* SPDX-License-Identifier: Apache-2.0 */
/* test_inlet: the doors as web servers use them, at every cut, and as they do not. */
#include "unit/unit.h"

#include "inlet/inlet.h"

/* What the sink hears, as text. */
static char heard[4096];

static void say(const char *p, size_t n)
{
    size_t at = strlen(heard);
    if (n < sizeof(heard) - at - 1) {
        memcpy(heard + at, p, n);
        heard[at + n] = 0;
    }
}

static void on_target(void *ctx, const char *p, size_t n)
{
    (void)ctx, (void)p, (void)n;
}
static bool on_field(void *ctx, struct span name)
{
    (void)ctx;
    if (name.n > 3 && memcmp(name.p, "no-", 3) == 0)
        return false;
    say(name.p, name.n);
    say("=", 1);
    return true;
}
static void on_value(void *ctx, const char *p, size_t n)
{
    (void)ctx;
    say(p, n);
}
static void on_end(void *ctx, bool folded)
{
    (void)ctx;
    say(folded ? "?" : ";", 1);
}
static const struct http1_sink sink = {
    .target = on_target, .field = on_field, .value = on_value, .end = on_end};

/* A stream under construction. */
static char bytes[65536];
static size_t len;

static void put(const void *p, size_t n)
{
    if (n)
        memcpy(bytes + len, p, n);
    len += n;
}

static void record(unsigned type, unsigned id, const void *content, size_t n, unsigned pad)
{
    uint8_t h[8] = {1,
                    (uint8_t)type,
                    (uint8_t)(id >> 8),
                    (uint8_t)id,
                    (uint8_t)(n >> 8),
                    (uint8_t)n,
                    (uint8_t)pad,
                    0};
    static const char zero[256];
    put(h, 8);
    put(content, n);
    put(zero, pad);
}

static size_t length_of(uint8_t *to, size_t n, bool wide)
{
    if (n < 128 && !wide) {
        to[0] = (uint8_t)n;
        return 1;
    }
    to[0] = (uint8_t)(n >> 24 | 0x80);
    to[1] = (uint8_t)(n >> 16);
    to[2] = (uint8_t)(n >> 8);
    to[3] = (uint8_t)n;
    return 4;
}

static size_t pair(char *to, const char *name, const char *value, bool wide)
{
    uint8_t h[8];
    size_t a = strlen(name), b = strlen(value), n = length_of(h, a, wide);
    n += length_of(h + n, b, wide);
    memcpy(to, h, n);
    memcpy(to + n, name, a);
    memcpy(to + n + a, value, b);
    return n + a + b;
}

static const uint8_t begin[8] = {0, 1, 1};

/* A request whose variables are cut into records of `cut` bytes. */
static void request(unsigned id, size_t cut, unsigned pad, bool wide)
{
    char v[2048], longer[400];
    size_t n = 0;
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = 0;
    n += pair(v + n, "REQUEST_METHOD", "GET", wide);
    n += pair(v + n, "HTTP_TRACEPARENT", "00-4b-1", wide);
    n += pair(v + n, "HTTP_X_REQUEST_ID", "", wide);
    n += pair(v + n, "HTTP_", "nameless", wide);
    n += pair(v + n, "HTTPS", "on", wide);
    n += pair(v + n, "", "", wide);
    n += pair(v + n, "HTTP_NO_THANKS", "unwanted", wide);
    n += pair(v + n, longer, "name too long", wide);
    n += pair(v + n, "HTTP_BAGGAGE", longer, wide);
    record(1, id, begin, 8, 0);
    record(9, 0, v, 7, pad); /* management: skipped */
    for (size_t at = 0; at < n; at += cut)
        record(4, id, v + at, cut < n - at ? cut : n - at, pad);
    record(4, id, NULL, 0, pad);
    record(5, id, "body", 4, pad);
    record(5, id, NULL, 0, 0);
}

/* Scan in pieces of `step` bytes; what the events were, and where. */
static const char *events(struct inlet *in, size_t step)
{
    static char said[512];
    *said = *heard = 0;
    for (size_t at = 0; at < len; at += step) {
        size_t n = step < len - at ? step : len - at, used = 0, from = at;
        char *copy = malloc(n);
        memcpy(copy, bytes + at, n);
        for (const char *p = copy;; p += used, n -= used, from += used) {
            enum inlet_event ev = inlet_scan(in, p, n, &used, &sink, NULL);
            CHECK(used <= n);
            if (ev == INLET_MORE)
                break;
            snprintf(said + strlen(said), sizeof(said) - strlen(said), "%c%zu ", "mBHED"[ev],
                     from + used);
            if (ev == INLET_DOWN) {
                free(copy);
                return said;
            }
        }
        free(copy);
    }
    return said;
}

static const char *run(bool outbound, size_t step)
{
    struct inlet in;
    inlet_init(&in, INLET_FASTCGI, outbound);
    return events(&in, step);
}

START_TEST(every_cut)
{
    char want[512], said[4096];
    for (size_t cut = 1; cut < 900; cut = cut * 3 / 2 + 1)
        for (unsigned pad = 0; pad < 9; pad += 4) {
            len = 0;
            request(7, cut, pad, cut % 2);
            strcpy(want, run(false, len));
            strcpy(said, heard);
            CHECK(strncmp(heard, "traceparent=00-4b-1;x-request-id=;baggage=xxx", 45) == 0);
            CHECK(strchr(want, 'B') && strchr(want, 'H') && !strchr(want, 'D'));
            for (size_t step = 1; step < 40; step++)
                CHECK(strcmp(run(false, step), want) == 0 && strcmp(heard, said) == 0);
        }
}
END_TEST

START_TEST(kept_connection)
{
    struct inlet in;
    len = 0;
    request(1, 100, 0, false);
    inlet_init(&in, INLET_FASTCGI, false);
    const char *got = events(&in, len);
    CHECK(strchr(got, 'H') && !strchr(got, 'D'));
    in.open = false; /* answered, before the end of its body was read */
    size_t next = len;
    record(5, 1, NULL, 0, 0);
    memmove(bytes + (len - next), bytes, next);
    memcpy(bytes, "\1\5\0\1\0\0\0\0", 8);
    got = events(&in, len);
    CHECK(strchr(got, 'B') && strchr(got, 'H') && !strchr(got, 'D'));
}
END_TEST

START_TEST(answers)
{
    static const uint8_t end[8];
    len = 0;
    record(6, 1, "Status: 200\r\n\r\nhello", 20, 4);
    record(7, 1, "oops", 4, 0);
    record(6, 1, NULL, 0, 0);
    size_t before = len;
    record(3, 1, end, 8, 0);
    char want[64];
    snprintf(want, sizeof(want), "E%zu ", before + 16);
    for (size_t step = 1; step <= len; step++)
        CHECK(strcmp(run(true, step), want) == 0);
}
END_TEST

static void down(const char *what)
{
    for (size_t step = 1; step <= len; step++) {
        const char *got = run(false, step);
        CHECK_FOR(strchr(got, 'D') && !strchr(got, 'H'), what);
    }
}

START_TEST(refused)
{
    uint8_t huge[8] = {0xff, 0xff, 0xff, 0xff, 1};
    len = 0;
    record(1, 1, begin, 8, 0);
    record(1, 2, begin, 8, 0);
    down("two at once");
    len = 0;
    record(4, 1, "\1\1ab", 4, 0);
    down("variables of no request");
    len = 0;
    record(1, 1, begin, 8, 0);
    record(4, 3, "\1\1ab", 4, 0);
    down("variables of another request");
    len = 0;
    record(1, 1, begin, 8, 0);
    record(4, 1, huge, 5, 0);
    down("a name of 2 GiB");
    len = 0;
    record(1, 1, begin, 8, 0);
    record(4, 1, "\5\1ab", 4, 0);
    record(4, 1, NULL, 0, 0);
    down("variables that end inside one");
    len = 0;
    put("\2\1\0\1\0\10\0\0", 8);
    down("another version");
}
END_TEST

START_TEST(guesses)
{
    CHECK(inlet_guess("\1\1\0\1\0\10\0\0", 8) == INLET_FASTCGI);
    CHECK(inlet_guess("\1\1\0\1\0\10\0", 7) == INLET_NONE);
    CHECK(inlet_guess("\1\4\0\1\0\10\0\0", 8) == INLET_NONE);
    CHECK(inlet_guess("GET / HTTP/1.1\r\n", 16) == INLET_NONE);
}
END_TEST

/* --- uwsgi and SCGI ------------------------------------------------------------------------- */

static const struct {
    const char *name, *value;
} given[] = {{"CONTENT_LENGTH", "4"},         {"REQUEST_METHOD", "POST"},
             {"HTTP_TRACEPARENT", "00-4b-1"}, {"HTTP_X_REQUEST_ID", ""},
             {"HTTP_NO_THANKS", "unwanted"},  {"HTTPS", ""},
             {"HTTP_BAGGAGE", "a=1,b=2"}};

#define GIVEN (sizeof(given) / sizeof(given[0]))

static void little(size_t n)
{
    put((const uint8_t[]){(uint8_t)n, (uint8_t)(n >> 8)}, 2);
}

static void uwsgi_request(void)
{
    size_t size = 0;
    for (size_t i = 0; i < GIVEN; i++)
        size += 4 + strlen(given[i].name) + strlen(given[i].value);
    len = 0;
    put("", 1);
    little(size);
    put("", 1);
    for (size_t i = 0; i < GIVEN; i++) {
        little(strlen(given[i].name));
        put(given[i].name, strlen(given[i].name));
        little(strlen(given[i].value));
        put(given[i].value, strlen(given[i].value));
    }
    put("body", 4);
}

static void scgi_request(void)
{
    char size[16];
    size_t n = 0;
    for (size_t i = 0; i < GIVEN; i++)
        n += strlen(given[i].name) + strlen(given[i].value) + 2;
    snprintf(size, sizeof(size), "%zu:", n);
    len = 0;
    put(size, strlen(size));
    for (size_t i = 0; i < GIVEN; i++) {
        put(given[i].name, strlen(given[i].name) + 1);
        put(given[i].value, strlen(given[i].value) + 1);
    }
    put(",body", 5);
}

static const char *run_as(enum inlet_kind kind, size_t step)
{
    struct inlet in;
    inlet_init(&in, kind, false);
    return events(&in, step);
}

static void door(enum inlet_kind kind, void (*make)(void))
{
    char want[512];
    make();
    CHECK(inlet_guess(bytes, len) == kind);
    strcpy(want, run_as(kind, len));
    CHECK(strchr(want, 'B') && strchr(want, 'H') && !strchr(want, 'D'));
    CHECK(strcmp(heard, "traceparent=00-4b-1;x-request-id=;baggage=a=1,b=2;") == 0);
    for (size_t step = 1; step < len; step++) {
        CHECK(strcmp(run_as(kind, step), want) == 0);
        CHECK(strcmp(heard, "traceparent=00-4b-1;x-request-id=;baggage=a=1,b=2;") == 0);
    }
    for (int i = 0; i < 20000; i++) {
        make();
        for (unsigned k = unit_random(4); k > 0; k--)
            bytes[unit_random((unsigned)len)] = (char)unit_random(256);
        strcpy(want, run_as(kind, len));
        CHECK(strcmp(run_as(kind, 1 + unit_random(50)), want) == 0);
    }
    struct inlet in;
    inlet_init(&in, kind, true);
    CHECK(*events(&in, 7) == 0); /* an answer ends with its connection */
}

/* Another request follows: it does not begin, and the first one's body ends where it said. */
static void followed(enum inlet_kind kind, void (*make)(void))
{
    char want[64];
    make();
    size_t n = len;
    put("\0x", 2);
    snprintf(want, sizeof(want), " D%zu ", n);
    for (size_t step = 1; step <= len; step++)
        CHECK(strstr(run_as(kind, step), want));
}

START_TEST(uwsgi)
{
    door(INLET_UWSGI, uwsgi_request);
    followed(INLET_UWSGI, uwsgi_request);
    uwsgi_request();
    bytes[1] = (char)(bytes[1] - 1); /* the variables do not add up */
    CHECK(strchr(run_as(INLET_UWSGI, len), 'D'));
    uwsgi_request();
    bytes[0] = 110; /* a message, not a request */
    CHECK(inlet_guess(bytes, len) == INLET_NONE && strchr(run_as(INLET_UWSGI, len), 'D'));
    uwsgi_request();
    CHECK(inlet_guess(bytes, 7) == INLET_NONE);
    bytes[6] = 'c';
    CHECK(inlet_guess(bytes, len) == INLET_NONE);
}
END_TEST

START_TEST(scgi)
{
    door(INLET_SCGI, scgi_request);
    followed(INLET_SCGI, scgi_request);
    for (size_t i = 0; i < 19; i++) {
        scgi_request();
        bytes[i] = '!';
        CHECK(inlet_guess(bytes, len) == INLET_NONE);
        CHECK(i > 3 || strchr(run_as(INLET_SCGI, len), 'D'));
    }
    scgi_request();
    bytes[len - 5] = ';'; /* the comma */
    CHECK(strchr(run_as(INLET_SCGI, len), 'D'));
    scgi_request();
    CHECK(inlet_guess(bytes, 18) == INLET_NONE);
    len = 0;
    put("99999999:CONTENT_LENGTH", 24);
    CHECK(inlet_guess(bytes, len) == INLET_NONE && strchr(run_as(INLET_SCGI, len), 'D'));
}
END_TEST

/* Whatever comes: no byte outside is read (the sanitizer sees it), and cuts make no difference. */
START_TEST(random_bytes)
{
    char want[512];
    for (int i = 0; i < 3000; i++) {
        len = 0;
        request(1, 1 + unit_random(300), unit_random(9), unit_random(2));
        for (unsigned k = unit_random(4); k > 0; k--)
            bytes[unit_random((unsigned)len)] = (char)unit_random(256);
        strcpy(want, run(false, len));
        CHECK(strcmp(run(false, 1 + unit_random(50)), want) == 0);
    }
}
END_TEST

int main(void)
{
    unit_begin("inlet");
    unit_add("fastcgi-at-every-cut", every_cut, 0);
    unit_add("fastcgi-kept-connection", kept_connection, 0);
    unit_add("fastcgi-answers", answers, 0);
    unit_add("fastcgi-refused", refused, 0);
    unit_add("uwsgi", uwsgi, 0);
    unit_add("scgi", scgi, 0);
    unit_add("guesses", guesses, 0);
    unit_add("random-bytes", random_bytes, 0);
    return unit_run();
}
