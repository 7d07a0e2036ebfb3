/* SPDX-License-Identifier: Apache-2.0 */
/* page: see page.h. Any failure ends in private memory. */
#include "sys/page.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include "sys/arena.h"
#include "sys/proc.h"
#include "sys/raw.h"

#define PATH 4200

static const char *directory;
static const char *const *names;
static unsigned counters;
static uint64_t *now;   /* the counters of this process */
static uint32_t now_of; /* the epoch they were made in */

void page_init(const char *dir, const char *const *list, unsigned n)
{
    directory = dir && *dir ? dir : NULL;
    names = list;
    __atomic_store_n(&counters, n, __ATOMIC_RELEASE);
}

static size_t put(char *to, size_t at, const char *s)
{
    while (*s && at < PATH - 1)
        to[at++] = *s++;
    to[at] = 0;
    return at;
}

static size_t put_number(char *to, size_t at, unsigned n)
{
    char digits[12];
    size_t i = sizeof(digits);
    digits[--i] = 0;
    do
        digits[--i] = (char)('0' + n % 10);
    while (n /= 10);
    return put(to, at, digits + i);
}

/* A new file of our own, or nothing: a name that exists is never opened. */
static void *map_file(void)
{
    char path[PATH];
    size_t at = put(path, put(path, 0, directory), "/");
    put(path, put_number(path, at, (unsigned)proc_pid()), ".page");
    long fd = raw4(SYS_openat, AT_FDCWD, (long)path,
                   O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return NULL;
    long p = -1;
    if (raw2(SYS_ftruncate, fd, PAGE_BYTES) == 0)
        p = raw6(SYS_mmap, 0, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    raw1(SYS_close, fd);
    return p < 0 && p > -4096 ? NULL : (void *)p;
}

/* @return where the counters begin; 0: the names do not fit */
static size_t write_names(char *page)
{
    struct page_head head = {PAGE_MAGIC, PAGE_VERSION, PAGE_BYTES, counters, 0, 0, 0};
    size_t at = sizeof(head);
    for (unsigned i = 0; i < counters; i++)
        for (const char *s = names[i];; s++) {
            if (at >= PAGE_BYTES)
                return 0;
            page[at++] = *s;
            if (!*s)
                break;
        }
    head.names_bytes = (uint32_t)(at - sizeof(head));
    head.pid = (uint32_t)proc_pid();
    at = (at + 7) & ~(size_t)7;
    if (at + counters * sizeof(uint64_t) > PAGE_BYTES)
        return 0;
    memcpy(page, &head, sizeof(head));
    return at;
}

/* The first count of a process. Of two threads that race one page is left unused. */
static uint64_t *begin(void)
{
    char *page = directory ? map_file() : NULL;
    if (!page)
        page = arena_map(PAGE_BYTES);
    size_t at = page ? write_names(page) : 0;
    if (!at)
        return NULL;
    __atomic_store_n(&now, (uint64_t *)(void *)(page + at), __ATOMIC_RELEASE);
    __atomic_store_n(&now_of, proc_epoch(), __ATOMIC_RELEASE);
    return (uint64_t *)(void *)(page + at);
}

void page_add(unsigned id, uint64_t n)
{
    if (id >= __atomic_load_n(&counters, __ATOMIC_ACQUIRE))
        return;
    proc_check();
    uint64_t *c = __atomic_load_n(&now, __ATOMIC_ACQUIRE);
    if (!c || __atomic_load_n(&now_of, __ATOMIC_ACQUIRE) != proc_epoch())
        c = begin();
    if (c)
        __atomic_add_fetch(&c[id], n, __ATOMIC_RELAXED);
}
