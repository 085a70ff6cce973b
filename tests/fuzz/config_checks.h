/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_checks: what holds for every configuration that loads, whatever its rules say. */
#ifndef FG_FUZZ_CONFIG_CHECKS_H
#define FG_FUZZ_CONFIG_CHECKS_H

#include "base/check.h"
#include "policy/decide.h"
#include "policy/users_int.h"
#include "xmpp/jid.h"

static void check_decision(const struct snapshot *s, const struct policy_question *q)
{
    struct policy_decision d = policy_decide(s, q);
    char rule[POLICY_RULE_BYTES];

    ASSERT(d.allowed == (d.reason == POLICY_ALLOWED));
    ASSERT(d.allowed == (d.answer == POLICY_ANSWER_NONE));
    ASSERT((d.reason == POLICY_MAINTENANCE) == (d.text.len > 0));
    ASSERT(!d.without_note || d.allowed);
    /* Default deny: somebody has said yes. */
    ASSERT(!d.allowed || s->access.is_written);
    /* Nothing that is refused behind the pair tells the partner more than "unknown user". */
    ASSERT(d.reason < POLICY_ADDRESS_BLOCKED || q->direction == POLICY_TO_PARTNER ||
           d.answer == POLICY_ANSWER_UNKNOWN_USER);
    policy_rule_text(d.rule, rule);
    ASSERT(rule[0]);
}

static void check_members(const struct snapshot *s, const struct user_set *set,
                          struct policy_question *q)
{
    struct slice entry;
    uint32_t number;
    uint32_t at = 0;

    for (uint32_t i = 0; i < 8 && users_next(set, &at, &entry, &number); i++) {
        ptrdiff_t sign = slice_find(entry, '@');

        q->local_user = sign < 0 ? SLICE_NONE : slice_to(entry, (size_t)sign);
        q->local_domain = slice_from(entry, (size_t)(sign + 1));
        ASSERT(snapshot_domain(s, q->local_domain) != NULL);
        check_decision(s, q);
    }
}

static void check_partner(const struct snapshot *s, const struct partner *p)
{
    struct policy_verdict v = policy_pair(s, s->domains[0].name, p->domain);
    char below[JID_ASCII_BYTES_MAX + 8];

    ASSERT(p->row->verdict != PARTNER_VERDICT_REJECT);
    ASSERT(v.partner == p);
    ASSERT(v.allowed || v.reason == POLICY_DOMAIN_BLOCKED || v.reason == POLICY_MAINTENANCE);
    for (uint32_t act = 0; act < POLICY_ACT_COUNT; act++) {
        for (uint32_t i = 0; i < 4; i++) {
            struct policy_question q = {.local_user = SLICE_LIT("joe"),
                                        .local_domain = s->domains[0].name,
                                        .remote_user = SLICE_LIT("ann"),
                                        .remote_domain = p->domain,
                                        .direction = i & 1 ? POLICY_TO_LOCAL : POLICY_TO_PARTNER,
                                        .act = (enum policy_act)act,
                                        .is_reachable = (i & 2) != 0};

            check_decision(s, &q);
            check_members(s, s->access.user_members, &q);
            check_members(s, s->access.site_members, &q);
        }
    }
    if (p->suffix_match) {
        memcpy(below, "zz--z.", 6);
        memcpy(below + 6, p->domain.ptr, p->domain.len);
        v.partner = snapshot_partner(s, slice_make(below, p->domain.len + 6));
        ASSERT(v.partner == NULL || v.partner->suffix_match ||
               v.partner->domain.len > p->domain.len);
    }
}

#endif
