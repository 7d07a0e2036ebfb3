/* SPDX-License-Identifier: Apache-2.0 */
/*
 * context: the immutable set of header lines captured from one inbound request,
 * and what of it an outbound request is given (rules R1-R11 of the propagation
 * notes; docs/headers.md).
 */
#ifndef TB_CORE_CONTEXT_H
#define TB_CORE_CONTEXT_H

#include "head.h"
#include "names.h"
#include "peers.h"

#define CONTEXT_LINES 32    /* lines of one context */
#define CONTEXT_MAX   24576 /* bytes of one context (text, all lines) */
#define CONTEXT_MEM   (sizeof(struct context) + CONTEXT_MAX)

struct context_line {
    uint16_t id;       /* names id; lines are in the order of R11 */
    uint16_t name_len; /* at .off: "name: value\r\n" */
    uint32_t off, len; /* whole line with CRLF */
};

/** Header, lines and text in one block of memory without pointers: may be copied, shared. */
struct context {
    uint32_t size; /* whole block in bytes */
    uint32_t n;    /* lines; 0: the empty context */
    uint32_t text_len;
    struct context_line line[CONTEXT_LINES];
    char text[];
};

/** Why something was not captured or not inserted; counters by these names. */
#define CONTEXT_NOTES(X)                                                                           \
    X(INVALID, "invalid-value")     /* R3/R4: unsafe bytes, bad grammar, folded, over its cap */   \
    X(DUPLICATE, "duplicate-line")  /* more than one line where one is allowed */                  \
    X(HOP_BY_HOP, "hop-by-hop")     /* R9: named by Connection */                                  \
    X(STALE_B3, "stale-b3")         /* R7's exception */                                           \
    X(OVERFLOW, "context-overflow") /* too many or too large lines */                              \
    X(APP_OWN, "app-own-trace")     /* R6.3: the program wrote another identity */                 \
    X(APP_HAS, "app-has-header")    /* R5: the program wrote this header itself */                 \
    X(PEER, "peer-not-allowed")     /* class may not go to this peer */                            \
    X(PEER_NEVER, "peer-never")     /* link-local, metadata service */                             \
    X(SIGNED, "signed-request")                                                                    \
    X(EXPORT, "span-export")   /* request posts spans */                                           \
    X(METHOD, "method")        /* CONNECT always, TRACE for T, U, C */                             \
    X(BUDGET, "header-budget") /* section 6: common limits of receivers */

enum context_note {
#define X(id, text) CONTEXT_N_##id,
    CONTEXT_NOTES(X)
#undef X
        CONTEXT_N_COUNT
};

/** One count for each thing noted; the caller adds them to its counters. */
struct context_notes {
    uint8_t count[CONTEXT_N_COUNT];
};

/**
 * Build the context of an inbound request.
 * @param mem  at least CONTEXT_MEM bytes, 8-aligned (a smaller `cap`, not below sizeof(struct
 *             context), drops from the end of R11)
 * @return the block (== mem); n == 0 when nothing is to be carried. Never fails.
 */
struct context *context_build(const struct head *in, void *mem, size_t cap,
                              struct context_notes *notes);

/** What context_compose() needs to know of an outbound request besides its head. */
struct context_out {
    const struct head *head;         /* kept fields of the outbound head: what the program wrote */
    const struct peers *peers;       /* configured rules */
    struct peer_addr addr;           /* the peer's address, family 0 when unknown */
    uint8_t method;                  /* enum http1_method */
    uint32_t head_bytes, head_lines; /* http1's, at HTTP1_EMPTY_LINE */
};

/**
 * Compose the lines to be inserted.
 * @param dst  receives whole lines, each ending in CRLF; `cap` CONTEXT_MAX is always enough
 * @param contradicts  out: the program wrote an identity header whose *trace id* differs from the
 *                     captured one of the same group: proof that the context is not its own. (A
 *                     64-bit id that is the low half of the other is the same.)
 * @return bytes written, 0 for nothing to add. The context's memory is not trusted: nothing of it
 *         is used unless it still is whole lines one after another, each of a known id under that
 *         id's name, with a value of safe bytes only (R3). The grammars (R4) are not asked again.
 */
size_t context_compose(const struct context *c, const struct context_out *out, char *dst,
                       size_t cap, bool *contradicts, struct context_notes *notes);

/** Did the program itself write any identity header (rule `app`)? */
bool context_app_identity(const struct head *out);

/** Count one. */
void context_note_add(struct context_notes *notes, enum context_note n);

/** Text of a note. */
const char *context_note_name(enum context_note n);

#endif
