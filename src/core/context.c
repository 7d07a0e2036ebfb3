/* SPDX-License-Identifier: Apache-2.0 */
/*
 * context: capture. First every field is judged alone, then groups as a whole,
 * then what is left is written in the order of R11; compose.c is the other half.
 * Values are copied, never rewritten (R1); names come from our table, but for
 * prefix rules. Rows that can be carried have ids below 64: a set of them is a
 * word.
 */
#include "context.h"

#include "valid.h"

_Static_assert(NAME_NEVER_X_FORWARDED <= 64, "a set of ids is a word");

#define BIT(id) (UINT64_C(1) << (id))

/* Where a build is. The arrays are not cleared: of an id that was seen, its place is set, of one in
 * `have` or `single` its value. */
struct build {
    const struct head *in;
    struct context *c;
    size_t cap; /* of c->text */
    struct context_notes *notes;
    const struct head_field *conn;    /* the first Connection field */
    uint64_t have;                    /* ids with an acceptable value */
    uint64_t twice;                   /* ids with more fields than one */
    uint64_t single;                  /* lists of one good line: nothing to join or to cut */
    struct span value[NAMES_BUILTIN]; /* trimmed, of the first field */
    uint8_t first[NAMES_BUILTIN];     /* which field that is */
};

/* Ids by role. */
#define OF_ROLE(id, role, wanted) | (role == wanted ? BIT(NAME_##id & 63) : 0)
#define HEADER(id, group, name, match, max, several, cls, role, def, valid)                        \
    OF_ROLE(id, ROLE_H_##role, ROLE_H_IDENTITY)
static const uint64_t identities = 0
#include "propagators.def"
    ;
#undef HEADER
#define HEADER(id, group, name, match, max, several, cls, role, def, valid)                        \
    OF_ROLE(id, ROLE_H_##role, ROLE_H_COMPANION)
static const uint64_t companions = 0
#include "propagators.def"
    ;
#undef HEADER

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

/* RFC 9110 7.6.1: what Connection names is for this hop only. One that is not fully known could
 * name anything. */
static bool hop_by_hop(struct build *b, struct span name)
{
    const struct head_field *end = b->in->field + b->in->n;
    for (const struct head_field *f = b->conn; f && f < end; f++)
        if (f->id == NAME_CONNECTION &&
            (f->cut || f->folded || lists_token(head_value(b->in, f), name))) {
            context_note_add(b->notes, CONTEXT_N_HOP_BY_HOP);
            return true;
        }
    return false;
}

/* --- single fields --------------------------------------------------------------------------- */

/* May this value be carried? An empty one never is (Istio issue 11696). */
static inline bool good_value(const struct build *b, const struct head_field *f,
                              const struct names_row *row, struct span v)
{
    return !f->folded && !f->cut && v.n <= row->max &&
           valid_value((enum valid)row->valid, v, b->in->names->strict);
}

static bool acceptable(struct build *b, const struct head_field *f, const struct names_row *row,
                       struct span v)
{
    if (good_value(b, f, row, v))
        return true;
    context_note_add(b->notes, CONTEXT_N_INVALID);
    return false;
}

/* Which ids there are, where first, and which more than once. */
static uint64_t sort_fields(struct build *b)
{
    const struct head_field *f = b->in->field;
    uint64_t seen = 0;
    for (unsigned i = 0; i < b->in->n; i++) {
        int id = f[i].id;
        if (id >= NAMES_BUILTIN) {
            if (id == NAME_CONNECTION && !b->conn)
                b->conn = &f[i];
        } else if (seen & BIT(id)) {
            b->twice |= BIT(id);
        } else {
            seen |= BIT(id);
            b->first[id] = (uint8_t)i;
        }
    }
    return seen;
}

/* The first line of a FIRST row decides, whatever follows; traceparent must have only one. */
static bool judge_field(struct build *b, int id)
{
    const struct names_row *row = &names_rows[id];
    const struct head_field *f = &b->in->field[b->first[id]];
    if (row->match == MATCH_PREFIX)
        return true;
    if (row->valid == VALID_TRACEPARENT && b->twice & BIT(id)) {
        context_note_add(b->notes, CONTEXT_N_DUPLICATE);
        return false;
    }
    struct span v = b->value[id] = head_value(b->in, f);
    bool good = good_value(b, f, row, v);
    if (row->several == SEVERAL_JOIN) { /* put_list() decides, but of one good line it need not */
        if (good && !(b->twice & BIT(id)))
            b->single |= BIT(id);
        return true;
    }
    if (!good)
        context_note_add(b->notes, CONTEXT_N_INVALID);
    return good;
}

static void judge_fields(struct build *b)
{
    for (uint64_t left = sort_fields(b); left; left &= left - 1) {
        int id = __builtin_ctzll(left);
        if (judge_field(b, id))
            b->have |= BIT(id);
    }
}

static void drop_hop_by_hop(struct build *b)
{
    for (uint64_t left = b->conn ? b->have : 0; left; left &= left - 1) {
        int id = __builtin_ctzll(left);
        if (names_rows[id].match == MATCH_EXACT && hop_by_hop(b, names_text(b->in->names, id)))
            b->have &= ~BIT(id);
    }
}

/* --- groups ---------------------------------------------------------------------------------- */

/* Ids that only make sense together. */
static void partners(struct build *b, int trace, int span)
{
    uint64_t both = BIT(trace) | BIT(span);
    if ((b->have & both) != both)
        b->have &= ~both;
}

/* R7: `b3` with the trace id of x-b3-* and another span is what an Envoy hop left behind. */
static void stale_b3(struct build *b)
{
    if (!(b->have & BIT(NAME_B3)) || !(b->have & BIT(NAME_X_B3_TRACEID)))
        return;
    struct span one = b->value[NAME_B3], trace = b->value[NAME_X_B3_TRACEID];
    if (one.n < trace.n + 1 + 16 || one.p[trace.n] != '-')
        return;
    struct span one_trace = {one.p, trace.n}, one_span = {one.p + trace.n + 1, 16};
    if (!span_ieq(one_trace, trace) || span_ieq(one_span, b->value[NAME_X_B3_SPANID]))
        return;
    context_note_add(b->notes, CONTEXT_N_STALE_B3);
    b->have &= ~BIT(NAME_B3);
}

/* Companions go with their group's identity or not at all. */
static void drop_orphans(struct build *b)
{
    uint64_t alive = 0; /* groups */
    for (uint64_t left = b->have & identities; left; left &= left - 1)
        alive |= BIT(names_rows[__builtin_ctzll(left)].group);
    for (uint64_t left = b->have & companions; left; left &= left - 1)
        if (!(alive & BIT(names_rows[__builtin_ctzll(left)].group)))
            b->have &= ~(left & -left);
}

static void judge_groups(struct build *b)
{
    partners(b, NAME_X_B3_TRACEID, NAME_X_B3_SPANID);
    partners(b, NAME_OT_TRACER_TRACEID, NAME_OT_TRACER_SPANID);
    partners(b, NAME_X_INSTANA_T, NAME_X_INSTANA_S);
    if (!(b->have & BIT(NAME_X_DATADOG_TRACE_ID)))
        b->have &= ~BIT(NAME_X_DATADOG_PARENT_ID);
    stale_b3(b);
    drop_orphans(b);
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

/* All after the last line, up to text_len, is one more. */
static void add_line(struct context *c, int id, enum peer_class cls, uint32_t from, size_t name_len)
{
    c->classes |= 1u << cls;
    c->line[c->n++] = (struct context_line){
        .id = (uint16_t)id, .name_len = (uint16_t)name_len, .off = from, .len = c->text_len - from};
}

static bool fits(const struct build *b, struct span name, struct span value)
{
    return b->c->n < CONTEXT_LINES && name.n + value.n + 4 <= b->cap - b->c->text_len;
}

static inline __attribute__((always_inline)) void
write_line(struct build *b, int id, enum peer_class cls, struct span name, struct span value)
{
    struct context *c = b->c;
    uint32_t from = c->text_len;
    if (!fits(b, name, value)) {
        context_note_add(b->notes, CONTEXT_N_OVERFLOW);
        return;
    }
    char *p = c->text + from;
    span_copy(p, name.p, name.n);
    memcpy(p + name.n, ": ", 2);
    span_copy(p + name.n + 2, value.p, value.n);
    memcpy(p + name.n + 2 + value.n, "\r\n", 2);
    c->text_len += (uint32_t)(name.n + value.n + 4);
    add_line(c, id, cls, from, name.n);
}

/* --- lists ----------------------------------------------------------------------------------- */

/* One more line of a list. A value that is cut is longer than any list may be; of what may be
 * shortened, its beginning is as good. @return whether the list is still worth something. */
static bool put_member(struct build *b, const struct head_field *f, uint32_t from, size_t max)
{
    struct span v = head_value(b->in, f);
    uint32_t len = b->c->text_len - from;
    if (f->folded || (f->cut && !max) || (v.n > 0 && !valid_value(VALID_SAFE, v, false)))
        return false;
    if (v.n == 0)
        return !f->cut;
    if (len > 0 && !put(b, SPAN(",")))
        return false;
    if (max && v.n > max + 1 - (len < max ? len : max))
        v.n = max + 1 - (len < max ? len : max);
    return put(b, v);
}

/* All lines of a list header joined in order (RFC 9110 5.3), empty ones skipped. Of baggage whole
 * members are dropped from the end where it is too long; other lists are opaque. */
static bool put_list(struct build *b, int id)
{
    const struct names_row *row = &names_rows[id];
    struct context *c = b->c;
    uint32_t from = c->text_len;
    size_t max = row->max, trims = id == NAME_BAGGAGE ? max : 0;
    for (unsigned i = b->first[id]; i < b->in->n; i++) {
        const struct head_field *f = &b->in->field[i];
        if (f->id != id)
            continue;
        if (!put_member(b, f, from, trims))
            return false;
        if (f->cut && c->text_len - from <= max) /* the last member is not whole */
            max = c->text_len - from - 1;
        if (f->cut)
            break;
    }
    struct span v = {c->text + from, c->text_len - from};
    if (trims)
        v.n = valid_members(v, max);
    c->text_len = from + (uint32_t)v.n;
    return v.n <= row->max && valid_value((enum valid)row->valid, v, b->in->names->strict);
}

static void write_list(struct build *b, int id)
{
    struct context *c = b->c;
    struct span name = names_text(b->in->names, id);
    uint32_t from = c->text_len;
    bool begun = put(b, name) && put(b, SPAN(": ")), good = begun && put_list(b, id);
    if (good && c->n < CONTEXT_LINES && put(b, SPAN("\r\n"))) {
        add_line(c, id, (enum peer_class)names_rows[id].cls, from, name.n);
        return;
    }
    context_note_add(b->notes, begun && !good ? CONTEXT_N_INVALID : CONTEXT_N_OVERFLOW);
    c->text_len = from;
}

/* --- prefix rules, R10, and extras ----------------------------------------------------------- */

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
    for (unsigned i = 0; i < b->in->n; i++) {
        const struct head_field *f = &b->in->field[i];
        if (f->id != id)
            continue;
        struct span name = {b->in->buf + f->name_off, f->name_len}, v = head_value(b->in, f);
        if (valid_token(name) && !hop_by_hop(b, name) && !seen_before(b->in, i, name) &&
            acceptable(b, f, row, v))
            write_line(b, id, (enum peer_class)row->cls, name, v);
    }
}

static void write_extra(struct build *b, int id)
{
    const struct names_row *row = names_row(b->in->names, id);
    struct span name = names_text(b->in->names, id);
    const struct head_field *f = head_find(b->in, id);
    if (names_is_prefix(b->in->names, id)) {
        write_prefixed(b, id, row);
    } else if (f && !hop_by_hop(b, name)) {
        struct span v = head_value(b->in, f);
        if (acceptable(b, f, row, v))
            write_line(b, id, (enum peer_class)row->cls, name, v);
    }
}

/* The rows of a set of ids, in the order of R11. */
static void write_rows(struct build *b, uint64_t ids)
{
    for (; ids; ids &= ids - 1) {
        int id = __builtin_ctzll(ids);
        const struct names_row *row = &names_rows[id];
        struct span name = {row->name, row->len};
        if (row->match == MATCH_PREFIX)
            write_prefixed(b, id, row);
        else if (row->several == SEVERAL_JOIN &&
                 !(b->single & BIT(id) && fits(b, name, b->value[id])))
            write_list(b, id);
        else
            write_line(b, id, (enum peer_class)row->cls, name, b->value[id]);
    }
}

/* --- */

struct context *context_build(const struct head *in, void *mem, size_t cap,
                              struct context_notes *notes)
{
    struct build b; /* large: see there */
    b.in = in;
    b.c = mem;
    b.cap = cap > CONTEXT_MEM ? CONTEXT_MAX : cap - sizeof(struct context);
    b.notes = notes;
    b.conn = NULL;
    b.have = b.twice = b.single = 0;
    memset(b.c->trace, 0, sizeof(b.c->trace));
    b.c->n = b.c->text_len = b.c->classes = b.c->shares = 0;
    if (in->dropped)
        context_note_add(notes, CONTEXT_N_OVERFLOW);
    judge_fields(&b);
    drop_hop_by_hop(&b);
    judge_groups(&b);
    write_rows(&b, b.have & ~BIT(NAME_BAGGAGE));
    for (int i = 0; i < in->names->extras; i++)
        write_extra(&b, NAMES_EXTRA + i);
    write_rows(&b, b.have & BIT(NAME_BAGGAGE));
    b.c->size = (uint32_t)(sizeof(struct context) + b.c->text_len);
    b.c->sum = context_sum(b.c);
    return b.c;
}
