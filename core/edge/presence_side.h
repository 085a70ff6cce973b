/* SPDX-License-Identifier: GPL-2.0-or-later */
/* presence_side: proto/presence on one shard, and the ways to and from it. A contact lives on the
 * shard that edge_home_of_domain gives for the partner's domain, so that no reload moves it; what
 * arrives elsewhere goes there by mail, as bytes, and is read again there:
 *
 *   route (stanzas), sip_events (SUBSCRIBE, NOTIFY)  ->  presence_side  ->  presence.h, at home
 *   presence_ops  ->  route_block (stanzas), sip_request (requests), the transaction (answers),
 *                     store (rows)
 *
 * The shard's thread only, but for what is said. */
#ifndef FG_EDGE_PRESENCE_SIDE_H
#define FG_EDGE_PRESENCE_SIDE_H

#include "edge/edge.h"
#include "presence/presence.h"
#include "sip/transaction.h"
#include "xmpp/stanza.h"

struct edge_report;
struct judge_pair;
struct presence_side;
struct store;
struct store_done;

/* Takes in the rows of edge_shared.rows that are this shard's. */
NODISCARD int presence_side_new(struct presence_side **out, struct edge *e);
void presence_side_free(struct presence_side *ps);
struct presence *presence_side_core(struct presence_side *ps);

/* MAIL_PRESENCE_*, MAIL_SIP_REQUEST, MAIL_SIP_ANSWER, MAIL_STORED, MAIL_CONTACT*; the mail stays
 * the caller's. */
void presence_side_mail(struct edge *e, const struct mail *m);

/* --- stanzas (presence_stanza.c) -------------------------------------------------------------- */

/* A presence stanza of a partner's user for a user behind SIP, judged and allowed. without_text: an
 * error of which only the condition may come along. */
void presence_side_from_partner(struct edge *e, const struct stanza *st,
                                const struct judge_pair *names, bool without_text);
/* Answers a stanza of presence's own that could not be delivered (bounce.c): st is ours. */
void presence_side_undeliverable(struct edge *e, const struct stanza *st, struct slice local,
                                 struct slice remote, enum stanza_condition condition);
/* A link's stream is there (true), or it was tried and failed for good. remote: A-label. */
void presence_side_partner_seen(struct edge *e, struct slice remote, bool is_reachable);
/* A stream with this domain, authenticated, ended without farewell. remote: A-label. */
void presence_side_partner_cut(struct edge *e, struct slice remote);
/* For presence_ops. */
void presence_side_stanza(void *ctx, const struct presence_pair *pair, enum stanza_type type,
                          struct slice bytes);

/* --- SIP (presence_sip.c) --------------------------------------------------------------------- */

/* The pair of a SUBSCRIBE (is_notify false: From is ours) or NOTIFY (From is ours as well: the
 * presentity). 0, or the status that refuses it. */
struct presence_addresses {
    struct presence_pair pair; /* over the rest */
    struct jid_storage mem[2];
    struct jid_ascii domains[2];
};
NODISCARD unsigned presence_side_addresses(const struct sip_msg *m,
                                           struct presence_addresses *out);
/* Checked, from its next hop, judged. pair: of presence_side_addresses. False: too much is under
 * way; it is not taken. */
NODISCARD bool presence_side_request_in(struct edge *e, const struct presence_pair *pair,
                                        const struct sip_msg *m, struct presence_txn txn);
/* What became of sip_side_request. */
void presence_side_response(struct presence_side *ps, struct presence_call *call,
                            enum sip_outcome outcome, unsigned status,
                            const struct sip_msg *response);
/* Of the connection to this next hop. */
void presence_side_hop_seen(struct presence_side *ps, struct slice hop,
                            enum presence_hop_news what);
/* For presence_ops. */
void presence_side_answer(void *ctx, struct presence_txn txn, const struct sip_answer *answer);

/* --- life ------------------------------------------------------------------------------------- */

/* After a new snapshot: holds the contacts against it, some per turn. */
void presence_side_review(struct edge *e);
/* Orderly stop: true = the store has all there is to write. */
bool presence_side_flush(struct edge *e);

#endif
