/* SPDX-License-Identifier: Apache-2.0 */
/*
 * short_accept: exhaustive. A small request leaves through every send family,
 * blocking and not, while the kernel (shim_short) takes every possible pair of
 * counts first; and, cut into two calls at every place, with every first count.
 * The peer must receive the program's bytes with the line inserted once, and the
 * program must be told nothing but what it may expect.
 */
#include <dlfcn.h>
#include <fcntl.h>

#include "families.h"

static const char request[] = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
static const char right[] =
    "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n" IN_HEADERS "\r\nabc";
static long *script;

/* Send n bytes as a program does: resend what it was not told. @return why it is wrong, or NULL */
static const char *push(enum family f, int fd, const char *p, size_t n, bool blocking)
{
    for (int tries = 0; n > 0; tries++) {
        ssize_t r = send_by(f, fd, p, n, 0);
        if (tries > 8)
            return "no progress";
        if (r == 0 || r > (ssize_t)n)
            return "an impossible count";
        if (r < 0 && (blocking || errno != EAGAIN))
            return "an error that the kernel did not give";
        if (r > 0) {
            p += r;
            n -= (size_t)r;
        }
    }
    return NULL;
}

/* One case on a fresh connection. */
static const char *run(enum family f, size_t split, long k1, long k2, bool blocking)
{
    char got[512];
    int fd[2];
    size_t n = sizeof(request) - 1;
    pair(fd);
    if (!blocking)
        fcntl(fd[0], F_SETFL, O_NONBLOCK);
    script[0] = k1;
    script[1] = k2;
    script[2] = -1;
    const char *why = split ? push(f, fd[0], request, split, blocking) : NULL;
    if (!why)
        why = push(f, fd[0], request + split, n - split, blocking);
    script[0] = script[1] = -1;
    long len = raw_drain(fd[1], got, sizeof(got));
    if (!why && (len != sizeof(right) - 1 || memcmp(got, right, (size_t)len) != 0))
        why = "the peer received other bytes";
    if (why) {
        got[len] = 0;
        printf("# %s split %zu k1 %ld k2 %ld %s: received <<%s>>\n", family_name[f], split, k1, k2,
               blocking ? "blocking" : "nonblocking", got);
    }
    close(fd[0]);
    raw_close(fd[1]);
    return why;
}

static void all(enum family f, bool blocking)
{
    char name[64];
    const char *why = NULL;
    long wire = sizeof(right) - 1, from = blocking ? 1 : 0;
    for (long k1 = from; k1 <= wire && !why; k1++)
        for (long k2 = from; k2 <= wire && !why; k2++)
            why = run(f, 0, k1, k2, blocking);
    snprintf(name, sizeof(name), "every-pair-%s-%s", family_name[f],
             blocking ? "block" : "nonblock");
    result(name, why);
    why = NULL;
    for (size_t split = 1; split < sizeof(request) - 1 && !why; split++)
        for (long k1 = from; k1 <= wire && !why; k1++)
            for (long k2 = -1; k2 <= 2 && !why; k2++)
                why = k2 == 0 && blocking ? NULL : run(f, split, k1, k2, blocking);
    snprintf(name, sizeof(name), "every-split-%s-%s", family_name[f],
             blocking ? "block" : "nonblock");
    result(name, why);
}

int main(void)
{
    int in[2];
    script = dlsym(RTLD_DEFAULT, "shim_accept");
    if (!script)
        return puts("not ok short_accept: the shim is not preloaded"), 1;
    serve(in, IN_HEADERS);
    for (int f = 0; f < FAMILIES; f++) {
        all((enum family)f, false);
        all((enum family)f, true);
    }
    return failures != 0;
}
