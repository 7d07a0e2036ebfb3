/* SPDX-License-Identifier: Apache-2.0 */
/* log: lines for people who asked for them. Raw writes to fd 2, bounded in length and number, safe
 * in a signal handler. Never a captured value. */
#ifndef TB_SYS_LOG_H
#define TB_SYS_LOG_H

#include <stddef.h>

void log_enable(void);

/** "tracebaton: WHAT: DETAIL"; detail need not be terminated and may be NULL. */
void log_line(const char *what, const char *detail, size_t n);

#endif
