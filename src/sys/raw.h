/* SPDX-License-Identifier: Apache-2.0 */
/*
 * raw: system calls without libc. They reach no hook (ours or anybody's), set no
 * errno, and are no cancellation points; a failure is a negative error number.
 */
#ifndef TB_SYS_RAW_H
#define TB_SYS_RAW_H

#include <sys/syscall.h>

#if defined(__x86_64__)
#include "sys/arch/x86_64/raw6.h"
#elif defined(__aarch64__)
#include "sys/arch/aarch64/raw6.h"
#elif defined(__riscv) && __riscv_xlen == 64
#include "sys/arch/riscv64/raw6.h"
#else
#error "no raw6.h for this CPU: write src/sys/arch/<cpu>/raw6.h"
#endif

#define raw0(n)                (raw6((n), 0, 0, 0, 0, 0, 0))
#define raw1(n, a)             (raw6((n), (a), 0, 0, 0, 0, 0))
#define raw2(n, a, b)          (raw6((n), (a), (b), 0, 0, 0, 0))
#define raw3(n, a, b, c)       (raw6((n), (a), (b), (c), 0, 0, 0))
#define raw4(n, a, b, c, d)    (raw6((n), (a), (b), (c), (d), 0, 0))
#define raw5(n, a, b, c, d, e) (raw6((n), (a), (b), (c), (d), (e), 0))

#endif
