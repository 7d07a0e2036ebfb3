/* SPDX-License-Identifier: Apache-2.0 */
/* env: the environment, through a weak getenv: never through the data symbol `environ`, whose copy
 * relocation goes stale and whose absence kills programs without libc. */
#ifndef TB_SYS_ENV_H
#define TB_SYS_ENV_H

#include <stdbool.h>

/** Value of a variable, or NULL. */
const char *env_get(const char *name);

/** All of it; NULL: not to be found. */
char *const *env_all(void);

/** Where libc (or the executable, in its copy) keeps it; NULL: not to be found. */
char ***env_place(void);

/** TRACEBATON=off: the kill switch. */
bool env_is_off(void);

#endif
