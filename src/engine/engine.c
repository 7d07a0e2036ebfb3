/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine: bytes in and bytes out. See engine.h for the contract; life.c has the
 * verbs about numbers and waiting.
 *
 * Every verb runs under the thread's guard. A verb that finds the guard taken
 * runs in a signal handler that interrupted another verb of the same thread: it
 * must not look at half-written state, so it poisons the connection and leaves.
 */
#include "engine/engine.h"

#include "engine/carrying.h"
#include "engine/child.h"
#include "engine/conn.h"
#include "engine/count.h"
#include "engine/flow.h"
#include "engine/inbound.h"
#include "engine/outbound.h"
#include "sys/guard.h"
#include "sys/probe.h"
#include "sys/proc.h"

static bool is_young(uint8_t kind)
{
    return kind == FD_FRESH || kind == FD_ACCEPTED;
}

static void interrupted(int fd)
{
    struct conn *c = fdtab_conn(fd);
    uint8_t kind = fdtab_kind(fd);
    if (engine_restricted_now())
        return;
    if (c)
        conn_poison(c, COUNT_DOWN_SIGNAL);
    else if (is_young(kind)) /* its first bytes have passed */
        fdtab_set(fd, FD_FOREIGN, NULL);
}

/* Not ours: neither this number nor, if it has any, its duplicates. */
static void foreign(int fd)
{
    struct conn *c = fdtab_kind(fd) == FD_CONN ? conn_acquire(fd) : NULL;
    if (c)
        conn_abandon(c, fd);
    else
        fdtab_set(fd, child_hears(fd) ? FD_UNKNOWN : FD_FOREIGN, NULL);
}

/* The first bytes read from an inherited number: only a TCP stream can prove that they are its
 * first. */
static bool provable(int fd, uint8_t kind, size_t n)
{
    if (kind != FD_UNKNOWN)
        return true;
    if (probe_stream_start(fd, n))
        return true;
    if (probe_socket(fd, NULL, NULL))
        count(COUNT_DOWN_ORIGIN);
    return false;
}

/* What an inherited number must begin with to be looked at any further: no system call is made for
 * a file or a pipe that is not ours (a program in strict seccomp mode would die of it). For the
 * same reason an inherited number never becomes a client side: what is about to be sent may not be
 * looked at without asking the kernel whether it can be. */
static bool known_method(const char *p, size_t n)
{
    static const char four[][5] = {"GET ", "POST", "HEAD", "PUT ", "DELE", "PATC", "OPTI", "PROX"};
    for (size_t i = 0; n >= 4 && i < sizeof(four) / sizeof(four[0]); i++)
        if (memcmp(p, four[i], 4) == 0)
            return true;
    return false;
}

/* The first non-empty piece. */
static struct edit_piece first_piece(const struct edit_piece *v, size_t nv)
{
    for (size_t i = 0; i < nv; i++)
        if (v[i].n)
            return v[i];
    return (struct edit_piece){NULL, 0};
}

/* What is known of a number that has not spoken. What another process of a line of forks knew of it
 * is no news: that one may have sent on it since. */
static uint8_t own_kind(int fd)
{
    uint8_t kind = fdtab_kind(fd);
    bool known = is_young(kind) || kind == FD_CONN;
    return known && !fdtab_is_own(fd) ? FD_UNKNOWN : kind;
}

static bool may_speak(uint8_t kind)
{
    return kind == FD_UNKNOWN || kind == FD_CONN || is_young(kind);
}

static bool looks_ours(uint8_t kind, struct edit_piece p, bool inbound)
{
    if (!engine_on() || !p.p)
        return false;
    if (kind == FD_UNKNOWN)
        return inbound && known_method(p.p, p.n);
    if (inbound)
        return inbound_plausible(p.p, p.n);
    return probe_readable(p.p) && outbound_plausible(p.p, p.n);
}

static size_t first_seen(const struct edit_piece *v, size_t nv, size_t n)
{
    struct edit_piece p = first_piece(v, nv);
    return p.n < n ? p.n : n;
}

/* The connection of a number that may have spoken for the first time, locked; NULL: not ours. */
static struct conn *first_words(int fd, const struct edit_piece *v, size_t nv, size_t n,
                                bool inbound)
{
    uint8_t kind = own_kind(fd);
    struct edit_piece p = first_piece(v, nv);
    if (p.n == 0 || !may_speak(kind)) /* foreign: since the hook looked (the next message of one
                                         sendmmsg) */
        return NULL;
    p.n = p.n < n ? p.n : n;
    struct conn *c = NULL;
    if (looks_ours(kind, p, inbound) && provable(fd, kind, n))
        c = kind == FD_CONN ? conn_acquire(fd) : conn_create(fd);
    if (!c)
        foreign(fd);
    return c;
}

