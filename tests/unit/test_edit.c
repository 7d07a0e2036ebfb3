/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_edit: bounded exhaustive enumeration of the byte-accounting contract.
 *
 * Bound: up to 5 program bytes in up to 3 pieces (every cut of them, empty
 * pieces included), up to 2 insertions of 1..2 bytes at every pair of places, a
 * lead of 0..2 bytes; and for each of these every sequence of acceptances: a
 * model "kernel" takes k1, then k2, then the rest, over several calls as a
 * program that resends what it was not told would make them.
 */
#include "unit/unit.h"

#include "core/edit.h"

static unsigned long checked;

#define EXPECT(cond, what)                                                                         \
    do {                                                                                           \
        checked++;                                                                                 \
        CHECK_SAY(cond, "%s", what);                                                               \
    } while (0)

/* The right stream, built the obvious way. */
static size_t model(const struct edit *e, const char *prog, char *out)
{
    size_t n = 0, at = 0;
    if (e->lead.n)
        memcpy(out, e->lead.p, e->lead.n);
    n += e->lead.n;
    for (unsigned i = 0; i < e->n; i++) {
        memcpy(out + n, prog + at, e->ins[i].at - at);
        n += e->ins[i].at - at;
        at = e->ins[i].at;
        memcpy(out + n, e->ins[i].text.p, e->ins[i].text.n);
        n += e->ins[i].text.n;
    }
    memcpy(out + n, prog + at, e->total - at);
    return n + e->total - at;
}

static size_t gather(const struct edit_piece *p, size_t n, char *out)
{
    size_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        EXPECT(p[i].n > 0, "no empty piece");
        memcpy(out + sum, p[i].p, p[i].n);
        sum += p[i].n;
    }
    return sum;
}

/* edit_pieces() from every offset and with every capacity is the model's stream. */
static void check_pieces(const struct edit *e, const struct edit_piece *v, size_t nv,
                         const char *want, size_t wire)
{
    for (size_t from = 0; from <= wire; from++)
        for (size_t cap = 1; cap <= 9; cap++) {
            struct edit_piece out[9];
            char got[32];
            size_t n = edit_pieces(e, from, v, nv, out, cap);
            size_t len = gather(out, n, got);
            EXPECT(len <= wire - from && memcmp(got, want + from, len) == 0, "pieces");
            EXPECT(n == cap || len == wire - from, "pieces end early");
        }
}

/* Each cut: told bytes plus owed tail are exactly what is missing. */
static void check_cuts(const struct edit *e, const char *prog, const char *want, size_t wire)
{
    for (size_t k = 0; k <= wire; k++) {
        struct edit_cut cut = edit_accepted(e, k);
        struct edit rest = {.total = e->total - cut.told, .lead = cut.owed};
        bool lead = cut.owed.n > 0 && cut.done == 0;
        EXPECT(cut.told <= e->total && cut.told <= k, "told");
        EXPECT(!lead || cut.told == 0, "owed lead");
        for (unsigned i = cut.done; i < e->n; i++) {
            rest.ins[rest.n] = e->ins[i];
            rest.ins[rest.n++].at -= cut.told;
        }
        char again[32];
        size_t n = model(&rest, prog + cut.told, again);
        EXPECT(n == wire - k && memcmp(again, want + k, n) == 0, "the rest of the stream");
    }
}

static void check(const struct edit *e, const char *prog)
{
    char want[32];
    size_t wire = model(e, prog, want);
    EXPECT(edit_wire(e) == wire, "wire length");
    check_cuts(e, prog, want, wire);
    for (size_t a = 0; a <= e->total; a++)
        for (size_t b = a; b <= e->total; b++) {
            struct edit_piece v[4] = {
                {prog, a}, {prog + a, 0}, {prog + a, b - a}, {prog + b, e->total - b}};
            check_pieces(e, v, 4, want, wire);
        }
}

START_TEST(exhaustive)
{
    static const char prog[] = "abcde", one[] = "XY", two[] = "UV", lead[] = "12";
    for (size_t total = 1; total <= 5; total++)
        for (size_t l = 0; l <= 2; l++) {
            struct edit e = {.total = total, .lead = {lead, l}};
            check(&e, prog);
            for (size_t i = 0; i < total; i++)
                for (size_t in = 1; in <= 2; in++) {
                    e.n = 1;
                    e.ins[0] = (struct edit_insertion){i, {one, in}};
                    check(&e, prog);
                    for (size_t j = i + 1; j < total; j++)
                        for (size_t jn = 1; jn <= 2; jn++) {
                            e.n = 2;
                            e.ins[1] = (struct edit_insertion){j, {two, jn}};
                            check(&e, prog);
                        }
                    e.n = 0;
                }
        }
    CHECK_SAY(checked > 1900000, "only %lu comparisons", checked);
}
END_TEST

int main(void)
{
    unit_begin("edit");
    unit_add("edit-exhaustive", exhaustive, 0);
    return unit_run();
}
