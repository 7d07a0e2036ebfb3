/* SPDX-License-Identifier: Apache-2.0 */
/*
 * context: capture. A group is judged as a whole before any of it is written, in
 * the order of R11; compose.c is the other half. Values are copied, never
 * rewritten (R1); names come from our table, but for prefix rules.
 */
#include "context.h"

#include "valid.h"

/* Where a build is. */
struct build {
    const struct head *in;
    struct context *c;
    size_t cap; /* of c->text */
    struct context_notes *notes;
    bool options;               /* the head has Connection */
    uint64_t present[2];        /* bit a row that the head has */
    uint8_t at[NAMES_BUILTIN];  /* index + 1 of the first field of a row, 0: none */
    struct span one[NAMES_BUILTIN]; /* accepted value of FIRST rows; n == 0: none */
};

void context_note_add(struct context_notes *notes, enum context_note n)
{
    if (notes->count[n] < UINT8_MAX)
        notes->count[n]++;
}

const char *context_note_name(enum context_note n)
{
    static const char *const names[] = {
#define X(id, text) text,
        CONTEXT_NOTES(X)
#undef X
    };
    return (unsigned)n < CONTEXT_N_COUNT ? names[n] : "";
}

/* --- R9: Connection options ------------------------------------------------------------------ */

static bool lists_token(struct span list, struct span name)
{
    for (size_t from = 0, i = 0; i <= list.n; i++) {
        if (i < list.n && list.p[i] != ',')
            continue;
        struct span t = {list.p + from, i - from};
        while (t.n && (t.p[0] == ' ' || t.p[0] == '\t'))
            t = (struct span){t.p + 1, t.n - 1};
        while (t.n && (t.p[t.n - 1] == ' ' || t.p[t.n - 1] == '\t'))
            t.n--;
        if (span_ieq(t, name))
            return true;
        from = i + 1;
    }
    return false;
}

/* RFC 9110 7.6.1: what Connection names is for this hop only. */
static bool hop_by_hop(struct build *b, struct span name)
{
    for (unsigned i = 0; b->options && i < b->in->n; i++) {
        const struct head_field *f = &b->in->field[i];
        if (f->id == NAME_CONNECTION && lists_token(head_value(b->in, f), name)) {
            context_note_add(b->notes, CONTEXT_N_HOP_BY_HOP);
            return true;
        }
    }
    return false;
}

/* --- single values --------------------------------------------------------------------------- */

static bool trusted(const struct head_field *f)
{
    return !f->folded && !f->cut;
}

static unsigned lines_of(const struct head *in, int id)
{
    unsigned n = 0;
    for (unsigned i = 0; i < in->n; i++)
        n += in->field[i].id == id;
    return n;
}

/* The first line of a FIRST row, if it may be carried. An empty value never is (Istio 11696). */
static struct span first_value(struct build *b, int id, const struct names_row *row)
{
    struct span none = {NULL, 0};
    const struct head_field *f = head_find(b->in, id);
    if (!f)
        return none;
    struct span v = head_value(b->in, f);
    if (row->valid == VALID_TRACEPARENT && lines_of(b->in, id) > 1) {
        context_note_add(b->notes, CONTEXT_N_DUPLICATE);
        return none;
    }
    if (!trusted(f) || v.n > row->max ||
        !valid_value((enum valid)row->valid, v, b->in->names->strict)) {
        context_note_add(b->notes, CONTEXT_N_INVALID);
        return none;
    }
    return v;
}

/* One pass over the fields; the rows that are absent are not looked at again. */
static void index_fields(struct build *b)
{
    for (unsigned i = b->in->n; i-- > 0;) {
        unsigned id = b->in->field[i].id;
        if (id < NAMES_BUILTIN) {
            b->at[id] = (uint8_t)(i + 1);
            b->present[id / 64] |= UINT64_C(1) << id % 64;
        }
        b->options |= id == NAME_CONNECTION;
    }
}

_Static_assert(NAMES_BUILTIN <= 128, "rows fit `present`");

/* The next row that the head has, from id on; NAMES_BUILTIN at the end. */
static int next_row(const struct build *b, int id)
{
    for (; id < NAMES_BUILTIN; id = (id / 64 + 1) * 64) {
        uint64_t bits = b->present[id / 64] >> id % 64;
        if (bits)
            return id + __builtin_ctzll(bits);
    }
    return NAMES_BUILTIN;
}

static void gather_firsts(struct build *b)
{
    for (int id = next_row(b, 0); id < NAMES_BUILTIN; id = next_row(b, id + 1)) {
        const struct names_row *row = &names_rows[id];
        if (row->several == SEVERAL_FIRST && row->match == MATCH_EXACT)
            b->one[id] = first_value(b, id, row);
        if (b->one[id].n && hop_by_hop(b, (struct span){row->name, row->len}))
            b->one[id].n = 0;
    }
}

