/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node: Node.js, whose one thread says nothing about whose work runs, and whose own
 * AsyncLocalStorage does. It is reached from JavaScript only: before main the
 * environment is given one --import of a data: URL (no file), node_shim.js, which
 * writes the lines and asks here which (engine/aside.h).
 *
 * A Node that does not know the option ends with status 9 ("--import is not
 * allowed in NODE_OPTIONS"), so only one that exports a function as old as the
 * option is given it (18.18, 20.4: node_api_create_external_string_latin1), and only
 * under its own name: Electron and packed programs are not.
 */
#include <fcntl.h>
#include <string.h>

#include "bridge/bridge.h"
#include "core/context.h"
#include "engine/aside.h"
#include "engine/engine.h"
#include "node_shim.h"
#include "sys/arena.h"
#include "sys/env.h"
#include "sys/next.h"
#include "sys/probe.h"
#include "sys/raw.h"

#define OPTION "--import data:text/javascript;base64," NODE_SHIM
#define NAME   "NODE_OPTIONS="

static enum { NOT_NODE, LEFT_ALONE, ARMED, ALIVE } state;

/* --- is it one? ------------------------------------------------------------------------------- */

static bool starts(struct span s, struct span with)
{
    return s.n >= with.n && memcmp(s.p, with.p, with.n) == 0;
}

static bool contains(struct span s, struct span what)
{
    for (; s.n >= what.n; s.p++, s.n--)
        if (starts(s, what))
            return true;
    return false;
}

/* node, nodejs, or with a version: node-22, node18 */
static bool is_name(struct span s)
{
    if (!starts(s, SPAN("node")))
        return false;
    s = (struct span){s.p + 4, s.n - 4};
    if (starts(s, SPAN("js")))
        s = (struct span){s.p + 2, s.n - 2};
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != '-' && s.p[i] != '.' && (s.p[i] < '0' || s.p[i] > '9'))
            return false;
    return true;
}

static bool named_node(void)
{
    char path[4096];
    long n = raw4(SYS_readlinkat, AT_FDCWD, (long)"/proc/self/exe", (long)path, sizeof(path));
    long at = n;
    while (at > 0 && path[at - 1] != '/')
        at--;
    return n > 0 && is_name((struct span){path + at, (size_t)(n - at)});
}

/* Ways to run it in which an import does harm, or in which nothing would take it back. */
static bool refuses(struct span line)
{
    return contains(line, SPAN("--experimental-policy")) ||
           contains(line, SPAN("--experimental-loader")) || contains(line, SPAN("--loader")) ||
           contains(line, SPAN("--build-snapshot")) || contains(line, SPAN("--snapshot-blob")) ||
           contains(line, SPAN("\0--run"));
}

