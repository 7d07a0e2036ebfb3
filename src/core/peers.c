/* SPDX-License-Identifier: Apache-2.0 */
/* peers: see peers.h. */
#include "peers.h"

enum rule_kind { RULE_ANY, RULE_MESH, RULE_HOST, RULE_SUFFIX, RULE_CIDR };

/* --- authorities ------------------------------------------------------------------------------ */

/* host[:port], with userinfo, brackets, zone and a trailing dot taken off. */
struct authority {
    struct span host;
    uint16_t port; /* 0: not given */
    bool literal6;
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

static size_t find(struct span s, char c)
{
    size_t i = 0;
    while (i < s.n && s.p[i] != c)
        i++;
    return i;
}

static struct authority split(struct span a)
{
    struct authority r = {a, 0, false};
    struct span port = {NULL, 0};
    unsigned v;
    for (size_t at = find(a, '@'); at < a.n; at = find(a, '@'))
        a = after(a, at + 1);
    if (a.n && a.p[0] == '[') {
        size_t end = find(a, ']');
        r.literal6 = true;
        r.host = (struct span){a.p + 1, end < a.n ? end - 1 : a.n - 1};
        r.host.n = find(r.host, '%');
        if (end + 1 < a.n && a.p[end + 1] == ':')
            port = after(a, end + 2);
    } else {
        size_t at = find(a, ':');
        r.host = (struct span){a.p, at};
        if (at < a.n)
            port = after(a, at + 1);
        if (r.host.n && r.host.p[r.host.n - 1] == '.')
            r.host.n--;
    }
    if (digits(port, 65535, &v))
        r.port = (uint16_t)v;
    return r;
}

/* --- addresses -------------------------------------------------------------------------------- */

static bool parse4(struct span s, uint8_t ip[4])
{
    for (int i = 0; i < 4; i++) {
        size_t end = find(s, '.');
        unsigned v;
        if ((i < 3) != (end < s.n) || end > 3 || !digits((struct span){s.p, end}, 255, &v))
            return false;
        ip[i] = (uint8_t)v;
        s = after(s, end < s.n ? end + 1 : end);
    }
    return true;
}

static int hex(char c)
{
    c = span_lower(c);
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Groups up to "::" or the end; @return bytes written, -1 malformed. Stops before "::". */
static int groups6(struct span *s, uint8_t *ip, int room)
{
    int n = 0;
    while (s->n && s->p[0] != ':') {
        unsigned v = 0, len = 0;
        size_t end = find(*s, ':');
        if (end == s->n && find(*s, '.') < s->n)
            return room - n >= 4 && parse4(*s, ip + n) ? (s->n = 0, n + 4) : -1;
        for (; s->n && hex(s->p[0]) >= 0 && len < 4; len++, *s = after(*s, 1))
            v = v << 4 | (unsigned)hex(s->p[0]);
        if (!len || room - n < 2 || (s->n && s->p[0] != ':'))
            return -1;
        ip[n++] = (uint8_t)(v >> 8);
        ip[n++] = (uint8_t)v;
        if (s->n > 1 && s->p[0] == ':' && s->p[1] != ':')
            *s = after(*s, 1);
        else if (s->n == 1)
            return -1;
    }
    return n;
}

static bool parse6(struct span s, uint8_t ip[16])
{
    uint8_t tail[16];
    memset(ip, 0, 16);
    int a = groups6(&s, ip, 16), b = 0;
    if (a < 0)
        return false;
    if (!s.n)
        return a == 16;
    if (s.n < 2 || s.p[1] != ':')
        return false;
    s = after(s, 2);
    if (s.n && s.p[0] == ':')
        return false;
    b = groups6(&s, tail, 14 - a);
    if (b < 0 || s.n)
        return false;
    memcpy(ip + 16 - b, tail, (size_t)b);
    return true;
}

/* IPv4-mapped IPv6 is IPv4. */
static struct peer_addr unmapped(struct peer_addr a)
{
    static const uint8_t prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (a.family == 6 && memcmp(a.ip, prefix, 12) == 0) {
        a.family = 4;
        memmove(a.ip, a.ip + 12, 4);
    }
    return a;
}

/* A host that is an address literal. */
static bool literal(const struct authority *a, struct peer_addr *out)
{
    memset(out, 0, sizeof(*out));
    out->family = 4;
    if (!a->literal6 && parse4(a->host, out->ip))
        return true;
    out->family = 6;
    if (!a->literal6 || !parse6(a->host, out->ip))
        return false;
    *out = unmapped(*out);
    return true;
}

static bool in_net(const struct peer_addr *a, uint8_t family, const uint8_t *net, unsigned bits)
{
    if (a->family != family || memcmp(a->ip, net, bits / 8) != 0)
        return false;
    unsigned rest = bits % 8;
    return !rest || !((a->ip[bits / 8] ^ net[bits / 8]) >> (8 - rest));
}

struct net {
    uint8_t family, bits, ip[2];
};

static bool in_any(const struct peer_addr *a, const struct net *nets, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (in_net(a, nets[i].family, nets[i].ip, nets[i].bits))
            return true;
    return false;
}

/* Loopback, RFC 1918, 100.64/10, 240/4 (Istio's automatic VIPs), fc00::/7. */
static bool local_address(const struct peer_addr *addr)
{
    static const struct net nets[] = {{4, 8, {127, 0}},   {4, 8, {10, 0}},    {4, 12, {172, 16}},
                                      {4, 16, {192, 168}}, {4, 10, {100, 64}}, {4, 4, {240, 0}},
                                      {6, 7, {0xfc, 0}}};
    static const uint8_t loopback[16] = {[15] = 1};
    struct peer_addr a = unmapped(*addr);
    if (a.family == 1 || (a.family == 6 && memcmp(a.ip, loopback, 16) == 0))
        return true;
    return in_any(&a, nets, sizeof(nets) / sizeof(nets[0]));
}

static bool link_local(const struct peer_addr *addr)
{
    static const struct net nets[] = {{4, 16, {169, 254}}, {6, 10, {0xfe, 0x80}}};
    static const uint8_t imds[16] = {0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54};
    struct peer_addr a = unmapped(*addr);
    return in_any(&a, nets, 2) || (a.family == 6 && memcmp(a.ip, imds, 16) == 0);
}

/* --- names ------------------------------------------------------------------------------------ */

static bool ends_with(struct span host, struct span suffix)
{
    return host.n > suffix.n &&
           span_ieq((struct span){host.p + host.n - suffix.n, suffix.n}, suffix);
}

static bool local_name(struct span host)
{
    static const struct span suffixes[] = {
        {".svc", 4}, {".cluster.local", 14}, {".local", 6}, {".internal", 9}, {".localhost", 10}};
    if (find(host, '.') == host.n)
        return host.n > 0;
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
        if (ends_with(host, suffixes[i]))
            return true;
    return false;
}

bool peers_never(struct span text, const struct peer_addr *addr)
{
    struct authority a = split(text);
    struct peer_addr lit;
    if (span_ieq(a.host, SPAN("metadata.google.internal")) || span_ieq(a.host, SPAN("metadata")))
        return true;
    return link_local(addr) || (literal(&a, &lit) && link_local(&lit));
}

/* Host name first, address second: a name that is foreign may still resolve to a local address (a
 * service entry), but a literal is what it says. An absent host leaves the address. */
static bool mesh_local(const struct authority *a, const struct peer_addr *addr)
{
    struct peer_addr lit;
    if (literal(a, &lit))
        return local_address(&lit);
    return local_name(a->host) || local_address(addr);
}

/* --- rules ------------------------------------------------------------------------------------ */

static bool rule_matches(const struct peer_rule *r, const struct authority *a,
                         const struct peer_addr *addr)
{
    struct span name = {r->name, r->len};
    struct peer_addr lit;
    if (r->port && r->port != (a->port ? a->port : addr->port))
        return false;
    switch (r->kind) {
    case RULE_ANY:
        return true;
    case RULE_MESH:
        return mesh_local(a, addr);
    case RULE_HOST:
        return span_ieq(a->host, name);
    case RULE_SUFFIX:
        return ends_with(a->host, name);
    default:
        lit = literal(a, &lit) ? lit : unmapped(*addr);
        return in_net(&lit, r->family, r->ip, r->bits);
    }
}

bool peers_allow(const struct peers *p, enum peer_class cls, struct span text,
                 const struct peer_addr *addr)
{
    struct authority a = split(text);
    bool allowed = false;
    for (unsigned i = 0; i < p->n; i++) {
        const struct peer_rule *r = &p->rule[i];
        if (r->cls != cls || !rule_matches(r, &a, addr))
            continue;
        if (r->deny)
            return false;
        allowed = true;
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

/* ADDRESS/BITS, the address possibly in brackets. */
static bool parse_cidr(struct peer_rule *r, struct span s)
{
    size_t slash = find(s, '/');
    unsigned bits;
    if (slash == s.n || !digits(after(s, slash + 1), 128, &bits))
        return false;
    struct span ip = {s.p, slash};
    if (ip.n > 1 && ip.p[0] == '[' && ip.p[ip.n - 1] == ']')
        ip = (struct span){ip.p + 1, ip.n - 2};
    r->kind = RULE_CIDR;
    r->bits = (uint8_t)bits;
    r->family = 4;
    if (parse4(ip, r->ip))
        return bits <= 32;
    r->family = 6;
    return parse6(ip, r->ip);
}

static bool parse_host(struct peer_rule *r, struct span s)
{
    struct authority a = split(s);
    r->kind = s.p[0] == '.' ? RULE_SUFFIX : RULE_HOST;
    if (a.host.n == 0 || a.host.n >= PEERS_NAME)
        return false;
    r->port = a.port;
    r->len = (uint8_t)a.host.n;
    memcpy(r->name, a.host.p, a.host.n);
    return true;
}

static bool parse_rule(struct peer_rule *r, struct span s)
{
    if (s.n && s.p[0] == '!') {
        r->deny = true;
        s = after(s, 1);
    } else if (s.n && s.p[0] == '+') {
        s = after(s, 1);
    }
    if (!s.n)
        return false;
    if (span_ieq(s, SPAN("any")) || span_ieq(s, SPAN("mesh"))) {
        r->kind = s.n == 3 ? RULE_ANY : RULE_MESH;
        return true;
    }
    return find(s, '/') < s.n ? parse_cidr(r, s) : parse_host(r, s);
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
        size_t end = find(list, ',');
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
    size_t eq = find(s, '=');
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
        size_t end = find(text, ';');
        parse_entry(p, trim((struct span){text.p, end}), warn);
        text = after(text, end < text.n ? end + 1 : end);
    }
}
