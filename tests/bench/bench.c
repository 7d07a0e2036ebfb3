/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench: the loops that tests/bench/run times with and without the preload.
 *
 *   bench pass N       write() of one byte to a number that is not ours (/dev/null)
 *   bench exchange     for each line on standard input a block of exchanges of a server side and a
 *                      client side in one thread: read a request with eight trace headers, send
 *                      one, read its answer, answer (the far ends use raw system calls, which no
 *                      hook sees). Prints the nanoseconds of one.
 *   bench told         the same of a program that sends the eight headers itself: the bytes on the
 *                      wire are then the same with and without the preload
 *   bench rss N        print the resident set in KiB after N of them
 *
 * pass prints the thread's CPU nanoseconds a round.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sys/raw.h"

static double cpu(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void pass(long n)
{
    int fd = open("/dev/null", O_WRONLY);
    for (long i = 0; i < n; i++)
        if (write(fd, "x", 1) != 1)
            exit(1);
    close(fd);
}

#define EIGHT                                                                                      \
    "x-request-id: 8cda17a5-eb41-4ced-9843-acc826f95c8c\r\n"                                       \
    "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n"                     \
    "tracestate: rojo=00f067aa0ba902b7,congo=t61rcWkgMzE\r\n"                                      \
    "x-b3-traceid: 80f198ee56343ba864fe8b2a57d3eff7\r\nx-b3-spanid: e457b5a2e4d86bd1\r\n"          \
    "x-b3-parentspanid: 05e3ac9a4f6e3b90\r\nx-b3-sampled: 1\r\n"                                   \
    "baggage: userId=alice,serverNode=DF%2028,isProduction=false\r\n"
static const char request[] = "GET /things?id=42 HTTP/1.1\r\nHost: shop.svc:8080\r\nUser-Agent: "
                              "bench/1\r\nAccept: */*\r\n" EIGHT "\r\n";
#define CALL "GET /next HTTP/1.1\r\nHost: stock.svc\r\nAccept: */*\r\n"
static const char plain[] = CALL "\r\n";
static const char told[] = CALL EIGHT "\r\n";
static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

static void must(ssize_t r)
{
    if (r <= 0) {
        perror("bench");
        exit(1);
    }
}

/* A unix pair: our part is the same as with TCP, and the kernel's part varies less. */
static void pair(int fd[2])
{
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) + 1);
}

struct ends {
    int in[2], out[2];
};

static void exchange(const struct ends *e, const char *call, size_t len)
{
    char buf[4096];
    must(raw3(SYS_write, e->in[1], (long)request, sizeof(request) - 1)); /* the service's client */
    must(recv(e->in[0], buf, sizeof(buf), 0));
    must(send(e->out[1], call, len, 0));
    must(raw3(SYS_read, e->out[0], (long)buf, sizeof(buf))); /* the upstream */
    must(raw3(SYS_write, e->out[0], (long)answer, sizeof(answer) - 1));
    must(recv(e->out[1], buf, sizeof(buf), 0));
    must(send(e->in[0], answer, sizeof(answer) - 1, 0));
    must(raw3(SYS_read, e->in[1], (long)buf, sizeof(buf)));
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

#define BLOCK 2000

/* For each line on standard input one block of exchanges, and its nanoseconds an exchange. */
static void exchanges(const char *call, size_t len)
{
    struct ends e;
    char line[16];
    pair(e.in), pair(e.out);
    while (fgets(line, sizeof(line), stdin)) {
        double t = now();
        for (int i = 0; i < BLOCK; i++)
            exchange(&e, call, len);
        printf("%.0f\n", (now() - t) / BLOCK);
        fflush(stdout);
    }
}

static void rss(void)
{
    char line[256];
    FILE *f = fopen("/proc/self/smaps_rollup", "r");
    while (f && fgets(line, sizeof(line), f))
        if (strncmp(line, "Rss:", 4) == 0)
            printf("%ld\n", atol(line + 4));
}

int main(int argc, char **argv)
{
    long n = argc > 2 ? atol(argv[2]) : 1;
    if (argc > 1 && strcmp(argv[1], "pass") == 0) {
        double t = cpu();
        pass(n);
        printf("%.2f\n", (cpu() - t) / (double)n);
    } else if (argc > 1 && strcmp(argv[1], "exchange") == 0) {
        exchanges(plain, sizeof(plain) - 1);
    } else if (argc > 1 && strcmp(argv[1], "told") == 0) {
        exchanges(told, sizeof(told) - 1);
    } else if (argc > 1 && strcmp(argv[1], "rss") == 0) {
        struct ends e;
        pair(e.in), pair(e.out);
        for (long i = 0; i < n; i++)
            exchange(&e, plain, sizeof(plain) - 1);
        rss();
    } else {
        return 2;
    }
    return 0;
}
