/* SPDX-License-Identifier: Apache-2.0 */
/* file: bytes that move inside the kernel. Owed bytes leave first; the moved ones are counted. */
#include "hooks/through.h"

static COLD void sent(int fd, ssize_t n)
{
    int saved = tb_errno_get();
    if (n > 0 && !is_foreign(fd))
        engine_sent_unseen(fd, (size_t)n);
    tb_errno_set(saved);
}

static COLD void consumed(int fd, ssize_t n)
{
    int saved = tb_errno_get();
    struct edit_piece gone = {NULL, n > 0 ? (size_t)n : 0};
    if (n > 0 && !is_foreign(fd))
        engine_received(fd, &gone, 1, (size_t)n, true, false);
    tb_errno_set(saved);
}

ssize_t hook_sendfile(int out, int in, off_t *off, size_t n)
{
    if (is_foreign(out))
        return REAL(sendfile)(out, in, off, n);
    if (!call_flush_owed(out, 0))
        return -1;
    ssize_t r = REAL(sendfile)(out, in, off, n);
    sent(out, r);
    return r;
}

ssize_t hook_sendfile64(int out, int in, off64_t *off, size_t n)
{
    if (is_foreign(out))
        return REAL(sendfile64)(out, in, off, n);
    if (!call_flush_owed(out, 0))
        return -1;
    ssize_t r = REAL(sendfile64)(out, in, off, n);
    sent(out, r);
    return r;
}

ssize_t hook_splice(int in, off64_t *offin, int out, off64_t *offout, size_t n, unsigned flags)
{
    if (is_foreign(in) && is_foreign(out))
        return REAL(splice)(in, offin, out, offout, n, flags);
    if (!call_flush_owed(out, 0))
        return -1;
    ssize_t r = REAL(splice)(in, offin, out, offout, n, flags);
    sent(out, r);
    consumed(in, r);
    return r;
}
