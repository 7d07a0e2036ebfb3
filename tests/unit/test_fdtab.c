/* SPDX-License-Identifier: Apache-2.0 */
/* test_fdtab: every number up to 1,048,576, and what lies beyond. */
#include "unit/unit.h"

#include "engine/fdtab.h"

/* A made-up pointer that differs for each number. */
static struct conn *mark(int fd)
{
    return (struct conn *)((uintptr_t)(fd + 1) * 64);
}

static void fill(void)
{
    for (int fd = 0; fd < FDTAB_MAX; fd++)
        CHECK(fdtab_set(fd, FD_CONN, mark(fd)) == NULL);
}

START_TEST(untouched)
{
    CHECK(fdtab_kind(5) == FD_UNKNOWN && fdtab_kind(1000000) == FD_UNKNOWN);
}
END_TEST

START_TEST(outside)
{
    CHECK(fdtab_kind(-1) == FD_FOREIGN && fdtab_kind(FDTAB_MAX) == FD_FOREIGN);
}
END_TEST

START_TEST(any_int)
{
    CHECK(fdtab_kind(2147483647) == FD_FOREIGN && fdtab_kind(-2147483647) == FD_FOREIGN);
}
END_TEST

START_TEST(every_number)
{
    fill();
    for (int fd = 0; fd < FDTAB_MAX; fd++)
        CHECK(fdtab_conn(fd) == mark(fd) && fdtab_kind(fd) == FD_CONN);
}
END_TEST

START_TEST(top)
{
    fill();
    CHECK(fdtab_top() == FDTAB_MAX);
}
END_TEST

START_TEST(replaced)
{
    fill();
    CHECK(fdtab_set(70000, FD_FOREIGN, NULL) == mark(70000) && fdtab_conn(70000) == NULL);
    CHECK(fdtab_kind(70000) == FD_FOREIGN && fdtab_conn(70001) == mark(70001));
}
END_TEST

START_TEST(not_stored)
{
    CHECK(fdtab_set(-1, FD_CONN, mark(1)) == mark(1));
    fill();
    CHECK(fdtab_set(-1, FD_CONN, mark(1)) == mark(1));
}
END_TEST

int main(void)
{
    unit_begin("fdtab");
    unit_add("untouched-is-unknown", untouched, 0);
    unit_add("outside-is-foreign", outside, 0);
    unit_add("any-int", any_int, 0);
    unit_add("every-number-to-1048576", every_number, 0);
    unit_add("top", top, 0);
    unit_add("replaced-is-returned", replaced, 0);
    unit_add("what-cannot-be-stored-comes-back", not_stored, 0);
    return unit_run();
}
