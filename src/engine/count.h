/* SPDX-License-Identifier: Apache-2.0 */
/*
 * count: every decision has one counter. This file joins the lists that name
 * them (here, http1.h, context.h) into one numbering; the shared page carries
 * the names, so readers need no list of their own.
 */
#ifndef TB_ENGINE_COUNT_H
#define TB_ENGINE_COUNT_H

#include "core/context.h"
#include "core/http1.h"
#include "sys/page.h"

/* What happened, in the order a reader wants to see it. */
#define ENGINE_COUNTS(X)                                                                           \
    X(REQUESTS_IN, "requests-in")   /* inbound heads understood */                                 \
    X(CONTEXTS, "contexts")         /* of them with something to carry */                          \
    X(REQUESTS_OUT, "requests-out") /* outbound heads understood */                                \
    X(INSERTED, "inserted")         /* of them given lines */                                      \
    X(BYTES, "bytes-inserted")                                                                     \
    X(RULE_APP, "rule-app")       /* the program wrote an identity itself */                       \
    X(RULE_API, "rule-api")       /* the program said so: tracebaton.h */                          \
    X(RULE_BRIDGE, "rule-bridge") /* the runtime's own async context says so */                    \
    X(RULE_THREAD, "rule-thread")                                                                  \
    X(RULE_CONNECT, "rule-connect")                                                                \
    X(RULE_CHILD, "rule-child")                  /* the process was started inside an exchange */  \
    X(CHILDREN, "children-told")                 /* programs that were executed with a context */  \
    X(NONE_CHILD, "abstain-child-text")          /* ... or without: too long, or no place */       \
    X(NONE_NO_INBOUND, "abstain-no-inbound")     /* this thread serves no open exchange */         \
    X(NONE_STALE, "abstain-stale")               /* the one it served is over */                   \
    X(NONE_AMBIGUOUS, "abstain-loop-ambiguous")  /* it read more than one open exchange */         \
    X(NONE_WAITED, "abstain-waited")             /* it went back to wait for inbound work */       \
    X(NONE_HANDED, "abstain-handed-off")         /* another thread took the exchange over */       \
    X(NONE_PIPELINED, "abstain-pipelined")       /* which of the requests it read is not sure */   \
    X(NONE_UNPROVEN, "abstain-unproven")         /* non-blocking, evidence not sufficient yet */   \
    X(NONE_REFUTED, "abstain-refuted")           /* one thread an exchange is disproved here */    \
    X(NONE_BRIDGE, "abstain-bridge-none")        /* the runtime: nobody's work */                  \
    X(NONE_UNBRIDGED, "abstain-bridge-unknown")  /* the bridge cannot ask here */                  \
    X(NONE_REFUSED, "abstain-bridge-refused")    /* a runtime that cannot be bridged */            \
    X(NONE_CONTRADICTED, "abstain-contradicted") /* the program's own trace differed from ours */  \
    X(NONE_EMPTY, "abstain-empty-context")       /* the request came without headers */            \
    X(NONE_IDENTITY, "abstain-fd-identity")      /* the fd is not the socket we knew */            \
    X(NONE_MANY, "abstain-many-heads")           /* more heads in one call than we edit */         \
    X(NONE_FLAGS, "abstain-send-flags")          /* MSG_ZEROCOPY, MSG_FASTOPEN, ancillary data */  \
    X(NONE_SHADOW, "abstain-shadow")             /* TRACEBATON=shadow */                           \
    X(NONE_COMPOSED, "abstain-nothing-to-add")   /* insert-* says why */                           \
    X(OWN_RIGHT, "own-right")     /* the program's own trace is the one it would have got */       \
    X(OWN_WRONG, "own-wrong")     /* ... is another */                                             \
    X(OWN_MISSING, "own-missing") /* it sent one where we would have abstained */                  \
    X(PROVEN, "evidence-proven")  /* evidence for one thread an exchange */                        \
    X(REFUTED, "evidence-refuted")                                                                 \
    X(SHORT, "short-accepts")             /* the kernel took part of an edited call */             \
    X(OWED, "owed-tails")                 /* ... and cut an insertion */                           \
    X(DOWN_RACE, "down-race")             /* two threads in one stream at once */                  \
    X(DOWN_SIGNAL, "down-signal")         /* a signal handler did I/O inside our code */           \
    X(DOWN_MEMORY, "down-memory")         /* the arena is exhausted */                             \
    X(DOWN_PIPELINE, "down-pipeline")     /* pipelined deeper than we follow */                    \
    X(DOWN_UNSEEN, "down-unseen-bytes")   /* bytes passed that could not be counted */             \
    X(DOWN_ORIGIN, "down-unknown-origin") /* not provably at the start of its stream */            \
    X(DOWN_INLET, "down-inlet")           /* FastCGI, uwsgi, SCGI that is not understood */        \
    X(DOWN_ROLE, "down-role")             /* both sides spoke first */                             \
    X(CONNS, "connections-opened")        /* as far as they have state here ... */                 \
    X(CONNS_DONE, "connections-done")     /* ... and what became of it */                          \
    X(BLOCKS, "blocks-taken")             /* of memory for heads, contexts and insertions */       \
    X(BLOCKS_DONE, "blocks-returned")                                                              \
    X(CONFIG, "config-warnings") /* options that were ignored */

enum count_id {
#define X(id, text) COUNT_##id,
    ENGINE_COUNTS(X)
#undef X
#define BRIDGE(id, name) COUNT_BRIDGE_##id, COUNT_BRIDGE_##id##_REFUSED,
#include "bridge/bridges.def"
#undef BRIDGE
        COUNT_DOWN_IN, /* + enum http1_reason: inbound streams stood down */
    COUNT_DOWN_OUT = COUNT_DOWN_IN + HTTP1_R_COUNT, /* outbound streams */
    COUNT_CAPTURE = COUNT_DOWN_OUT + HTTP1_R_COUNT, /* + enum context_note, while capturing */
    COUNT_INSERT = COUNT_CAPTURE + CONTEXT_N_COUNT, /* ... while inserting */
    COUNT_ALL = COUNT_INSERT + CONTEXT_N_COUNT
};

/** Names of all counters, COUNT_ALL of them. */
extern const char *const count_names[];

static inline void count(unsigned id)
{
    page_count(id);
}

/** Add the notes of context_build() or context_compose() to the counters from `base` on. */
void count_notes(unsigned base, const struct context_notes *notes);

#endif
