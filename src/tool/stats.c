/* SPDX-License-Identifier: Apache-2.0 */
/* stats: the counters of all pages of a directory, summed by name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool/tool.h"

struct sums {
    unsigned n, pages;
    char name[TOOL_COUNTERS][64];
    uint64_t value[TOOL_COUNTERS];
};

static void add(struct sums *s, const char *name, uint64_t value)
{
    unsigned i = 0;
    while (i < s->n && strcmp(s->name[i], name) != 0)
        i++;
    if (i == TOOL_COUNTERS)
        return;
    if (i == s->n) {
        snprintf(s->name[s->n++], sizeof(s->name[0]), "%s", name);
        s->value[i] = 0;
    }
    s->value[i] += value;
}

static void add_page(const struct tool_page *p, void *ctx)
{
    struct sums *s = ctx;
    for (unsigned i = 0; i < p->counters; i++)
        add(s, p->name[i], p->value[i]);
    s->pages++;
}

static void print(const struct sums *s, bool json)
{
    printf(json ? "{\"processes\": %u" : "processes %u\n", s->pages);
    for (unsigned i = 0; i < s->n; i++)
        if (json)
            printf(", \"%s\": %llu", s->name[i], (unsigned long long)s->value[i]);
        else if (s->value[i])
            printf("%-34s %llu\n", s->name[i], (unsigned long long)s->value[i]);
    if (json)
        puts("}");
}

int verb_stats(int argc, char **argv)
{
    static struct sums s;
    const char *dir = getenv("TRACEBATON_DIR");
    bool json = false;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--json") == 0)
            json = true;
        else if (argv[i][0] == '-')
            return tool_usage(argv[0]);
        else
            dir = argv[i];
    if (tool_pages(dir, add_page, &s) != 0)
        return 2;
    print(&s, json);
    return 0;
}
