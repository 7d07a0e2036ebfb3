/* SPDX-License-Identifier: Apache-2.0 */
/*
 * door: requests that come in by FastCGI, uwsgi, SCGI and the environment of a CGI
 * script, up to the call that is made for them. Read in pieces of every size; what
 * is not certain (two requests at once, more than was announced, bytes that only
 * look like a door's) carries nothing.
 */
#include "raw.h"

#include <stdint.h>
#include <sys/wait.h>

/* A stream under construction. */
static char bytes[65536];
static size_t len;

static void put(const void *p, size_t n)
{
    if (n)
        memcpy(bytes + len, p, n);
    len += n;
}

static void puts_(const char *s)
{
    put(s, strlen(s));
}

/* The variables of a request: CONTENT_LENGTH, an id, half of B3, and what must not become a line.
 */
struct variable {
    const char *name, *value;
};

#define B3 "463ac35c9f6413ad48485a3953bb6124"

#define VARIABLES 6

static void variables(struct variable v[VARIABLES], const char *id, const char *body)
{
    v[0] = (struct variable){"CONTENT_LENGTH", body};
    v[1] = (struct variable){"REQUEST_METHOD", "POST"};
    v[2] = (struct variable){"HTTP_X_REQUEST_ID", id};
    v[3] = (struct variable){"HTTP_X_B3_TRACEID", B3};
    v[4] = (struct variable){"HTTP_X_B3_SPANID", "a2fb4a1d1a96d312"};
    v[5] = (struct variable){"HTTP_PROXY", "evil"};
}

static void little(size_t n)
{
    put((const uint8_t[]){(uint8_t)n, (uint8_t)(n >> 8)}, 2);
}

/* A request of each door, whose body is as long as `length` says, or longer. */
static void uwsgi(const char *id, const char *length, const char *body)
{
    struct variable v[VARIABLES];
    size_t size = 0;
    variables(v, id, length);
    for (int i = 0; i < VARIABLES; i++)
        size += 4 + strlen(v[i].name) + strlen(v[i].value);
    put("", 1);
    little(size);
    put("", 1);
    for (int i = 0; i < VARIABLES; i++) {
        little(strlen(v[i].name));
        puts_(v[i].name);
        little(strlen(v[i].value));
        puts_(v[i].value);
    }
    puts_(body);
}

static void scgi(const char *id, const char *length, const char *body)
{
    struct variable v[VARIABLES];
    char size[16];
    size_t n = 0;
    variables(v, id, length);
    for (int i = 0; i < VARIABLES; i++)
        n += strlen(v[i].name) + strlen(v[i].value) + 2;
    snprintf(size, sizeof(size), "%zu:", n);
    puts_(size);
    for (int i = 0; i < VARIABLES; i++) {
        put(v[i].name, strlen(v[i].name) + 1);
        put(v[i].value, strlen(v[i].value) + 1);
    }
    puts_(",");
    puts_(body);
}

static void record(unsigned type, unsigned id, const void *content, size_t n)
{
    uint8_t h[8] = {1,           (uint8_t)type,     (uint8_t)(id >> 8),
                    (uint8_t)id, (uint8_t)(n >> 8), (uint8_t)n};
    put(h, 8);
    put(content, n);
}

static void fastcgi_as(unsigned number, const char *id, const char *length, const char *body)
{
    static const uint8_t begin[8] = {0, 1, 1};
    struct variable v[VARIABLES];
    variables(v, id, length);
    record(1, number, begin, 8);
    for (int i = 0; i < VARIABLES; i++) {
        char pair[256];
        int n = snprintf(pair, sizeof(pair), "%c%c%s%s", (int)strlen(v[i].name),
                         (int)strlen(v[i].value), v[i].name, v[i].value);
        record(4, number, pair, 1);
        record(4, number, pair + 1, (size_t)n - 1);
    }
    record(4, number, "", 0);
    record(5, number, body, strlen(body));
    record(5, number, "", 0);
}

