/* SPDX-License-Identifier: Apache-2.0 */
/*
 * edit: the byte-accounting contract of core/edit.h, proved for every length.
 *
 * Assumed, as edit.h states it: insertions ascend and stand within the program's bytes, the
 * program's pieces sum up to `total` or more, and the edited call's length fits a size_t. Everything
 * else is claimed.
 */
#include <climits>
#include <sys/types.h>

#include "symbolic.h"

using namespace sym;
typedef Array<struct edit_piece> Pieces;
#define size_t Sym
#include "edit.inc"
#undef size_t

enum { LEAD = 100, TEXT = 200, PROGRAM = 300 }; /* objects */

/* Any edit with n insertions. */
static struct edit any_edit(unsigned n, bool lead)
{
    struct edit e = {};
    e.total = any("total");
    e.n = n;
    if (lead) {
        e.lead.n = any("lead");
        e.lead.p = Ptr(LEAD, e.lead.n);
    }
    z3::expr wire = e.total.e + e.lead.n.e;
    for (unsigned i = 0; i < n; i++) {
        e.ins[i].at = any("at");
        e.ins[i].text.n = any("text");
        e.ins[i].text.p = Ptr(TEXT + (int)i, e.ins[i].text.n);
        assume(e.ins[i].at <= e.total);
        if (i > 0)
            assume(e.ins[i - 1].at <= e.ins[i].at);
        wire = wire + e.ins[i].text.n.e;
    }
    assume(wire < Sym::number((wide)1 << 64));
    return e;
}

static z3::expr wire_of(const struct edit &e)
{
    z3::expr n = e.total.e + e.lead.n.e;
    for (unsigned i = 0; i < e.n; i++)
        n = n + e.ins[i].text.n.e;
    return n;
}

/* Where byte x of the program stands on the wire: behind every insertion at or before it. */
static z3::expr wire_position(const struct edit &e, const z3::expr &x)
{
    z3::expr n = x + e.lead.n.e;
    for (unsigned i = 0; i < e.n; i++)
        n = n + z3::ite(e.ins[i].at.e <= x, e.ins[i].text.n.e, z().int_val(0));
    return n;
}

static z3::expr texts_before(const struct edit &e, unsigned end)
{
    z3::expr n = e.lead.n.e;
    for (unsigned i = 0; i < end; i++)
        n = n + e.ins[i].text.n.e;
    return n;
}

/* --- edit_accepted ------------------------------------------------------------------------------ */

static void suffix(const struct span &owed, const struct span &whole)
{
    claim(owed.p.object == whole.p.object, "what is owed is another text");
    claim(owed.p.at.e + owed.n.e == whole.n.e, "what is owed is no suffix");
    claim(owed.n <= whole.n, "more is owed than there is");
}

/* The cut says exactly where on the wire k is: told and owed account for every one of k bytes. */
static void right_cut(const struct edit &e, const struct edit_cut &cut, const Sym &k)
{
    claim(cut.told <= e.total, "told more than was offered");
    claim(cut.told <= k, "told more than was accepted");
    claim(cut.done <= e.n, "more insertions than there are");
    for (unsigned i = 0; i < e.n; i++)
        if (i < cut.done)
            claim(e.ins[i].at <= cut.told, "an insertion is done before its place");
        else
            claim(e.ins[i].at >= cut.told, "an insertion was passed over");
    z3::expr owed = cut.owed.n.e, texts = texts_before(e, cut.done);
    if (cut.owed.n == Sym(0)) {
        claim(k.e == cut.told.e + texts, "bytes are lost or told twice");
        return;
    }
    suffix(cut.owed, cut.done ? e.ins[cut.done - 1].text : e.lead);
    claim(k.e == cut.told.e + texts - owed, "bytes are lost or told twice");
    claim(cut.told == (cut.done ? e.ins[cut.done - 1].at : Sym(0)), "told past what is owed");
}

static void accepted(unsigned n, bool lead)
{
    struct edit e = any_edit(n, lead);
    Sym k = any("k");
    assume(k.e <= wire_of(e));
    right_cut(e, edit_accepted(&e, k), k);
}

static void wire(unsigned n, bool lead)
{
    struct edit e = any_edit(n, lead);
    claim(edit_wire(&e).e == wire_of(e), "another length");
}

static void monotone(unsigned n, bool lead)
{
    struct edit e = any_edit(n, lead);
    Sym k = any("k"), more = any("more");
    assume(k <= more);
    assume(more.e <= wire_of(e));
    struct edit_cut a = edit_accepted(&e, k), b = edit_accepted(&e, more);
    claim(a.told <= b.told, "told less for more accepted");
    claim(a.done <= b.done, "fewer insertions for more accepted");
    claim(b.told.e - a.told.e <= more.e - k.e, "told more than was accepted since");
}

