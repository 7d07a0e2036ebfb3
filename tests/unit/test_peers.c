/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_peers: which class may go where (docs/configuration.md). A case is a text
 * of rules, an authority as a program writes it, the peer's address as text, and
 * the classes that are allowed ("!" for: nothing, ever).
 */
#include "unit/unit.h"

#include <arpa/inet.h>

#include "core/peers.h"
#include "unit/warned.h"

struct row {
    const char *rules, *authority, *addr, *want;
};

/* "10.0.0.1", "fd00::1", "unix" or "" */
static struct peer_addr address(const char *text, uint16_t port)
{
    struct peer_addr a = {.port = port};
    if (strcmp(text, "unix") == 0)
        a.family = 1;
    else if (inet_pton(AF_INET, text, a.ip) == 1)
        a.family = 4;
    else if (inet_pton(AF_INET6, text, a.ip) == 1)
        a.family = 6;
    return a;
}

/* The arguments live in blocks of exactly their size. */
static unsigned ask(const struct peers *p, const char *authority, const char *addr, uint16_t port)
{
    size_t n = strlen(authority);
    char *exact = malloc(n + !n);
    memcpy(exact, authority, n);
    struct peer_addr a = address(addr, port);
    unsigned r = peers_classes(p, (struct span){exact, n}, &a);
    for (int c = 0; c < PEER_CLASSES; c++)
        CHECK_FOR(peers_allow(p, (enum peer_class)c, (struct span){exact, n}, &a) == (r >> c & 1),
                  authority);
    free(exact);
    return r;
}

static void parse(struct peers *p, const char *text)
{
    size_t n = strlen(text);
    char *exact = malloc(n + !n);
    memcpy(exact, text, n);
    warned_reset();
    peers_default(p);
    peers_parse(p, (struct span){exact, n}, warned);
    free(exact);
}

static void check(const struct row *r)
{
    struct peers p;
    char got[8], *g = got;
    parse(&p, r->rules);
    unsigned bits = ask(&p, r->authority, r->addr, 80);
    for (int c = 0; c < PEER_CLASSES; c++)
        if (bits >> c & 1)
            *g++ = "ITUC"[c];
    strcpy(g, bits == PEERS_NEVER ? "!" : "");
    CHECK_SAY(strcmp(got, r->want) == 0, "\"%s\" %s at %s: %s, wanted %s", r->rules, r->authority,
              r->addr, got, r->want);
    CHECK_SAY(!warned_count, "warned: %s", warned_text);
}

#define ROWS(...)                                                                                  \
    do {                                                                                           \
        static const struct row rows[] = {__VA_ARGS__};                                            \
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)                                \
            check(&rows[i]);                                                                       \
    } while (0)

START_TEST(local_names)
{
    ROWS({"", "reviews", "", "ITU"}, {"", "reviews:9080", "", "ITU"}, {"", "REVIEWS", "", "ITU"},
         {"", "reviews.", "", "ITU"}, {"", "a.b.svc", "", "ITU"}, {"", "a.b.SVC.", "", "ITU"},
         {"", "a.b.svc.cluster.local:80", "", "ITU"}, {"", "printer.local", "", "ITU"},
         {"", "db.internal", "", "ITU"}, {"", "localhost", "", "ITU"},
         {"", "x.localhost", "", "ITU"}, {"", "my_service-1", "", "ITU"},
         {"", "3f2a1bcd", "", "ITU"});
}
END_TEST

START_TEST(foreign_names)
{
    ROWS({"", "api.example.com", "", "I"}, {"", "api.example.com.", "", "I"}, {"", "", "", "I"},
         {"", "svc", "", "ITU"}, {"", ".svc", "", "I"}, {"", "a.svc.example.com", "", "I"},
         {"", "notsvc.xsvc", "", "I"}, {"", "a.svc..", "", "I"}, {"", ".", "", "I"},
         {"", "exa mple", "", "I"}, {"", "a%2esvc", "", "I"}, {"", "caf\xc3\xa9", "", "I"},
         {"", "a/b", "", "I"}, {"", "a\\b", "", "I"});
}
END_TEST

