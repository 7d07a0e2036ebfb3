/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elfwalk: find a defined symbol in a loaded ELF object. Pure reading of memory
 * that was described beforehand; every access is checked against the object's
 * readable segments, every chain is bounded. Malformed tables end in "not
 * found", never in a fault (OpenTelemetry injector 399: an unchecked bucket
 * walk aborted every daemon of the host). Fuzzed: tests/fuzz/fuzz_elfwalk.c.
 */
#ifndef TB_SYS_ELFWALK_H
#define TB_SYS_ELFWALK_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELFWALK_SEGMENTS 8

/** A readable range of the object's image, as addresses in this process. */
struct elfwalk_segment {
    uintptr_t at;
    size_t n;
};

struct elfwalk {
    uintptr_t base; /* what p_vaddr values are relative to */
    unsigned nseg;
    struct elfwalk_segment seg[ELFWALK_SEGMENTS];
    /* From the dynamic section; 0: absent */
    uintptr_t symtab, strtab, gnu_hash, sysv_hash, versym;
    size_t strsz;
    uintptr_t rela[2]; /* DT_RELA, DT_JMPREL */
    size_t rela_n[2];  /* in bytes */
};

/** Read the dynamic section (n bytes at dyn, itself checked against the segments).
 *  @return whether symbols can be looked up */
bool elfwalk_open(struct elfwalk *w, uintptr_t dyn, size_t n);

/** The definition a dynamic linker would bind an unversioned reference to: default versions only.
 *  @param ifunc  out: the address is that of a resolver
 *  @return its address, 0: not found */
uintptr_t elfwalk_find(const struct elfwalk *w, const char *name, bool *ifunc);

/** A slot of the object that is to hold the address of a function defined elsewhere. */
struct elfwalk_slot {
    uintptr_t at;
    unsigned name; /* index in the caller's list */
    bool plt;      /* of a procedure linkage table: may still be unbound */
};

/** Go through the relocations for slots of these names. @param from in and out: where to go on;
 * begin with 0. @return false: no more */
bool elfwalk_next_slot(const struct elfwalk *w, const char *const *names, unsigned n, size_t *from,
                       struct elfwalk_slot *slot);

#endif
