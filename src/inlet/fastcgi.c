/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fastcgi: FastCGI 1.0, the responder's side. A request's variables are a stream of
 * name-value pairs cut into PARAMS records anywhere; an empty PARAMS record ends
 * them. Two requests at once on one connection (ids) are not followed.
 */
#include "inlet/inlet_int.h"

enum type { BEGIN_REQUEST = 1, END_REQUEST = 3, PARAMS = 4 };
enum { HEADER, CONTENT, PADDING };

static uint16_t number16(const uint8_t *b)
{
    return (uint16_t)(b[0] << 8 | b[1]);
}

/* A request begins when none is open; whatever else comes belongs to the last one (PHP answers
 * before it has read the end of the body). Management records (id 0) are skipped. */
static bool understood(const struct inlet *in, uint16_t id)
{
    if (in->outbound || id == 0)
        return true;
    if (in->type == BEGIN_REQUEST)
        return in->content == 8;
    return id == in->id && (in->open || in->type != PARAMS);
}

static enum inlet_event after_header(struct inlet_run *r)
{
    struct inlet *in = r->in;
    const uint8_t *b = in->raw;
    uint16_t id = number16(b + 2);
    in->type = b[1];
    in->content = number16(b + 4);
    in->pad = b[6];
    in->state = CONTENT;
    if (b[0] != 1 || !understood(in, id))
        return inlet_down(r);
    if (id == 0)
        in->type = 0;
    if (in->type != BEGIN_REQUEST || in->outbound)
        return NEXT;
    if (in->open && in->id != id) /* two at once */
        return inlet_down(r);
    in->open = true;
    in->id = id;
    in->phase = INLET_LENGTHS;
    in->len_n = 0;
    return INLET_BEGIN;
}

static enum inlet_event content_done(struct inlet_run *r)
{
    struct inlet *in = r->in;
    in->state = PADDING;
    if (in->outbound)
        return in->type == END_REQUEST ? INLET_END : NEXT;
    if (in->type != PARAMS || number16(in->raw + 4) != 0)
        return NEXT;
    return in->phase != INLET_LENGTHS || in->len_n ? inlet_down(r) : INLET_HEAD;
}

static uint32_t length_at(const uint8_t *b)
{
    return b[0] >> 7 ? (uint32_t)(b[0] & 0x7f) << 24 | (uint32_t)b[1] << 16 | number16(b + 2)
                     : b[0];
}

/* Two lengths of one or four bytes each (3.4). */
static bool lengths(struct inlet *in)
{
    unsigned first = in->len[0] >> 7 ? 4 : 1;
    if (in->len_n <= first || in->len_n < first + (in->len[first] >> 7 ? 4u : 1u))
        return true;
    in->name = length_at(in->len);
    in->value = length_at(in->len + first);
    in->len_n = 0;
    in->phase = INLET_NAME;
    return in->name <= INLET_PAIR_MAX && in->value <= INLET_PAIR_MAX;
}

static enum inlet_event content(struct inlet_run *r)
{
    struct inlet *in = r->in;
    if (in->type == PARAMS && !in->outbound) {
        if (!inlet_variables(r, lengths))
            return inlet_down(r);
    } else {
        size_t n = inlet_least(inlet_left(r), in->content);
        r->i += n;
        in->content -= (uint32_t)n;
    }
    return in->content ? INLET_MORE : content_done(r);
}

static enum inlet_event padding(struct inlet_run *r)
{
    size_t n = inlet_least(inlet_left(r), r->in->pad);
    r->i += n;
    r->in->pad = (uint8_t)(r->in->pad - n);
    if (r->in->pad)
        return INLET_MORE;
    r->in->state = HEADER;
    return NEXT;
}

enum inlet_event inlet_fastcgi(struct inlet_run *r)
{
    switch (r->in->state) {
    case HEADER:
        return inlet_collect(r, 8) ? after_header(r) : INLET_MORE;
    case CONTENT:
        return content(r);
    default:
        return padding(r);
    }
}
