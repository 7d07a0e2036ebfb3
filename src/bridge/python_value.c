/* SPDX-License-Identifier: Apache-2.0 */
/* python_value: the context variable, and what a copy of a context gets. See python.h. */
#include "bridge/python.h"

#include "engine/child.h"
#include "engine/engine.h"
#include "sys/guard.h"

static py *variable;

/* A kind is told by the capsule's name. */
static const char *const names[VALUE_KINDS] = {NULL,
                                               "nobody of tracebaton",
                                               "several of tracebaton",
                                               "exchange of tracebaton",
                                               "born of tracebaton",
                                               "connection of tracebaton",
                                               "accepted of tracebaton"};

static enum python_kind kind_of(py *object)
{
    const char *name = python.PyCapsule_GetName(object);
    for (int i = VALUE_NOBODY; i < VALUE_KINDS; i++)
        if (name == names[i])
            return (enum python_kind)i;
    if (!name)
        python_clear();
    return VALUE_NOBODY; /* not ours */
}

static uint64_t handle_of(py *object, enum python_kind kind)
{
    return kind >= VALUE_EXCHANGE ? (uint64_t)python.PyCapsule_GetPointer(object, names[kind]) : 0;
}

/* A capsule's destructor. */
static void gone(py *object)
{
    baton_drop(handle_of(object, kind_of(object)));
}

bool python_value_begin(void)
{
    if (!variable)
        variable = python.PyContextVar_New("tracebaton", NULL);
    return variable != NULL;
}

void python_value_get(struct python_value *v)
{
    v->object = NULL;
    v->kind = VALUE_UNSET;
    v->handle = 0;
    if (python.PyContextVar_Get(variable, NULL, &v->object) < 0) {
        python_clear();
        v->object = NULL;
    }
    if (!v->object)
        return;
    v->kind = kind_of(v->object);
    v->handle = handle_of(v->object, v->kind);
}

void python_value_end(struct python_value *v)
{
    python_drop(v->object);
}

py *python_value_new(enum python_kind kind, uint64_t handle)
{
    bool holds = kind >= VALUE_EXCHANGE;
    if (holds && !baton_take(handle))
        return NULL;
    py *o =
        python.PyCapsule_New(holds ? (void *)handle : &variable, names[kind], holds ? gone : NULL);
    if (!o && holds)
        baton_drop(handle);
    return o;
}

py *python_value_put(py *object)
{
    py *token = object ? python.PyContextVar_Set(variable, object) : NULL;
    if (!token)
        python_clear();
    return token;
}

py *python_value_set(enum python_kind kind, uint64_t handle)
{
    py *o = python_value_new(kind, handle), *token = python_value_put(o);
    python_drop(o);
    return token;
}

void python_value_reset(py *token)
{
    struct python_aside a;
    if (!token)
        return;
    python_aside(&a);
    if (python.PyContextVar_Reset(variable, token) < 0)
        python_clear();
    python.Py_DecRef(token);
    python_restore(&a);
}

/* What this process was started for is the engine's to say at each request: it ends when the
 * process has work of its own. */
uint64_t python_capture(void)
{
    tb_guard.caller = NULL;
    uint64_t h = engine_capture(-1);
    if (!h || h != child_baton())
        return h;
    engine_uncapture(h);
    return 0;
}

/* A copy of a context whose connection has had a request, and has none now, is nobody's: the next
 * one is not what it was made for. Before the first one a copy is made for the connection. */
static py *pin_connection(const struct python_value *v)
{
    uint64_t h = baton_pin(v->handle);
    py *token = NULL;
    if (h)
        token = python_value_set(VALUE_EXCHANGE, h);
    else if (v->kind == VALUE_CONNECTION || python.PyCapsule_GetContext(v->object))
        token = python_value_set(VALUE_NOBODY, 0);
    if (h)
        baton_drop(h);
    return token;
}

static py *pin_thread(void)
{
    uint64_t h = python_where() == WHERE_PLAIN ? python_capture() : 0;
    py *token = h ? python_value_set(VALUE_EXCHANGE, h) : NULL;
    if (h)
        baton_drop(h);
    return token;
}

py *python_pin(void)
{
    struct python_value v;
    struct python_aside a;
    py *token = NULL;
    python_aside(&a);
    python_patch();
    python_value_get(&v);
    if (v.kind == VALUE_UNSET)
        token = pin_thread();
    else if (v.kind >= VALUE_CONNECTION)
        token = pin_connection(&v);
    python_value_end(&v);
    python_restore(&a);
    return token;
}
