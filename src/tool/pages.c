/* SPDX-License-Identifier: Apache-2.0 */
/* pages: read the accounts of processes (sys/page.h), which may be running or dead. A page is
 * another process's word: every length is checked before it is used. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool/tool.h"

static bool sane(const struct page_head *h)
{
    size_t values = (sizeof(*h) + (size_t)h->names_bytes + 7) & ~(size_t)7;
    return h->magic == PAGE_MAGIC && h->version == PAGE_VERSION && h->bytes == PAGE_BYTES &&
           h->names_bytes < PAGE_BYTES && h->counters < PAGE_BYTES / 8 &&
           h->ring_at <= PAGE_BYTES - 64 && values + h->counters * sizeof(uint64_t) <= h->ring_at &&
           h->events > 0 && h->event_bytes == sizeof(struct page_event) &&
           h->events <= (PAGE_BYTES - h->ring_at - 64) / sizeof(struct page_event);
}

/* Names are printed, to terminals and as JSON. */
static bool plain(const char *name)
{
    for (; *name; name++)
        if (*name < '!' || *name > '~' || *name == '"' || *name == '\\')
            return false;
    return true;
}

static bool find_names(struct tool_page *p)
{
    const char *at = p->bytes + sizeof(p->head), *end = at + p->head.names_bytes;
    p->counters = p->head.counters < TOOL_COUNTERS ? p->head.counters : TOOL_COUNTERS;
    for (unsigned i = 0; i < p->counters; i++) {
        p->name[i] = at;
        at = memchr(at, 0, (size_t)(end - at));
        if (!at++ || !plain(p->name[i]))
            return false;
    }
    size_t values = (sizeof(p->head) + (size_t)p->head.names_bytes + 7) & ~(size_t)7;
    memcpy(p->value, p->bytes + values, p->counters * sizeof(p->value[0]));
    return true;
}

/* Of a file only: whoever may write to the directory may have put a fifo there. @return -1: it
 * cannot be read */
static ssize_t read_file(const char *path, char *to, size_t n)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ssize_t got = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? read(fd, to, n) : -1;
    if (fd >= 0)
        close(fd);
    return got;
}

/* @return 1 a page, 0 none yet (the process died as it began), -1 something else */
static int read_page(const char *path, struct tool_page *p)
{
    ssize_t n = read_file(path, p->bytes, sizeof(p->bytes));
    if (n < 0) {
        fprintf(stderr, "tracebaton: %s: cannot be read\n", path);
        return 0;
    }
    memcpy(&p->head, p->bytes, sizeof(p->head));
    if (n == 0 || (n == PAGE_BYTES && p->head.magic == 0))
        return 0;
    return n == PAGE_BYTES && sane(&p->head) && find_names(p) ? 1 : -1;
}

static int one_page(const char *path, tool_page_fn each, void *ctx)
{
    struct tool_page *p = calloc(1, sizeof(*p));
    int r = p ? read_page(path, p) : 0;
    if (r < 0)
        fprintf(stderr, "tracebaton: %s: not a page of this version\n", path);
    if (r > 0)
        each(p, ctx);
    free(p);
    return r;
}

int tool_pages(const char *dir, tool_page_fn each, void *ctx)
{
    DIR *d = dir ? opendir(dir) : NULL;
    struct dirent *e;
    if (!d) {
        fprintf(stderr, "tracebaton: %s\n",
                dir ? "the directory cannot be read" : "give a directory or set TRACEBATON_DIR");
        return -1;
    }
    while ((e = readdir(d)) != NULL) {
        char path[4600];
        const char *dot = strrchr(e->d_name, '.');
        if (!dot || strcmp(dot, ".page") != 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        one_page(path, each, ctx);
    }
    closedir(d);
    return 0;
}
