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

/* Nobody wants more of a value than this; and of credentials no more than tells their scheme. */
static inline uint32_t limit_of(const struct names *names, int id)
{
    if (id < NAMES_BUILTIN) /* nearly all: without a call */
        return names_rows[id].max + SLACK;
    switch (id) {
    case NAME_HOST:
        return 512;
    case NAME_AUTH:
        return SLACK;
    case NAME_SIGNATURE_INPUT:
    case NAME_CONNECTION:
        return 2048;
    default:
        return names_row(names, id)->max + SLACK;
    }
}

static inline bool is_prefix(const struct names *names, int id)
{
    return id < NAMES_BUILTIN ? names_rows[id].match == MATCH_PREFIX : names_is_prefix(names, id);
}

static bool keep(struct head *h, int id, struct span name)
{
    if (h->n == HEAD_FIELDS) {
        h->dropped++;
        return false;
    }
    struct head_field *f = &h->field[h->n++];
    *f = (struct head_field){.id = (uint16_t)id, .name_off = h->len};
    if (is_prefix(h->names, id)) {
        f->name_len = (uint16_t)append(h, name.p, name.n);
        f->cut = f->name_len < name.n;
    }
    f->off = h->len;
    h->limit = limit_of(h->names, id);
    h->open = true;
    return true;
}

static bool on_field(void *ctx, struct span name)
{
    struct head *h = ctx;
    int id = names_find(h->names, name);
    return id >= 0 && keep(h, id, name);
}

/* The copy comes last: nothing of here has to outlive the call. */
static void on_value(void *ctx, const char *p, size_t n)
{
    struct head *h = ctx;
    struct head_field *f = &h->field[h->n - 1];
    char *to = h->buf + h->len;
    uint32_t room = h->limit - f->len, left = h->cap - h->len;
    uint32_t most = room < left ? room : left, len = n < most ? (uint32_t)n : most;
    f->len += len;
    h->len += len;
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

const struct http1_sink head_sink = {on_target, on_field, on_value, on_end};

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
