/* SPDX-License-Identifier: Apache-2.0 */
/* env: the environment, through a weak getenv: never through the data symbol `environ`, whose copy
 * relocation goes stale and whose absence kills programs without libc. */
#ifndef TB_SYS_ENV_H
#define TB_SYS_ENV_H

#include <stdbool.h>

/** Value of a variable, or NULL. */
const char *env_get(const char *name);

/** TRACEBATON=off: the kill switch. */
bool env_is_off(void);

#endif
