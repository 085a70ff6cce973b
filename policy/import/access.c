/* SPDX-License-Identifier: GPL-2.0-or-later */
/* access: Get-CsExternalAccessPolicy and the users it was granted to (Get-CsUser). */
#include "base/pool.h"
#include "import/plan_int.h"
#include "policy/quote.h"
#include "translate/address.h"

#define POLICY_NAME_MAX 128u
#define POLICIES_MAX    10000u /* as many as a configuration may have */

const char *import_tier_path(enum import_tier tier)
{
    static const char *const paths[IMPORT_TIER_COUNT] = {"access.global", "access.sites",
                                                         "access.users"};

    return paths[tier];
}

struct import_policy *import_find_policy(struct import_plan *p, enum import_tier tier,
                                         struct slice name)
{
    for (uint32_t i = 0; i < p->policy_count; i++) {
        if (p->policies[i].tier == tier && slice_eq_nocase(p->policies[i].name, name)) {
            return &p->policies[i];
        }
    }
    return NULL;
}

struct import_policy *import_add_policy(struct import_plan *p, enum import_tier tier,
                                        struct slice name)
{
    struct import_policy *policy;

    p->policies = import_grow(p->policies, &p->policy_count, &p->policy_cap, sizeof(*policy));
    policy = &p->policies[p->policy_count - 1];
    policy->tier = tier;
    policy->name = arena_slice(p->arena, name);
    policy->node = JSON_NONE;
    return policy;
}

void import_add_member(struct import_policy *policy, struct slice member)
{
    policy->members = import_grow(policy->members, &policy->member_count, &policy->member_cap,
                                  sizeof(*policy->members));
    policy->members[policy->member_count - 1] = member;
}

/* "Global", "site:Redmond", "Tag:Sales", or the name alone, as Grant-... takes it. */
static bool parse_identity(struct slice identity, enum import_tier *tier, struct slice *name)
{
    struct slice rest = identity;
    struct slice scope;

    if (slice_eq_nocase(identity, SLICE_LIT("Global"))) {
        *tier = IMPORT_GLOBAL;
        *name = SLICE_NONE;
        return true;
    }
    *tier = IMPORT_USER;
    *name = identity;
    if (slice_cut(&rest, ':', &scope)) {
        if (!slice_eq_nocase(scope, SLICE_LIT("site")) &&
            !slice_eq_nocase(scope, SLICE_LIT("Tag"))) {
            return false;
        }
        *tier = slice_eq_nocase(scope, SLICE_LIT("site")) ? IMPORT_SITE : IMPORT_USER;
        *name = slice_trim(rest);
    }
    return name->len > 0 && name->len <= POLICY_NAME_MAX;
}

/* In the old product XMPP needed both switches. What counts is what users could do. */
static void take_switches(struct import_record *r, struct import_policy *policy)
{
    bool wants_xmpp;

    if (import_take_bool(r, "EnableXmppAccess", &wants_xmpp) == IMPORT_ABSENT) {
        import_note(r, IMPORT_WARNS, "EnableXmppAccess is not in the export: xmpp is false");
    }
    if (import_take_bool(r, "EnableFederationAccess", &policy->sip_federation) == IMPORT_ABSENT) {
        import_note(r, IMPORT_REFUSES,
                    "EnableFederationAccess is not in the export, and XMPP depended on it; export "
                    "with: %s | Export-Clixml FILE",
                    import_kind_cmdlet(r->kind));
    }
    policy->xmpp = wants_xmpp && policy->sip_federation;
    if (wants_xmpp && !policy->sip_federation && !r->is_refused) {
        import_note(r, IMPORT_WARNS,
                    "EnableXmppAccess without EnableFederationAccess had no effect in the old "
                    "product, so xmpp is false; here it needs no SIP federation: set it to true if "
                    "these users shall talk to partners");
    }
    if (policy->sip_federation && !r->plan->told_sip &&
        (schema_key_at(KEY_policy_sip_federation)->flags & SCHEMA_LATER)) {
        r->plan->told_sip = true;
        import_note(r, IMPORT_WARNS,
                    "EnableFederationAccess comes over as sip_federation, which has no effect in "
                    "this release");
    }
    import_mapped(r->plan, SLICE_LIT("EnableXmppAccess"), "access.*.xmpp");
    import_mapped(r->plan, SLICE_LIT("EnableFederationAccess"), "access.*.sip_federation");
}

static void take_policy(struct import_record *r, struct import_policy *policy)
{
    static const char *const taken[] = {"Identity", "Description", "EnableXmppAccess",
                                        "EnableFederationAccess", NULL};
    struct slice description;

    take_switches(r, policy);
    if (import_take_text(r, "Description", &description) == IMPORT_GOOD) {
        policy->description = arena_slice(r->plan->arena, import_clean_description(r, description));
        import_mapped(r->plan, SLICE_LIT("Description"), "access.*.description");
    }
    import_leave_others(r, taken);
    policy->place = r->place;
    policy->action = r->is_refused ? IMPORT_DROPPED : IMPORT_ADDS;
}

