/* SPDX-License-Identifier: GPL-2.0-or-later */
/* decide_names: questions and verdicts in words, for fedgatectl and the logs. */
#include "policy/decide.h"

#include "xmpp/jid.h"

static const char *const act_names[POLICY_ACT_COUNT] = {
    [POLICY_ACT_MESSAGE] = "message", [POLICY_ACT_SUBSCRIBE] = "subscribe",
    [POLICY_ACT_PRESENCE] = "presence", [POLICY_ACT_NOTIFY] = "notify",
    [POLICY_ACT_CONSENT] = "consent", [POLICY_ACT_QUERY] = "query",
    [POLICY_ACT_ANSWER] = "answer",
};

const char *policy_act_name(enum policy_act act)
{
    return act < POLICY_ACT_COUNT ? act_names[act] : "";
}

bool policy_act_find(struct slice name, enum policy_act *act)
{
    for (int i = 0; i < POLICY_ACT_COUNT; i++) {
        if (slice_eq_cstr(name, act_names[i])) {
            *act = (enum policy_act)i;
            return true;
        }
    }
    return false;
}

const char *policy_answer_name(enum policy_answer answer)
{
    switch (answer) {
    case POLICY_ANSWER_NONE:
        return "none";
    case POLICY_ANSWER_UNKNOWN_USER:
        return "unknown-user";
    case POLICY_ANSWER_NOT_FEDERATED:
        return "not-federated";
    case POLICY_ANSWER_FORBIDDEN:
        return "forbidden";
    case POLICY_ANSWER_MAINTENANCE:
        return "maintenance";
    }
    return "";
}

bool policy_question_make(struct policy_question *q, const struct snapshot *s,
                          const struct jid *from, const struct jid *to)
{
    bool is_inwards = snapshot_domain(s, to->domain) != NULL;
    const struct jid *local = is_inwards ? to : from;
    const struct jid *remote = is_inwards ? from : to;

    q->direction = is_inwards ? POLICY_TO_LOCAL : POLICY_TO_PARTNER;
    q->local_user = local->local;
    q->local_domain = local->domain;
    q->remote_user = remote->local;
    q->remote_domain = remote->domain;
    q->is_reachable = false;
    return is_inwards || snapshot_domain(s, from->domain) != NULL;
}