/* A connection that exists but has not spoken (bound by connect, or dup'ed). */
static bool silent(int fd)
{
    struct conn *c = fdtab_conn(fd);
    return !c || CONN_GET(c->role) == ROLE_NONE;
}

static void identify_or_die(struct conn **c, int fd)
{
    if (*c && !(*c)->identified && !conn_verify(*c, fd)) {
        conn_abandon(*c, fd);
        *c = NULL;
    }
}

/* --- bytes in ------------------------------------------------------------------------------- */

/* An exchange that the bridge is to hear of: both batons are held for the caller. */
struct news {
    uint64_t exchange, connection;
};

static void gather(struct conn *c, struct news *news)
{
    if (!c->now.baton || CONN_GET(c->now.told))
        return;
    CONN_SET(c->now.told, true);
    news->exchange = baton_take(c->now.baton) ? c->now.baton : 0;
    news->connection = c->baton && baton_take(c->baton) ? c->baton : 0;
}

static void spread(const struct news *news, int fd)
{
    carrier_tell_opened(news->exchange, news->connection, fd);
    baton_drop(news->exchange);
    if (news->connection)
        baton_drop(news->connection);
}

static void received(int fd, const struct edit_piece *v, size_t nv, size_t n, bool waits,
                     struct news *news)
{
    struct conn *c = silent(fd) ? first_words(fd, v, nv, n, true) : conn_acquire(fd);
    identify_or_die(&c, fd);
    if (!c)
        return;
    c->in_bytes += n;
    if (c->role == ROLE_NONE)
        inbound_begin(c, first_piece(v, nv).p, first_seen(v, nv, n));
    bool keep = true;
    if (c->role == ROLE_SERVER)
        keep = inbound_received(c, v, nv, n, waits), gather(c, news);
    else if (c->sent.xid) {
        if (flow_wants_evidence(c))
            flow_upstream_answer(c, tb_guard.alone == fd + 1 || (waits && probe_blocks(fd)));
        c->sent.xid = 0;
    }
    if (keep)
        conn_unlock(c);
    else
        conn_abandon(c, fd);
}

void engine_received(int fd, const struct edit_piece *v, size_t nv, size_t n, bool waits,
                     bool peeked)
{
    if (peeked)
        return;
    if (!guard_enter()) {
        interrupted(fd);
        return;
    }
    struct news news = {0, 0};
    child_heard(fd, n);
    if (n > 0)
        received(fd, v, nv, n, waits, &news);
    guard_leave();
    if (news.exchange)
        spread(&news, fd);
}

/* --- bytes out ------------------------------------------------------------------------------ */

#define TURNS 20000 /* waits for a sender that is about to bring an owed tail out */

/* Of two threads that send on one stream at once nobody knows the order of the bytes. Only what is
 * owed must not be overtaken: it is the middle of a line. */
static struct conn *claim(int fd)
{
    for (int i = 0; i < TURNS; i++) {
        struct conn *c = conn_acquire(fd);
        if (!c || !c->sending) {
            if (c)
                c->sending = true;
            return c;
        }
        conn_poison(c, COUNT_DOWN_RACE);
        bool wait = c->owed.n > 0;
        conn_unlock(c);
        if (!wait)
            break;
        probe_yield();
    }
    return NULL;
}

/* The connection to send on, locked and claimed; NULL: the bytes go as they are. */
static struct conn *sender(struct engine_send *s)
{
    size_t n = outbound_total(s->v, s->nv);
    if (n == 0)
        return NULL;
    struct conn *c = NULL;
    if (silent(s->fd)) {
        c = first_words(s->fd, s->v, s->nv, n, false);
        s->identified = c && !c->identified;
        identify_or_die(&c, s->fd);
        if (!c)
            return NULL;
        conn_unlock(c);
    }
    return claim(s->fd);
}

/* What the bridge says, asked with nothing held. */
static struct conn *ask_carrier(struct engine_send *s, struct conn *c)
{
    uint32_t gen = c->gen;
    uint64_t handle;
    conn_unlock(c);
    guard_leave();
    s->answer = carrier_ask(&handle, s->fd);
    bool again = guard_enter();
    if (s->answer == CARRIER_HELD)
        s->baton = baton_pin(handle);
    s->rule = COUNT_RULE_BRIDGE;
    if (!again) { /* the process restricted itself meanwhile */
        conn_poison(c, COUNT_DOWN_SIGNAL);
        return NULL;
    }
    c = conn_relock(c, gen);
    if (!c || fdtab_conn(s->fd) == c)
        return c;
    c->sending = false;
    conn_unlock(c);
    return NULL;
}

