/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inlet: other doors for an inbound request than HTTP, as web servers speak them
 * to applications: FastCGI, uwsgi, SCGI. The headers arrive as CGI variables (RFC 3875 4.1.18:
 * HTTP_X_REQUEST_ID) and leave as the fields that http1's sink would have heard,
 * so that capture need not know the door.
 *
 * Rules of src/inlet: as those of src/core, which is all it may use: pure bytes,
 * incremental at every byte, no state but struct inlet, no allocation. What is not
 * understood ends in INLET_DOWN and stays there.
 */
#ifndef TB_INLET_INLET_H
#define TB_INLET_INLET_H

#include "core/http1.h"

enum inlet_kind { INLET_NONE, INLET_FASTCGI, INLET_UWSGI, INLET_SCGI };

enum inlet_event {
    INLET_MORE = 0,
    INLET_BEGIN, /* inbound: a request begins; the next call reports its fields */
    INLET_HEAD,  /* inbound: all of its variables were reported */
    INLET_END,   /* outbound: its answer is complete */
    INLET_DOWN
};

struct inlet {
    uint8_t kind;
    bool outbound;
    uint8_t state;        /* of the frame: private to the door; 255: down */
    uint8_t phase;        /* of the variables: lengths, name or value */
    bool open;            /* FastCGI: a request was begun and not ended */
    bool wanted;          /* the value in progress is one for the sink */
    bool sizes;           /* ... is CONTENT_LENGTH's */
    uint16_t id;          /* FastCGI: of the open request */
    uint8_t type, pad;    /* FastCGI: of the record in progress */
    uint8_t raw_n, len_n; /* bytes of these so far: */
    uint8_t raw[8];       /* the frame's header */
    uint8_t len[8];       /* the lengths of the variable in progress */
    uint32_t content;     /* bytes of the record, or of all variables, still to come */
    uint32_t name, value; /* bytes of the variable in progress still to come */
    uint64_t body;        /* bytes of the body still to come (CONTENT_LENGTH) */
    uint16_t name_len;
    char text[HTTP1_NAME_MAX]; /* its name; too long a one is of no interest */
};

/** Which door do the first bytes of a stream belong to? FastCGI needs eight of them, the others
 *  the name of their first variable: servers send all of it at once. */
enum inlet_kind inlet_guess(const char *p, size_t n);

void inlet_init(struct inlet *in, enum inlet_kind kind, bool outbound);

/**
 * Scan bytes until the next event.
 * @param used out: how many were consumed
 * @param sink hears `field`, `value` and `end` of variables that stand for header fields, with
 * names such as http1 reports them
 * @return the event; after any but DOWN call again with the rest, also with none
 */
enum inlet_event inlet_scan(struct inlet *in, const char *p, size_t n, size_t *used,
                            const struct http1_sink *sink, void *ctx);

#endif
