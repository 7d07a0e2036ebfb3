/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page: the counters, readable from outside while the program runs and after it
 * died. Without a directory they live in private memory and nobody sees them.
 *
 * File DIR/PID.page, layout version 1, native byte order: struct page_head, then
 * `names_bytes` bytes of counter names (each NUL-terminated, in order), padded to
 * 8, then `counters` uint64. Mode 0600; mapped, its fd closed at once. A fork
 * child gets a page of its own, from zero, at its first count.
 */
#ifndef TB_SYS_PAGE_H
#define TB_SYS_PAGE_H

#include <stdint.h>

#define PAGE_MAGIC   0x3145474150425401ull /* "\1TBPAGE1" */
#define PAGE_VERSION 1
#define PAGE_BYTES   16384

struct page_head {
    uint64_t magic;
    uint32_t version, bytes;        /* of the whole file */
    uint32_t counters, names_bytes; /* names_bytes without the padding */
    uint32_t pid, reserved;
};

/** Names the counters; dir NULL or empty: private memory. Never fails. */
void page_init(const char *dir, const char *const *names, unsigned n);

void page_add(unsigned id, uint64_t n);

static inline void page_count(unsigned id)
{
    page_add(id, 1);
}

#endif
