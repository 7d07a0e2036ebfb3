/* SPDX-License-Identifier: Apache-2.0 */
/*
 * life: the verbs of engine.h about numbers (made, passed, duplicated, closed)
 * and about waiting, and the start of it all.
 *
 * Closing is a hint: many closes are never seen (stdio, raw system calls), so
 * state is also reset on creation, and an fd's identity is verified before a
 * byte is changed. A vfork child runs in its parent's memory: where a tracked
 * number would be changed, one getpid tells the two apart.
 */
#include <sys/socket.h>

#include "engine/carrying.h"
#include "engine/child.h"
#include "engine/conn.h"
#include "engine/count.h"
#include "engine/engine.h"
#include "engine/flow.h"
#include "engine/inbound.h"
#include "sys/env.h"
#include "sys/guard.h"
#include "sys/log.h"
#include "sys/next.h"
#include "sys/probe.h"
#include "sys/proc.h"

struct policy engine_policy;

static bool on;

/* --- start ---------------------------------------------------------------------------------- */

static unsigned warnings; /* counted when there is a page to count in */

static void warn(const char *what, const char *detail, size_t n)
{
    warnings++;
    log_line(what, detail, n);
}

/* Symbols that only a runtime defines which calls its handlers in the stack of the reading thread.
 * PHP serves one request at a time in the whole process, also where one loop reads for all (php
 * -S), so there the last inbound read says whose work runs. */
static const struct {
    const char *symbol;
    enum flow_runtime runtime;
} sync_runtimes[] = {
    {"php_request_startup", RUNTIME_SYNC_LAST},       {"ap_process_request", RUNTIME_SYNC_ONE},
    {"rb_thread_call_without_gvl", RUNTIME_SYNC_ONE}, {"perl_parse", RUNTIME_SYNC_ONE},
    {"MHD_start_daemon", RUNTIME_SYNC_ONE},           {"uwsgi_setup", RUNTIME_SYNC_ONE},
};

static enum flow_runtime recognise(void)
{
    for (size_t i = 0; i < sizeof(sync_runtimes) / sizeof(sync_runtimes[0]); i++)
        if (next_find_any(sync_runtimes[i].symbol))
            return sync_runtimes[i].runtime;
    return RUNTIME_ANY;
}

void engine_start(void)
{
    const char *log = env_get("TRACEBATON_LOG");
    if (log && *log && *log != '0')
        log_enable();
    policy_init(&engine_policy, env_get, warn);
    page_init(engine_policy.dir, count_names, COUNT_ALL);
    while (warnings > 0) {
        count(COUNT_CONFIG);
        warnings--;
    }
    flow_init(recognise(), next_find_any("sapi_module"));
    proc_check();
    on = !engine_policy.off;
    if (on)
        child_start(env_get, env_all());
}

bool engine_on(void)
{
    return on;
}

void engine_relieve(void)
{
    if (!page_kept)
        on = false;
}

/* --- numbers -------------------------------------------------------------------------------- */

/* Replace what is known of a number. */
static void replace(int fd, enum fd_kind kind)
{
    struct conn *old = fdtab_set(fd, on ? kind : FD_FOREIGN, NULL);
    if (old)
        conn_drop(old);
}

static void set_kind(int fd, enum fd_kind kind)
{
    if (fdtab_kind(fd) != FD_CONN || !proc_is_vfork_child())
        replace(fd, kind);
}

static void set_kind_guarded(int fd, enum fd_kind kind)
{
    if (fd < 0 || !guard_enter())
        return;
    if (fdtab_kind(fd) == FD_CONN)
        conn_vanished();
    set_kind(fd, kind);
    guard_leave();
}

static bool is_stream(int domain, int type)
{
    return (type & 0xf) == SOCK_STREAM &&
           (domain == AF_INET || domain == AF_INET6 || domain == AF_UNIX);
}

void engine_socket(int fd, int domain, int type)
{
    set_kind_guarded(fd, is_stream(domain, type) ? FD_FRESH : FD_FOREIGN);
}

