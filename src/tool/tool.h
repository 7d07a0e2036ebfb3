/* SPDX-License-Identifier: Apache-2.0 */
/* tool: the `tracebaton` command: a normal program, one file a verb. */
#ifndef TB_TOOL_TOOL_H
#define TB_TOOL_TOOL_H

#include <stdbool.h>
#include <stddef.h>

/** A verb: argv[0] is its name. @return the exit status */
typedef int (*verb_fn)(int argc, char **argv);

int verb_run(int argc, char **argv);
int verb_doctor(int argc, char **argv);
int verb_stats(int argc, char **argv);
int verb_headers(int argc, char **argv);

/** Where libtracebaton.so is: TRACEBATON_LIB, beside the command, or ../lib/tracebaton. NULL: not
 *  found. The caller frees it. */
char *tool_library(void);

/** Full path of a program as execvp would find it; the caller frees it. */
char *tool_which(const char *program);

/** What an ELF file says of itself. */
struct elf_facts {
    bool elf, this_class, this_machine, dynamic, go, interpreted, musl;
    unsigned machine;
    char interpreter[256];
};

/** @return 0, or an errno: the file cannot be read */
int elf_look(const char *path, struct elf_facts *facts);

/** Check a program; lines on stdout unless quiet. @return whether the library can work in it */
bool doctor_check(const char *path, bool quiet);

#endif
