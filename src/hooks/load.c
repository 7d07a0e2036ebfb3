/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load: objects that bind past us (sys/got.h). dlopen() is passed on by a jump, so
 * that its caller stays its caller: search paths and namespaces depend on it
 * (glibc takes it from the return address). The redirection comes later, when a
 * request is about to be read.
 */
#include "hooks/load.h"

#include <dlfcn.h>

#include "sys/got.h"

enum { NOTHING, PENDING };
static unsigned state, known;

static COLD void deep(void)
{
    int saved = tb_errno_get();
    if (!__atomic_load_n(&known, __ATOMIC_RELAXED))
        __atomic_store_n(&known, got_objects(), __ATOMIC_RELAXED);
    __atomic_store_n(&state, PENDING, __ATOMIC_RELEASE);
    tb_errno_set(saved);
}

void *hook_dlopen(const char *file, int mode)
{
    if ((mode & RTLD_DEEPBIND) && engine_on())
        deep();
    return REAL(dlopen)(file, mode);
}

static const char *const names[] = {
#define HOOK(family, ret, name, params, args) #name,
#include "hooks/hooks.def"
#undef HOOK
};

#define N (sizeof(names) / sizeof(names[0]))

static COLD void redirect(void)
{
    void *from[N], *to[N] = {
#define HOOK(family, ret, name, params, args) (void *)hook_##name,
#include "hooks/hooks.def"
#undef HOOK
                   };
    size_t i = 0;
#define HOOK(family, ret, name, params, args) from[i++] = (void *)REAL(name);
#include "hooks/hooks.def"
#undef HOOK
    struct got_names list = {names, from, to, N};
    __atomic_store_n(&state, NOTHING, __ATOMIC_RELEASE);
    if (!got_redirect(__atomic_load_n(&known, __ATOMIC_RELAXED), &list))
        __atomic_store_n(&state, PENDING, __ATOMIC_RELEASE);
}

void load_check(void)
{
    if (__builtin_expect(__atomic_load_n(&state, __ATOMIC_ACQUIRE) == NOTHING, 1) ||
        engine_restricted_now())
        return;
    int saved = tb_errno_get();
    redirect();
    tb_errno_set(saved);
}
