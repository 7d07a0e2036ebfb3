/* SPDX-License-Identifier: Apache-2.0 */
/* warned: a `warn` callback that remembers what it was told: "what (detail)\n" each time. */
#ifndef TB_TESTS_WARNED_H
#define TB_TESTS_WARNED_H

#include <stdio.h>
#include <string.h>

static char warned_text[8192];
static unsigned warned_count;

static inline void warned(const char *what, const char *detail, size_t n)
{
    size_t at = strlen(warned_text);
    warned_count++;
    snprintf(warned_text + at, sizeof(warned_text) - at, "%s (%.*s)\n", what,
             (int)(n < 80 ? n : 80), detail);
}

static inline void warned_reset(void)
{
    warned_text[0] = 0;
    warned_count = 0;
}

#endif