/* What resolvers take for numbers is not a name: 134744072 is 8.8.8.8. */
START_TEST(numbers)
{
    ROWS({"", "134744072", "", "I"}, {"", "0x08080808", "", "I"}, {"", "0X8.8", "", "I"},
         {"", "8.8", "", "I"}, {"", "010.0.0.1", "", "I"}, {"", "10.0.0.1.svc.0x1", "", "I"},
         {"", "10.0.0", "", "I"}, {"", "0xg", "", "ITU"}, {"", "134744072", "10.0.0.1", "ITU"},
         {"", "256.0.0.1", "", "I"}, {"", "1.2.3.4.5", "", "I"});
}
END_TEST

START_TEST(literals)
{
    ROWS({"", "10.1.2.3", "", "ITU"}, {"", "10.1.2.3:8080", "", "ITU"},
         {"", "127.0.0.53", "", "ITU"}, {"", "172.16.0.1", "", "ITU"},
         {"", "172.31.255.255", "", "ITU"}, {"", "172.32.0.1", "", "I"},
         {"", "172.15.0.1", "", "I"}, {"", "192.168.0.1", "", "ITU"}, {"", "192.169.0.1", "", "I"},
         {"", "100.64.0.1", "", "ITU"}, {"", "100.127.0.1", "", "ITU"},
         {"", "100.128.0.1", "", "I"}, {"", "240.240.0.5", "", "ITU"}, {"", "239.0.0.1", "", "I"},
         {"", "0.0.0.0", "", "ITU"}, {"", "8.8.8.8", "", "I"}, {"", "8.8.8.8", "10.0.0.1", "I"},
         {"", "[::1]", "", "ITU"}, {"", "[::1]:80", "", "ITU"}, {"", "[::]", "", "ITU"},
         {"", "[fd12::1]:80", "", "ITU"}, {"", "[FC00::1]", "", "ITU"},
         {"", "[2001:db8::1]", "", "I"}, {"", "[::ffff:10.0.0.1]", "", "ITU"},
         {"", "[::ffff:8.8.8.8]", "", "I"}, {"", "[fd12::1%25eth0]", "", "ITU"},
         {"", "[fd12::1%eth0]:80", "", "ITU"});
}
END_TEST

START_TEST(odd)
{
    ROWS({"", "[::1].example.com", "", "I"}, {"", "[::1", "", "I"}, {"", "[]", "", "I"},
         {"", "[svc]", "", "ITU"}, {"", "::1", "", "ITU"}, {"", "2001:db8::1", "", "I"},
         {"", "fd12::1", "", "ITU"}, {"", "a:b:c", "", "I"}, {"", ":80", "", "I"},
         {"", "user@reviews", "", "ITU"}, {"", "reviews@api.example.com", "", "I"},
         {"", "a.svc:b@api.example.com:80", "", "I"}, {"", "a@b@reviews", "", "ITU"},
         {"", "@", "", "I"}, {"", "reviews:", "", "ITU"}, {"", "reviews:http", "", "ITU"},
         {"", "[fd12::1]x", "", "I"});
}
END_TEST

/* The name first, then the address; a literal is what it says. */
START_TEST(addresses)
{
    ROWS({"", "api.example.com", "10.0.0.1", "ITU"}, {"", "api.example.com", "8.8.8.8", "I"},
         {"", "", "10.0.0.1", "ITU"}, {"", "", "unix", "ITU"},
         {"", "api.example.com", "unix", "ITU"}, {"", "", "::ffff:10.0.0.1", "ITU"},
         {"", "", "2001:db8::1", "I"}, {"", "reviews", "2001:db8::1", "ITU"},
         {"", "8.8.8.8", "unix", "I"});
}
END_TEST

START_TEST(never)
{
    ROWS({"", "169.254.169.254", "", "!"}, {"", "169.254.0.1:80", "", "!"},
         {"", "reviews", "169.254.169.254", "!"}, {"", "[fe80::1%25eth0]", "", "!"},
         {"", "[febf::1]", "", "!"}, {"", "[fec0::1]", "", "I"}, {"", "", "fe80::1", "!"},
         {"", "metadata.google.internal", "", "!"}, {"", "METADATA.Google.Internal.:80", "", "!"},
         {"", "x.metadata.google.internal", "", "ITU"}, {"", "[::ffff:169.254.169.254]", "", "!"},
         {"", "", "::ffff:169.254.1.1", "!"}, {"", "[fd00:ec2::254]", "", "!"},
         {"", "100.100.100.200", "", "!"}, {"", "168.63.129.16", "", "!"},
         {"", "169.253.1.1", "", "I"}, {"I=any;T=any;U=any;C=any", "169.254.169.254", "", "!"});
}
END_TEST

