/* SPDX-License-Identifier: Apache-2.0 */
/* raw: system calls that no library can see: the observing side of every preload test. */
#ifndef TB_TESTS_RAW_H
#define TB_TESTS_RAW_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sys/raw.h"

static inline long raw_write(int fd, const void *p, size_t n)
{
    return raw3(SYS_write, fd, (long)p, (long)n);
}
static inline long raw_read(int fd, void *p, size_t n)
{
    return raw3(SYS_read, fd, (long)p, (long)n);
}
/* What is there now, without waiting. */
static inline long raw_drain(int fd, void *p, size_t n)
{
    long got = 0, r;
    while ((r = raw6(SYS_recvfrom, fd, (long)p + got, (long)n - got, MSG_DONTWAIT, 0, 0)) > 0)
        got += r;
    return got;
}
static inline void raw_close(int fd)
{
    raw1(SYS_close, fd);
}

static int failures;
static inline void result(const char *name, const char *why)
{
    printf(why ? "not ok %s: %s\n" : "ok %s\n", name, why);
    fflush(stdout);
    failures += why != NULL;
}
static inline void need(bool ok, const char *what)
{
    if (!ok) {
        printf("not ok setup: %s (errno %d)\n", what, errno);
        exit(1);
    }
}

/* A stream pair that the program made (the hooks see it). [1] is then only used raw. */
static inline void pair(int fd[2])
{
    need(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0, "socketpair");
}

#define IN_HEADERS "x-request-id: r1\r\n"

/* The calling thread begins to serve an exchange: it reads a head from a blocking socket. Returns
 * the pair; the exchange stays open until finish(). */
static inline void serve(int fd[2], const char *headers)
{
    char buf[65536];
    int n = snprintf(buf, sizeof(buf), "GET /in HTTP/1.1\r\nHost: me\r\n%s\r\n", headers);
    pair(fd);
    need(raw_write(fd[1], buf, (size_t)n) == n, "inbound write");
    need(read(fd[0], buf, sizeof(buf)) == n, "inbound read");
}

static inline void finish(int fd[2])
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    need(write(fd[0], answer, sizeof(answer) - 1) == sizeof(answer) - 1, "answer");
    close(fd[0]);
    raw_close(fd[1]);
}

#endif
