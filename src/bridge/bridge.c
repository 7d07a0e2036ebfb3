/* SPDX-License-Identifier: Apache-2.0 */
/* bridge: which are tried, and what became of them. See bridge.h. */
#include "bridge/bridge.h"

#include "engine/count.h"
#include "engine/engine.h"
#include "sys/errno.h"
#include "sys/owner.h"

static const struct bridge *const bridges[] = {
#define BRIDGE(id, name) &bridge_##name,
#include "bridge/bridges.def"
#undef BRIDGE
};

bool bridge_pending;

static uint32_t settled; /* bit 1 << enum bridge_id */
static bool soon;        /* one of them is there, and not ready */
static uint32_t trying;  /* one thread at a time */

static bool wanted(unsigned i)
{
    return (engine_policy.bridges & ~settled) >> i & 1;
}

static void settle(unsigned i, enum bridge_state s)
{
    if (s != BRIDGE_ON && s != BRIDGE_REFUSED)
        return;
    settled |= 1u << i;
    count(COUNT_BRIDGE_NODE + 2 * i + (s == BRIDGE_REFUSED));
    if (s == BRIDGE_REFUSED)
        carrier_refuse();
    else
        __atomic_store_n(&bridge_pending, false, __ATOMIC_RELEASE); /* one runtime a process */
}

void bridge_start(void)
{
    __atomic_store_n(&bridge_pending, engine_policy.bridges != 0, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < BRIDGE_COUNT; i++)
        if (wanted(i) && bridges[i]->start)
            bridges[i]->start();
}

/* A runtime may be loaded at any time, but seldom is later than at the start: its absence is asked
 * for at the 1st, 2nd, 4th ... occasion. One that is there and not ready is tried each time. */
static bool worth_it(void)
{
    static uint32_t occasions;
    uint32_t n = __atomic_add_fetch(&occasions, 1, __ATOMIC_RELAXED);
    return __atomic_load_n(&soon, __ATOMIC_RELAXED) || (n & (n - 1)) == 0;
}

static void try_all(const void *caller)
{
    bool again = false;
    for (unsigned i = 0; i < BRIDGE_COUNT && bridge_pending; i++)
        if (wanted(i)) {
            enum bridge_state s = bridges[i]->attach(caller);
            again |= s == BRIDGE_LATER;
            settle(i, s);
        }
    __atomic_store_n(&soon, again, __ATOMIC_RELAXED);
    if (bridge_pending && !(engine_policy.bridges & ~settled))
        __atomic_store_n(&bridge_pending, false, __ATOMIC_RELEASE);
}

void bridge_check(const void *caller)
{
    if (!worth_it())
        return;
    int saved = tb_errno_get();
    if (!engine_restricted_now() && !__atomic_exchange_n(&trying, 1, __ATOMIC_ACQUIRE)) {
        try_all(caller);
        __atomic_store_n(&trying, 0, __ATOMIC_RELEASE);
    }
    tb_errno_set(saved);
}

bool bridge_called_from(const void *caller, const char *const *names, size_t n)
{
    return caller && owner_named((uintptr_t)caller, names, n);
}
