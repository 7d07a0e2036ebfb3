/* SPDX-License-Identifier: Apache-2.0 */
/*
 * init: the constructor. The kill switch comes before anything else. There is no
 * destructor: hooks run after it, so it could free nothing anyway.
 */
#include "hooks/real.h"

#include "bridge/bridge.h"
#include "sys/env.h"

__attribute__((constructor)) static void start(void)
{
    if (env_is_off())
        return;
    int saved = tb_errno_get();
    real_bind();
    engine_start();
    if (engine_on())
        bridge_start();
    tb_errno_set(saved);
}
