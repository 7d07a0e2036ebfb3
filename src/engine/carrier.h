/* SPDX-License-Identifier: Apache-2.0 */
/*
 * carrier: what a bridge does for the engine. A runtime that carries contexts of
 * its own (Python's context variables, the JVM's threads and tasks) is told which
 * exchange was just read, and asked which one is current where a request leaves.
 *
 * Each function is called with no lock held and the guard not taken, errno saved
 * by the hook: it may run the runtime's code, and that code may do I/O, which
 * comes back through the hooks (the carrier is then not called again: the engine
 * sees to that). `caller` is the return address of the program's call to libc:
 * which object makes it tells what the thread may hold. NULL: not known.
 */
#ifndef TB_ENGINE_CARRIER_H
#define TB_ENGINE_CARRIER_H

#include "engine/baton.h"

enum carrier_answer {
    CARRIER_HELD,    /* *handle is current: an exchange's or a connection's baton */
    CARRIER_NOBODY,  /* the runtime says that this is nobody's work */
    CARRIER_UNKNOWN, /* it cannot be asked here: not its thread, or not its caller */
    CARRIER_WRITES,  /* the bridge writes the lines itself where there are any: aside.h */
    CARRIER_PASS /* no word of its own, and the runtime is synchronous: the thread rule decides */
};

struct carrier {
    /** A connection was accepted; its baton. Take it (baton_take) to keep it. May be NULL. */
    void (*accepted)(uint64_t connection, int fd, const void *caller);
    /** This thread has read the head of this exchange just now. To keep it: baton_take(). */
    void (*opened)(uint64_t exchange, uint64_t connection, int fd, const void *caller);
    /** A request head is about to be sent on fd. */
    enum carrier_answer (*current)(uint64_t *handle, int fd, const void *caller);
};

/** The one carrier of this process; NULL: none. Set once by a bridge that has attached. */
extern const struct carrier *engine_carrier;

/** From now on, and for good. */
void carrier_attach(const struct carrier *carrier);

/** A bridge that was wanted cannot vouch for its runtime (or does not any more): nobody guesses in
 *  its place, but for runtimes that are synchronous by construction. */
void carrier_refuse(void);

/** The next head sent on fd belongs to this baton (an exchange's): for runtimes that queue what
 *  they write. Any thread. */
void carrier_promise(int fd, uint64_t exchange);

#endif
