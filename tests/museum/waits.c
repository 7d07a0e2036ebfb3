/* SPDX-License-Identifier: Apache-2.0 */
/* waits: a library whose constructor, under the loader's lock, waits for a thread that does I/O. */
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static void *talk(void *p)
{
    int fd[2];
    char c = 'x';
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0 && write(fd[0], &c, 1) == 1)
        return read(fd[1], &c, 1) == 1 ? p : NULL;
    return NULL;
}
__attribute__((constructor)) static void begin(void)
{
    pthread_t t;
    pthread_create(&t, NULL, talk, NULL);
    pthread_join(t, NULL);
}
