/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_names: the list of headers against tests/data/propagators.tsv, selecting
 * groups, the user's own names, and looking names up. (tests/docs compares the
 * list with docs/headers.md.)
 */
#include "unit/unit.h"

#include <ctype.h>

#include "core/names.h"
#include "core/valid.h"
#include "unit/warned.h"

static struct names names;

/* Arguments live in blocks of exactly their size. */
static struct span exact(const char *s)
{
    size_t n = strlen(s);
    char *p = malloc(n + !n);
    memcpy(p, s, n);
    return (struct span){p, n};
}

static int find(const char *name)
{
    struct span s = exact(name);
    int id = names_find(&names, s);
    free((char *)s.p);
    return id;
}

/* Configure: a list or NULL for the default, and further names. */
static void configure(const char *list, const char *extra)
{
    struct span l = exact(list ? list : ""), x = exact(extra);
    warned_reset();
    names_default(&names);
    if (list)
        names_select(&names, l, warned);
    names_add(&names, x, warned);
    free((char *)l.p);
    free((char *)x.p);
}

/* --- the list ----------------------------------------------------------- */

static char *slurp(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = calloc(1, 1 << 20);
    CHECK_SAY(f && fread(text, 1, (1 << 20) - 1, f) > 0, "%s cannot be read", path);
    fclose(f);
    return text;
}

static const struct names_row *row_named(const char *name, int *id)
{
    for (*id = 0; *id < NAMES_BUILTIN; ++*id)
        if (strcmp(names_rows[*id].name, name) == 0)
            return &names_rows[*id];
    return NULL;
}

static int default_of(const char *note)
{
    static const char *const begins[] = {"default=on", "opt-in", "refuse unless", "never"};
    for (int i = 0; i < 4; i++)
        if (strncmp(note, begins[i], strlen(begins[i])) == 0)
            return i;
    return -1;
}

START_TEST(against_tsv)
{
    static const char *const several[] = {"first", "join", "all"};
    char *text = slurp("tests/data/propagators.tsv");
    unsigned rows = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        char *f[7] = {line};
        for (int i = 1; i < 7 && f[i - 1]; i++)
            if ((f[i] = strchr(f[i - 1], '\t')) != NULL)
                *f[i]++ = 0;
        if (line[0] == '#' || strcmp(f[0], "propagator") == 0)
            continue;
        int id;
        const struct names_row *r = f[6] ? row_named(f[1], &id) : NULL;
        CHECK_FOR(r != NULL, f[1]);
        rows++;
        CHECK_FOR(strcmp(names_groups[r->group], f[0]) == 0, f[1]);
        CHECK_FOR((r->match == MATCH_PREFIX) == (strcmp(f[2], "prefix") == 0), f[1]);
        CHECK_FOR(r->max == atoi(f[3]), f[1]);
        CHECK_FOR(strcmp(several[r->several], f[4]) == 0 ||
                      (r->match == MATCH_PREFIX && r->def == DEFAULT_OPT),
                  f[1]);
        CHECK_FOR(r->def == default_of(f[6]), f[1]);
        bool identity = strstr(f[6], "identity") != NULL;
        CHECK_FOR(!identity || r->role == ROLE_H_IDENTITY || r->def == DEFAULT_LISTED, f[1]);
        CHECK_FOR(!strstr(f[6], "baggage class") || r->cls == PEER_U, f[1]);
    }
    CHECK(rows == NAMES_BUILTIN);
    free(text);
}
END_TEST

/* R11, what ids below 64 stand for, and that names are names. */
START_TEST(rows_are_sane)
{
    bool companion = false, user = false;
    for (int id = 0; id < NAMES_BUILTIN; id++) {
        const struct names_row *r = &names_rows[id];
        CHECK_FOR(valid_token((struct span){r->name, r->len}) && r->len == strlen(r->name),
                  r->name);
        CHECK_FOR(r->len <= 128 && (r->def == DEFAULT_NEVER) == (r->max == 0), r->name);
        CHECK_FOR((r->cls == PEER_C) == (r->def == DEFAULT_LISTED), r->name);
        CHECK_FOR(r->def == DEFAULT_NEVER || id < 64, r->name);
        for (const char *p = r->name; *p; p++)
            CHECK_FOR(!isupper((unsigned char)*p), r->name);
        companion |= r->role == ROLE_H_COMPANION && r->cls != PEER_I;
        CHECK_FOR(!companion || r->role != ROLE_H_IDENTITY, r->name);
        user |= id == NAME_BAGGAGE;
        CHECK_FOR(!user || id == NAME_BAGGAGE || r->def == DEFAULT_NEVER, r->name);
        int other;
        CHECK_FOR(row_named(r->name, &other) == r, r->name);
    }
    CHECK(NAME_X_REQUEST_ID == 0);
}
END_TEST

/* --- selecting -------------------------------------------------------------------------------- */

