/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_elfwalk: hostile symbol tables. The input is the whole image of an
 * object: its first bytes choose the segments and where the dynamic section is,
 * the rest is what lies in them, copied so that its last byte touches a page
 * that may not be read. Whatever it holds, the search must end, must not fault,
 * and may only find an address that a symbol of the image names.
 * See fuzz.h; the seeds are tables laid out here.
 */
#define _GNU_SOURCE
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define FUZZ_NAME   "elfwalk"
#define FUZZ_TOKENS "read", "write", "_start", "\x05", "\xf5\xfe\xff\x6f"
#include "fuzz/fuzz.h"

#include "../../src/sys/elfwalk.c"

#define IMAGE (64u << 10)
#define HEAD  12

static char *room; /* IMAGE readable bytes, then a page that is not */

static void make_room(void)
{
    room = mmap(NULL, IMAGE + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED || mprotect(room + IMAGE, 4096, PROT_NONE) != 0)
        abort();
}

static uint32_t number(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
}

/* Pointers of the dynamic section are relative to the base, as musl has them: the input cannot know
 * where it will lie. */
static const char *fuzz_judge(const uint8_t *data, size_t n)
{
    static const char *const names[] = {"read", "_start", "", "a_name_that_nobody_has"};
    if (!room)
        make_room();
    if (n < HEAD || n - HEAD > IMAGE)
        return NULL;
    size_t len = n - HEAD;
    char *image = room + IMAGE - len;
    if (len)
        memcpy(image, data + HEAD, len);
    struct elfwalk w = {.base = (uintptr_t)image, .nseg = 2};
    size_t cut = len ? number(data) % (len + 1) : 0,
           gap = cut < len ? number(data + 3) % (len - cut + 1) : 0;
    w.seg[0] = (struct elfwalk_segment){(uintptr_t)image, cut};
    w.seg[1] = (struct elfwalk_segment){(uintptr_t)image + cut + gap, len - cut - gap};
    if (!elfwalk_open(&w, (uintptr_t)image + number(data + 6), number(data + 9)))
        return NULL;
    struct elfwalk_slot slot;
    for (size_t from = 0;
         elfwalk_next_slot(&w, names, sizeof(names) / sizeof(names[0]), &from, &slot);)
        if (slot.name >= sizeof(names) / sizeof(names[0]) || slot.at % 8 != 0 ||
            slot.at - (uintptr_t)image > len - 8) {
            printf("not ok fuzz_elfwalk: a slot outside the image\n");
            abort();
        }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        bool ifunc;
        uintptr_t at = elfwalk_find(&w, names[i], &ifunc);
        if (at && !memmem(image, len, &(uint64_t){at - w.base}, 8))
            return "an address that no symbol names";
    }
    return NULL;
}

static void put24(uint8_t *p, size_t v)
{
    p[0] = (uint8_t)v, p[1] = (uint8_t)(v >> 8), p[2] = (uint8_t)(v >> 16);
}

/* A program's tables, laid out at the front of an image with relative pointers: dynamic
 * section, symbols, strings, both hashes. */
struct builder {
    uint8_t data[HEAD + 40000];
    size_t n;
    Elf64_Dyn dyn[8];
    unsigned ndyn;
};

static void append(struct builder *b, int64_t tag, const void *p, size_t n)
{
    b->n = (b->n + 7) & ~(size_t)7;
    if (n > sizeof(b->data) - HEAD - b->n)
        n = sizeof(b->data) - HEAD - b->n;
    memcpy(b->data + HEAD + b->n, p, n);
    b->dyn[b->ndyn++] = (Elf64_Dyn){.d_tag = tag, .d_un.d_ptr = b->n};
    b->n += n;
}

static const char strings[] = "\0read\0write\0_start\0close";
static const Elf64_Sym symbols[] = {
    {0},
    {.st_name = 1,
     .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
     .st_shndx = 1,
     .st_value = 0x100,
     .st_size = 8},
    {.st_name = 6, .st_info = ELF64_ST_INFO(STB_WEAK, STT_FUNC), .st_shndx = 1, .st_value = 0x200},
    {.st_name = 12,
     .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_GNU_IFUNC),
     .st_shndx = 1,
     .st_value = 0x300},
    {.st_name = 19, .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), .st_shndx = 0}};

static void build(struct builder *b, int gnu)
{
    /* One bucket each, so that every symbol is on the chain. */
    uint32_t sysv[2 + 1 + 5] = {1, 5, 1, 0, 2, 3, 4, 0};
    uint32_t gnu_table[4 + 2 + 1 + 4] = {1, 1, 1, 6, ~0u, ~0u, 1};
    const char *names[] = {"read", "write", "_start", "close"};
    uint16_t versym[5] = {0, 1, 2, 3 | 0x8000, 1};
    for (int i = 0; i < 4; i++)
        gnu_table[7 + i] = (hash_gnu(names[i]) & ~1u) | (i == 3);
    memset(b, 0, sizeof(*b));
    b->n = 8 * sizeof(Elf64_Dyn); /* the dynamic section comes first */
    append(b, DT_SYMTAB, symbols, sizeof(symbols));
    append(b, DT_STRTAB, strings, sizeof(strings));
    append(b, gnu ? DT_GNU_HASH : DT_HASH, gnu ? gnu_table : sysv,
           gnu ? sizeof(gnu_table) : sizeof(sysv));
    append(b, DT_VERSYM, versym, sizeof(versym));
    b->dyn[b->ndyn++] = (Elf64_Dyn){.d_tag = DT_STRSZ, .d_un.d_val = sizeof(strings)};
    memcpy(b->data + HEAD, b->dyn, sizeof(b->dyn));
    put24(b->data, b->n);
    put24(b->data + 9, sizeof(b->dyn));
}

/* The tables as they are must be found in, or nothing here proves anything. */
static int sane(int gnu)
{
    static struct builder b;
    bool ifunc;
    build(&b, gnu);
    char *image = room + IMAGE - b.n;
    memcpy(image, b.data + HEAD, b.n);
    struct elfwalk w = {.base = (uintptr_t)image, .nseg = 1, .seg = {{(uintptr_t)image, b.n}}};
    int ok = elfwalk_open(&w, (uintptr_t)image, sizeof(b.dyn)) &&
             elfwalk_find(&w, "read", &ifunc) == w.base + 0x100 && !ifunc &&
             elfwalk_find(&w, "write", &ifunc) == w.base + 0x200 &&
             !elfwalk_find(&w, "_start", &ifunc) && !elfwalk_find(&w, "close", &ifunc) &&
             !elfwalk_find(&w, "nothing", &ifunc);
    printf(ok ? "ok elfwalk-finds-in-%s\n" : "not ok elfwalk-finds-in-%s: it does not\n",
           gnu ? "gnu-hash" : "sysv-hash");
    return ok;
}

static const char *fuzz_seeds(void)
{
    static struct builder b;
    if (!room)
        make_room();
    for (int gnu = 0; gnu < 2; gnu++) {
        if (!sane(gnu))
            return "symbols are not found in tables that are right";
        build(&b, gnu);
        fuzz_seed(b.data, HEAD + b.n);
    }
    return NULL;
}
