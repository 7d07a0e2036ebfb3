/* SPDX-License-Identifier: Apache-2.0 */
/* jvm: not bridged yet. */
#include "bridge/bridge.h"

static enum bridge_state attach(const void *caller)
{
    (void)caller;
    return BRIDGE_ABSENT;
}

const struct bridge bridge_jvm = {NULL, attach};
