/* SPDX-License-Identifier: Apache-2.0 */
/* test_sys: the platform room: blocks are never handed out twice, forks and vforks are told apart,
 * counters reach their page, the guard sees through a longjmp. */
#define _GNU_SOURCE
#include "unit/unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/arena.h"
#include "sys/env.h"
#include "sys/guard.h"
#include "sys/next.h"
#include "sys/page.h"
#include "sys/probe.h"
#include "sys/proc.h"

/* --- arena ------------------------------------------------------------------------------------ */

static struct arena_pool small = ARENA_POOL(64), large = ARENA_POOL(32768);
static int twice; /* atomic */

static void *churn(void *arg)
{
    uint32_t *held[32] = {0};
    for (int i = 0; i < 200000; i++) {
        int k = i % 32;
        if (held[k]) {
            if (held[k][0] != (uint32_t)(uintptr_t)arg + (uint32_t)k)
                __atomic_store_n(&twice, 1, __ATOMIC_RELAXED);
            arena_release(&small, held[k]);
        }
        held[k] = arena_block(&small);
        held[k][0] = (uint32_t)(uintptr_t)arg + (uint32_t)k;
    }
    return NULL;
}

START_TEST(arena_threads)
{
    pthread_t t[4];
    for (uintptr_t i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, churn, (void *)(i * 1000));
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    CHECK(!twice);
}
END_TEST

/* Take all there is. @return how many; `last` is the last. */
static unsigned exhaust(void **last)
{
    unsigned n = 0;
    for (void *p; (p = arena_block(&large)) != NULL; n++) {
        memset(p, (int)n, 32768);
        *last = p;
    }
    return n;
}

START_TEST(arena_bound)
{
    void *last;
    unsigned n = exhaust(&last);
    CHECK(n > 1500 && n <= ARENA_MAX / 32768);
}
END_TEST

START_TEST(arena_again)
{
    void *last = NULL;
    exhaust(&last);
    arena_release(&large, last);
    CHECK(arena_block(&large) == last && arena_block(&large) == NULL);
}
END_TEST

/* --- proc ------------------------------------------------------------------------------------- */

static int child_status(pid_t p)
{
    int status = 1;
    waitpid(p, &status, 0);
    return status;
}

static uint32_t epoch;

static void processes(void)
{
    proc_check();
    epoch = proc_epoch();
}

START_TEST(same_process)
{
    CHECK(!proc_check() && proc_pid() == getpid() && !proc_is_vfork_child());
}
END_TEST

START_TEST(fork_noticed)
{
    pid_t p = fork();
    if (p == 0)
        _exit(!(proc_check() && !proc_check() && proc_epoch() == epoch + 1 &&
                proc_pid() == getpid() && !proc_is_vfork_child()));
    CHECK(child_status(p) == 0);
    CHECK(!proc_check() && proc_epoch() == epoch && proc_pid() == getpid());
}
END_TEST

START_TEST(vfork_guest)
{
    pid_t p = vfork();
    if (p == 0)
        _exit(!(proc_is_vfork_child() && proc_epoch() == epoch));
    CHECK(child_status(p) == 0);
}
END_TEST

START_TEST(vfork_changes_nothing)
{
    pid_t p = vfork();
    if (p == 0)
        _exit(!proc_is_vfork_child());
    CHECK(child_status(p) == 0);
    CHECK(!proc_check() && proc_epoch() == epoch && proc_pid() == getpid());
}
END_TEST

/* --- page ------------------------------------------------------------------------------------- */

static uint64_t counter(const char *path, unsigned id)
{
    char page[PAGE_BYTES];
    struct page_head h;
    uint64_t v = 0;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || read(fd, page, sizeof(page)) != sizeof(page))
        return UINT64_MAX;
    close(fd);
    memcpy(&h, page, sizeof(h));
    if (h.magic != PAGE_MAGIC || h.pid == 0)
        return UINT64_MAX;
    memcpy(&v, page + ((sizeof(h) + h.names_bytes + 7) & ~7u) + id * 8, 8);
    return v;
}

static char dir[32];

/* Check's own process makes and removes the directory, whatever becomes of the test. */
static void dir_make(void)
{
    strcpy(dir, "/tmp/tracebaton-page-XXXXXX");
    CHECK(mkdtemp(dir));
}

static void dir_remove(void)
{
    char command[64];
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    CHECK(system(command) == 0);
}

/* The page of this process. */
static const char *own_page(void)
{
    static char path[64];
    snprintf(path, sizeof(path), "%s/%d.page", dir, getpid());
    return path;
}

