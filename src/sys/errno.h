/* SPDX-License-Identifier: Apache-2.0 */
/* errno: the program's errno, reached through a weak reference (a program may have no libc). */
#ifndef TB_SYS_ERRNO_H
#define TB_SYS_ERRNO_H

extern int *__errno_location(void) __attribute__((weak));

static inline int tb_errno_get(void)
{
    return __errno_location ? *__errno_location() : 0;
}

static inline void tb_errno_set(int e)
{
    if (__errno_location)
        *__errno_location() = e;
}

#endif