/* --- groups ---------------------------------------------------------------------------------- */

static bool has(const struct build *b, int id)
{
    return b->at[id] && b->one[id].n > 0;
}

/* Ids that only make sense together. */
static void partners(struct build *b, int trace, int span)
{
    if (has(b, trace) != has(b, span))
        b->one[trace].n = b->one[span].n = 0;
}

/* R7: `b3` with the trace id of x-b3-* and another span is what an Envoy hop left behind. */
static void stale_b3(struct build *b)
{
    if (!has(b, NAME_B3) || !has(b, NAME_X_B3_TRACEID))
        return;
    struct span one = b->one[NAME_B3], trace = b->one[NAME_X_B3_TRACEID],
                span = b->one[NAME_X_B3_SPANID];
    if (one.n < trace.n + 1 + 16 || one.p[trace.n] != '-')
        return;
    struct span one_trace = {one.p, trace.n}, one_span = {one.p + trace.n + 1, 16};
    if (!span_ieq(one_trace, trace) || span_ieq(one_span, span))
        return;
    context_note_add(b->notes, CONTEXT_N_STALE_B3);
    b->one[NAME_B3].n = 0;
}

/* Does the group have an identity? Companions go with it or not at all. */
static bool group_alive(const struct build *b, unsigned group)
{
    for (int id = next_row(b, 0); id < NAMES_BUILTIN; id = next_row(b, id + 1))
        if (names_rows[id].group == group && names_rows[id].role == ROLE_H_IDENTITY && has(b, id))
            return true;
    return false;
}

static void judge_groups(struct build *b)
{
    partners(b, NAME_X_B3_TRACEID, NAME_X_B3_SPANID);
    partners(b, NAME_OT_TRACER_TRACEID, NAME_OT_TRACER_SPANID);
    partners(b, NAME_X_INSTANA_T, NAME_X_INSTANA_S);
    if (!has(b, NAME_X_DATADOG_TRACE_ID))
        b->one[NAME_X_DATADOG_PARENT_ID].n = 0;
    stale_b3(b);
    for (int id = next_row(b, 0); id < NAMES_BUILTIN; id = next_row(b, id + 1))
        if (names_rows[id].role == ROLE_H_COMPANION && has(b, id) &&
            !group_alive(b, names_rows[id].group))
            b->one[id].n = 0;
}

/* --- writing --------------------------------------------------------------------------------- */

static bool put(struct build *b, struct span s)
{
    struct context *c = b->c;
    if (s.n > b->cap - c->text_len)
        return false;
    memcpy(c->text + c->text_len, s.p, s.n);
    c->text_len += (uint32_t)s.n;
    return true;
}

/* Begin a line; NULL: no room. Undone by setting text_len back. */
static struct context_line *begin_line(struct build *b, int id, struct span name)
{
    struct context *c = b->c;
    if (c->n == CONTEXT_LINES)
        return NULL;
    struct context_line *l = &c->line[c->n];
    *l = (struct context_line){(uint16_t)id, (uint16_t)name.n, c->text_len, 0};
    return put(b, name) && put(b, SPAN(": ")) ? l : NULL;
}

static void end_line(struct build *b, struct context_line *l, uint32_t mark, bool ok)
{
    if (ok && put(b, SPAN("\r\n"))) {
        l->len = b->c->text_len - l->off;
        b->c->n++;
        return;
    }
    b->c->text_len = mark;
    if (!l || ok)
        context_note_add(b->notes, CONTEXT_N_OVERFLOW);
}

static void write_line(struct build *b, int id, struct span name, struct span value)
{
    uint32_t mark = b->c->text_len;
    struct context_line *l = begin_line(b, id, name);
    end_line(b, l, mark, l && put(b, value));
}

/* --- lists ----------------------------------------------------------------------------------- */

/* All lines of a list header joined in order (RFC 9110 5.3), empty ones skipped. */
static bool put_joined(struct build *b, int id, uint32_t from)
{
    for (unsigned i = 0; i < b->in->n; i++) {
        const struct head_field *f = &b->in->field[i];
        if (f->id != id)
            continue;
        struct span v = head_value(b->in, f);
        if (v.n == 0 && trusted(f))
            continue;
        if (!trusted(f) || !valid_value(VALID_SAFE, v, false))
            return false;
        if ((b->c->text_len > from && !put(b, SPAN(","))) || !put(b, v))
            return false;
    }
    return b->c->text_len > from;
}

