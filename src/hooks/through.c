/* SPDX-License-Identifier: Apache-2.0 */
/*
 * through: see through.h. The loop below never reports a short count that the
 * kernel did not give: an edge-triggered program takes a short count for "the
 * buffer is full" and waits for an edge, and a program with a blocking socket
 * may not look at the count at all.
 */
#include "hooks/through.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include "sys/probe.h"

#define WINDOW 64 /* pieces of one real call; 1 KiB of stack */

/* The call exactly as the program made it. */
static ssize_t as_it_is(const struct call *c)
{
    if (c->raw)
        switch (c->kind) {
        case CALL_WRITE:
            return REAL(syscall)(SYS_write, c->fd, (long)c->buf, (long)c->n, 0, 0, 0);
        case CALL_WRITEV:
        case CALL_PWRITEV2:
            return REAL(syscall)(SYS_writev, c->fd, (long)c->iov, c->iovcnt, 0, 0, 0);
        case CALL_SEND:
        case CALL_SENDTO:
            return REAL(syscall)(SYS_sendto, c->fd, (long)c->buf, (long)c->n, c->flags, (long)c->to,
                                 c->tolen);
        case CALL_SENDMSG:
            return REAL(syscall)(SYS_sendmsg, c->fd, (long)c->msg, c->flags, 0, 0, 0);
        }
    switch (c->kind) {
    case CALL_WRITE:
        return REAL(write)(c->fd, c->buf, c->n);
    case CALL_WRITEV:
        return REAL(writev)(c->fd, c->iov, c->iovcnt);
    case CALL_PWRITEV2:
        return REAL(pwritev2)(c->fd, c->iov, c->iovcnt, -1, c->rwf);
    case CALL_SEND:
        return REAL(send)(c->fd, c->buf, c->n, c->flags);
    case CALL_SENDTO:
        return REAL(sendto)(c->fd, c->buf, c->n, c->flags, c->to, c->tolen);
    case CALL_SENDMSG:
        break;
    }
    return REAL(sendmsg)(c->fd, c->msg, c->flags);
}

/* The same call with other pieces. Ancillary data never comes this way (ENGINE_NO_EDIT). */
static ssize_t with_pieces(const struct call *c, struct iovec *iov, size_t n)
{
    if (n == 1 && !c->raw && c->kind == CALL_WRITE)
        return REAL(write)(c->fd, iov->iov_base, iov->iov_len);
    if (n == 1 && !c->raw && c->kind == CALL_SEND)
        return REAL(send)(c->fd, iov->iov_base, iov->iov_len, c->flags);
    if (c->kind == CALL_WRITE || c->kind == CALL_WRITEV)
        return c->raw ? REAL(syscall)(SYS_writev, c->fd, (long)iov, (long)n, 0, 0, 0)
                      : REAL(writev)(c->fd, iov, (int)n);
    if (c->kind == CALL_PWRITEV2)
        return REAL(pwritev2)(c->fd, iov, (int)n, -1, c->rwf);
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = n};
    if (c->kind == CALL_SENDTO) {
        m.msg_name = (void *)c->to;
        m.msg_namelen = c->tolen;
    } else if (c->kind == CALL_SENDMSG) {
        m.msg_name = c->msg->msg_name;
        m.msg_namelen = c->msg->msg_namelen;
    }
    return c->raw ? REAL(syscall)(SYS_sendmsg, c->fd, (long)&m, c->flags, 0, 0, 0)
                  : REAL(sendmsg)(c->fd, &m, c->flags);
}

static size_t length(const struct iovec *iov, size_t n)
{
    size_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += iov[i].iov_len;
    return sum;
}

static bool may_block(const struct call *c)
{
    return !(c->flags & MSG_DONTWAIT) && !(c->rwf & RWF_NOWAIT) && probe_blocks(c->fd);
}

/* Send the edited stream until all is out or the kernel stops.
 * @return wire bytes accepted; *last is the last real result. */
