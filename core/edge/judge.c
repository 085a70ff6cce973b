/* SPDX-License-Identifier: GPL-2.0-or-later */
/* judge: verdicts on single stanzas. */
#include "edge/judge.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "edge/mails.h"
#include "edge/partner_run.h"
#include "edge/reach.h"
#include "edge/trim.h"
#include "presence/presence.h"
#include "xmpp/ns.h"

/* Of each part of an address in a log line. */
#define USER_SHOWN_BYTES   64u
#define DOMAIN_SHOWN_BYTES 80u
#define NS_MUC             SLICE_LIT("http://jabber.org/protocol/muc")

enum policy_act judge_act_of(const struct stanza *st)
{
    static const uint8_t acts[] = {
        [STANZA_TYPE_NORMAL] = POLICY_ACT_MESSAGE,
        [STANZA_TYPE_CHAT] = POLICY_ACT_MESSAGE,
        [STANZA_TYPE_GROUPCHAT] = POLICY_ACT_MESSAGE,
        [STANZA_TYPE_HEADLINE] = POLICY_ACT_MESSAGE,
        [STANZA_TYPE_AVAILABLE] = POLICY_ACT_NOTIFY,
        [STANZA_TYPE_UNAVAILABLE] = POLICY_ACT_NOTIFY,
        [STANZA_TYPE_SUBSCRIBE] = POLICY_ACT_SUBSCRIBE,
        [STANZA_TYPE_SUBSCRIBED] = POLICY_ACT_CONSENT,
        [STANZA_TYPE_UNSUBSCRIBE] = POLICY_ACT_CONSENT,
        [STANZA_TYPE_UNSUBSCRIBED] = POLICY_ACT_CONSENT,
        [STANZA_TYPE_PROBE] = POLICY_ACT_PRESENCE,
        [STANZA_TYPE_GET] = POLICY_ACT_QUERY,
        [STANZA_TYPE_SET] = POLICY_ACT_QUERY,
        [STANZA_TYPE_RESULT] = POLICY_ACT_ANSWER,
        [STANZA_TYPE_ERROR] = POLICY_ACT_ANSWER,
    };

    ASSERT(st->type < ARRAY_COUNT(acts));
    return (enum policy_act)acts[st->type];
}

/* --- asking ----------------------------------------------------------------------------------- */

static struct reach_pair reach_pair_of(const struct policy_question *q)
{
    return (struct reach_pair){q->local_user, q->local_domain, q->remote_user, q->remote_domain};
}

static uint64_t key_of(const struct policy_question *q)
{
    const struct reach_pair pair = reach_pair_of(q);

    return reach_key(&pair);
}

/* Behind SIP the gateway itself grants what is asked for: to whom ours added, not to whomever he
 * wrote to once. A component's own server asks its user. */
static bool is_open(const struct edge *e, const struct policy_question *q,
                    const struct local_domain *domain)
{
    bool is_watching = q->act == POLICY_ACT_SUBSCRIBE || q->act == POLICY_ACT_PRESENCE;

    return is_watching && domain && domain->next_hop->kind == NEXT_HOP_SIP
               ? reach_is_contact(e, key_of(q))
               : reach_is_open(e, key_of(q));
}

/* way: of the domains. The table is looked at only where it decides, and then in the same way for
 * every user. */
static void ask_way(struct edge *e, const struct way *way, struct policy_question *q,
                    struct policy_decision *out)
{
    const struct snapshot *policy = edge_policy(e);

    if (way->is_plain) {
        policy_decide_plain(policy, &way->verdict, out);
        return;
    }
    policy_decide_pair(policy, q, &way->verdict, out);
    if (out->reason == POLICY_NOT_REACHABLE && is_open(e, q, out->domain)) {
        q->is_reachable = true;
        policy_decide_pair(policy, q, &way->verdict, out);
    }
}

static void ask(struct edge *e, struct policy_question *q, struct policy_decision *out)
{
    ask_way(e, way_of(e, q->local_domain, q->remote_domain), q, out);
}

/* Keep-alive between servers, which no rule about users concerns: a XEP-0199 ping of our domain
 * itself, or from ours to the partner's, and what our domain itself is answered or answers. */
static bool is_between_servers(const struct stanza *st, enum policy_direction direction)
{
    const struct jid *ours = direction == POLICY_TO_LOCAL ? &st->to : &st->from;

    if (st->kind != STANZA_IQ || !jid_is_domain(ours)) {
        return false;
    }
    return st->type == STANZA_TYPE_RESULT || st->type == STANZA_TYPE_ERROR ||
           (st->type == STANZA_TYPE_GET && jid_is_domain(&st->to) &&
            xml_is(st->tree, st->payload, SLICE_LIT("ping"), SLICE_LIT(NS_PING)));
}

