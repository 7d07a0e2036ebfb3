/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child: rule `child`. A process that was started inside an open exchange works
 * for it, as long as it does no inbound work of its own.
 *
 *  - A fork child inherits what was certain in the forking thread at the fork.
 *  - A program that was executed is told by its environment (inlet/spawn.h).
 *    Where libc starts it with the process's own environment (system, popen), the
 *    variable has a place for each of a few threads, and the child takes the one
 *    of the thread that made it: the kernel says which that was.
 *  - A CGI script, and what it starts, has its request in the environment.
 *  - It ends, for good, when the process listens, accepts, or reads a request, or
 *    becomes the leader of a session (a daemon). It is in doubt from when it
 *    reads from a pipe or socket of its parent's until the end of that: a pool.
 *
 * A server's own children never inherit what the server once got: at every exec
 * the variable is written anew, or taken out.
 */
#ifndef TB_ENGINE_CHILD_H
#define TB_ENGINE_CHILD_H

#include "engine/policy.h"

/** What the environment says. After policy_init(). `all` is all of it (NULL: not known), for CGI.
 */
void child_start(const char *(*env)(const char *name), char *const *all);

/** The baton this process inherited, not held; 0: none, or it has work of its own. */
uint64_t child_baton(void);

/** In a fork child: take over a reference (0: none was certain). */
void child_forked(uint64_t baton);

/** The process has inbound work of its own. */
void child_independent(void);

/** The process (or the program that this vfork child is about to execute) leads a session: a daemon
 *  is nobody's work, until it reads a request. */
void child_left(void);
bool child_has_left(void);

/** The numbers that this process, which works for the exchange it was started in, may be given
 * other work by: a bit for each pipe or socket below 64 that a program was executed with; after a
 * fork in an exchange any number that the process did not make. 0: none. */
extern uint64_t child_given;
#define CHILD_GIVEN     __atomic_load_n(&child_given, __ATOMIC_RELAXED)
#define CHILD_GIVEN_ALL UINT64_MAX

/** n bytes (0: the end) were read from a number that this process did not make. Work that comes by
 * a pipe or socket of its parent's may be anybody's: the process is a worker of a pool that was
 * made inside a request (ProcessPoolExecutor, multiprocessing.Pool), and works for nobody
 * it knows. What was read to its end was its own input. */
void child_heard(int fd, size_t n);
/** Might work come that way? */
bool child_hears(int fd);

#define CHILD_VARIABLE "TRACEBATON_CONTEXT"

/** Is this variable (NAME=VALUE) of the child's environment one that this process was itself
 *  started with, and not the program's own word? */
bool child_is_stale(const char *var);

#define CHILD_TEXT 4096 /* bytes of one variable, name and terminator included */

/** What exec is to do with the variables of the environment. */
enum child_exec { CHILD_AS_IT_IS, CHILD_WITHOUT, CHILD_WITH };

/** Variables for a program that is about to be executed by the thread: NAME=VALUE, terminated. */
struct child_env {
    char text[CHILD_TEXT];
    const char *var[4]; /* CONTEXT, and with TRACEBATON_ENV=otel TRACEPARENT, TRACESTATE, BAGGAGE */
    unsigned n;
};

enum child_exec child_env(struct child_env *e);

/** A place in the process's own environment for the calling thread; NULL: none is free, or nothing
 *  is to be said. Give it back with child_unplace() when the child has been made. `variable` is
 *  what has to be in the environment (once), also where nothing is to be said and another
 *  process said something; NULL: nothing has. */
void *child_place(char **variable);
void child_unplace(void *place);

#endif
