/* SPDX-License-Identifier: Apache-2.0 */
/*
 * head: what is kept of one message head while it passes: the fields that the
 * configured names ask for and the few others that decisions need.
 *
 * Used in both directions: of an inbound request the captured context is built
 * from it, of an outbound request it says what the program wrote itself. Bytes
 * are only ever appended, so a copy of the struct is a checkpoint and copying
 * it back is a rollback (see http1.h).
 */
#ifndef TB_CORE_HEAD_H
#define TB_CORE_HEAD_H

#include "http1.h"
#include "names.h"

#define HEAD_FIELDS 40 /* kept field lines; more are counted in .dropped */

struct head_field {
    uint16_t id;       /* names_find() */
    bool folded;       /* had obs-fold */
    bool cut;          /* value was longer than is of use, or did not fit: what is kept is only
                        * its beginning */
    uint32_t name_off; /* prefix rules: the whole lower-cased name; else name_len == 0 */
    uint32_t off, len; /* value in .buf, as it passed (trim with head_value()) */
    uint16_t name_len;
};

struct head {
    const struct names *names;
    char *buf; /* caller's memory */
    uint32_t cap, len;
    uint32_t target_off, target_len;
    bool target_cut;
    bool open;      /* inside a kept field */
    uint32_t limit; /* bytes of its value that are worth keeping */
    uint16_t n, dropped;
    struct head_field field[HEAD_FIELDS];
};

/** The sink to be passed to http1_scan() with a struct head as ctx. */
extern const struct http1_sink head_sink;

/** Begin a new head; its bytes go to buf[at..cap). `names` decides what is kept. */
void head_begin(struct head *h, const struct names *names, char *buf, uint32_t at, uint32_t cap);

/** Value of a kept field with optional white space trimmed at both ends. */
static inline struct span head_value(const struct head *h, const struct head_field *f)
{
    const char *p = h->buf + f->off, *end = p + f->len;
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return (struct span){p, (size_t)(end - p)};
}

/** First kept field with that id, or NULL. */
const struct head_field *head_find(const struct head *h, int id);

/** The request target ({NULL,0} if it was cut). */
struct span head_target(const struct head *h);

#endif
