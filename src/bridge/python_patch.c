/* SPDX-License-Identifier: Apache-2.0 */
/*
 * python_patch: the places where a new task, thread job or greenlet is made. See
 * python.h. Modules are only looked for among those that the program has
 * imported, and what was changed is a function pointer or an attribute:
 *
 *  - PyContext_CopyCurrent() in the objects that call it by their global offset
 *    table (_asyncio, uvloop), contextvars.copy_context() and the initializer of
 *    _asyncio.Task where these are built into the interpreter and call it directly;
 *  - ThreadPoolExecutor.submit(), for jobs do not inherit contexts;
 *  - Thread.start() and join(), which is python_threads.c's;
 *  - SimpleQueue.get(), which takes work (TRACEBATON_ATTRIBUTION=best only);
 *  - greenlet's tp_new, for greenlets begin with an empty context;
 *  - Context.run(), PyContext_Enter() and PySet_Add() for uvloop: libuv reads
 *    outside any context, and writes may be queued.
 */
#include "bridge/python.h"

#include "engine/engine.h"
#include "sys/got.h"
#include "sys/guard.h"
#include "sys/probe.h"

/* Layouts of CPython 3.8 to 3.14 with the interpreter's lock (cpython/object.h, methodobject.h,
 * descrobject.h); 64 bits. python_patch_begin() checks the type's. */
struct py {
    long references;
    struct type *type;
    void *method; /* a built-in function's PyMethodDef */
    void *between[2];
    void *described; /* a method descriptor's PyMethodDef */
};

struct type {
    void *head[3];
    const char *name;
    void *between[33];
    int (*init)(py *, py *, py *);
    void *alloc;
    py *(*new)(py *, py *, py *);
};
_Static_assert(offsetof(struct type, new) == 312, "tp_new");
_Static_assert(offsetof(struct py, described) == 40, "d_method");

struct method {
    const char *name;
    void *call;
    int flags;
    const char *doc;
};

enum {
    METH_VARARGS = 1,
    METH_KEYWORDS = 2,
    METH_NOARGS = 4,
    METH_FASTCALL = 0x80,
    METH_OF_TYPE = 1 << 28, /* ours: a type's, not a module's */
    METH_ANY = 3 << 28      /* ... called in any way */
};

