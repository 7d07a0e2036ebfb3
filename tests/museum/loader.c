/* SPDX-License-Identifier: Apache-2.0 */
/* loader: preloaded under the library; counts who asks the loader for anything. */
#include <dlfcn.h>
#include <link.h>

static int calls;

int loader_calls(void)
{
    return __atomic_load_n(&calls, __ATOMIC_RELAXED);
}
#define COUNTED(ret, name, params, args)                                                           \
    ret name params                                                                                \
    {                                                                                              \
        __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);                                           \
        ret(*real) params = (ret(*) params)dlsym(RTLD_NEXT, #name);                                \
        return real args;                                                                          \
    }
COUNTED(int, dl_iterate_phdr, (int (*f)(struct dl_phdr_info *, size_t, void *), void *p), (f, p))
