/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault: every real call of a conversation fails in every way, and after each
 * fault, the next real call in some. Whatever happens, the wire carries a prefix
 * of the right stream (all of it, unless the program gave up), the program is told
 * nothing that it may not be told, and a fresh exchange afterwards is right.
 *
 * fault raw: without the library (the test itself is right, then).
 */
#include <dlfcn.h>
#include <signal.h>
#include <sys/wait.h>

#include "fault/conversation.h"

static struct shim *shim;
static bool raw, tcp;

/* What nothing failed in: the faults are numbered by its calls. */
struct plan {
    struct program g;
    int calls, in; /* in: the inbound connection */
    struct shim_call call[SHIM_CALLS];
    unsigned heads;
    long runs;
};

static const int send_errors[] = {EAGAIN, EINTR, ECONNRESET, EPIPE, ENOBUFS, ENOMEM};
static const int read_errors[] = {EAGAIN, EINTR, ECONNRESET, SHIM_END};

/* The far end must receive the lines of a fresh exchange. */
static bool fresh(void)
{
    char got[1024], want[1024], in[1024];
    int a[2], b[2];
    size_t n = request(in, 3);
    int m = sprintf(want, "GET /f HTTP/1.1\r\nHost: f\r\n%s\r\n", raw ? "" : lines[3]);
    connection(a, tcp, true);
    connection(b, tcp, false);
    bool ok = raw_write(a[1], in, n) == (long)n && read(a[0], got, sizeof(got)) == (long)n &&
              write(b[0], "GET /f HTTP/1.1\r\nHost: f\r\n\r\n", 28) == 28 &&
              write(a[0], answer, ANSWER) == ANSWER;
    part(a, in, sizeof(in));
    return part(b, got, sizeof(got)) == (size_t)m && memcmp(got, want, (size_t)m) == 0 && ok;
}

static const char *once(struct plan *p, struct conversation *c)
{
    p->g.wrong[0] = 0;
    p->g.gave_up = false;
    memset(shim->dead, 0, sizeof(shim->dead));
    shim->calls = 0;
    p->runs++;
    const char *why = conversation(c, &p->g, tcp);
    memset(shim->dead, 0, sizeof(shim->dead));
    return why ? why : fresh() ? NULL : "a fresh exchange afterwards is not right";
}

static bool cuts_inbound(const struct plan *p, struct fault f)
{
    const struct shim_call *c = &p->call[f.at % SHIM_CALLS];
    return f.at && c->fd == p->in && c->reads;
}

/* Whose heads get lines may depend on how the pipelined requests were read, and on the calls by
 * which the program goes on with a head; on nothing else. */
static bool same_heads(const struct plan *p, const struct conversation *c)
{
    unsigned free =
        cuts_inbound(p, shim->fault[0]) || cuts_inbound(p, shim->fault[1]) ? 3u << 6 : 0;
    if (p->g.gave_up || p->g.sender >= F_SENDFILE)
        return (c->heads & ~(p->heads | free)) == 0;
    return ((c->heads ^ p->heads) & ~free) == 0;
}

static void tell(const struct conversation *c)
{
    for (int i = 0; i < 2; i++)
        if (shim->fault[i].at)
            printf("# at real call %d: error %d, cut %ld\n", shim->fault[i].at, shim->fault[i].err,
                   shim->fault[i].cut);
    printf("# heads %x, received <<%.*s>>\n", c->heads, (int)c->wire_n, c->wire);
}

static const char *run(struct plan *p, struct fault first, struct fault second)
{
    struct conversation c;
    shim->fault[0] = first;
    shim->fault[1] = second;
    const char *why = once(p, &c);
    if (!why && !same_heads(p, &c))
        why = "lines were added to other heads than without faults";
    if (why) {
        static char kept[400];
        snprintf(kept, sizeof(kept), "%s", why);
        why = kept;
        tell(&c);
    }
    return why;
}

