/* SPDX-License-Identifier: Apache-2.0 */
/* why: the last decisions of all processes of a directory, in the order of time: which request came
 * in with which trace, and of each that went out which rule decided, or why none did. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tool/tool.h"

struct line {
    uint64_t time, seq;
    uint32_t pid;
    char text[240];
};

struct lines {
    struct line *line;
    size_t n, room;
    bool json;
    long pid; /* only this one; 0: all */
};

static const char *name_of(const struct tool_page *p, unsigned id)
{
    return id < p->counters ? p->name[id] : "-";
}

static void write_peer(const struct page_event *e, char *to, size_t n)
{
    char ip[INET6_ADDRSTRLEN] = "";
    if (e->family == 1)
        snprintf(to, n, "unix");
    else if (inet_ntop(e->family == 6 ? AF_INET6 : AF_INET, e->ip, ip, sizeof(ip)) && e->family)
        snprintf(to, n, e->family == 6 ? "[%s]:%u" : "%s:%u", ip, e->port);
    else
        snprintf(to, n, "-");
}

static void write_trace(const struct page_event *e, char *to)
{
    bool any = false;
    for (int i = 0; i < 16; i++) {
        sprintf(to + 2 * i, "%02x", e->trace[i]);
        any |= e->trace[i] != 0;
    }
    if (!any)
        strcpy(to, "-");
}

static void write_time(uint64_t ns, char *to, size_t n)
{
    time_t s = (time_t)(ns / 1000000000u);
    struct tm tm;
    size_t at = ns && gmtime_r(&s, &tm) ? strftime(to, n, "%Y-%m-%dT%H:%M:%S", &tm) : 0;
    snprintf(to + at, n - at, ns ? ".%06uZ" : "-", (unsigned)(ns % 1000000000u / 1000));
}

static void write_line(const struct lines *l, const struct tool_page *p, const struct page_event *e,
                       struct line *to)
{
    char when[48], peer[64], trace[33];
    bool in = e->kind == PAGE_EVENT_IN;
    write_time(e->time, when, sizeof(when));
    write_peer(e, peer, sizeof(peer));
    write_trace(e, trace);
    const char *form =
        l->json ? "{\"time\": \"%s\", \"pid\": %u, \"kind\": \"%s\", \"exchange\": %llu, "
                  "\"trace\": \"%s\", \"peer\": \"%s\", \"rule\": \"%s\", \"result\": \"%s\"}"
                : "%s %7u %-3s #%-6llu %-32s %-21s %s -> %s";
    snprintf(to->text, sizeof(to->text), form, when, p->head.pid, in ? "in" : "out",
             (unsigned long long)(e->exchange & 0xffffffffffff), trace, peer, name_of(p, e->rule),
             name_of(p, e->result));
}

static void add_event(struct lines *l, const struct tool_page *p, const struct page_event *e)
{
    if (l->n == l->room) {
        size_t room = l->room ? 2 * l->room : 1024;
        struct line *more = realloc(l->line, room * sizeof(*more));
        if (!more)
            return;
        l->line = more;
        l->room = room;
    }
    struct line *to = &l->line[l->n++];
    to->time = e->time;
    to->seq = e->seq;
    to->pid = p->head.pid;
    write_line(l, p, e, to);
}

static void add_page(const struct tool_page *p, void *ctx)
{
    struct lines *l = ctx;
    for (unsigned i = 0; i < p->head.events && (!l->pid || l->pid == (long)p->head.pid); i++) {
        struct page_event e;
        memcpy(&e, p->bytes + p->head.ring_at + 64 + i * sizeof(e), sizeof(e));
        if (e.seq && (e.seq - 1) % p->head.events == i)
            add_event(l, p, &e);
    }
}

static int by_time(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    if (x->time != y->time)
        return x->time > y->time ? 1 : -1;
    if (x->pid != y->pid)
        return x->pid > y->pid ? 1 : -1;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

int verb_why(int argc, char **argv)
{
    struct lines l = {.n = 0};
    const char *dir = getenv("TRACEBATON_DIR");
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--json") == 0)
            l.json = true;
        else if (strcmp(argv[i], "--pid") == 0 && i + 1 < argc)
            l.pid = atol(argv[++i]);
        else if (argv[i][0] == '-')
            return tool_usage(argv[0]);
        else
            dir = argv[i];
    if (tool_pages(dir, add_page, &l) != 0)
        return 2;
    if (l.n)
        qsort(l.line, l.n, sizeof(*l.line), by_time);
    for (size_t i = 0; i < l.n; i++)
        puts(l.line[i].text);
    free(l.line);
    return 0;
}