void engine_passed(int fd)
{
    set_kind_guarded(fd, FD_UNKNOWN);
}

void engine_listening(int fd)
{
    child_independent();
    if (fdtab_kind(fd) != FD_LISTEN)
        set_kind_guarded(fd, FD_LISTEN);
}

/* A bridge whose runtime makes its tasks before the request is read holds the connection. */
static uint64_t accepted_baton(int fd)
{
    uint64_t handle = 0;
    if (!guard_enter())
        return 0;
    struct conn *c = fdtab_kind(fd) == FD_ACCEPTED ? conn_create(fd) : NULL;
    if (c) {
        handle = c->baton = baton_connection();
        conn_unlock(c);
    }
    guard_leave();
    return handle && baton_take(handle) ? handle : 0;
}

void engine_accepted(int listener, int fd)
{
    engine_listening(listener);
    set_kind_guarded(fd, FD_ACCEPTED);
    uint64_t handle = on && carrier_here() && engine_carrier->accepted ? accepted_baton(fd) : 0;
    if (!handle)
        return;
    carrier_tell_accepted(handle, fd);
    baton_drop(handle);
}

/* A vfork child closes the numbers of its own table, not of its parent's. */
static bool closes_ours(int fd)
{
    return fdtab_kind(fd) > FD_FOREIGN && !proc_is_vfork_child();
}

void engine_closing(int fd)
{
    if (!guard_enter())
        return;
    if (closes_ours(fd))
        replace(fd, FD_UNKNOWN);
    guard_leave();
}

void engine_closing_range(unsigned first, unsigned last)
{
    if (!guard_enter())
        return;
    int top = fdtab_top(), end = last < (unsigned)top ? (int)last : top - 1;
    if (first < (unsigned)top && !proc_is_vfork_child())
        for (int fd = (int)first; fd <= end; fd++)
            if (fdtab_kind(fd) > FD_FOREIGN)
                replace(fd, FD_UNKNOWN);
    guard_leave();
}

/* Rule `connect`: the connection is opened in a stretch of which the exchange is certain. */
static void connecting(int fd)
{
    unsigned reason;
    uint8_t kind = fdtab_kind(fd);
    struct exchange_ref ref = {NULL, 0};
    if (flow_serving() && !carrier_here())
        ref = flow_current(&reason);
    if (!ref.xid)
        return;
    struct conn *c = kind == FD_FRESH ? conn_create(fd) : kind == FD_CONN ? conn_acquire(fd) : NULL;
    if (!c)
        return;
    if (c->role == ROLE_NONE) {
        c->bound = ref;
        c->bound_by = &tb_guard;
    }
    conn_unlock(c);
}

void engine_connecting(int fd)
{
    if (!on || !guard_enter())
        return;
    connecting(fd);
    guard_leave();
}

/* connect() on a socket that has spoken makes another stream of it (AF_UNSPEC: none, until the next
 * connect). What was owed to the old one is nobody's. */
void engine_connected(int fd)
{
    struct conn *c = fdtab_conn(fd);
    if (!c || __atomic_load_n(&c->role, __ATOMIC_RELAXED) == ROLE_NONE || !guard_enter())
        return;
    c = conn_acquire(fd);
    if (c) {
        c->owed.n = 0;
        conn_abandon(c, fd);
        set_kind(fd, FD_FRESH);
    }
    guard_leave();
}

void engine_flags(int fd)
{
    struct conn *c = fdtab_kind(fd) == FD_CONN ? fdtab_conn(fd) : NULL;
    if (c)
        __atomic_store_n(&c->blocks_known, false, __ATOMIC_SEQ_CST);
}

void engine_epoll(int fd)
{
    set_kind_guarded(fd, FD_EPOLL);
}

void engine_stray(int fd)
{
    if (fdtab_kind(fd) == FD_CONN) {
        struct conn *c = fdtab_conn(fd);
        if (c)
            conn_poison(c, COUNT_DOWN_UNSEEN);
    } else if (fdtab_kind(fd) < FD_LISTEN) {
        set_kind_guarded(fd, FD_FOREIGN);
    }
}

