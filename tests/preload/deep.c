/* SPDX-License-Identifier: Apache-2.0 */
/* deep: a library that is loaded with RTLD_DEEPBIND; see deepbind.c. */
#include <dlfcn.h>
#include <sys/socket.h>
#include <unistd.h>

long deep_send(int fd, const void *p, size_t n)
{
    return send(fd, p, n, 0);
}

static ssize_t (*volatile by_pointer)(int, const void *, size_t);

/* The address of a function is another kind of slot than a call. */
long deep_write(int fd, const void *p, size_t n)
{
    by_pointer = write;
    return by_pointer(fd, p, n);
}

/* What is found depends on who asks: this library's DT_RUNPATH names a directory of its own. */
void *deep_open(const char *name)
{
    return dlopen(name, RTLD_NOW | RTLD_DEEPBIND);
}
