/* SPDX-License-Identifier: Apache-2.0 */
/* count: the names of the counters, from the lists that define them. */
#include "engine/count.h"

const char *const count_names[] = {
#define X(id, text) text,
    ENGINE_COUNTS(X)
#undef X
#define BRIDGE(id, name) "bridge-" #name, "bridge-" #name "-refused",
#include "bridge/bridges.def"
#undef BRIDGE
#define X(id, text) "down-in-" text,
        HTTP1_REASONS(X)
#undef X
#define X(id, text) "down-out-" text,
            HTTP1_REASONS(X)
#undef X
#define X(id, text) "capture-" text,
                CONTEXT_NOTES(X)
#undef X
#define X(id, text) "insert-" text,
                    CONTEXT_NOTES(X)
#undef X
};

_Static_assert(sizeof(count_names) / sizeof(count_names[0]) == COUNT_ALL, "one name for each");

void count_notes(unsigned base, const struct context_notes *notes)
{
    static const struct context_notes none;
    if (memcmp(notes, &none, sizeof(none)) == 0)
        return;
    for (unsigned i = 0; i < CONTEXT_N_COUNT; i++)
        for (unsigned n = notes->count[i]; n > 0; n--)
            count(base + i);
}
