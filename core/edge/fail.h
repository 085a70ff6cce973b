/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fail: the stream machine's and the dialler's steps as the steps an administrator is shown. */
#ifndef FG_EDGE_FAIL_H
#define FG_EDGE_FAIL_H

#include "edge/stats.h"
#include "engine/dial.h"
#include "xmpp/stream.h"

enum fail_step fail_step_of(const struct stream_failure *failure);
enum fail_step fail_step_of_dial(enum dial_step step);
/* 0 = EXTERNAL (or certificate), 1 = dialback over TLS, 2 = dialback in plain. */
uint32_t stat_method_idx(enum stream_method method);

#endif
