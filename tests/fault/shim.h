/* SPDX-License-Identifier: Apache-2.0 */
/* shim: what the test and the shim (shim.c) share: the order, and the account of what came of it.
 */
#ifndef TB_TESTS_FAULT_SHIM_H
#define TB_TESTS_FAULT_SHIM_H

#define SHIM_CALLS 256
#define SHIM_FDS   1024

enum { SHIM_END = -1 }; /* as an error number: the read returns 0 */

/* At the real call with this number (from 1; 0: none): an error, or a count. */
struct fault {
    int at;
    int err;
    long cut; /* where err is 0: no more than this */
};

struct shim_call {
    int fd;
    int reads;
    long n; /* what it would have moved */
};

struct shim {
    int on;
    struct fault fault[2];
    int calls; /* real calls seen while on */
    struct shim_call call[SHIM_CALLS];
    int cut;    /* a count was cut since the test last cleared this */
    int ended;  /* a read was told 0 */
    int err[4]; /* errors given since the test last cleared errs */
    int errs;
    char dead[SHIM_FDS]; /* the connection was reset: EPIPE, and the end of the stream, from now on
                          */
};

#endif
