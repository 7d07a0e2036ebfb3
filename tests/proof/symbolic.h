/* SPDX-License-Identifier: Apache-2.0 */
/*
 * symbolic: runs C code on numbers that stand for every number.
 *
 * The sources under proof are compiled as they are, but with size_t and uint64_t meaning Sym: a
 * term over unknown integers. A comparison asks the solver (Z3) which outcomes are possible under
 * what was decided so far, and the code is run again until every possible sequence of outcomes was
 * seen. Terms are unbounded integers, and every operation must be proved to stay within 0 and
 * 2^64 - 1 before its result is used: so the terms mean what 64-bit arithmetic means, and nothing
 * ever wraps. Pointers know their object and every step of them must stay within it.
 *
 * What is bounded: the number of turns of a loop, by what the harness makes concrete (how many
 * insertions, how many pieces). What is not bounded: every length, offset and count.
 */
#ifndef TB_TESTS_SYMBOLIC_H
#define TB_TESTS_SYMBOLIC_H

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include <z3++.h>

namespace sym
{

typedef unsigned __int128 wide;
typedef unsigned long machine; /* the real size_t */

inline z3::context &z()
{
    static z3::context c;
    return c;
}

/* --- the exploration: one run of the code after another ------------------------------------- */

struct decision {
    unsigned taken, left; /* which outcome; which others are still to be seen, as bits */
};

struct refuted { /* thrown: the claim is false on this run */
};
struct infeasible { /* thrown: no number satisfies what was assumed */
};

struct exploration {
    std::vector<decision> path;
    size_t at = 0;
    z3::solver *solver = nullptr;
    unsigned names = 0;
    unsigned long runs = 0, satisfied = 0, claims = 0, queries = 0;
    std::string why;
};
inline exploration s;

inline bool possible(const z3::expr &e)
{
    s.queries++;
    z3::expr_vector v(z());
    v.push_back(e);
    z3::check_result r = s.solver->check(v);
    if (r == z3::unknown) {
        s.why = "the solver does not know: " + s.solver->reason_unknown();
        throw refuted();
    }
    return r == z3::sat;
}

/* One of the outcomes 0..n-1 for which `can` holds; the others later. */
inline unsigned decide(unsigned n, const std::function<bool(unsigned)> &can)
{
    if (s.at == s.path.size()) {
        unsigned some = 0;
        for (unsigned i = 0; i < n; i++)
            some |= can(i) ? 1u << i : 0;
        if (!some)
            throw infeasible();
        unsigned first = (unsigned)__builtin_ctz(some);
        s.path.push_back({first, some & ~(1u << first)});
    }
    return s.path[s.at++].taken;
}

/* On to the next sequence of outcomes. */
inline bool backtrack()
{
    while (!s.path.empty() && !s.path.back().left)
        s.path.pop_back();
    if (s.path.empty())
        return false;
    decision &d = s.path.back();
    d.taken = (unsigned)__builtin_ctz(d.left);
    d.left &= ~(1u << d.taken);
    return true;
}

/* Any of 0..n-1, n <= 32. */
inline unsigned choose(unsigned n)
{
    return decide(n, [](unsigned) { return true; });
}

/* --- numbers and conditions ------------------------------------------------------------------ */

inline bool is_new() /* not proved on an earlier run with the same beginning */
{
    return s.at == s.path.size();
}

inline void claim_expr(const z3::expr &e, const char *what)
{
    s.claims++;
    if (is_new() && possible(!e)) {
        z3::expr_vector v(z());
        v.push_back(!e);
        s.solver->check(v);
        z3::model m = s.solver->get_model();
        s.why = std::string(what) + ", for";
        for (unsigned i = 0; i < m.num_consts(); i++)
            s.why += " " + m.get_const_decl(i).name().str() + "=" +
                     m.get_const_interp(m.get_const_decl(i)).to_string();
        throw refuted();
    }
    s.solver->add(e);
}

struct Bool {
    bool constant, value;
    z3::expr e;
    Bool(bool b) : constant(true), value(b), e(z().bool_val(b))
    {
    }
    Bool(const z3::expr &x) : constant(false), value(false), e(x)
    {
    }
    operator bool() const
    {
        if (constant)
            return value;
        bool taken = decide(2, [this](unsigned i) { return possible(i ? !e : e); }) == 0;
        s.solver->add(taken ? e : !e);
        return taken;
    }
};

inline void claim(const Bool &b, const char *what)
{
    claim_expr(b.e, what);
}
inline void assume(const Bool &b)
{
    s.solver->add(b.e);
}
inline Bool both(const Bool &a, const Bool &b)
{
    return a.e && b.e;
}
inline Bool either(const Bool &a, const Bool &b)
{
    return a.e || b.e;
}

struct Sym {
    bool constant;
    wide value; /* where it is constant */
    z3::expr e;

