/* SPDX-License-Identifier: Apache-2.0 */
/* names: see names.h. Looked up for every field line of every head, so a miss must be cheap: a hash
 * of what is on, rebuilt whenever the configuration changes. */
#include "names.h"

#include "valid.h"

/* Those that decisions need are rows too, so that a name is looked up in one way. Their max is what
 * is worth reading: of credentials no more than tells their scheme. */
#define NEEDED(text, bytes)                                                                        \
    {                                                                                              \
        .name = (text), .len = sizeof(text) - 1, .group = GROUP_NEVER, .match = MATCH_EXACT,       \
        .def = DEFAULT_NEVER, .max = (bytes)                                                       \
    }
const struct names_row names_rows[NAMES_EXTRA] = {
#define HEADER(id, group, name, match, max, several, cls, role, def, valid)                        \
    {name,       sizeof(name) - 1, GROUP_##group, MATCH_##match, SEVERAL_##several,                \
     PEER_##cls, ROLE_H_##role,    DEFAULT_##def, VALID_##valid, max},
#include "propagators.def"
#undef HEADER
    [NAME_HOST] = NEEDED("host", 496),
    [NAME_AUTH] = NEEDED("authorization", 0),
    [NAME_SIGNATURE_INPUT] = NEEDED("signature-input", 2032),
    [NAME_CONNECTION] = NEEDED("connection", 2032)};
#undef NEEDED

const char *const names_groups[GROUP_COUNT] = {
#define PROPAGATOR(id, name) name,
#include "propagators.def"
#undef PROPAGATOR
};

_Static_assert(GROUP_COUNT <= 64, "names.on is one word");
_Static_assert(NAMES_ALL < 255, "links are bytes");

/* What rows of their own would say of extras. */
#define EXTRA(c)                                                                                   \
    [c] = {.name = "",                                                                             \
           .match = MATCH_EXACT,                                                                   \
           .several = SEVERAL_FIRST,                                                               \
           .cls = c,                                                                               \
           .role = ROLE_H_LONE,                                                                    \
           .def = DEFAULT_OPT,                                                                     \
           .valid = VALID_SAFE,                                                                    \
           .max = NAMES_EXTRA_MAX}
static const struct names_row extra_rows[PEER_CLASSES] = {EXTRA(PEER_I), EXTRA(PEER_T),
                                                          EXTRA(PEER_U), EXTRA(PEER_C)};
#undef EXTRA

bool names_carried(const struct names *n, int id)
{
    if (id >= NAMES_EXTRA)
        return id < NAMES_EXTRA + n->extras;
    return id >= 0 && id < NAMES_BUILTIN && names_rows[id].def < DEFAULT_LISTED;
}

const struct names_row *names_row(const struct names *n, int id)
{
    if (id < NAMES_BUILTIN)
        return &names_rows[id];
    const struct names_extra *x = &n->extra[id - NAMES_EXTRA];
    return x->row ? &names_rows[x->row - 1] : &extra_rows[x->cls];
}

static inline struct span text(const struct names *n, int id)
{
    if (id < NAMES_EXTRA)
        return (struct span){names_rows[id].name, names_rows[id].len};
    return (struct span){n->extra[id - NAMES_EXTRA].name, n->extra[id - NAMES_EXTRA].len};
}

struct span names_text(const struct names *n, int id)
{
    return text(n, id);
}

static bool begins(struct span s, struct span with)
{
    return s.n >= with.n && memcmp(s.p, with.p, with.n) == 0;
}

/* --- the index ------------------------------------------------------------------------------ */

/* These weights put no two names that are on by default into one bucket but one pair, and few
 * common ones with them. */
static inline unsigned hash(struct span s)
{
    return ((unsigned)s.n + (uint8_t)s.p[0] + (uint8_t)s.p[s.n / 2] + (uint8_t)s.p[s.n - 1] * 2u) %
           NAMES_BUCKETS;
}

/* What is added later is found first. */
static void index_one(struct names *n, int id)
{
    struct span text = names_text(n, id);
    if (names_is_prefix(n, id)) {
        n->prefix[n->prefixes++] = (uint8_t)id;
        n->prefix_first |= 1u << (text.p[0] & 31);
        return;
    }
    uint8_t *bucket = &n->bucket[hash(text)];
    n->next[id] = *bucket;
    *bucket = (uint8_t)(id + 1);
}

/* On by its group, or because an extra names it or is a prefix of it. */
static bool row_is_on(const struct names *n, int id)
{
    const struct names_row *row = &names_rows[id];
    struct span name = {row->name, row->len};
    if (row->def >= DEFAULT_LISTED)
        return false;
    bool on = n->on >> row->group & 1;
    for (int i = 0; i < n->extras && !on; i++)
        on = n->extra[i].row == id + 1 ||
             (n->extra[i].prefix && begins(name, names_text(n, NAMES_EXTRA + i)));
    return on;
}

static void rebuild(struct names *n)
{
    memset(n->bucket, 0, sizeof(n->bucket));
    n->prefixes = 0;
    n->prefix_first = 0;
    for (int id = NAMES_BUILTIN; id < NAMES_EXTRA; id++)
        index_one(n, id);
    for (int id = 0; id < NAMES_BUILTIN; id++)
        if (row_is_on(n, id))
            index_one(n, id);
    for (int i = 0; i < n->extras; i++)
        if (!n->extra[i].row || names_rows[n->extra[i].row - 1].def >= DEFAULT_LISTED)
            index_one(n, NAMES_EXTRA + i);
}

__attribute__((noinline)) static int find_prefix(const struct names *n, struct span lower)
{
    for (unsigned i = 0; i < n->prefixes; i++) {
        struct span text = names_text(n, n->prefix[i]);
        if (lower.n > text.n && begins(lower, text))
            return n->prefix[i];
    }
    return -1;
}

static inline bool same8(const char *a, const char *b)
{
    uint64_t x, y;
    memcpy(&x, a, 8);
    memcpy(&y, b, 8);
    return x == y;
}

static inline bool same4(const char *a, const char *b)
{
    uint32_t x, y;
    memcpy(&x, a, 4);
    memcpy(&y, b, 4);
    return x == y;
}

/* Equal, n bytes of each? Names are short and the lengths vary, so a call of memcmp would cost more
 * than the words do; the last one overlaps the one before. */
static inline bool same(const char *a, const char *b, size_t n)
{
    size_t i = 0;
    if (n >= 8) {
        for (; i + 8 < n; i += 8)
            if (!same8(a + i, b + i))
                return false;
        return same8(a + n - 8, b + n - 8);
    }
    if (n >= 4)
        return same4(a, b) && same4(a + n - 4, b + n - 4);
    while (i < n && a[i] == b[i])
        i++;
    return i == n;
}

int names_find(const struct names *n, struct span lower)
{
    if (lower.n == 0)
        return -1;
    for (unsigned at = n->bucket[hash(lower)]; at; at = n->next[at - 1]) {
        struct span t = text(n, (int)at - 1);
        if (t.n == lower.n && same(t.p, lower.p, t.n))
            return (int)at - 1;
    }
    return n->prefix_first >> (lower.p[0] & 31) & 1 ? find_prefix(n, lower) : -1;
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

/* Groups that can be named. Those of the mesh's routing are listed name by name. */
static int group_of(struct span name)
{
    for (int g = 0; g < GROUP_COUNT; g++)
        if (g != GROUP_NEVER && g != GROUP_ISTIO_ROUTING &&
            span_ieq(name, text_of(names_groups[g])))
            return g;
    return -1;
}

void names_default(struct names *n)
{
    memset(n, 0, sizeof(*n));
    for (unsigned i = 0; i < NAMES_BUILTIN; i++)
        if (names_rows[i].def == DEFAULT_ON)
            n->on |= UINT64_C(1) << names_rows[i].group;
    rebuild(n);
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
            warn("unknown propagator, ignored", it.p, it.n);
    }
    if (n->on || !none)
        n->on |= UINT64_C(1) << GROUP_REQUEST_ID;
    rebuild(n);
}

/* --- extras --------------------------------------------------------------------------------- */

/* The row a name belongs to, the most particular first: exact rows before prefixes. */
static int row_of(struct span lower)
{
    int prefix = -1;
    for (int i = 0; i < NAMES_BUILTIN; i++) {
        struct span row = {names_rows[i].name, names_rows[i].len};
        if (span_eq(row, lower))
            return i;
        if (names_rows[i].match == MATCH_PREFIX && begins(lower, row))
            prefix = i;
    }
    return prefix;
}

/* May it not be carried, whoever asks? A prefix that could let a forbidden name or a credential in
 * is as forbidden as that. */
static bool forbidden(struct span lower, bool prefix)
{
    int row = row_of(lower);
    if ((row >= 0 && names_rows[row].def == DEFAULT_NEVER) ||
        span_eq(lower, names_text(NULL, NAME_SIGNATURE_INPUT)))
        return true;
    for (int i = 0; prefix && i < NAMES_BUILTIN; i++)
        if (names_rows[i].def >= DEFAULT_LISTED &&
            begins((struct span){names_rows[i].name, names_rows[i].len}, lower))
            return true;
    return false;
}

static bool already(const struct names *n, struct span lower, bool prefix)
{
    for (int i = 0; i < n->extras; i++)
        if (n->extra[i].prefix == prefix && span_eq(names_text(n, NAMES_EXTRA + i), lower))
            return true;
    return false;
}

static const char *why_not(const struct names *n, struct span lower, bool prefix)
{
    bool star = false; /* a token may hold one, but who writes it means a pattern */
    for (size_t i = 0; i < lower.n; i++)
        star |= lower.p[i] == '*';
    if (star || !valid_token(lower))
        return "not a header name, ignored";
    if (forbidden(lower, prefix))
        return "this header is never carried, ignored";
    return n->extras == NAMES_EXTRAS ? "too many extra headers, ignored" : NULL;
}

static void add_one(struct names *n, struct span it, names_warn warn)
{
    char text[NAMES_EXTRA_LEN];
    bool prefix = it.p[it.n - 1] == '*';
    struct span name = {text, it.n - prefix};
    if (name.n >= sizeof(text)) {
        warn("header name too long, ignored", it.p, it.n);
        return;
    }
    for (size_t i = 0; i < name.n; i++)
        text[i] = span_lower(it.p[i]);
    if (already(n, name, prefix))
        return;
    const char *no = why_not(n, name, prefix);
    if (no) {
        warn(no, it.p, it.n);
        return;
    }
    struct names_extra *x = &n->extra[n->extras++];
    int row = row_of(name);
    *x = (struct names_extra){.len = (uint8_t)name.n, .prefix = prefix, .cls = PEER_T};
    if (row >= 0 && names_rows[row].len == name.n &&
        (names_rows[row].match == MATCH_PREFIX) == prefix)
        x->row = (uint8_t)(row + 1);
    else if (row >= 0)
        x->cls = names_rows[row].cls;
    memcpy(x->name, name.p, name.n);
}

void names_add(struct names *n, struct span list, names_warn warn)
{
    struct span it;
    while (item(&list, &it))
        if (it.n)
            add_one(n, it, warn);
    rebuild(n);
}