static void fastcgi(const char *id, const char *length, const char *body)
{
    fastcgi_as(1, id, length, body);
}

static const struct door {
    const char *name;
    void (*request)(const char *id, const char *length, const char *body);
    size_t least; /* bytes of the first read from which it is known */
} doors[] = {{"fastcgi", fastcgi, 8}, {"uwsgi", uwsgi, 8}, {"scgi", scgi, 19}};

#define DOORS 3

/* The bytes are read in pieces of `step`, the first of `first`. @return whether they are the same
 */
static bool receive(int fd[2], size_t first, size_t step)
{
    static char got[65536];
    size_t at = 0;
    need(raw_write(fd[1], bytes, len) == (long)len, "inbound write");
    while (at < len) {
        size_t want = at ? step : first;
        ssize_t n = read(fd[0], got + at, want < len - at ? want : len - at);
        need(n > 0, "inbound read");
        at += (size_t)n;
    }
    bool same = memcmp(got, bytes, len) == 0;
    len = 0;
    return same;
}

/* One outbound request. @return NULL if it carries just this id, NULL: none; or what is wrong */
static const char *judge(const char *seen, const char *id)
{
    char want[512] = "GET /out HTTP/1.1\r\nHost: svc\r\n\r\n";
    if (!id)
        return strcmp(seen, want) ? "it is not as the program wrote it" : NULL;
    const char *got = strstr(seen, "x-request-id: ");
    if (!got)
        return "no context";
    snprintf(want, sizeof(want), "x-request-id: %s\r\n", id);
    return strncmp(got, want, strlen(want))                ? "another context"
           : !strstr(seen, "x-b3-traceid: " B3 "\r\n")     ? "no x-b3-traceid"
           : strstr(seen, "proxy") || strstr(seen, "evil") ? "a line that is none of ours"
                                                           : NULL;
}

static void call(char *seen, size_t cap)
{
    static const char head[] = "GET /out HTTP/1.1\r\nHost: svc\r\n\r\n";
    int fd[2];
    pair(fd);
    need(write(fd[0], head, sizeof(head) - 1) == sizeof(head) - 1, "outbound write");
    long n = raw_drain(fd[1], seen, cap - 1);
    seen[n > 0 ? n : 0] = 0;
    close(fd[0]);
    raw_close(fd[1]);
}

static const char *carries(const char *id)
{
    char seen[8192];
    call(seen, sizeof(seen));
    return judge(seen, id);
}

static void named(const char *what, const struct door *d, const char *why)
{
    char name[64];
    snprintf(name, sizeof(name), "door-%s-%s", d->name, what);
    result(name, why);
}

static void done(int fd[2])
{
    close(fd[0]);
    raw_close(fd[1]);
}

/* --- each door ------------------------------------------------------------------------------- */

static void at_every_cut(const struct door *d)
{
    char why[96] = "";
    d->request("cut", "4", "body");
    for (size_t step = 1, n = len; step <= n && !*why; step++) {
        int fd[2];
        len = 0;
        d->request("cut", "4", "body");
        pair(fd);
        bool same = receive(fd, step < d->least ? d->least : step, step);
        const char *wrong = same ? carries("cut") : "other bytes are read";
        if (wrong)
            snprintf(why, sizeof(why), "in pieces of %zu: %s", step, wrong);
        done(fd);
    }
    len = 0;
    named("at-every-cut", d, *why ? why : NULL);
}

/* Too short a first read is nothing's: less is carried, nothing wrong. */
static void short_first_read(const struct door *d)
{
    const char *why = NULL;
    for (size_t first = 1; first < d->least && !why; first++) {
        int fd[2];
        d->request("short", "4", "body");
        pair(fd);
        receive(fd, first, 4096);
        why = carries(NULL);
        done(fd);
    }
    named("short-first-read", d, why);
}

/* Another request on the same connection, and a third: whatever they are, they are not the first.
 */
