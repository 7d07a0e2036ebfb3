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
extern const struct names_row names_rows[NAMES_EXTRA]; /* those from NAMES_BUILTIN on: to be read */
/** Names of the groups, as in TRACEBATON_PROPAGATORS. */
extern const char *const names_groups[GROUP_COUNT];

#define NAMES_EXTRAS    32
#define NAMES_EXTRA_LEN 64
#define NAMES_EXTRA_MAX 1024 /* bytes of an extra's value */

#define NAMES_ALL     (NAMES_EXTRA + NAMES_EXTRAS) /* ids */
#define NAMES_BUCKETS 64

struct names {
    uint64_t on; /* bit a group */
    bool strict; /* tracestate grammar */
    uint8_t extras;
    struct names_extra {
        uint8_t len;
        bool prefix;
        uint8_t row; /* the built-in row it is: its id + 1; else 0 */
        uint8_t cls; /* where it is none: that of the prefix rule it belongs to, else T */
        char name[NAMES_EXTRA_LEN]; /* terminated */
    } extra[NAMES_EXTRAS];
    /* The index, private to names_find(). Links are id + 1. */
    uint8_t bucket[NAMES_BUCKETS], next[NAMES_ALL];
    uint8_t prefix[NAMES_ALL], prefixes;
    uint32_t prefix_first; /* bit: first byte of a prefix & 31 */
};

typedef void (*names_warn)(const char *what, const char *detail, size_t n);

/** Only the default groups (R8), no extras, not strict. */
void names_default(struct names *n);
/** Exactly the groups of a comma-separated list; "none" alone: nothing at all, x-request-id
 *  neither (which any other list includes). Unknown names are told to warn and ignored. */
void names_select(struct names *n, struct span list, names_warn warn);
/** Further names, or prefixes ending in "*", comma-separated. A name of the list brings its row's
 *  rules with it; others are class T and decided alone. Refused: framing, routing, hop-by-hop (the
 *  "never" rows), and prefixes that would let those or credentials in. */
void names_add(struct names *n, struct span list, names_warn warn);

/** Id of a lower-cased header name that is of interest under this configuration, or -1. */
int names_find(const struct names *n, struct span lower);

/** Is this an id of something that can be carried? (Ids from shared memory are not trusted.) */
bool names_carried(const struct names *n, int id);

/** The row of an id that can be carried; extras without a row of their own share one. */
const struct names_row *names_row(const struct names *n, int id);

/** The name of an id, lower case; of prefix rules the prefix. */
struct span names_text(const struct names *n, int id);

/** Is the name of this id only the beginning of the names it stands for? */
static inline bool names_is_prefix(const struct names *n, int id)
{
    return id < NAMES_EXTRA ? names_rows[id].match == MATCH_PREFIX
                            : n->extra[id - NAMES_EXTRA].prefix;
}

#endif
