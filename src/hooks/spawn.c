/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spawn: children. A fork child is told in its own memory what was current in
 * its parent; a program is told by its environment, which is copied to the stack
 * of the exec call with our variables replaced: no malloc, and safe in a vfork
 * child, which runs on its parent's memory. The program's own array of strings is
 * never written to.
 *
 * system() and popen() start their shell inside libc, with the process's own
 * environment; see child.h for how that one is told.
 */
#include "hooks/real.h"

#include <alloca.h>
#include <stdarg.h>

#include "engine/child.h"
#include "sys/arena.h"
#include "sys/env.h"
#include "sys/guard.h"
#include "sys/next.h"
#include "sys/probe.h"

#define NEAR 512 /* variables that are copied to the stack; more of them to pages of their own */

/* --- the environment of a program ----------------------------------------------------------- */

/* The program's pointers are the kernel's to refuse (EFAULT): what cannot be read is not ours. */
static bool same_name(const char *var, const char *name)
{
    for (size_t i = 0;; i++) {
        if ((i == 0 || ((uintptr_t)(var + i) & 4095) == 0) && !probe_readable(var + i))
            return false;
        if (name[i] == 0 || name[i] == '=')
            return var[i] == '=';
        if (var[i] != name[i])
            return false;
    }
}

/* What the program itself says to the child stays (rule `app`); our own variable never does. */
static bool replaced(const char *var, const struct child_env *e)
{
    if (same_name(var, CHILD_VARIABLE))
        return true;
    for (unsigned i = 0; i < e->n; i++)
        if (same_name(var, e->var[i]) && child_is_stale(var))
            return true;
    return false;
}

static bool among(char *const *envp, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (same_name(envp[i], name))
            return true;
    return false;
}

/* How many there are; UNREADABLE: the array is not the program's to read. */
#define UNREADABLE SIZE_MAX

static size_t length(char *const *envp)
{
    size_t n = 0;
    for (; envp; n++) {
        if ((n == 0 || ((uintptr_t)&envp[n] & 4095) == 0) && !probe_readable(&envp[n]))
            return UNREADABLE;
        if (!envp[n])
            break;
    }
    return n;
}

/* to has room for all of envp, ours, and the end. */
static void merge(const char **to, char *const *envp, size_t n, const struct child_env *e)
{
    size_t at = 0;
    for (size_t i = 0; i < n; i++)
        if (!replaced(envp[i], e))
            to[at++] = envp[i];
    size_t theirs = at;
    for (unsigned i = 0; i < e->n; i++)
        if (!among((char *const *)to, theirs, e->var[i]))
            to[at++] = e->var[i];
    to[at] = NULL;
}

static bool has_ours(char *const *envp, size_t n)
{
    return among(envp, n, CHILD_VARIABLE);
}

/* ... by OpenTelemetry's variables, which belong together. */
static bool says_itself(char *const *envp, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (same_name(envp[i], "TRACEPARENT"))
            return !child_is_stale(envp[i]);
    return false;
}

/* One exec, with the environment it is to have. */
struct exec {
    int (*run)(const struct exec *x, char *const *envp);
    pid_t *pid;
    int dir, flags;
    const char *path;
    const void *actions, *attr;
    char *const *argv;
    char *const *envp;
};

static int with_copy(const struct exec *x, const struct child_env *e, size_t n)
{
    size_t bytes = (n + 5) * sizeof(char *);
    const char **to = n <= NEAR ? alloca(bytes) : arena_map(bytes);
    if (!to)
        return x->run(x, x->envp);
    merge(to, x->envp, n, e);
    int r = x->run(x, (char *const *)to);
    if (n > NEAR) {
        int saved = tb_errno_get();
        arena_unmap(to, bytes);
        tb_errno_set(saved);
    }
    return r;
}

static COLD int execute(const struct exec *x, const void *caller)
{
    struct child_env e;
    int saved = tb_errno_get();
    tb_guard.caller = caller;
    enum child_exec what = child_env(&e);
    tb_errno_set(saved);
    if (what == CHILD_AS_IT_IS)
        return x->run(x, x->envp);
    size_t n = length(x->envp);
    if (e.n > 1 && n != UNREADABLE && says_itself(x->envp, n))
        e.n = 1;
    if (n == UNREADABLE || (what == CHILD_WITHOUT && !has_ours(x->envp, n)))
        return x->run(x, x->envp);
    return with_copy(x, &e, n);
}

