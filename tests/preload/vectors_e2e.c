/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vectors_e2e: every row of trace-context-vectors.tsv through a preloaded
 * program, with raw sockets on both sides. The configuration is read once a
 * process, so rows that need a switch (strict tracestate, the jaeger group) run
 * in a process of their own: the program starts itself again with the variables.
 */
#include <sys/wait.h>

#include "data/vectors.h"
#include "families.h"

static size_t request(char *to, const struct vector_line *l, unsigned n, int pad)
{
    /* The padding gives room below the receivers' common limits, which are another test's subject.
     */
    size_t at = (size_t)sprintf(to, "GET /x HTTP/1.1\r\nHost: next.svc\r\nx-pad: %0*d\r\n", pad, 0);
    for (unsigned i = 0; i < n; i++) {
        memcpy(to + at, l[i].p, l[i].n);
        at += l[i].n;
        memcpy(to + at, "\r\n", 2);
        at += 2;
    }
    memcpy(to + at, "\r\n", 2);
    return at + 2;
}

static void exchange(int in[2], const struct vector *v)
{
    static char wire[131072];
    size_t n = request(wire, v->in, v->nin, 1);
    pair(in);
    for (size_t at = 0, got; at < n; at += got) { /* in pieces, as a network would */
        size_t len = n - at < 8000 ? n - at : 8000;
        need(raw_write(in[1], wire + at, len) == (long)len, "inbound");
        got = (size_t)read(in[0], wire + at, len);
        need(got == len, "read");
    }
}

/* Does the peer's stream hold the program's bytes, and between them whole lines? */
static const char *check(const struct vector *v, const char *sent, size_t n, const char *got,
                         size_t len)
{
    if (len < n || memcmp(got, sent, n - 2) != 0 || memcmp(got + len - 2, "\r\n", 2) != 0)
        return "the program's bytes were altered";
    return vector_check(v, got + n - 2, len - n);
}

static const char *run(const struct vector *v, enum family f)
{
    static char sent[131072], got[262144];
    int in[2], out[2];
    exchange(in, v);
    size_t n = request(sent, v->app, v->napp, 17000), told = 0, len = 0;
    pair(out);
    while (told < n) {
        ssize_t r = send_by(f, out[0], sent + told, n - told, 0);
        need(r > 0, "send");
        told += (size_t)r;
        len += (size_t)raw_drain(out[1], got + len, sizeof(got) - len);
    }
    finish(in);
    close(out[0]);
    raw_close(out[1]);
    return check(v, sent, n, got, len);
}

static int child(const char *file, const char *self, const char *id)
{
    if (fork() == 0) {
        if (strncmp(id, "strict.", 7) == 0)
            setenv("TRACEBATON_TRACESTATE", "strict", 1);
        else if (strncmp(id, "jaeger.", 7) == 0)
            setenv("TRACEBATON_PROPAGATORS", "tracecontext,baggage,jaeger", 1);
        execl(self, self, file, id, (char *)NULL);
        _exit(9);
    }
    int status;
    wait(&status);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    const char *file = argc > 1 ? argv[1] : "tests/data/trace-context-vectors.tsv";
    FILE *f = fopen(file, "r");
    struct vector v;
    need(f != NULL, "vectors file");
    for (unsigned row = 0; vector_next(f, &v); row++) {
        /* A program that traces itself ends all inference in its process, so those rows, too. */
        bool special = vector_strict(&v) || strncmp(v.id, "jaeger.", 7) == 0 || v.napp > 0;
        if (argc > 2 && strcmp(argv[2], v.id) == 0) {
            result(v.id, run(&v, (enum family)(row % FAMILIES)));
            return failures != 0;
        }
        if (argc > 2)
            continue;
        fflush(stdout);
        if (special)
            failures += child(file, argv[0], v.id);
        else
            result(v.id, run(&v, (enum family)(row % FAMILIES)));
        free(v.text);
    }
    fclose(f);
    return failures != 0;
}
