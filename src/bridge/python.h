/* SPDX-License-Identifier: Apache-2.0 */
/*
 * python: the CPython bridge, in four files: python.c (what the engine calls),
 * python_value.c (the context variable), python_patch.c (the places where a new
 * task, thread job or greenlet is made), python_threads.c (threads of their own,
 * with python_shim.py).
 *
 * One context variable holds a capsule with a baton's handle. A context in which
 * a head was read holds the *connection's* baton, for it was there before the
 * request and will be there after it: such a context works for whatever is open
 * on the connection now. Wherever a context is copied the copy is pinned to the
 * exchange that is open then, so that a task that outlives its response keeps
 * what it was made for, and does not follow the connection to the next request.
 *
 * Threads that run no event loop, no trio and no greenlet are left to the rule
 * `thread`: the bridge tells the engine so (CARRIER_PASS).
 *
 * The interpreter's lock is taken only for callers that are known to have
 * released it and to hold no lock of their own: the interpreter itself, its own
 * modules, uvloop. An extension that sends while it holds a mutex of its own
 * could wait for a thread that waits for this mutex with the lock held.
 */
#ifndef TB_BRIDGE_PYTHON_H
#define TB_BRIDGE_PYTHON_H

#include "bridge/bridge.h"

#include <stddef.h>

/* An object of Python's, never looked into but where the layout was checked. */
typedef struct py py;

/* What is needed of the C API: (type, name, parameters). In all of 3.8 to 3.14. */
#define PYTHON_API(X)                                                                              \
    X(int, Py_IsInitialized, (void))                                                               \
    X(const char *, Py_GetVersion, (void))                                                         \
    X(int, PyGILState_Check, (void))                                                               \
    X(int, PyGILState_Ensure, (void))                                                              \
    X(void, PyGILState_Release, (int))                                                             \
    X(void *, PyGILState_GetThisThreadState, (void))                                               \
    X(void *, PyInterpreterState_Head, (void))                                                     \
    X(void *, PyInterpreterState_Next, (void *))                                                   \
    X(void, PyErr_Fetch, (py **, py **, py **))                                                    \
    X(void, PyErr_Restore, (py *, py *, py *))                                                     \
    X(py *, PyContextVar_New, (const char *, py *))                                                \
    X(int, PyContextVar_Get, (py *, py *, py **))                                                  \
    X(py *, PyContextVar_Set, (py *, py *))                                                        \
    X(int, PyContextVar_Reset, (py *, py *))                                                       \
    X(py *, PyContext_New, (void))                                                                 \
    X(int, PyContext_Enter, (py *))                                                                \
    X(int, PyContext_Exit, (py *))                                                                 \
    X(py *, PyContext_CopyCurrent, (void))                                                         \
    X(py *, PyCapsule_New, (void *, const char *, void (*)(py *)))                                 \
    X(void *, PyCapsule_GetPointer, (py *, const char *))                                          \
    X(const char *, PyCapsule_GetName, (py *))                                                     \
    X(void *, PyCapsule_GetContext, (py *))                                                        \
    X(int, PyCapsule_SetContext, (py *, void *))                                                   \
    X(py *, PyImport_GetModuleDict, (void))                                                        \
    X(py *, PyImport_ImportModule, (const char *))                                                 \
    X(py *, PyDict_GetItemString, (py *, const char *))                                            \
    X(long, PyDict_Size, (py *))                                                                   \
    X(py *, PyObject_GetAttrString, (py *, const char *))                                          \
    X(int, PyObject_SetAttrString, (py *, const char *, py *))                                     \
    X(py *, PyObject_CallObject, (py *, py *))                                                     \
    X(py *, PyObject_CallMethod, (py *, const char *, const char *, ...))                          \
    X(py *, PyObject_Call, (py *, py *, py *))                                                     \
    X(py *, PyTuple_New, (long))                                                                   \
    X(int, PyTuple_SetItem, (py *, long, py *))                                                    \
    X(py *, PyTuple_GetItem, (py *, long))                                                         \
    X(long, PyTuple_Size, (py *))                                                                  \
    X(py *, PyTuple_GetSlice, (py *, long, long))                                                  \
    X(long, PyLong_AsLong, (py *))                                                                 \
    X(py *, PyLong_FromLong, (long))                                                               \
    X(long, PyList_Size, (py *))                                                                   \
    X(py *, PyList_GetItem, (py *, long))                                                          \
    X(void *, PyCFunction_GetFunction, (py *))                                                     \
    X(py *, PyCFunction_NewEx, (void *, py *, py *))                                               \
    X(py *, PyInstanceMethod_New, (py *))                                                          \
    X(int, PySet_Add, (py *, py *))                                                                \
    X(py *, PyType_GenericNew, (py *, py *, py *))                                                 \
    X(py *, PyType_GenericAlloc, (py *, long))                                                     \
    X(void, Py_IncRef, (py *))                                                                     \
    X(void, Py_DecRef, (py *))

