/* SPDX-License-Identifier: Apache-2.0 */
/* ctor: a library whose constructor and destructor do I/O: hooks run before our constructor and
 * after our destructor. */
#include <sys/socket.h>
#include <unistd.h>

static void talk(void)
{
    int fd[2];
    char c = 'x';
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) || write(fd[0], &c, 1) != 1 ||
        read(fd[1], &c, 1) != 1)
        _exit(9);
    close(fd[0]);
    close(fd[1]);
}
__attribute__((constructor)) static void begin(void)
{
    talk();
}
__attribute__((destructor)) static void end(void)
{
    talk();
}
