/* SPDX-License-Identifier: GPL-2.0-or-later */
/* leg_in: an incoming stream of a partner: reads stanzas, has the route take them. Once a pair is
 * authenticated the connection moves to the partner's home shard. */
#ifndef FG_EDGE_LEG_IN_H
#define FG_EDGE_LEG_IN_H

#include "edge/edge.h"

/* Takes a connection just accepted; direct_tls: the handshake comes first (XEP-0368). */
void leg_in_accept(struct edge *e, struct conn *c, bool direct_tls);
/* What the authoritative server said about a key (mail or call). */
void leg_in_verify_result(struct edge *e, const struct mail_verify *v);
/* After a new snapshot: holds one more stream against it (review.h); false = none is left. */
bool legs_in_review_next(struct edge *e);
/* Hands over what has to move. */
void legs_in_turn_end(struct edge *e);
/* Orderly stop: closes all; returns how many are still open. */
uint32_t legs_in_drain(struct edge *e);
/* One row per authenticated stream. */
struct report_streams;
void legs_in_report(const struct edge *e, struct report_streams *out);

#endif
