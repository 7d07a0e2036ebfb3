/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names: which header names matter, from one list (propagators.def) plus the
 * names a user adds. A struct names is filled by names_default(), names_select()
 * and names_add() before any connection exists and is constant from then on.
 */
#ifndef TB_CORE_NAMES_H
#define TB_CORE_NAMES_H

#include "peers.h"
#include "span.h"

enum names_id {
#define HEADER(id, group, name, match, max, several, cls, role, def, valid) NAME_##id,
#include "propagators.def"
#undef HEADER
    NAMES_BUILTIN,
    /* Fields that decisions need and that are never carried: */
    NAME_HOST = NAMES_BUILTIN,
    NAME_AUTH, /* authorization, where it is not carried */
    NAME_SIGNATURE_INPUT,
    NAME_CONNECTION,
    NAMES_EXTRA /* + index: the user's own */
};

enum names_group {
#define PROPAGATOR(id, name) GROUP_##id,
#include "propagators.def"
#undef PROPAGATOR
    GROUP_COUNT
};

enum names_match { MATCH_EXACT, MATCH_PREFIX };
enum names_several { SEVERAL_FIRST, SEVERAL_JOIN, SEVERAL_ALL };
enum names_role { ROLE_H_IDENTITY, ROLE_H_COMPANION, ROLE_H_FREE, ROLE_H_LONE };
enum names_default { DEFAULT_ON, DEFAULT_OPT, DEFAULT_LISTED, DEFAULT_NEVER };

/** One row of the list. */
struct names_row {
    const char *name;
    uint8_t len, group, match, several, cls, role, def, valid;
    uint16_t max;
};
extern const struct names_row names_rows[NAMES_BUILTIN];
/** Names of the groups, as in TRACEBATON_PROPAGATORS. */
extern const char *const names_groups[GROUP_COUNT];

#define NAMES_BUCKETS   128
#define NAMES_EXTRAS    32
#define NAMES_EXTRA_LEN 64
#define NAMES_EXTRA_MAX 1024 /* bytes of an extra's value */

struct names {
    uint64_t on; /* bit a group */
    uint8_t bucket[NAMES_BUCKETS];  /* id + 1 of the first exact row of a hash, 0: none */
    uint8_t chain[NAMES_BUILTIN];   /* id + 1 of the next one */
    bool strict; /* tracestate grammar */
    uint8_t extras;
    struct names_extra {
        uint8_t len;
        bool prefix;
        uint8_t row; /* DEFAULT_LISTED rows that were spelled out: their id + 1; else 0 */
        char name[NAMES_EXTRA_LEN];
    } extra[NAMES_EXTRAS];
};

typedef void (*names_warn)(const char *what, const char *detail, size_t n);

/** The default groups (R8). */
void names_default(struct names *n);
/** Exactly the groups of a comma-separated list; "none" alone: nothing at all, x-request-id
 *  neither (which any other list includes). Unknown names are told to warn and ignored. */
void names_select(struct names *n, struct span list, names_warn warn);
/** Further names, or prefixes ending in "*", comma-separated. Refused: framing, routing, hop-by-hop
 *  (the "never" rows). */
void names_add(struct names *n, struct span list, names_warn warn);

/** Id of a lower-cased header name that is of interest under this configuration, or -1. */
int names_find(const struct names *n, struct span lower);

/** Rows of an id that can be carried; extras share one row. */
const struct names_row *names_row(const struct names *n, int id);

#endif