static bool is_about_users(enum policy_reason reason)
{
    return reason == POLICY_ACCESS_DENIED || reason == POLICY_USER_NOT_ALLOWED ||
           reason == POLICY_NOT_REACHABLE;
}

/* --- refusals --------------------------------------------------------------------------------- */

static uint64_t *counter_of(struct edge_stats *stats, enum policy_reason reason)
{
    switch (reason) {
    case POLICY_DOMAIN_BLOCKED:
    case POLICY_ADDRESS_BLOCKED:
        return &stats->refused_blocked;
    case POLICY_ACCESS_DENIED:
        return &stats->refused_access;
    case POLICY_USER_NOT_ALLOWED:
        return &stats->refused_allowed_users;
    case POLICY_NOT_REACHABLE:
        return &stats->refused_unreachable;
    case POLICY_ALLOWED:
    case POLICY_LOCAL_UNKNOWN:
    case POLICY_PARTNER_UNKNOWN:
    case POLICY_LOCAL_AS_REMOTE:
    case POLICY_MAINTENANCE:
    case POLICY_REASON_COUNT:
        break;
    }
    return &stats->refused_domain;
}

/* "user@domain" quoted for the log; a long user leaves room for the domain. */
static struct log_quoted show(struct slice user, struct slice domain)
{
    char mem[USER_SHOWN_BYTES + DOMAIN_SHOWN_BYTES + 1];
    char *at = mem;

    if (user.len != 0) {
        at = mempcpy(at, user.ptr, user.len < USER_SHOWN_BYTES ? user.len : USER_SHOWN_BYTES);
        *at++ = '@';
    }
    at = mempcpy(at, domain.ptr, domain.len < DOMAIN_SHOWN_BYTES ? domain.len : DOMAIN_SHOWN_BYTES);
    return log_quote(slice_make(mem, (size_t)(at - mem)));
}

static void write_refusal(const struct policy_question *q, const struct policy_decision *d,
                          uint64_t withheld)
{
    bool is_in = q->direction == POLICY_TO_LOCAL;
    struct log_quoted local = show(q->local_user, q->local_domain);
    struct log_quoted remote = show(q->remote_user, q->remote_domain);
    char rule[POLICY_RULE_BYTES];
    char more[40] = "";

    if (withheld) {
        (void)snprintf(more, sizeof(more), " withheld=%llu", (unsigned long long)withheld);
    }
    policy_rule_text(d->rule, rule);
    LOG_I(stanza_refused, "rule=%s reason=%s act=%s dir=%s%s from=%s to=%s", rule,
          policy_reason_name(d->reason), policy_act_name(q->act), is_in ? "in" : "out", more,
          is_in ? remote.text : local.text, is_in ? local.text : remote.text);
}

static void note_refusal(struct edge *e, const struct policy_question *q,
                         const struct policy_decision *d)
{
    enum bounce_why why = d->reason == POLICY_MAINTENANCE ? BOUNCE_MAINTENANCE : BOUNCE_POLICY;
    uint64_t withheld;

    if (why == BOUNCE_MAINTENANCE) {
        e->stats.bounced_maintenance++;
    } else {
        e->stats.bounced_policy++;
        (*counter_of(&e->stats, d->reason))++;
    }
    if (d->partner) {
        partner_run_bounced(e, d->partner->domain, why);
    }
    if (log_is_on(LOG_LEVEL_INFO) &&
        refusal_log_take(partner_run_refusals(e, d->partner), q->direction, d->reason,
                         shard_now_ms(e->sh), &withheld)) {
        write_refusal(q, d, withheld);
    }
}

/* --- what passes ------------------------------------------------------------------------------ */

/* Of presence: adding, consenting and the ends of these. */
static bool presence_opens(enum stanza_type type, enum reach_what *out)
{
    switch ((unsigned)type) {
    case STANZA_TYPE_SUBSCRIBE:
    case STANZA_TYPE_PROBE:
        *out = REACH_ADDED;
        return true;
    case STANZA_TYPE_SUBSCRIBED:
        *out = REACH_CONSENTED;
        return true;
    case STANZA_TYPE_UNSUBSCRIBE:
        *out = REACH_REMOVED;
        return true;
    case STANZA_TYPE_UNSUBSCRIBED:
        *out = REACH_WITHDRAWN;
        return true;
    default:
        return false;
    }
}

