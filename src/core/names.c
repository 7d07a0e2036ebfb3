/* SPDX-License-Identifier: Apache-2.0 */
/* names: see names.h. Looked up for every field line of every head, so a miss must be cheap: a hash of
 * the length and two bytes finds an empty bucket for most. */
#include "names.h"

#include "valid.h"

const struct names_row names_rows[NAMES_BUILTIN] = {
#define HEADER(id, group, name, match, max, several, cls, role, def, valid)                        \
    {name, sizeof(name) - 1, GROUP_##group, MATCH_##match, SEVERAL_##several, PEER_##cls,         \
     ROLE_H_##role, DEFAULT_##def, VALID_##valid, max},
#include "propagators.def"
#undef HEADER
};

const char *const names_groups[GROUP_COUNT] = {
#define PROPAGATOR(id, name) name,
#include "propagators.def"
#undef PROPAGATOR
};

static const struct names_row extra_row = {"",       0,         0,           MATCH_EXACT, SEVERAL_FIRST,
                                           PEER_T,   ROLE_H_LONE, DEFAULT_OPT, VALID_SAFE,
                                           NAMES_EXTRA_MAX};

const struct names_row *names_row(const struct names *n, int id)
{
    if (id < NAMES_BUILTIN)
        return &names_rows[id];
    const struct names_extra *x = &n->extra[id - NAMES_EXTRA];
    return x->row ? &names_rows[x->row - 1] : &extra_row;
}

static bool on(const struct names *n, unsigned group)
{
    return n->on >> group & 1;
}

static unsigned hash(struct span s)
{
    return (unsigned)(s.n * 9 + (uint8_t)s.p[0] * 5u + (uint8_t)s.p[s.n - 1] * 17u) % NAMES_BUCKETS;
}

/* The rows that may be carried by default or by a group's name. */
static void fill_buckets(struct names *n)
{
    memset(n->bucket, 0, sizeof(n->bucket));
    for (unsigned i = 0; i < NAMES_BUILTIN; i++) {
        const struct names_row *r = &names_rows[i];
        uint8_t *b = &n->bucket[hash((struct span){r->name, r->len})];
        if (r->def >= DEFAULT_LISTED || r->match == MATCH_PREFIX)
            continue;
        n->chain[i] = *b;
        *b = (uint8_t)(i + 1);
    }
}

void names_default(struct names *n)
{
    n->on = 0;
    fill_buckets(n);
    for (unsigned i = 0; i < NAMES_BUILTIN; i++)
        if (names_rows[i].def == DEFAULT_ON)
            n->on |= UINT64_C(1) << names_rows[i].group;
}

/* --- lists ---------------------------------------------------------------------------------- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* The next item of a comma-separated list, trimmed; false at the end. */
static bool item(struct span *list, struct span *out)
{
    if (!list->n)
        return false;
    size_t i = 0;
    while (i < list->n && list->p[i] != ',')
        i++;
    *out = (struct span){list->p, i};
    i += i < list->n;
    *list = (struct span){list->p + i, list->n - i};
    while (out->n && is_space(out->p[0]))
        *out = (struct span){out->p + 1, out->n - 1};
    while (out->n && is_space(out->p[out->n - 1]))
        out->n--;
    return true;
}

static struct span text_of(const char *s)
{
    size_t n = 0;
    while (s[n])
        n++;
    return (struct span){s, n};
}

static int group_of(struct span name)
{
    for (int g = 0; g < GROUP_COUNT; g++)
        if (g != GROUP_NEVER && g != GROUP_ISTIO_ROUTING && span_ieq(name, text_of(names_groups[g])))
            return g;
    return -1;
}

void names_select(struct names *n, struct span list, names_warn warn)
{
    struct span it;
    bool none = false;
    n->on = 0;
    while (item(&list, &it)) {
        int g = group_of(it);
        if (span_ieq(it, SPAN("none")))
            none = true;
        else if (g >= 0)
            n->on |= UINT64_C(1) << g;
        else if (it.n)
            warn("unknown propagator ignored", it.p, it.n);
    }
    if (n->on || !none)
        n->on |= UINT64_C(1) << GROUP_REQUEST_ID;
}

/* --- extras --------------------------------------------------------------------------------- */

static bool row_matches(const struct names_row *r, struct span lower)
{
    if (r->match == MATCH_PREFIX ? lower.n < r->len : lower.n != r->len)
        return false;
    return memcmp(r->name, lower.p, r->len) == 0;
}

/* The row a name belongs to, the most particular first: exact rows before prefixes. */
static int row_of(struct span lower)
{
    int prefix = -1;
    for (int i = 0; i < NAMES_BUILTIN; i++)
        if (row_matches(&names_rows[i], lower)) {
            if (names_rows[i].match == MATCH_EXACT)
                return i;
            prefix = i;
        }
    return prefix;
}

/* A prefix that could match a forbidden name is as forbidden as the name. */
static bool forbidden_prefix(struct span lower)
{
    for (int i = 0; i < NAMES_BUILTIN; i++)
        if (names_rows[i].def >= DEFAULT_LISTED && names_rows[i].len >= lower.n &&
            memcmp(names_rows[i].name, lower.p, lower.n) == 0)
            return true;
    return false;
}

static const char *why_not(struct span lower, bool prefix, int row)
{
    if (lower.n == 0 || lower.n >= NAMES_EXTRA_LEN || !valid_token(lower))
        return "not a header name, ignored";
    if ((row >= 0 && names_rows[row].def == DEFAULT_NEVER) || (prefix && forbidden_prefix(lower)))
        return "this header is never carried, ignored";
    return NULL;
}

static void add_one(struct names *n, struct span it, names_warn warn)
{
    struct names_extra *x = &n->extra[n->extras];
    bool prefix = it.n && it.p[it.n - 1] == '*';
    struct span name = {x->name, it.n - prefix};
    for (size_t i = 0; i < name.n && i < NAMES_EXTRA_LEN; i++)
        x->name[i] = span_lower(it.p[i]);
    int row = name.n < NAMES_EXTRA_LEN && !prefix ? row_of(name) : -1;
    const char *no = why_not(name, prefix, row);
    if (!no && n->extras == NAMES_EXTRAS - 1)
        no = "too many extra headers, ignored";
    if (no) {
        warn(no, it.p, it.n);
        return;
    }
    x->len = (uint8_t)name.n;
    x->prefix = prefix;
    x->row = row >= 0 ? (uint8_t)(row + 1) : 0;
    n->extras++;
}

void names_add(struct names *n, struct span list, names_warn warn)
{
    struct span it;
    while (item(&list, &it))
        if (it.n)
            add_one(n, it, warn);
}

/* --- looking up ----------------------------------------------------------------------------- */

static int extra_of(const struct names *n, struct span lower)
{
    for (int i = 0; i < n->extras; i++) {
        const struct names_extra *x = &n->extra[i];
        if ((x->prefix ? lower.n > x->len : lower.n == x->len) &&
            memcmp(x->name, lower.p, x->len) == 0)
            return NAMES_EXTRA + i;
    }
    return -1;
}

static int exact_row(const struct names *n, struct span lower)
{
    for (unsigned i = n->bucket[hash(lower)]; i; i = n->chain[i - 1])
        if (names_rows[i - 1].len == lower.n && memcmp(names_rows[i - 1].name, lower.p, lower.n) == 0)
            return (int)i - 1;
    return -1;
}

static const uint8_t prefixes[] = {NAME_UBERCTX, NAME_OT_BAGGAGE, NAME_PINPOINT, NAME_L5D_CTX};

static int prefix_row(const struct names *n, struct span lower)
{
    for (size_t i = 0; i < sizeof(prefixes); i++) {
        const struct names_row *r = &names_rows[prefixes[i]];
        if (on(n, r->group) && lower.n > r->len && memcmp(r->name, lower.p, r->len) == 0)
            return prefixes[i];
    }
    return -1;
}

static int needed_of(struct span lower)
{
    switch (lower.n) {
    case 4:
        return memcmp(lower.p, "host", 4) == 0 ? NAME_HOST : -1;
    case 10:
        return memcmp(lower.p, "connection", 10) == 0 ? NAME_CONNECTION : -1;
    case 13:
        return memcmp(lower.p, "authorization", 13) == 0 ? NAME_AUTH : -1;
    case 15:
        return memcmp(lower.p, "signature-input", 15) == 0 ? NAME_SIGNATURE_INPUT : -1;
    default:
        return -1;
    }
}

int names_find(const struct names *n, struct span lower)
{
    if (lower.n == 0)
        return -1;
    int extra = n->extras ? extra_of(n, lower) : -1, row = exact_row(n, lower);
    if (row >= 0 && (extra >= 0 || on(n, names_rows[row].group)))
        return row;
    if (extra >= 0)
        return extra;
    row = prefix_row(n, lower);
    return row >= 0 ? row : needed_of(lower);
}
