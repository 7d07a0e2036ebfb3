/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page: the account of a process: counters, and a ring of the last decisions;
 * readable from outside while the program runs and after it died. Without a
 * directory nothing is kept.
 *
 * File DIR/PID.page (PID-2.page to PID-16.page where that exists), layout version 3, native byte
 * order: struct page_head, then `names_bytes` bytes of counter names (each NUL-terminated, in
 * order), padded to 8, then `counters` uint64; at `ring_at` a uint64 (events begun so far), padded
 * to 64, then `events` slots of struct page_event. Event number k (from 1) lies in
 * slot (k - 1) % events; a slot whose seq is zero is empty or being written. Mode
 * 0600; mapped, its fd closed at once. A fork child gets a page of its own,
 * from zero, at its first count; the PAGE_CHILDREN+1st of a process and those after it
 * count in their parent's, and programs that were started inside an exchange (CGI
 * scripts, curl) share that many names, the first come being served: a directory
 * does not fill up with those who are gone. Whatever happens to the process, what stands in
 * the file is whole: names and sizes are written before the file has its name's
 * last form, and an event becomes visible by its seq.
 */
#ifndef TB_SYS_PAGE_H
#define TB_SYS_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#define PAGE_MAGIC    0x3145474150425401ull /* "\1TBPAGE1" */
#define PAGE_VERSION  3
#define PAGE_BYTES    65536
#define PAGE_RING_AT  16384
#define PAGE_EVENTS   512
#define PAGE_CHILDREN 64
#define PAGE_AGAIN    16

struct page_head {
    uint64_t magic;
    uint32_t version, bytes;        /* of the whole file */
    uint32_t counters, names_bytes; /* names_bytes without the padding */
    uint32_t pid, events;           /* slots of the ring */
    uint32_t ring_at, event_bytes;
    uint32_t children, unused; /* fork children that began a page of their own */
};

enum page_event_kind {
    PAGE_EVENT_IN = 1, /* an exchange has begun */
    PAGE_EVENT_OUT     /* an outbound head had its decision */
};

/** One decision. Ids and addresses, no other header value. */
struct page_event {
    uint64_t seq;          /* its number, written last; 0: none */
    uint64_t time;         /* nanoseconds since 1970; 0: unknown */
    uint64_t exchange;     /* unique in the process; 0: none */
    uint8_t trace[16];     /* trace id of the context; zero: none, or its format has none */
    uint8_t ip[16];        /* of the peer */
    uint16_t port;         /* host order */
    uint8_t family;        /* 4, 6, 1 unix, 0 unknown */
    uint8_t kind;          /* enum page_event_kind */
    uint16_t rule, result; /* numbers of counters: which rule (or why none), and what came of it */
};

/** Names the counters; dir NULL or empty: nothing is kept. Never fails. */
void page_init(const char *dir, const char *const *names, unsigned n);

/** This process was started inside an exchange. Before the first count. */
void page_of_child(void);

/** Is an account kept? */
extern bool page_kept;

void page_add_kept(unsigned id, uint64_t n);

static inline void page_add(unsigned id, uint64_t n)
{
    if (__builtin_expect(page_kept, 0))
        page_add_kept(id, n);
}

static inline void page_count(unsigned id)
{
    page_add(id, 1);
}

/** Note a decision (seq and time are filled in). To be called only if page_kept. */
void page_note(struct page_event *e);

#endif
