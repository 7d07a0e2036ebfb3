/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random_stream [SEED [STREAMS [THREADS]]] (STREAMS for each thread; the variable
 * STREAMS says how many in all): seeded random streams over all send
 * families, through small socket buffers, blocking and not, over dup'ed aliases,
 * with bodies that look like heads, chunked bodies, sendfile and splice, pooled
 * and pipelined requests, and streams that are no HTTP at all. Each thread serves
 * an exchange of its own. The peer (raw) must receive the program's bytes plus
 * this thread's line directly before the empty line of each request's head.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/sendfile.h>

#include "families.h"

#define MAX (256 * 1024)

struct world {
    uint64_t seed;
    char line[64];           /* what this thread's requests are given */
    char *sent, *want, *got; /* the program's bytes; the right stream; what arrived */
    char *body;              /* 1: this byte of `sent` lies in a body */
    size_t nsent, nwant, ngot;
    int fd[2], alias, file;
    bool blocking;
    const char *why;
};

static uint64_t roll(struct world *w, uint64_t n)
{
    w->seed ^= w->seed << 13;
    w->seed ^= w->seed >> 7;
    w->seed ^= w->seed << 17;
    return w->seed % n;
}

/* --- making a stream -------------------------------------------------------------------------- */

static void put(struct world *w, const char *p, size_t n)
{
    memset(w->body + w->nsent, 0, n);
    memcpy(w->sent + w->nsent, p, n);
    memcpy(w->want + w->nwant, p, n);
    w->nsent += n;
    w->nwant += n;
}

static void puts_(struct world *w, const char *s)
{
    put(w, s, strlen(s));
}

static void added(struct world *w)
{
    memcpy(w->want + w->nwant, w->line, strlen(w->line));
    w->nwant += strlen(w->line);
}

static const char decoy[] = "GET /decoy HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n";

static void filler(struct world *w, size_t n)
{
    while (n > 0) {
        size_t len = n < sizeof(decoy) - 1 ? n : sizeof(decoy) - 1;
        put(w, decoy, len);
        memset(w->body + w->nsent - len, 1, len);
        n -= len;
    }
}

static void head(struct world *w, const char *framing)
{
    char text[256];
    snprintf(text, sizeof(text), "POST /%llu HTTP/1.%d\r\nHost: next\r\n",
             (unsigned long long)roll(w, 1u << 30),
             strstr(framing, "chunked") || roll(w, 4) ? 1 : 0);
    puts_(w, text);
    for (uint64_t n = roll(w, 4); n > 0; n--) {
        snprintf(text, sizeof(text), "x-%llu: %0*d\r\n", (unsigned long long)n,
                 1 + (int)roll(w, 200), 7);
        puts_(w, text);
    }
    puts_(w, framing);
    added(w);
    puts_(w, "\r\n");
}

static void request_with_length(struct world *w, size_t n)
{
    char text[64];
    snprintf(text, sizeof(text), "Content-Length: %zu\r\n", n);
    head(w, n || roll(w, 2) ? text : "");
    filler(w, n);
}

static void request_chunked(struct world *w)
{
    char text[64];
    head(w, "Transfer-Encoding: chunked\r\n");
    for (uint64_t n = roll(w, 4); n > 0; n--) {
        size_t len = 1 + roll(w, 3000);
        snprintf(text, sizeof(text), roll(w, 2) ? "%zx\r\n" : "%zX;a=\"b\"\r\n", len);
        puts_(w, text);
        filler(w, len);
        puts_(w, "\r\n");
    }
    puts_(w, roll(w, 2) ? "0\r\n\r\n" : "0\r\nx-request-id: trailer\r\n\r\n");
}

/* Streams that must not change by a byte. */
static void other(struct world *w)
{
    static const char *const start[] = {
        "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n",
        "get key\r\nset k 0 0 1\r\n",
        "SSH-2.0-test\r\n",
        "EHLO me\r\nMAIL FROM:<a>\r\n",
        "\x16\x03\x01\x02\x05",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET /\r\n\r\n",
        "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\rc\r\n\r\n"};
    puts_(w, start[roll(w, sizeof(start) / sizeof(start[0]))]);
    filler(w, roll(w, 8000));
}

static void make(struct world *w)
{
    w->nsent = w->nwant = w->ngot = 0;
    if (roll(w, 5) == 0) {
        other(w);
        return;
    }
    for (uint64_t n = 1 + roll(w, 6); n > 0; n--)
        if (roll(w, 3) == 0)
            request_chunked(w);
        else
            request_with_length(w, roll(w, 2) ? 0 : roll(w, 12000));
    if (roll(w, 6) == 0) { /* the last one upgrades: what follows is no HTTP any more */
        puts_(w, "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n");
        added(w);
        puts_(w, "\r\n");
        filler(w, roll(w, 3000));
    }
}

/* --- sending it ------------------------------------------------------------------------------- */

static void drain(struct world *w)
{
    w->ngot += (size_t)raw_drain(w->fd[1], w->got + w->ngot, MAX - w->ngot);
}

static ssize_t by_file(struct world *w, int fd, size_t at, size_t n)
{
    off_t off = 0;
    raw2(SYS_ftruncate, w->file, 0);
    need(raw4(SYS_pwrite64, w->file, (long)(w->sent + at), (long)n, 0) == (long)n, "pwrite");
    return sendfile(fd, w->file, &off, n);
}

