/* SPDX-License-Identifier: Apache-2.0 */
/* carrying: the engine's side of carrier.h. Called without a lock and without the guard; errno is
 * kept. Where no carrier is attached each is one load. */
#ifndef TB_ENGINE_CARRYING_H
#define TB_ENGINE_CARRYING_H

#include "engine/carrier.h"

static inline bool carrier_here(void)
{
    return __builtin_expect(__atomic_load_n(&engine_carrier, __ATOMIC_ACQUIRE) != NULL, 0);
}

void carrier_tell_accepted(uint64_t connection, int fd);
void carrier_tell_opened(uint64_t exchange, uint64_t connection, int fd);

/** CARRIER_PASS where there is none. */
enum carrier_answer carrier_ask(uint64_t *handle, int fd);

#endif
