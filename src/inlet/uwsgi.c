/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uwsgi: the uwsgi protocol, the application server's side (uWSGI's documentation,
 * "The uwsgi Protocol"). Four bytes (modifier, size of all variables, modifier),
 * the variables, the body. A connection is one request; its answer ends with it.
 */
#include "inlet/inlet_int.h"

enum { HEADER, VARIABLES, BODY };
enum { NAME_LENGTH, NAME, VALUE_LENGTH, VALUE };

static uint16_t number16(const uint8_t *b)
{
    return (uint16_t)(b[0] | b[1] << 8);
}

/* Modifiers of requests: WSGI, PSGI, Lua, Rack, JVM, CGI, PHP, Mono, V8. */
static bool is_request(uint8_t modifier)
{
    static const uint8_t known[] = {0, 5, 6, 7, 8, 9, 14, 15, 24};
    for (size_t i = 0; i < sizeof(known); i++)
        if (known[i] == modifier)
            return true;
    return false;
}

bool inlet_is_uwsgi(const uint8_t *b, size_t n)
{
    size_t name = n > 6 ? number16(b + 4) : 0;
    if (n < 8 || !is_request(b[0]) || name < 4 || name > 64 || number16(b + 1) < name + 4)
        return false;
    for (size_t i = 0; i < name && 6 + i < n; i++)
        if ((b[6 + i] < 'A' || b[6 + i] > 'Z') && b[6 + i] != '_')
            return false;
    return true;
}

static enum inlet_event begin(struct inlet_run *r)
{
    struct inlet *in = r->in;
    in->content = number16(in->raw + 1);
    if (!is_request(in->raw[0]) || !in->content)
        return inlet_down(r);
    in->state = VARIABLES;
    in->phase = NAME_LENGTH;
    return INLET_BEGIN;
}

/* Two bytes; @return whether both are there. */
static bool length(struct inlet_run *r, uint32_t *to)
{
    struct inlet *in = r->in;
    in->len[in->len_n++] = (uint8_t)r->p[r->i++];
    if (in->len_n < 2)
        return false;
    in->len_n = 0;
    *to = number16(in->len);
    return true;
}

/* What is complete without another byte. */
static bool advance(struct inlet_run *r)
{
    struct inlet *in = r->in;
    if (in->phase == NAME && !in->name) {
        inlet_name_done(r);
        in->phase = VALUE_LENGTH;
    } else if (in->phase == VALUE && !in->value) {
        inlet_value_done(r);
        in->phase = NAME_LENGTH;
    } else {
        return false;
    }
    return true;
}

static void consume(struct inlet_run *r)
{
    struct inlet *in = r->in;
    switch (in->phase) {
    case NAME_LENGTH:
        in->phase = length(r, &in->name) ? NAME : NAME_LENGTH;
        break;
    case NAME:
        inlet_name(r);
        break;
    case VALUE_LENGTH:
        in->phase = length(r, &in->value) ? VALUE : VALUE_LENGTH;
        break;
    default:
        inlet_value(r);
    }
}

static enum inlet_event variables(struct inlet_run *r)
{
    struct inlet *in = r->in;
    size_t end = r->n, from = r->i;
    r->n = from + inlet_least(inlet_left(r), in->content);
    while (advance(r) || r->i < r->n)
        if (r->i < r->n)
            consume(r);
    in->content -= (uint32_t)(r->i - from);
    r->n = end;
    if (in->content)
        return INLET_MORE;
    if (in->phase != NAME_LENGTH || in->len_n) /* they do not add up */
        return inlet_down(r);
    in->state = BODY;
    return INLET_HEAD;
}

enum inlet_event inlet_uwsgi(struct inlet_run *r)
{
    if (r->in->outbound) {
        r->i = r->n;
        return INLET_MORE;
    }
    if (r->in->state == BODY)
        return inlet_body(r);
    if (r->in->state == VARIABLES)
        return variables(r);
    return inlet_collect(r, 4) ? begin(r) : INLET_MORE;
}
