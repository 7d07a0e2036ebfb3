/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names: which header names matter, from one list (propagators.def) plus the
 * names a user adds. A struct names is filled by names_init()/names_*() before
 * any connection exists and is constant from then on.
 */
#ifndef TB_CORE_NAMES_H
#define TB_CORE_NAMES_H

#include "span.h"

/* Ids: 0..NAMES_BUILTIN-1 are the rows of propagators.def (enum names_id, NAME_...), then fields
 * that decisions need (host, authorization, signature-input, x-amz-*...), then the user's extras. */

struct names;

/** Id of a lower-cased header name that is of interest under this configuration, or -1. */
int names_find(const struct names *n, struct span lower);

#endif
