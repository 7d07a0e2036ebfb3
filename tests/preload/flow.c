/* SPDX-License-Identifier: Apache-2.0 */
/* flow: whose work is it? Each case says what the outbound request must carry. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/wait.h>

#include "raw.h"

static const char call[] = "GET /out HTTP/1.1\r\nHost: next\r\n\r\n";
static const char line1[] = "x-request-id: r1\r\n", line2[] = "x-request-id: r2\r\n";

/* Send a request on the pair; @return what arrived, in a static buffer. */
static const char *sent(int fd[2], const char *request)
{
    static char got[65536];
    size_t n = strlen(request);
    need(write(fd[0], request, n) == (ssize_t)n, "write");
    long len = raw_drain(fd[1], got, sizeof(got) - 1);
    got[len < 0 ? 0 : len] = 0;
    return got;
}

/* What must have arrived: the request with `added` before its empty line. */
static const char *differs(const char *got, const char *request, const char *added)
{
    static char want[65536];
    const char *end = strstr(request, "\r\n\r\n");
    snprintf(want, sizeof(want), "%.*s\r\n%s\r\n%s", (int)(end - request), request, added, end + 4);
    if (strcmp(got, want) == 0)
        return NULL;
    printf("# got <<%s>>\n", got);
    return "other bytes than expected";
}

static void expect(const char *name, int fd[2], const char *request, const char *added)
{
    result(name, differs(sent(fd, request), request, added));
}

static void fresh(const char *name, const char *request, const char *added)
{
    int fd[2];
    pair(fd);
    expect(name, fd, request, added);
    close(fd[0]);
    raw_close(fd[1]);
}

static void feed(int fd[2], const char *bytes)
{
    char buf[65536];
    long n = (long)strlen(bytes);
    need(raw_write(fd[1], bytes, (size_t)n) == n, "feed");
    need(read(fd[0], buf, sizeof(buf)) == n, "read");
}

static void basics(void)
{
    int in[2], pooled[2];
    pair(pooled);
    fresh("no-inbound-nothing", call, "");
    serve(in, line1);
    fresh("thread-rule", call, line1);
    expect("pooled-connection", pooled, call, line1);
    finish(in);
    fresh("nothing-after-the-response", call, "");
    expect("nothing-after-the-response-pooled", pooled, call, "");
    serve(in, line2);
    expect("pooled-gets-the-current-one", pooled, call, line2);
    finish(in);
    serve(in, "");
    expect("a-request-without-headers-is-empty", pooled, call, "");
    finish(in);
    serve(in, line1);
    close(in[0]);
    expect("nothing-after-close", pooled, call, "");
    raw_close(in[1]);
    serve(in, line1);
    raw_close(in[0]);
    expect("nothing-after-a-close-nobody-saw", pooled, call, "");
    raw_close(in[1]);
}

