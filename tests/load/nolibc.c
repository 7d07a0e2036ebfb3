/* SPDX-License-Identifier: Apache-2.0 */
/* nolibc: a dynamic program that has no libc at all: the library must not keep it from starting. */
#include "sys/raw.h"

void _start(void)
{
    static const char text[] = "alive\n";
    raw3(SYS_write, 1, (long)text, sizeof(text) - 1);
    raw1(SYS_exit_group, 0);
    for (;;)
        ;
}
