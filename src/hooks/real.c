/* SPDX-License-Identifier: Apache-2.0 */
/* real: see real.h. The only table of function pointers, made from hooks.def. */
#include "hooks/real.h"

#include <errno.h>

#include "sys/next.h"

/* -1, or NULL for the one that returns a pointer. */
#define ABSENT(ret)                                                                                \
    ((ret)(sizeof(ret) == sizeof(char *) && __builtin_types_compatible_p(ret, void *) ? 0 : -1))

/* In a libc that lacks a function nobody can have linked against it; who looked it up with dlsym
 * and found ours is told what an old kernel would say. */
#define HOOK(family, ret, name, params, args)                                                      \
    static ret absent_##name params                                                                \
    {                                                                                              \
        tb_errno_set(ENOSYS);                                                                      \
        return ABSENT(ret);                                                                        \
    }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include "hooks/hooks.def"
#pragma GCC diagnostic pop
#undef HOOK

#define HOOK(family, ret, name, params, args)                                                      \
    static ret first_##name params                                                                 \
    {                                                                                              \
        real_bind();                                                                               \
        return REAL(name) args;                                                                    \
    }
#include "hooks/hooks.def"
#undef HOOK

struct real real_ = {
#define HOOK(family, ret, name, params, args) .name = first_##name,
#include "hooks/hooks.def"
#undef HOOK
};

static const char *const names[] = {
#define HOOK(family, ret, name, params, args) #name,
#include "hooks/hooks.def"
#undef HOOK
};

#define N (sizeof(names) / sizeof(names[0]))

void real_bind(void)
{
    int saved = tb_errno_get();
    void *found[N];
    size_t i = 0;
    next_find_many(names, found, N);
#define HOOK(family, ret, name, params, args)                                                      \
    __atomic_store_n(&real_.name, found[i] ? (ret(*) params)found[i] : absent_##name,              \
                     __ATOMIC_RELAXED);                                                            \
    i++;
#include "hooks/hooks.def"
#undef HOOK
    tb_errno_set(saved);
}
