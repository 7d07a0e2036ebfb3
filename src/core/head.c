/* SPDX-License-Identifier: Apache-2.0 */
/* head: see head.h. */
#include "head.h"

#define TARGET_MAX 8192
#define SLACK      16 /* for white space behind a value of the greatest length */

void head_begin(struct head *h, const struct names *names, char *buf, uint32_t at, uint32_t cap)
{
    h->names = names;
    h->buf = buf;
    h->len = at < cap ? at : cap;
    h->cap = cap;
    h->target_off = h->len;
    h->target_len = 0;
    h->target_cut = h->open = false;
    h->limit = 0;
    h->n = h->dropped = 0;
}

/* Append what fits; @return how much did. */
static uint32_t append(struct head *h, const char *p, size_t n)
{
    uint32_t len = n < h->cap - h->len ? (uint32_t)n : h->cap - h->len;
    memcpy(h->buf + h->len, p, len);
    h->len += len;
    return len;
}

static void on_target(void *ctx, const char *p, size_t n)
{
    struct head *h = ctx;
    if (h->target_cut || n > TARGET_MAX - h->target_len) {
        h->target_cut = true;
        return;
    }
    uint32_t len = append(h, p, n);
    h->target_len += len;
    h->target_cut = len < n;
}

/* A prefix rule's name is kept as it was written. */
__attribute__((noinline)) static void keep_name(struct head *h, struct head_field *f,
                                                struct span name)
{
    f->name_len = (uint16_t)append(h, name.p, name.n);
    f->cut = f->name_len < name.n;
}

/* What of a value is kept. Nobody wants more of it than its rule does. */
static inline const struct names_row *row_of(const struct head *h, int id)
{
    return id < NAMES_EXTRA ? &names_rows[id] : names_row(h->names, id); /* nearly all: no call */
}

/* How much of n bytes there is room for. */
static inline size_t fitting(const struct head *h, size_t n, uint32_t limit)
{
    size_t left = h->cap - h->len;
    n = n < limit ? n : limit;
    return n < left ? n : left;
}

static inline struct head_field *keep(struct head *h, int id, struct span name)
{
    if (h->n == HEAD_FIELDS) {
        h->dropped++;
        return NULL;
    }
    struct head_field *f = &h->field[h->n++];
    *f = (struct head_field){.id = (uint16_t)id, .name_off = h->len};
    if (names_is_prefix(h->names, id))
        keep_name(h, f, name);
    f->off = h->len;
    return f;
}

static bool on_field(void *ctx, struct span name)
{
    struct head *h = ctx;
    int id = names_find(h->names, name);
    h->open = id >= 0 && keep(h, id, name);
    if (h->open)
        h->limit = row_of(h, id)->max + SLACK;
    return h->open;
}

/* The copy comes last, here and below: nothing has to outlive the call. */
static void on_value(void *ctx, const char *p, size_t n)
{
    struct head *h = ctx;
    struct head_field *f = &h->field[h->n - 1];
    char *to = h->buf + h->len;
    size_t len = fitting(h, n, h->limit - f->len);
    f->len += (uint32_t)len;
    h->len += (uint32_t)len;
    if (len < n)
        f->cut = true;
    memcpy(to, p, len);
}

static void on_end(void *ctx, bool folded)
{
    struct head *h = ctx;
    h->field[h->n - 1].folded = folded;
    h->open = false;
}

static void on_line(void *ctx, struct span name, struct span value)
{
    struct head *h = ctx;
    int id = names_find(h->names, name);
    struct head_field *f = id >= 0 ? keep(h, id, name) : NULL;
    if (!f)
        return;
    size_t len = fitting(h, value.n, row_of(h, id)->max + SLACK);
    f->len = (uint32_t)len;
    h->len += (uint32_t)len;
    if (len < value.n)
        f->cut = true;
    memcpy(h->buf + f->off, value.p, len);
}

const struct http1_sink head_sink = {on_target, on_field, on_value, on_end, on_line};

const struct head_field *head_find(const struct head *h, int id)
{
    for (unsigned i = 0; i < h->n; i++)
        if (h->field[i].id == id)
            return &h->field[i];
    return NULL;
}

struct span head_target(const struct head *h)
{
    if (h->target_cut)
        return (struct span){NULL, 0};
    return (struct span){h->buf + h->target_off, h->target_len};
}
