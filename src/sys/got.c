/* SPDX-License-Identifier: Apache-2.0 */
/* got: see got.h. */
#define _GNU_SOURCE
#include "sys/got.h"

#include <sys/mman.h>

#include "sys/object.h"
#include "sys/raw.h"

#define PAGE 4096u

struct visit {
    const struct got_names *names;
    unsigned known, seen;
    bool later;
};

static int one_more(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)info, (void)size;
    ++*(unsigned *)arg;
    return 0;
}

unsigned got_objects(void)
{
    unsigned n = 0;
    if (dl_iterate_phdr)
        dl_iterate_phdr(one_more, &n);
    return n;
}

static bool inside(const struct elfwalk *w, uintptr_t at)
{
    for (unsigned i = 0; i < w->nseg; i++)
        if (at >= w->seg[i].at && at - w->seg[i].at < w->seg[i].n)
            return true;
    return false;
}

/* Is the slot on a page that the loader has made read-only after relocation (PT_GNU_RELRO)? */
static bool is_relro(const struct dl_phdr_info *info, uintptr_t at)
{
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
        uintptr_t from = info->dlpi_addr + ph->p_vaddr;
        if (ph->p_type == PT_GNU_RELRO && at >= (from & ~(uintptr_t)(PAGE - 1)) &&
            at < ((from + ph->p_memsz) & ~(uintptr_t)(PAGE - 1)))
            return true;
    }
    return false;
}

static void store(const struct dl_phdr_info *info, uintptr_t at, void *to)
{
    long page = (long)(at & ~(uintptr_t)(PAGE - 1));
    bool closed = is_relro(info, at);
    if (closed && raw3(SYS_mprotect, page, PAGE, PROT_READ | PROT_WRITE) < 0)
        return;
    __atomic_store_n((void **)at, to, __ATOMIC_RELAXED);
    if (closed)
        raw3(SYS_mprotect, page, PAGE, PROT_READ);
}

/* A slot of a PLT that is not bound holds an address inside its own object; before the loader has
 * relocated it, one that is relative to it. */
static void redirect(struct visit *v, const struct dl_phdr_info *info, const struct elfwalk *w,
                     const struct elfwalk_slot *slot)
{
    void *now = __atomic_load_n((void **)slot->at, __ATOMIC_RELAXED);
    void *to = v->names->to[slot->name];
    if (now == v->names->from[slot->name] || (slot->plt && inside(w, (uintptr_t)now)))
        store(info, slot->at, to);
    else if (now != to && (uintptr_t)now < w->base)
        v->later |= (uintptr_t)now < (uintptr_t)1 << 32;
}

static int visit_one(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct visit *v = arg;
    struct elfwalk w;
    struct elfwalk_slot slot;
    size_t from = 0;
    (void)size;
    if (v->seen++ < v->known || object_is_us(info) || !object_describe(&w, info))
        return 0;
    while (elfwalk_next_slot(&w, v->names->name, v->names->n, &from, &slot))
        redirect(v, info, &w, &slot);
    return 0;
}

bool got_redirect(unsigned known, const struct got_names *names)
{
    struct visit v = {names, known, 0, false};
    if (dl_iterate_phdr)
        dl_iterate_phdr(visit_one, &v);
    return !v.later;
}
