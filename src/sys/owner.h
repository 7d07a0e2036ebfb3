/* SPDX-License-Identifier: Apache-2.0 */
/* owner: which loaded object does an address lie in? What calls us tells what its thread may hold.
 */
#ifndef TB_SYS_OWNER_H
#define TB_SYS_OWNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Does an address lie in an object whose file name begins with one of these (the executable: the
 *  name of /proc/self/exe)? Takes the loader's lock, but for the answers it remembers. */
bool owner_named(uintptr_t at, const char *const *names, size_t n);

#endif
