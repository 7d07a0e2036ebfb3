/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_policy: the user's words. The input is `NAME=value` lines, an environment.
 * Nothing in it may fault, no table may overflow, each mistake is warned of at
 * most once, and names that may never be carried are not, whatever is asked for.
 */
#define _GNU_SOURCE
#define FUZZ_NAME "policy"
#define FUZZ_TOKENS                                                                                \
    "TRACEBATON_", "HEADERS=", "PEERS=", "PROPAGATORS=", "BRIDGES=", "ATTRIBUTION=",               \
        "OTEL_PROPAGATORS=", "\n", ",", ";", "*", "!", "/", ":", "T=any", "U=mesh",                \
        "signed=insert", "none", "b3", "off", "-", " "
#include "fuzz/fuzz.h"

#include "../../src/engine/policy.c"

static const char *fuzz_seeds(void)
{
    static const char *const seeds[] = {
        "TRACEBATON=shadow\nTRACEBATON_ATTRIBUTION=best\nTRACEBATON_TRACESTATE=strict\nTRACEBATON_"
        "DIR=/"
        "tmp/x\n",
        "TRACEBATON_PROPAGATORS=tracecontext,b3,none\nOTEL_PROPAGATORS=baggage\nTRACEBATON_HEADERS="
        "x-a,"
        "p-*,host,cookie\n",
        "TRACEBATON_PEERS=T=any;U=mesh,+.partner.example,10.9.0.0/"
        "16,!legacy.svc;C=[fd00::1]:443;signed=insert\n",
        "TRACEBATON_HEADERS=connection,te,x-forwarded-for,x-envoy-*,*,a*b,proxy-"
        "authorization\nTRACEBATON=off\n"};
    for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++)
        fuzz_seed(seeds[i], strlen(seeds[i]));
    return NULL;
}

static char environment[8192];
static unsigned warnings;

static const char *look_up(const char *name)
{
    size_t n = strlen(name);
    for (char *line = environment; *line; line += strlen(line) + 1)
        if (strncmp(line, name, n) == 0 && line[n] == '=')
            return line + n + 1;
    return NULL;
}

static void warned(const char *what, const char *detail, size_t n)
{
    if (!what || (n && !detail))
        says("a warning about nothing");
    for (size_t i = 0; i < n; i++) /* readable */
        warnings += (unsigned)(detail[i] == 0) * 0;
    warnings++;
}

static const char *fuzz_judge(const uint8_t *data, size_t n)
{
    static struct policy p;
    static const char *const never[] = {"host",    "connection",        "te",
                                        "upgrade", "transfer-encoding", "content-length",
                                        "expect",  "keep-alive"};
    size_t commas = 8;
    if (n > sizeof(environment) - 2)
        return NULL;
    memcpy(environment, data, n);
    environment[n] = environment[n + 1] = 0;
    for (size_t i = 0; i < n; i++) {
        commas += environment[i] == ' ' || environment[i] == '\t' || environment[i] == ',' ||
                  environment[i] == ';' || environment[i] == '\n';
        if (environment[i] == '\n')
            environment[i] = 0;
    }
    warnings = 0;
    policy_init(&p, look_up, warned);
    if (warnings > 2 * commas)
        says("more warnings than words");
    if (p.names.extras > NAMES_EXTRAS || p.peers.n > PEERS_RULES || p.dir[sizeof(p.dir) - 1])
        says("a table overflows");
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        int id = names_find(&p.names, (struct span){never[i], strlen(never[i])});
        if (id >= 0 && names_carried(&p.names, id))
            says("a header that may never be carried is");
    }
    return NULL;
}
