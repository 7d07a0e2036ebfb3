/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tracebaton.h: for programs whose own scheduler carries work from thread to
 * thread, or from fiber to fiber: six lines make the carrying exact.
 *
 *   when a job is made:         job->trace = tracebaton_capture();
 *   around the job's work:      tracebaton_scope s = tracebaton_enter(job->trace);
 *                               ... requests made here carry its headers ...
 *                               tracebaton_leave(s);
 *   when the job is freed:      tracebaton_release(job->trace);
 *
 * Nothing is to be linked. Without libtracebaton.so preloaded every function does
 * nothing and returns 0: the references are weak. (In a program that is linked
 * statically they stay so for good.) C11 and C++11, gcc or clang.
 *
 * A context is a number. It is valid until it is released, in this process and in
 * its fork children, also when its request has been answered: work that goes on
 * after the answer belongs to it. A number that is not valid any more is
 * recognised, and does as 0 does. Contexts are immutable and may be used by any
 * number of threads at once.
 *
 * All functions may be called from any thread. In a signal handler enter, leave,
 * header and release may be called; capture gives 0 there if it interrupted
 * tracebaton itself. errno is kept.
 */
#ifndef TRACEBATON_H
#define TRACEBATON_H

#include <stddef.h>
#include <stdint.h>

#define TB_VERSION "0.1.0"

#ifdef __cplusplus
extern "C" {
#endif

/** What a request carried; 0: nothing, or nothing certain. */
typedef uint64_t tracebaton_context;

/** What a thread had entered before. */
typedef uint64_t tracebaton_scope;

#define TRACEBATON_WEAK __attribute__((weak, visibility("default")))
TRACEBATON_WEAK uint64_t tracebaton_1_capture(void);
TRACEBATON_WEAK uint64_t tracebaton_1_capture_fd(int fd);
TRACEBATON_WEAK void tracebaton_1_release(uint64_t context);
TRACEBATON_WEAK uint64_t tracebaton_1_enter(uint64_t context);
TRACEBATON_WEAK void tracebaton_1_leave(uint64_t former);
TRACEBATON_WEAK size_t tracebaton_1_header(uint64_t context, const char *name, char *value,
                                           size_t size);
TRACEBATON_WEAK const char *tracebaton_1_version(void);

/** The context of the work that the calling thread does now: what it has entered, or what
 * tracebaton is certain of. To be released. */
static inline tracebaton_context tracebaton_capture(void)
{
    return tracebaton_1_capture ? tracebaton_1_capture() : 0;
}

/** The context of the request that is open on an inbound connection: its head has been read, its
 *  answer has not been written. For event loops and fibers, which know their connection. To be
 *  released. */
static inline tracebaton_context tracebaton_capture_fd(int fd)
{
    return tracebaton_1_capture_fd ? tracebaton_1_capture_fd(fd) : 0;
}

/** Give back what capture gave. */
static inline void tracebaton_release(tracebaton_context context)
{
    if (tracebaton_1_release)
        tracebaton_1_release(context);
}

/** From here on the calling thread works for this context; for none at all if it is 0: then its
 *  requests get nothing, whatever tracebaton would have inferred. The context must not be released
 *  before the thread leaves (if it is, the requests get nothing). Scopes nest. */
static inline tracebaton_scope tracebaton_enter(tracebaton_context context)
{
    return tracebaton_1_enter ? tracebaton_1_enter(context) : 0;
}

/** Back to what it was before. */
static inline void tracebaton_leave(tracebaton_scope former)
{
    if (tracebaton_1_leave)
        tracebaton_1_leave(former);
}

/** The value of a header of the context, terminated; lines of one name are joined by a comma.
 *  @param name  whatever the case
 *  @return its length; 0: there is none, or it does not fit size */
static inline size_t tracebaton_header(tracebaton_context context, const char *name, char *value,
                                       size_t size)
{
    return tracebaton_1_header ? tracebaton_1_header(context, name, value, size) : 0;
}

/** The version that is preloaded; NULL: none is. */
static inline const char *tracebaton_version(void)
{
    return tracebaton_1_version ? tracebaton_1_version() : NULL;
}

#ifdef __cplusplus
}
#endif

#endif
