/* SPDX-License-Identifier: GPL-2.0-or-later */
/* decide: may this stanza pass between a user of ours and a user of a partner, and who says so. The
 * one place where the rules of the configuration meet; streams ask policy_pair() (snapshot.h),
 * every stanza asks here, and so does `fedgatectl why`. In this order, the first refusal counts:
 *   1. the pair of domains         ours, a partner's, not blocked, not in maintenance (policy_pair)
 *   2. the block lists             "blocked", partners[].blocked: addresses
 *   3. external access             access.users over access.sites over access.global, default deny
 *   4. the partner's own users     partners[].allowed_users
 *   5. the partner's type          what its users may do towards ours
 * Answers towards a partner do not tell apart: a user of ours who does not exist, who may not talk,
 * who has not written first (POLICY_ANSWER_UNKNOWN_USER for all three).
 * Threads: pure functions over the snapshot; any thread. No allocation. */
#ifndef FG_POLICY_DECIDE_H
#define FG_POLICY_DECIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/slice.h"
#include "policy/snapshot.h"
#include "policy/users.h"

struct jid;

enum policy_direction { POLICY_TO_LOCAL, POLICY_TO_PARTNER };

/* What the stanza does to whom it reaches. */
enum policy_act {
    POLICY_ACT_MESSAGE,   /* an instant message, SIP MESSAGE too */
    POLICY_ACT_SUBSCRIBE, /* presence subscribe: adds the other as a contact */
    POLICY_ACT_PRESENCE,  /* probe: asks for the other's presence; SIP SUBSCRIBE too */
    POLICY_ACT_NOTIFY,    /* tells of the sender's own presence: (un)available */
    POLICY_ACT_CONSENT,   /* subscribed, unsubscribed, unsubscribe: answers and withdrawals */
    POLICY_ACT_QUERY,     /* iq get and set */
    POLICY_ACT_ANSWER,    /* iq result, errors: belongs to something that passed */
    POLICY_ACT_COUNT
};
/* "message", "subscribe", "presence", "notify", "consent", "query", "answer". */
const char *policy_act_name(enum policy_act act);
NODISCARD bool policy_act_find(struct slice name, enum policy_act *act);

struct policy_question {
    struct slice local_user;   /* normalised localpart (jid.h); empty = the domain itself */
    struct slice local_domain; /* A- or U-label */
    struct slice remote_user;
    struct slice remote_domain;
    enum policy_direction direction;
    enum policy_act act;
    /* POLICY_TO_LOCAL from an unverified partner: the local user added the sender or wrote to it
     * not longer than gateway.reply_window_s ago (the edge remembers, reach.h). */
    bool is_reachable;
};
/* The question about these two, whichever of them is ours; act is left as it is, is_reachable
 * false. False: neither domain is ours. q borrows from both addresses. */
NODISCARD bool policy_question_make(struct policy_question *q, const struct snapshot *s,
                                    const struct jid *from, const struct jid *to);

/* What the refused sender is told. */
enum policy_answer {
    POLICY_ANSWER_NONE,         /* allowed */
    POLICY_ANSWER_UNKNOWN_USER, /* to a partner: as for a user who does not exist */
    POLICY_ANSWER_NOT_FEDERATED, /* to ours: no such partner; to a stranger: not served */
    POLICY_ANSWER_FORBIDDEN,    /* to ours: the administrator does not allow it */
    POLICY_ANSWER_MAINTENANCE,  /* either: later, with the partner's text */
};

/* "none", "unknown-user", "not-federated", "forbidden", "maintenance". */
const char *policy_answer_name(enum policy_answer answer);

/* Who decided, also when it is "yes". kind is static, a configuration path without names:
 * "blocked", "partners", "partners.blocked", "partners.maintenance", "access.users",
 * "access.sites", "access.global", "access" (nothing written: default deny),
 * "partners.allowed_users", "partners.type", "domains". name: the policy's, the partner's domain,
 * the entry of the list; borrowed from the snapshot or the question; may be empty. */
struct policy_rule {
    const char *kind;
    struct slice name;
};
#define POLICY_RULE_BYTES 320u
/* `kind` or `kind["name"]`, cleaned for logs and terminals. */
void policy_rule_text(struct policy_rule rule, char out[POLICY_RULE_BYTES]);

struct policy_decision {
    bool allowed;
    /* POLICY_ACT_NOTIFY to a partner that is not federated: pass it without its <status/>. */
    bool without_note;
    enum policy_reason reason;
    enum policy_answer answer;
    struct policy_rule rule;
    struct slice text;                 /* maintenance: for the refused; else empty */
    const struct local_domain *domain; /* when known, even if refused */
    const struct partner *partner;     /* when known, even if refused */
};
struct policy_decision policy_decide(const struct snapshot *s, const struct policy_question *q);
/* The same, for whoever knows policy_pair(s, q->local_domain, q->remote_domain) already. */
void policy_decide_pair(const struct snapshot *s, const struct policy_question *q,
                        const struct policy_verdict *pair, struct policy_decision *out);
/* Whether these domains are allowed to each other and nothing in the configuration looks at which
 * of their users it is or what he does: no blocked address, no tier of access, no allowed users, a
 * federated partner. Then policy_decide_pair() gives each question the same answer, which
 * policy_decide_plain() makes without asking. For whoever remembers a pair with its snapshot. */
bool policy_pair_is_plain(const struct snapshot *s, const struct policy_verdict *pair);
void policy_decide_plain(const struct snapshot *s, const struct policy_verdict *pair,
                         struct policy_decision *out);

/* Step 3 alone: the access policy that counts for a user of ours: of the first tier that names it,
 * exact address over domain. */
struct policy_access {
    const struct access_policy *policy;
    struct policy_rule rule;
    enum users_match match; /* USERS_NO: no tier names the user, access.global counts */
    struct slice entry;     /* what names it, when one does; borrowed from the snapshot */
};
/* user, domain: as in policy_question. */
struct policy_access policy_access_of(const struct snapshot *s, struct slice user,
                                      struct slice domain);

#endif
