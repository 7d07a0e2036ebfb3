/* SPDX-License-Identifier: Apache-2.0 */
/* peers: where each class of header may go (classes I, T, U, C; docs/headers.md). */
#ifndef TB_CORE_PEERS_H
#define TB_CORE_PEERS_H

#include "span.h"

enum peer_class { PEER_I, PEER_T, PEER_U, PEER_C, PEER_CLASSES };

/** A peer's address as bytes. */
struct peer_addr {
    uint8_t family; /* 0 unknown, 4, 6, 1 = unix socket (mesh-local) */
    uint16_t port;  /* host order */
    uint8_t ip[16];
};

struct peers;

#endif