static void pages(void)
{
    static const char *const names[] = {"first", "second"};
    page_count(0); /* before there is a page: ignored */
    page_init(dir, names, 2);
    page_count(1);
    page_add(1, 41);
    page_count(7); /* no such counter */
}

START_TEST(page_counts)
{
    CHECK(counter(own_page(), 0) == 0 && counter(own_page(), 1) == 42);
}
END_TEST

START_TEST(page_mode)
{
    struct stat st;
    CHECK(stat(own_page(), &st) == 0 && (st.st_mode & 0777) == 0600);
}
END_TEST

START_TEST(page_of_a_child)
{
    pid_t p = fork();
    if (p == 0) {
        page_count(0);
        _exit(!(counter(own_page(), 0) == 1 && counter(own_page(), 1) == 0 &&
                unlink(own_page()) == 0));
    }
    CHECK(child_status(p) == 0 && counter(own_page(), 0) == 0);
}
END_TEST

static void *first_counts(void *barrier)
{
    pthread_barrier_wait(barrier);
    for (int i = 0; i < 100; i++)
        page_count(0);
    return NULL;
}

/* Four threads count for the first time at once. */
static int begin_at_once(void)
{
    pthread_t t[4];
    pthread_barrier_t b;
    pthread_barrier_init(&b, NULL, 4);
    for (int i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, first_counts, &b);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    page_count(0);
    return counter(own_page(), 0) + 1 < 2; /* also of no file */
}

START_TEST(page_threads)
{
    for (int i = 0; i < PAGE_CHILDREN; i++) {
        pid_t p = fork();
        if (p == 0)
            _exit(begin_at_once());
        CHECK(child_status(p) == 0);
    }
}
END_TEST

/* A server that forks for each connection does not fill the directory. */
START_TEST(page_many_children)
{
    page_count(0);
    for (int i = 0; i < PAGE_CHILDREN + 6; i++) {
        pid_t p = fork();
        if (p == 0) {
            page_count(0);
            _exit(i < PAGE_CHILDREN ? counter(own_page(), 0) != 1 || unlink(own_page())
                                    : access(own_page(), F_OK) == 0);
        }
        CHECK(child_status(p) == 0);
    }
    CHECK(counter(own_page(), 0) == 1 + 6);
}
END_TEST

START_TEST(page_trap)
{
    pid_t p = fork();
    if (p == 0) { /* a trap where the child's page would be */
        if (symlink("/etc/passwd", own_page()) != 0)
            _exit(1);
        page_count(0);
        _exit(unlink(own_page()) != 0);
    }
    CHECK(child_status(p) == 0);
}
END_TEST

/* --- guard, probe, next ----------------------------------------------------------------------- */

static jmp_buf jump;

static __attribute__((noinline)) void deep(int n)
{
    volatile char room[256];
    room[0] = (char)n;
    if (n > 0)
        deep(n - 1);
    else if (guard_enter())
        longjmp(jump, 1);
    (void)room[0];
}

START_TEST(guard_nested)
{
    CHECK(guard_enter() && !guard_enter());
    guard_leave();
}
END_TEST

START_TEST(guard_left)
{
    CHECK(guard_enter());
    CHECK(!guard_enter());
    guard_leave();
    CHECK(guard_enter());
    guard_leave();
}
END_TEST

START_TEST(guard_jumped)
{
    if (setjmp(jump) == 0)
        deep(4);
    CHECK(guard_enter());
    guard_leave();
}
END_TEST

START_TEST(probes)
{
    char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(p + 4096, 4096, PROT_NONE);
    CHECK(probe_range(p, 4096) && !probe_range(p, 4097));
    CHECK(!probe_readable(NULL) && probe_range(p, 0));
}
END_TEST

START_TEST(probe_no_socket)
{
    CHECK(!probe_socket(0, NULL, NULL) && !probe_socket(-1, NULL, NULL));
}
END_TEST

START_TEST(next)
{
    CHECK(next_find_any("a_name_that_nobody_has") == NULL);
    CHECK(next_find_any("getpid") == (void *)getpid);
}
END_TEST

START_TEST(kill_switch)
{
    setenv("TRACEBATON", "off", 1);
    CHECK(env_is_off());
}
END_TEST

START_TEST(nothing_else)
{
    setenv("TRACEBATON", "offset", 1);
    CHECK(!env_is_off() && env_get("TRACEBATON_NO_SUCH") == NULL);
}
END_TEST

/* Slot i of the ring in the file. */
static struct page_event event(const char *path, unsigned i)
{
    struct page_event e = {.seq = UINT64_MAX};
    int fd = open(path, O_RDONLY);
    if (fd >= 0 &&
        pread(fd, &e, sizeof(e), PAGE_RING_AT + 64 + (off_t)(i * sizeof(e))) != sizeof(e))
        e.seq = UINT64_MAX;
    close(fd);
    return e;
}

