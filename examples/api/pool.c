/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool: a server with a thread that reads and a pool of threads that work, joined
 * by a condition variable. Nothing in libc says which job a worker has taken, so
 * nothing can be inferred; the lines marked TRACE say it. Without libtracebaton.so
 * they do nothing.
 *
 *   cc -Iinclude -o pool examples/api/pool.c -lpthread
 *   LD_PRELOAD=libtracebaton.so ./pool PORT UPSTREAM_HOST UPSTREAM_PORT
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "tracebaton.h" /* TRACE */

#define WORKERS 6
#define HEAD    16384

struct job {
    struct job *next;
    int fd;
    char id[32];
    tracebaton_context trace; /* TRACE */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static struct job *first, **last = &first;
static struct sockaddr_in upstream;

static void put(struct job *j)
{
    pthread_mutex_lock(&lock);
    *last = j;
    last = &j->next;
    pthread_cond_signal(&more);
    pthread_mutex_unlock(&lock);
}

static struct job *take(void)
{
    pthread_mutex_lock(&lock);
    while (!first)
        pthread_cond_wait(&more, &lock);
    struct job *j = first;
    first = j->next;
    if (!first)
        last = &first;
    pthread_mutex_unlock(&lock);
    return j;
}

static void call(const char *id, char leg)
{
    char text[256];
    int s = socket(AF_INET, SOCK_STREAM, 0);
    int n =
        snprintf(text, sizeof(text),
                 "GET /?id=%s&leg=%c HTTP/1.1\r\nHost: up\r\nConnection: close\r\n\r\n", id, leg);
    if (connect(s, (struct sockaddr *)&upstream, sizeof(upstream)) == 0 &&
        write(s, text, (size_t)n) == n)
        while (read(s, text, sizeof(text)) > 0)
            ;
    close(s);
}

static void work(const struct job *j)
{
    char text[256];
    if (strcmp(j->id, "0") != 0)
        for (const char *leg = "acd"; *leg; leg++)
            call(j->id, *leg);
    int n = snprintf(text, sizeof(text),
                     "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
                     strlen(j->id), j->id);
    if (write(j->fd, text, (size_t)n) < 0)
        perror("write");
    close(j->fd);
}

static void *worker(void *arg)
{
    for (;;) {
        struct job *j = take();
        tracebaton_scope s = tracebaton_enter(j->trace); /* TRACE */
        work(j);
        tracebaton_leave(s);          /* TRACE */
        tracebaton_release(j->trace); /* TRACE */
        free(j);
    }
    return arg;
}

/* Bytes of body that are still to be read behind the head. */
static long rest_of(const char *head, size_t n)
{
    const char *end = strstr(head, "\r\n\r\n");
    const char *length = strcasestr(head, "\r\nContent-Length:");
    return length && end ? strtol(length + 17, NULL, 10) - (long)(n - (size_t)(end + 4 - head)) : 0;
}

static void receive(int fd)
{
    char head[HEAD], body[4096];
    size_t n = 0;
    ssize_t got;
    head[0] = 0;
    while (!strstr(head, "\r\n\r\n") && n < sizeof(head) - 1 &&
           (got = read(fd, head + n, sizeof(head) - 1 - n)) > 0)
        head[n += (size_t)got] = 0;
    for (long rest = rest_of(head, n); rest > 0 && (got = read(fd, body, sizeof(body))) > 0;)
        rest -= got;
    const char *id = strstr(head, "id=");
    struct job *j = calloc(1, sizeof(*j));
    j->fd = fd;
    sscanf(id ? id : "id=0", "id=%31[0-9]", j->id);
    j->trace = tracebaton_capture_fd(fd); /* TRACE */
    put(j);
}

int main(int argc, char **argv)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    pthread_t t;
    int on = 1, s = socket(AF_INET, SOCK_STREAM, 0);
    if (argc < 4)
        return 2;
    at.sin_port = htons((unsigned short)atoi(argv[1]));
    upstream = at;
    upstream.sin_port = htons((unsigned short)atoi(argv[3]));
    inet_aton(argv[2], &upstream.sin_addr);
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(s, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(s, 128) < 0)
        return 1;
    for (int i = 0; i < WORKERS; i++)
        pthread_create(&t, NULL, worker, NULL);
    for (;;) {
        int fd = accept(s, NULL, NULL);
        if (fd >= 0)
            receive(fd);
    }
}
