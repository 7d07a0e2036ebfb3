/* SPDX-License-Identifier: Apache-2.0 */
/* exchange: one request in, one out, in any libc. Exit 0: the line was carried, once, and nothing
 * else differs; 3: no byte differs; 4: anything else. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void)
{
    static const char in[] = "GET / HTTP/1.1\r\nHost: a\r\nx-request-id: loaded\r\n\r\n";
    static const char out[] = "GET / HTTP/1.1\r\nHost: b\r\n\r\n";
    static const char carried[] = "GET / HTTP/1.1\r\nHost: b\r\nx-request-id: loaded\r\n\r\n";
    char buf[512] = "";
    int a[2], b[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, a) || socketpair(AF_UNIX, SOCK_STREAM, 0, b))
        return 1;
    if (write(a[1], in, sizeof(in) - 1) < 0 || read(a[0], buf, sizeof(buf)) < 0)
        return 1;
    if (write(b[0], out, sizeof(out) - 1) != sizeof(out) - 1)
        return 2;
    memset(buf, 0, sizeof(buf));
    if (read(b[1], buf, sizeof(buf) - 1) < 0)
        return 1;
    return !strcmp(buf, carried) ? 0 : !strcmp(buf, out) ? 3 : 4;
}