void engine_restricted(void)
{
    __atomic_store_n(&guard_forbidden, true, __ATOMIC_RELAXED);
}

bool engine_restricted_now(void)
{
    return __atomic_load_n(&guard_forbidden, __ATOMIC_RELAXED);
}

/* Two numbers for one stream share one connection, also before it has spoken: else the second
 * number would take the middle of the stream for its start. */
static void share(int fd, int to)
{
    uint8_t kind = fdtab_kind(fd);
    bool young = kind == FD_FRESH || kind == FD_ACCEPTED;
    if (young && !fdtab_is_own(fd)) {
        set_kind(to, FD_UNKNOWN);
        return;
    }
    struct conn *c = young ? conn_create(fd) : kind == FD_CONN ? conn_acquire(fd) : NULL;
    if (!c) {
        set_kind(to, kind == FD_CONN || young ? FD_FOREIGN : kind);
        return;
    }
    __atomic_add_fetch(&c->refs, 1, __ATOMIC_RELAXED);
    conn_unlock(c);
    struct conn *old = fdtab_set(to, FD_CONN, c);
    if (old)
        conn_drop(old);
}

void engine_duplicated(int fd, int to)
{
    if (fd == to || (fdtab_kind(fd) <= FD_FOREIGN && fdtab_kind(to) <= FD_FOREIGN)) {
        if (fd != to)
            set_kind_guarded(to, (enum fd_kind)fdtab_kind(fd));
        return;
    }
    if (!guard_enter())
        return;
    if (!proc_is_vfork_child())
        share(fd, to);
    guard_leave();
}

void engine_shutdown(int fd)
{
    if (!guard_enter())
        return;
    struct conn *c = fdtab_kind(fd) == FD_CONN ? conn_acquire(fd) : NULL;
    if (c) {
        if (c->role == ROLE_SERVER)
            inbound_shutdown(c);
        conn_unlock(c);
    }
    guard_leave();
}

/* --- waiting -------------------------------------------------------------------------------- */

bool engine_serving(void)
{
    return flow_serving() && !engine_restricted_now();
}

/* What is an inherited number? Asked once of what is no socket and of what listens; an inherited
 * connection is as good as inbound. */
static bool inherited_inbound(int fd)
{
    int listens = probe_listens(fd);
    if (listens != 0)
        set_kind_guarded(fd, listens > 0 ? FD_LISTEN : FD_FOREIGN);
    return listens >= 0;
}

/* A server side, a listener, or what may tell of such. */
static bool brings_inbound(int fd, uint8_t kind)
{
    if (kind == FD_UNKNOWN)
        return inherited_inbound(fd);
    struct conn *c = kind == FD_CONN ? fdtab_conn(fd) : NULL;
    return kind == FD_LISTEN || kind == FD_POLLER ||
           (c && __atomic_load_n(&c->role, __ATOMIC_RELAXED) == ROLE_SERVER);
}

bool engine_inbound(int fd)
{
    uint8_t kind = fdtab_kind(fd);
    return brings_inbound(fd, kind) && !(kind == FD_CONN && flow_serves(fdtab_conn(fd)));
}

void engine_waiting(void)
{
    if (!guard_enter())
        return;
    flow_waited();
    guard_leave();
}

/* An epoll instance that we did not see made may watch anything. */
void engine_polling(int epfd)
{
    uint8_t kind = fdtab_kind(epfd);
    if (kind == FD_POLLER || kind == FD_UNKNOWN || flow_serves_unproven())
        engine_waiting();
}

void engine_waiting_for(int fd)
{
    tb_guard.alone = fd + 1;
}

/* An instance inside another may come to watch anything later. */
void engine_watched(int epfd, int fd)
{
    uint8_t kind = fdtab_kind(fd);
    if (fdtab_kind(epfd) == FD_POLLER || engine_restricted_now())
        return;
    if (kind == FD_ACCEPTED || kind == FD_EPOLL || brings_inbound(fd, kind))
        set_kind_guarded(epfd, FD_POLLER);
}
