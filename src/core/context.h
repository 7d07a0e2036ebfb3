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
    uint32_t classes;  /* bit enum peer_class: of all lines */
    uint32_t shares;   /* for whoever keeps it: how many beside the first; the sum leaves it out */
    uint64_t sum;      /* context_sum() of what was captured */
    uint8_t trace[16]; /* for whoever keeps an account: context_trace(); zero until it asked */
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

/** No context of this head takes more memory. */
static inline size_t context_bound(const struct head *in)
{
    return sizeof(struct context) + in->len + in->n * (NAMES_EXTRA_LEN + sizeof(": \r\n"));
}

/** What the program wrote itself says of a context. A trace id that differs from the captured one
 * of the same header is proof that the context is not its own. (A 64-bit id that is the low half of
 * the other is the same.) */
enum context_own { CONTEXT_OWN_SILENT, CONTEXT_OWN_AGREES, CONTEXT_OWN_CONTRADICTS };

/** What context_compose() needs to know of an outbound request besides its head. */
struct context_out {
    const struct head *head;         /* kept fields of the outbound head: what the program wrote */
    const struct peers *peers;       /* configured rules */
    struct peer_addr addr;           /* the peer's address, family 0 when unknown */
    uint8_t method;                  /* enum http1_method */
    uint32_t head_bytes, head_lines; /* http1's, at HTTP1_EMPTY_LINE */
    struct peers_memo *memo;         /* the connection's; NULL: none */
};

/**
 * Compose the lines to be inserted.
 * @param dst  receives whole lines, each ending in CRLF; `cap` CONTEXT_MAX is always enough
 * @param own  out: what the program's own identity headers say of the captured ones
 * @return bytes written, 0 for nothing to add, or where the block is not what was captured (R3).
 */
size_t context_compose(const struct context *c, const struct context_out *out, char *dst,
                       size_t cap, enum context_own *own, struct context_notes *notes);

/** The trace id of the context as bytes, right-aligned; zero where no format that is carried names
 * it in hexadecimal. */
void context_trace(const struct context *c, uint8_t id[16]);

/** A sum over the lines and the text, to tell whether a buggy program has written to them. Reads
 *  nothing outside the block whatever the block holds. */
uint64_t context_sum(const struct context *c);

/** Did the program itself write any identity header (rule `app`)? */
bool context_app_identity(const struct head *out);

/** Count one. */
void context_note_add(struct context_notes *notes, enum context_note n);

/** Text of a note. */
const char *context_note_name(enum context_note n);

#endif
