/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compose: what of a context one outbound request is given: nothing where the
 * program speaks for itself (R5, R6), nothing where the peer, the method or a
 * signature forbids it, and never so much that a common limit is crossed.
 */
#include "context.h"

#include "http1.h"
#include "valid.h"

struct compose {
    const struct context *c;
    const struct context_out *out;
    const struct names *names;
    struct context_notes *notes;
    const struct names_row *row[CONTEXT_LINES];
    bool take[CONTEXT_LINES];
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

static void refuse(struct compose *k, unsigned i, enum context_note why)
{
    k->take[i] = false;
    context_note_add(k->notes, why);
}

/* --- the context, again ---------------------------------------------------------------------- */

/* Every word is turned to the middle and multiplied, so that a change in any of its bytes reaches
 * the top ones, and none is undone by another but by chance in 2^64. */
static inline uint64_t add_word(uint64_t s, const char *p)
{
    uint64_t w;
    memcpy(&w, p, 8);
    s ^= w;
    return (s << 29 | s >> 35) * 0x9e3779b97f4a7c15u;
}

static uint64_t add(uint64_t s, const char *p, size_t n)
{
    uint64_t lane[4] = {s, ~s, s + 1,
                        ~s + 1}; /* a multiplication takes long, four at once do not */
    for (; n >= 32; p += 32, n -= 32) {
        lane[0] = add_word(lane[0], p);
        lane[1] = add_word(lane[1], p + 8);
        lane[2] = add_word(lane[2], p + 16);
        lane[3] = add_word(lane[3], p + 24);
    }
    for (unsigned i = 0; i < 4; i++)
        s = add_word(s, (const char *)&lane[i]);
    for (; n >= 8; p += 8, n -= 8)
        s = add_word(s, p);
    uint64_t rest = 0;
    while (n > 0)
        rest = rest << 8 | (uint8_t)p[--n];
    return add_word(s, (const char *)&rest);
}

uint64_t context_sum(const struct context *c)
{
    uint64_t s = ((uint64_t)c->n << 32 | c->text_len) ^ (uint64_t)c->classes << 48;
    if (c->n > CONTEXT_LINES || c->text_len > CONTEXT_MAX)
        return 0;
    s = add(s, (const char *)c->line, c->n * sizeof(c->line[0]));
    s = add(s, c->text, c->text_len);
    return s | 1;
}

/* R3 at the write: the memory may have been shared with a buggy program since. Nothing of a context
 * that is damaged is used. */
static bool sound(const struct context *c)
{
    return c->n <= CONTEXT_LINES && c->text_len <= CONTEXT_MAX && c->sum == context_sum(c);
}

/* Every line is taken, until something speaks against it. */
static void take_all(struct compose *k)
{
    for (unsigned i = 0; i < k->c->n; i++) {
        k->row[i] = names_row(k->names, k->c->line[i].id);
        k->take[i] = true;
    }
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

/* Where the trace id begins in the value of an identity header; v.n: the format has none, or it is
 * opaque. */
static size_t trace_at(int id, struct span v)
{
    switch (id) {
    case NAME_TRACEPARENT:
    case NAME_ELASTIC_APM_TRACEPARENT:
        return v.n > 3 ? 3 : v.n;
    case NAME_B3:
        return v.n == 1 ? v.n : 0; /* a decision alone */
    case NAME_X_B3_TRACEID:
    case NAME_X_DATADOG_TRACE_ID:
    case NAME_UBER_TRACE_ID:
    case NAME_SENTRY_TRACE:
        return 0;
    default:
        return v.n;
    }
}

/* The trace id without leading zeros; empty where there is none. */
static struct span trace_id(int id, struct span v)
{
    size_t from = trace_at(id, v), n = 0;
    while (from < v.n && v.p[from] == '0')
        from++;
    while (from + n < v.n && v.p[from + n] != '-' && v.p[from + n] != ':' && v.p[from + n] != '%')
        n++;
    return (struct span){v.p + from, n};
}

/* A hexadecimal number at the start of s, of up to 128 bits. @return how many digits it has */
static size_t read_hex(struct span s, uint64_t *high, uint64_t *low)
{
    size_t n = 0;
    *high = *low = 0;
    for (; n < s.n; n++) {
        unsigned digit = (uint8_t)s.p[n] - '0';
        if (digit > 9)
            digit = (unsigned)((s.p[n] | 32) - 'a') + 10;
        if (digit > 15)
            break;
        *high = *high << 4 | *low >> 60;
        *low = *low << 4 | digit;
    }
    return n;
}

void context_trace(const struct context *c, uint8_t id[16])
{
    memset(id, 0, 16);
    for (unsigned i = 0; i < c->n; i++) {
        struct span v = line_value(c, i);
        size_t at = trace_at(c->line[i].id, v);
        uint64_t high, low;
        if (at == v.n || c->line[i].id == NAME_X_DATADOG_TRACE_ID /* decimal */ ||
            !read_hex((struct span){v.p + at, v.n - at}, &high, &low))
            continue;
        high = __builtin_bswap64(high);
        low = __builtin_bswap64(low);
        memcpy(id, &high, 8);
        memcpy(id + 8, &low, 8);
        return;
    }
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

/* One contradiction outweighs any agreement. */
static enum context_own said(int id, struct span own, struct span ours, enum context_own before)
{
    if (before == CONTEXT_OWN_CONTRADICTS ||
        !valid_value((enum valid)names_rows[id].valid, own, false) || !trace_id(id, own).n)
        return before;
    return other_trace(id, own, ours) ? CONTEXT_OWN_CONTRADICTS : CONTEXT_OWN_AGREES;
}

/* R6. @return whether the program's identities are all byte-equal copies of the captured ones, each
 * once. */
static bool plain_copier(const struct compose *k, enum context_own *own)
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
        if (at < 0 || !whole || !span_eq(v, ours) || repeated(h, i))
            same = false;
        if (at >= 0 && whole)
            *own = said(f->id, v, ours, *own);
    }
    return same;
}

/* R5: a header the program wrote, even an empty one, is never written again. */
static bool app_wrote(const struct compose *k, unsigned line)
{
    const struct head *h = k->out->head;
    struct span name = line_name(k->c, line);
    for (unsigned i = 0; i < h->n; i++) {
        const struct head_field *f = &h->field[i];
        struct span own = {h->buf + f->name_off, f->name_len};
        if (f->id == k->c->line[line].id && (!f->name_len || span_eq(own, name)))
            return true;
    }
    return false;
}

static void obey_app(struct compose *k, enum context_own *own)
{
    bool copier = plain_copier(k, own);
    for (unsigned i = 0; i < k->c->n; i++)
        if (!copier && k->row[i]->role != ROLE_H_LONE)
            refuse(k, i, CONTEXT_N_APP_OWN);
        else if (app_wrote(k, i))
            refuse(k, i, CONTEXT_N_APP_HAS);
}

/* --- requests that are left alone ------------------------------------------------------------- */

static bool starts(struct span s, struct span with)
{
    return s.n >= with.n && span_ieq((struct span){s.p, with.n}, with);
}

static size_t find(struct span s, char c)
{
    size_t i = 0;
    while (i < s.n && s.p[i] != c)
        i++;
    return i;
}

static struct span after(struct span s, size_t n)
{
    return n < s.n ? (struct span){s.p + n, s.n - n} : (struct span){s.p + s.n, 0};
}

/* Presigned: the query holds the signature. */
static bool query_signed(struct span target)
{
    struct span q = after(target, find(target, '?') + 1);
    for (; q.n; q = after(q, find(q, '&') + 1))
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

static bool is_signed(const struct compose *k)
{
    const struct head *h = k->out->head;
    for (unsigned i = 0; i < h->n; i++)
        if (is_auth(k, h->field[i].id) && scheme_signed(head_value(h, &h->field[i])))
            return true;
    return query_signed(head_target(h));
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
                refuse(k, i, CONTEXT_N_SIGNED);
    }
}

/* Posts of spans (Datadog's tracers PUT them): context there makes sidecars trace the tracer. */
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
    struct span authority, path;
    struct peer_addr addr;
    bool direct; /* the authority is the connection's, not a proxy's client's */
    bool known;  /* false: several or damaged Host fields */
};

