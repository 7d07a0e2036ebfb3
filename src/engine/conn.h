/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn: one end of a stream, shared by every fd number that refers to it.
 *
 * Its role is learnt from the bytes: what first receives a request head is a
 * server side, what first sends one is a client side, anything else is not ours.
 *
 * Locking: one try-lock a connection, held for bookkeeping only and never across
 * a real call. It is taken with a bounded spin; whoever cannot get it (a holder
 * that was interrupted, cancelled, or lost in a fork) poisons the connection and
 * passes: no hook ever waits for another thread. All members are written with
 * the lock held, but for `poison`, `gen`, `refs` and `blocks_known`; the first ones
 * may be read without it (by a thread whose exchange this is, or was: the block may
 * have been recycled), so they are written by CONN_SET() and read there by CONN_GET().
 *
 * A block may be recycled between the look-up and the lock, so conn_acquire()
 * reads the slot again under the lock. `gen` tells a later phase of the same call
 * whether the block is still the same connection.
 */
#ifndef TB_ENGINE_CONN_H
#define TB_ENGINE_CONN_H

#include "core/context.h"
#include "core/edit.h"
#include "core/head.h"
#include "core/http1.h"
#include "inlet/inlet.h"

enum conn_role { ROLE_NONE, ROLE_SERVER, ROLE_CLIENT };

/** How an inbound head was read; what that proves: flow.h. */
enum conn_mode { MODE_BLOCKING, MODE_NONBLOCKING };

#define CONN_QUEUE 6     /* pipelined requests that wait for their turn */
#define STORE_SIZE 32768 /* a large block of the arena */

/** The head being collected, and its checkpoint during a send call. */
struct store {
    struct head head, saved;
    char buf[STORE_SIZE - 2 * sizeof(struct head)];
};
_Static_assert(sizeof(struct store) <= STORE_SIZE, "one block");

/** A revocable reference to an exchange: valid while the connection's number is still xid. */
struct exchange_ref {
    struct conn *conn;
    uint64_t xid; /* 0: none */
};

struct exchange {
    uint64_t xid;        /* unique in the process, 0 when none is open */
    const void *owner;   /* the thread that read it (its guard's address), NULL: handed off */
    struct context *ctx; /* NULL: empty */
    uint64_t baton;      /* held, where a bridge or the API may want it; else 0 */
    bool told;           /* ... and the bridge has been told */
    uint8_t mode;        /* enum conn_mode */
    bool sync_wait;      /* evidence: its thread waited for one upstream answer ... */
    bool parallel;       /* ... while another exchange was read by another thread */
};

struct conn {
    uint32_t lock; /* it and gen outlive the connection */
    uint32_t gen;  /* bumped when the block is recycled */

    /* also read without the lock: conn_create() clears each */
    uint8_t poison; /* bytes may have passed that we did not see */
    uint8_t role;
    bool blocks_known;   /* whether reads block was asked, and nobody has changed it since */
    bool identified;     /* dev, ino are known */
    int fd;              /* the number it was last used by */
    uint32_t in_checked; /* heads; how often the kernel is asked: conn_in_step() */
    uint64_t dev, ino;
    struct exchange now; /* server side */

    /* only with the lock */
    bool sending; /* a send call is between its two phases */
    bool in_down; /* this direction is not followed any more */
    bool out_down;
    bool blocks;   /* O_NONBLOCK was not set when last asked */
    uint32_t refs; /* fd numbers */
    struct peer_addr addr;
    struct peers_memo memo;
    struct http1 in, out;
    struct inlet door_in, door_out; /* in their place, where the door is another than HTTP */
    uint64_t in_bytes, out_bytes;   /* read and sent, as far as we saw */
    uint32_t out_checked;           /* as in_checked */
    uint64_t baton;                 /* held: this connection's, where a bridge wants them; else 0 */
    struct store *store;            /* while a head is in progress, else NULL */