/* What a stanza of ours lets its receiver do; false = nothing. Writing is text, or entering a
 * room: a client's receipts and typing notices are no act of its user. */
static bool opens(const struct stanza *st, enum reach_what *out)
{
    struct slice ns = st->tree->nodes[0].ns;

    switch (judge_act_of(st)) {
    case POLICY_ACT_MESSAGE:
        *out = REACH_WROTE;
        return xml_child(st->tree, 0, SLICE_LIT("body"), ns) != XML_NO_NODE;
    case POLICY_ACT_NOTIFY:
        *out = REACH_WROTE;
        return st->type == STANZA_TYPE_AVAILABLE &&
               xml_child(st->tree, 0, SLICE_LIT("x"), NS_MUC) != XML_NO_NODE;
    case POLICY_ACT_SUBSCRIBE:
    case POLICY_ACT_PRESENCE:
    case POLICY_ACT_CONSENT:
        return presence_opens(st->type, out);
    case POLICY_ACT_QUERY:
    case POLICY_ACT_ANSWER:
    case POLICY_ACT_COUNT:
        break;
    }
    return false;
}

static void note_reach(struct edge *e, enum reach_what what, const struct policy_question *q)
{
    const struct reach_pair pair = reach_pair_of(q);

    reach_note(e, what, &pair);
}

/* Its error may come back. Of an iq it may anyway: its id is the asker's. */
static void note_sent(struct edge *e, const struct policy_question *q, enum stanza_kind kind)
{
    if (kind != STANZA_IQ) {
        note_reach(e, REACH_SENT, q);
    }
}

/* Whether the two may write to each other this way; asked of errors only. */
static bool may_write(struct edge *e, struct policy_question q)
{
    struct policy_decision d;

    q.act = POLICY_ACT_MESSAGE;
    ask(e, &q, &d);
    return d.allowed;
}

/* An error that nothing of ours can have caused: its addresses and id alone could carry a text to
 * whoever may not be written to. */
static bool is_unasked(const struct edge *e, const struct policy_question *q)
{
    return q->direction == POLICY_TO_LOCAL && !reach_was_sent(e, key_of(q));
}

static void refuse_unasked(struct edge *e, struct policy_question *q, struct policy_decision *out)
{
    q->act = POLICY_ACT_MESSAGE; /* what it amounts to; refused, as the caller knows */
    ask(e, q, out);
    q->act = POLICY_ACT_ANSWER;
    note_refusal(e, q, out);
}

/* The verdict without what comes of it. False: refused, or an answer. */
static inline bool judge(struct edge *e, const struct stanza *st, const struct judge_pair *pair,
                         struct policy_question *q, struct judgement *out)
{
    bool is_in = q->direction == POLICY_TO_LOCAL;
    struct policy_decision *d = &out->decision;

    out->without_text = false;
    out->without_last_note = false;
    out->way = way_of(e, pair->local, pair->remote);
    ask_way(e, out->way, q, d);
    if (!d->allowed && is_about_users(d->reason) && is_between_servers(st, q->direction)) {
        d->allowed = true;
        d->reason = POLICY_ALLOWED;
        d->answer = POLICY_ANSWER_NONE;
    }
    if (!d->allowed || q->act != POLICY_ACT_ANSWER) {
        return d->allowed;
    }
    out->without_text = st->type == STANZA_TYPE_ERROR && st->kind != STANZA_IQ && !may_write(e, *q);
    d->without_note = !is_in && st->kind == STANZA_PRESENCE &&
                      d->partner->type != PARTNER_TYPE_FEDERATED;
    out->without_last_note =
        !is_in && d->partner->type != PARTNER_TYPE_FEDERATED && trim_is_last_activity(st);
    return false;
}

static struct policy_question question_of(const struct stanza *st, enum policy_direction direction,
                                          const struct judge_pair *pair)
{
    bool is_in = direction == POLICY_TO_LOCAL;

    return (struct policy_question){
        .local_user = is_in ? st->to.local : st->from.local,
        .local_domain = pair->local,
        .remote_user = is_in ? st->from.local : st->to.local,
        .remote_domain = pair->remote,
        .direction = direction,
        .act = judge_act_of(st),
    };
}

