/* SPDX-License-Identifier: Apache-2.0 */
/* tool: the `tracebaton` command: a normal program, one file a verb. */
#ifndef TB_TOOL_TOOL_H
#define TB_TOOL_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sys/page.h"

/** A verb: argv[0] is its name. @return the exit status */
typedef int (*verb_fn)(int argc, char **argv);

int verb_run(int argc, char **argv);
int verb_doctor(int argc, char **argv);
int verb_stats(int argc, char **argv);
int verb_why(int argc, char **argv);
int verb_headers(int argc, char **argv);

/** Say on stderr how a verb is used. @return 2, the exit status */
int tool_usage(const char *verb);

#define TOOL_COUNTERS 512

/** The account of one process, as it was when it was read. */
struct tool_page {
    struct page_head head;
    unsigned counters;
    const char *name[TOOL_COUNTERS];
    uint64_t value[TOOL_COUNTERS];
    char bytes[PAGE_BYTES];
};
typedef void (*tool_page_fn)(const struct tool_page *page, void *ctx);

/** Read all pages of a directory. @return 0; -1: it cannot be read (said on stderr) */
int tool_pages(const char *dir, tool_page_fn each, void *ctx);

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