/* Whole members from the end, until it fits. 0: not even one does. */
static uint32_t fit_members(const char *p, uint32_t n, uint32_t max)
{
    while (n > max) {
        while (n > 0 && p[n - 1] != ',')
            n--;
        if (n == 0)
            return 0;
        n--;
    }
    return n;
}

static bool fit_list(struct build *b, int id, uint32_t from)
{
    struct context *c = b->c;
    const struct names_row *row = &names_rows[id];
    uint32_t n = c->text_len - from;
    if (id == NAME_BAGGAGE)
        n = fit_members(c->text + from, n, row->max);
    c->text_len = from + n;
    struct span v = {c->text + from, n};
    return n > 0 && n <= row->max && valid_value((enum valid)row->valid, v, b->in->names->strict);
}

static void write_list(struct build *b, int id)
{
    const struct names_row *row = &names_rows[id];
    struct span name = {row->name, row->len};
    if (!head_find(b->in, id) || hop_by_hop(b, name))
        return;
    if (row->role == ROLE_H_COMPANION && !group_alive(b, row->group))
        return;
    uint32_t mark = b->c->text_len;
    struct context_line *l = begin_line(b, id, name);
    uint32_t from = b->c->text_len;
    bool any = l && put_joined(b, id, from);
    bool ok = any && fit_list(b, id, from);
    if (l && !ok)
        context_note_add(b->notes, CONTEXT_N_INVALID);
    end_line(b, l, mark, ok);
}

/* --- prefix rules, R10 ------------------------------------------------------------------------ */

static bool seen_before(const struct head *in, unsigned at, struct span name)
{
    for (unsigned i = 0; i < at; i++) {
        struct span other = {in->buf + in->field[i].name_off, in->field[i].name_len};
        if (in->field[i].id == in->field[at].id && span_eq(other, name))
            return true;
    }
    return false;
}

static void write_prefixed(struct build *b, int id, const struct names_row *row)
{
    if (row->role == ROLE_H_COMPANION && !group_alive(b, row->group))
        return;
    for (unsigned i = 0; i < b->in->n; i++) {
        const struct head_field *f = &b->in->field[i];
        struct span name = {b->in->buf + f->name_off, f->name_len};
        struct span v = head_value(b->in, f);
        if (f->id != id || hop_by_hop(b, name))
            continue;
        if (!trusted(f) || !valid_token(name) || v.n > row->max ||
            !valid_value((enum valid)row->valid, v, false))
            context_note_add(b->notes, CONTEXT_N_INVALID);
        else if (!seen_before(b->in, i, name))
            write_line(b, id, name, v);
    }
}

static void write_extra(struct build *b, int i)
{
    const struct names_extra *x = &b->in->names->extra[i];
    int id = NAMES_EXTRA + i;
    const struct names_row *row = names_row(b->in->names, id);
    struct span name = {x->name, x->len};
    if (x->prefix) {
        write_prefixed(b, id, row);
        return;
    }
    struct span v = first_value(b, id, row);
    if (v.n && !hop_by_hop(b, name))
        write_line(b, id, name, v);
}

static void write_row(struct build *b, int id)
{
    const struct names_row *row = &names_rows[id];
    if (!b->at[id])
        return;
    if (row->match == MATCH_PREFIX)
        write_prefixed(b, id, row);
    else if (row->several == SEVERAL_JOIN)
        write_list(b, id);
    else if (has(b, id))
        write_line(b, id, (struct span){row->name, row->len}, b->one[id]);
}

/* --- */

struct context *context_build(const struct head *in, void *mem, size_t cap,
                              struct context_notes *notes)
{
    struct build b;
    memset(&b, 0, offsetof(struct build, one));
    b.in = in;
    b.c = mem;
    b.notes = notes;
    b.cap = cap > CONTEXT_MEM ? CONTEXT_MAX : cap - sizeof(struct context);
    b.c->n = b.c->text_len = 0;
    if (in->dropped)
        context_note_add(notes, CONTEXT_N_OVERFLOW);
    index_fields(&b);
    gather_firsts(&b);
    judge_groups(&b);
    for (int id = next_row(&b, 0); id < NAMES_BUILTIN; id = next_row(&b, id + 1))
        if (id != NAME_BAGGAGE)
            write_row(&b, id);
    for (int i = 0; i < in->names->extras; i++)
        if (!in->names->extra[i].row || names_rows[in->names->extra[i].row - 1].def >= DEFAULT_LISTED)
            write_extra(&b, i);
    write_row(&b, NAME_BAGGAGE);
    b.c->size = (uint32_t)(sizeof(struct context) + b.c->text_len);
    return b.c;
}
