/* SPDX-License-Identifier: GPL-2.0-or-later */
/* judge: verdicts on single stanzas. */
#include "edge/judge.h"

#include <stdio.h>

#include "base/check.h"
#include "edge/mails.h"
#include "edge/reach.h"

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

void judge_why(struct edge *e, const struct mail_why *m)
{
    const struct policy_question *q = m->question;
    struct policy_verdict verdict = policy_pair(edge_policy(e), q->local_domain, q->remote_domain);
    struct jid local = {.local = q->local_user, .domain = q->local_domain};
    struct jid remote = {.local = q->remote_user, .domain = q->remote_domain};

    *m->answer = (struct why_answer){
        .allowed = verdict.allowed,
        .reason = (uint8_t)verdict.reason,
        .answer = verdict.allowed ? POLICY_ANSWER_NONE : POLICY_ANSWER_NOT_FEDERATED,
        .is_reachable = reach_is_open(e, reach_key(&local, &remote)),
    };
    (void)snprintf(m->answer->rule, sizeof(m->answer->rule), "%s",
                   verdict.domain ? "partners" : "domains");
    (void)sem_post(m->done);
}
