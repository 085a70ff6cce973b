/* SPDX-License-Identifier: GPL-2.0-or-later */
/* decide: the rules one after the other; the first refusal counts. */
#include "policy/decide.h"

#include <stdio.h>

#include "base/check.h"
#include "base/utf8.h"
#include "policy/quote.h"
#include "policy/users_int.h"

#define NAME_BYTES_SHOWN 280u

void policy_rule_text(struct policy_rule rule, char out[POLICY_RULE_BYTES])
{
    if (rule.name.len == 0) {
        (void)snprintf(out, POLICY_RULE_BYTES, "%s", rule.kind);
    } else {
        struct quoted quoted = quote(rule.name);
        struct slice name = slice_from_cstr(quoted.text);

        name.len = utf8_cut(name, NAME_BYTES_SHOWN);
        (void)snprintf(out, POLICY_RULE_BYTES, "%s[%.*s]", rule.kind, SLICE_FMT(name));
    }
}

static struct policy_rule rule_of(const char *kind, struct slice name)
{
    return (struct policy_rule){.kind = kind, .name = name};
}

/* Refused, with the answer that the two sides get: the partner's learns nothing of ours. */
static void refuse(struct policy_decision *d, const struct policy_question *q,
                   enum policy_reason reason, struct policy_rule rule)
{
    d->allowed = false;
    d->reason = reason;
    d->rule = rule;
    d->answer =
        q->direction == POLICY_TO_LOCAL ? POLICY_ANSWER_UNKNOWN_USER : POLICY_ANSWER_FORBIDDEN;
}

/* --- 1: the pair of domains --- */

static struct policy_rule rule_of_block(const struct snapshot *s, const struct partner *p,
                                        struct slice user, struct slice domain)
{
    struct slice entry;

    if (users_find(s->blocked, user, domain, &entry) != USERS_NO) {
        return rule_of("blocked", entry);
    }
    (void)users_find(p->extra ? p->extra->blocked : NULL, user, domain, &entry);
    return rule_of("partners.blocked", entry);
}

static void refuse_pair(struct policy_decision *d, const struct snapshot *s,
                        const struct policy_question *q)
{
    d->answer = POLICY_ANSWER_NOT_FEDERATED;
    switch (d->reason) {
    case POLICY_LOCAL_UNKNOWN:
        d->rule = rule_of("domains", q->local_domain);
        break;
    case POLICY_LOCAL_AS_REMOTE:
        d->rule = rule_of("domains", q->remote_domain);
        break;
    case POLICY_PARTNER_UNKNOWN:
        d->rule = rule_of("partners", q->remote_domain);
        break;
    case POLICY_DOMAIN_BLOCKED:
        d->rule = rule_of_block(s, d->partner, SLICE_NONE, q->remote_domain);
        if (q->direction == POLICY_TO_PARTNER) {
            d->answer = POLICY_ANSWER_FORBIDDEN;
        }
        break;
    case POLICY_MAINTENANCE:
        d->rule = rule_of("partners.maintenance", d->partner->domain);
        d->answer = POLICY_ANSWER_MAINTENANCE;
        d->text = d->partner->extra->maintenance;
        break;
    case POLICY_ALLOWED:
    case POLICY_ADDRESS_BLOCKED:
    case POLICY_ACCESS_DENIED:
    case POLICY_USER_NOT_ALLOWED:
    case POLICY_NOT_REACHABLE:
    case POLICY_REASON_COUNT:
        UNREACHABLE("no verdict of a refused pair");
    }
}

/* --- 2 to 4 --- */

static bool is_blocked(const struct snapshot *s, const struct partner *p,
                       const struct policy_question *q)
{
    return (s->blocked &&
            users_find(s->blocked, q->remote_user, q->remote_domain, NULL) != USERS_NO) ||
           (p->extra && p->extra->blocked &&
            users_find(p->extra->blocked, q->remote_user, q->remote_domain, NULL) != USERS_NO);
}

static struct policy_rule rule_of_global(const struct snapshot *s)
{
    return rule_of(s->access.is_written ? "access.global" : "access", SLICE_NONE);
}

