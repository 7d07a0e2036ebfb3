/* SPDX-License-Identifier: Apache-2.0 */
/*
 * edit: the byte-accounting contract of one send call.
 *
 * The program offers `total` bytes. On the wire they become
 *
 *     [lead] p0 [ins 0] p1 [ins 1] ... pn
 *
 * where p* are the program's bytes in order, lead is the tail of an insertion
 * that an earlier call could not finish ("owed"), and each insertion stands
 * directly before a program byte. After the kernel accepted k wire bytes:
 *
 *   - the program is told the number of *its* bytes among the first k;
 *   - a cut inside lead or an insertion leaves an owed tail, which must leave
 *     before any later byte of the stream.
 *
 * So the program is never told more than it offered nor more than was consumed,
 * and what reached the wire is always a prefix of the right stream. This file
 * does length arithmetic only; tests/unit/test_edit.c enumerates it.
 */
#ifndef TB_CORE_EDIT_H
#define TB_CORE_EDIT_H

#include "span.h"

#define EDIT_INSERTIONS                                                                            \
    8 /* insertions in one call; a call with more heads leaves the rest alone                      \
       */

struct edit_insertion {
    size_t at; /* offset in the program's bytes, ascending, < total */
    struct span text;
};

struct edit {
    size_t total;     /* program bytes offered */
    struct span lead; /* owed from before, possibly empty */
    unsigned n;
    struct edit_insertion ins[EDIT_INSERTIONS];
};

/** Where k accepted wire bytes end. */
struct edit_cut {
    size_t told;   /* program bytes accepted */
    unsigned done; /* insertions that have begun to leave (wholly or in part) */
    struct span
        owed; /* unsent tail of lead or of insertion done-1; empty if the cut is elsewhere */
};

/** Length of the edited call on the wire. */
size_t edit_wire(const struct edit *e);

/** Account for k accepted wire bytes, k <= edit_wire(e). */
struct edit_cut edit_accepted(const struct edit *e, size_t k);

/** A piece of memory; laid out as struct iovec and may stand for one (the hooks assert it). */
struct __attribute__((may_alias)) edit_piece {
    const void *p;
    size_t n;
};

/**
 * The pieces of the wire stream from wire offset `from` on.
 * @param prog  the program's pieces (their sum is at least e->total), nprog of them; may be empty
 *              ones
 * @return number of pieces written to out (at most cap, which must be > 0); they are contiguous on
 *         the wire from `from`, none is empty, and fewer bytes than the rest only if cap was
 * reached.
 */
size_t edit_pieces(const struct edit *e, size_t from, const struct edit_piece *prog, size_t nprog,
                   struct edit_piece *out, size_t cap);

#endif
