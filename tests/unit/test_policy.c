/* SPDX-License-Identifier: Apache-2.0 */
/* test_policy: the environment, as docs/configuration.md has it. */
#include "unit/unit.h"

#include "bridge/bridge.h"
#include "engine/policy.h"
#include "unit/warned.h"

/* The environment of a test: NAME=VALUE texts. */
static const char *const *environment;
static char asked[1024];

static const char *env(const char *name)
{
    size_t n = strlen(name);
    snprintf(asked + strlen(asked), sizeof(asked) - strlen(asked), "%s ", name);
    for (const char *const *e = environment; *e; e++)
        if (strncmp(*e, name, n) == 0 && (*e)[n] == '=')
            return *e + n + 1;
    return NULL;
}

static struct policy policy;

#define POLICY(...)                                                                                \
    do {                                                                                           \
        environment = (const char *const[]){__VA_ARGS__, NULL};                                    \
        warned_reset();                                                                            \
        asked[0] = 0;                                                                              \
        memset(&policy, 0xa5, sizeof(policy));                                                     \
        policy_init(&policy, env, warned);                                                         \
    } while (0)

static bool carries(const char *name)
{
    int id = names_find(&policy.names, (struct span){name, strlen(name)});
    return names_carried(&policy.names, id);
}

static bool goes(enum peer_class cls, const char *to)
{
    struct peer_addr unknown = {.family = 0};
    return peers_allow(&policy.peers, cls, (struct span){to, strlen(to)}, &unknown);
}

START_TEST(defaults)
{
    POLICY("PATH=/bin");
    CHECK(!policy.off && !policy.shadow && !policy.best && !policy.names.strict && !*policy.dir);
    CHECK(carries("x-request-id") && carries("traceparent") && carries("b3") && carries("baggage"));
    CHECK(!carries("uber-trace-id") && !carries("cookie") && policy.names.extras == 0);
    CHECK(goes(PEER_I, "a.com") && !goes(PEER_T, "a.com") && goes(PEER_U, "a.svc") &&
          !goes(PEER_C, "a"));
    CHECK(!policy.peers.insert_signed && !warned_count);
    CHECK(!strstr(asked, "OTEL_SDK_DISABLED"));
}
END_TEST

START_TEST(bridges)
{
    const uint32_t all = (1u << BRIDGE_COUNT) - 1, py = 1u << BRIDGE_PYTHON, jvm = 1u << BRIDGE_JVM;
    const struct {
        const char *text;
        uint32_t bridges;
        unsigned warns;
    } rows[] = {{"TRACEBATON_BRIDGES=", all, 0},
                {"TRACEBATON_BRIDGES=all", all, 0},
                {"TRACEBATON_BRIDGES=none", 0, 0},
                {"TRACEBATON_BRIDGES=off", 0, 0},
                {"TRACEBATON_BRIDGES=python", py, 0},
                {"TRACEBATON_BRIDGES=jvm, python", py | jvm, 0},
                {"TRACEBATON_BRIDGES=-jvm", all & ~jvm, 0},
                {"TRACEBATON_BRIDGES=python,jvm,-python", jvm, 0},
                {"TRACEBATON_BRIDGES=pythons,jvm", jvm, 1},
                {"TRACEBATON_BRIDGES=-x", all, 1}};
    POLICY("PATH=/bin");
    CHECK(policy.bridges == all);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        POLICY(rows[i].text);
        CHECK_FOR(policy.bridges == rows[i].bridges, rows[i].text);
        CHECK_FOR(warned_count == rows[i].warns, rows[i].text);
    }
}
END_TEST

START_TEST(mode)
{
    static const struct {
        const char *text;
        bool off, shadow;
        unsigned warns;
    } rows[] = {{"TRACEBATON=off", true, false, 0}, {"TRACEBATON=shadow", false, true, 0},
                {"TRACEBATON=on", false, false, 0}, {"TRACEBATON=", false, false, 0},
                {"TRACEBATON=1", false, false, 1},  {"TRACEBATON=offf", false, false, 1}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        POLICY(rows[i].text);
        CHECK_FOR(policy.off == rows[i].off && policy.shadow == rows[i].shadow, rows[i].text);
        CHECK_FOR(warned_count == rows[i].warns, rows[i].text);
    }
    POLICY("TRACEBATON_ATTRIBUTION=best", "TRACEBATON_TRACESTATE=strict");
    CHECK(policy.best && policy.names.strict && !warned_count);
    POLICY("TRACEBATON_ATTRIBUTION=strict", "TRACEBATON_TRACESTATE=lenient");
    CHECK(!policy.best && !policy.names.strict && !warned_count);
    POLICY("TRACEBATON_ATTRIBUTION=guess", "TRACEBATON_TRACESTATE=lax");
    CHECK(!policy.best && !policy.names.strict && warned_count == 2);
}
END_TEST

