/* SPDX-License-Identifier: Apache-2.0 */
/* elfwalk: see elfwalk.h. 64-bit objects of this CPU, which is what a loader can have loaded. */
#include "sys/elfwalk.h"

#include <string.h>

#define CHAIN_MAX     (1u << 20) /* symbols looked at in one search */
#define VERSYM_HIDDEN 0x8000

/* n bytes at an address, or NULL where they are not all inside one segment. */
static const void *mem(const struct elfwalk *w, uintptr_t at, size_t n)
{
    for (unsigned i = 0; i < w->nseg; i++) {
        const struct elfwalk_segment *s = &w->seg[i];
        if (at >= s->at && n <= s->n && at - s->at <= s->n - n)
            return (const void *)at;
    }
    return NULL;
}

static bool word(const struct elfwalk *w, uintptr_t at, void *to, size_t n)
{
    const void *p = mem(w, at, n);
    if (p)
        memcpy(to, p, n);
    return p != NULL;
}

/* d_ptr is absolute on glibc and relative to the base on musl (and on some CPUs). */
static uintptr_t pointer(const struct elfwalk *w, uintptr_t value)
{
    return value < w->base ? w->base + value : value;
}

static void note(struct elfwalk *w, const Elf64_Dyn *d)
{
    switch (d->d_tag) {
    case DT_SYMTAB:
        w->symtab = pointer(w, d->d_un.d_ptr);
        break;
    case DT_STRTAB:
        w->strtab = pointer(w, d->d_un.d_ptr);
        break;
    case DT_STRSZ:
        w->strsz = d->d_un.d_val;
        break;
    case DT_GNU_HASH:
        w->gnu_hash = pointer(w, d->d_un.d_ptr);
        break;
    case DT_HASH:
        w->sysv_hash = pointer(w, d->d_un.d_ptr);
        break;
    case DT_VERSYM:
        w->versym = pointer(w, d->d_un.d_ptr);
        break;
    case DT_RELA:
        w->rela[0] = pointer(w, d->d_un.d_ptr);
        break;
    case DT_RELASZ:
        w->rela_n[0] = d->d_un.d_val;
        break;
    case DT_JMPREL:
        w->rela[1] = pointer(w, d->d_un.d_ptr);
        break;
    case DT_PLTRELSZ:
        w->rela_n[1] = d->d_un.d_val;
        break;
    default:
        break;
    }
}

bool elfwalk_open(struct elfwalk *w, uintptr_t dyn, size_t n)
{
    Elf64_Dyn d;
    w->symtab = w->strtab = w->gnu_hash = w->sysv_hash = w->versym = 0;
    w->strsz = w->rela_n[0] = w->rela_n[1] = 0;
    w->rela[0] = w->rela[1] = 0;
    for (; n >= sizeof(d) && word(w, dyn, &d, sizeof(d)) && d.d_tag != DT_NULL;
         dyn += sizeof(d), n -= sizeof(d))
        note(w, &d);
    return w->symtab && w->strtab && (w->gnu_hash || w->sysv_hash);
}

/* Does the string at an offset of the string table equal the name? */
static bool named(const struct elfwalk *w, uint32_t off, const char *name)
{
    size_t n = strlen(name) + 1;
    if (w->strsz && (off >= w->strsz || n > w->strsz - off))
        return false;
    const char *s = mem(w, w->strtab + off, n);
    return s && memcmp(s, name, n) == 0;
}

static bool default_version(const struct elfwalk *w, uint32_t index)
{
    uint16_t v;
    return !w->versym || (word(w, w->versym + (uintptr_t)index * 2, &v, 2) && !(v & VERSYM_HIDDEN));
}

/* Is symbol `index` a definition of the name that others may bind to? */
static uintptr_t definition(const struct elfwalk *w, uint32_t index, const char *name, bool *ifunc)
{
    Elf64_Sym s;
    if (!word(w, w->symtab + (uintptr_t)index * sizeof(s), &s, sizeof(s)) ||
        s.st_shndx == SHN_UNDEF || s.st_value == 0 || !named(w, s.st_name, name))
        return 0;
    unsigned type = ELF64_ST_TYPE(s.st_info), bind = ELF64_ST_BIND(s.st_info);
    if ((type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE && type != STT_OBJECT) ||
        (bind != STB_GLOBAL && bind != STB_WEAK && bind != STB_GNU_UNIQUE) ||
        !default_version(w, index))
        return 0;
    *ifunc = type == STT_GNU_IFUNC;
    return w->base + s.st_value;
}

static uint32_t hash_gnu(const char *s)
{
    uint32_t h = 5381;
    for (; *s; s++)
        h = h * 33 + (uint8_t)*s;
    return h;
}

