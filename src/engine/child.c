/* SPDX-License-Identifier: Apache-2.0 */
/* child: see child.h. */
#include "engine/child.h"

#include "core/head.h"
#include "engine/baton.h"
#include "engine/conn.h"
#include "engine/count.h"
#include "engine/engine.h"
#include "engine/fdtab.h"
#include "inlet/spawn.h"
#include "sys/guard.h"
#include "sys/parent.h"
#include "sys/probe.h"
#include "sys/proc.h"

#define PLACES 16   /* threads that may be inside system() or popen() at once */
#define PLACE  1024 /* bytes of each: `TID SUM TEXT`, and spaces */

#define XID 1 /* no exchange of any process has this number */

#define PREFIX CHILD_VARIABLE "=@"

static uint64_t inherited; /* held */

uint64_t child_given;

/* --- what this process was given ------------------------------------------------------------ */

/* Build the context of a head that spawn.c has read. */
static void adopt(const struct head *head)
{
    size_t size;
    struct context_notes notes = {{0}};
    void *block = head->n ? conn_context_block(context_bound(head), &size) : NULL;
    if (!block)
        return;
    struct context *ctx = context_build(head, block, size, &notes);
    count_notes(COUNT_CAPTURE, &notes);
    context_trace(ctx, ctx->trace);
    if (ctx->n > 0)
        inherited = baton_exchange(ctx, XID);
    for (int fd = 3; fd < 64; fd++) /* 0 to 2 are for filters, and the loops of shells */
        child_given |= (uint64_t)probe_channel(fd) << fd;
    conn_context_release(ctx);
}

static bool number(struct span *s, int base, uint64_t *value)
{
    size_t i = 0;
    *value = 0;
    for (; i < s->n && s->p[i] != ' '; i++) {
        int digit = s->p[i] <= '9' ? s->p[i] - '0' : (s->p[i] | 32) - 'a' + 10;
        if (digit < 0 || digit >= base || i >= 16)
            return false;
        *value = *value * (unsigned)base + (unsigned)digit;
    }
    if (i == 0 || i == s->n)
        return false;
    *s = (struct span){s->p + i + 1, s->n - i - 1};
    return true;
}

/* FNV-1a: a place that another thread is just writing must not pass for whole. */
static uint64_t sum_of(struct span s)
{
    uint64_t sum = 0xcbf29ce484222325u;
    for (size_t i = 0; i < s.n; i++)
        sum = (sum ^ (uint8_t)s.p[i]) * 0x100000001b3u;
    return sum;
}

/* The text of the place of the thread that made this process; empty: there is none. */
static struct span my_place(struct span all)
{
    for (; all.n >= PLACE; all = (struct span){all.p + PLACE, all.n - PLACE}) {
        struct span s = {all.p, PLACE};
        uint64_t tid, sum;
        while (s.n > 0 && s.p[s.n - 1] == ' ')
            s.n--;
        if (number(&s, 10, &tid) && number(&s, 16, &sum) && sum == sum_of(s) &&
            parent_thread_was((int)tid))
            return s;
    }
    return (struct span){NULL, 0};
}

static struct span variable(const char *(*env)(const char *), const char *name)
{
    struct span s = {env(name), 0};
    while (s.p && s.n <= PLACES * PLACE + 1 && s.p[s.n])
        s.n++;
    return s;
}

static bool read_own(const char *(*env)(const char *), struct head *head)
{
    struct span text = variable(env, CHILD_VARIABLE);
    if (text.n > 0 && text.p[0] == '@')
        text = my_place((struct span){text.p + 1, text.n - 1});
    return text.n > 0 && spawn_read(text, head);
}

static const struct {
    struct span header;
    const char *variable;
} otel[] = {{SPAN("traceparent"), "TRACEPARENT"},
            {SPAN("tracestate"), "TRACESTATE"},
            {SPAN("baggage"), "BAGGAGE"}};

static bool read_otel(const char *(*env)(const char *), struct head *head)
{
    struct spawn_reader r;
    spawn_begin(&r, head);
    for (size_t i = 0; i < 3; i++) {
        struct span value = variable(env, otel[i].variable);
        if (value.n > 0)
            spawn_field(&r, otel[i].header, value, false);
    }
    return spawn_end(&r);
}

static char started_with[64]; /* TRACEPARENT, as it was */

bool child_is_stale(const char *var)
{
    size_t n = 0;
    while (var[n] && var[n] != '=')
        n++;
    if (n != sizeof("TRACEPARENT") - 1) /* the others go with it */
        return started_with[0] != 0;
    size_t i = 0;
    while (started_with[i] && var[n + 1 + i] == started_with[i])
        i++;
    return started_with[0] && !started_with[i] && !var[n + 1 + i];
}

static void remember_start(const char *(*env)(const char *))
{
    struct span s = variable(env, "TRACEPARENT");
    if (s.n > 0 && s.n < sizeof(started_with))
        memcpy(started_with, s.p, s.n);
}

