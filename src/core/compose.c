/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compose: what of a context one outbound request is given: nothing where the
 * program speaks for itself (R5, R6), nothing where the peer, the method or a
 * signature forbids it, and never so much that a common limit is crossed.
 */
#include "context.h"

#include "http1.h"
#include "valid.h"

_Static_assert(CONTEXT_LINES <= 32, "a set of lines is a word");

#define LINE(i) (UINT32_C(1) << (i))

/* Rows that are carried under exactly their name: bit an id. */
#define HEADER(id, group, name, match, max, several, cls, role, def, valid)                        \
    | (MATCH_##match == MATCH_EXACT && DEFAULT_##def < DEFAULT_LISTED                              \
           ? UINT64_C(1) << (NAME_##id & 63)                                                       \
           : 0)
static const uint64_t exact_rows = 0
#include "propagators.def"
    ;
#undef HEADER

/* Where a composition is. What is of one line is not cleared. */
struct compose {
    const struct context *c;
    const struct context_out *out;
    const struct names *names;
    struct context_notes *notes;
    uint32_t take;                  /* lines that are inserted, so far */
    uint32_t all;                   /* lines there are */
    uint32_t cls[PEER_CLASSES];     /* lines of each class */
    uint32_t role[ROLE_H_LONE + 1]; /* lines of each role */
    const struct names_row *row[CONTEXT_LINES];
};

static struct span line_name(const struct context *c, unsigned i)
{
    return (struct span){c->text + c->line[i].off, c->line[i].name_len};
}

/* Between ": " and CRLF. */
static struct span line_value(const struct context *c, unsigned i)
{
    const struct context_line *l = &c->line[i];
    return (struct span){c->text + l->off + l->name_len + 2, l->len - l->name_len - 4u};
}

/* Each of these lines is a refusal, even where it was refused before. */
static void refuse(struct compose *k, uint32_t lines, enum context_note why)
{
    k->take &= ~lines;
    for (; lines; lines &= lines - 1)
        context_note_add(k->notes, why);
}

/* --- the context, again ---------------------------------------------------------------------- */

/* Is this what a line of that id is called? */
static bool known_name(const struct names *names, int id, struct span name)
{
    if (!names_carried(names, id))
        return false;
    struct span known = names_text(names, id);
    if (names_is_prefix(names, id)) {
        if (name.n <= known.n || !valid_token(name))
            return false;
        name.n = known.n;
    }
    return span_eq(name, known);
}

/* The row of a line that still is one of ours: of a known id, under that id's name; else NULL. */
static const struct names_row *known_row(const struct names *names, int id, struct span name)
{
    if (id < 64 && exact_rows >> id & 1) { /* most are; the others are none of these */
        const struct names_row *row = &names_rows[id];
        return span_eq(name, (struct span){row->name, row->len}) ? row : NULL;
    }
    return known_name(names, id, name) ? names_row(names, id) : NULL;
}

/* Does the line, which has `room` bytes from its beginning to the end of the text, end there or
 * before, and is it a name, ": ", safe bytes and CRLF? */
static inline bool whole_line(const struct context_line *l, const char *p, size_t room)
{
    size_t name = l->name_len, len = l->len;
    return len <= room && len >= name + 5 && memcmp(p + name, ": ", 2) == 0 &&
           memcmp(p + len - 2, "\r\n", 2) == 0 &&
           valid_safe((struct span){p + name + 2, len - name - 4});
}

/* R3 at the write: the memory may have been shared with a buggy program since. Nothing of a context
 * that is damaged is used. (That values follow their grammars, R4, was settled at capture; here it
 * matters that each is of safe bytes, in a line of its own.) */
static __attribute__((noinline)) bool sound(struct compose *k)
{
    const struct context *c = k->c;
    const struct names *names = k->names;
    unsigned n = c->n;
    size_t at = 0, text_len = c->text_len;
    if (n > CONTEXT_LINES || text_len > CONTEXT_MAX)
        return false;
    for (unsigned i = 0; i < n; i++) {
        const struct context_line *l = &c->line[i];
        const char *p = c->text + at;
        if (l->off != at || !whole_line(l, p, text_len - at))
            return false;
        const struct names_row *row = known_row(names, l->id, (struct span){p, l->name_len});
        if (!row)
            return false;
        k->row[i] = row;
        k->cls[row->cls] |= LINE(i);
        k->role[row->role] |= LINE(i);
        at += l->len;
    }
    k->take = k->all = n ? UINT32_MAX >> (CONTEXT_LINES - n) : 0;
    return at == text_len;
}

/* --- what the program wrote itself ------------------------------------------------------------ */

static bool is_identity(int id)
{
    return id < NAMES_BUILTIN && names_rows[id].role == ROLE_H_IDENTITY;
}

bool context_app_identity(const struct head *out)
{
    for (unsigned i = 0; i < out->n; i++)
        if (is_identity(out->field[i].id))
            return true;
    return false;
}

static int captured(const struct context *c, int id)
{
    for (unsigned i = 0; i < c->n; i++)
        if (c->line[i].id == id)
            return (int)i;
    return -1;
}

/* The trace id in the value of an identity header, without leading zeros; empty where the format
 * has none or is opaque. */
static struct span trace_id(int id, struct span v)
{
    size_t from = 0, n = 0;
    switch (id) {
    case NAME_TRACEPARENT:
    case NAME_ELASTIC_APM_TRACEPARENT:
        from = 3;
        break;
    case NAME_B3:
        if (v.n == 1) /* a decision alone */
            v.n = 0;
        break;
    case NAME_X_B3_TRACEID:
    case NAME_X_DATADOG_TRACE_ID:
    case NAME_UBER_TRACE_ID:
    case NAME_SENTRY_TRACE:
        break;
    default:
        v.n = 0;
    }
    while (from < v.n && v.p[from] == '0')
        from++;
    while (from + n < v.n && v.p[from + n] != '-' && v.p[from + n] != ':' && v.p[from + n] != '%')
        n++;
    return (struct span){v.p + from, n};
}

/* The low half of a trace id of 32 digits, which is all that systems of 64-bit ids keep. */
static struct span low_half(struct span id)
{
    size_t skip = id.n > 16 ? id.n - 16 : 0;
    while (skip > 0 && skip < id.n && id.p[skip] == '0')
        skip++;
    return (struct span){id.p + skip, id.n - skip};
}

/* Do two valid values of the same header surely name different traces? */
static bool other_trace(int id, struct span a, struct span b)
{
    struct span x = trace_id(id, a), y = trace_id(id, b);
    if (x.n == 0 || y.n == 0 || span_ieq(x, y))
        return false;
    if (id != NAME_X_DATADOG_TRACE_ID && (x.n <= 16) != (y.n <= 16))
        return !span_ieq(low_half(x), low_half(y));
    return true;
}

static bool repeated(const struct head *h, unsigned at)
{
    for (unsigned i = 0; i < at; i++)
        if (h->field[i].id == h->field[at].id)
            return true;
    return false;
}

/* Captured ones are asked, too: a damaged one proves nothing. */
static bool valid_identity(int id, struct span v)
{
    return valid_value((enum valid)names_rows[id].valid, v, false);
}

/* R6. @return whether the program's identities are all byte-equal copies of the captured ones, each
 * once. */
static bool plain_copier(const struct compose *k, bool *contradicts)
{
    const struct head *h = k->out->head;
    bool same = true;
    for (unsigned i = 0; i < h->n; i++) {
        const struct head_field *f = &h->field[i];
        if (!is_identity(f->id))
            continue;
        struct span v = head_value(h, f), ours = {NULL, 0};
        int at = captured(k->c, f->id);
        bool whole = !f->cut && !f->folded;
        if (at >= 0)
            ours = line_value(k->c, (unsigned)at);
        bool copy = at >= 0 && whole && span_eq(v, ours);
        if (!copy || repeated(h, i))
            same = false;
        if (!copy && at >= 0 && whole && valid_identity(f->id, v) && valid_identity(f->id, ours) &&
            other_trace(f->id, v, ours))
            *contradicts = true;
    }
    return same;
}

/* R5: a header the program wrote, even an empty one, is never written again. @return such lines. */
static uint32_t app_wrote(const struct compose *k)
{
    const struct head *h = k->out->head;
    uint32_t lines = 0;
    for (const struct head_field *f = h->field; f < h->field + h->n; f++) {
        struct span own = {h->buf + f->name_off, f->name_len};
        if (f->id >= NAMES_BUILTIN && f->id < NAMES_EXTRA) /* never carried */
            continue;
        for (unsigned i = 0; i < k->c->n; i++)
            if (f->id == k->c->line[i].id && (!f->name_len || span_eq(own, line_name(k->c, i))))
                lines |= LINE(i);
    }
    return lines;
}

static void obey_app(struct compose *k, bool *contradicts)
{
    uint32_t own = plain_copier(k, contradicts) ? 0 : k->all & ~k->role[ROLE_H_LONE];
    refuse(k, own, CONTEXT_N_APP_OWN);
    refuse(k, app_wrote(k) & ~own, CONTEXT_N_APP_HAS);
}

/* --- requests that are left alone ------------------------------------------------------------- */

static bool starts(struct span s, struct span with)
{
    return s.n >= with.n && span_ieq((struct span){s.p, with.n}, with);
}

static struct span after(struct span s, size_t n)
{
    return n < s.n ? (struct span){s.p + n, s.n - n} : (struct span){s.p + s.n, 0};
}

/* Presigned: the query holds the signature. */
static bool query_signed(struct span q)
{
    for (; q.n; q = after(q, span_find(q, '&') + 1))
        if (starts(q, SPAN("X-Amz-Signature=")) || starts(q, SPAN("X-Goog-Signature=")))
            return true;
    return false;
}

/* Schemes that sign headers they were not told of, or refuse those. */
static bool scheme_signed(struct span v)
{
    return starts(v, SPAN("AWS4-")) || starts(v, SPAN("AWS ")) || starts(v, SPAN("GOOG4-")) ||
           starts(v, SPAN("SharedKey"));
}

static bool is_auth(const struct compose *k, int id)
{
    return id == NAME_AUTH ||
           (id >= NAMES_EXTRA && names_row(k->names, id) == &names_rows[NAME_AUTHORIZATION]);
}

static bool is_signed(const struct compose *k, struct span query)
{
    const struct head *h = k->out->head;
    for (unsigned i = 0; i < h->n; i++)
        if (is_auth(k, h->field[i].id) && scheme_signed(head_value(h, &h->field[i])))
            return true;
    return query_signed(query);
}

/* RFC 9421: only what the covered components name is verified. A list that is not fully known could
 * name anything. */
static bool covered(struct span input, bool whole, struct span name)
{
    for (size_t at = 0; at + name.n + 2 <= input.n; at++)
        if (input.p[at] == '"' && input.p[at + 1 + name.n] == '"' &&
            span_ieq((struct span){input.p + at + 1, name.n}, name))
            return true;
    return !whole;
}

static void obey_signature(struct compose *k)
{
    const struct head *h = k->out->head;
    for (unsigned f = 0; f < h->n; f++) {
        bool whole = !h->field[f].cut && !h->field[f].folded;
        if (h->field[f].id != NAME_SIGNATURE_INPUT)
            continue;
        for (unsigned i = 0; i < k->c->n; i++)
            if (covered(head_value(h, &h->field[f]), whole, line_name(k->c, i)))
                refuse(k, LINE(i), CONTEXT_N_SIGNED);
    }
}

/* Posts of spans: context there makes sidecars trace the tracer. */
static bool is_export(struct span path)
{
    static const struct span exact[] = {{"/api/v2/spans", 13}, {"/api/v1/spans", 13},
                                        {"/v1/traces", 10},    {"/v1/metrics", 11},
                                        {"/v1/logs", 8},       {"/api/traces", 11}};
    for (size_t i = 0; i < sizeof(exact) / sizeof(exact[0]); i++)
        if (span_eq(path, exact[i]))
            return true;
    if (starts(path, SPAN("/intake/v2/")))
        return true;
    return starts(path, SPAN("/v0.")) && span_eq(after(path, 5), SPAN("/traces"));
}

/* --- where it goes ---------------------------------------------------------------------------- */

/* A request target and what it says of the peer (RFC 9112 3.2). */
struct where {
    struct span authority, path, query;
    struct peer_addr addr;
    bool known; /* false: several or damaged Host fields */
};

/* The length of "http://" or the like at the beginning, 0: not absolute-form. */
static size_t scheme(struct span t)
{
    size_t n = span_find(t, ':');
    for (size_t i = 0; i < n && n < t.n; i++) {
        char c = span_lower(t.p[i]);
        if (!(c >= 'a' && c <= 'z') &&
            (i == 0 || !((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.')))
            return 0;
    }
    return n > 0 && starts(after(t, n), SPAN("://")) ? n + 3 : 0;
}

static void read_host(const struct head *h, struct where *w)
{
    const struct head_field *f = head_find(h, NAME_HOST);
    if (!f)
        return;
    w->authority = head_value(h, f);
    w->known = !f->cut && !f->folded;
    for (const struct head_field *g = f + 1; g < h->field + h->n; g++)
        if (g->id == NAME_HOST)
            w->known = false;
}

/* Of an absolute-form target the authority counts; the address is that of a proxy. */
static void where(const struct context_out *out, struct where *w)
{
    struct span t = head_target(out->head);
    size_t from = t.n && t.p[0] != '/' ? scheme(t) : 0;
    *w = (struct where){.path = t, .addr = out->addr, .known = true};
    if (from) {
        struct span rest = after(t, from);
        size_t n = 0;
        while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?' && rest.p[n] != '#')
            n++;
        w->authority = (struct span){rest.p, n};
        w->path = after(rest, n);
        w->addr = (struct peer_addr){.port = starts(t, SPAN("https:")) ? 443 : 80};
        w->known = n > 0;
    } else {
        read_host(out->head, w);
    }
    size_t mark = span_find(w->path, '?'); /* none is in scheme or authority */
    if (mark < w->path.n)
        w->query = after(w->path, mark + 1);
    w->path.n = mark;
}

/* A reason to leave the whole request alone, or -1. */
static int left_alone(const struct compose *k, const struct where *w)
{
    const struct head *h = k->out->head;
    if (k->out->method == HTTP1_M_CONNECT)
        return CONTEXT_N_METHOD;
    if (h->dropped || h->target_cut || h->len == h->cap) /* what was written is not fully known */
        return CONTEXT_N_OVERFLOW;
    if (!w->known)
        return CONTEXT_N_PEER;
    if (!k->out->peers->insert_signed && is_signed(k, w->query))
        return CONTEXT_N_SIGNED;
    return k->out->method == HTTP1_M_POST && is_export(w->path) ? CONTEXT_N_EXPORT : -1;
}

/* @return false: nothing may go there. */
static bool obey_peer(struct compose *k, const struct where *w)
{
    unsigned allowed = peers_classes(k->out->peers, w->authority, &w->addr);
    if (allowed == PEERS_NEVER) {
        context_note_add(k->notes, CONTEXT_N_PEER_NEVER);
        return false;
    }
    for (unsigned cls = 0; cls < PEER_CLASSES; cls++)
        if (!(allowed >> cls & 1))
            refuse(k, k->take & k->cls[cls], CONTEXT_N_PEER);
    if (k->out->method == HTTP1_M_TRACE) /* RFC 9110 9.3.8 */
        refuse(k, k->take & ~k->cls[PEER_I], CONTEXT_N_METHOD);
    return true;
}

/* Does the request have an identity of this group, be it ours or the program's? */
static bool has_identity(const struct compose *k, unsigned group)
{
    const struct head *h = k->out->head;
    for (uint32_t left = k->take & k->role[ROLE_H_IDENTITY]; left; left &= left - 1)
        if (k->row[__builtin_ctz(left)]->group == group)
            return true;
    for (unsigned i = 0; i < h->n; i++)
        if (is_identity(h->field[i].id) && names_rows[h->field[i].id].group == group)
            return true;
    return false;
}

/* A companion without its group's identity says nothing or the wrong thing. */
static void drop_orphans(struct compose *k)
{
    for (uint32_t left = k->take & k->role[ROLE_H_COMPANION]; left; left &= left - 1)
        if (!has_identity(k, k->row[__builtin_ctz(left)]->group))
            k->take &= ~(left & -left);
}

/* --- budget, section 6 ------------------------------------------------------------------------ */

#define SPARE     256
#define MAX_LINES 96

/* Up to the next limit that receivers have in common (Tomcat, nginx, Node, Envoy). */
static size_t room_of(const struct context_out *out)
{
    static const size_t limit[] = {8192, 16384, 32768, 61440};
    for (size_t i = 0; i < sizeof(limit) / sizeof(limit[0]); i++)
        if (out->head_bytes <= limit[i])
            return limit[i] - SPARE > out->head_bytes ? limit[i] - SPARE - out->head_bytes : 0;
    return 0;
}

static size_t taken(const struct compose *k, unsigned *lines)
{
    size_t n = 0;
    *lines = 0;
    if (k->take == k->all) {
        *lines = k->c->n;
        return k->c->text_len;
    }
    for (uint32_t left = k->take; left; left &= left - 1, ++*lines)
        n += k->c->line[__builtin_ctz(left)].len;
    return n;
}

/* Give up a line. A group goes whole, but for companions that tell more of it: those go first. */
static void give_up(struct compose *k, unsigned i)
{
    const struct names_row *row = k->row[i];
    bool whole = row->role != ROLE_H_LONE && (row->role != ROLE_H_COMPANION || row->cls == PEER_I);
    refuse(k, LINE(i), CONTEXT_N_BUDGET);
    for (unsigned j = 0; whole && j < k->c->n; j++)
        if (k->row[j]->group == row->group && k->row[j]->role != ROLE_H_LONE)
            k->take &= ~LINE(j);
}

/* Cut from the end of R11 until it fits. @return bytes of baggage that stay; SIZE_MAX: all. */
static size_t obey_budget(struct compose *k)
{
    size_t room = room_of(k->out);
    unsigned lines;
    for (unsigned at = k->c->n; at > 0; at--) {
        size_t n = taken(k, &lines), over = n > room ? n - room : 0;
        bool many = k->out->head_lines + lines > MAX_LINES;
        if (!over && !many)
            break;
        if (!(k->take & LINE(at - 1)))
            continue;
        struct span v = line_value(k->c, at - 1);
        if (k->c->line[at - 1].id == NAME_BAGGAGE && !many && over < v.n) {
            size_t keep = valid_members(v, v.n - over);
            if (keep) {
                context_note_add(k->notes, CONTEXT_N_BUDGET);
                return keep;
            }
        }
        give_up(k, at - 1);
    }
    return SIZE_MAX;
}

/* --- */

static size_t write_lines(const struct compose *k, char *dst, size_t cap, size_t baggage)
{
    size_t n = 0;
    if (k->take == k->all && baggage == SIZE_MAX && k->c->text_len <= cap) { /* the common case */
        memcpy(dst, k->c->text, k->c->text_len);
        return k->c->text_len;
    }
    for (uint32_t left = k->take; left; left &= left - 1) {
        const struct context_line *l = &k->c->line[__builtin_ctz(left)];
        size_t len = l->len;
        if (l->id == NAME_BAGGAGE && baggage != SIZE_MAX)
            len = l->name_len + 2u + baggage + 2;
        if (len > cap - n)
            break;
        memcpy(dst + n, k->c->text + l->off, len - 2);
        memcpy(dst + n + len - 2, "\r\n", 2);
        n += len;
    }
    return n;
}

static void begin(struct compose *k, const struct context *c, const struct context_out *out,
                  struct context_notes *notes)
{
    k->c = c;
    k->out = out;
    k->names = out->head->names;
    k->notes = notes;
    k->take = k->all = 0;
    memset(k->cls, 0, sizeof(k->cls));
    memset(k->role, 0, sizeof(k->role));
}

size_t context_compose(const struct context *c, const struct context_out *out, char *dst,
                       size_t cap, bool *contradicts, struct context_notes *notes)
{
    struct compose k; /* large: see there */
    begin(&k, c, out, notes);
    struct where w;
    where(out, &w);
    *contradicts = false;
    if (!sound(&k)) {
        context_note_add(notes, CONTEXT_N_INVALID);
        return 0;
    }
    obey_app(&k, contradicts);
    int alone = left_alone(&k, &w);
    if (alone >= 0) {
        context_note_add(notes, (enum context_note)alone);
        return 0;
    }
    obey_signature(&k);
    if (!obey_peer(&k, &w))
        return 0;
    drop_orphans(&k);
    size_t baggage = obey_budget(&k);
    return write_lines(&k, dst, cap, baggage);
}
