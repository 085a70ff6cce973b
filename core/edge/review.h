/* SPDX-License-Identifier: GPL-2.0-or-later */
/* review: after a reload each stream is held against the new rules: of a partner that is gone,
 * blocked, in maintenance or above its limit, with a certificate, a TLS version or a way of
 * authentication that is accepted no more. In slices, so that a shard with many streams goes on
 * serving the others; what meets its stream before its turn (a stanza) has the new rules asked
 * then. The SIP side has its own (sip_side_review). The shard's thread only. */
#ifndef FG_EDGE_REVIEW_H
#define FG_EDGE_REVIEW_H

#include "edge/edge.h"

/* A new snapshot is in force (setup_version has grown). */
void review_start(struct edge *e);
/* At the shard's end. */
void review_stop(struct edge *e);

#endif