void import_policy(struct import_record *r)
{
    const struct import_policy *before;
    struct import_policy policy = {.node = JSON_NONE};
    struct slice identity;
    struct slice name;

    r->object = "external access policy";
    if (import_take_text(r, "Identity", &identity) != IMPORT_GOOD) {
        if (!r->is_refused) {
            import_note(r, IMPORT_REFUSES,
                        "has no Identity, so whom it is for is unknown; export "
                        "with: %s | Export-Clixml FILE",
                        import_kind_cmdlet(r->kind));
        }
        return;
    }
    r->object = import_printf(r->plan, "policy %s", quote(identity).text);
    if (!parse_identity(identity, &policy.tier, &name)) {
        import_note(r, IMPORT_REFUSES,
                    "an Identity is Global, site:NAME or Tag:NAME, NAME with at "
                    "most %u bytes",
                    POLICY_NAME_MAX);
        return;
    }
    if (r->plan->policy_count == POLICIES_MAX) {
        import_note(r, IMPORT_REFUSES, "is one too many: at most %u policies", POLICIES_MAX);
        return;
    }
    before = import_find_policy(r->plan, policy.tier, name);
    take_policy(r, &policy);
    if (before && !r->is_refused) {
        bool is_same = before->xmpp == policy.xmpp &&
                       before->sip_federation == policy.sip_federation &&
                       slice_eq(before->description, policy.description);

        import_note(r, is_same ? IMPORT_IGNORES : IMPORT_REFUSES,
                    is_same ? "was exported twice, with the same switches"
                            : "was exported twice, with different switches (or names that differ "
                              "in case only); leave one out");
    }
    if (!before) {
        struct import_policy *kept = import_add_policy(r->plan, policy.tier, name);

        policy.name = kept->name;
        *kept = policy;
    }
}

/* --- users --- */

/* The policy's name: a text, "Tag:NAME", or an object that shows or has it. Empty: none. */
static bool take_policy_name(struct import_record *r, struct slice *name)
{
    uint32_t node = import_member(r->tree, r->node, "ExternalAccessPolicy");
    enum import_tier tier;

    *name = SLICE_NONE;
    if (node == IMPORT_NONE) {
        import_note(r, IMPORT_REFUSES, "ExternalAccessPolicy is not in the export; export with: %s",
                    import_kind_one_liner(r->kind));
        return false;
    }
    if (r->tree->nodes[node].value == IMPORT_OBJECT && !r->tree->nodes[node].has_text) {
        uint32_t inner = import_member(r->tree, node, "Name");

        if (inner != IMPORT_NONE && r->tree->nodes[inner].value == IMPORT_TEXT) {
            *name = slice_trim(import_text_of(r->tree, inner));
            return true;
        }
    }
    if (import_take_text(r, "ExternalAccessPolicy", name) == IMPORT_BAD) {
        return false;
    }
    if (name->len && (!parse_identity(*name, &tier, name) || tier == IMPORT_SITE)) {
        import_note(r, IMPORT_REFUSES, "%s is no name of a policy that a user is granted",
                    quote(*name).text);
        return false;
    }
    *name = name->len && tier == IMPORT_USER ? *name : SLICE_NONE;
    return true;
}

void import_user(struct import_record *r)
{
    struct import_plan *p = r->plan;
    struct import_grant grant = {.place = r->place};
    struct jid_storage mem;
    struct jid jid;
    struct slice sip;
    struct slice policy;
    bool is_enabled = true;
    unsigned status;

    r->object = "user";
    p->users++;
    if (import_take_text(r, "SipAddress", &sip) != IMPORT_GOOD) {
        if (!r->is_refused) {
            import_mapped(p, SLICE_LIT("users without a SIP address"), "");
        }
        return;
    }
    r->object = import_printf(p, "user %s", quote(sip).text);
    if (!take_policy_name(r, &policy) || policy.len == 0) {
        return; /* the site's or the global policy counts, as before */
    }
    if (import_take_bool(r, "Enabled", &is_enabled) == IMPORT_GOOD && !is_enabled) {
        import_note(r, IMPORT_IGNORES, "is not enabled, so no member of %s", quote(policy).text);
        return;
    }
    status = address_text_to_jid(sip, false, &mem, &jid);
    if (status != 0 || jid.local.len == 0) {
        import_note(r, IMPORT_REFUSES,
                    "the SIP address cannot be an XMPP address; take the user "
                    "out of the export, or correct it");
        return;
    }
    grant.member =
        slice_make(import_printf(p, "%.*s@%.*s", SLICE_FMT(jid.local), SLICE_FMT(jid.domain)),
                   jid.local.len + 1 + jid.domain.len);
    grant.policy = arena_slice(p->arena, policy);
    p->grants = import_grow(p->grants, &p->grant_count, &p->grant_cap, sizeof(grant));
    p->grants[p->grant_count - 1] = grant;
    import_mapped(p, SLICE_LIT("ExternalAccessPolicy"), "access.users.*.members");
}
