/* SPDX-License-Identifier: Apache-2.0 */
/* deepbind: objects that bind past us. `deepbind DIR`: where deep_lazy.so, deep_now.so and
 * hidden/inner.so are. */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>

#include "raw.h"

static const char call[] = "GET /out HTTP/1.1\r\nHost: next\r\n\r\n";
static const char want[] = "GET /out HTTP/1.1\r\nHost: next\r\nx-request-id: r1\r\n\r\n";

/* Serve a request on a TCP connection: accept() is where the library looks for new objects. */
static void serve_tcp(int in[2])
{
    static const char head[] = "GET /in HTTP/1.1\r\nHost: me\r\n" IN_HEADERS "\r\n";
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    char buf[512];
    int l = socket(AF_INET, SOCK_STREAM, 0);
    need(bind(l, (struct sockaddr *)&a, len) == 0 && listen(l, 8) == 0 &&
             getsockname(l, (struct sockaddr *)&a, &len) == 0,
         "listen");
    in[1] = (int)raw3(SYS_socket, AF_INET, SOCK_STREAM, 0);
    need(raw3(SYS_connect, in[1], (long)&a, len) == 0, "connect");
    in[0] = accept(l, NULL, NULL);
    need(raw_write(in[1], head, sizeof(head) - 1) == sizeof(head) - 1, "feed");
    need(read(in[0], buf, sizeof(buf)) == sizeof(head) - 1, "read");
    close(l);
}

static void *load(const char *dir, const char *name, int mode)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    void *h = dlopen(path, mode);
    if (!h)
        printf("# %s\n", dlerror());
    need(h != NULL, name);
    return h;
}

static void carries(const char *name, void *h, const char *symbol)
{
    long (*f)(int, const void *, size_t) = (long (*)(int, const void *, size_t))dlsym(h, symbol);
    char got[512];
    int fd[2];
    pair(fd);
    need(f && f(fd[0], call, sizeof(call) - 1) == sizeof(call) - 1, symbol);
    long n = raw_drain(fd[1], got, sizeof(got) - 1);
    got[n < 0 ? 0 : n] = 0;
    result(name, strcmp(got, want) == 0 ? NULL : "the line is missing");
    close(fd[0]);
    raw_close(fd[1]);
}

int main(int argc, char **argv)
{
    int in[2], more[2];
    char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    const char *dir = argc > 1 ? argv[1] : ".";
    void *lazy = load(dir, "deep_lazy.so", RTLD_LAZY | RTLD_DEEPBIND);
    serve_tcp(in);
    carries("lazily-bound", lazy, "deep_send");
    carries("by-pointer", lazy, "deep_write");
    need(write(in[0], answer, sizeof(answer) - 1) == sizeof(answer) - 1, "answer");
    close(in[0]);
    void *now = load(dir, "deep_now.so", RTLD_NOW | RTLD_DEEPBIND);
    serve_tcp(more);
    carries("bound-at-once-and-read-only", now, "deep_send");
    carries("bound-at-once-by-pointer", now, "deep_write");
    result("not-found-is-not-found", dlopen("inner.so", RTLD_NOW) ? "found" : NULL);
    void *(*inner)(const char *) = (void *(*)(const char *))dlsym(now, "deep_open");
    result("search-path-is-the-callers", inner && inner("inner.so") ? NULL : dlerror());
    return failures != 0;
}