static bool same(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

static bool begins(const char *s, const char *with)
{
    while (*with && *s == *with)
        s++, with++;
    return !*with;
}

static bool has(const char *s, const char *part)
{
    for (; *s; s++)
        if (begins(s, part))
            return true;
    return false;
}

bool python_patch_begin(void)
{
    const struct type *t = python.property;
    return probe_range(t, sizeof(*t)) && t->name && same(t->name, "property") &&
           t->new == python.PyType_GenericNew && t->alloc == (void *)python.PyType_GenericAlloc;
}

/* The interpreter's lock is held: nobody calls what the probe clobbers for a moment. */
static void put(void *slot, void *to)
{
    void **at = slot;
    void *was = *at;
    if (!probe_writable(at))
        return;
    __atomic_store_n(at, was, __ATOMIC_RELEASE);
    __atomic_store_n(at, to, __ATOMIC_RELEASE);
}

/* --- modules -------------------------------------------------------------------------------- */

/* Borrowed; NULL: not imported. */
static py *module(const char *name)
{
    return python.PyDict_GetItemString(python.PyImport_GetModuleDict(), name);
}

static py *attribute(py *of, const char *name)
{
    py *o = of ? python.PyObject_GetAttrString(of, name) : NULL;
    if (!o)
        python_clear();
    return o;
}

static py *call(py *f)
{
    py *r = f ? python.PyObject_CallObject(f, NULL) : NULL;
    if (!r)
        python_clear();
    return r;
}

static bool is_none(py *o)
{
    return !o || o == python.none;
}

/* --- contexts ------------------------------------------------------------------------------- */

static py *(*real_copy)(py *, py *);
static int (*real_init)(py *, py *, py *);

static py *copy_current(void)
{
    py *token = python_pin(), *r = python.PyContext_CopyCurrent();
    python_value_reset(token);
    return r;
}

static py *copy_context(py *self, py *none)
{
    py *token = python_pin(), *r = real_copy(self, none);
    python_value_reset(token);
    return r;
}

static int task_init(py *self, py *args, py *keywords)
{
    py *token = python_pin();
    int r = real_init(self, args, keywords);
    python_value_reset(token);
    return r;
}

static const char *const redirected[] = {"PyContext_CopyCurrent", "PyContext_Enter",
                                         "PyContext_Exit", "PySet_Add"};
static int context_enter(py *context), context_exit(py *context), set_add(py *set, py *key);

static void redirect(unsigned n)
{
    void *const from[] = {(void *)python.PyContext_CopyCurrent, (void *)python.PyContext_Enter,
                          (void *)python.PyContext_Exit, (void *)python.PySet_Add};
    void *const to[] = {(void *)copy_current, (void *)context_enter, (void *)context_exit,
                        (void *)set_add};
    struct got_names list = {redirected, from, to, n};
    got_redirect(0, &list);
}

/* A built-in function of this name gets another body, if it is called in one of these ways: whose
 * calling convention `ours` follows. */
static void replace(py *of, const char *name, int flags, void *real, void *ours)
{
    py *f = attribute(of, name);
    struct method *d = !f ? NULL : flags & METH_OF_TYPE ? f->described : f->method;
    if (d && probe_range(d, sizeof(*d)) && same(d->name, name) &&
        (flags == METH_ANY || d->flags == (flags & ~METH_OF_TYPE))) {
        *(void **)real = d->call;
        put(&d->call, ours);
    }
    python_drop(f);
}

static void patch_contextvars(py *m)
{
    replace(m, "copy_context", METH_NOARGS, &real_copy, (void *)copy_context);
}

static py *running_loop, *current_task, *current_greenlet, *trio_task;

static void patch_asyncio(py *m)
{
    struct type *task = (struct type *)attribute(m, "Task");
    running_loop = attribute(m, "_get_running_loop");
    if (task && task->init) {
        real_init = task->init;
        put(&task->init, (void *)task_init);
    }
    python_drop((py *)task);
    redirect(1);
    /* The first run_in_executor() imports it and submits at once: too late for us. gevent and
     * eventlet want to be first to change it. */
    if (!module("gevent") && !module("eventlet"))
        python_drop(python.PyImport_ImportModule("concurrent.futures.thread"));
    python_clear();
}

static void note_tasks(py *m)
{
    current_task = attribute(m, "current_task");
}

static void note_trio(py *m)
{
    py *low = attribute(m, "lowlevel");
    trio_task = attribute(low, "current_task");
    python_drop(low);
}

/* --- thread pools --------------------------------------------------------------------------- */

/* A job with the exchange of who submitted it: self is the value. */
static py *run_job(py *self, py *args, py *keywords)
{
    py *token = python_value_put(self);
    py *rest = python.PyTuple_GetSlice(args, 1, python.PyTuple_Size(args));
    py *r = rest ? python.PyObject_Call(python.PyTuple_GetItem(args, 0), rest, keywords) : NULL;
    python_drop(rest);
    python_value_reset(token);
    return r;
}

static struct method job_method = {"run", (void *)run_job, METH_VARARGS | METH_KEYWORDS, NULL};

/* A function that calls its first argument inside what is current now; NULL: nothing is. */
py *python_job(uint64_t handle)
{
    py *value = handle ? python_value_new(VALUE_EXCHANGE, handle) : NULL;
    py *job = value ? python.PyCFunction_NewEx(&job_method, value, NULL) : NULL;
    python_drop(value);
    if (!job)
        python_clear();
    return job;
}

/* --- queues --------------------------------------------------------------------------------- */

/* SimpleQueue.get() and get_nowait(), called by a calling convention with up to five arguments:
 * which one is not looked at. */
typedef py *any_fn(void *, void *, void *, void *, void *);

static any_fn *real_get, *real_get_nowait;

static py *simple_get(void *a, void *b, void *c, void *d, void *e)
{
    python_takes();
    return real_get(a, b, c, d, e);
}

static py *simple_get_nowait(void *a, void *b, void *c, void *d, void *e)
{
    python_takes();
    return real_get_nowait(a, b, c, d, e);
}

static void patch_queue(py *m)
{
    py *type = engine_policy.best ? attribute(m, "SimpleQueue") : NULL;
    replace(type, "get", METH_ANY, &real_get, (void *)simple_get);
    replace(type, "get_nowait", METH_ANY, &real_get_nowait, (void *)simple_get_nowait);
    python_drop(type);
}

/* --- greenlets ------------------------------------------------------------------------------ */

static py *(*real_new)(py *, py *, py *);

/* A hub runs everybody's callbacks. */
static bool is_hub(const py *type)
{
    return has(((const struct type *)type)->name, "Hub");
}

static void give_context(py *greenlet, uint64_t h)
{
    py *ctx = python.PyContext_New();
    if (ctx && python.PyContext_Enter(ctx) == 0) {
        python_drop(python_value_set(VALUE_EXCHANGE, h));
        python.PyContext_Exit(ctx);
        python.PyObject_SetAttrString(greenlet, "gr_context", ctx);
    }
    python_drop(ctx);
    python_clear();
}

static py *greenlet_new(py *type, py *args, py *keywords)
{
    py *o = real_new(type, args, keywords);
    uint64_t h = o && !is_hub(type) ? python_capture() : 0;
    if (h) {
        give_context(o, h);
        baton_drop(h);
    }
    return o;
}

/* Types that were derived before have copies of the pointer. */
static void patch_types(py *type, int depth)
{
    struct type *t = (struct type *)type;
    py *list = python.PyObject_CallMethod(type, "__subclasses__", NULL);
    if (t->new == real_new)
        put(&t->new, (void *)greenlet_new);
    for (long i = 0; list && depth && i < python.PyList_Size(list); i++)
        patch_types(python.PyList_GetItem(list, i), depth - 1);
    python_drop(list);
    python_clear();
}

static void patch_greenlet(py *m)
{
    py *type = attribute(m, "greenlet");
    current_greenlet = attribute(m, "getcurrent");
    if (type) {
        real_new = ((struct type *)type)->new;
        patch_types(type, 8);
    }
}

/* --- uvloop --------------------------------------------------------------------------------- */

typedef py *run_fn(py *, py *const *, long, py *);

#define THREADS 8 /* that run uvloop; those of more than these get nothing */

static run_fn *real_run;
static struct place {
    const void *thread; /* it belongs to a thread for good */
    uint64_t connection;
    py *entered, *token;
} places[THREADS];

static struct place *place(bool claim)
{
    for (int i = 0; i < THREADS; i++) {
        const void *none = NULL;
        if (__atomic_load_n(&places[i].thread, __ATOMIC_RELAXED) == &tb_guard ||
            (claim && __atomic_compare_exchange_n(&places[i].thread, &none, &tb_guard, 0,
                                                  __ATOMIC_RELAXED, __ATOMIC_RELAXED)))
            return &places[i];
    }
    return NULL;
}

static bool uv_there;

void python_pending(uint64_t connection)
{
    struct place *p = uv_there ? place(connection != 0) : NULL;
    if (p)
        p->connection = connection;
}

/* What was read on this thread just now, held. */
static uint64_t taken(struct place *p)
{
    uint64_t c = p ? p->connection : 0;
    if (p)
        p->connection = 0;
    return c ? baton_pin(c) : 0;
}

/* uvloop before 0.18: context.run(protocol.data_received, data) */
static py *context_run(py *self, py *const *args, long n, py *names)
{
    uint64_t h = taken(place(false));
    py *job = n == 2 ? python_job(h) : NULL, *r, *more[3];
    if (h)
        baton_drop(h);
    if (!job)
        return real_run(self, args, n, names);
    more[0] = job;
    more[1] = args[0];
    more[2] = args[1];
    r = real_run(self, more, 3, names);
    python.Py_DecRef(job);
    return r;
}

/* Since then: enter, call, exit. A transport's context is its listener's, so what is set there is
 * taken back. */
static int context_enter(py *context)
{
    int r = python.PyContext_Enter(context);
    struct place *p = place(false);
    uint64_t h = taken(p);
    if (h && r == 0 && !p->token) {
        p->token = python_value_set(VALUE_EXCHANGE, h);
        p->entered = context;
    }
    if (h)
        baton_drop(h);
    return r;
}

static int context_exit(py *context)
{
    struct place *p = place(false);
    if (p && p->token && p->entered == context) {
        python_value_reset(p->token);
        p->token = NULL;
    }
    return python.PyContext_Exit(context);
}

/* A transport is put into the set of those that have something to write, later and outside any
 * context. */
static void promise(py *transport)
{
    uint64_t h = python_capture();
    py *socket = h ? python.PyObject_CallMethod(transport, "get_extra_info", "s", "socket") : NULL;
    py *number = is_none(socket) ? NULL : python.PyObject_CallMethod(socket, "fileno", NULL);
    long fd = number ? python.PyLong_AsLong(number) : -1;
    if (fd >= 0)
        carrier_promise((int)fd, h);
    if (h)
        baton_drop(h);
    python_clear();
    python_drop(number);
    python_drop(socket);
}

static int set_add(py *set, py *key)
{
    if (begins(key->type->name, "uvloop.loop.") && has(key->type->name, "Transport"))
        promise(key);
    return python.PySet_Add(set, key);
}

static void patch_uvloop(py *m)
{
    py *context = attribute(module("_contextvars"), "Context");
    (void)m;
    uv_there = true;
    replace(context, "run", METH_OF_TYPE | METH_FASTCALL | METH_KEYWORDS, &real_run,
            (void *)context_run);
    python_drop(context);
    redirect(4);
}

/* --- all ------------------------------------------------------------------------------------ */

static struct {
    const char *name;
    void (*patch)(py *);
    bool done;
} patches[] = {
    {"_contextvars", patch_contextvars, false},
    {"_asyncio", patch_asyncio, false},
    {"asyncio.tasks", note_tasks, false},
    {"concurrent.futures.thread", python_shim, false},
    {"threading", python_shim, false},
    {"_queue", patch_queue, false},
    {"greenlet", patch_greenlet, false},
    {"uvloop.loop", patch_uvloop, false},
    {"trio", note_trio, false},
};

void python_patch(void)
{
    static long seen;
    long n = python.PyDict_Size(python.PyImport_GetModuleDict());
    if (n == seen)
        return;
    seen = n;
    for (size_t i = 0; i < sizeof(patches) / sizeof(patches[0]); i++) {
        py *m = patches[i].done ? NULL : module(patches[i].name);
        if (m) {
            patches[i].done = true;
            patches[i].patch(m);
        }
    }
}

static bool in_greenlet(bool *hub)
{
    py *g = call(current_greenlet), *parent = attribute(g, "parent");
    bool yes = !is_none(parent);
    *hub = yes && is_hub((const py *)g->type);
    python_drop(parent);
    python_drop(g);
    return yes;
}

enum python_where python_where(void)
{
    bool hub;
    py *o = call(running_loop);
    bool loop = !is_none(o);
    python_drop(o);
    if (loop)
        return WHERE_LOOP;
    if (current_greenlet && in_greenlet(&hub))
        return hub ? WHERE_HUB : WHERE_GREENLET;
    o = call(trio_task);
    python_drop(o);
    return o ? WHERE_TRIO : WHERE_PLAIN;
}

bool python_in_callback(void)
{
    py *o = call(current_task);
    bool none = o == python.none;
    python_drop(o);
    return none;
}
