/* SPDX-License-Identifier: Apache-2.0 */
/* guard: the only thread-local variable of the library. */
#include "sys/guard.h"

bool guard_forbidden;

__thread struct guard tb_guard __attribute__((tls_model("initial-exec")));
