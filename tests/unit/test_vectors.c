/* SPDX-License-Identifier: Apache-2.0 */
/* test_vectors: every row of trace-context-vectors.tsv through the scanner, capture and compose. */
#include "unit/unit.h"

#include "core/context.h"
#include "data/vectors.h"

static struct vector vectors[1000];
static struct names names;
static struct peers peers;
static char store_in[65536], store_out[65536];

static void quiet(const char *what, const char *detail, size_t n)
{
    (void)what, (void)detail, (void)n;
}

/* Scan a whole head; @return the scanner at its empty line, or down. */
static enum http1_event scan(struct http1 *h, struct head *head, char *store, const char *p,
                             size_t n)
{
    size_t used;
    http1_init(h, HTTP1_REQUEST, false);
    head_begin(head, &names, store, 0, sizeof(store_in));
    return http1_scan(h, p, n, &used, &head_sink, head);
}

static size_t request(char *to, const struct vector_line *l, unsigned n, size_t pad)
{
    size_t at = (size_t)sprintf(to, "GET /x HTTP/1.1\r\nHost: next.svc\r\n");
    /* Room for the receiver's limits: they are another test's subject. */
    at += (size_t)sprintf(to + at, "x-pad: %0*d\r\n", (int)pad, 0);
    for (unsigned i = 0; i < n; i++) {
        memcpy(to + at, l[i].p, l[i].n);
        at += l[i].n;
        memcpy(to + at, "\r\n", 2);
        at += 2;
    }
    memcpy(to + at, "\r\n", 2);
    return at + 2;
}

static const char *run(const struct vector *v)
{
    static char wire[131072], added[CONTEXT_MAX];
    static _Alignas(16) char mem[CONTEXT_MEM];
    struct http1 h;
    struct head in, out;
    struct context_notes notes = {{0}};
    size_t n = request(wire, v->in, v->nin, 1);
    /* A head that is refused as a whole adds nothing, which is right where nothing is wanted. */
    if (scan(&h, &in, store_in, wire, n) != HTTP1_EMPTY_LINE)
        return v->nwant ? "the inbound head was refused" : NULL;
    struct context *c = context_build(&in, mem, sizeof(mem), &notes);
    n = request(wire, v->app, v->napp, 17000);
    if (scan(&h, &out, store_out, wire, n) != HTTP1_EMPTY_LINE)
        return "the outbound head was refused";
    enum context_own own;
    struct context_out o = {.head = &out,
                            .peers = &peers,
                            .method = h.method,
                            .head_bytes = h.head_bytes,
                            .head_lines = h.head_lines};
    n = context_compose(c, &o, added, sizeof(added), &own, &notes);
    return vector_check(v, added, n);
}

START_TEST(vector)
{
    const struct vector *v = &vectors[_i];
    peers_default(&peers);
    names_default(&names);
    if (strncmp(v->id, "jaeger.", 7) == 0)
        names_select(&names, SPAN("tracecontext,baggage,jaeger"), quiet);
    names.strict = vector_strict(v);
    const char *why = run(v);
    CHECK_SAY(!why, "%s", why);
}
END_TEST

START_TEST(file)
{
    ck_abort_msg("it cannot be read, or has too many rows");
}
END_TEST

int main(void)
{
    FILE *f = fopen("tests/data/trace-context-vectors.tsv", "r");
    size_t n = 0, most = sizeof(vectors) / sizeof(vectors[0]);
    unit_begin("vectors");
    for (; f && n < most && vector_next(f, &vectors[n]); n++)
        unit_add(vectors[n].id, vector, n);
    if (n == 0 || n == most)
        unit_add("the file", file, 0);
    if (f)
        fclose(f);
    return unit_run();
}