    /* server side */
    struct {
        struct context *ctx;
        uint8_t method;
        uint8_t mode;
    } queue[CONN_QUEUE];
    unsigned queued;
    bool overlap;              /* a request arrived while another was open */
    uint32_t reads, opened_in; /* read calls; the one that opened `now` */

    /* client side */
    struct http1 saved_out; /* checkpoint of `out` during a send call */
    struct span owed;       /* tail of a cut insertion, in owed_block */
    void *owed_block;
    bool decided;              /* this head has had its decision (and perhaps its insertion) */
    struct exchange_ref bound; /* rule `connect`: what the thread that connected was serving */
    const void *bound_by;
    uint64_t promised; /* held: the baton of the next head, where a runtime queues its writes */
    struct exchange_ref sent; /* evidence: what the sending thread was serving */
    const void *sent_by;
};

#define CONN_SET(member, value) __atomic_store_n(&(member), (value), __ATOMIC_RELAXED)
#define CONN_GET(member)        __atomic_load_n(&(member), __ATOMIC_RELAXED)

/** Lock the connection of a number. NULL where there is none, or it could not be had (then it is
 *  poisoned and counted). */
struct conn *conn_acquire(int fd);

/** Lock a connection that is referred to by an exchange_ref; NULL if it is not that exchange any
 *  more or cannot be had at once. */
struct conn *conn_acquire_ref(struct exchange_ref ref);

void conn_unlock(struct conn *c);

/** A new connection for the number, locked, with one reference in the table; NULL: no memory. */
struct conn *conn_create(int fd);

/** Drop a reference that a number held; the last one ends the exchange and recycles the block. */
void conn_drop(struct conn *c);

/** Lock it again in the second phase of a call; NULL: it is another connection by now, or cannot be
 *  had. A poisoned one is returned, too: what left must be accounted for first. */
struct conn *conn_relock(struct conn *c, uint32_t gen);

bool conn_poisoned(const struct conn *c);

/** Forget the connection of a locked number: it and its duplicates are foreign from now on.
 * Unlocks. */
void conn_abandon(struct conn *c, int fd);

/** Mark it as not understood any more; the next call that locks it stands down. Lock not needed. */
void conn_poison(struct conn *c, unsigned reason_counter);

/** Is the number still the socket that this connection was made for? One system call. */
bool conn_verify(struct conn *c, int fd);

/** The same of the number it was last used by, without the lock. Writes nothing. */
bool conn_there(const struct conn *c);

/** The same, asked for the first, second, fourth ... exchange: a close that a hook sees needs no
 *  question. In a process in which one was not seen, it is asked always. */
bool conn_there_yet(const struct conn *c);
/** Such a close was found out: a number was made anew that had a connection. */
void conn_vanished(void);

/** Does the kernel agree on how many bytes passed? Asked at the first, second, fourth ... of the
 *  heads that matter: bytes that leave or arrive by calls that nobody hooks (stdio, raw system
 *  calls) show early, and the question costs nothing in the long run. True where it cannot tell
 *  (not TCP). */
bool conn_in_step(struct conn *c, int fd, bool outbound);

/** Do its reads block? Asked anew whenever a hook has seen the flag being set, and at the first,
 *  second, fourth ... request. */
bool conn_blocks(struct conn *c);

/** Has nothing been sent that we did not see? 1 yes, 0 no, -1 the kernel cannot tell. */
int conn_sent_all(const struct conn *c);

/** The store, fetched when first needed; NULL: no memory. */
struct store *conn_store(struct conn *c);
void conn_store_release(struct conn *c);

/** Blocks for contexts and insertions. */
void *conn_block(void);
void conn_block_release(void *block);
/** A block for a context of at most `need` bytes (a large one has room for any); its size. */
void *conn_context_block(size_t need, size_t *size);
void conn_context_release(struct context *ctx);
/** One more will release it. */
void conn_context_share(struct context *ctx);

#endif