static void all_accepted(unsigned n, bool lead)
{
    struct edit e = any_edit(n, lead);
    struct edit_cut cut = edit_accepted(&e, wire_of(e));
    claim(cut.told == e.total, "all was accepted and not all told");
    claim(cut.owed.n == Sym(0), "all was accepted and something owed");
}

/* --- edit_pieces -------------------------------------------------------------------------------- */

/* Where a piece begins on the wire; it must be one run there, within its source. */
static z3::expr begins(const struct edit &e, const std::vector<struct edit_piece> &prog,
                       const struct edit_piece &p)
{
    claim(p.n > 0, "an empty piece");
    claim(p.p.at.e + p.n.e <= p.p.length.e, "a piece leaves its source");
    if (p.p.object == LEAD)
        return p.p.at.e;
    if (p.p.object < PROGRAM) {
        unsigned i = (unsigned)(p.p.object - TEXT);
        claim(i < e.n, "a text that is none");
        return texts_before(e, i) + e.ins[i].at.e + p.p.at.e;
    }
    unsigned j = (unsigned)(p.p.object - PROGRAM);
    claim(j < prog.size(), "a piece that is none");
    z3::expr x = p.p.at.e;
    for (unsigned i = 0; i < j; i++)
        x = x + prog[i].n.e;
    for (unsigned i = 0; i < e.n; i++)
        claim(e.ins[i].at.e <= x || e.ins[i].at.e >= x + p.n.e || e.ins[i].text.n.e == 0,
              "a piece runs over an insertion");
    return wire_position(e, x);
}

/* Any pieces of the program: m of them, empty ones too; of any length, so that the sum may be more
 * than a size_t holds. */
static std::vector<struct edit_piece> any_pieces(const struct edit &e, unsigned m)
{
    std::vector<struct edit_piece> prog(m);
    z3::expr sum = z().int_val(0);
    for (unsigned j = 0; j < m; j++) {
        prog[j].n = any("piece");
        prog[j].p = Ptr(PROGRAM + (int)j, prog[j].n);
        sum = sum + prog[j].n.e;
    }
    assume(sum >= e.total.e);
    return prog;
}

static void sum(unsigned m)
{
    std::vector<struct edit_piece> prog = any_pieces({}, m);
    Sym got = outbound_total({&prog, m}, m);
    z3::expr sum = z().int_val(0);
    for (unsigned j = 0; j < m; j++)
        sum = sum + prog[j].n.e;
    claim(got.e == z3::ite(sum < Sym((unsigned long)SSIZE_MAX).e, sum, Sym((unsigned long)SSIZE_MAX).e),
          "another sum");
}

static void pieces(unsigned n, unsigned m, bool lead)
{
    struct edit e = any_edit(n, lead);
    std::vector<struct edit_piece> prog = any_pieces(e, m), got(2 * n + m + 2);
    Sym from = any("from"), cap = any("cap");
    assume(from.e <= wire_of(e));
    assume(cap > 0);
    Sym count = edit_pieces(&e, from, {&prog, m}, m, {&got, cap}, cap);
    claim(count.constant && count <= cap, "more pieces than there is room for");
    z3::expr at = from.e;
    for (machine i = 0; i < (machine)count.value; i++) {
        claim(begins(e, prog, got[i]) == at, "a gap or a repetition on the wire");
        at = at + got[i].n.e;
    }
    claim(at <= wire_of(e), "more than there is");
    claim(at == wire_of(e) || count.e == cap.e, "it ended early");
}

/* --- all of it ---------------------------------------------------------------------------------- */

int main(int argc, char **argv)
{
    unsigned insertions = argc > 1 ? (unsigned)atoi(argv[1]) : 2;
    unsigned parts = argc > 2 ? (unsigned)atoi(argv[2]) : 2;
    unsigned both = argc > 3 ? (unsigned)atoi(argv[3]) : 3;
    const struct {
        const char *name;
        void (*f)(unsigned, bool);
    } whole[] = {{"edit-wire", wire},
                 {"edit-accepted", accepted},
                 {"edit-accepted-is-monotone", monotone},
                 {"edit-accepted-all", all_accepted}};
    for (auto &w : whole)
        prove(w.name, [&] { w.f(choose(EDIT_INSERTIONS + 1), choose(2)); });
    prove("edit-total", [] { sum(choose(5)); });
    for (unsigned n = 0; n <= insertions; n++)
        for (unsigned m = 1; m <= parts && n + m <= both; m++)
            prove("edit-pieces-" + std::to_string(n) + "-insertions-" + std::to_string(m) +
                      "-pieces",
                  [=] { pieces(n, m, choose(2)); });
    return failures ? 1 : 0;
}