/* Every row is found exactly when its group is on. */
static void selected(const char *groups)
{
    for (int id = 0; id < NAMES_BUILTIN; id++) {
        const struct names_row *r = &names_rows[id];
        char name[80], item[40];
        snprintf(name, sizeof(name), "%s%s", r->name, r->match == MATCH_PREFIX ? "x" : "");
        snprintf(item, sizeof(item), ",%s,", names_groups[r->group]);
        bool on = r->def < DEFAULT_LISTED && strstr(groups, item);
        int got = find(name);
        CHECK_FOR(on ? got == id : got < 0 || (got >= NAMES_BUILTIN && got < NAMES_EXTRA), name);
    }
}

START_TEST(by_default)
{
    configure(NULL, "");
    selected(",request-id,tracecontext,b3,b3multi,datadog,sw8,xray,gcp,grpc-trace-bin,"
             "ot-span-context,baggage,");
    CHECK(names.extras == 0 && !warned_count);
}
END_TEST

START_TEST(by_group)
{
    for (int g = 0; g < GROUP_COUNT; g++) {
        char want[80];
        if (g == GROUP_NEVER || g == GROUP_ISTIO_ROUTING)
            continue;
        configure(names_groups[g], "");
        snprintf(want, sizeof(want), ",request-id,%s,", names_groups[g]);
        selected(want);
        CHECK_FOR(!warned_count, names_groups[g]);
    }
}
END_TEST

START_TEST(lists)
{
    configure(" TraceContext ,\tB3Multi,b3multi,, ", "");
    selected(",request-id,tracecontext,b3multi,");
    CHECK(!warned_count);
    configure("none", "");
    selected(",");
    configure("none,b3", "");
    selected(",request-id,b3,");
    configure("tracecontext,xray-lambda,never,istio-routing", "");
    selected(",request-id,tracecontext,");
    CHECK(warned_count == 3 && strstr(warned_text, "xray-lambda"));
    configure("nonsense", "");
    selected(",request-id,");
    configure(NULL, "");
    names.strict = true;
    names_default(&names);
    CHECK(!names.strict);
}
END_TEST

/* --- the user's own --------------------------------------------------------------------------- */

START_TEST(extras)
{
    configure(NULL, "X-Tenant, route-* ,x-tenant,ROUTE-*");
    CHECK(names.extras == 2 && !warned_count);
    CHECK(find("x-tenant") == NAMES_EXTRA && find("x-tenan") < 0 && find("x-tenants") < 0);
    CHECK(find("route-a") == NAMES_EXTRA + 1 && find("route-") < 0 && find("route") < 0);
    const struct names_row *r = names_row(&names, NAMES_EXTRA);
    CHECK(r->cls == PEER_T && r->role == ROLE_H_LONE && r->max == NAMES_EXTRA_MAX);
    CHECK(names_carried(&names, NAMES_EXTRA + 1) && !names_carried(&names, NAMES_EXTRA + 2));
    CHECK(!names_carried(&names, -1) && !names_carried(&names, NAME_HOST));
    CHECK(!names_carried(&names, NAME_COOKIE) && !names_carried(&names, 65535));
    selected(",request-id,tracecontext,b3,b3multi,datadog,sw8,xray,gcp,grpc-trace-bin,"
             "ot-span-context,baggage,");
}
END_TEST

/* A name of the list keeps its row's rules. */
START_TEST(known_extras)
{
    configure("tracecontext", "uber-trace-id,user-agent,b3,l5d-ctx-*,uberctx-tenant,x-datadog-*");
    CHECK(!warned_count);
    CHECK(find("uber-trace-id") == NAME_UBER_TRACE_ID && find("user-agent") == NAME_USER_AGENT);
    CHECK(find("b3") == NAME_B3 && find("x-b3-traceid") < 0);
    CHECK(find("l5d-ctx-trace") == NAME_L5D_CTX);
    CHECK(find("uberctx-other") < 0);
    int id = find("uberctx-tenant");
    CHECK(id >= NAMES_EXTRA && names_row(&names, id)->cls == PEER_U);
    CHECK(find("x-datadog-origin") == NAME_X_DATADOG_ORIGIN);
    CHECK(find("x-datadog-other") >= NAMES_EXTRA);
    configure("none", "x-*-not-a-pattern,tracestate");
    CHECK(find("x-request-id") < 0 && find("tracestate") == NAME_TRACESTATE);
}
END_TEST

START_TEST(credentials)
{
    configure(NULL, "Cookie,authorization,jwt");
    CHECK(!warned_count && names.extras == 3);
    for (int i = 0; i < 3; i++)
        CHECK(names_row(&names, NAMES_EXTRA + i)->cls == PEER_C);
    CHECK(find("cookie") == NAMES_EXTRA && find("authorization") == NAMES_EXTRA + 1);
    configure(NULL, "");
    CHECK(find("authorization") == NAME_AUTH && find("cookie") < 0);
}
END_TEST

START_TEST(needed)
{
    const char *const lists_[] = {NULL, "none", "b3"};
    for (int i = 0; i < 3; i++) {
        configure(lists_[i], "s*,sig*,zz-*");
        CHECK(find("host") == NAME_HOST && find("authorization") == NAME_AUTH);
        CHECK(find("signature-input") == NAME_SIGNATURE_INPUT &&
              find("connection") == NAME_CONNECTION);
        CHECK(find("hos") < 0 && find("hosts") < 0 && find("") < 0);
    }
}
END_TEST