static int run_execve(const struct exec *x, char *const *envp)
{
    return REAL(execve)(x->path, x->argv, envp);
}
static int run_execvpe(const struct exec *x, char *const *envp)
{
    return REAL(execvpe)(x->path, x->argv, envp);
}
static int run_fexecve(const struct exec *x, char *const *envp)
{
    return REAL(fexecve)(x->dir, x->argv, envp);
}
static int run_execveat(const struct exec *x, char *const *envp)
{
    return REAL(execveat)(x->dir, x->path, x->argv, envp, x->flags);
}
static int run_spawn(const struct exec *x, char *const *envp)
{
    return REAL(posix_spawn)(x->pid, x->path, x->actions, x->attr, x->argv, envp);
}
static int run_spawnp(const struct exec *x, char *const *envp)
{
    return REAL(posix_spawnp)(x->pid, x->path, x->actions, x->attr, x->argv, envp);
}

int hook_execve(const char *path, char *const *argv, char *const *envp)
{
    struct exec x = {.run = run_execve, .path = path, .argv = argv, .envp = envp};
    return execute(&x, __builtin_return_address(0));
}

int hook_execv(const char *path, char *const *argv)
{
    struct exec x = {.run = run_execve, .path = path, .argv = argv, .envp = env_all()};
    return execute(&x, __builtin_return_address(0));
}

int hook_execvpe(const char *file, char *const *argv, char *const *envp)
{
    struct exec x = {.run = run_execvpe, .path = file, .argv = argv, .envp = envp};
    return execute(&x, __builtin_return_address(0));
}

int hook_execvp(const char *file, char *const *argv)
{
    struct exec x = {.run = run_execvpe, .path = file, .argv = argv, .envp = env_all()};
    return execute(&x, __builtin_return_address(0));
}

int hook_fexecve(int fd, char *const *argv, char *const *envp)
{
    struct exec x = {.run = run_fexecve, .dir = fd, .argv = argv, .envp = envp};
    return execute(&x, __builtin_return_address(0));
}

int hook_execveat(int dir, const char *path, char *const *argv, char *const *envp, int flags)
{
    struct exec x = {
        .run = run_execveat, .dir = dir, .path = path, .argv = argv, .envp = envp, .flags = flags};
    return execute(&x, __builtin_return_address(0));
}

/* The arguments of the execl family, in an array on the caller's stack. */
#define COLLECT(ap, first, argv)                                                                   \
    size_t argc_ = 1;                                                                              \
    va_start(ap, first);                                                                           \
    while ((first) && va_arg(ap, char *))                                                          \
        argc_++;                                                                                   \
    va_end(ap);                                                                                    \
    char **argv = alloca((argc_ + 1) * sizeof(char *));                                            \
    va_start(ap, first);                                                                           \
    argv[0] = (char *)(uintptr_t)(first);                                                          \
    for (size_t i_ = 1; (first) && i_ <= argc_; i_++)                                              \
        argv[i_] = va_arg(ap, char *);                                                             \
    argv[argc_] = NULL

int hook_execl(const char *path, const char *arg, ...)
{
    va_list ap;
    COLLECT(ap, arg, argv);
    va_end(ap);
    struct exec x = {.run = run_execve, .path = path, .argv = argv, .envp = env_all()};
    return execute(&x, __builtin_return_address(0));
}

int hook_execlp(const char *file, const char *arg, ...)
{
    va_list ap;
    COLLECT(ap, arg, argv);
    va_end(ap);
    struct exec x = {.run = run_execvpe, .path = file, .argv = argv, .envp = env_all()};
    return execute(&x, __builtin_return_address(0));
}

