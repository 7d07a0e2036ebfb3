/* SPDX-License-Identifier: Apache-2.0 */
/* page: see page.h. Any failure ends in private memory, which nobody reads. */
#include "sys/page.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#include "sys/arena.h"
#include "sys/probe.h"
#include "sys/proc.h"
#include "sys/raw.h"

#define PATH   4200
#define YIELDS 1000 /* for another thread to map a file */

_Static_assert(sizeof(struct page_event) == 64 &&
                   PAGE_EVENTS * 64 + 64 + PAGE_RING_AT <= PAGE_BYTES,
               "the ring fits");

bool page_kept;

static bool of_child;
static const char *directory;
static const char *const *names;
static unsigned counters;
static char *now; /* the page of this process */
static uint32_t counters_at;
static uint32_t now_of;   /* the epoch they were made in */
static uint32_t begun_in; /* the last epoch in which that was begun */

void page_of_child(void)
{
    of_child = true;
}

void page_init(const char *dir, const char *const *list, unsigned n)
{
    directory = dir && *dir ? dir : NULL;
    names = list;
    __atomic_store_n(&counters, n, __ATOMIC_RELEASE);
    __atomic_store_n(&page_kept, directory != NULL, __ATOMIC_RELEASE);
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

static long new_file(const char *path)
{
    return raw4(SYS_openat, AT_FDCWD, (long)path,
                O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

/* Room for all of it, now: a hole that a full file system cannot fill is SIGBUS at the first write
 * (mmap(2)), and a file above the limit SIGXFSZ (setrlimit(2)); either would end the program. Where
 * nothing can be reserved (NFS before 4.2) the server, not the fault, finds the room. */
static bool take_room(long fd)
{
    struct rlimit most;
    if (raw4(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, (long)&most) != 0 || most.rlim_cur < PAGE_BYTES)
        return false;
    long r = raw4(SYS_fallocate, fd, 0, 0, PAGE_BYTES);
    return r == 0 || (r == -EOPNOTSUPP && raw2(SYS_ftruncate, fd, PAGE_BYTES) == 0);
}

/* A new file of our own, or nothing: a name that exists is never opened. It may be that of the
 * program that this process was before it executed this one, or of one in a container that was
 * started anew: those number their processes alike. */
static void *map_file(void)
{
    char path[PATH];
    size_t at = put(path, put(path, 0, directory), "/");
    if (of_child)
        at = put(path, at, "child");
    unsigned n = (unsigned)proc_pid();
    at = put_number(path, at, of_child ? n % PAGE_CHILDREN : n);
    put(path, at, ".page");
    long fd = new_file(path);
    for (unsigned again = 2; fd == -EEXIST && !of_child && again <= PAGE_AGAIN; again++) {
        put(path, put_number(path, put(path, at, "-"), again), ".page");
        fd = new_file(path);
    }
    if (fd < 0)
        return NULL;
    long p = -1;
    if (take_room(fd))
        p = raw6(SYS_mmap, 0, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    raw1(SYS_close, fd);
    return p < 0 && p > -4096 ? NULL : (void *)p;
}

/* @return where the counters begin; 0: the names do not fit */
static size_t write_names(char *page)
{
    struct page_head head = {.magic = PAGE_MAGIC,
                             .version = PAGE_VERSION,
                             .bytes = PAGE_BYTES,
                             .counters = counters,
                             .pid = (uint32_t)proc_pid(),
                             .events = PAGE_EVENTS,
                             .ring_at = PAGE_RING_AT,
                             .event_bytes = sizeof(struct page_event)};
    size_t at = sizeof(head);
    for (unsigned i = 0; i < counters; i++)
        for (const char *c = names[i];; c++) {
            if (at >= PAGE_RING_AT)
                return 0;
            page[at++] = *c;
            if (!*c)
                break;
        }
    head.names_bytes = (uint32_t)(at - sizeof(head));
    at = (at + 7) & ~(size_t)7;
    if (at + counters * sizeof(uint64_t) > PAGE_RING_AT)
        return 0;
    memcpy(page + 8, (char *)&head + 8, sizeof(head) - 8);
    __atomic_store_n((uint64_t *)(void *)page, head.magic, __ATOMIC_RELEASE);
    return at;
}

static char *current(void)
{
    char *page = __atomic_load_n(&now, __ATOMIC_ACQUIRE);
    return page && __atomic_load_n(&now_of, __ATOMIC_ACQUIRE) == proc_epoch() ? page : NULL;
}

/* Another thread makes the page, or the code that this signal handler interrupted: then its counts
 * are lost. */
static char *await(void)
{
    char *page = current();
    for (int i = 0; i < YIELDS && !page; i++) {
        probe_yield();
        page = current();
    }
    return page;
}

/* A fork child beyond the bound goes on with the page of its parent, which both have mapped. */
static char *shared(void)
{
    char *page = __atomic_load_n(&now, __ATOMIC_ACQUIRE);
    struct page_head *head = (struct page_head *)(void *)page;
    if (!page || __atomic_add_fetch(&head->children, 1, __ATOMIC_RELAXED) <= PAGE_CHILDREN)
        return NULL;
    return page;
}

/* The first count of a process. Only one thread may begin: the file that another has made would be
 * a name that exists, and what was counted in private memory instead would never be seen. */
static char *begin(void)
{
    uint32_t epoch = proc_epoch(), last = __atomic_load_n(&begun_in, __ATOMIC_RELAXED);
    if (last == epoch || !__atomic_compare_exchange_n(&begun_in, &last, epoch, 0, __ATOMIC_RELAXED,
                                                      __ATOMIC_RELAXED))
        return await();
    char *page = shared();
    if (!page) {
        page = map_file();
        if (!page)
            page = arena_map(PAGE_BYTES);
        size_t at = page ? write_names(page) : 0;
        if (!at)
            return NULL;
        __atomic_store_n(&counters_at, (uint32_t)at, __ATOMIC_RELAXED);
    }
    __atomic_store_n(&now, page, __ATOMIC_RELEASE);
    __atomic_store_n(&now_of, epoch, __ATOMIC_RELEASE);
    return page;
}

/* The counters of this process; NULL: they must be asked for. */
static uint64_t *live;
static uint32_t live_of;

static char *page_of_process(void)
{
    proc_check();
    char *page = current();
    return page ? page : begin();
}

static uint64_t *find(void)
{
    char *page = page_of_process();
    if (!page)
        return NULL;
    uint64_t *at = (uint64_t *)(void *)(page + __atomic_load_n(&counters_at, __ATOMIC_RELAXED));
    __atomic_store_n(&live_of, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&live, at, __ATOMIC_RELEASE);
    __atomic_store_n(&live_of, proc_epoch(), __ATOMIC_RELEASE);
    return at;
}

void page_add_kept(unsigned id, uint64_t n)
{
    uint64_t *at = NULL;
    if (proc_known() && __atomic_load_n(&live_of, __ATOMIC_ACQUIRE) == proc_epoch())
        at = __atomic_load_n(&live, __ATOMIC_ACQUIRE);
    if (!at)
        at = find();
    if (at && id < __atomic_load_n(&counters, __ATOMIC_RELAXED))
        __atomic_add_fetch(at + id, n, __ATOMIC_RELAXED);
}

/* libc's clock costs no system call; where a program has no libc its events have no time. */
extern int clock_gettime(clockid_t clock, struct timespec *t) __attribute__((weak));

static uint64_t time_now(void)
{
    struct timespec t;
    if (!clock_gettime || clock_gettime(CLOCK_REALTIME, &t) != 0)
        return 0;
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Two writers whose numbers lie PAGE_EVENTS apart may meet in one slot; the later number stands,
 * its content may be mixed. That takes 512 decisions while one is being noted. */
void page_note(struct page_event *e)
{
    char *page = page_of_process();
    if (!page)
        return;
    char *ring = page + PAGE_RING_AT;
    uint64_t n = __atomic_add_fetch((uint64_t *)(void *)ring, 1, __ATOMIC_RELAXED);
    struct page_event *slot = (struct page_event *)(void *)(ring + 64) + (n - 1) % PAGE_EVENTS;
    e->seq = 0;
    e->time = time_now();
    __atomic_store_n(&slot->seq, 0, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    memcpy((char *)slot + sizeof(slot->seq), (char *)e + sizeof(e->seq),
           sizeof(*e) - sizeof(e->seq));
    __atomic_store_n(&slot->seq, n, __ATOMIC_RELEASE);
}
