/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbound: the client side of a connection: request heads that go out are given
 * the lines of the exchange they belong to. All functions need the lock.
 */
#ifndef TB_ENGINE_OUTBOUND_H
#define TB_ENGINE_OUTBOUND_H

#include "engine/engine.h"

/** May these first bytes begin a request? */
bool outbound_plausible(const char *p, size_t n);

/** Make the connection a client side at the start of its stream. */
/** Bytes that the pieces offer. */
size_t outbound_total(const struct edit_piece *v, size_t nv);

/** May the next bytes bring a decision? (else a bridge need not be asked) */
bool outbound_asks(const struct conn *c);

void outbound_begin(struct conn *c);

/** Scan the offered bytes, decide, and plan the call. */
void outbound_plan(struct conn *c, struct engine_send *s, unsigned flags);

/** What the program's own trace says of a decision. In shadow mode that is only counted. */
void outbound_compare(enum context_own own);

/** Account for the accepted wire bytes.
 *  @return false when the connection is of no interest any more (the caller abandons it) */
bool outbound_sent(struct conn *c, struct engine_send *s, size_t accepted);

/** n bytes left unseen. @return as above */
bool outbound_unseen(struct conn *c, size_t n);

/** n of the owed bytes left. */
void outbound_owed_sent(struct conn *c, size_t n);

#endif
