/* SPDX-License-Identifier: Apache-2.0 */
/*
 * endless: exchanges without end, some of them in children, for whoever kills it. Two numbers in
 * the file that is named say how many were begun and how many are done; the second argument, if
 * there is one, says after how many it ends.
 */
#include "raw.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>

static struct {
    uint64_t begun, done;
} * progress;

static void exchange(int in[2], int out[2])
{
    static const char call[] = "GET /out HTTP/1.1\r\nHost: b\r\n\r\n";
    char buf[512];
    __atomic_add_fetch(&progress->begun, 1, __ATOMIC_SEQ_CST);
    serve(in, IN_HEADERS);
    need(write(out[0], call, sizeof(call) - 1) == sizeof(call) - 1, "call");
    raw_drain(out[1], buf, sizeof(buf));
    finish(in);
    __atomic_add_fetch(&progress->done, 1, __ATOMIC_SEQ_CST);
}

static void exchanges(int n)
{
    int in[2], out[2];
    pair(out);
    for (int i = 0; i < n; i++)
        exchange(in, out);
    close(out[0]);
    raw_close(out[1]);
}

int main(int argc, char **argv)
{
    int fd = argc > 1 ? open(argv[1], O_RDWR) : -1;
    progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (progress == MAP_FAILED)
        return 1;
    for (int i = 0, end = argc > 2 ? atoi(argv[2]) : 0; !end || i < end; i++) {
        exchanges(20);
        if (fork() == 0) {
            exchanges(3);
            _exit(0);
        }
        while (wait(NULL) > 0)
            ;
    }
    return 0;
}