/* One fault, alone and followed by others. */
static const char *and_then(struct plan *p, struct fault f)
{
    static const struct fault next[] = {
        {0, 0, 1}, {0, EAGAIN, 0}, {0, EINTR, 0}, {0, ENOBUFS, 0}, {0, ECONNRESET, 0}};
    const char *why = run(p, f, (struct fault){0, 0, 0});
    size_t n =
        p->g.waits ? 2 : sizeof(next) / sizeof(next[0]); /* blocking sockets see few of them */
    for (size_t i = 0; i < n && !why; i++) {
        struct fault then = next[i];
        then.at = f.at + 1;
        why = run(p, f, then);
    }
    return why;
}

static const char *faults_at(struct plan *p, int at)
{
    const char *why = NULL;
    bool reads = p->call[at].reads;
    const int *errors = reads ? read_errors : send_errors;
    size_t n = reads ? sizeof(read_errors) : sizeof(send_errors);
    for (size_t i = 0; i < n / sizeof(int) && !why; i++)
        why = and_then(p, (struct fault){at, errors[i], 0});
    for (long cut = 1; cut < p->call[at].n && !why; cut++)
        why = and_then(p, (struct fault){at, 0, cut});
    return why;
}

/* The conversation when nothing fails; every exchange that is alone on its connection gets lines.
 */
static const char *plan(struct plan *p)
{
    struct conversation c;
    memset(shim->fault, 0, sizeof(shim->fault));
    const char *why = once(p, &c);
    p->calls = shim->calls < SHIM_CALLS ? shim->calls : SHIM_CALLS - 1;
    memcpy(p->call, shim->call, sizeof(p->call));
    p->heads = c.heads;
    p->in = p->call[1].fd;
    if (!why && (raw ? c.heads != 0 : (c.heads & 7) != 7))
        why = "lines are missing where nothing failed";
    if (why)
        tell(&c);
    return why;
}

/* @return 0: right */
static int family(int sender, int reader, bool waits)
{
    char name[160];
    struct plan p = {.g = {.sender = sender, .reader = reader, .waits = waits, .shim = shim}};
    program_begin();
    const char *why = plan(&p);
    for (int at = 1; at <= p.calls && !why; at++)
        why = faults_at(&p, at);
    int n = snprintf(name, sizeof(name), "fault %s%s-and-%s-%s-%s", raw ? "raw-" : "",
                     sender_name[sender], reader_name[reader], tcp ? "tcp" : "unix",
                     waits ? "block" : "nonblock");
    if (!why)
        snprintf(name + n, sizeof(name) - (size_t)n, " # %ld conversations of %d real calls",
                 p.runs, p.calls);
    result(name, why);
    return why != NULL;
}

/* In a process of its own: what the library learns of a program is for the life of it. */
static void apart(int sender, int reader, bool waits)
{
    int status = 0;
    fflush(stdout);
    pid_t p = fork();
    if (p == 0) {
        alarm(100);
        exit(family(sender, reader, waits));
    }
    waitpid(p, &status, 0);
    failures += status != 0;
    if (WIFSIGNALED(status))
        printf("not ok fault %s-and-%s: killed by signal %d\n", sender_name[sender],
               reader_name[reader], WTERMSIG(status));
}

int main(int argc, char **argv)
{
    raw = argc > 1 && strcmp(argv[1], "raw") == 0;
    signal(SIGPIPE, SIG_IGN);
    shim = dlsym(RTLD_DEFAULT, "shim");
    if (!shim)
        return puts("not ok fault: the shim is not preloaded"), 1;
    for (int i = 0; i < SENDERS; i += raw ? 3 : 1)
        for (int waits = 0; waits <= !raw; waits++)
            apart(i, i % READERS, waits);
    tcp = true;
    for (int i = 0; i < SENDERS && !raw; i += 4)
        apart(i, (i + 3) % READERS, i % 8 == 0);
    return failures != 0;
}