/* The ring keeps the last ones. */
START_TEST(page_ring)
{
    for (unsigned i = 1; i <= PAGE_EVENTS + 3; i++) {
        struct page_event e = {.exchange = i, .kind = PAGE_EVENT_OUT, .port = (uint16_t)i};
        page_note(&e);
    }
    for (unsigned i = 0; i < PAGE_EVENTS; i++) {
        struct page_event e = event(own_page(), i);
        uint64_t want = i < 3 ? PAGE_EVENTS + 1 + i : 1 + i;
        CHECK(e.seq == want && e.exchange == want && e.port == (uint16_t)want && e.time > 0);
    }
}
END_TEST

static void *noter(void *arg)
{
    for (unsigned i = 0; i < 20000; i++) {
        struct page_event e = {.exchange = (uintptr_t)arg, .kind = PAGE_EVENT_IN};
        memset(e.trace, (int)(uintptr_t)arg, sizeof(e.trace));
        memset(e.ip, (int)(uintptr_t)arg, sizeof(e.ip));
        page_note(&e);
    }
    return NULL;
}

/* Whoever reads an event with a seq reads what one thread wrote, also after a kill. */
START_TEST(page_ring_killed)
{
    pid_t p = fork();
    if (p == 0) {
        pthread_t t;
        for (uintptr_t i = 1; i < 4; i++)
            pthread_create(&t, NULL, noter, (void *)i);
        for (;;)
            pause();
    }
    usleep(20000);
    kill(p, SIGKILL);
    waitpid(p, NULL, 0);
    char path[64];
    snprintf(path, sizeof(path), "%s/%d.page", dir, p);
    unsigned seen = 0;
    for (unsigned i = 0; i < PAGE_EVENTS; i++) {
        struct page_event e = event(path, i);
        if (e.seq == 0)
            continue;
        seen++;
        CHECK((e.seq - 1) % PAGE_EVENTS == i && e.exchange >= 1 && e.exchange <= 3);
        CHECK(e.trace[0] == e.exchange && e.trace[15] == e.exchange && e.ip[15] == e.exchange);
    }
    CHECK(seen > PAGE_EVENTS - 8);
}
END_TEST

START_TEST(page_unset)
{
    page_init("", NULL, 0);
    CHECK(!page_kept);
}
END_TEST

static void add_process(const char *name, const TTest *test)
{
    tcase_add_checked_fixture(unit_add(name, test, 0), processes, NULL);
}

static void add_page(const char *name, const TTest *test)
{
    TCase *c = unit_add(name, test, 0);
    tcase_add_unchecked_fixture(c, dir_make, dir_remove);
    tcase_add_checked_fixture(c, pages, NULL);
}

int main(void)
{
    unit_begin("sys");
    add_process("the-same-process", same_process);
    add_process("a-fork-is-noticed-once", fork_noticed);
    if (!getenv("SANITIZED")) { /* a thread sanitizer makes a fork of every vfork */
        add_process("a-vfork-child-knows-that-it-is-a-guest", vfork_guest);
        add_process("and-changes-nothing", vfork_changes_nothing);
    }
    add_page("counts-are-in-the-file", page_counts);
    add_page("nobody-else-may-read-it", page_mode);
    add_page("a-fork-child-has-a-page-of-its-own", page_of_a_child);
    add_page("threads-that-begin-at-once-have-one-page", page_threads);
    add_page("children-beyond-the-bound-share-a-page", page_many_children);
    add_page("a-name-that-exists-is-not-opened", page_trap);
    add_page("the-ring-keeps-the-last-events", page_ring);
    add_page("a-killed-process-leaves-whole-events", page_ring_killed);
    add_page("without-a-directory-nothing-is-kept", page_unset);
    unit_add("nested-entry-is-refused", guard_nested, 0);
    unit_add("left-means-free", guard_left, 0);
    unit_add("a-guard-whose-frames-are-gone-is-free", guard_jumped, 0);
    unit_add("probe-range", probes, 0);
    unit_add("probe-socket", probe_no_socket, 0);
    unit_add("next-find", next, 0);
    unit_add("kill-switch", kill_switch, 0);
    unit_add("and-nothing-else", nothing_else, 0);
    unit_add("no-block-belongs-to-two-threads", arena_threads, 0);
    unit_add("the-bound-is-kept", arena_bound, 0);
    unit_add("what-is-given-back-comes-again", arena_again, 0);
    return unit_run();
}
