/* SPDX-License-Identifier: Apache-2.0 */
/* allocator: every malloc() writes to a socket and reads from it, from before any constructor on.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int talks, on = 1;
static char room[8 << 20];
static size_t used;
static __thread int inside __attribute__((tls_model("initial-exec")));

int allocator_talks(int go_on)
{
    on = go_on;
    return talks;
}

static void talk(void)
{
    int fd[2];
    char c = 'x';
    if (inside++ == 0 && on && socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0) {
        talks += write(fd[0], &c, 1) == 1 && read(fd[1], &c, 1) == 1;
        close(fd[0]);
        close(fd[1]);
    } else if (inside > 50)
        abort(); /* it was called from its own I/O */
    inside--;
}

void *malloc(size_t n)
{
    talk();
    n = (n + 31) & ~(size_t)15;
    size_t at = __atomic_fetch_add(&used, n, __ATOMIC_RELAXED);
    if (at + n > sizeof(room))
        return NULL;
    memcpy(room + at, &n, sizeof(n));
    return room + at + 16;
}
void free(void *p)
{
    (void)p;
}
void *calloc(size_t n, size_t m)
{
    return malloc(n * m);
}
void *realloc(void *p, size_t n)
{
    char *q = malloc(n);
    size_t old;
    if (p && q) {
        memcpy(&old, (char *)p - 16, sizeof(old));
        memcpy(q, p, old - 16 < n ? old - 16 : n);
    }
    return q;
}
