/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe: questions to the kernel about a number or an address. Raw system calls:
 * they reach no hook, set no errno, and change nothing.
 */
#ifndef TB_SYS_PROBE_H
#define TB_SYS_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Is it a socket? Its identity goes to dev and ino (either may be NULL). */
bool probe_socket(int fd, uint64_t *dev, uint64_t *ino);

/** Is it a pipe, a socket or a terminal? */
bool probe_channel(int fd);

/** Does a read or write on it block (O_NONBLOCK is not set)? */
bool probe_blocks(int fd);

/** The connected peer: family 4, 6 or 1 (unix), port in host order; family 0 if there is none. */
void probe_peer(int fd, uint8_t *family, uint16_t *port, uint8_t ip[16]);

/** How many bytes were ever sent on this TCP stream, by whatever call of whatever process? False:
 * not TCP, or a kernel before 4.19. */
bool probe_sent(int fd, uint64_t *n);

/** Have exactly n bytes ever been read from this TCP stream? 1 yes, 0 no, -1 it cannot be told. */
int probe_consumed(int fd, uint64_t n);

/** Is it a listening socket? -1: not even a socket. */
int probe_listens(int fd);

/** Are the n bytes just read the first ones of this TCP stream? False for what is not TCP. */
bool probe_stream_start(int fd, size_t n);

/** May the byte at p be read (and the 7 after it in its aligned word)? */
bool probe_readable(const void *p);

/** May the 8 bytes at p be written? They are clobbered where they may. */
bool probe_writable(void *p);

/** ... every page of a range? */
bool probe_range(const void *p, size_t n);

/** Let another thread run. */
void probe_yield(void);

#endif
