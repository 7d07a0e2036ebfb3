/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine: the verbs that hooks may call. It says what is to be sent and never
 * sends it: no verb makes a real call on a program's fd that could block, change
 * it, or consume a byte (it asks for flags, identity and addresses only).
 *
 * Every verb keeps errno, is safe in a signal handler, and does nothing where
 * the number is not ours. Callers have already seen fdtab_kind() != FD_FOREIGN.
 */
#ifndef TB_ENGINE_ENGINE_H
#define TB_ENGINE_ENGINE_H

#include "core/edit.h"
#include "engine/carrier.h"
#include "engine/fdtab.h"
#include "engine/policy.h"

#include <sys/types.h>

extern struct policy engine_policy;

/** Configure and switch on. Until then every number is foreign. */
void engine_start(void);
bool engine_on(void);
/** A bridge sees all requests and writes the lines itself: connections need not be followed any
 *  more, but for the account where one is kept. */
void engine_relieve(void);

/* --- bytes in ------------------------------------------------------------------------------- */

/** n bytes were read into the pieces. `peeked`: they stay in the socket. `waits`: the call was
 *  allowed to block by its flags. A NULL pointer in a piece: the bytes were consumed unseen. */
void engine_received(int fd, const struct edit_piece *v, size_t nv, size_t n, bool waits,
                     bool peeked);

/* --- bytes out ------------------------------------------------------------------------------ */

/** One send call between its two phases. The caller reads `edited`, `e`, `v`, `nv`; the rest is
 *  the engine's. */
struct engine_send {
    bool edited; /* send e's wire stream; else the program's bytes as they are */
    struct edit e;
    const struct edit_piece *v;
    size_t nv;
    const char *flat; /* the wire stream in one piece, if it is short; else NULL */
    int fd;
    struct conn *conn; /* NULL: nothing to account for */
    uint32_t gen;
    bool scanned;    /* `out` has advanced over all offered bytes */
    bool skipped;    /* ... over some of them without looking at them: they may not be readable */
    bool saw_down;   /* ... and stopped to understand them */
    bool identified; /* the connection was, by this call's first question */
    bool had_store;  /* checkpoint: there was a head in progress */
    bool was_decided;
    uint8_t answer; /* enum carrier_answer: what was said of whose work this is, not inferred */
    unsigned rule;  /* ... by which rule */
    uint64_t baton; /* ... and its baton, held */
    void *block;    /* the insertions' text */
    size_t block_used;
};

/** What a send call may do to us. */
enum engine_send_flags {
    ENGINE_NO_EDIT = 1, /* this call's bytes must go out as they are (zero-copy, ancillary data) */
    ENGINE_OUT_OF_BAND = 2
};

/** Before the call. The pieces must stay valid until engine_send_end(). @return s->edited */
bool engine_send_begin(struct engine_send *s, int fd, const struct edit_piece *v, size_t nv,
                       unsigned flags);

/** After it: how many wire bytes (edited) or program bytes left; negative: none. */
void engine_send_end(struct engine_send *s, ssize_t accepted);

/** Owed bytes that must leave before anything else does (sendfile, splice, shutdown); copies of the
 *  pointers, valid until engine_owed_sent(). */
struct span engine_owed(int fd);
void engine_owed_sent(int fd, size_t n);

/** n bytes were sent that nobody could see. */
void engine_sent_unseen(int fd, size_t n);

/* --- whose work ----------------------------------------------------------------------------- */

#define ENGINE_NOBODY UINT64_MAX /* engine_enter(): for sure nobody's work */

/** What is current for the calling thread, or (fd >= 0) open on that inbound connection: a baton's
 *  handle, held; 0: nothing certain. Neither guard nor lock may be held; tb_guard.caller is set. */
uint64_t engine_capture(int fd);

void engine_uncapture(uint64_t handle);

/** The thread says whose work it does from now on; 0: it says nothing. @return what it said before.
 *  The handle is not held. */
uint64_t engine_enter(uint64_t handle);
/** The same, said by a bridge. */
uint64_t engine_enter_as(uint64_t handle);

/** The value of a header of a baton's context; 0: none, or more than size. */
size_t engine_header(uint64_t handle, const char *name, char *value, size_t size);

/** This is a fork child; what was current in its parent (held), or 0. */
void engine_forked(uint64_t handle);

/* --- life of a number ----------------------------------------------------------------------- */

void engine_socket(int fd, int domain, int type); /* a socket was made */
void engine_listening(int fd);
void engine_accepted(int listener, int fd);
void engine_connecting(int fd); /* before the call */
void engine_connected(int fd);  /* after it: a socket that was used before begins anew */
void engine_flags(int fd);      /* O_NONBLOCK was set or cleared */
void engine_epoll(int fd);      /* an epoll instance was made */
void engine_stray(int fd);      /* bytes move by a call whose bytes nobody can follow */
void engine_restricted(
    void); /* the process restricts its system calls (seccomp): no more of ours */
bool engine_restricted_now(void);
void engine_closing(int fd);
void engine_closing_range(unsigned first, unsigned last);
void engine_duplicated(int fd, int to);
void engine_passed(int fd);   /* arrived by SCM_RIGHTS */
void engine_shutdown(int fd); /* of the sending direction */

/* --- waiting -------------------------------------------------------------------------------- */

/** Does the calling thread serve an exchange? (else waits need not be told) */
bool engine_serving(void);
/** Would a wait on this number be one for inbound work other than the exchange being served? */
bool engine_inbound(int fd);
/** The thread waits for inbound work. */
void engine_waiting(void);
/** The thread waits on this epoll instance. */
void engine_polling(int epfd);
/** The thread waits for this number alone. */
void engine_waiting_for(int fd);
/** The number was added to an epoll instance. */
void engine_watched(int epfd, int fd);

#endif