static bool command_line_refuses(void)
{
    char line[4096];
    long fd = raw4(SYS_openat, AT_FDCWD, (long)"/proc/self/cmdline", O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return true;
    long n = raw3(SYS_read, fd, (long)line, sizeof(line));
    raw1(SYS_close, fd);
    return n <= 0 || refuses((struct span){line, (size_t)n});
}

/* --- the environment -------------------------------------------------------------------------- */

static char *put(char *to, const char *text, size_t n)
{
    memcpy(to, text, n);
    return to + n;
}

/* The new entry: ours first, so that what the user's imports keep is what we left. */
static void write_entry(char *to, const char *old)
{
    to = put(to, NAME OPTION, sizeof(NAME OPTION) - 1);
    if (!old)
        return;
    *to++ = ' ';
    put(to, old, strlen(old)); /* the page is zeroed */
}

/* A copy of the environment with that entry: setenv() would allocate. */
static char **copy_with(char **env, const char *old, const char **value)
{
    size_t n = 0, k = 0, text = sizeof(NAME OPTION) + 1 + (old ? strlen(old) : 0);
    while (env[n])
        n++;
    char **copy = arena_map((n + 2) * sizeof(*copy) + text);
    if (!copy)
        return NULL;
    char *entry = (char *)(copy + n + 2);
    write_entry(entry, old);
    *value = entry + sizeof(NAME) - 1;
    for (size_t i = 0; i < n; i++)
        if (!starts((struct span){env[i], strlen(env[i])}, SPAN(NAME)))
            copy[k++] = env[i];
    copy[k] = entry;
    return copy;
}

/* Through the variable that libc reads, which may be the executable's copy of it. */
static bool change(void)
{
    const char *old = env_get("NODE_OPTIONS"), *value;
    char ***environ = env_place();
    if (old && contains((struct span){old, strlen(old)}, SPAN(OPTION)))
        return true;
    if (!environ || !*environ || (old && refuses((struct span){old, strlen(old)})))
        return false;
    char **before = *environ, **copy = copy_with(before, old, &value);
    if (!copy)
        return false;
    *environ = copy;
    if (env_get("NODE_OPTIONS") == value)
        return true;
    *environ = before;
    return false;
}

static void start(void)
{
    if (!named_node() || !next_find_any("_ZN4node5StartEiPPc"))
        return;
    state = LEFT_ALONE;
    if (next_find_any("node_api_create_external_string_latin1") && !command_line_refuses() &&
        change())
        state = ARMED;
}

/* --- the other end ---------------------------------------------------------------------------- */

static void opened(uint64_t exchange, uint64_t connection, int fd, const void *caller)
{
    (void)exchange, (void)connection, (void)fd, (void)caller;
}

static enum carrier_answer current(uint64_t *handle, int fd, const void *caller)
{
    (void)handle, (void)fd, (void)caller;
    return CARRIER_WRITES;
}

static const struct carrier carrier = {NULL, opened, current};

/* A question, as node_shim.js writes it; both heads follow. */
struct call {
    char cookie[16];
    uint32_t operation, in, out, port, elsewhere;
};
enum { HELLO = 1, COMPOSE = 2 };

static size_t compose(const struct call *c, size_t n, const struct edit_piece *to)
{
    const char *text = (const char *)(c + 1);
    n -= sizeof(*c);
    if (c->in > n || c->out > n - c->in)
        return 0;
    struct aside q = {{text, c->in}, {text + c->in, c->out}, 0, (uint16_t)c->port, c->elsewhere};
    return aside_compose(&q, (char *)to->p, to->n);
}

/* Where questions come from: one buffer a thread, asked about once. Of more
 * threads than these, each time. */
#define BUFFERS 8
static const void *buffer[BUFFERS];

static bool known(const void *p)
{
    for (unsigned i = 0; i < BUFFERS; i++)
        if (__atomic_load_n(&buffer[i], __ATOMIC_RELAXED) == p)
            return true;
    return false;
}

/* Nobody else reads from this number; whoever does before a program has begun is to get the
 * kernel's answer. */
static bool is_question(const struct edit_piece *v)
{
    return probe_range(v, 2 * sizeof(*v)) && v->n >= sizeof(struct call) &&
           probe_range(v->p, sizeof(struct call)) && memcmp(v->p, "tracebaton-node", 16) == 0;
}

bool bridge_call(const struct edit_piece *v, int n, size_t *answer)
{
    if (state < ARMED || n != 2 || engine_restricted_now() ||
        !((state == ALIVE && known(v->p)) || is_question(v)))
        return false;
    const struct call *c = v->p;
    *answer = c->operation == HELLO;
    if (c->operation == COMPOSE) {
        *answer = compose(c, v->n, v + 1);
    } else {
        static unsigned used;
        unsigned at = __atomic_fetch_add(&used, 1, __ATOMIC_RELAXED) % BUFFERS;
        __atomic_store_n(&buffer[at], (const void *)c, __ATOMIC_RELAXED);
    }
    if (state != ALIVE) {
        state = ALIVE;
        carrier_attach(&carrier);
        engine_relieve();
    }
    return true;
}

static enum bridge_state attach(const void *caller)
{
    static const enum bridge_state told[] = {BRIDGE_ABSENT, BRIDGE_REFUSED, BRIDGE_LATER,
                                             BRIDGE_ON};
    (void)caller;
    return told[state];
}

const struct bridge bridge_node = {start, attach};
