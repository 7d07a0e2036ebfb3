/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TB_HOOKS_LOAD_H
#define TB_HOOKS_LOAD_H

#include "hooks/real.h"

/** Objects that bind past us may have come: redirect them. Cheap when there are none. */
void load_check(void);

#endif
