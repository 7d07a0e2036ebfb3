/* SPDX-License-Identifier: Apache-2.0 */
/* object: a loaded ELF object, as dl_iterate_phdr tells of it. */
#ifndef TB_SYS_OBJECT_H
#define TB_SYS_OBJECT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <link.h>

#include "sys/elfwalk.h"

extern int dl_iterate_phdr(int (*)(struct dl_phdr_info *, size_t, void *), void *)
    __attribute__((weak));

/** Its readable segments and dynamic section. @return whether symbols can be looked up */
bool object_describe(struct elfwalk *w, const struct dl_phdr_info *info);

/** Is it this library? */
bool object_is_us(const struct dl_phdr_info *info);

#endif