static size_t push(const struct call *c, const struct engine_send *s, ssize_t *last)
{
    size_t wire = edit_wire(&s->e), sent = 0;
    do {
        struct iovec iov[WINDOW];
        size_t n = 1;
        if (s->flat)
            iov[0] = (struct iovec){(void *)(s->flat + sent), wire - sent};
        else
            n = edit_pieces(&s->e, sent, s->v, s->nv, (struct edit_piece *)iov, WINDOW);
        size_t want = length(iov, n);
        *last = with_pieces(c, iov, n);
        if (*last <= 0)
            break;
        sent += (size_t)*last;
        /* A short count says that the kernel stopped. The program cannot be told 0, so where it
         * would be, a call that may block goes on, as it would have without our bytes. */
        if ((size_t)*last < want && (edit_accepted(&s->e, sent).told > 0 || !may_block(c)))
            break;
    } while (sent < wire);
    return sent;
}

static ssize_t edited(const struct call *c, struct engine_send *s)
{
    ssize_t last = 0;
    size_t sent = push(c, s, &last);
    int err = tb_errno_get();
    size_t told = edit_accepted(&s->e, sent).told;
    engine_send_end(s, (ssize_t)sent);
    if (told > 0)
        return (ssize_t)told;
    tb_errno_set(last < 0 ? err : EAGAIN);
    return -1;
}

static unsigned flags_of(const struct call *c)
{
    unsigned f = 0;
    if (c->flags & MSG_ZEROCOPY) /* the kernel would keep referring to our memory */
        f |= ENGINE_NO_EDIT;
    if (c->kind == CALL_SENDMSG && c->msg->msg_controllen)
        f |= ENGINE_NO_EDIT;
    if (c->flags & MSG_OOB)
        f |= ENGINE_OUT_OF_BAND;
    return f;
}

/* The call's pieces. @return false: they cannot be read (a bad pointer is the kernel's to refuse);
 * the call goes out as it is. */
static bool pieces(const struct call *c, struct iovec *one, const struct iovec **iov, size_t *n)
{
    *one = (struct iovec){(void *)c->buf, c->n};
    *iov = one;
    *n = 1;
    if (c->kind == CALL_WRITEV || c->kind == CALL_PWRITEV2) {
        *iov = c->iov;
        *n = c->iovcnt > 0 && c->iovcnt <= 1024 ? (size_t)c->iovcnt : 0;
    } else if (c->kind == CALL_SENDMSG) {
        if (!probe_range(c->msg, sizeof(*c->msg)))
            return false;
        *iov = c->msg->msg_iov;
        *n = c->msg->msg_iovlen <= 1024 ? c->msg->msg_iovlen : 0;
    } else {
        return true;
    }
    return probe_range(*iov, *n * sizeof(**iov));
}

COLD ssize_t call_through(const struct call *c)
{
    int saved = tb_errno_get();
    struct iovec one;
    const struct iovec *iov;
    size_t n;
    if (engine_restricted_now() || !pieces(c, &one, &iov, &n)) {
        tb_errno_set(saved);
        return as_it_is(c);
    }
    unsigned flags = flags_of(c);
    if (flags && !call_flush_owed(c->fd, c->flags & MSG_DONTWAIT))
        return -1;
    struct engine_send s;
    bool edit = engine_send_begin(&s, c->fd, (const struct edit_piece *)iov, n, flags);
    tb_errno_set(saved);
    if (edit)
        return edited(c, &s);
    ssize_t r = as_it_is(c);
    saved = tb_errno_get();
    engine_send_end(&s, r);
    tb_errno_set(saved);
    return r;
}

bool call_flush_owed(int fd, int flags)
{
    for (struct span owed = engine_owed(fd); owed.n > 0; owed = engine_owed(fd)) {
        ssize_t r = REAL(send)(fd, owed.p, owed.n, flags | MSG_NOSIGNAL);
        if (r <= 0) /* a broken pipe is the program's own call to meet, and its signal */
            return r < 0 && tb_errno_get() == EPIPE;
        engine_owed_sent(fd, (size_t)r);
    }
    return true;
}