START_TEST(propagators)
{
    POLICY("OTEL_PROPAGATORS=tracecontext,baggage");
    CHECK(carries("traceparent") && carries("x-request-id") && !carries("b3") && !warned_count);
    POLICY("OTEL_PROPAGATORS=tracecontext", "TRACEBATON_PROPAGATORS=b3");
    CHECK(!carries("traceparent") && carries("b3") && carries("x-request-id"));
    POLICY("OTEL_PROPAGATORS=b3", "TRACEBATON_PROPAGATORS=");
    CHECK(carries("b3") && !carries("traceparent"));
    POLICY("OTEL_PROPAGATORS=");
    CHECK(carries("b3") && carries("traceparent"));
    POLICY("OTEL_PROPAGATORS=none", "TRACEBATON_HEADERS=x-mine");
    CHECK(!carries("x-request-id") && !carries("traceparent") && carries("x-mine"));
    POLICY("TRACEBATON_PROPAGATORS=b3,nope", "OTEL_SDK_DISABLED=true");
    CHECK(carries("b3") && warned_count == 1 && strstr(warned_text, "nope"));
    POLICY("TRACEBATON_TRACESTATE=strict", "TRACEBATON_PROPAGATORS=tracecontext");
    CHECK(policy.names.strict);
}
END_TEST

START_TEST(headers_and_peers)
{
    POLICY("TRACEBATON_HEADERS=x-a, x-team-*", "TRACEBATON_PEERS=U=none;C=auth.svc;signed=insert");
    CHECK(carries("x-a") && carries("x-team-b") && !carries("x-team-"));
    CHECK(!goes(PEER_U, "a.svc") && goes(PEER_C, "auth.svc") && goes(PEER_T, "a.svc"));
    CHECK(policy.peers.insert_signed && !warned_count);
    POLICY("TRACEBATON_HEADERS=host,x-ok", "TRACEBATON_PEERS=bogus;T=any");
    CHECK(warned_count == 2 && carries("x-ok") && goes(PEER_T, "a.com"));
}
END_TEST

/* A credential without peers is carried nowhere, and that is said. */
START_TEST(credentials)
{
    POLICY("TRACEBATON_HEADERS=cookie,jwt,x-a");
    CHECK(warned_count == 2 && strstr(warned_text, "(cookie)") && strstr(warned_text, "(jwt)"));
    POLICY("TRACEBATON_HEADERS=cookie", "TRACEBATON_PEERS=C=!a.svc");
    CHECK(warned_count == 1);
    POLICY("TRACEBATON_HEADERS=cookie", "TRACEBATON_PEERS=C=a.svc");
    CHECK(!warned_count);
}
END_TEST

START_TEST(directory)
{
    POLICY("TRACEBATON_DIR=/run/baton");
    CHECK(strcmp(policy.dir, "/run/baton") == 0);
    char long_one[POLICY_DIR + 20] = "TRACEBATON_DIR=";
    memset(long_one + 15, 'd', POLICY_DIR - 1);
    POLICY(long_one);
    CHECK(strlen(policy.dir) == POLICY_DIR - 1 && !warned_count);
    long_one[15 + POLICY_DIR - 1] = 'd';
    POLICY(long_one);
    CHECK(!*policy.dir && warned_count == 1);
}
END_TEST

/* Half a rule could mean something else than the whole: what is too long counts as unset. */
START_TEST(too_long)
{
    static const char *const names_[] = {
        "TRACEBATON",       "TRACEBATON_PROPAGATORS", "TRACEBATON_HEADERS",
        "TRACEBATON_PEERS", "TRACEBATON_TRACESTATE",  "TRACEBATON_DIR"};
    for (size_t i = 0; i < sizeof(names_) / sizeof(names_[0]); i++) {
        char *text = malloc(100000), *p = stpcpy(stpcpy(text, names_[i]), "=");
        memset(p, ',', 99000);
        memcpy(p, "T=any;b3,x-a", 12);
        p[99000] = 0;
        POLICY(text);
        CHECK_FOR(warned_count == 1 && strstr(warned_text, names_[i]), names_[i]);
        CHECK_FOR(carries("traceparent") && policy.names.extras == 0 && !goes(PEER_T, "a.com"),
                  names_[i]);
        free(text);
    }
}
END_TEST

int main(void)
{
    unit_begin("policy");
    UNIT(defaults);
    UNIT(mode);
    UNIT(bridges);
    UNIT(propagators);
    UNIT(headers_and_peers);
    UNIT(credentials);
    UNIT(directory);
    UNIT(too_long);
    return unit_run();
}