/* The length of "http://" or the like at the beginning, 0: not absolute-form. */
static size_t scheme(struct span t)
{
    size_t n = find(t, ':');
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
static struct where where(const struct context_out *out)
{
    struct span t = head_target(out->head);
    struct where w = {.path = t, .addr = out->addr, .direct = true, .known = true};
    size_t from = t.n && t.p[0] != '/' ? scheme(t) : 0;
    if (from) {
        struct span rest = after(t, from);
        size_t n = 0;
        /* "\" ends the authority for some (WHATWG's URLs), and is part of it for others. */
        for (; n < rest.n && rest.p[n] != '/' && rest.p[n] != '?' && rest.p[n] != '#'; n++)
            w.known &= rest.p[n] != '\\';
        w.authority = (struct span){rest.p, n};
        w.path = after(rest, n);
        w.addr = (struct peer_addr){.port = starts(t, SPAN("https:")) ? 443 : 80};
        w.known &= n > 0;
        w.direct = false;
    } else {
        read_host(out->head, &w);
    }
    w.path.n = find(w.path, '?');
    return w;
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
    if (!k->out->peers->insert_signed && is_signed(k))
        return CONTEXT_N_SIGNED;
    return k->out->method != HTTP1_M_GET && is_export(w->path) ? CONTEXT_N_EXPORT : -1;
}

/* @return false: nothing may go there. */
static bool obey_peer(struct compose *k, unsigned allowed)
{
    if (allowed == PEERS_NEVER) {
        context_note_add(k->notes, CONTEXT_N_PEER_NEVER);
        return false;
    }
    for (unsigned i = 0; i < k->c->n; i++)
        if (k->take[i] && !(allowed >> k->row[i]->cls & 1))
            refuse(k, i, CONTEXT_N_PEER);
        else if (k->take[i] && k->out->method == HTTP1_M_TRACE && k->row[i]->cls != PEER_I)
            refuse(k, i, CONTEXT_N_METHOD); /* RFC 9110 9.3.8 */
    return true;
}

/* Does the request have an identity of this group, be it ours or the program's? */
static bool has_identity(const struct compose *k, unsigned group)
{
    const struct head *h = k->out->head;
    for (unsigned i = 0; i < k->c->n; i++)
        if (k->take[i] && k->row[i]->group == group && k->row[i]->role == ROLE_H_IDENTITY)
            return true;
    for (unsigned i = 0; i < h->n; i++)
        if (is_identity(h->field[i].id) && names_rows[h->field[i].id].group == group)
            return true;
    return false;
}

/* A companion without its group's identity says nothing or the wrong thing. */
static void drop_orphans(struct compose *k)
{
    for (unsigned i = 0; i < k->c->n; i++)
        if (k->take[i] && k->row[i]->role == ROLE_H_COMPANION && !has_identity(k, k->row[i]->group))
            k->take[i] = false;
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
    for (unsigned i = 0; i < k->c->n; i++)
        if (k->take[i]) {
            n += k->c->line[i].len;
            ++*lines;
        }
    return n;
}

/* Give up a line. A group goes whole, but for companions that tell more of it: those go first. */
static void give_up(struct compose *k, unsigned i)
{
    const struct names_row *row = k->row[i];
    bool whole = row->role != ROLE_H_LONE && (row->role != ROLE_H_COMPANION || row->cls == PEER_I);
    refuse(k, i, CONTEXT_N_BUDGET);
    for (unsigned j = 0; whole && j < k->c->n; j++)
        if (k->row[j]->group == row->group && k->row[j]->role != ROLE_H_LONE)
            k->take[j] = false;
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
        if (!k->take[at - 1])
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
    for (unsigned i = 0; i < k->c->n; i++) {
        const struct context_line *l = &k->c->line[i];
        size_t len = l->len;
        if (!k->take[i])
            continue;
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

/* Line by line. */
static size_t weighed(struct compose *k, const struct where *w, unsigned allowed, char *dst,
                      size_t cap, enum context_own *own)
{
    take_all(k);
    obey_app(k, own);
    int alone = left_alone(k, w);
    if (alone >= 0) {
        context_note_add(k->notes, (enum context_note)alone);
        return 0;
    }
    obey_signature(k);
    if (!obey_peer(k, allowed))
        return 0;
    drop_orphans(k);
    size_t baggage = obey_budget(k);
    return write_lines(k, dst, cap, baggage);
}

/* Did the program write only fields that are none of our lines and decide nothing but the peer? */
static bool app_is_silent(const struct head *h)
{
    for (unsigned i = 0; i < h->n; i++)
        if (h->field[i].id != NAME_HOST && h->field[i].id != NAME_CONNECTION)
            return false;
    return true;
}

/* The usual request: nothing speaks against any line, and all of them fit. */
static bool nothing_forbids(const struct compose *k, const struct where *w, unsigned allowed)
{
    const struct context *c = k->c;
    unsigned lines = k->out->head_lines + c->n;
    return app_is_silent(k->out->head) && k->out->method != HTTP1_M_TRACE && left_alone(k, w) < 0 &&
           (allowed & c->classes) == c->classes && allowed != PEERS_NEVER && lines <= MAX_LINES &&
           c->text_len <= room_of(k->out);
}

size_t context_compose(const struct context *c, const struct context_out *out, char *dst,
                       size_t cap, enum context_own *own, struct context_notes *notes)
{
    struct compose k;
    struct where w = where(out);
    k.c = c;
    k.out = out;
    k.names = out->head->names;
    k.notes = notes;
    *own = CONTEXT_OWN_SILENT;
    if (!sound(c)) {
        context_note_add(notes, CONTEXT_N_INVALID);
        return 0;
    }
    unsigned allowed = w.direct && out->memo
                           ? peers_recall(out->memo, out->peers, w.authority, &w.addr)
                           : peers_classes(out->peers, w.authority, &w.addr);
    if (c->text_len <= cap && nothing_forbids(&k, &w, allowed)) {
        span_copy(dst, c->text, c->text_len);
        return c->text_len;
    }
    return weighed(&k, &w, allowed, dst, cap, own);
}