static void responses(void)
{
    int in[2], out[2];
    char name[64];
    static const char *const whole[] = {
        "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nt: 1\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"};
    static const char *const part[] = {
        "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\n\r\nuntil close",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"};
    for (int i = 0; i < 4; i++) {
        pair(out);
        serve(in, line1);
        need(write(in[0], whole[i], strlen(whole[i])) > 0, "answer");
        snprintf(name, sizeof(name), "complete-response-%d-ends-it", i);
        expect(name, out, call, "");
        close(in[0]), raw_close(in[1]), close(out[0]), raw_close(out[1]);
        pair(out);
        serve(in, line1);
        need(write(in[0], part[i], strlen(part[i])) > 0, "answer");
        snprintf(name, sizeof(name), "partial-response-%d-does-not", i);
        expect(name, out, call, line1);
        close(in[0]), raw_close(in[1]), close(out[0]), raw_close(out[1]);
    }
    pair(in);
    pair(out);
    feed(in, "HEAD / HTTP/1.1\r\nx-request-id: r1\r\n\r\n");
    need(write(in[0], "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 38) > 0, "answer");
    expect("answer-to-HEAD-has-no-body", out, call, "");
    feed(in, "GET / HTTP/1.1\r\nx-request-id: r2\r\n\r\n");
    expect("keep-alive-inbound", out, call, line2);
    finish(in);
    serve(in, line1);
    need(write(in[0], "HTTP/1.1 200 OK\r\n\r\nx", 20) == 20, "answer");
    shutdown(in[0], SHUT_WR);
    expect("shutdown-ends-it", out, call, "");
    close(in[0]), raw_close(in[1]), close(out[0]), raw_close(out[1]);
}

static const char head1[] =
    "POST /in HTTP/1.1\r\nHost: me\r\nx-request-id: r1\r\nContent-Length: 2\r\n\r\nhi";

static void cuts(void)
{
    const char *why = NULL;
    int in[2], out[2];
    char buf[512];
    size_t n = sizeof(head1) - 1;
    pair(out);
    for (size_t cut = 1; cut < n && !why; cut++) {
        pair(in);
        raw_write(in[1], head1, cut);
        need(read(in[0], buf, sizeof(buf)) == (ssize_t)cut, "read");
        raw_write(in[1], head1 + cut, n - cut);
        need(read(in[0], buf, sizeof(buf)) == (ssize_t)(n - cut), "read");
        why = differs(sent(out, call), call, line1);
        finish(in);
    }
    result("inbound-head-cut-anywhere", why);
    close(out[0]), raw_close(out[1]);
}

static ssize_t read_by(int how, int fd, char *buf, size_t n)
{
    struct iovec v[3] = {{buf, 7}, {buf + 7, 0}, {buf + 7, n - 7}};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 3};
    struct mmsghdr mm = {.msg_hdr = m};
    switch (how) {
    case 0:
        return recv(fd, buf, n, 0);
    case 1:
        return recvfrom(fd, buf, n, 0, NULL, NULL);
    case 2:
        return readv(fd, v, 3);
    case 3:
        return recvmsg(fd, &m, 0);
    case 4:
        return recvmmsg(fd, &mm, 1, 0, NULL) == 1 ? (ssize_t)mm.msg_len : -1;
    case 5:
        need(recv(fd, buf, n, MSG_PEEK) == (ssize_t)n, "peek");
        return recv(fd, buf, n, 0);
    case 6: /* asks for more than was sent: the first read only peeks */
        need(recv(fd, buf, 10, MSG_PEEK) == 10 && recv(fd, buf, 20, MSG_PEEK) == 20, "peek");
        return read(fd, buf, n);
    default:
        return syscall(SYS_read, fd, buf, n, 0, 0, 0);
    }
}

static void readers(void)
{
    static const char *const name[] = {"recv",     "recvfrom",       "readv",           "recvmsg",
                                       "recvmmsg", "peek-then-recv", "peeks-then-read", "syscall"};
    char buf[512], title[64];
    size_t n = sizeof(head1) - 1;
    for (int how = 0; how < 8; how++) {
        int in[2];
        pair(in);
        raw_write(in[1], head1, n);
        need(read_by(how, in[0], buf, n) == (ssize_t)n, name[how]);
        snprintf(title, sizeof(title), "inbound-by-%s", name[how]);
        fresh(title, call, line1);
        finish(in);
    }
}

static void prefixes(void)
{
    int in[2];
    static const char v2[] =
        "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\1\x7f\0\0\1\x1f\x90\x1f\x91";
    char bytes[512];
    size_t n = sizeof(v2) - 1;
    pair(in);
    feed(in, "PROXY TCP4 1.2.3.4 5.6.7.8 99 80\r\nGET / HTTP/1.1\r\nx-request-id: r1\r\n\r\n");
    fresh("proxy-v1", call, line1);
    finish(in);
    pair(in);
    memcpy(bytes, v2, n);
    n += (size_t)sprintf(bytes + n, "GET / HTTP/1.1\r\nx-request-id: r1\r\n\r\n");
    raw_write(in[1], bytes, n);
    need(read(in[0], bytes, sizeof(bytes)) == (ssize_t)n, "read");
    fresh("proxy-v2", call, line1);
    finish(in);
}

static void pipelined(void)
{
    int in[2], out[2];
    static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    pair(in);
    pair(out);
    feed(in,
         "GET /1 HTTP/1.1\r\nx-request-id: r1\r\n\r\nGET /2 HTTP/1.1\r\nx-request-id: r2\r\n\r\n");
    /* Apache httpd keeps the first answer back while it works for the second request. */
    expect("pipelined-which-of-two", out, call, "");
    need(write(in[0], ok, sizeof(ok) - 1) > 0, "answer");
    expect("pipelined-last", out, call, line2);
    finish(in);
    expect("pipelined-over", out, call, "");
    close(out[0]), raw_close(out[1]);
}

static void own_headers(void)
{
    int in[2];
    char trace[] = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n",
         both[256];
    snprintf(both, sizeof(both), "%s%s", line1, trace);
    serve(in, both);
    fresh("app-has-x-request-id", "GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine\r\n\r\n", trace);
    fresh("app-copies-traceparent",
          "GET / HTTP/1.1\r\nHost: a\r\ntraceparent: "
          "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n",
          line1);
    fresh("app-is-a-tracer-with-the-same-trace",
          "GET / HTTP/1.1\r\nHost: a\r\ntraceparent: "
          "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba90000-01\r\n\r\n",
          line1);
    fresh("connect-gets-nothing", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", "");
    fresh("signed-gets-nothing",
          "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: AWS4-HMAC-SHA256 Credential=x\r\n\r\n", "");
    fresh("metadata-service-gets-nothing", "GET / HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n", "");
    int out[2];
    pair(out);
    expect("upgrade-may-get-it", out,
           "GET /w HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", both);
    expect("then-stands-down", out, call, "");
    close(out[0]), raw_close(out[1]);
    static const char *const odd[] = {
        "GET / HTTP/1.1\nHost: a\n\n\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "GET /\r\n\r\n",
        "get key\r\n\r\n",
        "GET / HTTP/2.0\r\n\r\n",
        "GET  / HTTP/1.1\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "*1\r\n$4\r\nPING\r\n\r\n",
        "SSH-2.0-x\r\n\r\n",
        "EHLO me\r\n\r\n"};
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        char name[64];
        snprintf(name, sizeof(name), "ambiguous-or-other-%zu-is-left-alone", i);
        fresh(name, odd[i], "");
    }
    finish(in);
}

static void *elsewhere(void *arg)
{
    expect("another-thread-gets-nothing", arg, call, "");
    return NULL;
}

static void threads(void)
{
    int in[2], out[2];
    pthread_t t;
    pair(out);
    serve(in, line1);
    pthread_create(&t, NULL, elsewhere, out);
    pthread_join(t, NULL);
    expect("its-own-thread-still-does", out, call, line1);
    if (fork() == 0) {
        static const char *why;
        why = differs(sent(out, call), call, "");
        _exit(why ? 1 : 0);
    }
    int status;
    wait(&status);
    result("a-forked-child-inherits-no-context", status ? "it did" : NULL);
    finish(in);
    close(out[0]), raw_close(out[1]);
}

static int listener(struct sockaddr_in *a)
{
    socklen_t len = sizeof(*a);
    int l = socket(AF_INET, SOCK_STREAM, 0);
    *a = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    need(bind(l, (struct sockaddr *)a, len) == 0 && listen(l, 8) == 0 &&
             getsockname(l, (struct sockaddr *)a, &len) == 0,
         "listen");
    return l;
}

static void *first_write(void *arg)
{
    int *fd = arg;
    need(write(fd[0], call, sizeof(call) - 1) == sizeof(call) - 1, "write");
    return NULL;
}

/* Rule connect: opened by the serving thread, first used by a thread that serves nothing. Nobody
 * can tell it from a background thread that took a fresh connection out of a pool: only with
 * `best`. */
static void connected(void)
{
    const char *attribution = getenv("TRACEBATON_ATTRIBUTION");
    bool best = attribution && strcmp(attribution, "best") == 0;
    struct sockaddr_in a;
    int in[2], l = listener(&a), fd[2];
    char got[512];
    pthread_t t;
    serve(in, line1);
    for (int round = 0; round < 2; round++) {
        if (round == 0) {
            fd[0] = socket(AF_INET, SOCK_STREAM, 0);
            need(connect(fd[0], (struct sockaddr *)&a, sizeof(a)) == 0, "connect");
            fd[1] = (int)raw3(SYS_accept, l, 0, 0);
        }
        pthread_create(&t, NULL, first_write, fd);
        pthread_join(t, NULL);
        long n = raw_read(fd[1], got, sizeof(got) - 1);
        got[n > 0 ? n : 0] = 0;
        result(round  ? "connect-rule-not-for-the-second-request"
               : best ? "connect-rule-for-the-first-request"
                      : "connect-rule-of-another-thread-is-not-certain",
               differs(got, call, round || !best ? "" : line1));
    }
    finish(in);
    close(fd[0]);
    raw_close(fd[1]);
    close(l);
}

/* These disprove "one exchange at a time" for good, so each runs in a child of its own. */
static void in_child(const char *name, const char *(*f)(void))
{
    fflush(stdout);
    if (fork() == 0) {
        const char *why = f();
        if (why)
            printf("# %s: %s\n", name, why);
        fflush(stdout);
        _exit(why != NULL);
    }
    int status;
    wait(&status);
    result(name, status ? "see above" : NULL);
}

static const char *two_open(void)
{
    int a[2], b[2], out[2];
    pair(out);
    serve(a, line1);
    serve(b, line2);
    const char *why = differs(sent(out, call), call, "");
    finish(b);
    finish(a);
    serve(a, line1);
    return why ? why : differs(sent(out, call), call, "");
}

static const char *waits_for_others(void)
{
    struct sockaddr_in sa;
    int in[2], out[2], l = listener(&sa);
    struct pollfd p[2] = {{l, POLLIN, 0}, {0, 0, 0}};
    pair(out);
    serve(in, line1);
    p[1] = (struct pollfd){in[0], POLLIN, 0};
    poll(p, 2, 0);
    return differs(sent(out, call), call, "");
}

static const char *waits_for_upstream(void)
{
    int in[2], out[2];
    pair(out);
    serve(in, line1);
    struct pollfd p = {out[0], POLLIN, 0};
    poll(&p, 1, 0);
    return differs(sent(out, call), call, line1);
}

static const char *nonblocking(void)
{
    int in[2], out[2];
    char buf[512];
    pair(out);
    pair(in);
    fcntl(in[0], F_SETFL, O_NONBLOCK);
    raw_write(in[1], head1, sizeof(head1) - 1);
    need(read(in[0], buf, sizeof(buf)) > 0, "read");
    return differs(sent(out, call), call, "");
}

static const char *dontwait(void)
{
    int in[2], out[2];
    char buf[512];
    pair(out);
    pair(in);
    raw_write(in[1], head1, sizeof(head1) - 1);
    need(recv(in[0], buf, sizeof(buf), MSG_DONTWAIT) > 0, "read");
    return differs(sent(out, call), call, "");
}

static void *answer_for(void *arg)
{
    finish(arg);
    return NULL;
}

static const char *answered_elsewhere(void)
{
    int in[2], out[2];
    pthread_t t;
    pair(out);
    serve(in, line1);
    pthread_create(&t, NULL, answer_for, in);
    pthread_join(t, NULL);
    serve(in, line2);
    return differs(sent(out, call), call, "");
}

static const char *contradicted(void)
{
    int in[2], out[2];
    pair(out);
    serve(in, "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n");
    static const char own[] = "GET / HTTP/1.1\r\nHost: a\r\ntraceparent: "
                              "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n";
    const char *why = differs(sent(out, own), own, "");
    return why ? why : differs(sent(out, call), call, "");
}

int main(void)
{
    basics();
    responses();
    cuts();
    readers();
    prefixes();
    pipelined();
    own_headers();
    threads();
    connected();
    in_child("two-open-exchanges-refute-for-good", two_open);
    in_child("a-wait-for-inbound-work-ends-it", waits_for_others);
    in_child("a-wait-for-upstream-does-not", waits_for_upstream);
    in_child("nonblocking-read-proves-nothing", nonblocking);
    in_child("MSG_DONTWAIT-proves-nothing", dontwait);
    in_child("answered-by-another-thread-refutes", answered_elsewhere);
    in_child("the-program's-own-trace-contradicts", contradicted);
    return failures != 0;
}
