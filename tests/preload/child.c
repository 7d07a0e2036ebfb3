/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child: what a process carries that was started inside an exchange, by every way
 * there is to start one; and what ends it. The program is its own child: with
 * `call` it makes one outbound request on a socket pair and prints what left.
 */
#include "raw.h"

#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/wait.h>

static const char *self;
extern char **environ;

/* --- the child's side ----------------------------------------------------------------------- */

/* One outbound request; its bytes. */
static void call(char *seen, size_t cap)
{
    static const char head[] = "GET /out HTTP/1.1\r\nHost: svc\r\n\r\n";
    int fd[2];
    pair(fd);
    need(write(fd[0], head, sizeof(head) - 1) == sizeof(head) - 1, "outbound write");
    long n = raw_drain(fd[1], seen, cap - 1);
    seen[n > 0 ? n : 0] = 0;
    close(fd[0]);
    raw_close(fd[1]);
}

#define WORK 9 /* the number that a program is given work by */

static int child_main(const char *how)
{
    char seen[65536];
    int fd[2];
    if (strcmp(how, "serve-first") == 0) { /* it takes to inbound work of its own */
        serve(fd, "");
        finish(fd);
    } else if (strcmp(how, "listen-first") == 0) {
        int s = socket(AF_UNIX, SOCK_STREAM, 0);
        listen(s, 1);
    }
    if (strcmp(how, "work") == 0)
        need(read(WORK, seen, sizeof(seen)) == 3, "work");
    if (strcmp(how, "input") == 0)
        need(read(WORK, seen, sizeof(seen)) == 3 && read(WORK, seen, 1) == 0, "input");
    if (strcmp(how, "exec-again") == 0) {
        execl(self, self, "call", NULL);
        return 1;
    }
    call(seen, sizeof(seen));
    raw_write(1, seen, strlen(seen));
    return 0;
}

/* --- the parent's side ---------------------------------------------------------------------- */

typedef void start_fn(const char *how, int out);

static char *const *args(const char *how)
{
    static __thread char *argv[3];
    argv[0] = (char *)self;
    argv[1] = (char *)how;
    return argv;
}

static void by_fork(const char *how, int out)
{
    pid_t pid = fork();
    if (pid == 0) {
        dup2(out, 1);
        _exit(child_main(how));
    }
    waitpid(pid, NULL, 0);
}

#define FORK_AND(name, statement)                                                                  \
    static void name(const char *how, int out)                                                     \
    {                                                                                              \
        pid_t pid = fork();                                                                        \
        if (pid == 0) {                                                                            \
            dup2(out, 1);                                                                          \
            statement;                                                                             \
            _exit(127);                                                                            \
        }                                                                                          \
        waitpid(pid, NULL, 0);                                                                     \
    }

FORK_AND(by_execve, execve(self, args(how), environ))
FORK_AND(by_execv, execv(self, args(how)))
FORK_AND(by_execvp, execvp(self, args(how)))
FORK_AND(by_execvpe, execvpe(self, args(how), environ))
FORK_AND(by_execl, execl(self, self, how, NULL))
FORK_AND(by_execlp, execlp(self, self, how, NULL))
FORK_AND(by_execle, execle(self, self, how, NULL, environ))
FORK_AND(by_fexecve, fexecve(open(self, O_RDONLY | O_CLOEXEC), args(how), environ))
FORK_AND(by_daemon_fork, (setsid(), _exit(child_main(how))))

/* A process that is given its work by its parent: until the end of the pipe it may be a pool's. */
enum { MORE_TO_COME = 1, SPEAKS_FIRST = 2, OTHER_PIPE = 4, FORKS_AGAIN = 8 };

