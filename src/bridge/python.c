/* SPDX-License-Identifier: Apache-2.0 */
/* python: what the engine calls. See python.h. */
#include "bridge/python.h"

#include "engine/engine.h"
#include "engine/policy.h"
#include "sys/next.h"

struct python_api python;

/* Objects whose calls to libc come with Python's lock released or held as usual, and with no lock
 * of their own. libuv's reads come from uvloop, which has released it. */
static const char *const callers[] = {"python", "libpython",    "_socket",
                                      "_ssl",   "loop.cpython", "libuv"};
static const char *const uv[] = {"loop.cpython", "libuv"};

static bool async_seen; /* some thread runs a loop or greenlets */

void python_restore(const struct python_aside *a)
{
    python.PyErr_Restore(a->type, a->value, a->trace);
}

void python_clear(void)
{
    python.PyErr_Restore(NULL, NULL, NULL);
}

void python_drop(py *o)
{
    if (o)
        python.Py_DecRef(o);
}

static const struct wanted {
    const char *name;
    void **to;
} wanted[] = {
#define X(type, name, params) {#name, (void **)&python.name},
    PYTHON_API(X)
#undef X
        {"_Py_NoneStruct", (void **)&python.none},
    {"PyProperty_Type", &python.property},
};

static bool find_all(void)
{
    bool all = true;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        all &= (*wanted[i].to = next_find_any(wanted[i].name)) != NULL;
    python.finalizing = (int (*)(void))next_find_any("Py_IsFinalizing");
    if (!python.finalizing)
        python.finalizing = (int (*)(void))next_find_any("_Py_IsFinalizing");
    return all && python.finalizing;
}

/* 3.8 to 3.14, with the interpreter's lock: of builds without it the objects are laid out
 * otherwise. */
static bool known_version(const char *s, bool *old)
{
    unsigned minor = 0;
    *old = s[0] != '3' || s[1] != '.';
    for (const char *p = s + 2; !*old && *p >= '0' && *p <= '9'; p++)
        minor = minor * 10 + (unsigned)(*p - '0');
    *old |= minor < 8;
    for (const char *p = s; *p; p++)
        if (p[0] == 'f' && p[1] == 'r' && p[2] == 'e' && p[3] == 'e' &&
            p[4] == '-') /* free-threading */
            return false;
    return !*old && minor <= 14;
}

/* PyGILState_*() knows the first interpreter only (mod_wsgi has several). */
static bool one_interpreter(void)
{
    void *first = python.PyInterpreterState_Head();
    return first && !python.PyInterpreterState_Next(first);
}

struct visit {
    bool ensured;
    int state;
    struct python_aside aside;
};

/* May Python be called here? Nothing is locked, and nothing is to be lost where the thread ends in
 * it, as threads do that come for the lock while Python shuts down. */
static bool enter(struct visit *v, const void *caller)
{
    if (!python.Py_IsInitialized() || python.finalizing() || !one_interpreter())
        return false;
    v->ensured = !python.PyGILState_Check();
    if (v->ensured && (!python.PyGILState_GetThisThreadState() ||
                       !bridge_called_from(caller, callers, sizeof(callers) / sizeof(callers[0]))))
        return false;
    if (v->ensured)
        v->state = python.PyGILState_Ensure();
    python_aside(&v->aside);
    return true;
}

static void leave(const struct visit *v)
{
    python_restore(&v->aside);
    if (v->ensured)
        python.PyGILState_Release(v->state);
}

static bool from_uv(const void *caller)
{
    return bridge_called_from(caller, uv, sizeof(uv) / sizeof(uv[0]));
}

/* asyncio makes a connection's tasks before its first request is read: in the callback in which the
 * connection is accepted. A task that accepts by itself may do so again for another connection, and
 * what it makes then is not told apart. */
static void accepted(uint64_t connection, int fd, const void *caller)
{
    struct visit v;
    (void)fd;
    if (from_uv(caller) || !enter(&v, caller))
        return;
    python_patch();
    python_pending(0);
    if (python_where() == WHERE_LOOP && python_in_callback()) {
        __atomic_store_n(&async_seen, true, __ATOMIC_RELAXED);
        python_drop(python_value_set(VALUE_ACCEPTED, connection));
    }
    leave(&v);
}

/* The current context has read this connection. `plain`: so has the thread, and that says it all;
 * unless it was told before that it works for another request. */
