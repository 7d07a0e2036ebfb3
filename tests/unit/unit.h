/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit: what the unit tests have in common: Check tests, each of which runs in
 * a process of its own, so that a crash is one failed test. Each has a TCase of
 * its own, whose name is the name of the test. One line a test, as every test
 * program prints them: `ok PROGRAM NAME`, `not ok PROGRAM NAME: why`.
 *
 * Check's variables work: CK_RUN_CASE=NAME runs one test, CK_TIMEOUT_MULTIPLIER
 * is for slow machines.
 */
#ifndef TB_TESTS_UNIT_H
#define TB_TESTS_UNIT_H

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNIT_SECONDS 120 /* for one test */

/* ck_assert_msg() writes to the parent each time that it holds, and there are millions: it is asked
 * only when it does not. */
#define CHECK_SAY(cond, ...)                                                                       \
    do {                                                                                           \
        if (!(cond))                                                                               \
            ck_assert_msg(false, __VA_ARGS__);                                                     \
    } while (0)

#define CHECK(cond) CHECK_SAY(cond, "%s", #cond)

/** `detail` says for which case. */
#define CHECK_FOR(cond, detail) CHECK_SAY(cond, "%s, for %s", #cond, detail)

static const char *unit_program;
static Suite *unit_suite;

static inline void unit_begin(const char *program)
{
    unit_program = program;
    unit_suite = suite_create(program);
}

/** A test of any name; `i` is its _i. The name must last. @return for fixtures. */
static inline TCase *unit_add(const char *name, const TTest *test, size_t i)
{
    TCase *c = tcase_create(name);
    tcase_set_timeout(c, UNIT_SECONDS);
    tcase_add_loop_test(c, test, (int)i, (int)i + 1);
    suite_add_tcase(unit_suite, c);
    return c;
}

#define UNIT(test) unit_add(#test, test, 0)

static inline void unit_result(TestResult *r)
{
    bool ok = tr_rtype(r) == CK_PASS;
    printf("%s %s %s", ok ? "ok" : "not ok", unit_program, tr_tcname(r));
    if (!ok) {
        printf(": line %d: ", tr_lno(r));
        for (const char *p = tr_msg(r); *p; p++)
            putchar(*p == '\n' || *p == '\r' ? '|' : *p);
    }
    putchar('\n');
}

/** Run them all. @return the exit status. */
static inline int unit_run(void)
{
    SRunner *runner = srunner_create(unit_suite);
    srunner_set_fork_status(runner, CK_FORK);
    check_set_max_msg_size(1 << 16); /* more than Check's buffer: a long text is cut, no error */
    fflush(stdout);                  /* or every child would have a copy */
    srunner_run_all(runner, CK_SILENT);
    int n = srunner_ntests_run(runner), failed = srunner_ntests_failed(runner);
    TestResult **results = srunner_results(runner);
    for (int i = 0; i < n; i++)
        unit_result(results[i]);
    if (n == 0)
        printf("not ok %s: there are no tests\n", unit_program);
    free(results);
    srunner_free(runner);
    return n == 0 || failed != 0;
}

/** Pseudo-random numbers: seeded, the same everywhere. */
static inline unsigned unit_random(unsigned below)
{
    static unsigned long long state = 0x9e3779b97f4a7c15ull;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)((state >> 33) % below);
}

#endif
