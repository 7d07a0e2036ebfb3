/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tap: the harness of the unit tests. A test is a function; the first CHECK()
 * that fails names it, and the test goes on. One line a test, as every test
 * program prints them: `ok PROGRAM NAME`, `not ok PROGRAM NAME: why`.
 */
#ifndef TB_TESTS_TAP_H
#define TB_TESTS_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tap_failed;
static char tap_why[512];

__attribute__((format(printf, 1, 2))) static inline void tap_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!*tap_why)
        vsnprintf(tap_why, sizeof(tap_why), format, args);
    va_end(args);
}

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond))                                                                               \
            tap_fail("line %d: %s", __LINE__, #cond);                                              \
    } while (0)

/** `detail` says for which case. */
#define CHECK_FOR(cond, detail)                                                                    \
    do {                                                                                           \
        if (!(cond))                                                                               \
            tap_fail("line %d: %s, for %s", __LINE__, #cond, detail);                              \
    } while (0)

/** One line for one result. */
static inline void tap_result(const char *program, const char *name)
{
    for (char *p = tap_why; *p; p++)
        if (*p == '\n' || *p == '\r')
            *p = '|';
    if (*tap_why)
        printf("not ok %s %s: %s\n", program, name, tap_why);
    else
        printf("ok %s %s\n", program, name);
    tap_failed |= *tap_why != 0;
    *tap_why = 0;
}

#define RUN(test)                                                                                  \
    do {                                                                                           \
        test();                                                                                    \
        tap_result(TAP_PROGRAM, #test);                                                            \
    } while (0)

/** Pseudo-random numbers: seeded, the same everywhere. */
static inline unsigned tap_random(unsigned below)
{
    static unsigned long long state = 0x9e3779b97f4a7c15ull;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)((state >> 33) % below);
}

#endif
