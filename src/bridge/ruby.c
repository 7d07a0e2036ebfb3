/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ruby: Ruby's threads serve one request at a time, so the engine's own rule does
 * for most servers; ruby_shim.rb is for those whose reading thread is another one
 * than the handling thread. It is evaluated where the program listens or accepts,
 * if the thread is Ruby's and holds Ruby's lock, and says from then on for which
 * connection a thread works (engine_enter_as).
 */
#include "bridge/bridge.h"
#include "engine/engine.h"
#include "sys/guard.h"
#include "sys/next.h"

typedef unsigned long value; /* Ruby's VALUE */

static const char script[] =
#include "ruby_shim.h"
    ;

/* What is called of libruby, in the order of `names`. */
static struct {
    int (*native_thread_p)(void);
    int (*has_gvl_p)(void);
    value (*eval_protect)(const char *, int *);
    value (*define_module)(const char *);
    void (*define_function)(value, const char *, void *, int);
    value (*from_ull)(unsigned long long);
    unsigned long long (*to_ull)(value);
    value (*errinfo)(void);
    void (*set_errinfo)(value);
    const int *api_version;
} rb;

static const char *const names[] = {"ruby_native_thread_p",
                                    "ruby_thread_has_gvl_p",
                                    "rb_eval_string_protect",
                                    "rb_define_module",
                                    "rb_define_module_function",
                                    "rb_ull2inum",
                                    "rb_num2ull",
                                    "rb_errinfo",
                                    "rb_set_errinfo",
                                    "ruby_api_version"};

#define N (sizeof(names) / sizeof(names[0]))
_Static_assert(sizeof(rb) == N * sizeof(void *), "one name for each");

/* --- what the script calls ------------------------------------------------------------------- */

static uint64_t captured(int fd)
{
    tb_guard.caller = NULL;
    return engine_capture(fd);
}

/* The thread works for the request that is open on this connection. @return what leave() is to be
 * given; where none is known the thread says what it said before. */
static value enter(value self, value fd)
{
    uint64_t h = captured((int)rb.to_ull(fd)), former = tb_guard.told;
    (void)self;
    if (h)
        engine_enter_as(h);
    else if (baton_take(former))
        engine_enter_as(former);
    return rb.from_ull(former);
}

static value leave(value self, value former)
{
    uint64_t now = engine_enter_as(rb.to_ull(former));
    (void)self;
    baton_drop(now);
    return former;
}

/* What a thread's maker did. Nobody knows when the thread's object goes, so it lingers. */
static value capture(value self)
{
    uint64_t h = captured(-1);
    (void)self;
    if (h)
        baton_linger(h);
    return rb.from_ull(h);
}

static value born(value self, value context)
{
    engine_enter_as(rb.to_ull(context));
    return self;
}

/* --- attaching ------------------------------------------------------------------------------- */

static bool eval(const char *text, value *v)
{
    int failed = 0;
    value pending = rb.errinfo();
    *v = rb.eval_protect(text, &failed);
    rb.set_errinfo(pending);
    return !failed;
}

static bool begin(void)
{
    value v, module = rb.define_module("TracebatonShim");
    rb.define_function(module, "enter", (void *)enter, 1);
    rb.define_function(module, "leave", (void *)leave, 1);
    rb.define_function(module, "capture", (void *)capture, 0);
    rb.define_function(module, "born", (void *)born, 1);
    return eval(engine_policy.best ? "module ::TracebatonShim; def self.best; true; end; end"
                                   : "module ::TracebatonShim; def self.best; false; end; end",
                &v) &&
           eval(script, &v);
}

static bool known_version(void)
{
    return (rb.api_version[0] == 2 && rb.api_version[1] >= 7) || rb.api_version[0] == 3;
}

static enum bridge_state first_time(void)
{
    void *found[N];
    if (!next_find_any(names[0]))
        return BRIDGE_ABSENT;
    next_find_loaded(names, found, N);
    memcpy(&rb, found, sizeof(rb));
    for (size_t i = 0; i < N; i++)
        if (!found[i])
            return BRIDGE_ABSENT;
    return known_version() ? BRIDGE_LATER : BRIDGE_REFUSED;
}

/* Puma may be loaded after something has listened: it is asked for at the 1st, 2nd, 4th ... 64th
 * occasion; then there is none. */
static enum bridge_state attach(const void *caller)
{
    static unsigned begun, occasions;
    (void)caller;
    enum bridge_state s = rb.api_version ? BRIDGE_LATER : first_time();
    if (s != BRIDGE_LATER || !rb.native_thread_p() || !rb.has_gvl_p())
        return s;
    if (!begun++ && !begin())
        return BRIDGE_REFUSED;
    unsigned n = ++occasions;
    value yes, no;
    if ((n & (n - 1)) || !eval("::TracebatonShim.attach", &yes) || !eval("false", &no))
        return BRIDGE_LATER;
    return yes != no || n >= 64 ? BRIDGE_ON : BRIDGE_LATER;
}

const struct bridge bridge_ruby = {NULL, attach};
