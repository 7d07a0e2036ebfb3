/* SPDX-License-Identifier: Apache-2.0 */
/* carrier: see carrier.h. A bit of the thread's flags says that the carrier runs: what it does
 * itself is nobody's work, and is not told to it. */
#include "engine/carrier.h"

#include "engine/carrying.h"
#include "engine/conn.h"
#include "engine/count.h"
#include "engine/fdtab.h"
#include "engine/flow.h"
#include "sys/guard.h"

#define INSIDE 0x80000000u /* of guard.flags */

const struct carrier *engine_carrier;

static const struct carrier *attached(void)
{
    return __atomic_load_n(&engine_carrier, __ATOMIC_ACQUIRE);
}

void carrier_attach(const struct carrier *carrier)
{
    __atomic_store_n(&engine_carrier, carrier, __ATOMIC_RELEASE);
}

void carrier_refuse(void)
{
    flow_refuse();
}

/* @return false: the carrier runs already */
static bool enter(void)
{
    if (tb_guard.flags & INSIDE)
        return false;
    tb_guard.flags |= INSIDE;
    return true;
}

static void leave(void)
{
    tb_guard.flags &= ~INSIDE;
}

void carrier_tell_accepted(uint64_t connection, int fd)
{
    const struct carrier *c = attached();
    if (!c || !c->accepted || !enter())
        return;
    c->accepted(connection, fd, tb_guard.caller);
    leave();
}

void carrier_tell_opened(uint64_t exchange, uint64_t connection, int fd)
{
    const struct carrier *c = attached();
    if (!c || !enter())
        return;
    c->opened(exchange, connection, fd, tb_guard.caller);
    leave();
}

enum carrier_answer carrier_ask(uint64_t *handle, int fd)
{
    const struct carrier *c = attached();
    *handle = 0;
    if (!c)
        return CARRIER_PASS;
    if (!enter())
        return CARRIER_UNKNOWN;
    enum carrier_answer a = c->current(handle, fd, tb_guard.caller);
    leave();
    return a;
}

static void promise(int fd, uint64_t exchange)
{
    uint8_t kind = fdtab_kind(fd);
    struct conn *c = kind == FD_FRESH ? conn_create(fd) : kind == FD_CONN ? conn_acquire(fd) : NULL;
    if (!c)
        return;
    uint64_t old = c->promised;
    c->promised = baton_pin(exchange);
    conn_unlock(c);
    if (old)
        baton_drop(old);
}

void carrier_promise(int fd, uint64_t exchange)
{
    if (!guard_enter())
        return;
    promise(fd, exchange);
    guard_leave();
}