struct policy_access policy_access_of(const struct snapshot *s, struct slice user,
                                      struct slice domain)
{
    const struct access_settings *a = &s->access;
    struct policy_access out = {.match = USERS_NO};
    uint32_t idx;

    if (a->user_members) {
        out.match = users_find_number(a->user_members, user, domain, &out.entry, &idx);
    }
    if (out.match != USERS_NO) {
        out.rule = rule_of("access.users", a->users[idx].name);
        out.policy = &a->users[idx];
        return out;
    }
    if (a->site_members) {
        out.match = users_find_number(a->site_members, user, domain, &out.entry, &idx);
    }
    if (out.match != USERS_NO) {
        out.rule = rule_of("access.sites", a->sites[idx].name);
        out.policy = &a->sites[idx];
        return out;
    }
    out.rule = rule_of_global(s);
    out.policy = &a->global;
    return out;
}

static bool is_allowed_user(const struct partner *p, struct slice user, struct slice domain)
{
    return !p->extra || !p->extra->allowed_users ||
           users_find(p->extra->allowed_users, user, domain, NULL) != USERS_NO;
}

/* --- 5 --- */

/* What was answered had passed, so its answer does, too. */
static bool is_out_of_reach(const struct partner *p, const struct policy_question *q)
{
    return q->direction == POLICY_TO_LOCAL && p->type == PARTNER_TYPE_PUBLIC_UNVERIFIED &&
           !q->is_reachable && q->act != POLICY_ACT_ANSWER;
}

bool policy_pair_is_plain(const struct snapshot *s, const struct policy_verdict *pair)
{
    const struct access_settings *a = &s->access;

    return pair->allowed && !s->blocked && !a->user_members && !a->site_members &&
           a->global.xmpp && !pair->partner->extra &&
           pair->partner->type == PARTNER_TYPE_FEDERATED;
}

void policy_decide_plain(const struct snapshot *s, const struct policy_verdict *pair,
                         struct policy_decision *out)
{
    *out = (struct policy_decision){.allowed = true,
                                    .reason = POLICY_ALLOWED,
                                    .rule = rule_of_global(s),
                                    .domain = pair->domain,
                                    .partner = pair->partner};
}

void policy_decide_pair(const struct snapshot *s, const struct policy_question *q,
                        const struct policy_verdict *pair, struct policy_decision *out)
{
    struct policy_access access;

    *out = (struct policy_decision){
        .reason = pair->reason, .domain = pair->domain, .partner = pair->partner};
    if (!pair->allowed) {
        refuse_pair(out, s, q);
        return;
    }
    if (is_blocked(s, out->partner, q)) {
        refuse(out, q, POLICY_ADDRESS_BLOCKED,
               rule_of_block(s, out->partner, q->remote_user, q->remote_domain));
        return;
    }
    /* From here on our domain by its A-label: no lookup has to convert it. */
    access = policy_access_of(s, q->local_user, out->domain->name);
    out->rule = access.rule;
    if (!access.policy->xmpp) {
        refuse(out, q, POLICY_ACCESS_DENIED, out->rule);
    } else if (!is_allowed_user(out->partner, q->local_user, out->domain->name)) {
        refuse(out, q, POLICY_USER_NOT_ALLOWED,
               rule_of("partners.allowed_users", out->partner->domain));
    } else if (is_out_of_reach(out->partner, q)) {
        refuse(out, q, POLICY_NOT_REACHABLE, rule_of("partners.type", out->partner->domain));
    } else {
        out->allowed = true;
        out->without_note = q->direction == POLICY_TO_PARTNER && q->act == POLICY_ACT_NOTIFY &&
                            out->partner->type != PARTNER_TYPE_FEDERATED;
    }
}

struct policy_decision policy_decide(const struct snapshot *s, const struct policy_question *q)
{
    struct policy_verdict pair = policy_pair(s, q->local_domain, q->remote_domain);
    struct policy_decision d;

    policy_decide_pair(s, q, &pair, &d);
    return d;
}
