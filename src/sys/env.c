/* SPDX-License-Identifier: Apache-2.0 */
/* env: see env.h. */
#include "sys/env.h"

#include <stddef.h>

#include "sys/next.h"

extern char *getenv(const char *) __attribute__((weak));

const char *env_get(const char *name)
{
    return getenv ? getenv(name) : NULL;
}

char ***env_place(void)
{
    static char ***place;
    char ***p = __atomic_load_n(&place, __ATOMIC_RELAXED);
    if (!p) {
        p = next_find_any("environ");
        __atomic_store_n(&place, p, __ATOMIC_RELAXED);
    }
    return p;
}

char *const *env_all(void)
{
    char ***place = env_place();
    return place ? *place : NULL;
}

bool env_is_off(void)
{
    const char *v = env_get("TRACEBATON");
    return v && v[0] == 'o' && v[1] == 'f' && v[2] == 'f' && v[3] == 0;
}
