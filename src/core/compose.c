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

static const struct names_row *row_of(const struct compose *k, unsigned i)
{
    return names_row(k->names, k->c->line[i].id);
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

/* The trace id within an identity header's value. */
static struct span trace_id(int id, struct span v)
{
    size_t from = id == NAME_TRACEPARENT || id == NAME_ELASTIC_APM_TRACEPARENT ? 3 : 0, n = 0;
    if (id == NAME_X_B3_SPANID || id == NAME_X_DATADOG_PARENT_ID || id == NAME_OT_TRACER_SPANID ||
        id == NAME_X_INSTANA_S || from > v.n)
        return (struct span){NULL, 0};
    while (from + n < v.n && v.p[from + n] != '-' && v.p[from + n] != ':' && v.p[from + n] != '/')
        n++;
    return (struct span){v.p + from, n};
}

/* Formats of which the first field is surely a trace id. */
static bool names_trace(int id)
{
    return id == NAME_TRACEPARENT || id == NAME_B3 || id == NAME_X_B3_TRACEID ||
           id == NAME_X_DATADOG_TRACE_ID || id == NAME_UBER_TRACE_ID || id == NAME_SENTRY_TRACE;
}

/* R6. @return whether the program's identities are all byte-equal copies of the captured ones. */
static bool plain_copier(struct compose *k, bool *contradicts)
{
    const struct head *h = k->out->head;
    bool same = true;
    for (unsigned i = 0; i < h->n; i++) {
        const struct head_field *f = &h->field[i];
        if (!is_identity(f->id))
            continue;
        struct span v = head_value(h, f);
        int at = captured(k->c, f->id);
        if (at >= 0 && !f->cut && !f->folded && span_eq(v, line_value(k->c, (unsigned)at)))
            continue;
        same = false;
        if (at >= 0 && names_trace(f->id) &&
            !span_ieq(trace_id(f->id, v), trace_id(f->id, line_value(k->c, (unsigned)at))))
            *contradicts = true;
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

static bool in_identity_group(const struct names_row *row)
{
    return row->role != ROLE_H_LONE;
}

static void obey_app(struct compose *k, bool *contradicts)
{
    bool copier = plain_copier(k, contradicts);
    for (unsigned i = 0; i < k->c->n; i++) {
        if (!copier && in_identity_group(row_of(k, i))) {
            k->take[i] = false;
            context_note_add(k->notes, CONTEXT_N_APP_OWN);
        } else if (app_wrote(k, i)) {
            k->take[i] = false;
            context_note_add(k->notes, CONTEXT_N_APP_HAS);
        }
    }
}

/* --- requests that are left alone ------------------------------------------------------------- */

static bool starts(struct span s, struct span with)
{
    return s.n >= with.n && span_ieq((struct span){s.p, with.n}, with);
}

static bool contains(struct span s, struct span what)
{
    for (size_t i = 0; i + what.n <= s.n; i++)
        if (span_ieq((struct span){s.p + i, what.n}, what))
            return true;
    return false;
}

/* Schemes that sign headers they were not told of, or refuse those (section 4). */
static bool is_signed(const struct compose *k)
{
    const struct head *h = k->out->head;
    for (unsigned i = 0; i < h->n; i++) {
        int id = h->field[i].id;
        bool auth = id == NAME_AUTH || (id >= NAMES_EXTRA && names_row(k->names, id) ==
                                                                 &names_rows[NAME_AUTHORIZATION]);
        struct span v = head_value(h, &h->field[i]);
        if (auth && (starts(v, SPAN("AWS4-")) || starts(v, SPAN("AWS ")) ||
                     starts(v, SPAN("GOOG4-")) || starts(v, SPAN("SharedKey"))))
            return true;
    }
    struct span t = head_target(h);
    return contains(t, SPAN("X-Amz-Signature=")) || contains(t, SPAN("X-Goog-Signature="));
}

/* RFC 9421: only what the covered components name is verified. */
static bool covered(const struct compose *k, struct span name)
{
    const struct head *h = k->out->head;
    for (unsigned i = 0; i < h->n; i++) {
        struct span v = head_value(h, &h->field[i]);
        if (h->field[i].id != NAME_SIGNATURE_INPUT)
            continue;
        for (size_t at = 0; at + name.n + 2 <= v.n; at++)
            if (v.p[at] == '"' && v.p[at + 1 + name.n] == '"' &&
                span_ieq((struct span){v.p + at + 1, name.n}, name))
                return true;
    }
    return false;
}

/* The path of an origin-form or absolute-form target, without the query. */
static struct span path_of(struct span t)
{
    size_t from = 0, n = 0;
    if (t.n && t.p[0] != '/')
        for (unsigned slashes = 0; from < t.n && slashes < 3; from += slashes < 3)
            slashes += t.p[from] == '/';
    while (from + n < t.n && t.p[from + n] != '?' && t.p[from + n] != '#')
        n++;
    return (struct span){t.p + from, n};
}

/* Posts of spans: context there makes sidecars trace the tracer. */
static bool is_export(const struct compose *k)
{
    static const struct span exact[] = {{"/api/v2/spans", 13}, {"/api/v1/spans", 13},
                                        {"/v1/traces", 10},    {"/v1/metrics", 11},
                                        {"/v1/logs", 8},       {"/api/traces", 11}};
    struct span path = path_of(head_target(k->out->head));
    if (k->out->method != HTTP1_M_POST)
        return false;
    for (size_t i = 0; i < sizeof(exact) / sizeof(exact[0]); i++)
        if (span_eq(path, exact[i]))
            return true;
    if (starts(path, SPAN("/intake/v2/")))
        return true;
    return path.n >= 12 && memcmp(path.p, "/v0.", 4) == 0 && path.p[5] == '/' &&
           span_eq((struct span){path.p + 5, path.n - 5}, SPAN("/traces"));
}

/* A reason to leave the whole request alone, or -1. */
static int left_alone(const struct compose *k)
{
    const struct head *h = k->out->head;
    if (k->out->method == HTTP1_M_CONNECT)
        return CONTEXT_N_METHOD;
    if (h->dropped || h->target_cut) /* what the program wrote is not fully known */
        return CONTEXT_N_OVERFLOW;
    if (!k->out->peers->insert_signed && is_signed(k))
        return CONTEXT_N_SIGNED;
    return is_export(k) ? CONTEXT_N_EXPORT : -1;
}

/* --- peers ------------------------------------------------------------------------------------ */

/* The authority of an absolute-form target, else the value of Host. */
static struct span authority(const struct head *h)
{
    struct span t = head_target(h);
    const struct head_field *f = head_find(h, NAME_HOST);
    if (t.n && t.p[0] != '/') {
        size_t from = 0;
        while (from + 2 < t.n && memcmp(t.p + from, "://", 3) != 0)
            from++;
        if (from + 2 < t.n) {
            size_t to = from += 3;
            while (to < t.n && t.p[to] != '/' && t.p[to] != '?' && t.p[to] != '#')
                to++;
            return (struct span){t.p + from, to - from};
        }
    }
    return f ? head_value(h, f) : (struct span){NULL, 0};
}

static void obey_peer(struct compose *k)
{
    struct span host = authority(k->out->head);
    if (peers_never(host, &k->out->addr)) {
        for (unsigned i = 0; i < k->c->n; i++)
            k->take[i] = false;
        context_note_add(k->notes, CONTEXT_N_PEER_NEVER);
        return;
    }
    bool allowed[PEER_CLASSES];
    for (int c = 0; c < PEER_CLASSES; c++)
        allowed[c] = peers_allow(k->out->peers, (enum peer_class)c, host, &k->out->addr);
    for (unsigned i = 0; i < k->c->n; i++) {
        uint8_t cls = row_of(k, i)->cls;
        if (!allowed[cls]) {
            k->take[i] = false;
            context_note_add(k->notes, CONTEXT_N_PEER);
        } else if (k->out->method == HTTP1_M_TRACE && cls != PEER_I) { /* RFC 9110 9.3.8 */
            k->take[i] = false;
            context_note_add(k->notes, CONTEXT_N_METHOD);
        }
    }
}

/* --- values, again ---------------------------------------------------------------------------- */

/* The name is the row's, or (prefix rules and extras) a token. */
static bool still_named(const struct compose *k, unsigned i)
{
    const struct names_row *row = row_of(k, i);
    struct span name = line_name(k->c, i);
    if (row->match == MATCH_EXACT && row->len)
        return span_eq(name, (struct span){row->name, row->len});
    return valid_token(name);
}

/* R3 at the write: the memory may have been shared with a buggy program since. */
static bool still_valid(const struct compose *k, unsigned i)
{
    const struct context_line *l = &k->c->line[i];
    if (l->off > k->c->text_len || l->len > k->c->text_len - l->off ||
        l->len < (uint32_t)l->name_len + 5 || !still_named(k, i))
        return false;
    const char *p = k->c->text + l->off;
    return p[l->name_len] == ':' && p[l->name_len + 1] == ' ' && p[l->len - 2] == '\r' &&
           p[l->len - 1] == '\n' &&
           valid_value(VALID_SAFE, line_value(k->c, i), false);
}

/* A companion without its group's identity in the same request says nothing or the wrong thing. */
static void drop_orphans(struct compose *k)
{
    const struct head *h = k->out->head;
    for (unsigned i = 0; i < k->c->n; i++) {
        const struct names_row *row = row_of(k, i);
        bool alive = row->role != ROLE_H_COMPANION;
        for (unsigned j = 0; j < k->c->n && !alive; j++)
            alive = k->take[j] && row_of(k, j)->group == row->group &&
                    row_of(k, j)->role == ROLE_H_IDENTITY;
        for (unsigned j = 0; j < h->n && !alive; j++)
            alive = is_identity(h->field[j].id) && names_rows[h->field[j].id].group == row->group;
        k->take[i] = k->take[i] && alive;
    }
}

/* --- budget, section 6 ------------------------------------------------------------------------ */

#define SPARE     256
#define MAX_LINES 96

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

/* Bytes of the baggage line that may stay: whole members. 0: none. */
static size_t baggage_fits(struct span v, size_t max)
{
    size_t n = v.n;
    while (n > max) {
        while (n > 0 && v.p[n - 1] != ',')
            n--;
        if (n == 0)
            return 0;
        n--;
    }
    return n;
}

/* Give up a line; an identity, a companion of it and what stands beside it go together. */
static void give_up(struct compose *k, unsigned i)
{
    const struct names_row *row = row_of(k, i);
    bool whole = row->role == ROLE_H_IDENTITY || row->role == ROLE_H_FREE;
    k->take[i] = false;
    for (unsigned j = 0; whole && j < k->c->n; j++)
        if (row_of(k, j)->group == row->group && row_of(k, j)->role != ROLE_H_LONE)
            k->take[j] = false;
    context_note_add(k->notes, CONTEXT_N_BUDGET);
}

/* Cut from the end of R11 until it fits. @return bytes of baggage that stay (its value), SIZE_MAX:
 * all. */
static size_t obey_budget(struct compose *k)
{
    size_t room = room_of(k->out);
    unsigned lines, at = k->c->n;
    for (;;) {
        size_t n = taken(k, &lines);
        if (n <= room && (lines == 0 || k->out->head_lines + lines <= MAX_LINES))
            return SIZE_MAX;
        while (at > 0 && !k->take[at - 1])
            at--;
        if (at == 0)
            return SIZE_MAX;
        unsigned last = --at;
        if (k->c->line[last].id == NAME_BAGGAGE && k->out->head_lines + lines <= MAX_LINES) {
            struct span v = line_value(k->c, last);
            size_t over = n - room, keep = over < v.n ? baggage_fits(v, v.n - over) : 0;
            if (keep) {
                context_note_add(k->notes, CONTEXT_N_BUDGET);
                return keep;
            }
        }
        give_up(k, last);
    }
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
        memcpy(dst + n, k->c->text + l->off, len);
        memcpy(dst + n + len - 2, "\r\n", 2);
        n += len;
    }
    return n;
}

size_t context_compose(const struct context *c, const struct context_out *out, char *dst,
                       size_t cap, bool *contradicts, struct context_notes *notes)
{
    struct compose k = {.c = c, .out = out, .names = out->head->names, .notes = notes};
    bool signature = head_find(out->head, NAME_SIGNATURE_INPUT) != NULL;
    *contradicts = false;
    for (unsigned i = 0; i < c->n; i++) {
        k.take[i] = still_valid(&k, i) && !(signature && covered(&k, line_name(c, i)));
        if (!k.take[i])
            context_note_add(notes, CONTEXT_N_INVALID);
    }
    obey_app(&k, contradicts);
    int alone = left_alone(&k);
    if (alone >= 0) {
        context_note_add(notes, (enum context_note)alone);
        return 0;
    }
    obey_peer(&k);
    drop_orphans(&k);
    size_t baggage = obey_budget(&k);
    return write_lines(&k, dst, cap, baggage);
}