static ssize_t by_splice(struct world *w, int fd, size_t at, size_t n)
{
    int p[2];
    n = n < 4096 ? n : 4096;
    need(pipe(p) == 0 && raw_write(p[1], w->sent + at, n) == (long)n, "pipe");
    ssize_t r = splice(p[0], NULL, fd, NULL, n, w->blocking ? 0 : SPLICE_F_NONBLOCK);
    close(p[0]);
    close(p[1]);
    return r;
}

/* How many bytes from here lie in a body: only those may be moved by the kernel alone, since a head
 * that nobody can look into makes the connection stand down (which preload/flow tests). */
static size_t in_body(const struct world *w, size_t at, size_t n)
{
    size_t len = 0;
    while (len < n && w->body[at + len])
        len++;
    return len;
}

static ssize_t one_call(struct world *w, size_t at, size_t n)
{
    int fd = roll(w, 3) ? w->fd[0] : w->alias;
    size_t len = in_body(w, at, n);
    if (len > 0 && roll(w, 3) == 0)
        return roll(w, 2) ? by_file(w, fd, at, len) : by_splice(w, fd, at, len);
    int flags = !w->blocking && roll(w, 2) ? MSG_DONTWAIT : roll(w, 4) == 0 ? MSG_MORE : 0;
    return send_by((enum family)roll(w, FAMILIES), fd, w->sent + at, n, flags | MSG_NOSIGNAL);
}

static void push(struct world *w)
{
    for (size_t at = 0; at < w->nsent && !w->why;) {
        size_t n = w->nsent - at, most = roll(w, 3) ? 4000 : 40;
        n = 1 + roll(w, n < most ? n : most);
        /* One thread cannot wait for itself: a blocking call must fit the buffer. */
        if (w->blocking)
            drain(w);
        ssize_t r = one_call(w, at, n);
        if (r > (ssize_t)n || r == 0)
            w->why = "an impossible count";
        else if (r < 0 && errno != EAGAIN)
            w->why = "an unexpected error";
        else if (r < 0 && w->blocking)
            w->why = "EAGAIN from a blocking socket";
        at += r > 0 ? (size_t)r : 0;
        if (r < 0 || roll(w, 3) == 0)
            drain(w);
    }
    drain(w);
}

static void compare(struct world *w)
{
    if (w->why)
        return;
    if (w->ngot == w->nwant && memcmp(w->got, w->want, w->ngot) == 0)
        return;
    w->why = "the peer received other bytes";
    size_t i = 0;
    while (i < w->ngot && i < w->nwant && w->got[i] == w->want[i])
        i++;
    printf("# stream begins <<%.90s>>\n", w->want);
    printf("# %zu bytes, wanted %zu, first difference at %zu: <<%.60s>> wanted <<%.60s>>\n",
           w->ngot, w->nwant, i, w->got + i, w->want + i);
}

static void stream(struct world *w)
{
    int small = 2048;
    make(w);
    pair(w->fd);
    w->blocking = roll(w, 2);
    if (!w->blocking) { /* a blocking call of one thread must not wait for its own reader */
        fcntl(w->fd[0], F_SETFL, O_NONBLOCK);
        setsockopt(w->fd[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    }
    w->alias = roll(w, 2) ? dup(w->fd[0]) : fcntl(w->fd[0], F_DUPFD_CLOEXEC, 50);
    push(w);
    compare(w);
    close(w->alias);
    close(w->fd[0]);
    raw_close(w->fd[1]);
}

struct job {
    unsigned long seed, streams;
    int number;
    char report[256];
};

static void *work(void *arg)
{
    struct job *j = arg;
    struct world w = {.seed = j->seed * 2654435761u + (unsigned)j->number * 40503u + 1};
    int in[2];
    w.sent = malloc(MAX);
    w.want = malloc(MAX);
    w.got = malloc(MAX);
    w.body = malloc(MAX);
    w.file = memfd_create("body", 0);
    snprintf(w.line, sizeof(w.line), "x-request-id: thread-%d\r\n", j->number);
    serve(in, w.line);
    for (unsigned long i = 0; i < j->streams && !w.why; i++) {
        uint64_t seed = w.seed;
        stream(&w);
        if (w.why)
            snprintf(j->report, sizeof(j->report), "%s (stream %lu, state %llu)", w.why, i,
                     (unsigned long long)seed);
    }
    finish(in);
    close(w.file);
    free(w.sent), free(w.want), free(w.got), free(w.body);
    return NULL;
}

int main(int argc, char **argv)
{
    static struct job jobs[64];
    pthread_t t[64];
    unsigned long seed = argc > 1 ? strtoul(argv[1], NULL, 0) : 20261123;
    unsigned long streams = argc > 2 ? strtoul(argv[2], NULL, 0) : 25000;
    int threads = argc > 3 ? atoi(argv[3]) : 4;
    const char *why = NULL, *all = getenv("STREAMS");
    if (argc <= 2 && all && threads > 0)
        streams = (strtoul(all, NULL, 0) + (unsigned)threads - 1) / (unsigned)threads;
    if (streams == 0 || threads <= 0)
        why = "no streams";
    printf("# seed %lu, %d threads of %lu streams\n", seed, threads, streams);
    for (int i = 0; i < threads && i < 64; i++) {
        jobs[i] = (struct job){seed, streams, i, ""};
        pthread_create(&t[i], NULL, work, &jobs[i]);
    }
    for (int i = 0; i < threads && i < 64; i++) {
        pthread_join(t[i], NULL);
        if (*jobs[i].report)
            why = jobs[i].report;
    }
    result("random-streams", why);
    return failures != 0;
}
