/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peers: where each class of header may go. The host name decides first (of an
 * absolute-form request the target's), then the address; docs/configuration.md
 * has the grammar of TRACEBATON_PEERS.
 */
#ifndef TB_CORE_PEERS_H
#define TB_CORE_PEERS_H

#include "span.h"

/** I opaque ids, T topology or vendor, U user data, C credentials. */
enum peer_class { PEER_I, PEER_T, PEER_U, PEER_C, PEER_CLASSES };

/** A peer's address as bytes. */
struct peer_addr {
    uint8_t family; /* 0 unknown, 4, 6, 1 = unix socket (mesh-local) */
    uint16_t port;  /* host order */
    uint8_t ip[16];
};

#define PEERS_RULES 48
#define PEERS_NAME  128

struct peer_rule {
    uint8_t kind; /* private */
    bool deny;
    uint8_t cls, family, bits, len;
    uint16_t port; /* 0: any */
    uint8_t ip[16];
    char name[PEERS_NAME];
};

struct peers {
    bool insert_signed; /* also into requests that are signed (for object stores in the mesh) */
    uint8_t n;
    struct peer_rule rule[PEERS_RULES];
};

typedef void (*peers_warn)(const char *what, const char *detail, size_t n);

/** I anywhere, T and U mesh-local, C nowhere. */
void peers_default(struct peers *p);
/** Apply a text such as "T=any;U=mesh,+.partner.example,10.9.0.0/16,!legacy.svc". A class that is
 *  named loses its default; "!" forbids, and wins. What cannot be read
 *  is told to warn, and ignored. */
void peers_parse(struct peers *p, struct span text, peers_warn warn);

/** What may go where?
 *  @param authority  host[:port] as the program wrote it, possibly empty
 *  @param addr       the peer's address; family 0: unknown
 *  @return bit 1 << class for each class that may; PEERS_NEVER alone for link-local addresses and
 *          metadata services, whatever the rules say */
unsigned peers_classes(const struct peers *p, struct span authority, const struct peer_addr *addr);
#define PEERS_NEVER 0x80u

/** The last answer, for a connection on which every request goes to the same authority. Zeroed:
 * none. Only for the same rules and the same address. */
struct peers_memo {
    uint8_t allowed, n;
    char authority[46];
};

/** peers_classes(), remembered. */
unsigned peers_recall(struct peers_memo *m, const struct peers *p, struct span authority,
                      const struct peer_addr *addr);

/** May this class go there? */
static inline bool peers_allow(const struct peers *p, enum peer_class cls, struct span authority,
                               const struct peer_addr *addr)
{
    return peers_classes(p, authority, addr) >> cls & 1;
}

#endif
