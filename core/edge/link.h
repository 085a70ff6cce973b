/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link: what goes from one of our domains to one of a partner's: the queue, the outgoing stream,
 * its failures and retries, and custody until the partner has confirmed. Lives on the partner's
 * home shard; exists from the first stanza (or dialback question) until it has been idle for a
 * while.
 *
 *   IDLE -> DIALLING -> NEGOTIATING -> READY -> IDLE      the stream's end requeues or bounces
 *               |            |                            what was not confirmed
 *               +------------+--> BACKOFF -> DIALLING ... until the queue is empty or too old
 *
 * Any shard calls the *_send functions; the others run on the home shard. */
#ifndef FG_EDGE_LINK_H
#define FG_EDGE_LINK_H

#include "edge/edge.h"

/* Takes the block; home shard only (route_block finds it). w: way_of its pair, just asked. */
void link_deliver(struct edge *e, struct way *w, struct block *b);
/* Takes the question; answers by leg_in_verify_result on the asker's shard. */
void link_verify_send(struct edge *e, struct mail_verify *v);
void link_verify(struct edge *e, struct mail_verify *v);
/* The partner dialled in for this pair: it is up, a back-off ends. */
void link_seen(struct edge *e, struct slice local, struct slice remote);
void link_partner_seen(struct edge *e, const struct mail_pair *m);
/* A ping of ours was answered: everything written before it has arrived. */
void link_confirm_send(struct edge *e, struct slice local, struct slice remote, uint64_t number);
void link_confirm(struct edge *e, const struct mail_confirm *m);

/* Names of the gates of a pair's link (flow.h, link_gate.c): for who reads at the inside; for the
 * partner's own streams, whose stanzas are answered over the link. */
#define LINK_GATE_BYTES 520u
struct slice link_gate(struct slice local, struct slice remote, char mem[LINK_GATE_BYTES]);
struct slice link_answer_gate(struct slice local, struct slice remote, char mem[LINK_GATE_BYTES]);

void links_turn_end(struct edge *e);
void links_tick(struct edge *e);
/* After a new snapshot: holds one more link against it (review.h), and the stanzas that wait for
 * it. Returns how many things that were; 0 = none is left. */
uint32_t links_review_next(struct edge *e);
/* Orderly stop. First: what can still go out does; returns how many links have stanzas waiting or
 * unconfirmed. Then: the rest is answered and streams are closed; returns how many are open. */
uint32_t links_drain_flush(struct edge *e);
uint32_t links_drain_close(struct edge *e);
void links_free(struct edge *e);

struct report_partner;
/* Adds queue and stream figures of this shard's links of the partner with this primary domain. */
void links_report(struct edge *e, struct slice primary, struct report_partner *out);
/* One row per stream that is up. */
struct report_streams;
void links_report_streams(const struct edge *e, struct report_streams *out);
uint32_t links_open_count(const struct edge *e);

#endif