static uintptr_t find_gnu(const struct elfwalk *w, const char *name, bool *ifunc)
{
    uint32_t head[4], h = hash_gnu(name), index, entry; /* nbuckets, symoffset, bloom size, shift */
    if (!word(w, w->gnu_hash, head, sizeof(head)) || head[0] == 0 || head[2] == 0)
        return 0;
    uintptr_t bloom = w->gnu_hash + 16, buckets = bloom + (uintptr_t)head[2] * 8;
    uintptr_t chain = buckets + (uintptr_t)head[0] * 4;
    uint64_t bits;
    if (!word(w, bloom + (uintptr_t)(h / 64 % head[2]) * 8, &bits, 8) ||
        !(bits >> (h % 64) & bits >> ((h >> (head[3] & 31)) % 64) & 1))
        return 0;
    if (!word(w, buckets + (uintptr_t)(h % head[0]) * 4, &index, 4) || index < head[1])
        return 0;
    for (unsigned i = 0; i < CHAIN_MAX; i++, index++) {
        if (!word(w, chain + (uintptr_t)(index - head[1]) * 4, &entry, 4))
            return 0;
        uintptr_t at = (entry | 1) == (h | 1) ? definition(w, index, name, ifunc) : 0;
        if (at || (entry & 1))
            return at;
    }
    return 0;
}

static uint32_t hash_sysv(const char *s)
{
    uint32_t h = 0;
    for (; *s; s++) {
        h = (h << 4) + (uint8_t)*s;
        h ^= h >> 24 & 0xf0;
        h &= 0x0fffffff;
    }
    return h;
}

static uintptr_t find_sysv(const struct elfwalk *w, const char *name, bool *ifunc)
{
    uint32_t head[2], index; /* nbucket, nchain */
    if (!word(w, w->sysv_hash, head, sizeof(head)) || head[0] == 0)
        return 0;
    uintptr_t buckets = w->sysv_hash + 8, chain = buckets + (uintptr_t)head[0] * 4;
    if (!word(w, buckets + (uintptr_t)(hash_sysv(name) % head[0]) * 4, &index, 4))
        return 0;
    for (unsigned i = 0; i < CHAIN_MAX && index != STN_UNDEF && index < head[1]; i++) {
        uintptr_t at = definition(w, index, name, ifunc);
        if (at)
            return at;
        if (!word(w, chain + (uintptr_t)index * 4, &index, 4))
            return 0;
    }
    return 0;
}

uintptr_t elfwalk_find(const struct elfwalk *w, const char *name, bool *ifunc)
{
    *ifunc = false;
    return w->gnu_hash ? find_gnu(w, name, ifunc) : find_sysv(w, name, ifunc);
}

#if defined(__x86_64__)
#define SLOT_PLT  R_X86_64_JUMP_SLOT
#define SLOT_DATA R_X86_64_GLOB_DAT
#elif defined(__aarch64__)
#define SLOT_PLT  R_AARCH64_JUMP_SLOT
#define SLOT_DATA R_AARCH64_GLOB_DAT
#elif defined(__riscv)
/* There is no GLOB_DAT: an R_RISCV_64 may be a pointer in the program's own data, too. */
#define SLOT_PLT  R_RISCV_JUMP_SLOT
#define SLOT_DATA R_RISCV_JUMP_SLOT
#endif

/* Which of the names an undefined symbol has; n: none. */
static unsigned which(const struct elfwalk *w, uint32_t index, const char *const *names, unsigned n)
{
    Elf64_Sym s;
    unsigned i = n;
    if (word(w, w->symtab + (uintptr_t)index * sizeof(s), &s, sizeof(s)) && s.st_shndx == SHN_UNDEF)
        for (i = 0; i < n && !named(w, s.st_name, names[i]);)
            i++;
    return i;
}

bool elfwalk_next_slot(const struct elfwalk *w, const char *const *names, unsigned n, size_t *from,
                       struct elfwalk_slot *slot)
{
    size_t first = w->rela[0] ? w->rela_n[0] / sizeof(Elf64_Rela) : 0;
    size_t all = first + (w->rela[1] ? w->rela_n[1] / sizeof(Elf64_Rela) : 0);
    for (; *from < all; ++*from) {
        Elf64_Rela r;
        bool second = *from >= first;
        uintptr_t at = w->rela[second] + (*from - (second ? first : 0)) * sizeof(r);
        if (!word(w, at, &r, sizeof(r))) { /* whatever its size says: this table ends here */
            if (second)
                return false;
            *from = first - 1;
            continue;
        }
        unsigned type = (unsigned)ELF64_R_TYPE(r.r_info);
        if ((type != SLOT_PLT && type != SLOT_DATA) || r.r_addend != 0)
            continue;
        slot->name = which(w, (uint32_t)ELF64_R_SYM(r.r_info), names, n);
        slot->at = w->base + r.r_offset;
        slot->plt = type == SLOT_PLT;
        if (slot->name < n && mem(w, slot->at, sizeof(uintptr_t)) && slot->at % 8 == 0) {
            ++*from;
            return true;
        }
    }
    return false;
}
