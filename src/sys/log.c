/* SPDX-License-Identifier: Apache-2.0 */
/* log: see log.h. */
#include "sys/log.h"

#include <string.h>

#include "sys/raw.h"

#define LINES 64

static int enabled, lines;

void log_enable(void)
{
    enabled = 1;
}

static size_t append(char *to, size_t at, size_t cap, const char *p, size_t n)
{
    if (n > cap - at)
        n = cap - at;
    for (size_t i = 0; i < n; i++) /* what a user typed may hold anything */
        to[at + i] = (p[i] >= ' ' && p[i] <= '~') ? p[i] : '?';
    return at + n;
}

static size_t length(const char *s)
{
    size_t n = 0;
    while (s[n])
        n++;
    return n;
}

void log_line(const char *what, const char *detail, size_t n)
{
    char line[256];
    size_t at = 0, cap = sizeof(line) - 1;
    if (!enabled || __atomic_add_fetch(&lines, 1, __ATOMIC_RELAXED) > LINES)
        return;
    at = append(line, at, cap, "tracebaton: ", 12);
    at = append(line, at, cap, what, length(what));
    if (detail) {
        at = append(line, at, cap, ": ", 2);
        at = append(line, at, cap, detail, n);
    }
    line[at++] = '\n';
    raw3(SYS_write, 2, (long)line, (long)at);
}
