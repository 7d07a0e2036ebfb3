/* SPDX-License-Identifier: Apache-2.0 */
/* first: see sys/first.h. No hook takes a floating-point argument. */
#ifndef TB_SYS_ARCH_FIRST_H
#define TB_SYS_ARCH_FIRST_H

__asm__(".set tb_first, 0");

#define FIRST_CALL(name)                                                                           \
    __asm__(".pushsection .text\n"                                                                 \
            ".globl first_" #name "\n.hidden first_" #name "\n.type first_" #name ", @function\n"  \
            "first_" #name ":\n"                                                                   \
            "\tmovz w16, #tb_first\n"                                                              \
            "\tb first_common\n"                                                                   \
            ".set tb_first, tb_first + 1\n.popsection");

#define FIRST_CALL_COMMON                                                                          \
    __asm__(".pushsection .text\n"                                                                 \
            "first_common:\n"                                                                      \
            "\tstp x29, x30, [sp, #-96]!\n"                                                        \
            "\tmov x29, sp\n"                                                                      \
            "\tstp x0, x1, [sp, #16]\n"                                                            \
            "\tstp x2, x3, [sp, #32]\n"                                                            \
            "\tstp x4, x5, [sp, #48]\n"                                                            \
            "\tstp x6, x7, [sp, #64]\n"                                                            \
            "\tstp x8, x16, [sp, #80]\n"                                                           \
            "\tbl real_bind\n"                                                                     \
            "\tldp x0, x1, [sp, #16]\n"                                                            \
            "\tldp x2, x3, [sp, #32]\n"                                                            \
            "\tldp x4, x5, [sp, #48]\n"                                                            \
            "\tldp x6, x7, [sp, #64]\n"                                                            \
            "\tldp x8, x16, [sp, #80]\n"                                                           \
            "\tldp x29, x30, [sp], #96\n"                                                          \
            "\tadrp x17, real_\n"                                                                  \
            "\tadd x17, x17, :lo12:real_\n"                                                        \
            "\tldr x17, [x17, x16, lsl #3]\n"                                                      \
            "\tbr x17\n"                                                                           \
            ".popsection");

#endif
