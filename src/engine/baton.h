/* SPDX-License-Identifier: Apache-2.0 */
/*
 * baton: a context that may be kept beyond its thread and its exchange, under a
 * handle that any runtime can keep: one number, a slot and its generation. A
 * handle is never dangling: of a baton that is gone it says so.
 *
 * Two kinds: an exchange's baton stands for one inbound request; a connection's
 * stands for whichever request is open on that connection now (a runtime whose
 * tasks are made before the request is read has nothing better to hold).
 *
 * Rules: no lock; every operation is one or a few atomic steps, so all are safe
 * in signal handlers and survive a fork at any instant. Batons are counted: who
 * makes or takes one gives it back, or lets it linger.
 */
#ifndef TB_ENGINE_BATON_H
#define TB_ENGINE_BATON_H

#include "core/context.h"

#define BATON_MAX    16384 /* at once; who wants one more gets 0 */
#define BATON_LINGER 2048  /* references that baton_linger() keeps */

/** What a baton says while it is held. */
struct baton_view {
    uint64_t xid;              /* the exchange; 0: none (a connection between requests) */
    const struct context *ctx; /* NULL: the empty context */
    bool revoked;              /* which of several requests it belongs to is not sure */
    uint64_t held;             /* what baton_drop() gives back */
};

/** One that refers to an exchange's context (a reference of its own is taken; NULL: empty).
 *  @return its handle, held once; 0: none left */
uint64_t baton_exchange(struct context *ctx, uint64_t xid);

/** One for a connection. */
uint64_t baton_connection(void);

/** The exchange that is open on a connection's baton now, read by the calling thread; 0: none. */
void baton_serve(uint64_t connection, uint64_t exchange);

/** Hold it once more. @return false: it is gone */
bool baton_take(uint64_t handle);
void baton_drop(uint64_t handle);

/** Give a reference away: it is dropped when BATON_LINGER others have been given away since. For
 *  runtimes that cannot say when they forget a handle. */
void baton_linger(uint64_t handle);

/** A handle to what it stands for now, held once: an exchange's own, a connection's open exchange
 *  (only in the thread that read it: elsewhere it may be another by now). 0: nothing. */
uint64_t baton_pin(uint64_t handle);

/** Look at it. @return false: gone, or nothing; else baton_drop(view->held) when done */
bool baton_look(uint64_t handle, struct baton_view *view);

/** Two requests overlap on one connection: nobody may use either. */
void baton_revoke(uint64_t handle);

#endif