void judge_stanza(struct edge *e, const struct stanza *st, enum policy_direction direction,
                  const struct judge_pair *pair, struct judgement *out)
{
    struct policy_question q = question_of(st, direction, pair);
    struct policy_decision *d = &out->decision;
    enum reach_what what;

    if (!judge(e, st, pair, &q, out)) {
        if (!d->allowed) {
            note_refusal(e, &q, d);
        } else if (out->without_text && is_unasked(e, &q)) {
            refuse_unasked(e, &q, d);
        }
        return;
    }
    if (direction == POLICY_TO_PARTNER && d->partner->type == PARTNER_TYPE_PUBLIC_UNVERIFIED) {
        note_sent(e, &q, st->kind);
        if (opens(st, &what)) {
            note_reach(e, what, &q);
        }
    }
}

void judge_again(struct edge *e, const struct stanza *st, enum policy_direction direction,
                 const struct judge_pair *pair, struct judgement *out)
{
    struct policy_question q = question_of(st, direction, pair);

    (void)judge(e, st, pair, &q, out);
}

void judge_note_refusal(struct edge *e, const struct stanza *st, enum policy_direction direction,
                        const struct judge_pair *pair, const struct policy_decision *d)
{
    const struct policy_question q = question_of(st, direction, pair);

    note_refusal(e, &q, d);
}

/* --- what comes from SIP ---------------------------------------------------------------------- */

static void judge_sip(struct edge *e, struct policy_question *q, enum reach_what what,
                      struct policy_decision *out)
{
    ask(e, q, out);
    if (!out->allowed) {
        note_refusal(e, q, out);
    } else if (out->partner->type == PARTNER_TYPE_PUBLIC_UNVERIFIED) {
        note_sent(e, q, STANZA_MESSAGE);
        note_reach(e, what, q);
    }
}

void judge_message(struct edge *e, struct slice local_user, struct slice remote_user,
                   const struct judge_pair *pair, struct policy_decision *out)
{
    struct policy_question q = {
        .local_user = local_user,
        .local_domain = pair->local,
        .remote_user = remote_user,
        .remote_domain = pair->remote,
        .direction = POLICY_TO_PARTNER,
        .act = POLICY_ACT_MESSAGE,
    };

    judge_sip(e, &q, REACH_WROTE, out);
}

static struct policy_question watch_question(const struct presence_pair *pair,
                                             enum policy_direction direction)
{
    return (struct policy_question){
        .local_user = pair->local_user,
        .local_domain = pair->local_domain,
        .remote_user = pair->remote_user,
        .remote_domain = pair->remote_domain,
        .direction = direction,
        .act = POLICY_ACT_PRESENCE,
    };
}

void judge_subscribe(struct edge *e, const struct presence_pair *pair, struct policy_decision *out)
{
    struct policy_question q = watch_question(pair, POLICY_TO_PARTNER);

    judge_sip(e, &q, REACH_ADDED, out);
}

void judge_watch(struct edge *e, const struct presence_pair *pair,
                 enum policy_direction direction, struct policy_decision *out)
{
    struct policy_question q = watch_question(pair, direction);

    ask(e, &q, out);
}

void judge_watch_reachable(struct edge *e, const struct presence_pair *pair,
                           struct policy_decision *out)
{
    struct policy_question q = watch_question(pair, POLICY_TO_LOCAL);

    q.is_reachable = true;
    ask(e, &q, out);
}

void judge_note_presence(struct edge *e, const struct partner *partner,
                         const struct presence_pair *pair, enum stanza_type type)
{
    struct policy_question q = watch_question(pair, POLICY_TO_PARTNER);
    enum reach_what what;

    if (partner->type == PARTNER_TYPE_PUBLIC_UNVERIFIED) {
        note_sent(e, &q, STANZA_PRESENCE);
        if (presence_opens(type, &what)) {
            note_reach(e, what, &q);
        }
    }
}

void judge_why(struct edge *e, const struct mail_why *m)
{
    struct policy_question q = *m->question;
    struct jid_ascii local;
    struct jid_ascii remote;
    struct policy_decision d;

    q.is_reachable = false;
    if (jid_domain_to_ascii(q.local_domain, &local) == 0) {
        q.local_domain = jid_ascii_slice(&local);
    }
    if (jid_domain_to_ascii(q.remote_domain, &remote) == 0) {
        q.remote_domain = jid_ascii_slice(&remote);
    }
    ask(e, &q, &d);
    *m->answer = (struct why_answer){
        .allowed = d.allowed,
        .without_note = d.without_note,
        .is_reachable = reach_is_open(e, key_of(&q)),
        .reason = (uint8_t)d.reason,
        .answer = (uint8_t)d.answer,
    };
    policy_rule_text(d.rule, m->answer->rule);
    (void)sem_post(m->done);
}
