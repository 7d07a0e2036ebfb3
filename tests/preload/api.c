/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api: include/tracebaton.h, preloaded (argument: none) and not (argument:
 * `alone`): what is captured, entered, left, released, and what a request then
 * carries.
 */
#include "raw.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>

#include "tracebaton.h"

/* One outbound request of the calling thread; which request id it carried, "" for none. */
static const char *carried(void)
{
    static __thread char id[64];
    static const char head[] = "GET /out HTTP/1.1\r\nHost: svc\r\n\r\n";
    char seen[65536];
    int fd[2];
    pair(fd);
    need(write(fd[0], head, sizeof(head) - 1) == sizeof(head) - 1, "outbound write");
    long n = raw_drain(fd[1], seen, sizeof(seen) - 1);
    seen[n > 0 ? n : 0] = 0;
    close(fd[0]);
    raw_close(fd[1]);
    const char *p = strstr(seen, "x-request-id: ");
    id[0] = 0;
    if (p)
        sscanf(p, "x-request-id: %63[^\r]", id);
    return id;
}

static void is(const char *name, const char *got, const char *want)
{
    char why[256];
    snprintf(why, sizeof(why), "carried '%s', not '%s'", got, want);
    result(name, strcmp(got, want) ? why : NULL);
}

static void that(const char *name, bool holds)
{
    result(name, holds ? NULL : "it is not so");
}

struct job {
    tracebaton_context trace;
    char id[64], nested[64], after[64];
};

static void *work(void *arg)
{
    struct job *j = arg;
    tracebaton_scope s = tracebaton_enter(j->trace);
    strcpy(j->id, carried());
    tracebaton_scope inner = tracebaton_enter(0);
    strcpy(j->nested, carried());
    tracebaton_leave(inner);
    tracebaton_leave(s);
    strcpy(j->after, carried());
    return NULL;
}

static void on_another_thread(struct job *j)
{
    pthread_t t;
    pthread_create(&t, NULL, work, j);
    pthread_join(t, NULL);
}

static void threads(void)
{
    struct job j = {0};
    int fd[2], other[2];
    serve(fd, "x-request-id: one\r\n");
    j.trace = tracebaton_capture();
    that("api-captures", j.trace != 0);
    on_another_thread(&j);
    is("api-carries-on-another-thread", j.id, "one");
    is("api-nobody-nested", j.nested, "");
    is("api-leaves", j.after, "");
    is("api-own-thread", carried(), "one");
    tracebaton_scope s = tracebaton_enter(0);
    is("api-nobody-on-the-own-thread", carried(), "");
    tracebaton_leave(s);
    finish(fd);
    that("api-nothing-to-capture", tracebaton_capture() == 0);
    on_another_thread(&j);
    is("api-after-the-answer", j.id, "one");
    serve(other, "x-request-id: two\r\n");
    s = tracebaton_enter(j.trace);
    is("api-wins-over-the-thread", carried(), "one");
    tracebaton_leave(s);
    is("api-back-to-the-thread", carried(), "two");
    finish(other);
    tracebaton_release(j.trace);
    on_another_thread(&j);
    is("api-released", j.id, "");
}