START_TEST(rules)
{
    ROWS({"T=any", "api.example.com", "", "IT"}, {"T=any;U=any;C=any", "a.b.c", "", "ITUC"},
         {"I=none", "reviews", "", "TU"}, {"I=", "reviews", "", "TU"},
         {"I=mesh", "a.b.com", "", ""}, {"U=mesh,+.partner.example", "x.partner.example", "", "IU"},
         {"U=mesh,+.partner.example", "partner.example", "", "I"},
         {"U=*.partner.example", "x.Partner.Example.", "", "IU"},
         {"U=*.partner.example", "reviews", "", "IT"},
         {"U=mesh,!legacy.svc", "legacy.svc", "", "IT"},
         {"U=!legacy.svc,mesh", "legacy.svc:80", "", "IT"},
         {"U=mesh,!legacy.svc", "x.svc", "", "ITU"},
         {"I=any,!.example.com", "api.example.com", "", ""},
         {"C=auth.svc:8080", "auth.svc:8080", "", "ITUC"},
         {"C=auth.svc:8080", "auth.svc", "", "ITU"}, {"C=auth.svc:80", "auth.svc", "", "ITUC"},
         {"C=auth.svc", "auth.svc:8080", "", "ITUC"}, {"C=auth.svc.", "AUTH.svc", "", "ITUC"},
         {"c = auth.svc ; t = any", "auth.svc", "", "ITUC"}, {"T=mesh;T=none", "reviews", "", "IU"},
         {"C=any,mesh,a.b,", "a.b", "", "IC"}, {";;", "a", "", "ITU"});
}
END_TEST

START_TEST(networks)
{
    ROWS({"I=any,!203.0.113.0/24", "api.example.com", "203.0.113.1", ""},
         {"I=any,!203.0.113.0/24", "api.example.com", "198.51.100.1", "I"},
         {"I=any,!203.0.113.0/24", "api.example.com", "", ""}, /* may be one of them */
         {"I=any,!203.0.113.0/24", "198.51.100.1", "", "I"},
         {"T=10.9.0.0/16", "10.9.255.1", "", "ITU"}, {"T=10.9.0.0/16", "10.10.0.1", "", "IU"},
         {"T=10.9.0.0/16", "api.example.com", "10.9.0.1", "ITU"},
         {"T=203.0.113.7", "203.0.113.7", "", "IT"},
         {"T=203.0.113.7", "a.b.com", "203.0.113.7", "IT"},
         {"T=203.0.113.7:81", "203.0.113.7", "", "I"},
         {"T=203.0.113.7:80", "203.0.113.7", "", "IT"},
         {"T=2001:db8::/32", "[2001:db8:1::1]", "", "IT"},
         {"T=[2001:db8::]/32", "[2001:db9::1]", "", "I"},
         {"T=[2001:db8::1]:80", "[2001:db8:0::1]", "", "IT"}, {"T=0.0.0.0/0", "8.8.8.8", "", "IT"},
         {"T=::/0", "8.8.8.8", "", "I"}, {"T=::/0", "", "2001:db8::1", "IT"},
         {"T=198.51.100.0/23", "198.51.101.9", "", "IT"},
         {"T=198.51.100.0/25", "198.51.100.129", "", "I"}, {"T=8.0.0.0/7", "9.1.1.1", "", "IT"});
}
END_TEST

START_TEST(not_understood)
{
    static const char *const bad[] = {
        "X=any",       "any",         "T=10.0.0.0/33",
        "T=::/129",    "T=10.0.0.0/", "T=/8",
        "T=10.0.0/8",  "T=a.b/8",     "T=10.0.0.0/8:80",
        "T=!",         "T=+",         "T=a b",
        "T=.",         "T=*.",        "T=a*",
        "signed",      "signed=yes",  "T=[::1",
        "T=.10.0.0.1", "T=\x80",      "T=:80",
        "=any",        "TT=any",      "T=10.0.0.0/-1",
        "T=*",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct peers p;
        parse(&p, bad[i]);
        CHECK_FOR(warned_count == 1, bad[i]);
        unsigned r = ask(&p, "8.8.8.8", "", 80);
        CHECK_FOR(r == 1u << PEER_I, bad[i]); /* nothing more goes anywhere */
    }
}
END_TEST

