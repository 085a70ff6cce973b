/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fail: the stream machine's and the dialler's steps as the steps an administrator is shown. */
#ifndef FG_EDGE_FAIL_H
#define FG_EDGE_FAIL_H

#include "edge/edge.h"
#include "edge/stats.h"
#include "engine/dial.h"
#include "xmpp/stream.h"

enum fail_step fail_step_of(const struct stream_failure *failure);
enum fail_step fail_step_of_dial(enum dial_step step);
/* What a connection's end (ops.closed) says about TLS: counted and logged. is_in_order: the stream
 * was closed before. */
void fail_note_end(struct edge *e, const struct conn *c, const char *direction, int err,
                   bool is_in_order);
/* NONE does not occur: it is EXTERNAL's. */
enum stat_method stat_method_of(enum stream_method method);
/* The proof is the peer's certificate: it ends with what the certificate is worth. */
bool method_rests_on_certificate(enum stream_method method);

#endif