/* Has anybody said whose work this is? The program by the API, the runtime where it queued the
 * bytes, the runtime now. */
static struct conn *ask(struct engine_send *s, struct conn *c)
{
    if (!outbound_asks(c) || c->role == ROLE_SERVER)
        return c;
    if (tb_guard.told) {
        s->answer = CARRIER_HELD;
        s->rule = tb_guard.flags & GUARD_BRIDGED ? COUNT_RULE_BRIDGE : COUNT_RULE_API;
        s->baton = baton_pin(tb_guard.told);
    } else if (c->promised) {
        s->answer = CARRIER_HELD;
        s->rule = COUNT_RULE_BRIDGE;
        s->baton = baton_pin(c->promised);
    } else if (carrier_here()) {
        return ask_carrier(s, c);
    }
    return c;
}

static void begin(struct engine_send *s, unsigned flags)
{
    struct conn *c = sender(s);
    if (c)
        c = ask(s, c);
    if (!c)
        return;
    if (flags & ENGINE_OUT_OF_BAND) /* urgent data is not in the stream's order */
        conn_poison(c, COUNT_DOWN_UNSEEN);
    if (c->role == ROLE_NONE)
        outbound_begin(c);
    s->conn = c;
    s->gen = c->gen;
    if (c->role == ROLE_CLIENT)
        outbound_plan(c, s, flags);
    conn_unlock(c);
}

bool engine_send_begin(struct engine_send *s, int fd, const struct edit_piece *v, size_t nv,
                       unsigned flags)
{
    memset((char *)s + offsetof(struct engine_send, v), 0,
           sizeof(*s) - offsetof(struct engine_send, v));
    s->edited = false;
    s->e.n = 0; /* the other members of e are set before they are read */
    s->answer = CARRIER_PASS;
    s->fd = fd;
    s->v = v;
    s->nv = nv;
    if (guard_enter()) {
        begin(s, flags);
        guard_leave();
    } else {
        interrupted(fd);
    }
    return s->edited;
}

static bool answered(struct conn *c, const struct engine_send *s, size_t n)
{
    bool keep = true;
    for (size_t i = 0; i < s->nv && n > 0 && keep; i++) {
        size_t len = s->v[i].n < n ? s->v[i].n : n;
        n -= len;
        if (len)
            keep = inbound_answered(c, s->v[i].p, len);
    }
    return keep;
}

static void end(struct engine_send *s, size_t accepted)
{
    struct conn *c = conn_relock(s->conn, s->gen);
    if (!c)
        return;
    c->sending = false;
    c->out_bytes += accepted;
    bool keep = c->role == ROLE_CLIENT ? outbound_sent(c, s, accepted) : answered(c, s, accepted);
    if (keep && (!conn_poisoned(c) || c->owed.n))
        conn_unlock(c);
    else
        conn_abandon(c, s->fd);
}

void engine_send_end(struct engine_send *s, ssize_t accepted)
{
    if (s->conn && guard_enter()) {
        end(s, accepted > 0 ? (size_t)accepted : 0);
        guard_leave();
    }
    if (s->block)
        conn_block_release(s->block);
    s->block = NULL;
    if (s->baton)
        baton_drop(s->baton);
    s->baton = 0;
}

struct span engine_owed(int fd)
{
    struct span owed = {NULL, 0};
    if (!guard_enter())
        return owed;
    struct conn *c = fdtab_kind(fd) == FD_CONN ? conn_acquire(fd) : NULL;
    if (c) {
        owed = c->owed;
        conn_unlock(c);
    }
    guard_leave();
    return owed;
}

void engine_owed_sent(int fd, size_t n)
{
    if (!guard_enter())
        return;
    struct conn *c = conn_acquire(fd);
    if (c) {
        c->out_bytes += n;
        outbound_owed_sent(c, n < c->owed.n ? n : c->owed.n);
        conn_unlock(c);
    }
    guard_leave();
}

static void sent_unseen(int fd, size_t n)
{
    struct conn *c = fdtab_kind(fd) == FD_CONN ? conn_acquire(fd) : NULL;
    if (!c) {
        foreign(fd);
        return;
    }
    c->out_bytes += n;
    bool keep = c->role == ROLE_CLIENT   ? outbound_unseen(c, n)
                : c->role == ROLE_SERVER ? inbound_answered(c, NULL, n)
                                         : false;
    if (keep)
        conn_unlock(c);
    else
        conn_abandon(c, fd);
}

void engine_sent_unseen(int fd, size_t n)
{
    if (!guard_enter()) {
        interrupted(fd);
        return;
    }
    sent_unseen(fd, n);
    guard_leave();
}
