/* SPDX-License-Identifier: Apache-2.0 */
/* inlet: see inlet.h. What the doors have in common. */
#include "inlet/inlet_int.h"

/* FastCGI 1.0, 3.3: version 1, BEGIN_REQUEST, a body of eight bytes. Servers send a request at once
 * and libfcgi and PHP read eight bytes first, so the header is whole. */
enum inlet_kind inlet_guess(const char *p, size_t n)
{
    const uint8_t *b = (const uint8_t *)p;
    bool fastcgi = n >= 8 && b[0] == 1 && b[1] == 1 && b[4] == 0 && b[5] == 8;
    return fastcgi                ? INLET_FASTCGI
           : inlet_is_uwsgi(b, n) ? INLET_UWSGI
           : inlet_is_scgi(b, n)  ? INLET_SCGI
                                  : INLET_NONE;
}

void inlet_init(struct inlet *in, enum inlet_kind kind, bool outbound)
{
    memset(in, 0, sizeof(*in));
    in->kind = (uint8_t)kind;
    in->outbound = outbound;
}

bool inlet_collect(struct inlet_run *r, unsigned want)
{
    struct inlet *in = r->in;
    size_t n = inlet_least(inlet_left(r), want - in->raw_n);
    memcpy(in->raw + in->raw_n, r->p + r->i, n);
    in->raw_n = (uint8_t)(in->raw_n + n);
    r->i += n;
    if (in->raw_n < want)
        return false;
    in->raw_n = 0;
    return true;
}

void inlet_name(struct inlet_run *r)
{
    struct inlet *in = r->in;
    size_t n = inlet_least(inlet_left(r), in->name);
    for (size_t i = 0; i < n; i++)
        if (in->name_len < HTTP1_NAME_MAX)
            in->text[in->name_len++] = r->p[r->i + i];
    r->i += n;
    in->name -= (uint32_t)n;
}

/* HTTP_X_REQUEST_ID is x-request-id (RFC 3875 4.1.18). @return its length, 0: not a header */
static size_t header_name(struct inlet *in)
{
    size_t n = in->name_len;
    if (n <= 5 || n == HTTP1_NAME_MAX || memcmp(in->text, "HTTP_", 5) != 0)
        return 0;
    for (size_t i = 5; i < n; i++)
        in->text[i] = in->text[i] == '_' ? '-' : span_lower(in->text[i]);
    return n - 5;
}

void inlet_name_done(struct inlet_run *r)
{
    struct inlet *in = r->in;
    in->sizes = span_eq((struct span){in->text, in->name_len}, SPAN("CONTENT_LENGTH"));
    in->body = in->sizes ? 0 : in->body;
    size_t n = header_name(in);
    in->wanted = n && r->sink->field(r->ctx, (struct span){in->text + 5, n});
    in->name_len = 0;
}

/* What is no number, or too large a one, is a body of no bytes: the first one stands down. */
static void add_digits(struct inlet *in, const char *p, size_t n)
{
    for (size_t i = 0; i < n && in->sizes; i++) {
        in->sizes = p[i] >= '0' && p[i] <= '9' && in->body < UINT64_MAX / 16;
        in->body = in->sizes ? in->body * 10 + (unsigned)(p[i] - '0') : 0;
    }
}

void inlet_value(struct inlet_run *r)
{
    struct inlet *in = r->in;
    size_t n = inlet_least(inlet_left(r), in->value);
    add_digits(in, r->p + r->i, n);
    if (n && in->wanted)
        r->sink->value(r->ctx, r->p + r->i, n);
    r->i += n;
    in->value -= (uint32_t)n;
}

void inlet_value_done(struct inlet_run *r)
{
    if (r->in->wanted)
        r->sink->end(r->ctx, false);
    r->in->wanted = false;
}

enum inlet_event inlet_body(struct inlet_run *r)
{
    struct inlet *in = r->in;
    uint64_t left = inlet_left(r), n = left < in->body ? left : in->body;
    r->i += (size_t)n;
    in->body -= n;
    return r->i < r->n ? inlet_down(r) : INLET_MORE;
}

bool inlet_variables(struct inlet_run *r, bool (*lengths)(struct inlet *in))
{
    struct inlet *in = r->in;
    size_t end = r->n, from = r->i;
    r->n = from + inlet_least(inlet_left(r), in->content);
    bool good = true;
    while (good && (r->i < r->n || (in->phase != INLET_LENGTHS && !in->name && !in->value)))
        if (in->phase == INLET_LENGTHS) {
            in->len[in->len_n++] = (uint8_t)r->p[r->i++];
            good = lengths(in);
        } else if (in->phase == INLET_NAME) {
            inlet_name(r);
            if (!in->name) {
                inlet_name_done(r);
                in->phase = INLET_VALUE;
            }
        } else {
            inlet_value(r);
            if (!in->value) {
                inlet_value_done(r);
                in->phase = INLET_LENGTHS;
            }
        }
    in->content -= (uint32_t)(r->i - from);
    r->n = end;
    return good;
}

enum inlet_event inlet_scan(struct inlet *in, const char *p, size_t n, size_t *used,
                            const struct http1_sink *sink, void *ctx)
{
    struct inlet_run r = {in, p, n, 0, sink, ctx};
    enum inlet_event ev = in->state == 255 ? INLET_DOWN : NEXT;
    while (ev == NEXT)
        switch (in->kind) {
        case INLET_FASTCGI:
            ev = inlet_fastcgi(&r);
            break;
        case INLET_UWSGI:
            ev = inlet_uwsgi(&r);
            break;
        case INLET_SCGI:
            ev = inlet_scgi(&r);
            break;
        default:
            ev = inlet_down(&r);
        }
    *used = r.i;
    return ev;
}
