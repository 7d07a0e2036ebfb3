/* SPDX-License-Identifier: Apache-2.0 */
/* first: see sys/first.h. No hook takes a floating-point argument. */
#ifndef TB_SYS_ARCH_FIRST_H
#define TB_SYS_ARCH_FIRST_H

__asm__(".set tb_first, 0");

#define FIRST_CALL(name)                                                                           \
    __asm__(".pushsection .text\n"                                                                 \
            ".globl first_" #name "\n.hidden first_" #name "\n.type first_" #name ", @function\n"  \
            "first_" #name ":\n"                                                                   \
            "\tli t1, tb_first\n"                                                                  \
            "\tj first_common\n"                                                                   \
            ".set tb_first, tb_first + 1\n.popsection");

#define FIRST_CALL_COMMON                                                                          \
    __asm__(".pushsection .text\n"                                                                 \
            "first_common:\n"                                                                      \
            "\taddi sp, sp, -80\n"                                                                 \
            "\tsd ra, 0(sp)\n"                                                                     \
            "\tsd a0, 8(sp)\n"                                                                     \
            "\tsd a1, 16(sp)\n"                                                                    \
            "\tsd a2, 24(sp)\n"                                                                    \
            "\tsd a3, 32(sp)\n"                                                                    \
            "\tsd a4, 40(sp)\n"                                                                    \
            "\tsd a5, 48(sp)\n"                                                                    \
            "\tsd a6, 56(sp)\n"                                                                    \
            "\tsd a7, 64(sp)\n"                                                                    \
            "\tsd t1, 72(sp)\n"                                                                    \
            "\tcall real_bind\n"                                                                   \
            "\tld ra, 0(sp)\n"                                                                     \
            "\tld a0, 8(sp)\n"                                                                     \
            "\tld a1, 16(sp)\n"                                                                    \
            "\tld a2, 24(sp)\n"                                                                    \
            "\tld a3, 32(sp)\n"                                                                    \
            "\tld a4, 40(sp)\n"                                                                    \
            "\tld a5, 48(sp)\n"                                                                    \
            "\tld a6, 56(sp)\n"                                                                    \
            "\tld a7, 64(sp)\n"                                                                    \
            "\tld t1, 72(sp)\n"                                                                    \
            "\taddi sp, sp, 80\n"                                                                  \
            "\tlla t2, real_\n"                                                                    \
            "\tslli t1, t1, 3\n"                                                                   \
            "\tadd t2, t2, t1\n"                                                                   \
            "\tld t2, 0(t2)\n"                                                                     \
            "\tjr t2\n"                                                                            \
            ".popsection");

#endif
