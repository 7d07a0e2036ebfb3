/* SPDX-License-Identifier: Apache-2.0 */
/*
 * races: threads that do to the same few connections whatever two threads may do at once: read
 * requests, answer, send, duplicate, replace, shut down, ask. What comes of the bytes is not looked
 * at (with two writers nobody could say); a sanitizer looks at how the library shares its memory.
 * The far ends are fed and drained by raw calls, so that they order nothing.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/time.h>

#include "raw.h"

#define CONNS   6 /* the first half are read from, the others are sent to */
#define THREADS 4

static int near_end[CONNS], far_end[CONNS]; /* numbers that stay; what they refer to changes */
static int done;

static unsigned roll(unsigned *seed, unsigned n)
{
    *seed = *seed * 1103515245u + 12345u;
    return (*seed >> 16) % n;
}

static void fresh(int c, unsigned *seed)
{
    struct timeval soon = {0, 2000};
    int fd[2];
    pair(fd);
    setsockopt(fd[0], SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
    setsockopt(fd[0], SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon));
    if (roll(seed, 2))
        fcntl(fd[0], F_SETFL, O_NONBLOCK);
    dup2(fd[0], near_end[c]);
    raw3(SYS_dup3, fd[1], far_end[c], 0);
    close(fd[0]);
    raw_close(fd[1]);
}

/* What arrives at the servers, for as long as anybody reads. */
static void *feed(void *arg)
{
    static const char request[] = "GET /in HTTP/1.1\r\nHost: me\r\nx-request-id: r1\r\n\r\n";
    char sink[65536];
    (void)arg;
    while (!__atomic_load_n(&done, __ATOMIC_RELAXED))
        for (int c = 0; c < CONNS; c++) {
            if (c < CONNS / 2)
                raw6(SYS_sendto, far_end[c], (long)request, sizeof(request) - 1,
                     MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0);
            raw_drain(far_end[c], sink, sizeof(sink));
        }
    return NULL;
}

static void as_server(int fd, unsigned *seed)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    char buf[512];
    if (roll(seed, 3))
        recv(fd, buf, sizeof(buf), roll(seed, 8) ? 0 : MSG_PEEK);
    else
        send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL);
}

static void as_client(int fd, unsigned *seed)
{
    static const char call[] = "POST /out HTTP/1.1\r\nHost: next\r\nContent-Length: 3\r\n\r\nabc";
    unsigned cut = roll(seed, 3) ? 0 : roll(seed, sizeof(call) - 1);
    send(fd, call, cut, MSG_NOSIGNAL);
    send(fd, call + cut, sizeof(call) - 1 - cut, MSG_NOSIGNAL);
}

static void life(int c, unsigned *seed)
{
    int fd = near_end[c], other;
    struct pollfd p[2] = {{fd, POLLIN, 0}, {near_end[0], POLLIN, 0}};
    switch (roll(seed, 6)) {
    case 0:
        other = dup(fd);
        close(other);
        break;
    case 1:
        shutdown(fd, (int)roll(seed, 3));
        break;
    case 2:
        fcntl(fd, F_SETFL, roll(seed, 2) ? O_NONBLOCK : 0);
        break;
    case 3:
        poll(p, 2, 1);
        break;
    default:
        fresh(c, seed);
    }
}

static void *work(void *arg)
{
    unsigned seed = (unsigned)(uintptr_t)arg * 7919u + 1;
    for (int i = 0; i < 20000; i++) {
        int c = (int)roll(&seed, CONNS);
        if (roll(&seed, 12) == 0)
            life(c, &seed);
        else if (c < CONNS / 2)
            as_server(near_end[c], &seed);
        else
            as_client(near_end[c], &seed);
    }
    return NULL;
}

int main(void)
{
    pthread_t t[THREADS], feeder;
    unsigned seed = 1;
    signal(SIGPIPE, SIG_IGN);
    for (int c = 0; c < CONNS; c++) {
        near_end[c] = dup(0);
        far_end[c] = dup(0);
        fresh(c, &seed);
    }
    pthread_create(&feeder, NULL, feed, NULL);
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&t[i], NULL, work, (void *)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    __atomic_store_n(&done, 1, __ATOMIC_RELAXED);
    pthread_join(feeder, NULL);
    result("races", NULL);
    return 0;
}