    static z3::expr number(wide v)
    {
        char text[48];
        snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
        if (v >> 64)
            snprintf(text, sizeof(text), "18446744073709551616"); /* 2^64: the only one needed */
        return z().int_val(text);
    }
    Sym() : Sym(0)
    {
    }
    Sym(int v) : Sym((unsigned long)v)
    {
    } /* as C converts it */
    Sym(long v) : Sym((unsigned long)v)
    {
    }
    Sym(unsigned v) : Sym((unsigned long)v)
    {
    }
    Sym(unsigned long v) : constant(true), value(v), e(number(v))
    {
    }
    Sym(unsigned long long v) : Sym((unsigned long)v)
    {
    }
    Sym(const z3::expr &x) : constant(false), value(0), e(x)
    {
    }
    explicit operator bool() const;
    template <class E, class = std::enable_if_t<std::is_enum<E>::value>> explicit operator E() const
    {
        return constant ? (E)value : (E)0;
    }
    Sym &operator+=(const Sym &o);
    Sym &operator-=(const Sym &o);
    Sym operator++(int);
    Sym &operator++();
};

/* Any number. Its name is that of a counterexample. */
inline Sym any(const char *name)
{
    z3::expr x = z().int_const((std::string(name) + std::to_string(s.names++)).c_str());
    s.solver->add(x >= 0 && x < Sym::number((wide)1 << 64));
    return x;
}

#define SYM_COMPARE(op)                                                                            \
    inline Bool operator op(const Sym &a, const Sym &b)                                            \
    {                                                                                              \
        return a.constant && b.constant ? Bool(a.value op b.value) : Bool(a.e op b.e);             \
    }
SYM_COMPARE(<)
SYM_COMPARE(<=)
SYM_COMPARE(>)
SYM_COMPARE(>=)
SYM_COMPARE(==)
SYM_COMPARE(!=)
#undef SYM_COMPARE

inline Sym within(const z3::expr &e, const char *what)
{
    claim_expr(e >= 0 && e < Sym::number((wide)1 << 64), what);
    return e;
}
inline Sym folded(wide v, bool ok, const char *what)
{
    claim(ok, what);
    return (unsigned long)v;
}
inline Sym operator+(const Sym &a, const Sym &b)
{
    if (a.constant && b.constant)
        return folded(a.value + b.value, !((a.value + b.value) >> 64), "a sum wraps");
    return within(a.e + b.e, "a sum wraps");
}
inline Sym operator-(const Sym &a, const Sym &b)
{
    if (a.constant && b.constant)
        return folded(a.value - b.value, a.value >= b.value, "a difference wraps");
    return within(a.e - b.e, "a difference wraps");
}
inline Sym operator*(const Sym &a, const Sym &b)
{
    if (a.constant && b.constant)
        return folded(a.value * b.value, !((a.value * b.value) >> 64), "a product wraps");
    return within(a.e * b.e, "a product wraps");
}
inline Sym operator<<(const Sym &a, int n)
{
    return a * Sym(1ul << n);
}
inline Sym operator>>(const Sym &a, int n)
{
    return a.constant ? Sym((unsigned long)(a.value >> n)) : Sym(a.e / Sym::number(1ul << n));
}
/* Of a number whose low bits are free: there it is a sum. */
inline Sym operator|(const Sym &a, unsigned b)
{
    unsigned long m = 1;
    while (m <= b)
        m *= 2;
    if (a.constant)
        return (unsigned long)a.value | b;
    claim_expr(z3::mod(a.e, Sym::number(m)) == 0, "bits are set twice");
    return a + Sym(b);
}
inline Sym::operator bool() const
{
    return *this != Sym(0);
}
inline Sym &Sym::operator+=(const Sym &o)
{
    return *this = *this + o;
}
inline Sym &Sym::operator-=(const Sym &o)
{
    return *this = *this - o;
}
inline Sym &Sym::operator++()
{
    return *this += 1;
}
inline Sym Sym::operator++(int)
{
    Sym old = *this;
    *this += 1;
    return old;
}

/* --- memory ----------------------------------------------------------------------------------- */

/* A place in an object of unknown length; object -1: NULL. One behind the last byte is a place. */
struct Ptr {
    int object = -1;
    Sym at, length;
    Ptr()
    {
    }
    Ptr(int o, const Sym &n) : object(o), length(n)
    {
    }
};
inline Ptr operator+(const Ptr &p, const Sym &n)
{
    claim(p.object >= 0, "NULL is no place to count from");
    Ptr q = p;
    q.at = p.at + n;
    claim(q.at <= q.length, "a pointer leaves its object");
    return q;
}

/* An array that says when an index is outside. */
template <class T> struct Array {
    std::vector<T> *items;
    Sym room; /* may be less than there are items, never more is touched */
    T &operator[](const Sym &i) const
    {
        claim(i < room, "an index is outside");
        if (!i.constant || i.value >= items->size())
            throw refuted();
        return (*items)[(machine)i.value];
    }
};

/* --- a proof ---------------------------------------------------------------------------------- */

inline int failures;

inline void prove(const std::string &name, const std::function<void()> &f)
{
    s = exploration();
    bool ok = true;
    do {
        z3::solver solver(z(), z3::solver::simple());
        s.solver = &solver;
        s.at = 0;
        s.names = 0;
        s.runs++;
        try {
            f();
            s.satisfied += possible(z().bool_val(true));
        } catch (const infeasible &) {
        } catch (const refuted &) {
            ok = false;
        }
    } while (ok && backtrack());
    if (ok && (s.claims == 0 || s.satisfied == 0)) {
        ok = false;
        s.why = "nothing was claimed, or of nothing";
    }
    if (ok)
        printf("ok proof %s # %lu ways, %lu claims, %lu questions\n", name.c_str(), s.runs,
               s.claims, s.queries);
    else
        printf("not ok proof %s: %s\n", name.c_str(), s.why.c_str());
    fflush(stdout);
    failures += !ok;
}

} // namespace sym

#endif