START_TEST(signed_requests)
{
    struct peers p;
    parse(&p, "signed=insert");
    CHECK(p.insert_signed && ask(&p, "reviews", "", 80) == 7);
    parse(&p, "signed=insert;signed = SKIP");
    CHECK(!p.insert_signed && !warned_count);
}
END_TEST

START_TEST(capacity)
{
    struct peers p;
    char text[4096] = "T=", *t = text + 2;
    for (int i = 0; i < PEERS_RULES + 5; i++)
        t += sprintf(t, "h%d.example,", i);
    parse(&p, text);
    CHECK(p.n == PEERS_RULES && warned_count == 1);
    CHECK(ask(&p, "h0.example", "", 80) >> PEER_T & 1);
    memset(text, 'a', 300);
    strcpy(text, "T=");
    memset(text + 2, 'a', PEERS_NAME);
    text[2 + PEERS_NAME] = 0;
    parse(&p, text);
    CHECK(!warned_count && ask(&p, text + 2, "", 80) >> PEER_T & 1);
    strcat(text, "a");
    parse(&p, text);
    CHECK(warned_count == 1);
}
END_TEST

/* Literals mean what inet_pton() says they mean. */
START_TEST(against_inet_pton)
{
    static const char *const seeds[] = {
        "1.2.3.4",         "255.255.255.255",     "::",
        "1:2:3:4:5:6:7:8", "::ffff:1.2.3.4",      "1:2::7:8",
        "fe80::1",         "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7::"};
    unsigned good = 0;
    for (int i = 0; i < 300000; i++) {
        char a[64], rule[80];
        uint8_t ip[16] = {0};
        size_t n = strlen(strcpy(a, seeds[unit_random(sizeof(seeds) / sizeof(seeds[0]))]));
        for (unsigned k = unit_random(4); k > 0; k--)
            a[unit_random((unsigned)n)] = "0123456789abcF::..:"[unit_random(19)];
        if (unit_random(4) == 0)
            a[n = unit_random((unsigned)n) + 1] = 0;
        bool six = strchr(a, ':') != NULL;
        if (!six && a[n - 1] == '.')
            continue; /* one dot at the end is taken off */
        bool want = inet_pton(six ? AF_INET6 : AF_INET, a, ip) == 1;
        struct peers p;
        snprintf(rule, sizeof(rule), six ? "C=[%s]" : "C=%s", a);
        parse(&p, rule);
        bool got = p.n == 4 && p.rule[3].family != 0; /* else it is a name, or was refused */
        CHECK_FOR(got == want, a);
        static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
        bool four = !six || memcmp(ip, mapped, 12) == 0;
        CHECK_FOR(!got || p.rule[3].family == (four ? 4 : 6), a);
        CHECK_FOR(!got || memcmp(p.rule[3].ip, six && four ? ip + 12 : ip, four ? 4 : 16) == 0, a);
        good += want;
    }
    CHECK(good > 10000);
}
END_TEST

/* Whatever the text is: no byte beyond it is read, and the never-list holds. */
START_TEST(hostile)
{
    static const char bytes[] = "ITUC=;,!+.*/:[]%@ \t\x01\x80"
                                "anymesh019fF";
    for (int i = 0; i < 100000; i++) {
        char text[64], host[24];
        size_t n = unit_random(sizeof(text) - 1), m = unit_random(sizeof(host) - 1);
        for (size_t k = 0; k < n; k++)
            text[k] = bytes[unit_random(sizeof(bytes) - 1)];
        for (size_t k = 0; k < m; k++)
            host[k] = bytes[unit_random(sizeof(bytes) - 1)];
        text[n] = host[m] = 0;
        struct peers p;
        parse(&p, text);
        CHECK(p.n <= PEERS_RULES);
        CHECK(ask(&p, host, "169.254.1.1", 80) == PEERS_NEVER);
        CHECK(ask(&p, "[fe80::1]", host, 80) == PEERS_NEVER);
        ask(&p, host, "", 0);
    }
}
END_TEST

int main(void)
{
    unit_begin("peers");
    UNIT(local_names);
    UNIT(foreign_names);
    UNIT(numbers);
    UNIT(literals);
    UNIT(odd);
    UNIT(addresses);
    UNIT(never);
    UNIT(rules);
    UNIT(networks);
    UNIT(not_understood);
    UNIT(signed_requests);
    UNIT(capacity);
    UNIT(against_inet_pton);
    UNIT(hostile);
    return unit_run();
}
