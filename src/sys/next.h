/* SPDX-License-Identifier: Apache-2.0 */
/*
 * next: the definitions that would have been bound without us. Our own walk over
 * dl_iterate_phdr, not dlsym: that is absent in programs that are not linked to
 * it (glibc before 2.34), takes its caller from the return address, and may
 * allocate. Only this room resolves symbols.
 */
#ifndef TB_SYS_NEXT_H
#define TB_SYS_NEXT_H

#include <stddef.h>

/** For each name the first definition in the objects loaded after our own, or NULL. */
void next_find_many(const char *const *names, void **out, size_t n);

/** ... in any object but ours. */
void next_find_loaded(const char *const *names, void **out, size_t n);

/** The first definition in any object but ours (the executable comes first), or NULL. */
void *next_find_any(const char *name);

#endif
