/* SPDX-License-Identifier: Apache-2.0 */
/*
 * python_threads: threads that a handler starts. What is certain of them is
 * found out in Python (python_shim.py); here is what it calls. A thread's run()
 * is called from C, so that no frame of ours is in its tracebacks.
 */
#include "bridge/python.h"

#include "engine/engine.h"

static const char script[] =
#include "python_shim.h"
    ;

void python_takes(void)
{
    struct python_value v;
    python_value_get(&v);
    if (v.kind == VALUE_BORN)
        python_drop(python_value_set(VALUE_NOBODY, 0));
    python_value_end(&v);
}

/* On the new thread. The attribute `run` was ours, for this one call. */
static py *run(uint64_t handle, bool sure, py *thread)
{
    py *token = python_value_set(sure ? VALUE_EXCHANGE : VALUE_BORN, handle);
    if (python.PyObject_SetAttrString(thread, "run", NULL) < 0)
        python_clear();
    py *r = python.PyObject_CallMethod(thread, "run", NULL);
    python_value_reset(token);
    return r;
}

/* Nobody says when a number is forgotten, so its baton lingers. */
static py *capture(void)
{
    uint64_t h = python_capture();
    if (h)
        baton_linger(h);
    return python.PyLong_FromLong((long)h);
}

static py *job(void)
{
    uint64_t h = python_capture();
    py *o = python_job(h);
    if (h)
        baton_drop(h);
    return o ? o : python.PyLong_FromLong(0);
}

static py *baton(py *self, py *args)
{
    (void)self;
    long n = python.PyTuple_Size(args);
    if (n == 3)
        return run((uint64_t)python.PyLong_AsLong(python.PyTuple_GetItem(args, 0)),
                   python.PyLong_AsLong(python.PyTuple_GetItem(args, 1)) > 0,
                   python.PyTuple_GetItem(args, 2));
    if (n == 2)
        return job();
    if (n)
        python_takes();
    return capture();
}

/* A PyMethodDef; 1: METH_VARARGS. */
static struct {
    const char *name;
    py *(*call)(py *, py *);
    int flags;
    const char *doc;
} method = {"baton", baton, 1, NULL};

static py *names; /* the script's; a few references are kept for good */

static py *execute(const char *text)
{
    return python.PyObject_CallMethod(python.PyImport_ImportModule("builtins"), "exec", "sO", text,
                                      names);
}

static void prepare(void)
{
    names = python.PyObject_CallMethod(python.PyImport_ImportModule("builtins"), "dict", NULL);
    python_drop(python.PyObject_CallMethod(names, "setdefault", "sO", method.name,
                                           python.PyCFunction_NewEx(&method, NULL, NULL)));
    python_drop(execute(script));
}

void python_shim(py *m)
{
    (void)m;
    if (!names)
        prepare();
    python_drop(execute(engine_policy.best ? "patch(True)" : "patch(False)"));
    python_clear();
}
