/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spawn: a context as the text of an environment variable, for children that are
 * programs of their own. `name: value|name: value`, printable on one line, with
 * `%25` and `%7C` in values for the two bytes that would mislead. What comes back
 * is judged as a request head is: a variable is as hostile as a header.
 *
 * A CGI script's environment holds its request (RFC 3875 4.1.18, HTTP_TRACEPARENT),
 * and so does that of every program the script starts.
 */
#ifndef TB_INLET_SPAWN_H
#define TB_INLET_SPAWN_H

#include "core/context.h"

/** @return bytes of text (not terminated), 0: nothing to say, or more than cap */
size_t spawn_write(const struct context *c, char *dst, size_t cap);

/** The value of one line, as OpenTelemetry's variables have them; 0: there is none, or it is too
 *  long. */
size_t spawn_value(const struct context *c, struct span name, char *dst, size_t cap);

/** Scans lines into a head. @param head begun (head_begin) by the caller @return whether all of the
 *  text was a head's fields */
bool spawn_read(struct span text, struct head *head);

/** Is this a CGI script's environment, or one of a program that a script has started? */
bool spawn_is_cgi(const char *(*env)(const char *name));

/** The name of the header that a CGI variable (NAME=VALUE) stands for, put to `name`.
 *  @return its length; 0: none */
size_t spawn_cgi_name(const char *var, char name[HTTP1_NAME_MAX]);

/** The same of one name and one value that are as they are: no escapes. A head may be made of
 * several. */
struct spawn_reader {
    struct http1 scan;
    struct head *head;
    bool ok;
};
void spawn_begin(struct spawn_reader *r, struct head *head);
void spawn_field(struct spawn_reader *r, struct span name, struct span value, bool escaped);
bool spawn_end(struct spawn_reader *r);

#endif
