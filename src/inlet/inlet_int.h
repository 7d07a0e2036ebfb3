/* SPDX-License-Identifier: Apache-2.0 */
/* inlet_int: what the doors share: variables, and one run over given bytes. */
#ifndef TB_INLET_INLET_INT_H
#define TB_INLET_INLET_INT_H

#include "inlet/inlet.h"

#define NEXT ((enum inlet_event)99) /* nothing to report: go on */

/** One call of inlet_scan(). */
struct inlet_run {
    struct inlet *in;
    const char *p;
    size_t n, i;
    const struct http1_sink *sink;
    void *ctx;
};

static inline size_t inlet_left(const struct inlet_run *r)
{
    return r->n - r->i;
}

static inline size_t inlet_least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/** Collect `want` bytes in raw[]. @return whether they are all there */
bool inlet_collect(struct inlet_run *r, unsigned want);

enum { INLET_LENGTHS, INLET_NAME, INLET_VALUE };

#define INLET_PAIR_MAX (1u << 20) /* no server accepts so long a variable */

/** Consume bytes of a variable's name (then of its value); both count down. */
void inlet_name(struct inlet_run *r);
void inlet_value(struct inlet_run *r);
/** The name is complete; asks the sink whether it wants the value. */
void inlet_name_done(struct inlet_run *r);
void inlet_value_done(struct inlet_run *r);

/** Consume the body. Whoever sends more than it said has begun another request (uWSGI's persistent
 *  connections): of which one is the answer that comes? */
enum inlet_event inlet_body(struct inlet_run *r);

/** Consume variables, at most in->content bytes of them. `lengths` is called for each byte that is
 *  added to len[]: when it knows both it sets name, value, len_n = 0 and phase = INLET_NAME.
 *  @return false: it refused */
bool inlet_variables(struct inlet_run *r, bool (*lengths)(struct inlet *in));

enum inlet_event inlet_fastcgi(struct inlet_run *r);
enum inlet_event inlet_uwsgi(struct inlet_run *r);
enum inlet_event inlet_scgi(struct inlet_run *r);

bool inlet_is_uwsgi(const uint8_t *b, size_t n);
bool inlet_is_scgi(const uint8_t *b, size_t n);

static inline enum inlet_event inlet_down(struct inlet_run *r)
{
    r->in->state = 255;
    return INLET_DOWN;
}

#endif
