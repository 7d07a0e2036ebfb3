/* SPDX-License-Identifier: Apache-2.0 */
/* real: see real.h. The only table of function pointers, made from hooks.def. */
#include "hooks/real.h"

#include <errno.h>

#include "sys/first.h"
#include "sys/next.h"

/* In a libc that lacks a function nobody can have linked against it; who looked it up with dlsym
 * and found ours is told what an old kernel would say: -1, or NULL from the ones that return a
 * pointer. One of each does for all: what they are called with is left where it is. */
static long absent(void)
{
    tb_errno_set(ENOSYS);
    return -1;
}

static void *absent_pointer(void)
{
    tb_errno_set(ENOSYS);
    return NULL;
}

/* The first call of each: bind them all, then go on as if it had been called itself. What is common
 * to all lies in first_call; a hook's own part only says which it is (sys/arch). */
#define HOOK(family, ret, name, params, args) FIRST_CALL(name)
#include "hooks/hooks.def"
#undef HOOK
FIRST_CALL_COMMON

#define HOOK(family, ret, name, params, args)                                                      \
    extern char first_##name[] __attribute__((visibility("hidden")));
#include "hooks/hooks.def"
#undef HOOK

struct real real_ = {
#define HOOK(family, ret, name, params, args) .name = (ret(*) params)(void *)first_##name,
#include "hooks/hooks.def"
#undef HOOK
};

static const char *const names[] = {
#define HOOK(family, ret, name, params, args) #name,
#include "hooks/hooks.def"
#undef HOOK
};

static const bool gives_pointer[] = {
#define HOOK(family, ret, name, params, args) __builtin_types_compatible_p(ret, pointer),
#include "hooks/hooks.def"
#undef HOOK
};

#define N (sizeof(names) / sizeof(names[0]))

/* The table is an array, but for its members' types. */
typedef void *__attribute__((may_alias)) slot;
_Static_assert(sizeof(struct real) == N * sizeof(slot), "function pointers alone");

void real_bind(void)
{
    int saved = tb_errno_get();
    slot found[N], *to = (slot *)(void *)&real_;
    next_find_many(names, found, N);
    for (size_t i = 0; i < N; i++) {
        slot other = gives_pointer[i] ? (slot)absent_pointer : (slot)absent;
        __atomic_store_n(&to[i], found[i] ? found[i] : other, __ATOMIC_RELAXED);
    }
    tb_errno_set(saved);
}
