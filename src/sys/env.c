/* SPDX-License-Identifier: Apache-2.0 */
/* env: see env.h. */
#include "sys/env.h"

#include <stddef.h>

extern char *getenv(const char *) __attribute__((weak));

const char *env_get(const char *name)
{
    return getenv ? getenv(name) : NULL;
}

bool env_is_off(void)
{
    const char *v = env_get("TRACEBATON");
    return v && v[0] == 'o' && v[1] == 'f' && v[2] == 'f' && v[3] == 0;
}
