/* SPDX-License-Identifier: Apache-2.0 */
/* main: the verb table. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "tool/tool.h"
#include "tracebaton.h"

static int verb_version(int argc, char **argv)
{
    (void)argc, (void)argv;
    puts("tracebaton " TB_VERSION);
    return 0;
}

static int verb_help(int argc, char **argv);

static const struct {
    const char *name;
    verb_fn run;
    const char *usage, *help;
    int most; /* arguments, of verbs that have a fixed number */
} verbs[] = {
    {"run", verb_run, "[OPTION...] -- PROGRAM [ARG...]",
     "start a program with the library preloaded", INT_MAX},
    {"doctor", verb_doctor, "PROGRAM", "say whether the library can work in a program, and why not",
     INT_MAX},
    {"stats", verb_stats, "[--json] [DIR]",
     "print the counters of the processes under TRACEBATON_DIR", 2},
    {"why", verb_why, "[--json] [--pid PID] [DIR]",
     "print the last decisions: which rule, or why none", 4},
    {"headers", verb_headers, "", "print the headers carried under the current environment", 0},
    {"version", verb_version, "", "print the version", 0},
    {"help", verb_help, "", "print this text", 0},
};

static int verb_help(int argc, char **argv)
{
    (void)argc, (void)argv;
    puts("usage: tracebaton VERB ...\n");
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        printf("  %-8s %-34s %s\n", verbs[i].name, verbs[i].usage, verbs[i].help);
    return 0;
}

int tool_usage(const char *verb)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(verb, verbs[i].name) == 0)
            fprintf(stderr, "usage: tracebaton %s %s\n", verb, verbs[i].usage);
    return 2;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "help";
    if (strncmp(name, "--", 2) == 0)
        name += 2;
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(name, verbs[i].name) == 0)
            return argc - 2 > verbs[i].most ? tool_usage(name) : verbs[i].run(argc - 1, argv + 1);
    fprintf(stderr, "tracebaton: no verb `%s`; try `tracebaton help`\n", name);
    return 2;
}
