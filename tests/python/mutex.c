/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An extension that does what the bridge must survive: `send` drops the
 * interpreter's lock and writes while it holds a mutex of its own; `touch` takes
 * the same mutex with the interpreter's lock held. Whoever asks for the
 * interpreter's lock inside the first one's write() closes the circle.
 *
 * `probe` sends with an exception pending, and says whether it still is, and
 * what errno a failing send leaves.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static PyObject *mutex_send(PyObject *self, PyObject *args)
{
    int fd;
    const char *p;
    Py_ssize_t n, r;
    (void)self;
    if (!PyArg_ParseTuple(args, "iy#", &fd, &p, &n))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    pthread_mutex_lock(&mutex);
    usleep(200); /* long enough for another thread to wait for it */
    r = send(fd, p, (size_t)n, 0);
    pthread_mutex_unlock(&mutex);
    Py_END_ALLOW_THREADS
    return PyLong_FromSsize_t(r);
}

static PyObject *mutex_touch(PyObject *self, PyObject *none)
{
    (void)self, (void)none;
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
    Py_RETURN_NONE;
}

/* (fd, bytes) -> (sent, errno, the exception was kept) */
static PyObject *mutex_probe(PyObject *self, PyObject *args)
{
    int fd, e;
    const char *p;
    Py_ssize_t n, r;
    (void)self;
    if (!PyArg_ParseTuple(args, "iy#", &fd, &p, &n))
        return NULL;
    PyErr_SetString(PyExc_KeyError, "pending");
    errno = 77;
    r = send(fd, p, (size_t)n, MSG_NOSIGNAL);
    e = errno;
    int kept = PyErr_Occurred() == PyExc_KeyError;
    PyErr_Clear();
    return Py_BuildValue("nii", r, e, kept);
}

static PyMethodDef methods[] = {{"send", mutex_send, METH_VARARGS, NULL},
                                {"touch", mutex_touch, METH_NOARGS, NULL},
                                {"probe", mutex_probe, METH_VARARGS, NULL},
                                {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "mutex", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_mutex(void)
{
    return PyModule_Create(&module);
}