static void given_work(const char *how, int out, int kind)
{
    char text[16];
    int fd[2], other[2];
    int before = open("/dev/null", O_RDONLY);
    need(read(before, text, 1) == 0 && close(before) == 0, "the number of a file is used again");
    need((kind & SPEAKS_FIRST ? socketpair(AF_UNIX, SOCK_STREAM, 0, fd) : pipe(fd)) == 0, "pipe");
    need(pipe(other) == 0, "pipe");
    pid_t pid = fork();
    if (pid == 0) {
        raw_close(fd[1]), raw_close(other[1]);
        if (kind & SPEAKS_FIRST)
            need(write(fd[0], "ready", 5) == 5, "ready");
        need(read(fd[0], text, sizeof(text)) == 3, "work");
        if (!(kind & MORE_TO_COME))
            need(read(fd[0], text, sizeof(text)) == 0, "end");
        if (kind & OTHER_PIPE)
            need(read(other[0], text, sizeof(text)) == 3 && read(other[0], text, 1) == 0, "other");
        dup2(out, 1);
        if (kind & FORKS_AGAIN)
            by_fork(how, out);
        else
            child_main(how);
        _exit(0);
    }
    if (kind & SPEAKS_FIRST)
        need(raw_read(fd[1], text, sizeof(text)) == 5, "ready");
    need(raw_write(fd[1], "job", 3) == 3 && raw_write(other[1], "job", 3) == 3, "job");
    raw_close(other[1]);
    if (!(kind & MORE_TO_COME))
        raw_close(fd[1]);
    waitpid(pid, NULL, 0);
    raw_close(fd[0]), raw_close(fd[1]), raw_close(other[0]);
}

/* As multiprocessing's "spawn" does it. */
static void given_work_by_exec(const char *how, int out)
{
    int fd[2];
    need(pipe2(fd, O_CLOEXEC) == 0, "pipe");
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fd[0], WORK);
        dup2(out, 1);
        execv(self, args(how));
        _exit(127);
    }
    need(raw_write(fd[1], "job", 3) == 3, "job");
    if (strcmp(how, "input") == 0)
        raw_close(fd[1]);
    waitpid(pid, NULL, 0);
    raw_close(fd[0]), raw_close(fd[1]);
}

#define GIVEN(name, kind)                                                                          \
    static void name(const char *how, int out)                                                     \
    {                                                                                              \
        given_work(how, out, kind);                                                                \
    }
GIVEN(by_input, 0)
GIVEN(by_input_spoken, SPEAKS_FIRST)
GIVEN(by_pool, MORE_TO_COME)
GIVEN(by_pool_spoken, MORE_TO_COME | SPEAKS_FIRST)
GIVEN(by_pool_two, MORE_TO_COME | OTHER_PIPE)
GIVEN(by_pool_forks, MORE_TO_COME | FORKS_AGAIN)

