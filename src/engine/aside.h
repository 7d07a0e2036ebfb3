/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aside: a runtime whose bridge writes the lines itself, because the bytes that
 * leave say nothing (TLS, HTTP/2) or leave in another's name (queues), asks what
 * they are: both heads come as text. The rules are those of every other request.
 */
#ifndef TB_ENGINE_ASIDE_H
#define TB_ENGINE_ASIDE_H

#include "core/span.h"

struct aside {
    struct span in;  /* names and values of the inbound request in turn, each ended by a NUL */
    uint32_t pieces; /* how many those are: a NUL inside one must not shift the others */
    struct span out; /* the outbound head, an HTTP/1 one to its empty line */
    uint16_t port;   /* of the peer, where its authority has none; its address is not known */
    bool elsewhere;  /* it may be sent to others as well (a redirect): class I only */
};

/** Compose and count. @return bytes at dst: whole lines; 0: none */
size_t aside_compose(const struct aside *q, char *dst, size_t cap);

#endif
