/* SPDX-License-Identifier: GPL-2.0-or-later */
/* judge: the policy's verdict on one stanza (policy/decide.h), asked with what the shard knows, the
 * refusal logged with the rule's name and counted, and the answer its sender gets. Between the legs
 * and route.c; the only caller of policy_decide in this room. The shard's thread only. */
#ifndef FG_EDGE_JUDGE_H
#define FG_EDGE_JUDGE_H

#include "edge/edge.h"
#include "policy/decide.h"
#include "xmpp/stanza.h"

struct mail_why;

enum policy_act judge_act_of(const struct stanza *st);
/* Asks, remembers what it opens (reach.h), logs and counts a refusal. */
struct policy_decision judge_stanza(struct edge *e, const struct stanza *st,
                                    enum policy_direction direction);
/* A MESSAGE from SIP. */
struct policy_decision judge_message(struct edge *e, const struct jid *local,
                                     const struct jid *remote);
/* For fedgatectl why: the same verdict, nothing noted, logged or counted. */
void judge_why(struct edge *e, const struct mail_why *m);

#endif
