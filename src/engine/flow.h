/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow: whose work is this? The rule `thread`, its evidence, and the reasons to
 * abstain.
 *
 * A thread is certain to work for exchange X when it read X's head, X is still
 * open, it has since neither read other inbound work nor waited for any, no
 * other thread has touched X, and *one exchange at a time is how this program
 * works*. The last condition is what makes it certain, and it needs a proof:
 *
 *  - The head was read by a blocking read. A thread that blocks on one
 *    connection cannot be an event loop, a carrier of virtual threads or a
 *    work-stealing worker: those must never block, so they set O_NONBLOCK (the
 *    flag is asked for at the read, not remembered: JDK virtual threads and
 *    gevent flip it).
 *  - The runtime is synchronous by construction (life.c names them): it runs
 *    the handler inside the call stack that read the head.
 *  - Evidence: EVIDENCE_NEEDED exchanges were each read and answered by one
 *    thread with nothing between, while that thread sat in a synchronous wait
 *    (a blocking read, or a poll of that one fd) for an upstream answer, and
 *    other threads read other exchanges meanwhile. An asynchronous runtime
 *    cannot produce this: its thread goes back to the loop, or runs someone
 *    else's task, instead of sitting in the wait.
 *
 * Non-blocking reads alone prove nothing: a tokio, .NET, Loom or Netty thread
 * that read exchange A may run B's continuation without any libc call between.
 *
 * One contradiction ends the rule for good in this process (but for the
 * runtimes known to be synchronous, where it ends with the thread): a thread
 * that reads a second exchange while its first is open, waits for inbound work
 * with one open, or sees another thread read or answer "its" exchange.
 */
#ifndef TB_ENGINE_FLOW_H
#define TB_ENGINE_FLOW_H

#include "engine/conn.h"

#define EVIDENCE_NEEDED 16

/** How handlers are known to be called by the runtime in this process. */
enum flow_runtime {
    RUNTIME_ANY,      /* nothing known: blocking reads, or evidence */
    RUNTIME_SYNC_ONE, /* handler runs in the reader's stack; certain if one exchange is open */
    RUNTIME_SYNC_LAST /* ... and one thread serves all: the last inbound read is the current one */
};

/** To be called once, before any other: what the loaded objects say. PHP is RUNTIME_SYNC_LAST only
 * in its own server: `sapi` is where its name is found once PHP has started (NULL: not PHP); a PHP
 *  program that serves sockets itself (ReactPHP, Swoole) is an event loop like any other. */
void flow_init(enum flow_runtime runtime, const char *const *sapi);

/* What happened, told with the connection locked. */
void flow_opened(struct conn *c);   /* this thread completed the head of c's exchange */
void flow_touched(struct conn *c);  /* this thread read more of its bytes */
void flow_answered(struct conn *c); /* this thread wrote response bytes */
void flow_ending(struct conn *c, bool complete); /* its response is complete, or it just ended */
/** Would flow_upstream_answer() tell anything new? Only what was read without blocking needs it. */
bool flow_wants_evidence(const struct conn *client);
void flow_upstream_answer(struct conn *client, bool synchronous);

/** This thread waits for inbound work (accept, an epoll, a poll with inbound fds). Lock-free. */
void flow_waited(void);

/** Does this thread serve anything? For the fast path of the wait hooks. */
bool flow_serving(void);
/** ... an exchange whose head was read without blocking? Then any epoll is suspect (what an epoll
 *  instance watches may have been told to the kernel through io_uring). */
bool flow_serves_unproven(void);
/** Is this connection one that the calling thread serves? */
bool flow_serves(const struct conn *c);

/** Inference is wrong here (the program's own trace contradicted it): off for good. */
void flow_contradicted(void);
bool flow_is_contradicted(void);

/** A bridge will not vouch for this runtime: the rule `thread` is off, but for runtimes that are
 *  synchronous by construction. */
void flow_refuse(void);

/** The exchange this thread surely works for; xid 0 and a COUNT_NONE_* reason if there is none. No
 *  connection may be locked by the caller but one that is not a server side. */
struct exchange_ref flow_current(unsigned *reason);

/** The one exchange this thread may be working for, certain or not (evidence is built on it). */
struct exchange_ref flow_candidate(void);

/** Is the exchange still open (and its fd still its socket)? Takes and drops its lock. */
bool flow_open(struct exchange_ref ref);

#endif
