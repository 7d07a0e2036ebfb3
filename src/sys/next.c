/* SPDX-License-Identifier: Apache-2.0 */
/* next: see next.h. The loader's lock is held by dl_iterate_phdr while the callback runs: it does
 * nothing but read. */
#define _GNU_SOURCE
#include "sys/next.h"

#include "sys/object.h"

struct search {
    const char *const *names;
    void **out;
    size_t n, missing;
    int after_us, seen_us;
};

static void *resolve(uintptr_t at, bool ifunc)
{
    if (at && ifunc)
        return ((void *(*)(void))at)();
    return (void *)at;
}

static int visit(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct search *s = arg;
    struct elfwalk w;
    (void)size;
    if (object_is_us(info)) {
        s->seen_us = 1;
        return 0;
    }
    if ((s->after_us && !s->seen_us) || !object_describe(&w, info))
        return 0;
    for (size_t i = 0; i < s->n; i++) {
        bool ifunc;
        if (s->out[i])
            continue;
        uintptr_t at = elfwalk_find(&w, s->names[i], &ifunc);
        s->out[i] = resolve(at, ifunc);
        if (s->out[i])
            s->missing--;
    }
    return s->missing == 0;
}

static void search(struct search *s)
{
    for (size_t i = 0; i < s->n; i++)
        s->out[i] = NULL;
    s->missing = s->n;
    if (dl_iterate_phdr)
        dl_iterate_phdr(visit, s);
}

void next_find_many(const char *const *names, void **out, size_t n)
{
    struct search s = {names, out, n, 0, 1, 0};
    search(&s);
}

void next_find_loaded(const char *const *names, void **out, size_t n)
{
    struct search s = {names, out, n, 0, 0, 0};
    search(&s);
}

void *next_find_any(const char *name)
{
    void *found;
    next_find_loaded(&name, &found, 1);
    return found;
}
