/* SPDX-License-Identifier: Apache-2.0 */
/*
 * got: objects whose calls bypass us. With RTLD_DEEPBIND an object and what it
 * pulls in bind to their own dependencies first, so to libc before a preloaded
 * library (PHP loads every extension so, and with ext/curl all of libcurl). Their
 * slots of the global offset table are redirected once they are there.
 *
 * Only objects that came after the first such dlopen are looked at, and in them
 * only slots that hold the very function we would call ourselves, or that are not
 * bound yet. A slot that the loader has not relocated yet is left for later: it
 * would add the load address to what we wrote. RELRO pages are opened for the one
 * store and closed again.
 */
#ifndef TB_SYS_GOT_H
#define TB_SYS_GOT_H

#include <stdbool.h>
#include <stddef.h>

struct got_names {
    const char *const *name;
    void *const *from; /* the functions that would be called without us */
    void *const *to;   /* ours */
    unsigned n;
};

/** How many objects are loaded now. Takes the loader's lock. */
unsigned got_objects(void);

/** Redirect in the objects after the first `known`. Takes the loader's lock.
 *  @return false: something was not relocated yet; call again later */
bool got_redirect(unsigned known, const struct got_names *names);

#endif
