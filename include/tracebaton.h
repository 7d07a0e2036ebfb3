/* SPDX-License-Identifier: Apache-2.0 */
/* tracebaton: the public header. For now it carries the version only; the hand-over API follows. */
#ifndef TRACEBATON_H
#define TRACEBATON_H

#define TB_VERSION "0.1.0"

#endif
