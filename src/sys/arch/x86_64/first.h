/* SPDX-License-Identifier: Apache-2.0 */
/* first: see sys/first.h. No hook takes a floating-point argument. */
#ifndef TB_SYS_ARCH_FIRST_H
#define TB_SYS_ARCH_FIRST_H

__asm__(".set tb_first, 0");

#define FIRST_CALL(name)                                                                           \
    __asm__(".pushsection .text\n"                                                                 \
            ".globl first_" #name "\n.hidden first_" #name "\n.type first_" #name ", @function\n"  \
            "first_" #name ":\n"                                                                   \
            "\tmovl $tb_first, %r11d\n"                                                            \
            "\tjmp first_common\n"                                                                 \
            ".set tb_first, tb_first + 1\n.popsection");

#define FIRST_CALL_COMMON                                                                          \
    __asm__(".pushsection .text\n"                                                                 \
            "first_common:\n"                                                                      \
            "\tpushq %rbp\n"                                                                       \
            "\tmovq %rsp, %rbp\n"                                                                  \
            "\tpushq %rdi\n"                                                                       \
            "\tpushq %rsi\n"                                                                       \
            "\tpushq %rdx\n"                                                                       \
            "\tpushq %rcx\n"                                                                       \
            "\tpushq %r8\n"                                                                        \
            "\tpushq %r9\n"                                                                        \
            "\tpushq %rax\n"                                                                       \
            "\tpushq %r11\n"                                                                       \
            "\tcall real_bind\n"                                                                   \
            "\tpopq %r11\n"                                                                        \
            "\tpopq %rax\n"                                                                        \
            "\tpopq %r9\n"                                                                         \
            "\tpopq %r8\n"                                                                         \
            "\tpopq %rcx\n"                                                                        \
            "\tpopq %rdx\n"                                                                        \
            "\tpopq %rsi\n"                                                                        \
            "\tpopq %rdi\n"                                                                        \
            "\tpopq %rbp\n"                                                                        \
            "\tleaq real_(%rip), %r10\n"                                                           \
            "\tjmp *(%r10,%r11,8)\n"                                                               \
            ".popsection");

#endif