/* An event loop: reads do not block, nothing is inferred, but the loop knows its connections. */
static void loop(void)
{
    int a[2], b[2];
    char buf[256];
    static const char one[] = "GET / HTTP/1.1\r\nx-request-id: a\r\n\r\n",
                      two[] = "GET / HTTP/1.1\r\nx-request-id: b\r\n\r\n";
    pair(a);
    pair(b);
    fcntl(a[0], F_SETFL, O_NONBLOCK);
    fcntl(b[0], F_SETFL, O_NONBLOCK);
    raw_write(a[1], one, sizeof(one) - 1);
    raw_write(b[1], two, sizeof(two) - 1);
    need(read(a[0], buf, sizeof(buf)) > 0 && read(b[0], buf, sizeof(buf)) > 0, "read");
    is("api-loop-infers-nothing", carried(), "");
    tracebaton_context ca = tracebaton_capture_fd(a[0]), cb = tracebaton_capture_fd(b[0]);
    that("api-captures-connections", ca && cb && ca != cb);
    for (int i = 0; i < 3; i++) {
        tracebaton_scope s = tracebaton_enter(ca);
        is("api-fiber-a", carried(), "a");
        tracebaton_leave(s);
        s = tracebaton_enter(cb);
        is("api-fiber-b", carried(), "b");
        tracebaton_leave(s);
    }
    that("api-no-such-connection", !tracebaton_capture_fd(-1) && !tracebaton_capture_fd(1 << 30) &&
                                       !tracebaton_capture_fd(a[1]));
    tracebaton_release(ca);
    tracebaton_release(cb);
    finish(a);
    finish(b);
}

static void headers(void)
{
    int fd[2];
    char value[64], small[4] = "abc";
    serve(fd,
          "x-request-id: one\r\nX-B3-Sampled: 1\r\nx-b3-traceid: 0123456789abcdef\r\nx-b3-spanid: "
          "0123456789abcdef\r\n");
    tracebaton_context c = tracebaton_capture();
    that("api-header", tracebaton_header(c, "X-Request-ID", value, sizeof(value)) == 3 &&
                           strcmp(value, "one") == 0);
    that("api-header-b3", tracebaton_header(c, "x-b3-sampled", value, sizeof(value)) == 1 &&
                              strcmp(value, "1") == 0);
    that("api-header-none",
         tracebaton_header(c, "traceparent", value, sizeof(value)) == 0 && !*value);
    that("api-header-too-long", tracebaton_header(c, "x-request-id", small, 3) == 0 && !*small);
    that("api-header-fits", tracebaton_header(c, "x-request-id", small, 4) == 3);
    that("api-header-no-room", tracebaton_header(c, "x-request-id", NULL, 0) == 0);
    tracebaton_release(c);
    finish(fd); /* until then the exchange holds it, too */
    that("api-header-released", tracebaton_header(c, "x-request-id", value, sizeof(value)) == 0);
}

/* Numbers that were never handles. */
static void nonsense(void)
{
    char value[64];
    for (uint64_t h = 1; h; h <<= 1) {
        tracebaton_release(h);
        tracebaton_scope s = tracebaton_enter(h);
        need(!*carried(), "nothing");
        tracebaton_leave(s);
        need(!tracebaton_header(h, "x-request-id", value, sizeof(value)), "no header");
    }
    result("api-nonsense", NULL);
}

static tracebaton_context in_handler;
static void handler(int n)
{
    (void)n;
    tracebaton_scope s = tracebaton_enter(in_handler);
    tracebaton_leave(s);
    tracebaton_release(tracebaton_capture());
}

static void signals(void)
{
    int fd[2];
    serve(fd, "x-request-id: sig\r\n");
    in_handler = tracebaton_capture();
    signal(SIGALRM, handler);
    for (int i = 0; i < 2000; i++) {
        raise(SIGALRM);
        errno = 77;
        tracebaton_context c = tracebaton_capture();
        need(errno == 77 && c, "errno");
        tracebaton_release(c);
    }
    is("api-signals", carried(), "sig");
    finish(fd);
}

static void alone(void)
{
    char value[8];
    tracebaton_scope s = tracebaton_enter(7);
    tracebaton_leave(s);
    tracebaton_release(7);
    that("api-alone", !tracebaton_version() && !tracebaton_capture() && !tracebaton_capture_fd(0) &&
                          !tracebaton_header(1, "x", value, 8));
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "alone") == 0) {
        alone();
        return failures != 0;
    }
    that("api-version", tracebaton_version() && strcmp(tracebaton_version(), TB_VERSION) == 0);
    threads();
    headers();
    nonsense();
    signals();
    loop(); /* from here on nothing is inferred in this process */
    return failures != 0;
}
