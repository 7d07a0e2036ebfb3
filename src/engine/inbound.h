/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inbound: the server side of a connection: requests that come in are captured,
 * responses that go out end their exchanges. All functions need the lock.
 */
#ifndef TB_ENGINE_INBOUND_H
#define TB_ENGINE_INBOUND_H

#include "engine/conn.h"

/** May these first bytes begin a request (or a PROXY prefix before one)? */
/** Give the open exchange a baton, if it has none. */
void inbound_baton(struct conn *c);

bool inbound_plausible(const char *p, size_t n);

/** Make the connection a server side at the start of its stream. */
void inbound_begin(struct conn *c, const char *p, size_t n);

/** Request bytes that arrived; `waits`: the read may have blocked by its flags.
 *  @return false when the connection turned out not to be ours (the caller abandons it) */
bool inbound_received(struct conn *c, const struct edit_piece *v, size_t nv, size_t n, bool waits);

/** Response bytes that left; p NULL: unseen. @return as above */
bool inbound_answered(struct conn *c, const char *p, size_t n);

/** The sending direction was shut down: a response that has no other end ends here. */
void inbound_shutdown(struct conn *c);

#endif
