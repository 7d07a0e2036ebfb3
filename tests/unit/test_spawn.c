/* SPDX-License-Identifier: Apache-2.0 */
/* test_spawn: a context as the text of a variable and back, and CGI's names. */
#define _GNU_SOURCE
#include "unit/unit.h"

#include "unit/exchange.h"

#include "inlet/spawn.h"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"
#define MANY                                                                                       \
    GET "x-request-id: a|b%c\r\ntraceparent: "                                                     \
        "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01\r\n"                              \
        "tracestate: a=b\r\nbaggage: k=v\r\nbaggage: l=w\r\n"

static struct exchange x;
static char store[EXCHANGE_STORE], text[8192];
static char room[CONTEXT_MEM] __attribute__((aligned(16)));

static struct context *captured(const char *head)
{
    static struct context *c;
    exchange_init(&x);
    c = exchange_capture(&x, head, strlen(head));
    return c;
}

/* A head that is read from text. @return NULL: refused */
static struct context *read_back(const char *s, size_t n)
{
    struct head head;
    struct context_notes notes = {{0}};
    char *copy = malloc(n ? n : 1);
    memcpy(copy, s, n);
    head_begin(&head, &x.names, store, 0, sizeof(store));
    bool ok = spawn_read((struct span){copy, n}, &head);
    free(copy);
    return ok ? context_build(&head, room, sizeof(room), &notes) : NULL;
}

START_TEST(there_and_back)
{
    struct context *c = captured(MANY);
    size_t n = spawn_write(c, text, sizeof(text));
    CHECK(n > 0 && !memchr(text, '\n', n) && !memchr(text, '\r', n));
    struct context *d = read_back(text, n);
    CHECK(d && d->n == c->n && d->text_len == c->text_len);
    CHECK(memcmp(d->text, c->text, c->text_len) == 0);
    for (size_t cap = 0; cap < n; cap++) /* whole, or nothing */
        CHECK(spawn_write(c, text, cap) == 0);
    CHECK(spawn_write(c, text, n) == n);
    c->text[3] ^= 1; /* memory that somebody else wrote to */
    CHECK(spawn_write(c, text, sizeof(text)) == 0);
    free(c);
    exchange_done(&x);
}
END_TEST

START_TEST(values)
{
    struct context *c = captured(MANY);
    char value[64];
    CHECK(spawn_value(c, SPAN("tracestate"), value, sizeof(value)) == 3 &&
          !memcmp(value, "a=b", 3));
    CHECK(spawn_value(c, SPAN("TraceState"), value, sizeof(value)) == 3);
    CHECK(spawn_value(c, SPAN("x-request-id"), value, sizeof(value)) == 5 &&
          !memcmp(value, "a|b%c", 5));
    size_t n = spawn_value(c, SPAN("baggage"), value, sizeof(value));
    CHECK(n == 7 && memcmp(value, "k=v,l=w", 7) == 0);
    CHECK(spawn_value(c, SPAN("baggage"), value, 6) == 0);
    CHECK(spawn_value(c, SPAN("b3"), value, sizeof(value)) == 0);
    free(c);
    exchange_done(&x);
}
END_TEST

START_TEST(hostile)
{
    static const char *const bad[] = {
        "x-request-id",          "x-request-id:a",     ": a", "x-request-id: a\r\nb: c",
        "x-request-id: a\nb: c", "|x-request-id: a",   "||",  "x request-id: a",
        "x-request-id: a\r",     "x-request-id: \001|"};
    exchange_init(&x);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct context *c = read_back(bad[i], strlen(bad[i]));
        CHECK_FOR(!c || c->n == 0, bad[i]);
    }
    struct context *c = read_back("x-request-id: a%0D%0Ab", 22);
    CHECK(c && c->n == 1 && memmem(c->text, c->text_len, "a%0D%0Ab", 8)); /* two escapes, no more */
    c = read_back("host: evil|transfer-encoding: chunked|x-request-id: a", 53);
    CHECK(!c || (c->n <= 1 && !memmem(c->text, c->text_len, "evil", 4)));
    for (int i = 0; i < 20000; i++) { /* nothing outside is read: the sanitizer sees it */
        char b[64];
        size_t n = unit_random(sizeof(b));
        for (size_t k = 0; k < n; k++)
            b[k] = unit_random(3) ? "x-request-id: |%257C\r\n"[unit_random(22)]
                                  : (char)unit_random(256);
        read_back(b, n);
    }
    exchange_done(&x);
}
END_TEST

static const char *const *environment;
static const char *env(const char *name)
{
    size_t n = strlen(name);
    for (const char *const *e = environment; *e; e++)
        if (strncmp(*e, name, n) == 0 && (*e)[n] == '=')
            return *e + n + 1;
    return NULL;
}
#define CGI(...) (environment = (const char *const[]){__VA_ARGS__, NULL}, spawn_is_cgi(env))

START_TEST(cgi)
{
    char name[HTTP1_NAME_MAX], longer[400];
    CHECK(CGI("GATEWAY_INTERFACE=CGI/1.1", "REQUEST_METHOD=GET"));
    CHECK(!CGI("GATEWAY_INTERFACE=CGI/1.1") && !CGI("REQUEST_METHOD=GET"));
    CHECK(!CGI("GATEWAY_INTERFACE=CG", "REQUEST_METHOD=GET"));
    CHECK(!CGI("GATEWAY_INTERFACE=CGI/1.1", "REQUEST_METHOD="));
    CHECK(spawn_cgi_name("HTTP_X_B3_TRACEID=1", name) == 12 && !memcmp(name, "x-b3-traceid", 12));
    CHECK(!spawn_cgi_name("HTTP_=1", name) && !spawn_cgi_name("HTTP_X", name));
    CHECK(!spawn_cgi_name("HTTPS=on", name) && !spawn_cgi_name("", name) &&
          !spawn_cgi_name("HTT", name));
    memset(longer, 'A', sizeof(longer));
    memcpy(longer, "HTTP_", 5);
    longer[390] = '=';
    longer[391] = 0;
    CHECK(!spawn_cgi_name(longer, name));
}
END_TEST

int main(void)
{
    unit_begin("test_spawn");
    UNIT(there_and_back);
    UNIT(values);
    UNIT(hostile);
    UNIT(cgi);
    return unit_run();
}