static bool read_cgi(char *const *all, struct head *head)
{
    struct spawn_reader r;
    char name[HTTP1_NAME_MAX];
    spawn_begin(&r, head);
    for (; all && *all; all++) {
        size_t n = spawn_cgi_name(*all, name);
        struct span value = {*all + sizeof("HTTP_=") - 1 + n, 0};
        while (n && value.n < CONTEXT_MAX && value.p[value.n])
            value.n++;
        if (n && names_find(head->names, (struct span){name, n}) >= 0)
            spawn_field(&r, (struct span){name, n}, value, false);
    }
    return spawn_end(&r);
}

/* Which of the ways there are; the nearest comes first. */
enum told_by { BY_NOTHING, BY_OWN, BY_OTEL, BY_CGI };

static enum told_by told_by(const char *(*env)(const char *))
{
    bool as_otel = engine_policy.env == POLICY_ENV_OTEL;
    return engine_policy.env == POLICY_ENV_OFF         ? BY_NOTHING
           : variable(env, CHILD_VARIABLE).n           ? BY_OWN
           : as_otel && variable(env, "TRACEPARENT").n ? BY_OTEL
           : spawn_is_cgi(env)                         ? BY_CGI
                                                       : BY_NOTHING;
}

static bool read_by(enum told_by by, const char *(*env)(const char *), char *const *all,
                    struct head *head)
{
    return by == BY_OWN    ? read_own(env, head)
           : by == BY_OTEL ? read_otel(env, head)
                           : read_cgi(all, head);
}

void child_start(const char *(*env)(const char *), char *const *all)
{
    enum told_by by = told_by(env);
    remember_start(env);
    if (by == BY_NOTHING)
        return;
    page_of_child();
    struct store *s = conn_block();
    if (!s)
        return;
    head_begin(&s->head, &engine_policy.names, s->buf, 0, sizeof(s->buf));
    if (read_by(by, env, all, &s->head))
        adopt(&s->head);
    conn_block_release(s);
}

uint64_t child_baton(void)
{
    return child_has_left() ? 0 : __atomic_load_n(&inherited, __ATOMIC_RELAXED);
}

static void inherit(uint64_t baton)
{
    uint64_t old = __atomic_exchange_n(&inherited, baton, __ATOMIC_ACQ_REL);
    if (old)
        baton_drop(old);
}

#define LEFT 0x40000000u /* of guard.flags: a vfork child has; of no other thread of its parent */

static uint32_t left;

#define HEARD_OF_MANY (-1)

static int heard; /* the number, and one, that it is given work by; 0: none */

void child_left(void)
{
    if (engine_restricted_now())
        return;
    if (proc_is_vfork_child())
        tb_guard.flags |= LEFT;
    else
        __atomic_store_n(&left, 1, __ATOMIC_RELAXED);
}

bool child_has_left(void)
{
    return (__atomic_load_n(&left, __ATOMIC_RELAXED) | __atomic_load_n(&heard, __ATOMIC_RELAXED)) !=
           0;
}

bool child_hears(int fd)
{
    uint64_t given = CHILD_GIVEN;
    if (given == CHILD_GIVEN_ALL)
        return !fdtab_is_own(fd) && probe_channel(fd);
    return (unsigned)fd < 64 && given >> fd & 1;
}

void child_heard(int fd, size_t n)
{
    int number = fd + 1, before = __atomic_load_n(&heard, __ATOMIC_RELAXED);
    if (n == 0 && before == number)
        __atomic_store_n(&heard, 0, __ATOMIC_RELAXED);
    else if (n > 0 && before != number && child_hears(fd))
        __atomic_store_n(&heard, before ? HEARD_OF_MANY : number, __ATOMIC_RELAXED);
}

/* Asked once, by exec. */
static bool leaves(void)
{
    bool yes = tb_guard.flags & LEFT;
    tb_guard.flags &= ~LEFT;
    return yes;
}

void child_independent(void)
{
    if (child_has_left() || CHILD_GIVEN) { /* asked by all threads: nothing is written in vain */
        __atomic_store_n(&left, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&heard, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&child_given, 0, __ATOMIC_RELAXED);
    }
    if (__builtin_expect(__atomic_load_n(&inherited, __ATOMIC_RELAXED) != 0, 0))
        inherit(0);
}

/* --- what its children are given ------------------------------------------------------------ */

/* NAME=VALUE at the end of e->text. @return bytes taken, the terminator included; 0: nothing */
static size_t add(struct child_env *e, size_t at, const char *name, const struct context *ctx,
                  struct span header)
{
    char *p = e->text + at;
    size_t n = 0, room = sizeof(e->text) - at;
    while (name[n])
        n++;
    if (room < n + 2)
        return 0;
    memcpy(p, name, n);
    p[n++] = '=';
    size_t value = header.n ? spawn_value(ctx, header, p + n, room - n - 1)
                            : spawn_write(ctx, p + n, room - n - 1);
    p[n + value] = 0;
    if (value == 0)
        return 0;
    e->var[e->n++] = p;
    return n + value + 1;
}

