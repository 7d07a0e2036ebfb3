/* SPDX-License-Identifier: Apache-2.0 */
/* probe: see probe.h. */
#include "sys/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/raw.h"

bool probe_socket(int fd, uint64_t *dev, uint64_t *ino)
{
    struct stat st;
#ifdef SYS_fstat
    long r = raw2(SYS_fstat, fd, (long)&st);
#else
    long r = raw4(SYS_newfstatat, fd, (long)"", (long)&st, AT_EMPTY_PATH);
#endif
    if (r < 0 || !S_ISSOCK(st.st_mode))
        return false;
    if (dev)
        *dev = st.st_dev;
    if (ino)
        *ino = st.st_ino;
    return true;
}

bool probe_channel(int fd)
{
    return raw3(SYS_lseek, fd, 0, SEEK_CUR) == -ESPIPE;
}

bool probe_blocks(int fd)
{
    long flags = raw3(SYS_fcntl, fd, F_GETFL, 0);
    return flags >= 0 && !(flags & O_NONBLOCK);
}

static uint16_t port_of(in_port_t p)
{
    const uint8_t *b = (const uint8_t *)&p;
    return (uint16_t)(b[0] << 8 | b[1]);
}

void probe_peer(int fd, uint8_t *family, uint16_t *port, uint8_t ip[16])
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_storage room;
    } a;
    int len = sizeof(a);
    *family = 0;
    if (raw3(SYS_getpeername, fd, (long)&a, (long)&len) < 0)
        return;
    if (a.any.sa_family == AF_INET) {
        *family = 4;
        *port = port_of(a.v4.sin_port);
        memcpy(ip, &a.v4.sin_addr, 4);
    } else if (a.any.sa_family == AF_INET6) {
        *family = 6;
        *port = port_of(a.v6.sin6_port);
        memcpy(ip, &a.v6.sin6_addr, 16);
    } else if (a.any.sa_family == AF_UNIX) {
        *family = 1;
    }
}

static bool tcp_info(int fd, struct tcp_info *ti, size_t need)
{
    int len = sizeof(*ti);
    return raw5(SYS_getsockopt, fd, IPPROTO_TCP, TCP_INFO, (long)ti, (long)&len) >= 0 &&
           (size_t)len >= need;
}

bool probe_sent(int fd, uint64_t *n)
{
    struct tcp_info ti;
    if (!tcp_info(fd, &ti, offsetof(struct tcp_info, tcpi_bytes_retrans) + 8))
        return false;
    *n = ti.tcpi_bytes_sent - ti.tcpi_bytes_retrans + ti.tcpi_notsent_bytes;
    return true;
}

/* The end of the stream takes a sequence number, too: once it has arrived, tcp(7)'s "received" has
 * counted it. */
static bool ended(const struct tcp_info *ti)
{
    enum { ESTABLISHED = 1, FIN_WAIT1 = 4, FIN_WAIT2 = 5 };
    return ti->tcpi_state != ESTABLISHED && ti->tcpi_state != FIN_WAIT1 &&
           ti->tcpi_state != FIN_WAIT2;
}

/* Where all that was received is known to be read, nothing is unread. Else a second question,
 * between which and the first more may arrive: then the difference is too small, and both are asked
 * again. */
int probe_consumed(int fd, uint64_t n)
{
    for (int i = 0; i < 4; i++) {
        struct tcp_info ti;
        int unread = 0;
        if (!tcp_info(fd, &ti, offsetof(struct tcp_info, tcpi_bytes_received) + 8))
            return -1;
        uint64_t received = ti.tcpi_bytes_received - ended(&ti);
        if (received != n && raw3(SYS_ioctl, fd, FIONREAD, (long)&unread) < 0)
            return -1;
        if (received - (unsigned)unread == n)
            return 1;
    }
    return 0;
}

int probe_listens(int fd)
{
    int yes = 0, len = sizeof(yes);
    return raw5(SYS_getsockopt, fd, SOL_SOCKET, SO_ACCEPTCONN, (long)&yes, (long)&len) < 0
               ? -1
               : yes != 0;
}

bool probe_stream_start(int fd, size_t n)
{
    return probe_consumed(fd, n) == 1;
}

/* rt_sigprocmask copies the set in before it looks at `how`, so an impossible `how` makes it a pure
 * question: EFAULT or EINVAL. */
bool probe_readable(const void *p)
{
    return raw4(SYS_rt_sigprocmask, -1, (long)((uintptr_t)p & ~(uintptr_t)7), 0, 8) == -22;
}

/* Without a new set, `how` does not matter, and the old set goes to p. */
bool probe_writable(void *p)
{
    return raw4(SYS_rt_sigprocmask, 0, 0, (long)p, 8) == 0;
}

bool probe_range(const void *p, size_t n)
{
    uintptr_t from = (uintptr_t)p, end = from + n; /* numbers, for it may be NULL, and may wrap */
    for (uintptr_t at = from; at < end; at = (at | 4095) + 1)
        if (!probe_readable((const void *)at))
            return false;
    return end >= from;
}

void probe_yield(void)
{
    raw0(SYS_sched_yield);
}