static void another(const struct door *d, const char *what, const char *body)
{
    int fd[2];
    char length[24];
    snprintf(length, sizeof(length), "%zu", strlen(body));
    pair(fd);
    d->request("one", length, body);
    receive(fd, 4096, 4096);
    const char *why = carries("one");
    if (write(fd[0], "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 38) != 38)
        why = "the answer is not written";
    for (int i = 0; i < 2 && !why; i++) {
        d->request("two", length, body);
        receive(fd, 4096, 4096);
        why = carries(NULL);
    }
    done(fd);
    named(what, d, why);
}

static void at_once(const struct door *d)
{
    int fd[2];
    pair(fd);
    d->request("one", "0", "");
    d->request("two", "0", "");
    receive(fd, 4096, 4096);
    named("two-at-once", d, carries(NULL));
    done(fd);
}

static void longer_than_said(const struct door *d, const char *said)
{
    int fd[2];
    char what[64];
    pair(fd);
    d->request("long", said, "body");
    receive(fd, 4096, 4096);
    snprintf(what, sizeof(what), "length-%s-of-4", *said ? said : "none");
    named(what, d, carries(NULL));
    done(fd);
}

/* --- FastCGI's connections ------------------------------------------------------------------- */

static void answer_fastcgi(int fd[2], unsigned number)
{
    static const uint8_t end[8];
    size_t from = len;
    record(6, number, "Status: 200\r\n\r\n", 15);
    record(3, number, end, 8);
    need(write(fd[0], bytes + from, len - from) == (ssize_t)(len - from), "answer");
    len = from;
}

static void kept_connection(void)
{
    int fd[2];
    const char *why = NULL;
    pair(fd);
    for (unsigned i = 0; i < 5 && !why; i++) {
        char id[16];
        snprintf(id, sizeof(id), "kept%u", i);
        fastcgi_as(1 + i % 2, id, "4", "body");
        receive(fd, 8, 1 + i * 7);
        why = carries(id);
        answer_fastcgi(fd, 1 + i % 2);
        if (!why)
            why = carries(NULL);
    }
    done(fd);
    named("kept-connection", &doors[0], why);
}

static void multiplexed(void)
{
    int fd[2];
    pair(fd);
    fastcgi_as(1, "one", "0", "");
    receive(fd, 4096, 4096);
    const char *why = carries("one");
    fastcgi_as(2, "two", "0", "");
    receive(fd, 4096, 4096);
    named("multiplexed", &doors[0], why ? why : carries(NULL));
    answer_fastcgi(fd, 1);
    named("multiplexed-one-answered", &doors[0], carries(NULL));
    done(fd);
}

/* --- what is no door ------------------------------------------------------------------------- */

static void look_alikes(void)
{
    static const struct {
        const char *name, *bytes;
        size_t n;
    } rows[] = {{"another-netstring",
                 "40:HTTP_X_REQUEST_ID\0evil\0CONTENT_LENGTH\0"
                 "4\0,",
                 44},
                {"uwsgi-message", "\x6e\x19\0\0\x11\0HTTP_X_REQUEST_ID\4\0evil", 29},
                {"uwsgi-lower-case", "\0\x22\0\0\4\0name\1\0x\x11\0HTTP_X_REQUEST_ID\4\0evil", 38}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char name[64];
        int fd[2];
        pair(fd);
        put(rows[i].bytes, rows[i].n);
        receive(fd, 4096, 4096);
        snprintf(name, sizeof(name), "door-none-%s", rows[i].name);
        result(name, carries(NULL));
        done(fd);
    }
}

/* --- a CGI script's environment -------------------------------------------------------------- */

static const char *self;

/* What a program with exactly this environment (and the library) sends; by no hooked call. */
static const char *program(char *const argv[], const char *const *env, const char *id)
{
    static char seen[8192], preload[4096];
    char *envp[16] = {preload};
    int p[2], status;
    size_t at = 0;
    snprintf(preload, sizeof(preload), "LD_PRELOAD=%s",
             getenv("LD_PRELOAD") ? getenv("LD_PRELOAD") : "");
    for (int i = 0; env[i]; i++)
        envp[i + 1] = (char *)env[i];
    need(pipe(p) == 0, "pipe");
    pid_t pid = fork();
    if (pid == 0) {
        dup2(p[1], 1);
        raw3(SYS_execve, (long)argv[0], (long)argv, (long)envp);
        _exit(127);
    }
    raw_close(p[1]);
    for (long n; (n = raw_read(p[0], seen + at, sizeof(seen) - 1 - at)) > 0;)
        at += (size_t)n;
    seen[at] = 0;
    raw_close(p[0]);
    waitpid(pid, &status, 0);
    return !at ? "it made no call" : judge(seen, id);
}

#define GATEWAY "GATEWAY_INTERFACE=CGI/1.1"
#define METHOD  "REQUEST_METHOD=GET"
#define FIELDS                                                                                     \
    "HTTP_X_REQUEST_ID=cgi", "HTTP_X_B3_TRACEID=" B3, "HTTP_X_B3_SPANID=a2fb4a1d1a96d312",         \
        "HTTP_PROXY=evil"
#define ENV(...) ((const char *const[]){__VA_ARGS__, NULL})

static void cgi_environment(void)
{
    char command[4200], *const call_it[] = {(char *)self, "call", NULL},
                               *const shell[] = {"/bin/sh", "-c", command, NULL},
                               *const serve_it[] = {(char *)self, "serve", NULL};
    snprintf(command, sizeof(command), "'%s' call; true", self);
    result("door-cgi", program(call_it, ENV(GATEWAY, METHOD, FIELDS), "cgi"));
    result("door-cgi-no-gateway", program(call_it, ENV(METHOD, FIELDS), NULL));
    result("door-cgi-no-method", program(call_it, ENV(GATEWAY, FIELDS), NULL));
    result("door-cgi-empty-method",
           program(call_it, ENV(GATEWAY, "REQUEST_METHOD=", FIELDS), NULL));
    result("door-cgi-another-gateway",
           program(call_it, ENV("GATEWAY_INTERFACE=XCGI/1.1", METHOD, FIELDS), NULL));
    result("door-cgi-switched-off",
           program(call_it, ENV(GATEWAY, METHOD, FIELDS, "TRACEBATON_ENV=off"), NULL));
    result("door-cgi-two-lines",
           program(call_it, ENV(GATEWAY, METHOD, "HTTP_X_REQUEST_ID=a\r\nevil: 1"), NULL));
    result("door-cgi-no-fields", program(call_it, ENV(GATEWAY, METHOD, "HTTP_PROXY=evil"), NULL));
    result("door-cgi-serves-others", program(serve_it, ENV(GATEWAY, METHOD, FIELDS), NULL));
    if (getenv("SANITIZED")) /* linked, not preloaded: the shell is without it */
        return;
    result("door-cgi-shell", program(shell, ENV(GATEWAY, METHOD, FIELDS), "cgi"));
}

static int program_main(const char *how)
{
    char seen[8192];
    int fd[2];
    if (strcmp(how, "serve") == 0) {
        serve(fd, "");
        finish(fd);
    }
    call(seen, sizeof(seen));
    return raw_write(1, seen, strlen(seen)) < 0;
}

int main(int argc, char **argv)
{
    static char path[4096];
    if (argc > 1)
        return program_main(argv[1]);
    need(readlink("/proc/self/exe", path, sizeof(path) - 1) > 0, "own path");
    self = path;
    for (int i = 0; i < DOORS; i++) {
        at_every_cut(&doors[i]);
        short_first_read(&doors[i]);
    }
    for (int i = 1; i < DOORS; i++) {
        another(&doors[i], "another-request", "");
        another(&doors[i], "another-after-a-body", "body");
        at_once(&doors[i]);
        longer_than_said(&doors[i], "3");
        longer_than_said(&doors[i], "");
        longer_than_said(&doors[i], "4x");
        longer_than_said(&doors[i], "99999999999999999999");
    }
    kept_connection();
    multiplexed();
    look_alikes();
    cgi_environment();
    return failures != 0;
}
