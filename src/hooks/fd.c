/* SPDX-License-Identifier: Apache-2.0 */
/* fd: numbers that go and numbers that are copied. */
#include "hooks/real.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/ioctl.h>

int hook_close(int fd)
{
    if (!is_untracked(fd))
        engine_closing(fd);
    return REAL(close)(fd);
}

/* With CLOSE_RANGE_UNSHARE the numbers stay open in other threads; the identity check of every
 * insertion covers what this leaves behind. */
int hook_close_range(unsigned first, unsigned last, int flags)
{
    if (!(flags & (CLOSE_RANGE_CLOEXEC | CLOSE_RANGE_UNSHARE)))
        engine_closing_range(first, last);
    return REAL(close_range)(first, last, flags);
}

static int duplicated(int fd, int to)
{
    if (to >= 0)
        engine_duplicated(fd, to);
    return to;
}

int hook_dup(int fd)
{
    return duplicated(fd, REAL(dup)(fd));
}

int hook_dup2(int fd, int to)
{
    return duplicated(fd, REAL(dup2)(fd, to));
}

int hook_dup3(int fd, int to, int flags)
{
    return duplicated(fd, REAL(dup3)(fd, to, flags));
}

static int changed(int fd, int cmd, int r)
{
    if (cmd == F_SETFL)
        engine_flags(fd);
    return cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC ? duplicated(fd, r) : r;
}

int hook_fcntl(int fd, int cmd, long arg)
{
    return changed(fd, cmd, REAL(fcntl)(fd, cmd, arg));
}

int hook_fcntl64(int fd, int cmd, long arg)
{
    return changed(fd, cmd, REAL(fcntl64)(fd, cmd, arg));
}

int hook_ioctl(int fd, unsigned long request, void *arg)
{
    int r = REAL(ioctl)(fd, request, arg);
    if ((unsigned)request == FIONBIO && !is_foreign(fd)) /* an int in musl */
        engine_flags(fd);
    return r;
}
