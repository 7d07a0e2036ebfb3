/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peers: see peers.h. An authority is parsed once a request. What is not surely
 * a local name or address is foreign: names that resolvers read as numbers
 * (inet_aton's "127.1", "010.0.0.1", "2130706433"), odd bytes, broken brackets.
 */
#include "peers.h"

enum rule_kind { RULE_ANY, RULE_MESH, RULE_HOST, RULE_SUFFIX, RULE_NET };

/** What an authority says. */
struct target {
    struct span host; /* without userinfo, brackets, zone, port and one trailing dot */
    uint16_t port;    /* 0: unknown */
    struct peer_addr addr;
    bool literal; /* the host is an address, that of .addr */
    bool plain;   /* the host surely is of letters, digits, "-", "_" and "." alone */
};

static struct span after(struct span s, size_t n)
{
    return (struct span){s.p + n, s.n - n};
}

static bool digits(struct span s, unsigned max, unsigned *out)
{
    unsigned v = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9' || v > max)
            return false;
        v = v * 10 + (unsigned)(s.p[i] - '0');
    }
    *out = v;
    return s.n > 0 && v <= max;
}

static int hex(char c)
{
    c = span_lower(c);
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* --- addresses -------------------------------------------------------------------------------- */

/* Four decimal numbers without leading zeros, which some read as octal. */
static bool parse4(struct span s, uint8_t ip[4])
{
    for (int i = 0; i < 4; i++) {
        size_t end = span_find(s, '.');
        unsigned v;
        if ((i < 3) != (end < s.n) || (end > 1 && s.p[0] == '0') ||
            !digits((struct span){s.p, end}, 255, &v))
            return false;
        ip[i] = (uint8_t)v;
        s = after(s, end < s.n ? end + 1 : end);
    }
    return true;
}

/* One group of up to four hex digits, or a dotted tail. @return bytes written, 0: malformed. */
static int group6(struct span g, uint8_t *ip, int room)
{
    unsigned v = 0;
    if (span_find(g, '.') < g.n)
        return room >= 4 && parse4(g, ip) ? 4 : 0;
    if (g.n < 1 || g.n > 4 || room < 2)
        return 0;
    for (size_t i = 0; i < g.n; i++) {
        if (hex(g.p[i]) < 0)
            return 0;
        v = v << 4 | (unsigned)hex(g.p[i]);
    }
    ip[0] = (uint8_t)(v >> 8);
    ip[1] = (uint8_t)v;
    return 2;
}

/* Groups separated by single colons. @return bytes written, -1: malformed. */
static int groups6(struct span s, uint8_t *ip, int room)
{
    int n = 0;
    if (!s.n)
        return 0;
    for (;;) {
        size_t end = span_find(s, ':');
        struct span g = {s.p, end};
        int k = group6(g, ip + n, room - n);
        n += k;
        if (!k || (k == 4 && end < s.n)) /* the dotted form is the last one */
            return -1;
        if (end == s.n)
            return n;
        s = after(s, end + 1);
    }
}

static bool parse6(struct span s, uint8_t ip[16])
{
    uint8_t tail[16];
    size_t gap = 0;
    memset(ip, 0, 16);
    while (gap + 1 < s.n && (s.p[gap] != ':' || s.p[gap + 1] != ':'))
        gap++;
    if (gap + 1 >= s.n)
        return groups6(s, ip, 16) == 16;
    int a = groups6((struct span){s.p, gap}, ip, 14);
    int b = a < 0 ? -1 : groups6(after(s, gap + 2), tail, 14 - a);
    if (b < 0 || (gap > 0 && span_find((struct span){s.p, gap}, '.') < gap))
        return false;
    memcpy(ip + 16 - b, tail, (size_t)b);
    return true;
}

/* IPv4-mapped IPv6 is IPv4. */
static struct peer_addr unmapped(struct peer_addr a)
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    if (a.family == 6 && memcmp(a.ip, prefix, 12) == 0) {
        a.family = 4;
        memmove(a.ip, a.ip + 12, 4);
    }
    return a;
}

static uint32_t word4(const uint8_t *ip)
{
    return (uint32_t)ip[0] << 24 | (uint32_t)ip[1] << 16 | (uint32_t)ip[2] << 8 | ip[3];
}

static bool in_net(const struct peer_addr *a, uint8_t family, const uint8_t *net, unsigned bits)
{
    if (a->family != family || memcmp(a->ip, net, bits / 8) != 0)
        return false;
    unsigned rest = bits % 8;
    return !rest || !((a->ip[bits / 8] ^ net[bits / 8]) >> (8 - rest));
}

