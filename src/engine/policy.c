/* SPDX-License-Identifier: Apache-2.0 */
/* policy: see policy.h. */
#include "engine/policy.h"

#include "bridge/bridge.h"

#define TEXT_MAX 16384 /* bytes of any variable */

typedef const char *(*env_fn)(const char *);
typedef void (*warn_fn)(const char *, const char *, size_t);

static size_t length(const char *s)
{
    size_t n = 0;
    while (s[n])
        n++;
    return n;
}

/* A value that is too long counts as unset: half a rule could mean something else than the whole.
 */
static struct span text(env_fn env, const char *name, warn_fn warn)
{
    struct span s = {env(name), 0};
    while (s.p && s.n <= TEXT_MAX && s.p[s.n])
        s.n++;
    if (s.n > TEXT_MAX) {
        warn("value too long, ignored", name, length(name));
        s.n = 0;
    }
    return s;
}

static void read_mode(struct policy *p, env_fn env, warn_fn warn)
{
    struct span s = text(env, "TRACEBATON", warn);
    p->off = span_eq(s, SPAN("off"));
    p->shadow = span_eq(s, SPAN("shadow"));
    if (s.n && !p->off && !p->shadow && !span_eq(s, SPAN("on")))
        warn("TRACEBATON is off, shadow or on; ignored", s.p, s.n);
    s = text(env, "TRACEBATON_ATTRIBUTION", warn);
    p->best = span_eq(s, SPAN("best"));
    if (s.n && !p->best && !span_eq(s, SPAN("strict")))
        warn("TRACEBATON_ATTRIBUTION is strict or best; ignored", s.p, s.n);
}

static void read_env(struct policy *p, env_fn env, warn_fn warn)
{
    struct span s = text(env, "TRACEBATON_ENV", warn);
    if (span_eq(s, SPAN("otel")))
        p->env = POLICY_ENV_OTEL;
    else if (span_eq(s, SPAN("off")))
        p->env = POLICY_ENV_OFF;
    else if (s.n && !span_eq(s, SPAN("own")))
        warn("TRACEBATON_ENV is own, otel or off; ignored", s.p, s.n);
}

/* An empty value is as good as none (OpenTelemetry environment variables). */
static void read_names(struct policy *p, env_fn env, warn_fn warn)
{
    struct span s = text(env, "TRACEBATON_PROPAGATORS", warn);
    if (!s.n)
        s = text(env, "OTEL_PROPAGATORS", warn);
    names_default(&p->names);
    if (s.n)
        names_select(&p->names, s, warn);
    names_add(&p->names, text(env, "TRACEBATON_HEADERS", warn), warn);
    s = text(env, "TRACEBATON_TRACESTATE", warn);
    p->names.strict = span_eq(s, SPAN("strict"));
    if (s.n && !p->names.strict && !span_eq(s, SPAN("lenient")))
        warn("TRACEBATON_TRACESTATE is lenient or strict; ignored", s.p, s.n);
}

/* Credentials go nowhere by default: naming one without giving it peers is a mistake. */
static void check_credentials(const struct policy *p, warn_fn warn)
{
    for (unsigned i = 0; i < p->peers.n; i++)
        if (p->peers.rule[i].cls == PEER_C && !p->peers.rule[i].deny)
            return;
    for (int i = 0; i < p->names.extras; i++) {
        struct span name = names_text(&p->names, NAMES_EXTRA + i);
        if (names_row(&p->names, NAMES_EXTRA + i)->cls == PEER_C)
            warn("credentials need peers of class C in TRACEBATON_PEERS; not carried", name.p,
                 name.n);
    }
}

static const char *const bridge_names[] = {
#define BRIDGE(id, name) #name,
#include "bridge/bridges.def"
#undef BRIDGE
};

/* Its bit; all of them; 0: there is no such bridge. */
static uint32_t bridge_bits(struct span name)
{
    if (span_eq(name, SPAN("all")))
        return (1u << BRIDGE_COUNT) - 1;
    for (unsigned i = 0; i < BRIDGE_COUNT; i++)
        if (name.n == length(bridge_names[i]) && memcmp(name.p, bridge_names[i], name.n) == 0)
            return 1u << i;
    return 0;
}

static bool separates(char ch)
{
    return ch == ',' || ch == ' ' || ch == '\t';
}

/* A list of names; `all` (also when unset), `none`, and `-name` to take one away from what stands
 * before it, or from all. */
static void read_bridges(struct policy *p, env_fn env, warn_fn warn)
{
    struct span s = text(env, "TRACEBATON_BRIDGES", warn);
    size_t at = 0;
    p->bridges = s.n == 0 ? bridge_bits(SPAN("all")) : 0;
    for (bool first = true; at < s.n; first = false) {
        while (at < s.n && separates(s.p[at]))
            at++;
        struct span name = {s.p + at, 0};
        while (at < s.n && !separates(s.p[at++]))
            name.n++;
        bool minus = name.n > 1 && *name.p == '-';
        uint32_t bits = bridge_bits((struct span){name.p + minus, name.n - minus});
        if (minus)
            p->bridges = (first ? bridge_bits(SPAN("all")) : p->bridges) & ~bits;
        else
            p->bridges |= bits;
        if (name.n && !bits && !span_eq(name, SPAN("none")) && !span_eq(name, SPAN("off")))
            warn("no such bridge in TRACEBATON_BRIDGES; ignored", name.p, name.n);
    }
}

static void read_dir(struct policy *p, env_fn env, warn_fn warn)
{
    struct span s = text(env, "TRACEBATON_DIR", warn);
    if (s.n >= POLICY_DIR) {
        warn("TRACEBATON_DIR is too long; ignored", s.p, s.n);
        s.n = 0;
    }
    if (s.n)
        memcpy(p->dir, s.p, s.n);
    p->dir[s.n] = 0;
}

void policy_init(struct policy *p, env_fn env, warn_fn warn)
{
    memset(p, 0, sizeof(*p));
    read_mode(p, env, warn);
    read_env(p, env, warn);
    read_names(p, env, warn);
    peers_default(&p->peers);
    peers_parse(&p->peers, text(env, "TRACEBATON_PEERS", warn), warn);
    check_credentials(p, warn);
    read_bridges(p, env, warn);
    read_dir(p, env, warn);
}
