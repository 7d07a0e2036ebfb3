/* SPDX-License-Identifier: Apache-2.0 */
/* run: set LD_PRELOAD and the options, then become the program. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/tool.h"

static const struct {
    const char *flag, *variable;
} options[] = {{"--dir", "TRACEBATON_DIR"},
               {"--propagators", "TRACEBATON_PROPAGATORS"},
               {"--headers", "TRACEBATON_HEADERS"},
               {"--peers", "TRACEBATON_PEERS"}};

static char *candidate(const char *dir, const char *rest)
{
    char *path, *real;
    if (asprintf(&path, "%s/%s", dir, rest) < 0)
        return NULL;
    real = realpath(path, NULL);
    free(path);
    return real;
}

char *tool_library(void)
{
    char self[PATH_MAX];
    const char *given = getenv("TRACEBATON_LIB");
    if (given && *given)
        return realpath(given, NULL);
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n < 0)
        return NULL;
    self[n] = 0;
    *strrchr(self, '/') = 0;
    char *path = candidate(self, "libtracebaton.so");
    return path ? path : candidate(self, "../lib/tracebaton/libtracebaton.so");
}

char *tool_which(const char *program)
{
    const char *path = getenv("PATH");
    if (!*program)
        return NULL;
    if (strchr(program, '/') || !path)
        return strdup(program);
    for (size_t n; *path; path += n + (path[n] == ':')) {
        char *full;
        n = strcspn(path, ":");
        if (asprintf(&full, "%.*s/%s", n ? (int)n : 1, n ? path : ".", program) < 0)
            return NULL;
        if (access(full, X_OK) == 0)
            return full;
        free(full);
    }
    return NULL;
}

static bool is_asan(const char *path)
{
    const char *base = strrchr(path, '/');
    base = base ? base + 1 : path;
    return strncmp(base, "libasan.so", 10) == 0 || strncmp(base, "libclang_rt.asan", 16) == 0;
}

/* Ours first, what was there after it; but the address sanitizer insists on being the first. */
static char *preload(const char *library)
{
    const char *old = getenv("LD_PRELOAD");
    char *list = NULL;
    if (!old || !*old)
        return strdup(library);
    size_t first = strcspn(old, ": ");
    char *head = strndup(old, first);
    int r = is_asan(head) ? asprintf(&list, "%s:%s%s", head, library, old + first)
                          : asprintf(&list, "%s:%s", library, old);
    free(head);
    return r < 0 ? NULL : list;
}

/* @return index of the program in argv, 0: usage */
static int parse(int argc, char **argv, bool *quiet)
{
    for (int i = 1; i < argc; i++) {
        size_t k = 0, n = sizeof(options) / sizeof(options[0]);
        if (strcmp(argv[i], "--") == 0)
            return i + 1 < argc ? i + 1 : 0;
        if (argv[i][0] != '-')
            return i;
        while (k < n && strcmp(argv[i], options[k].flag) != 0)
            k++;
        if (k < n && i + 1 < argc)
            setenv(options[k].variable, argv[++i], 1);
        else if (strcmp(argv[i], "--off") == 0 || strcmp(argv[i], "--shadow") == 0)
            setenv("TRACEBATON", argv[i] + 2, 1);
        else if (strcmp(argv[i], "--verbose") == 0)
            setenv("TRACEBATON_LOG", "1", 1);
        else if (strcmp(argv[i], "--quiet") == 0)
            *quiet = true;
        else
            return 0;
    }
    return 0;
}

static void warn_if_useless(const char *program)
{
    char *path = tool_which(program);
    if (path && !doctor_check(path, true))
        fprintf(stderr, "tracebaton: it will not work in %s; `tracebaton doctor %s` says why\n",
                program, program);
    free(path);
}

int verb_run(int argc, char **argv)
{
    bool quiet = false;
    int at = parse(argc, argv, &quiet);
    if (!at) {
        fputs(
            "usage: tracebaton run [--off|--shadow|--verbose|--quiet] [--dir D] [--propagators L]\n"
            "                      [--headers L] [--peers RULES] -- PROGRAM [ARG...]\n",
            stderr);
        return 2;
    }
    char *library = tool_library();
    if (!library) {
        fputs("tracebaton: libtracebaton.so was not found; set TRACEBATON_LIB\n", stderr);
        return 2;
    }
    if (!quiet)
        warn_if_useless(argv[at]);
    char *list = preload(library);
    if (!list || setenv("LD_PRELOAD", list, 1) != 0)
        return 2;
    execvp(argv[at], argv + at);
    fprintf(stderr, "tracebaton: %s: %s\n", argv[at], strerror(errno));
    return errno == ENOENT ? 127 : 126;
}
