/* SPDX-License-Identifier: GPL-2.0-or-later */
/* refuse: what the sender of a refused stanza is told. A partner's user always the same: made here,
 * at once, whether the user of ours does not exist, may not talk or is not reachable for him, so
 * that neither the answer nor its time tells these apart:
 *   message     what a user unknown to that domain yields: service-unavailable (RFC 6121 8.5.1);
 *               behind SIP item-not-found, as the next hop's 404 is translated
 *   iq          service-unavailable
 *   subscribe   unsubscribed
 *   probe       unavailable: nobody is told off his contact list because a rule was changed, or
 *               because this node was started anew and has forgotten who added him
 *   else        nothing
 * A user of ours is told that a rule forbids it, and which kind of rule. The shard's thread
 * only. */
#ifndef FG_EDGE_REFUSE_H
#define FG_EDGE_REFUSE_H

#include "edge/edge.h"
#include "edge/judge.h"
#include "policy/decide.h"
#include "xmpp/stanza.h"

void refuse_partner(struct edge *e, const struct stanza *st, const struct judge_pair *pair,
                    const struct policy_decision *d);
void refuse_component(struct edge *e, const struct stanza *st, const struct judge_pair *pair,
                      const struct policy_decision *d);

/* For a request of ours over SIP. */
struct refuse_status {
    uint16_t status;
    uint32_t retry_after_s; /* 0 = none */
    struct slice reason;    /* phrase; in text or in the snapshot; empty = the standard one */
    char text[64];
};
void refuse_status(struct refuse_status *out, const struct policy_decision *d);

#endif
