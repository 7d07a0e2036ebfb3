/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bridge: exact carriers of runtimes whose threads say nothing about whose work
 * runs. One file (or a few of one name) a runtime, one small interface.
 *
 * Rules of src/bridge: a bridge checks itself before it attaches (symbols,
 * versions, layouts), and turns itself off on any surprise; then its runtime gets
 * nothing, never a guess. It calls the runtime only where the runtime may be
 * called, keeps errno and pending exceptions, holds no lock of ours across such a
 * call, makes no thread, and writes no file. It knows batons, not HTTP.
 */
#ifndef TB_BRIDGE_BRIDGE_H
#define TB_BRIDGE_BRIDGE_H

#include "core/edit.h"
#include "engine/carrier.h"

enum bridge_id {
#define BRIDGE(id, name) BRIDGE_##id,
#include "bridge/bridges.def"
#undef BRIDGE
    BRIDGE_COUNT
};

enum bridge_state {
    BRIDGE_ABSENT,  /* its runtime is not in this process (as yet); nothing was changed */
    BRIDGE_LATER,   /* it is, but cannot be asked here or now; nothing was changed */
    BRIDGE_ON,      /* attached: carrier_attach() was called, or it tells by engine_enter_as() */
    BRIDGE_REFUSED, /* it is, and will never be bridged: a version or a layout we do not know */
};

struct bridge {
    /** Before main, once; most have none. */
    void (*start)(void);
    /** Try. Called where a program listens, accepts, or reads its first request, until it is ON or
     *  REFUSED. `caller`: see carrier.h. */
    enum bridge_state (*attach)(const void *caller);
};

extern const struct bridge bridge_node, bridge_jvm, bridge_python, bridge_ruby;

/** In the constructor, once the engine has started. */
void bridge_start(void);

/** Is there still one to be tried? For the hooks' fast path. */
extern bool bridge_pending;

/** Try those that are wanted (TRACEBATON_BRIDGES) and not settled. errno is kept. */
void bridge_check(const void *caller);

/** Reads on this number, which is no file's, are a bridge's questions (node.c). The pieces are the
 *  program's. @return false: not one; the kernel is to refuse it */
#define BRIDGE_FD 0x7462746e
bool bridge_call(const struct edit_piece *v, int n, size_t *answer);

/** The name of the object that holds an address (last part of its path), NULL: none. Remembered
 *  for one caller at a time; takes the loader's lock when it is another one. */
bool bridge_called_from(const void *caller, const char *const *prefixes, size_t n);

#endif
