/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip_side: the SIP leg of one shard: connections to and from the next hops, transactions, messages
 * out (sip_uac.c, queued per recipient in sip_queue.c, RFC 3428 section 8) and in (sip_uas.c),
 * requests of presence out (sip_request.c) and in (sip_events.c). Every MESSAGE out ends in silence
 * on success or a stanza error to its sender, every other request in one presence_response; every
 * request in in one final response. The shard's thread only, but for what is said. */
#ifndef FG_EDGE_SIP_SIDE_H
#define FG_EDGE_SIP_SIDE_H

#include "edge/edge.h"
#include "presence/presence.h"
#include "xmpp/stanza.h"

struct presence_request;
struct route_gate;
struct sip_answer;
struct sip_ids;
struct sip_side;
struct edge_report;

NODISCARD int sip_side_new(struct sip_side **out, struct edge *e);
void sip_side_free(struct sip_side *s);
void sip_side_accept(struct sip_side *s, struct conn *c, bool is_tls);
void sip_side_tick(struct sip_side *s);
/* After a new snapshot: peers of next hops that are gone or changed are closed. */
void sip_side_review(struct sip_side *s);
/* Orderly stop (OPTIONS and requests get 503 from its beginning). Returns how many messages are
 * under way; then: closes all connections, returns how many are open. */
uint32_t sip_side_drain_flush(struct sip_side *s);
/* Answers what the next hops have not answered, while the partners' streams are still there. */
void sip_side_drain_refuse(struct sip_side *s);
uint32_t sip_side_drain_close(struct sip_side *s);
void sip_side_report(struct sip_side *s, struct edge_report *out);

struct sip_side_target {
    const struct next_hop *hop; /* of the current snapshot */
    struct slice local;         /* A-labels of the pair */
    struct slice remote;
};
/* A message stanza of a partner for a SIP user: sent, queued or answered. True: the reader should
 * wait at gate. */
bool sip_side_send(struct sip_side *s, const struct stanza *st,
                   const struct sip_side_target *target, struct route_gate *gate);

/* SUBSCRIBE or NOTIFY of presence. 0: presence_side_response follows once, never from inside of
 * this; else nothing was taken: ERR_FULL, ERR_NOMEM, ERR_SHUTDOWN. */
NODISCARD int sip_side_request(struct sip_side *s, const struct next_hop *hop,
                               const struct presence_request *r);
/* Whether a request to it would leave now, over this shard's connection; presence_hop_seen follows
 * each change within a moment. */
enum presence_hop_way sip_side_hop_way(struct sip_side *s, const struct next_hop *hop);
/* Dials it, if it is not connected. */
void sip_side_need(struct sip_side *s, const struct next_hop *hop);
/* Final response to a request that came in on this shard; stale ones are dropped. */
void sip_side_answer(struct sip_side *s, uint64_t handle, const struct sip_answer *answer);
/* "<sip:node:5061;transport=tls>": where next hops reach this node. */
void sip_side_put_contact(struct sip_side *s, bool is_tls, struct buf *out);
struct sip_ids *sip_side_ids(struct sip_side *s);

/* From any shard: what became of a stanza that came from SIP: 202 = confirmed (held a moment for an
 * early error), else the final status. */
void sip_outcome_send(struct edge *e, struct sip_origin origin, uint16_t status,
                      uint32_t retry_after_s);
void sip_side_outcome(struct sip_side *s, const struct mail_outcome *m);
/* From any shard: the partner's server answered it with this stanza error. */
void sip_error_send(struct edge *e, struct sip_origin origin, const struct stanza *st);
void sip_side_error(struct sip_side *s, const struct mail_sip_error *m);

#endif
