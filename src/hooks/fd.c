/* SPDX-License-Identifier: Apache-2.0 */
/* fd: numbers that go and numbers that are copied. */
#define TB_DECLARE_HOOKS
#include "hooks/real.h"

#include <fcntl.h>
#include <linux/close_range.h>

EXPORT int close(int fd)
{
    if (!is_untracked(fd))
        engine_closing(fd);
    return REAL(close)(fd);
}

/* With CLOSE_RANGE_UNSHARE the numbers stay open in other threads; the identity check of every
 * insertion covers what this leaves behind. */
EXPORT int close_range(unsigned first, unsigned last, int flags)
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

EXPORT int dup(int fd)
{
    return duplicated(fd, REAL(dup)(fd));
}

EXPORT int dup2(int fd, int to)
{
    return duplicated(fd, REAL(dup2)(fd, to));
}

EXPORT int dup3(int fd, int to, int flags)
{
    return duplicated(fd, REAL(dup3)(fd, to, flags));
}

EXPORT int fcntl(int fd, int cmd, long arg)
{
    if (cmd != F_DUPFD && cmd != F_DUPFD_CLOEXEC)
        return REAL(fcntl)(fd, cmd, arg);
    return duplicated(fd, REAL(fcntl)(fd, cmd, arg));
}

EXPORT int fcntl64(int fd, int cmd, long arg)
{
    if (cmd != F_DUPFD && cmd != F_DUPFD_CLOEXEC)
        return REAL(fcntl64)(fd, cmd, arg);
    return duplicated(fd, REAL(fcntl64)(fd, cmd, arg));
}
