/* SPDX-License-Identifier: Apache-2.0 */
/* test_sys: the platform room: blocks are never handed out twice, forks and vforks are told apart,
 * counters reach their page, the guard sees through a longjmp. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static int failed;

static void check(int ok, const char *name)
{
    printf(ok ? "ok %s\n" : "not ok %s: see the source\n", name);
    fflush(stdout);
    failed |= !ok;
}

/* --- arena ------------------------------------------------------------------------------------ */

static struct arena_pool small = ARENA_POOL(64), large = ARENA_POOL(32768);
static int twice;

static void *churn(void *arg)
{
    uint32_t *held[32] = {0};
    for (int i = 0; i < 200000; i++) {
        int k = i % 32;
        if (held[k]) {
            twice |= held[k][4] != (uint32_t)(uintptr_t)arg + (uint32_t)k;
            arena_release(&small, held[k]);
        }
        held[k] = arena_block(&small);
        held[k][4] = (uint32_t)(uintptr_t)arg + (uint32_t)k; /* the first word is the arena's */
    }
    return NULL;
}

static void arena(void)
{
    pthread_t t[4];
    for (uintptr_t i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, churn, (void *)(i * 1000));
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    check(!twice, "no-block-belongs-to-two-threads");
    unsigned n = 0;
    void *last = NULL;
    for (void *p; (p = arena_block(&large)) != NULL; n++) {
        memset(p, (int)n, 32768);
        last = p;
    }
    check(n > 1500 && n <= ARENA_MAX / 32768, "the-bound-is-kept");
    arena_release(&large, last);
    check(arena_block(&large) == last && arena_block(&large) == NULL, "what-is-given-back-comes-again");
}

/* --- proc ------------------------------------------------------------------------------------- */

static int child_status(pid_t p)
{
    int status = 1;
    waitpid(p, &status, 0);
    return status;
}

static void processes(void)
{
    proc_check();
    uint32_t epoch = proc_epoch();
    check(!proc_check() && proc_pid() == getpid() && !proc_is_vfork_child(), "the-same-process");
    pid_t p = fork();
    if (p == 0)
        _exit(!(proc_check() && !proc_check() && proc_epoch() == epoch + 1 && proc_pid() == getpid() &&
                !proc_is_vfork_child()));
    check(child_status(p) == 0, "a-fork-is-noticed-once");
    p = vfork();
    if (p == 0)
        _exit(!(proc_is_vfork_child() && proc_epoch() == epoch));
    check(child_status(p) == 0, "a-vfork-child-knows-that-it-is-a-guest");
    check(!proc_check() && proc_epoch() == epoch && proc_pid() == getpid(), "and-changes-nothing");
}

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

static void pages(void)
{
    static const char *const names[] = {"first", "second"};
    static char dir[] = "/tmp/tracebaton-page-XXXXXX";
    char path[64];
    struct stat st;
    if (!mkdtemp(dir))
        exit(1);
    page_count(0); /* before there is a page: ignored */
    page_init(dir, names, 2);
    page_count(1);
    page_add(1, 41);
    page_count(7); /* no such counter */
    snprintf(path, sizeof(path), "%s/%d.page", dir, getpid());
    check(counter(path, 0) == 0 && counter(path, 1) == 42, "counts-are-in-the-file");
    check(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600, "nobody-else-may-read-it");
    pid_t p = fork();
    if (p == 0) {
        page_count(0);
        snprintf(path, sizeof(path), "%s/%d.page", dir, getpid());
        _exit(!(counter(path, 0) == 1 && counter(path, 1) == 0 && unlink(path) == 0));
    }
    check(child_status(p) == 0 && counter(path, 0) == 0, "a-fork-child-has-a-page-of-its-own");
    p = fork();
    if (p == 0) { /* a trap where the child's page would be */
        snprintf(path, sizeof(path), "%s/%d.page", dir, getpid());
        if (symlink("/etc/passwd", path) != 0)
            _exit(1);
        page_count(0);
        _exit(unlink(path) != 0);
    }
    check(child_status(p) == 0, "a-name-that-exists-is-not-opened");
    unlink(path);
    rmdir(dir);
}

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

static void guard(void)
{
    check(guard_enter() && !guard_enter(), "nested-entry-is-refused");
    guard_leave();
    check(guard_enter(), "left-means-free");
    guard_leave();
    if (setjmp(jump) == 0)
        deep(4);
    check(guard_enter(), "a-guard-whose-frames-are-gone-is-free");
    guard_leave();
}

static void probes(void)
{
    char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(p + 4096, 4096, PROT_NONE);
    check(probe_range(p, 4096) && !probe_range(p, 4097) && !probe_readable(NULL) && probe_range(p, 0), "probe-range");
    check(!probe_socket(0, NULL, NULL) && !probe_socket(-1, NULL, NULL), "probe-socket");
    check(next_find_any("a_name_that_nobody_has") == NULL && next_find_any("getpid") == (void *)getpid, "next-find");
    setenv("TRACEBATON", "off", 1);
    check(env_is_off(), "kill-switch");
    setenv("TRACEBATON", "offset", 1);
    check(!env_is_off() && env_get("TRACEBATON_NO_SUCH") == NULL, "and-nothing-else");
}

int main(void)
{
    processes();
    pages();
    guard();
    probes();
    arena(); /* last: it leaves nothing */
    return failed;
}
