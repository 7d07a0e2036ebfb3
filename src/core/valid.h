/* SPDX-License-Identifier: Apache-2.0 */
/*
 * valid: may this value be written into another message? SAFE is the security
 * boundary of R3 (captured values are hostile bytes): no control byte but HTAB,
 * nothing above 0x7e, not empty. The others are the grammars of R4.
 */
#ifndef TB_CORE_VALID_H
#define TB_CORE_VALID_H

#include "span.h"

#define VALID_LIST(X)                                                                              \
    X(SAFE)                                                                                        \
    X(VISIBLE)                                                                                     \
    X(TRACEPARENT)                                                                                 \
    X(TRACESTATE)                                                                                  \
    X(B3)                                                                                          \
    X(HEX32)                                                                                       \
    X(HEX16)                                                                                       \
    X(HEX16_32)                                                                                    \
    X(BOOL)                                                                                        \
    X(DIGITS)                                                                                      \
    X(UINT64)                                                                                      \
    X(PRIORITY)                                                                                    \
    X(SW8)                                                                                         \
    X(GCP)                                                                                         \
    X(JAEGER)                                                                                      \
    X(SENTRY)

enum valid {
#define X(id) VALID_##id,
    VALID_LIST(X)
#undef X
};

/** Does the value pass SAFE and its own check? `strict`: tracestate grammar, too. */
bool valid_value(enum valid v, struct span s, bool strict);

/** SAFE alone. */
bool valid_safe(struct span s);

/** token, RFC 9110 5.6.2 */
bool valid_token(struct span s);

/** How much of a comma-separated list fits in `max` bytes: all, or whole members from its beginning
 *  (0: not one). */
size_t valid_members(struct span list, size_t max);

#endif
