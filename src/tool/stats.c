/* SPDX-License-Identifier: Apache-2.0 */
/* stats: read the counters' pages (sys/page.h); the processes may be running or dead. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sys/page.h"
#include "tool/tool.h"

#define COUNTERS 512

struct sums {
    unsigned n, pages;
    char name[COUNTERS][64];
    uint64_t value[COUNTERS];
};

static void add(struct sums *s, const char *name, uint64_t value)
{
    unsigned i = 0;
    while (i < s->n && strcmp(s->name[i], name) != 0)
        i++;
    if (i == COUNTERS)
        return;
    if (i == s->n) {
        snprintf(s->name[s->n++], sizeof(s->name[0]), "%s", name);
        s->value[i] = 0;
    }
    s->value[i] += value;
}

/* A page is another process's word: every length is checked. */
static bool read_page(const char *page, struct sums *s)
{
    struct page_head h;
    memcpy(&h, page, sizeof(h));
    size_t names = sizeof(h), values = (names + h.names_bytes + 7) & ~(size_t)7;
    if (h.magic != PAGE_MAGIC || h.version != PAGE_VERSION || h.bytes != PAGE_BYTES ||
        h.names_bytes > PAGE_BYTES || h.counters > COUNTERS ||
        values + h.counters * sizeof(uint64_t) > PAGE_BYTES)
        return false;
    for (unsigned i = 0; i < h.counters; i++) {
        const char *end = memchr(page + names, 0, sizeof(h) + h.names_bytes - names);
        uint64_t v;
        if (!end)
            return false;
        memcpy(&v, page + values + i * sizeof(v), sizeof(v));
        add(s, page + names, v);
        names = (size_t)(end - page) + 1;
    }
    s->pages++;
    return true;
}

static void read_file(const char *path, struct sums *s)
{
    char page[PAGE_BYTES];
    FILE *f = fopen(path, "rb");
    if (!f)
        return;
    if (fread(page, 1, sizeof(page), f) != sizeof(page) || !read_page(page, s))
        fprintf(stderr, "tracebaton: %s: not a page of this version\n", path);
    fclose(f);
}

static int read_dir(const char *dir, struct sums *s)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    if (!d)
        return -1;
    while ((e = readdir(d)) != NULL) {
        char path[4600];
        const char *dot = strrchr(e->d_name, '.');
        if (!dot || strcmp(dot, ".page") != 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        read_file(path, s);
    }
    closedir(d);
    return 0;
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
        else
            dir = argv[i];
    if (!dir || read_dir(dir, &s) != 0) {
        fprintf(stderr, "tracebaton: %s\n",
                dir ? "the directory cannot be read" : "give a directory or set TRACEBATON_DIR");
        return 2;
    }
    print(&s, json);
    return 0;
}