int hook_execle(const char *path, const char *arg, ...)
{
    va_list ap;
    COLLECT(ap, arg, argv);
    char *const *envp = va_arg(ap, char *const *);
    va_end(ap);
    struct exec x = {.run = run_execve, .path = path, .argv = argv, .envp = envp};
    return execute(&x, __builtin_return_address(0));
}

int hook_posix_spawn(pid_t *pid, const char *path, const void *actions, const void *attr,
                     char *const *argv, char *const *envp)
{
    struct exec x = {.run = run_spawn,
                     .pid = pid,
                     .path = path,
                     .actions = actions,
                     .attr = attr,
                     .argv = argv,
                     .envp = envp};
    return execute(&x, __builtin_return_address(0));
}

int hook_posix_spawnp(pid_t *pid, const char *file, const void *actions, const void *attr,
                      char *const *argv, char *const *envp)
{
    struct exec x = {.run = run_spawnp,
                     .pid = pid,
                     .path = file,
                     .actions = actions,
                     .attr = attr,
                     .argv = argv,
                     .envp = envp};
    return execute(&x, __builtin_return_address(0));
}

/* --- forks ---------------------------------------------------------------------------------- */

pid_t hook_fork(void)
{
    int saved = tb_errno_get();
    tb_guard.caller = __builtin_return_address(0);
    uint64_t current = engine_capture(-1);
    tb_errno_set(saved);
    pid_t pid = REAL(fork)();
    saved = tb_errno_get();
    if (pid == 0)
        engine_forked(current);
    else if (current)
        engine_uncapture(current);
    tb_errno_set(saved);
    return pid;
}

/* The leader of a new session is a daemon: it works for nobody's request. */
pid_t hook_setsid(void)
{
    pid_t r = REAL(setsid)();
    int saved = tb_errno_get();
    if (r > 0)
        child_left();
    tb_errno_set(saved);
    return r;
}

int hook_daemon(int nochdir, int noclose)
{
    int r = REAL(daemon)(nochdir, noclose);
    int saved = tb_errno_get();
    if (r == 0)
        child_left();
    tb_errno_set(saved);
    return r;
}

/* --- shells that libc starts ---------------------------------------------------------------- */

#define TIMES 16 /* that a program may throw the variable out, and it is put back */

/* The environment with the variable in place of any of that name, in an array of our own: putenv()
 * may move the array that another thread is just reading. The old one stays what it is. */
static bool put(const char *variable, char *const *envp, size_t n)
{
    static uint32_t times;
    const char **to = NULL;
    if (n != UNREADABLE && __atomic_fetch_add(&times, 1, __ATOMIC_RELAXED) < TIMES)
        to = arena_map((n + 2) * sizeof(*to));
    if (!to)
        return false;
    size_t at = 0;
    to[at++] = variable;
    for (size_t i = 0; i < n; i++)
        if (!same_name(envp[i], CHILD_VARIABLE))
            to[at++] = envp[i];
    char **old = (char **)(uintptr_t)envp;
    return __atomic_compare_exchange_n(env_place(), &old, (char **)(uintptr_t)to, 0,
                                       __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* The variable has to be in the environment once; the program may have thrown it out since. */
static bool is_there(const char *variable)
{
    char *const *envp = env_all();
    size_t n = length(envp);
    for (size_t i = 0; n != UNREADABLE && i < n; i++)
        if (envp[i] == variable)
            return true;
    return envp && put(variable, envp, n);
}

static void *place(const void *caller)
{
    char *variable;
    int saved = tb_errno_get();
    tb_guard.caller = caller;
    void *p = child_place(&variable);
    if (!p && variable && env_get(CHILD_VARIABLE)) /* what is there is not for this child */
        is_there(variable);
    if (p && !is_there(variable)) {
        child_unplace(p);
        p = NULL;
    }
    tb_errno_set(saved);
    return p;
}

int hook_system(const char *command)
{
    void *p = command ? place(__builtin_return_address(0)) : NULL;
    int r = REAL(system)(command);
    if (p)
        child_unplace(p);
    return r;
}

void *hook_popen(const char *command, const char *mode)
{
    void *p = place(__builtin_return_address(0));
    void *r = REAL(popen)(command, mode);
    if (p)
        child_unplace(p);
    return r;
}
