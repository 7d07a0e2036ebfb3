/* SPDX-License-Identifier: Apache-2.0 */
/*
 * first: pointers to functions that begin at a stub, which has all of them bound
 * and jumps to where the pointer then leads, with every register of a call as it
 * came (variadic ones, too). In C each stub would be a function that saves and
 * restores them by itself; there are dozens.
 *
 * FIRST_CALL(name) is the stub first_NAME. They are counted in the order in which
 * they stand, which is that of the pointers in `real_`. FIRST_CALL_COMMON is what
 * they share; it calls real_bind().
 */
#ifndef TB_SYS_FIRST_H
#define TB_SYS_FIRST_H

#if defined(__x86_64__)
#include "sys/arch/x86_64/first.h"
#elif defined(__aarch64__)
#include "sys/arch/aarch64/first.h"
#elif defined(__riscv) && __riscv_xlen == 64
#include "sys/arch/riscv64/first.h"
#else
#error "no first.h for this CPU: write src/sys/arch/<cpu>/first.h"
#endif

#endif
