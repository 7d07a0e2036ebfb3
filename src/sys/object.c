/* SPDX-License-Identifier: Apache-2.0 */
/* object: see object.h. */
#define _GNU_SOURCE
#include "sys/object.h"

extern const char __ehdr_start[] __attribute__((visibility("hidden")));

bool object_describe(struct elfwalk *w, const struct dl_phdr_info *info)
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

bool object_is_us(const struct dl_phdr_info *info)
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