struct net4 {
    uint32_t net, mask;
};
#define NET4(a, b, c, d, bits)                                                                     \
    {                                                                                              \
        (a##u << 24 | b##u << 16 | c##u << 8 | d##u), ~0u << (32 - (bits))                         \
    }

static bool in_any4(const uint8_t *ip, const struct net4 *nets, size_t n)
{
    uint32_t word = word4(ip);
    for (size_t i = 0; i < n; i++)
        if (!((word ^ nets[i].net) & nets[i].mask))
            return true;
    return false;
}

struct net6 {
    uint8_t bits, ip[16];
};

static bool in_any6(const struct peer_addr *a, const struct net6 *nets, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (in_net(a, 6, nets[i].ip, nets[i].bits))
            return true;
    return false;
}

#define COUNT(nets) (sizeof(nets) / sizeof((nets)[0]))

/* Loopback, this host, RFC 1918, 100.64/10, 240/4 (Istio's automatic addresses), fc00::/7. */
static bool local_address(const struct peer_addr *a)
{
    static const struct net4 four[] = {NET4(127, 0, 0, 0, 8),   NET4(10, 0, 0, 0, 8),
                                       NET4(172, 16, 0, 0, 12), NET4(192, 168, 0, 0, 16),
                                       NET4(100, 64, 0, 0, 10), NET4(240, 0, 0, 0, 4),
                                       NET4(0, 0, 0, 0, 32)};
    static const struct net6 six[] = {{7, {0xfc}}, {128, {[15] = 1}}, {128, {0}}};
    return a->family == 1 || (a->family == 4 && in_any4(a->ip, four, COUNT(four))) ||
           (a->family == 6 && in_any6(a, six, COUNT(six)));
}

/* Link-local, and the addresses of clouds' metadata services that are not. */
static bool never_address(const struct peer_addr *a)
{
    static const struct net4 four[] = {NET4(169, 254, 0, 0, 16),
                                       NET4(100, 100, 100, 200, 32), /* Alibaba Cloud */
                                       NET4(168, 63, 129, 16, 32)};  /* Azure */
    static const struct net6 six[] = {
        {10, {0xfe, 0x80}}, {128, {0xfd, 0, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54}}}; /* AWS */
    return (a->family == 4 && in_any4(a->ip, four, COUNT(four))) ||
           (a->family == 6 && in_any6(a, six, COUNT(six)));
}

/* --- authorities ------------------------------------------------------------------------------ */

static uint16_t port_of(struct span s)
{
    unsigned v;
    return digits(s, 65535, &v) ? (uint16_t)v : 0;
}

/* Take brackets, zone and port off. @return whether it looks like an IPv6 address. */
static bool split(struct span a, struct target *t)
{
    size_t colon = span_find(a, ':'), end = span_find(a, ']');
    t->host = a;
    if (a.n && a.p[0] == '[') {
        if (end == a.n || (end + 1 < a.n && a.p[end + 1] != ':'))
            return false;
        t->host = (struct span){a.p + 1, end - 1};
        t->port = end + 1 < a.n ? port_of(after(a, end + 2)) : 0;
    } else if (colon < a.n && span_find(after(a, colon + 1), ':') == a.n - colon - 1) {
        t->host.n = colon;
        t->port = port_of(after(a, colon + 1));
        return false;
    } else if (colon == a.n) {
        return false;
    }
    t->host.n = span_find(t->host, '%');
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* How many bytes at the beginning are letters, digits, "-", "_" or "."? */
static size_t plain_run(struct span s)
{
    static const bool plain[256] = {['a' ... 'z'] = true, ['A' ... 'Z'] = true,
                                    ['0' ... '9'] = true, ['-'] = true,
                                    ['_'] = true,         ['.'] = true};
    size_t n = 0;
    while (n < s.n && plain[(uint8_t)s.p[n]])
        n++;
    return n;
}

/* What nearly all are: a name or an IPv4 address, with or without a port. @return false: look for
 * userinfo, brackets and a zone. */
static bool plain_authority(struct span a, struct target *t)
{
    size_t n = plain_run(a), end = n + 1;
    t->host = (struct span){a.p, n};
    if (n == a.n)
        return true;
    while (end < a.n && is_digit(a.p[end]))
        end++;
    if (a.p[n] != ':' || end < a.n)
        return false;
    t->port = port_of(after(a, n + 1));
    return true;
}

static struct target target_of(struct span a)
{
    struct target t = {.port = 0};
    bool six = false;
    t.plain = plain_authority(a, &t);
    if (!t.plain) {
        for (size_t at = span_find(a, '@'); at < a.n; at = span_find(a, '@'))
            a = after(a, at + 1);
        six = split(a, &t);
    }
    if (!six && t.host.n && t.host.p[t.host.n - 1] == '.')
        t.host.n--;
    t.addr.family = six ? 6 : 4;
    if (six || (t.host.n && is_digit(t.host.p[0])))
        t.literal = six ? parse6(t.host, t.addr.ip) : parse4(t.host, t.addr.ip);
    t.addr = t.literal ? unmapped(t.addr) : (struct peer_addr){.family = 0};
    return t;
}

static bool ends_with(struct span host, struct span suffix)
{
    return host.n > suffix.n && span_ieq(after(host, host.n - suffix.n), suffix);
}

/* Where the last label begins. */
static size_t last_label(struct span host)
{
    size_t at = host.n;
    while (at > 0 && host.p[at - 1] != '.')
        at--;
    return at;
}

/* Would inet_aton() take this last label, and with it the name, for a number? */
static bool number_label(struct span last)
{
    size_t n = 0;
    bool x = last.n > 1 && last.p[0] == '0' && span_lower(last.p[1]) == 'x';
    while (n < last.n && (x ? n < 2 || hex(last.p[n]) >= 0 : is_digit(last.p[n])))
        n++;
    return n == last.n;
}

/* Letters, digits, "-", "_" and ".", and no number. */
static bool plain_name(const struct target *t, size_t label)
{
    return !number_label(label ? after(t->host, label) : t->host) &&
           (t->plain || plain_run(t->host) == t->host.n);
}

static bool local_name(const struct target *t)
{
    static const struct span suffixes[] = {
        {".svc", 4}, {".cluster.local", 14}, {".local", 6}, {".internal", 9}, {".localhost", 10}};
    size_t label = last_label(t->host);
    if (!plain_name(t, label))
        return false;
    if (label == 0)
        return true;
    for (size_t i = 0; i < COUNT(suffixes); i++)
        if (ends_with(t->host, suffixes[i]))
            return true;
    return false;
}

static bool never(const struct target *t, const struct peer_addr *addr)
{
    return never_address(addr) || (t->literal && never_address(&t->addr)) ||
           span_ieq(t->host, SPAN("metadata.google.internal"));
}

/* The name first: inside an IPv6 cluster addresses are global. A foreign name may still resolve to
 * a local address, but a literal is what it says. */
static bool mesh_local(const struct target *t, const struct peer_addr *addr)
{
    return t->literal ? local_address(&t->addr) : local_name(t) || local_address(addr);
}

/* --- rules ------------------------------------------------------------------------------------ */

static bool matches(const struct peer_rule *r, const struct target *t, const struct peer_addr *addr,
                    bool mesh)
{
    struct span name = {r->name, r->len};
    if (r->port && r->port != (t->port ? t->port : addr->port))
        return false;
    switch (r->kind) {
    case RULE_ANY:
        return true;
    case RULE_MESH:
        return mesh;
    case RULE_HOST:
        return span_ieq(t->host, name);
    case RULE_SUFFIX:
        return ends_with(t->host, name);
    default:
        if (!t->literal &&
            !addr->family) /* where a name leads is not known: nowhere we may not go? */
            return r->deny;
        return in_net(t->literal ? &t->addr : addr, r->family, r->ip, r->bits);
    }
}

unsigned peers_classes(const struct peers *p, struct span authority, const struct peer_addr *addr)
{
    struct target t = target_of(authority);
    struct peer_addr mapped;
    unsigned allowed = 0, denied = 0;
    if (addr->family == 6) {
        mapped = unmapped(*addr);
        addr = &mapped;
    }
    if (never(&t, addr))
        return PEERS_NEVER;
    bool mesh = mesh_local(&t, addr);
    for (const struct peer_rule *r = p->rule; r < p->rule + p->n; r++)
        if (!matches(r, &t, addr, mesh))
            continue;
        else if (r->deny)
            denied |= 1u << r->cls;
        else
            allowed |= 1u << r->cls;
    return allowed & ~denied;
}

unsigned peers_recall(struct peers_memo *m, const struct peers *p, struct span authority,
                      const struct peer_addr *addr)
{
    if (m->n && span_eq((struct span){m->authority, m->n}, authority))
        return m->allowed;
    unsigned allowed = peers_classes(p, authority, addr);
    m->n = 0;
    if (authority.n && authority.n <= sizeof(m->authority)) {
        memcpy(m->authority, authority.p, authority.n);
        m->n = (uint8_t)authority.n;
        m->allowed = (uint8_t)allowed;
    }
    return allowed;
}

static struct peer_rule *new_rule(struct peers *p, enum peer_class cls, enum rule_kind kind)
{
    struct peer_rule *r = &p->rule[p->n++];
    memset(r, 0, sizeof(*r));
    r->cls = (uint8_t)cls;
    r->kind = (uint8_t)kind;
    return r;
}

void peers_default(struct peers *p)
{
    memset(p, 0, sizeof(*p));
    new_rule(p, PEER_I, RULE_ANY);
    new_rule(p, PEER_T, RULE_MESH);
    new_rule(p, PEER_U, RULE_MESH);
}

/* --- the text of TRACEBATON_PEERS ------------------------------------------------------------- */

static bool set_net(struct peer_rule *r, const struct target *t, unsigned bits)
{
    r->kind = RULE_NET;
    r->family = t->addr.family;
    r->bits = (uint8_t)bits;
    r->port = t->port;
    memcpy(r->ip, t->addr.ip, sizeof(r->ip));
    return t->literal && bits <= (r->family == 4 ? 32 : 128);
}

/* ADDRESS/BITS, an IPv6 address possibly in brackets. */
static bool parse_net(struct peer_rule *r, struct span s)
{
    size_t slash = span_find(s, '/');
    struct target t = target_of((struct span){s.p, slash});
    unsigned bits;
    return digits(after(s, slash + 1), 128, &bits) && !t.port && set_net(r, &t, bits);
}

/* HOST, HOST:PORT, .SUFFIX, *.SUFFIX, or an address with or without a port. */
static bool parse_host(struct peer_rule *r, struct span s)
{
    s = s.n > 1 && s.p[0] == '*' && s.p[1] == '.' ? after(s, 1) : s;
    bool suffix = s.p[0] == '.';
    struct target t = target_of(suffix ? after(s, 1) : s);
    if (t.literal)
        return !suffix && set_net(r, &t, t.addr.family == 4 ? 32 : 128);
    if (!plain_name(&t, last_label(t.host)) || t.host.n + suffix > PEERS_NAME)
        return false;
    r->kind = suffix ? RULE_SUFFIX : RULE_HOST;
    r->port = t.port;
    r->len = (uint8_t)(t.host.n + suffix);
    r->name[0] = '.';
    memcpy(r->name + suffix, t.host.p, t.host.n);
    return true;
}

static bool parse_rule(struct peer_rule *r, struct span s)
{
    r->deny = s.n && s.p[0] == '!';
    if (r->deny || (s.n && s.p[0] == '+'))
        s = after(s, 1);
    if (!s.n)
        return false;
    if (span_ieq(s, SPAN("any")) || span_ieq(s, SPAN("mesh"))) {
        r->kind = s.n == 3 ? RULE_ANY : RULE_MESH;
        return true;
    }
    return span_find(s, '/') < s.n ? parse_net(r, s) : parse_host(r, s);
}

static struct span trim(struct span s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = after(s, 1);
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

static void forget_class(struct peers *p, enum peer_class cls)
{
    unsigned n = 0;
    for (unsigned i = 0; i < p->n; i++)
        if (p->rule[i].cls != cls)
            p->rule[n++] = p->rule[i];
    p->n = (uint8_t)n;
}

static void parse_class(struct peers *p, enum peer_class cls, struct span list, peers_warn warn)
{
    forget_class(p, cls);
    while (list.n) {
        size_t end = span_find(list, ',');
        struct span s = trim((struct span){list.p, end});
        list = after(list, end < list.n ? end + 1 : end);
        if (!s.n || span_ieq(s, SPAN("none")))
            continue;
        if (p->n == PEERS_RULES) {
            warn("too many peer rules, ignored", s.p, s.n);
            return;
        }
        if (!parse_rule(new_rule(p, cls, RULE_ANY), s)) {
            p->n--;
            warn("peer rule not understood, ignored", s.p, s.n);
        }
    }
}

static void parse_entry(struct peers *p, struct span s, peers_warn warn)
{
    static const char classes[] = "ITUC";
    size_t eq = span_find(s, '=');
    struct span key = trim((struct span){s.p, eq});
    struct span value = eq < s.n ? trim(after(s, eq + 1)) : (struct span){NULL, 0};
    if (span_ieq(key, SPAN("signed")) &&
        (span_ieq(value, SPAN("insert")) || span_ieq(value, SPAN("skip")))) {
        p->insert_signed = value.n == 6;
        return;
    }
    for (int i = 0; i < PEER_CLASSES; i++)
        if (eq < s.n && key.n == 1 && span_lower(key.p[0]) == span_lower(classes[i])) {
            parse_class(p, (enum peer_class)i, value, warn);
            return;
        }
    if (s.n)
        warn("peer entry not understood, ignored", s.p, s.n);
}

void peers_parse(struct peers *p, struct span text, peers_warn warn)
{
    while (text.n) {
        size_t end = span_find(text, ';');
        parse_entry(p, trim((struct span){text.p, end}), warn);
        text = after(text, end < text.n ? end + 1 : end);
    }
}
