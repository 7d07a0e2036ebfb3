/* SPDX-License-Identifier: Apache-2.0 */
/* edit: see edit.h. Lengths only; nothing here looks at a byte. */
#include "edit.h"

size_t edit_wire(const struct edit *e)
{
    size_t n = e->lead.n + e->total;
    for (unsigned i = 0; i < e->n; i++)
        n += e->ins[i].text.n;
    return n;
}

static struct span span_from(struct span s, size_t off)
{
    return (struct span){s.p + off, s.n - off};
}

struct edit_cut edit_accepted(const struct edit *e, size_t k)
{
    struct edit_cut cut = {0, 0, {NULL, 0}};
    if (k < e->lead.n) {
        cut.owed = span_from(e->lead, k);
        return cut;
    }
    k -= e->lead.n;
    for (unsigned i = 0; i < e->n; i++) {
        const struct edit_insertion *ins = &e->ins[i];
        size_t run = ins->at - cut.told;
        if (k <= run) {
            cut.told += k;
            return cut;
        }
        k -= run;
        cut.told = ins->at;
        cut.done = i + 1;
        if (k < ins->text.n) {
            cut.owed = span_from(ins->text, k);
            return cut;
        }
        k -= ins->text.n;
    }
    cut.told += k;
    return cut;
}

/* The output side of edit_pieces(): skips `from` bytes, then fills `out`. */
struct filler {
    size_t skip;
    struct edit_piece *out;
    size_t n, cap;
};

static void fill(struct filler *f, const char *p, size_t n)
{
    if (f->skip >= n) {
        f->skip -= n;
        return;
    }
    if (f->n < f->cap)
        f->out[f->n++] = (struct edit_piece){p + f->skip, n - f->skip};
    f->skip = 0;
}

/* The program's bytes [from, to), over its pieces. No sum of lengths goes beyond `to`: a program
 * may offer pieces whose lengths no number holds, and the kernel takes what it can of them. */
static void fill_program(struct filler *f, const struct edit_piece *prog, size_t nprog, size_t from,
                         size_t to)
{
    size_t base = 0;
    for (size_t i = 0; i < nprog && base < to && f->n < f->cap; i++) {
        size_t lo = from > base ? from : base;
        size_t end = prog[i].n < to - base ? base + prog[i].n : to;
        if (lo < end)
            fill(f, (const char *)prog[i].p + (lo - base), end - lo);
        base = end;
    }
}

size_t edit_pieces(const struct edit *e, size_t from, const struct edit_piece *prog, size_t nprog,
                   struct edit_piece *out, size_t cap)
{
    struct filler f = {from, out, 0, cap};
    size_t at = 0;
    fill(&f, e->lead.p, e->lead.n);
    for (unsigned i = 0; i < e->n; i++) {
        fill_program(&f, prog, nprog, at, e->ins[i].at);
        fill(&f, e->ins[i].text.p, e->ins[i].text.n);
        at = e->ins[i].at;
    }
    fill_program(&f, prog, nprog, at, e->total);
    return f.n;
}
