/* SPDX-License-Identifier: Apache-2.0 */
/* test_baton: handles that outlive what they name, and batons of connections. */
#include "unit/unit.h"

#include <pthread.h>

#include "engine/baton.h"
#include "engine/conn.h"
#include "sys/guard.h"

static struct context *context(void)
{
    size_t size;
    struct context *c = conn_context_block(sizeof(*c), &size);
    memset(c, 0, sizeof(*c));
    return c;
}

START_TEST(an_exchange_is_what_it_was_made_of)
{
    struct context *ctx = context();
    struct baton_view v;
    uint64_t h = baton_exchange(ctx, 42);
    CHECK(h && ctx->shares == 1);
    CHECK(baton_look(h, &v) && v.ctx == ctx && v.xid == 42 && !v.revoked && v.held == h);
    baton_drop(v.held);
    conn_context_release(ctx); /* the exchange is over; the baton has its own share */
    CHECK(baton_look(h, &v) && v.ctx == ctx);
    baton_drop(v.held);
    baton_drop(h);
    CHECK(!baton_look(h, &v) && !baton_take(h) && !baton_pin(h));
}
END_TEST

START_TEST(a_handle_of_a_former_life_finds_nothing)
{
    struct baton_view v;
    uint64_t old = baton_exchange(NULL, 1);
    baton_drop(old);
    uint64_t now = baton_exchange(NULL, 2);
    CHECK((uint32_t)old == (uint32_t)now && old != now); /* the same slot */
    CHECK(!baton_take(old) && !baton_look(old, &v));
    baton_drop(old); /* takes nothing from the new one */
    baton_revoke(old);
    CHECK(baton_look(now, &v) && v.xid == 2 && !v.revoked);
    baton_drop(v.held);
    baton_drop(now);
}
END_TEST

START_TEST(no_handle_is_dangerous)
{
    struct baton_view v;
    for (int i = 0; i < 100000; i++) {
        uint64_t h = (uint64_t)unit_random(1u << 31) << 32 | unit_random(1u << 31);
        CHECK(!baton_take(h) && !baton_look(h, &v));
        baton_drop(h);
        baton_revoke(h);
        baton_serve(h, h);
    }
    baton_drop(0);
    CHECK(!baton_look(0, &v) && !baton_look(UINT64_MAX, &v));
}
END_TEST

START_TEST(revoked)
{
    struct baton_view v;
    uint64_t h = baton_exchange(NULL, 3);
    baton_revoke(h);
    CHECK(baton_look(h, &v) && v.revoked);
    baton_drop(v.held);
    baton_drop(h);
    h = baton_exchange(NULL, 4); /* the slot's next life is not */
    CHECK(baton_look(h, &v) && !v.revoked);
}
END_TEST

static void *elsewhere(void *handle)
{
    struct baton_view v;
    return baton_look(*(uint64_t *)handle, &v) ? handle : NULL;
}

START_TEST(a_connection_stands_for_what_is_open_on_it)
{
    struct baton_view v;
    void *other;
    pthread_t t;
    uint64_t c = baton_connection(), a = baton_exchange(NULL, 1), b = baton_exchange(NULL, 2);
    CHECK(c && !baton_look(c, &v));
    baton_serve(c, a);
    CHECK(baton_look(c, &v) && v.xid == 1 && v.held == a);
    baton_drop(v.held);
    pthread_create(&t, NULL, elsewhere, &c); /* a thread that did not read it */
    pthread_join(t, &other);
    CHECK(!other);
    baton_drop(a);
    CHECK(baton_look(c, &v) && v.xid == 1); /* the connection holds it */
    baton_drop(v.held);
    uint64_t pinned = baton_pin(c);
    CHECK(pinned == a);
    baton_serve(c, b);
    CHECK(baton_look(c, &v) && v.xid == 2);
    baton_drop(v.held);
    CHECK(baton_look(pinned, &v) && v.xid == 1); /* what is pinned stays */
    baton_drop(v.held);
    baton_serve(c, 0);
    CHECK(!baton_look(c, &v));
    baton_drop(pinned);
    CHECK(!baton_take(a));
    baton_drop(c);
    CHECK(!baton_take(c));
    baton_drop(b);
    CHECK(!baton_take(b));
}
END_TEST

START_TEST(a_connection_that_goes_lets_go)
{
    uint64_t c = baton_connection(), a = baton_exchange(NULL, 1);
    baton_serve(c, a);
    baton_drop(a);
    CHECK(baton_take(a));
    baton_drop(a);
    baton_drop(c);
    CHECK(!baton_take(a));
}
END_TEST

START_TEST(bounded)
{
    static uint64_t all[BATON_MAX];
    for (int i = 0; i < BATON_MAX; i++)
        CHECK((all[i] = baton_exchange(NULL, 1)) != 0);
    CHECK(baton_exchange(NULL, 1) == 0 && baton_connection() == 0);
    for (int i = 0; i < BATON_MAX; i++)
        baton_drop(all[i]);
    CHECK(baton_exchange(NULL, 1) != 0);
}
END_TEST

START_TEST(lingering)
{
    uint64_t first = baton_exchange(NULL, 1), h = 0;
    baton_linger(first);
    for (int i = 1; i < BATON_LINGER; i++)
        baton_linger(baton_exchange(NULL, 1));
    CHECK(baton_take(first));
    baton_drop(first);
    baton_linger(h = baton_exchange(NULL, 2));
    CHECK(!baton_take(first) && baton_take(h));
}
END_TEST

/* Many threads make, take, look at and drop each other's handles; whatever is seen is whole. */
static uint64_t shared[8];

static void *churn(void *arg)
{
    unsigned n = (unsigned)(uintptr_t)arg;
    for (int i = 0; i < 40000; i++) {
        struct baton_view v;
        uint64_t mine = baton_exchange(NULL, 7), *at = &shared[(n + (unsigned)i) % 8];
        if (!mine)
            continue;
        uint64_t old = __atomic_exchange_n(at, mine, __ATOMIC_ACQ_REL);
        if (baton_look(__atomic_load_n(&shared[(unsigned)i % 8], __ATOMIC_ACQUIRE), &v)) {
            if (v.xid != 7)
                return arg;
            baton_drop(v.held);
        }
        baton_drop(old);
    }
    return NULL;
}

START_TEST(threads)
{
    pthread_t t[4];
    for (uintptr_t i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, churn, (void *)(i + 1));
    for (int i = 0; i < 4; i++) {
        void *bad;
        pthread_join(t[i], &bad);
        CHECK(!bad);
    }
    for (int i = 0; i < 8; i++)
        baton_drop(shared[i]);
    static uint64_t all[BATON_MAX];
    for (int i = 0; i < BATON_MAX; i++) /* none was lost */
        CHECK((all[i] = baton_exchange(NULL, 1)) != 0);
}
END_TEST

int main(void)
{
    unit_begin("test_baton");
    UNIT(an_exchange_is_what_it_was_made_of);
    UNIT(a_handle_of_a_former_life_finds_nothing);
    UNIT(no_handle_is_dangerous);
    UNIT(revoked);
    UNIT(a_connection_stands_for_what_is_open_on_it);
    UNIT(a_connection_that_goes_lets_go);
    UNIT(bounded);
    UNIT(lingering);
    UNIT(threads);
    return unit_run();
}
