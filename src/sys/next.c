/* SPDX-License-Identifier: Apache-2.0 */
/* next: see next.h. The loader's lock is held by dl_iterate_phdr while the callback runs: it does
 * nothing but read. */
#define _GNU_SOURCE
#include "sys/next.h"

#include <link.h>

#include "sys/elfwalk.h"

extern int dl_iterate_phdr(int (*)(struct dl_phdr_info *, size_t, void *), void *)
    __attribute__((weak));
extern const char __ehdr_start[] __attribute__((visibility("hidden")));

struct search {
    const char *const *names;
    void **out;
    size_t n, missing;
    int after_us, seen_us;
};

static bool describe(struct elfwalk *w, const struct dl_phdr_info *info)
{
    uintptr_t dyn = 0;
    size_t dyn_size = 0;
    w->base = info->dlpi_addr;
    w->nseg = 0;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
        if (ph->p_type == PT_DYNAMIC) {
            dyn = w->base + ph->p_vaddr;
            dyn_size = ph->p_memsz;
        } else if (ph->p_type == PT_LOAD && (ph->p_flags & PF_R) && w->nseg < ELFWALK_SEGMENTS) {
            w->seg[w->nseg++] = (struct elfwalk_segment){w->base + ph->p_vaddr, ph->p_memsz};
        }
    }
    return dyn && elfwalk_open(w, dyn, dyn_size);
}

static bool is_us(const struct dl_phdr_info *info)
{
    uintptr_t me = (uintptr_t)__ehdr_start;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
        uintptr_t at = info->dlpi_addr + ph->p_vaddr;
        if (ph->p_type == PT_LOAD && me >= at && me - at < ph->p_memsz)
            return true;
    }
    return false;
}

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
    if (is_us(info)) {
        s->seen_us = 1;
        return 0;
    }
    if ((s->after_us && !s->seen_us) || !describe(&w, info))
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

void *next_find_any(const char *name)
{
    void *found;
    struct search s = {&name, &found, 1, 0, 0, 0};
    search(&s);
    return found;
}