struct python_api {
#define X(type, name, params) type(*name) params;
    PYTHON_API(X)
#undef X
    int (*finalizing)(void); /* Py_IsFinalizing, or _Py_IsFinalizing before 3.13 */
    py *none;
    void *property; /* PyProperty_Type: the layout of types is checked with it */
};

extern struct python_api python;

/* --- python_value.c ------------------------------------------------------------------------- */

enum python_kind {
    VALUE_UNSET,
    VALUE_NOBODY,     /* for sure */
    VALUE_SEVERAL,    /* reads several connections at once: an event loop we do not know */
    VALUE_EXCHANGE,   /* a baton of one exchange */
    VALUE_BORN,       /* ... that a thread was started in, until it takes work from others */
    VALUE_CONNECTION, /* a connection that this context has read itself */
    VALUE_ACCEPTED,   /* ... that was accepted in the context this one is a copy of */
    VALUE_KINDS
};

struct python_value {
    enum python_kind kind;
    uint64_t handle;
    py *object; /* a reference */
};

/** Make the variable. */
bool python_value_begin(void);

/** The current context's value; python_value_end() when done. */
void python_value_get(struct python_value *v);
void python_value_end(struct python_value *v);

/** A capsule for a handle (it takes the baton itself). */
py *python_value_new(enum python_kind kind, uint64_t handle);

/** Set it. @return the token for python_value_reset(); NULL: it failed, or object is NULL */
py *python_value_put(py *object);
py *python_value_set(enum python_kind kind, uint64_t handle);

/** Take it back; an exception that is set stays. `token` may be NULL. */
void python_value_reset(py *token);

/** The exchange that is current, held; 0: none. The interpreter's lock is held. */
uint64_t python_capture(void);

/** To be called around a copy of the current context: the copy is pinned. @return a token */
py *python_pin(void);

/* --- python_patch.c ------------------------------------------------------------------------- */

enum python_where { WHERE_PLAIN, WHERE_LOOP, WHERE_GREENLET, WHERE_HUB, WHERE_TRIO };

/** Whose rules say what runs on this thread? */
enum python_where python_where(void);

/** Does a callback of the loop run, and no task? */
bool python_in_callback(void);

/** A function that calls its first argument inside this exchange; NULL: there is none. */
py *python_job(uint64_t handle);

/** Does type's layout look as we know it? */
bool python_patch_begin(void);

/** Modules may have been imported since. */
void python_patch(void);

/** libuv has read this connection on this thread, outside any context: for the next callback. 0:
 *  what was pending is so no more. */
void python_pending(uint64_t connection);

/* --- python_threads.c ----------------------------------------------------------------------- */

/** One of the modules that python_shim.py changes is there. */
void python_shim(py *m);

/** The thread takes work from somewhere. */
void python_takes(void);

/* --- python.c ------------------------------------------------------------------------------- */

/** An exception that is set, put aside. */
struct python_aside {
    py *type, *value, *trace;
};

static inline void python_aside(struct python_aside *a)
{
    python.PyErr_Fetch(&a->type, &a->value, &a->trace);
}

/** It is back; one that was raised since is gone. */
void python_restore(const struct python_aside *a);

/** Forget an exception of our own. */
void python_clear(void);

/** `o` may be NULL. */
void python_drop(py *o);

#endif
