/* SPDX-License-Identifier: GPL-2.0-or-later */
/* judge: the policy's verdict on one stanza (policy/decide.h), asked with what the shard knows
 * (reach.h); what passes is noted there, a refusal is logged with the rule's name and counted.
 * Asked by whoever takes a stanza in, before anything is done with it; the only caller of
 * policy_decide in this room. How the sender of a refused one is answered: refuse.h. The shard's
 * thread only. */
#ifndef FG_EDGE_JUDGE_H
#define FG_EDGE_JUDGE_H

#include "edge/edge.h"
#include "policy/decide.h"
#include "xmpp/stanza.h"

struct mail_why;
struct presence_pair;

struct judgement {
    struct policy_decision decision; /* borrows from the snapshot: valid in this turn */
    /* An error, which passes so that nobody loses an answer, between two who may not write to each
     * other: what it says besides its condition must not come along. */
    bool without_text;
    /* What the shard knows of the pair, for whoever sends the stanza on: way.h says how long. */
    struct way *way;
    /* An answer about last activity to a partner who is shown no notes (XEP-0012 carries one). */
    bool without_last_note;
};

/* The two domains of a stanza as A-labels. */
struct judge_pair {
    struct slice local;
    struct slice remote;
};

enum policy_act judge_act_of(const struct stanza *st);
void judge_stanza(struct edge *e, const struct stanza *st, enum policy_direction direction,
                  const struct judge_pair *pair, struct judgement *out);
/* The same of one that waited meanwhile (again.h), which is noted already; a refusal is neither
 * noted nor logged ... */
void judge_again(struct edge *e, const struct stanza *st, enum policy_direction direction,
                 const struct judge_pair *pair, struct judgement *out);
/* ... but by this. */
void judge_note_refusal(struct edge *e, const struct stanza *st, enum policy_direction direction,
                        const struct judge_pair *pair, const struct policy_decision *d);
/* A MESSAGE from SIP, between users with these local parts. */
void judge_message(struct edge *e, struct slice local_user, struct slice remote_user,
                   const struct judge_pair *pair, struct policy_decision *out);
/* A SUBSCRIBE from SIP. */
void judge_subscribe(struct edge *e, const struct presence_pair *pair,
                     struct policy_decision *out);
/* May the user on the watching side (direction: towards whom it asks) watch the other? Nothing is
 * noted, logged or counted. The second one: where the way to ours is known to be open. */
void judge_watch(struct edge *e, const struct presence_pair *pair,
                 enum policy_direction direction, struct policy_decision *out);
void judge_watch_reachable(struct edge *e, const struct presence_pair *pair,
                           struct policy_decision *out);
/* A presence stanza goes out for a user of ours behind SIP: what it lets the other one do. */
void judge_note_presence(struct edge *e, const struct partner *partner,
                         const struct presence_pair *pair, enum stanza_type type);
/* For fedgatectl why: the same verdict, nothing noted, logged or counted. Posts m->done. */
void judge_why(struct edge *e, const struct mail_why *m);

#endif
