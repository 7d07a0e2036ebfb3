/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aside: a runtime whose bridge writes the lines itself, because the bytes that
 * leave say nothing (TLS, HTTP/2) or leave in another's name (queues), asks what
 * they are: both heads come as text, or the inbound one as its baton. The rules are those of every
 * other request.
 */
#ifndef TB_ENGINE_ASIDE_H
#define TB_ENGINE_ASIDE_H

#include "core/span.h"

struct aside {
    struct span in, out; /* heads as in HTTP/1, to their empty lines */
    uint64_t baton;      /* not 0: the exchange's, in place of `in` */
    uint16_t port;       /* of the peer, where its authority has none; its address is not known */
    bool elsewhere;      /* it may be sent to others as well (a redirect): class I only */
};

/** Compose and count. @return bytes at dst: whole lines; 0: none */
size_t aside_compose(const struct aside *q, char *dst, size_t cap);

#endif
