/* SPDX-License-Identifier: Apache-2.0 */
/* policy: what the user asked for. Read once from the environment, constant from then on. Unknown
 * values are told to `warn` once each and ignored: a wrong option never changes the program. */
#ifndef TB_ENGINE_POLICY_H
#define TB_ENGINE_POLICY_H

#include "core/names.h"
#include "core/peers.h"

#define POLICY_DIR 4096

/** Which variables tell a child process its context. */
enum policy_env { POLICY_ENV_OWN, POLICY_ENV_OTEL, POLICY_ENV_OFF };

struct policy {
    struct names names;
    struct peers peers;
    bool off;             /* TRACEBATON=off */
    bool shadow;          /* TRACEBATON=shadow: decide and count, change no byte */
    bool best;            /* TRACEBATON_ATTRIBUTION=best */
    uint8_t env;          /* TRACEBATON_ENV: enum policy_env */
    uint32_t bridges;     /* TRACEBATON_BRIDGES: bit 1 << enum bridge_id */
    char dir[POLICY_DIR]; /* TRACEBATON_DIR, empty: none */
};

/** @param env  looks a variable up; NULL: unset
 *  @param warn is given what is wrong and the text it is wrong with (not terminated) */
void policy_init(struct policy *p, const char *(*env)(const char *name),
                 void (*warn)(const char *what, const char *detail, size_t n));

#endif
