/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scgi: SCGI (Schemenauer 2008), the application's side: a netstring of names and
 * values, each ended by a NUL, CONTENT_LENGTH first; the body. A connection is one
 * request; its answer ends with it.
 */
#include "inlet/inlet_int.h"

enum { LENGTH, VARIABLES, COMMA, BODY };
enum { NAME, VALUE };

static const char first[] = "CONTENT_LENGTH"; /* and its NUL */

bool inlet_is_scgi(const uint8_t *b, size_t n)
{
    size_t digits = 0;
    while (digits < n && digits < 7 && b[digits] >= '0' && b[digits] <= '9')
        digits++;
    return digits > 1 && n - digits > sizeof(first) && b[digits] == ':' &&
           memcmp(b + digits + 1, first, sizeof(first)) == 0;
}

static enum inlet_event length(struct inlet_run *r)
{
    struct inlet *in = r->in;
    while (r->i < r->n) {
        char ch = r->p[r->i++];
        if (ch == ':' && in->content) {
            in->state = VARIABLES;
            in->phase = NAME;
            return INLET_BEGIN;
        }
        if (ch < '0' || ch > '9' || in->content >= INLET_PAIR_MAX)
            return inlet_down(r);
        in->content = in->content * 10 + (uint32_t)(ch - '0');
    }
    return INLET_MORE;
}

/* Bytes up to the next NUL, of a name or of a value. */
static void consume(struct inlet_run *r)
{
    struct inlet *in = r->in;
    size_t n = span_find((struct span){r->p + r->i, inlet_left(r)}, 0);
    bool ends = n < inlet_left(r);
    if (in->phase == NAME) {
        in->name = (uint32_t)n;
        inlet_name(r);
    } else {
        in->value = (uint32_t)n;
        inlet_value(r);
    }
    if (!ends)
        return;
    r->i++;
    if (in->phase == NAME)
        inlet_name_done(r);
    else
        inlet_value_done(r);
    in->phase = in->phase == NAME ? VALUE : NAME;
}

static enum inlet_event variables(struct inlet_run *r)
{
    struct inlet *in = r->in;
    size_t end = r->n, from = r->i;
    r->n = from + inlet_least(inlet_left(r), in->content);
    while (r->i < r->n)
        consume(r);
    in->content -= (uint32_t)(r->i - from);
    r->n = end;
    if (in->content)
        return INLET_MORE;
    in->state = COMMA;
    return in->phase == NAME && !in->name_len ? NEXT : inlet_down(r);
}

static enum inlet_event comma(struct inlet_run *r)
{
    if (r->i == r->n)
        return INLET_MORE;
    if (r->p[r->i++] != ',')
        return inlet_down(r);
    r->in->state = BODY;
    return INLET_HEAD;
}

enum inlet_event inlet_scgi(struct inlet_run *r)
{
    if (r->in->outbound) {
        r->i = r->n;
        return INLET_MORE;
    }
    if (r->in->state == BODY)
        return inlet_body(r);
    return r->in->state == LENGTH ? length(r) : r->in->state == VARIABLES ? variables(r) : comma(r);
}
