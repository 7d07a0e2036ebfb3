/* SPDX-License-Identifier: Apache-2.0 */
/* test_fdtab: every number up to 1,048,576, and what lies beyond. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/fdtab.h"

static int failed;

static void check(int ok, const char *name)
{
    printf(ok ? "ok %s\n" : "not ok %s: see the source\n", name);
    failed |= !ok;
}

/* A made-up pointer that differs for each number. */
static struct conn *mark(int fd)
{
    return (struct conn *)((uintptr_t)(fd + 1) * 64);
}

int main(void)
{
    int good = 1, kept = 1;
    check(fdtab_kind(5) == FD_UNKNOWN && fdtab_kind(1000000) == FD_UNKNOWN, "untouched-is-unknown");
    check(fdtab_kind(-1) == FD_FOREIGN && fdtab_kind(FDTAB_MAX) == FD_FOREIGN, "outside-is-foreign");
    check(fdtab_kind(2147483647) == FD_FOREIGN && fdtab_kind(-2147483647) == FD_FOREIGN, "any-int");
    for (int fd = 0; fd < FDTAB_MAX; fd++)
        good &= fdtab_set(fd, FD_CONN, mark(fd)) == NULL;
    for (int fd = 0; fd < FDTAB_MAX; fd++)
        kept &= fdtab_conn(fd) == mark(fd) && fdtab_kind(fd) == FD_CONN;
    check(good && kept, "every-number-to-1048576");
    check(fdtab_top() == FDTAB_MAX, "top");
    check(fdtab_set(70000, FD_FOREIGN, NULL) == mark(70000) && fdtab_conn(70000) == NULL &&
              fdtab_kind(70000) == FD_FOREIGN && fdtab_conn(70001) == mark(70001),
          "replaced-is-returned");
    check(fdtab_set(-1, FD_CONN, mark(1)) == mark(1), "what-cannot-be-stored-comes-back");
    return failed;
}