static void write_all(struct child_env *e, const struct context *ctx)
{
    size_t at = add(e, 0, CHILD_VARIABLE, ctx, (struct span){NULL, 0});
    for (size_t i = 0; at && engine_policy.env == POLICY_ENV_OTEL && i < 3; i++) {
        size_t n = add(e, at, otel[i].variable, ctx, otel[i].header);
        if (i == 0 && n == 0) /* the others mean nothing without it */
            return;
        at += n;
    }
}

/* Are children told anything at all? A process that restricts its system calls is left alone. */
static bool tells(void)
{
    return engine_on() && !engine_restricted_now() && engine_policy.env != POLICY_ENV_OFF &&
           !engine_policy.shadow;
}

enum child_exec child_env(struct child_env *e)
{
    struct baton_view v;
    e->n = 0;
    if (!tells())
        return CHILD_AS_IT_IS;
    uint64_t h = leaves() ? 0 : engine_capture(-1);
    if (h && baton_look(h, &v)) {
        if (v.ctx && !v.revoked)
            write_all(e, v.ctx);
        count(e->n ? COUNT_CHILDREN : v.ctx ? COUNT_NONE_CHILD : COUNT_NONE_EMPTY);
        baton_drop(v.held);
    }
    if (h)
        baton_drop(h);
    return e->n ? CHILD_WITH : CHILD_WITHOUT;
}

/* --- places --------------------------------------------------------------------------------- */

static char places[sizeof(PREFIX) + PLACES * PLACE];
static uint32_t taken[PLACES];
static uint32_t begun; /* 1: a thread is at it, 2: done */

static char *digits(char *p, uint64_t n, unsigned base)
{
    char text[20];
    int i = 0;
    do
        text[i++] = "0123456789abcdef"[n % base];
    while (n /= base);
    while (i > 0)
        *p++ = text[--i];
    *p++ = ' ';
    return p;
}

static void clear_place(unsigned i)
{
    memset(places + sizeof(PREFIX) - 1 + i * PLACE, ' ', PLACE);
}

static void begin_places(void)
{
    memset(places + sizeof(PREFIX) - 1, ' ', PLACES * PLACE);
    memcpy(places, PREFIX, sizeof(PREFIX) - 1);
}

static bool write_place(unsigned i, const struct context *ctx)
{
    char *from = places + sizeof(PREFIX) - 1 + i * PLACE, text[PLACE];
    struct span s = {text, spawn_write(ctx, text, PLACE - 64)};
    if (s.n == 0)
        return false;
    char *p = digits(from, (uint64_t)parent_my_tid(), 10);
    p = digits(p, sum_of(s), 16);
    memcpy(p, s.p, s.n);
    return true;
}

/* False for the moment in which another thread makes them. */
static bool have_places(void)
{
    uint32_t none = 0;
    if (!__atomic_compare_exchange_n(&begun, &none, 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return none == 2;
    begin_places();
    __atomic_store_n(&begun, 2, __ATOMIC_RELEASE);
    return true;
}

static void *claim_place(const struct context *ctx)
{
    for (unsigned i = 0; i < PLACES; i++) {
        if (__atomic_exchange_n(&taken[i], 1, __ATOMIC_ACQUIRE))
            continue;
        if (write_place(i, ctx))
            return &taken[i];
        __atomic_store_n(&taken[i], 0, __ATOMIC_RELEASE);
        return NULL;
    }
    return NULL;
}

void *child_place(char **variable)
{
    struct baton_view v;
    void *place = NULL;
    *variable = NULL;
    if (!tells() || !have_places())
        return NULL;
    *variable = places;
    uint64_t h = engine_capture(-1);
    if (h && baton_look(h, &v)) {
        if (v.ctx && !v.revoked)
            place = claim_place(v.ctx);
        count(place ? COUNT_CHILDREN : v.ctx ? COUNT_NONE_CHILD : COUNT_NONE_EMPTY);
        baton_drop(v.held);
    }
    if (h)
        baton_drop(h);
    return place;
}

void child_unplace(void *place)
{
    uint32_t *slot = place;
    clear_place((unsigned)(slot - taken));
    __atomic_store_n(slot, 0, __ATOMIC_RELEASE);
}

/* The places of the other threads are nobody's in a fork child. */
void child_forked(uint64_t baton)
{
    if (baton != inherited) /* what works for one exchange alone has all its children work for it */
        __atomic_store_n(&child_given, CHILD_GIVEN_ALL, __ATOMIC_RELAXED);
    inherit(baton);
    for (int fd = 0; CHILD_GIVEN && fd < FDTAB_NEAR; fd++)
        if (fdtab_near[fd] == FD_FOREIGN) /* or some number before it: what is it now? */
            fdtab_near[fd] = FD_UNKNOWN;
    if (!begun)
        return;
    begin_places();
    memset(taken, 0, sizeof(taken));
    begun = 2;
}
