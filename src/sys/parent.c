/* SPDX-License-Identifier: Apache-2.0 */
/* parent: see parent.h. */
#define _GNU_SOURCE
#include "sys/parent.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>

#include "sys/raw.h"

static char *put_text(char *p, const char *s)
{
    while (*s)
        *p++ = *s++;
    return p;
}

static char *put_number(char *p, int n)
{
    char digits[12];
    int i = 0;
    do
        digits[i++] = (char)('0' + n % 10);
    while (n /= 10);
    while (i > 0)
        *p++ = digits[--i];
    return p;
}

/* Is the number one of those, which are separated by spaces? */
static bool lists(const char *s, long n, int pid)
{
    long value = 0;
    for (long i = 0; i < n; i++)
        if (s[i] >= '0' && s[i] <= '9') {
            value = value * 10 + (s[i] - '0');
        } else if (value == pid) {
            return true;
        } else {
            value = 0;
        }
    return value == pid;
}

bool parent_has_socket(int pid, int fd, uint64_t ino)
{
    struct stat st;
    char path[64], *p = put_number(put_text(path, "/proc/"), pid);
    p = put_number(put_text(p, "/fd/"), fd);
    *p = 0;
    return raw4(SYS_newfstatat, AT_FDCWD, (long)path, (long)&st, 0) == 0 && S_ISSOCK(st.st_mode) &&
           st.st_ino == ino;
}

int parent_my_tid(void)
{
    return (int)raw0(SYS_gettid);
}

/* A list of more than 4 KiB is read to its first part: newer children stand last, but a thread with
 * hundreds of children is no server's. */
bool parent_thread_was(int tid)
{
    char path[64], list[4096], *p = path;
    int parent = (int)raw0(SYS_getppid);
    if (tid <= 0 || parent <= 0)
        return false;
    p = put_number(put_text(p, "/proc/"), parent);
    p = put_number(put_text(p, "/task/"), tid);
    *put_text(p, "/children") = 0;
    int fd = (int)raw4(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return false;
    long n = raw3(SYS_read, fd, (long)list, sizeof(list));
    raw1(SYS_close, fd);
    return n > 0 && lists(list, n, (int)raw0(SYS_getpid));
}