static void by_vfork(const char *how, int out)
{
    char *const *argv = args(how);
    pid_t pid = vfork();
    if (pid == 0) {
        dup2(out, 1);
        execve(self, argv, environ);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
}

/* As Python's subprocess does it: what the exchange was read from is closed in the child. */
static void by_vfork_closing(const char *how, int out)
{
    char *const *argv = args(how);
    pid_t pid = vfork();
    if (pid == 0) {
        dup2(out, 1);
        close_range(3, ~0u, 0);
        execve(self, argv, environ);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
}

static void by_session(const char *how, int out)
{
    char *const *argv = args(how);
    pid_t pid = vfork();
    if (pid == 0) {
        dup2(out, 1);
        setsid();
        execve(self, argv, environ);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
}

static void spawn_with(const char *how, int out,
                       int (*spawn)(pid_t *, const char *, const posix_spawn_file_actions_t *,
                                    const posix_spawnattr_t *, char *const *, char *const *))
{
    pid_t pid;
    posix_spawn_file_actions_t a;
    posix_spawn_file_actions_init(&a);
    posix_spawn_file_actions_adddup2(&a, out, 1);
    if (spawn(&pid, self, &a, NULL, args(how), environ) == 0)
        waitpid(pid, NULL, 0);
    posix_spawn_file_actions_destroy(&a);
}

static void by_posix_spawn(const char *how, int out)
{
    spawn_with(how, out, posix_spawn);
}

static void by_posix_spawnp(const char *how, int out)
{
    spawn_with(how, out, posix_spawnp);
}

static void by_system(const char *how, int out)
{
    char command[512];
    snprintf(command, sizeof(command), "%s %s >/dev/fd/%d", self, how, out);
    need(system(command) == 0, "system");
}

/* The shell stays and forks. */
static void by_shell(const char *how, int out)
{
    char command[512];
    snprintf(command, sizeof(command), "%s %s >/dev/fd/%d; true", self, how, out);
    need(system(command) == 0, "system");
}

/* It forks, too, and reads a pipe that it made before; all of it is for one exchange. */
static void by_shell_loop(const char *how, int out)
{
    char command[512];
    snprintf(command, sizeof(command),
             "{ echo a; sleep 1; } | while read -r x; do %s %s >/dev/fd/%d; done; true", self, how,
             out);
    need(system(command) == 0, "system");
}

static void by_popen(const char *how, int out)
{
    char command[512], buf[4096];
    snprintf(command, sizeof(command), "%s %s", self, how);
    FILE *f = popen(command, "r");
    need(f != NULL, "popen");
    for (size_t n; (n = fread(buf, 1, sizeof(buf), f)) > 0;)
        raw_write(out, buf, n);
    pclose(f);
}

static const struct {
    const char *name;
    start_fn *start;
} ways[] = {{"fork", by_fork},
            {"execve", by_execve},
            {"execv", by_execv},
            {"execvp", by_execvp},
            {"execvpe", by_execvpe},
            {"execl", by_execl},
            {"execlp", by_execlp},
            {"execle", by_execle},
            {"fexecve", by_fexecve},
            {"vfork", by_vfork},
            {"vfork-closing", by_vfork_closing},
            {"posix_spawn", by_posix_spawn},
            {"posix_spawnp", by_posix_spawnp},
            {"system", by_system},
            {"shell", by_shell},
            {"popen", by_popen}};

/* Under a sanitizer the library is linked, not preloaded: a shell in between is without it. */
#define WAYS (sizeof(ways) / sizeof(ways[0]) - (getenv("SANITIZED") ? 3 : 0))

/* Start a child and collect what it says. */
static void start(start_fn *how_started, const char *how, char *seen, size_t cap)
{
    int p[2];
    size_t at = 0;
    need(pipe(p) == 0, "pipe");
    fcntl(p[0], F_SETFD, FD_CLOEXEC);
    how_started(how, p[1]);
    raw_close(p[1]);
    for (long n; at + 1 < cap && (n = raw_read(p[0], seen + at, cap - 1 - at)) > 0;)
        at += (size_t)n;
    seen[at] = 0;
    raw_close(p[0]);
}

/* @return NULL, or what is wrong */
static const char *judge(const char *seen, const char *want)
{
    char line[256];
    const char *got = strstr(seen, "x-request-id: ");
    if (!strstr(seen, "GET /out"))
        return "the child made no call";
    if (!want)
        return got ? "a context where there should be none" : NULL;
    snprintf(line, sizeof(line), "x-request-id: %s\r\n", want);
    return !got ? "no context" : strncmp(got, line, strlen(line)) ? "another context" : NULL;
}

static void expect(const char *name, start_fn *started, const char *how, const char *want)
{
    char seen[65536];
    start(started, how, seen, sizeof(seen));
    result(name, judge(seen, want));
}

static void every_way(const char *suffix, const char *how, const char *want)
{
    char name[64];
    for (size_t i = 0; i < WAYS; i++) {
        snprintf(name, sizeof(name), "child-%s%s", ways[i].name, suffix);
        expect(name, ways[i].start, how, want);
    }
}

/* Threads that each serve an exchange of their own and start children meanwhile. */
#define THREADS 14
#define ROUNDS  12

static unsigned wrong, missing, right;

static void *serving_thread(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        int fd[2];
        char id[32], header[64], seen[65536];
        snprintf(id, sizeof(id), "t%d-%d", (int)(intptr_t)arg, i);
        snprintf(header, sizeof(header), "x-request-id: %s\r\n", id);
        serve(fd, header);
        start(ways[(i + (intptr_t)arg) % WAYS].start, "call", seen, sizeof(seen));
        const char *why = judge(seen, id);
        __atomic_add_fetch(!why                             ? &right
                           : strcmp(why, "no context") == 0 ? &missing
                                                            : &wrong,
                           1, __ATOMIC_RELAXED);
        finish(fd);
    }
    return NULL;
}

static void concurrently(void)
{
    pthread_t t[THREADS];
    char why[128];
    for (intptr_t i = 0; i < THREADS; i++)
        pthread_create(&t[i], NULL, serving_thread, (void *)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    snprintf(why, sizeof(why), "right %u wrong %u missing %u", right, wrong, missing);
    result("child-threads-none-wrong", wrong ? why : NULL);
    result("child-threads-all-right", right == THREADS * ROUNDS ? NULL : why);
}

static void many_variables(void)
{
    char name[32];
    int fd[2];
    for (int i = 0; i < 700; i++) {
        snprintf(name, sizeof(name), "TB_MANY_%d", i);
        setenv(name, "x", 1);
    }
    serve(fd, "x-request-id: many\r\n");
    expect("child-with-700-variables", by_execve, "call", "many");
    expect("child-vfork-with-700-variables", by_vfork, "call", "many");
    finish(fd);
    expect("child-stale-with-700-variables", by_vfork, "call", NULL);
    for (int i = 0; i < 700; i++) {
        snprintf(name, sizeof(name), "TB_MANY_%d", i);
        unsetenv(name);
    }
}

/* A program that was itself given a context and then served others must not pass on the old one. */
static void stale_variable(void)
{
    int fd[2];
    setenv("TRACEBATON_CONTEXT", "x-request-id: old", 1);
    every_way("-stale", "call", NULL);
    serve(fd, "x-request-id: new\r\n");
    every_way("-replaced", "call", "new");
    finish(fd);
    unsetenv("TRACEBATON_CONTEXT");
}

static const char *environment_of_others(void)
{
    char seen[65536];
    start(by_execve, "call", seen, sizeof(seen));
    return judge(seen, NULL);
}

static void hostile(void)
{
    static const char *const values[] = {"x-request-id: a\r\nevil: 1",
                                         "x-request-id: a\nevil: 1",
                                         "x-request-id",
                                         ": a",
                                         "@",
                                         "@1 0 x-request-id: a",
                                         "x-request-id:a",
                                         "|||",
                                         "%",
                                         "x-request-id: a%0D%0Aevil: 1",
                                         "evil: 1|host: x",
                                         "transfer-encoding: chunked",
                                         "content-length: 7|x: y",
                                         "x-request-id: \x01\x02",
                                         "GET / HTTP/1.1"};
    char seen[65536], name[64], *const argv[] = {(char *)self, "call", NULL};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char var[256], preload[4096];
        int p[2];
        snprintf(var, sizeof(var), "TRACEBATON_CONTEXT=%s", values[i]);
        snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", getenv("LD_PRELOAD"));
        char *const envp[] = {preload, var, NULL};
        need(pipe(p) == 0, "pipe");
        pid_t pid = fork();
        if (pid == 0) {
            dup2(p[1], 1);
            raw3(SYS_execve, (long)self, (long)argv, (long)envp);
            _exit(127);
        }
        raw_close(p[1]);
        long n = 0, got;
        while ((got = raw_read(p[0], seen + n, sizeof(seen) - 1 - (size_t)n)) > 0)
            n += got;
        seen[n] = 0;
        raw_close(p[0]);
        waitpid(pid, NULL, 0);
        snprintf(name, sizeof(name), "child-hostile-%zu", i);
        result(name,
               strstr(seen, "evil") || strstr(seen, "chunked") || strstr(seen, "content-length")
                   ? "it was believed"
               : strstr(seen, "GET /out") ? NULL
                                          : "the child made no call");
    }
}

/* TRACEBATON_ENV=otel, and off: in a process of its own, which was started with that. */
static int mode_main(const char *mode)
{
    int fd[2];
    char seen[8192];
    serve(fd, "x-request-id: r\r\ntraceparent: "
              "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01\r\n"
              "tracestate: a=b\r\nbaggage: k=v\r\n");
    if (strcmp(mode, "otel-mode") == 0) {
        start(by_system, "env", seen, sizeof(seen));
        start(by_execve, "env", seen, sizeof(seen));
        result(
            "child-otel-variables",
            strstr(seen, "TRACEPARENT=00-0123456789abcdef0123456789abcdef-0123456789abcdef-01\n") &&
                    strstr(seen, "TRACESTATE=a=b\n") && strstr(seen, "BAGGAGE=k=v\n")
                ? NULL
                : "not there");
        setenv("TRACEPARENT", "00-11111111111111111111111111111111-2222222222222222-01", 1);
        start(by_execve, "env", seen, sizeof(seen));
        result("child-otel-programs-own",
               strstr(seen, "TRACEPARENT=00-1111") && !strstr(seen, "TRACESTATE=") ? NULL
                                                                                   : "replaced");
    } else {
        start(by_execve, "env", seen, sizeof(seen));
        result("child-env-off", strstr(seen, "TRACEBATON_CONTEXT") ? "told" : NULL);
    }
    finish(fd);
    return failures != 0;
}

static int env_main(void)
{
    for (char **e = environ; *e; e++)
        printf("%s\n", *e);
    return 0;
}

static void modes(void)
{
    int status = system("TRACEBATON_ENV=otel /proc/$PPID/exe otel-mode");
    failures += status != 0;
    status = system("TRACEBATON_ENV=off /proc/$PPID/exe off-mode");
    failures += status != 0;
}

int main(int argc, char **argv)
{
    static char path[4096];
    int fd[2];
    need(readlink("/proc/self/exe", path, sizeof(path) - 1) > 0, "readlink");
    self = path;
    if (argc > 1 && strcmp(argv[1], "env") == 0)
        return env_main();
    if (argc > 1 && strstr(argv[1], "-mode"))
        return mode_main(argv[1]);
    if (argc > 1)
        return child_main(argv[1]);
    every_way("-outside", "call", NULL);
    serve(fd, IN_HEADERS);
    every_way("", "call", "r1");
    every_way("-and-on", "exec-again", "r1");
    every_way("-serves", "serve-first", NULL);
    every_way("-listens", "listen-first", NULL);
    expect("child-reads-its-input", by_input, "call", "r1");
    expect("child-reads-its-input-of-a-socket", by_input_spoken, "call", "r1");
    if (!getenv("SANITIZED"))
        expect("child-reads-in-a-shell", by_shell_loop, "call", "r1");
    expect("child-of-a-pool", by_pool, "call", NULL);
    expect("child-of-a-pool-execs", by_pool, "exec-again", NULL);
    expect("child-of-a-pool-speaks-first", by_pool_spoken, "call", NULL);
    expect("child-of-a-pool-reads-another", by_pool_two, "call", NULL);
    expect("child-of-a-pool-forks", by_pool_forks, "call", NULL);
    expect("child-of-a-pool-executed", given_work_by_exec, "work", NULL);
    expect("child-reads-its-input-executed", given_work_by_exec, "input", "r1");
    expect("child-daemon-fork", by_daemon_fork, "call", NULL);
    expect("child-daemon-exec", by_session, "call", NULL);
    expect("child-after-a-daemon", by_vfork, "call", "r1");
    finish(fd);
    every_way("-afterwards", "call", NULL);
    serve(fd, "");
    every_way("-empty", "call", NULL);
    finish(fd);
    result("child-nothing-left-in-the-environment", environment_of_others());
    stale_variable();
    many_variables();
    hostile();
    modes();
    concurrently();
    return failures != 0;
}