static void claim(uint64_t connection, bool plain)
{
    struct python_value v;
    uint64_t other = 0;
    python_value_get(&v);
    if (plain && v.kind == VALUE_UNSET)
        return;
    if (v.handle == connection && v.kind == VALUE_ACCEPTED) {
        char *n = python.PyCapsule_GetContext(v.object);
        python.PyCapsule_SetContext(v.object, n + 1);
    } else if (v.kind != VALUE_SEVERAL && v.handle != connection) {
        other = v.kind == VALUE_CONNECTION ? baton_pin(v.handle) : 0;
        python_drop(python_value_set(other ? VALUE_SEVERAL : VALUE_CONNECTION, connection));
    }
    if (other)
        baton_drop(other);
    python_value_end(&v);
}

static void opened(uint64_t exchange, uint64_t connection, int fd, const void *caller)
{
    struct visit v;
    (void)exchange, (void)fd;
    if (!connection || !enter(&v, caller))
        return;
    python_patch();
    enum python_where where = python_where();
    bool uv_read = where == WHERE_LOOP && from_uv(caller);
    python_pending(uv_read ? connection : 0);
    if (where != WHERE_PLAIN)
        __atomic_store_n(&async_seen, true, __ATOMIC_RELAXED);
    if (!uv_read && where != WHERE_HUB)
        claim(connection, where == WHERE_PLAIN);
    leave(&v);
}

/* A task that was there before its connection's requests may still be busy with the one before when
 * the next is read. What it makes, it makes for the one it begins with; what it sends itself is
 * certain with the first request only. */
static enum carrier_answer follows(const struct python_value *v)
{
    bool first = (uintptr_t)python.PyCapsule_GetContext(v->object) <= 1;
    return first || engine_policy.best ? CARRIER_HELD : CARRIER_UNKNOWN;
}

/* Nothing was said: a thread without a loop is left to the rule `thread`; but for greenlets'
 * threads, where the root greenlet shares it with them. */
static enum carrier_answer unset(void)
{
    if (python_where() != WHERE_PLAIN)
        return CARRIER_NOBODY;
    return CARRIER_PASS;
}

static enum carrier_answer answer(uint64_t *handle)
{
    struct python_value v;
    enum carrier_answer a;
    python_value_get(&v);
    *handle = v.handle;
    switch (v.kind) {
    case VALUE_UNSET:
        a = unset();
        break;
    case VALUE_NOBODY:
        a = CARRIER_NOBODY;
        break;
    case VALUE_SEVERAL:
        a = CARRIER_UNKNOWN;
        break;
    case VALUE_ACCEPTED:
        a = follows(&v);
        break;
    default:
        a = CARRIER_HELD;
    }
    python_value_end(&v);
    return a;
}

/* As long as no loop was seen, who cannot be asked is treated as without a bridge. */
static enum carrier_answer current(uint64_t *handle, int fd, const void *caller)
{
    struct visit v;
    (void)fd;
    if (!enter(&v, caller))
        return __atomic_load_n(&async_seen, __ATOMIC_RELAXED) ? CARRIER_UNKNOWN : CARRIER_PASS;
    python_pending(0);
    enum carrier_answer a = answer(handle);
    leave(&v);
    return a;
}

static const struct carrier carrier = {accepted, opened, current};

static enum bridge_state begin(const void *caller)
{
    struct visit v;
    if (!one_interpreter())
        return BRIDGE_REFUSED;
    if (!enter(&v, caller))
        return BRIDGE_LATER;
    bool fit = python_patch_begin() && python_value_begin();
    python_clear();
    if (fit)
        python_patch();
    leave(&v);
    if (!fit)
        return BRIDGE_REFUSED;
    carrier_attach(&carrier);
    return BRIDGE_ON;
}

/* Python before 3.8 (2.7, too) is not bridged and nothing is refused to it: its threads are what
 * they are without us. */
static enum bridge_state attach(const void *caller)
{
    const char *(*version)(void) = (const char *(*)(void))next_find_any("Py_GetVersion");
    int (*up)(void) = (int (*)(void))next_find_any("Py_IsInitialized");
    bool old;
    if (!version || !up)
        return BRIDGE_ABSENT;
    if (!up())
        return BRIDGE_LATER;
    bool known = known_version(version(), &old);
    if (old)
        return BRIDGE_ABSENT;
    if (!known || (!python.Py_DecRef && !find_all()))
        return BRIDGE_REFUSED;
    return begin(caller);
}

const struct bridge bridge_python = {NULL, attach};
