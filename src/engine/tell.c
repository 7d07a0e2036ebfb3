/* SPDX-License-Identifier: Apache-2.0 */
/* tell: the verbs of engine.h about handles: what is current, whose work a thread says it does, and
 * what a child process is to know. */
#include "engine/carrying.h"
#include "engine/child.h"
#include "engine/conn.h"
#include "engine/engine.h"
#include "engine/flow.h"
#include "engine/inbound.h"
#include "inlet/spawn.h"
#include "sys/guard.h"
#include "sys/proc.h"

/* The baton of what is open on a locked server side, held. */
static uint64_t held_of(struct conn *x)
{
    if (!x->now.xid || x->role != ROLE_SERVER)
        return 0;
    inbound_baton(x);
    return baton_take(x->now.baton) ? x->now.baton : 0;
}

static uint64_t inferred(void)
{
    unsigned reason;
    uint64_t h = 0;
    struct conn *x = NULL;
    if (!guard_enter())
        return 0;
    struct exchange_ref ref = flow_current(&reason);
    if (ref.xid)
        x = conn_acquire_ref(ref);
    if (x) {
        h = x->queued ? 0 : held_of(x);
        conn_unlock(x);
    }
    guard_leave();
    return h;
}

static uint64_t open_on(int fd)
{
    uint64_t h = 0;
    if (!guard_enter())
        return 0;
    struct conn *x = fdtab_kind(fd) == FD_CONN ? conn_acquire(fd) : NULL;
    if (x) {
        h = held_of(x);
        conn_unlock(x);
    }
    guard_leave();
    return h;
}

uint64_t engine_capture(int fd)
{
    uint64_t h;
    if (!engine_on() || engine_restricted_now())
        return 0;
    if (fd >= 0)
        return open_on(fd);
    if (tb_guard.told)
        return baton_pin(tb_guard.told);
    if (flow_is_contradicted() || child_has_left())
        return 0;
    enum carrier_answer a = carrier_ask(&h, -1);
    h = a == CARRIER_HELD ? baton_pin(h) : a == CARRIER_PASS ? inferred() : 0;
    return h ? h : baton_pin(child_baton());
}

void engine_uncapture(uint64_t handle)
{
    baton_drop(handle);
}

uint64_t engine_enter(uint64_t handle)
{
    tb_guard.flags &= ~GUARD_BRIDGED;
    uint64_t old = tb_guard.told;
    tb_guard.told = handle;
    return old;
}

uint64_t engine_enter_as(uint64_t handle)
{
    uint64_t old = engine_enter(handle);
    tb_guard.flags |= GUARD_BRIDGED;
    return old;
}

size_t engine_header(uint64_t handle, const char *name, char *value, size_t size)
{
    struct baton_view v;
    size_t n = 0;
    if (!baton_look(handle, &v))
        return 0;
    if (v.ctx && !v.revoked)
        n = spawn_value(v.ctx, (struct span){name, strlen(name)}, value, size);
    baton_drop(v.held);
    return n;
}

void engine_forked(uint64_t handle)
{
    if (engine_restricted_now())
        return;
    proc_forked();
    child_forked(handle);
}
