/* SPDX-License-Identifier: Apache-2.0 */
/*
 * install: the only program of the image. It copies libtracebaton.so to where
 * the application's container will load it from: to a temporary file beside it,
 * synced, then renamed, since a loader that meets half a file kills the program.
 * Static and without privileges: it runs as any user, on a read-only root.
 *
 *   install DIRECTORY          copy the library there
 *   cp -r SOURCE/. DIRECTORY   the same (the OpenTelemetry operator calls it so)
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "libtracebaton.so"

static int fail(const char *what, const char *path)
{
    fprintf(stderr, "tracebaton install: %s %s: %s\n", what, path, strerror(errno));
    return 1;
}

static int write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t r = write(fd, p, n);
        if (r < 0 && errno != EINTR)
            return -1;
        p += r > 0 ? r : 0;
        n -= r > 0 ? (size_t)r : 0;
    }
    return 0;
}

static int copy(int from, int to)
{
    static char buf[65536];
    ssize_t n;
    while ((n = read(from, buf, sizeof(buf))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 || write_all(to, buf, (size_t)n) != 0)
            return -1;
    }
    return fsync(to) == 0 || errno == EINVAL ? 0 : -1;
}

/* Two installers may run at once: each has a temporary file of its own. */
static int install(const char *source, const char *dir)
{
    char tmp[4096], path[4096];
    snprintf(path, sizeof(path), "%s/" NAME, dir);
    if (snprintf(tmp, sizeof(tmp), "%s/." NAME ".XXXXXX", dir) >= (int)sizeof(tmp))
        return errno = ENAMETOOLONG, fail("cannot use", dir);
    int from = open(source, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        return fail("cannot read", source);
    int to = mkstemp(tmp);
    if (to < 0)
        return fail("cannot write to", dir);
    if (copy(from, to) != 0 || fchmod(to, 0755) != 0 || close(to) != 0 || rename(tmp, path) != 0) {
        int status = fail("cannot write", tmp);
        unlink(tmp);
        return status;
    }
    printf("tracebaton install: %s\n", path);
    return 0;
}

static const char *base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

int main(int argc, char **argv)
{
    const char *source = getenv("TRACEBATON_SOURCE");
    bool cp = argc > 0 && strcmp(base(argv[0]), "cp") == 0;
    char from[4096];
    if (cp && argc == 4 && strcmp(argv[1], "-r") == 0) {
        snprintf(from, sizeof(from), "%s/" NAME, argv[2]);
        return install(from, argv[3]);
    }
    if (!cp && argc == 2)
        return install(source ? source : "/" NAME, argv[1]);
    fprintf(stderr, "usage: install DIRECTORY\n       cp -r SOURCE/. DIRECTORY\n");
    return 2;
}