START_TEST(refused)
{
    static const char *const bad[] = {
        "host",
        "Connection",
        "transfer-encoding",
        "content-length",
        "te",
        "x-forwarded-for",
        "x-forwarded-f*",
        "x-forwarded-*",
        "x-forw*",
        "x-envoy-attempt-count",
        "x-envoy-upstream*",
        "x-amz-date",
        "x-goog-date",
        "proxy-authorization",
        "x-*",
        "X*",
        "*",
        "c*",
        "cook*",
        "auth*",
        "authorization*",
        "j*",
        "h*",
        "signature-input",
        "a b",
        "a:b",
        "caf\xc3\xa9",
        "a\r\nb",
        "x-*-y",
        "forwarded",
        "via",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        configure(NULL, bad[i]);
        CHECK_FOR(warned_count == 1 && names.extras == 0, bad[i]);
    }
    configure(NULL, "x-envoy-force-trace"); /* the one exception has its own row */
    CHECK(!warned_count && find("x-envoy-force-trace") == NAME_X_ENVOY_FORCE_TRACE);
}
END_TEST

START_TEST(capacity)
{
    char list[2048] = "", *p = list, name[NAMES_EXTRA_LEN + 2];
    for (int i = 0; i < NAMES_EXTRAS + 3; i++)
        p += sprintf(p, "q%d,", i);
    configure(NULL, list);
    CHECK(names.extras == NAMES_EXTRAS && warned_count == 3);
    CHECK(find("q0") == NAMES_EXTRA && find("q31") == NAMES_EXTRA + 31 && find("q32") < 0);
    configure(NULL, "");
    for (int i = 0; i < 300; i++) /* the index is made anew each time */
        names_add(&names, SPAN("q-*,r-*"), warned);
    CHECK(names.extras == 2 && names.prefixes == 2 && find("r-1") == NAMES_EXTRA + 1);
    memset(name, 'a', sizeof(name));
    for (size_t n = NAMES_EXTRA_LEN - 2; n <= NAMES_EXTRA_LEN + 1; n++) {
        name[n] = 0;
        configure(NULL, name);
        CHECK((names.extras == 1) == (n < NAMES_EXTRA_LEN) &&
              warned_count == (n >= NAMES_EXTRA_LEN));
        CHECK(n >= NAMES_EXTRA_LEN ||
              (find(name) == NAMES_EXTRA && !strcmp(names.extra[0].name, name)));
        name[n] = 'a';
    }
}
END_TEST

/* names_find() against a plain search, under random configurations. */
START_TEST(against_search)
{
    for (int i = 0; i < 300; i++) {
        char list[128] = "", extra[128] = "";
        for (unsigned k = unit_random(5); k > 0; k--)
            sprintf(list + strlen(list), "%s,", names_groups[unit_random(GROUP_COUNT)]);
        for (unsigned k = unit_random(4); k > 0; k--)
            sprintf(extra + strlen(extra), "%c%c%s,", "xyzq"[unit_random(4)], "-ab"[unit_random(3)],
                    unit_random(2) ? "*" : "");
        configure(list, extra);
        for (int k = 0; k < 300; k++) {
            char name[24];
            int want = -1;
            size_t n = 1 + unit_random(6);
            for (size_t j = 0; j < n; j++)
                name[j] = "xyzqab-3"[unit_random(8)];
            name[n] = 0;
            for (int j = 0; j < names.extras; j++) {
                const struct names_extra *x = &names.extra[j];
                bool hit = x->prefix ? n > x->len && memcmp(name, x->name, x->len) == 0
                                     : strcmp(name, x->name) == 0;
                if (hit && (want < 0 || !x->prefix))
                    want = NAMES_EXTRA + j;
            }
            if (strcmp(name, "b3") == 0)
                want = names.on >> GROUP_B3 & 1 ? NAME_B3 : want;
            CHECK_FOR(find(name) == want, name);
        }
    }
}
END_TEST

/* Whatever the lists are: no byte beyond them is read, nothing forbidden is let in. */
START_TEST(hostile)
{
    static const char bytes[] = "htxc*,, \t-\x01\x80oste:ookienv";
    for (int i = 0; i < 50000; i++) {
        char list[64];
        size_t n = unit_random(sizeof(list) - 1);
        for (size_t k = 0; k < n; k++)
            list[k] = bytes[unit_random(sizeof(bytes) - 1)];
        list[n] = 0;
        configure(list, list);
        CHECK(find("host") == NAME_HOST && find("te") < 0 && find("x-envoy-x") < 0);
    }
}
END_TEST

int main(void)
{
    unit_begin("names");
    UNIT(against_tsv);
    UNIT(rows_are_sane);
    UNIT(by_default);
    UNIT(by_group);
    UNIT(lists);
    UNIT(extras);
    UNIT(known_extras);
    UNIT(credentials);
    UNIT(needed);
    UNIT(refused);
    UNIT(capacity);
    UNIT(against_search);
    UNIT(hostile);
    return unit_run();
}
