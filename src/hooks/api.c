/* SPDX-License-Identifier: Apache-2.0 */
/* api: what include/tracebaton.h calls. Its contract is there. */
#include "hooks/real.h"

#include "tracebaton.h"
#include "engine/baton.h"
#include "sys/guard.h"

#define API(ret, name, params) __attribute__((visibility("default"))) ret name params;
#include "hooks/api.def"
#undef API

static uint64_t capture(int fd, const void *caller)
{
    int saved = tb_errno_get();
    tb_guard.caller = caller;
    uint64_t h = engine_capture(fd);
    tb_errno_set(saved);
    return h;
}

uint64_t tracebaton_1_capture(void)
{
    return capture(-1, __builtin_return_address(0));
}

uint64_t tracebaton_1_capture_fd(int fd)
{
    return fd < 0 ? 0 : capture(fd, __builtin_return_address(0));
}

void tracebaton_1_release(uint64_t context)
{
    if (context)
        baton_drop(context);
}

/* None entered is 0 inside, and nobody's work is not: outside it is the other way round, so that a
 * handle of 0, which is what capture gives where there is nothing, can be entered. */
uint64_t tracebaton_1_enter(uint64_t context)
{
    return engine_enter(context ? context : ENGINE_NOBODY);
}

void tracebaton_1_leave(uint64_t former)
{
    engine_enter(former);
}

size_t tracebaton_1_header(uint64_t context, const char *name, char *value, size_t size)
{
    size_t n = size ? engine_header(context, name, value, size - 1) : 0;
    if (size)
        value[n] = 0;
    return n;
}

const char *tracebaton_1_version(void)
{
    return TB_VERSION;
}
