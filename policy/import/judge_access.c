/* SPDX-License-Identifier: GPL-2.0-or-later */
/* judge_access: who is granted which policy, and the policies against those of the
 * configuration. A policy that loses its users would let the tier below decide; so a grant that
 * cannot be followed is refused, and a policy without members is warned about. */
#include <stdio.h>

#include "import/plan_int.h"
#include "policy/edit.h"
#include "policy/entry.h"
#include "policy/quote.h"
#include "xmpp/jid.h"

static uint32_t member_of(const struct json_doc *doc, uint32_t node, const char *key)
{
    return node == JSON_NONE || json_kind_of(doc, node) != JSON_OBJECT
               ? JSON_NONE
               : edit_member(doc, node, slice_from_cstr(key));
}

/* Where a policy stands in the configuration; names without regard to case. */
static uint32_t find_there(const struct json_doc *doc, const struct import_policy *policy)
{
    static const char *const maps[IMPORT_TIER_COUNT] = {"global", "sites", "users"};
    uint32_t access = member_of(doc, 0, "access");
    uint32_t map = member_of(doc, access, maps[policy->tier]);

    if (policy->tier == IMPORT_GLOBAL || map == JSON_NONE ||
        json_kind_of(doc, map) != JSON_OBJECT) {
        return policy->tier == IMPORT_GLOBAL ? map : JSON_NONE;
    }
    for (uint32_t at = map + 1; at < doc->nodes[map].next; at = doc->nodes[at + 1].next) {
        if (slice_eq_nocase(json_text(doc, at), policy->name)) {
            return at + 1;
        }
    }
    return JSON_NONE;
}

/* --- grants --- */

/* The policy a user was granted; NULL: nobody knows it. */
static struct import_policy *granted(struct import_plan *p, const struct json_doc *doc,
                                     struct slice name)
{
    struct import_policy *policy = import_find_policy(p, IMPORT_USER, name);
    struct import_policy wanted = {.tier = IMPORT_USER, .name = name};

    if (policy || find_there(doc, &wanted) == JSON_NONE) {
        return policy;
    }
    policy = import_add_policy(p, IMPORT_USER, name);
    policy->is_members_only = true;
    return policy;
}

static bool is_ours(const struct json_doc *doc, struct slice member)
{
    uint32_t domains = member_of(doc, 0, "domains");
    struct slice domain = slice_from(member, (size_t)slice_find_last(member, '@') + 1);
    struct jid_ascii key;
    struct jid_ascii other;

    if (doc->count == 0 || domains == JSON_NONE || json_kind_of(doc, domains) != JSON_LIST ||
        jid_domain_to_ascii(domain, &key) != 0) {
        return true; /* said elsewhere, or a fragment: whose domains are unknown */
    }
    for (uint32_t at = domains + 1; at < doc->nodes[domains].next; at = doc->nodes[at].next) {
        uint32_t name = member_of(doc, at, "name");

        if (name != JSON_NONE && json_kind_of(doc, name) == JSON_TEXT &&
            jid_domain_to_ascii(json_text(doc, name), &other) == 0 &&
            slice_eq(jid_ascii_slice(&key), jid_ascii_slice(&other))) {
            return true;
        }
    }
    return false;
}

static void follow_grant(struct import_plan *p, const struct json_doc *doc, struct map *seen,
                         struct import_grant *g)
{
    const char *object = import_printf(p, "user %s", quote(g->member).text);
    const struct import_grant *before;
    struct import_policy *policy;

    if (!is_ours(doc, g->member)) {
        import_note_at(p, IMPORT_IGNORES, &g->place, object,
                       "is in a domain that is none of ours (\"domains\")");
        return;
    }
    before = map_add(seen, g->member, g);
    if (before) {
        bool is_same = slice_eq_nocase(before->policy, g->policy);

        import_note_at(p, is_same ? IMPORT_IGNORES : IMPORT_REFUSES, &g->place, object,
                       is_same ? "was exported twice"
                               : "was exported twice, with different policies; leave one out");
        return;
    }
    policy = granted(p, doc, g->policy);
    if (!policy) {
        import_note_at(p, IMPORT_REFUSES, &g->place, object,
                       "has the policy %s, which is neither in the exports nor in the "
                       "configuration; give the output of Get-CsExternalAccessPolicy as well",
                       quote(g->policy).text);
        return;
    }
    if (policy->action == IMPORT_DROPPED) {
        import_note_at(p, IMPORT_REFUSES, &g->place, object,
                       "has the policy %s, which was refused: another would count for the user",
                       quote(g->policy).text);
        return;
    }
    import_add_member(policy, g->member);
}

/* --- policies --- */

static bool bool_there(const struct json_doc *doc, uint32_t node, const char *key)
{
    uint32_t value = member_of(doc, node, key);

    return value != JSON_NONE && json_kind_of(doc, value) == JSON_TRUE;
}

static bool text_is_there(const struct json_doc *doc, uint32_t node, const char *key,
                          struct slice text)
{
    uint32_t value = member_of(doc, node, key);

    return value != JSON_NONE && json_kind_of(doc, value) == JSON_TEXT
               ? slice_eq(json_text(doc, value), text)
               : text.len == 0;
}

/* A member in its normal form: people write "o'hara@...", exports come to "o\27hara@...". */
static struct slice normal_form(struct import_plan *p, struct slice member)
{
    struct entry entry;

    return entry_parse(member, ENTRY_ADDRESS | ENTRY_DOMAIN, &entry)
               ? member
               : arena_slice(p->arena, entry_text(&entry));
}

/* Leaves those members that the configuration does not have yet. */
static void drop_known_members(struct import_plan *p, const struct json_doc *doc, uint32_t node,
                               struct import_policy *policy)
{
    uint32_t list = member_of(doc, node, "members");
    struct map there = {0};
    uint32_t kept = 0;

    if (list == JSON_NONE || json_kind_of(doc, list) != JSON_LIST) {
        return;
    }
    for (uint32_t at = list + 1; at < doc->nodes[list].next; at = doc->nodes[at].next) {
        if (json_kind_of(doc, at) == JSON_TEXT) {
            (void)map_add(&there, normal_form(p, json_text(doc, at)), policy);
        }
    }
    for (uint32_t i = 0; i < policy->member_count; i++) {
        if (!map_get(&there, normal_form(p, policy->members[i]))) {
            policy->members[kept++] = policy->members[i];
        }
    }
    policy->member_count = kept;
    map_deinit(&there);
}

static const char *object_of(struct import_plan *p, const struct import_policy *policy)
{
    return policy->tier == IMPORT_GLOBAL ? "policy \"Global\""
                                         : import_printf(p, "policy %s", quote(policy->name).text);
}

static bool has_members_there(const struct json_doc *doc, uint32_t node)
{
    uint32_t list = member_of(doc, node, "members");

    return member_of(doc, node, "list_file") != JSON_NONE ||
           (list != JSON_NONE && json_child_count(doc, list) > 0);
}

static void note_no_members(struct import_plan *p, const struct json_doc *doc,
                            const struct import_policy *policy)
{
    if (policy->tier == IMPORT_GLOBAL || policy->member_count ||
        has_members_there(doc, policy->node)) {
        return;
    }
    if (policy->tier == IMPORT_SITE) {
        import_note_at(
            p, IMPORT_WARNS, &policy->place, object_of(p, policy),
            "applies to nobody yet, so the global policy decides: sites are not exported "
            "with it. Write the site's "
            "SIP domains or users as access.sites[%s].members",
            quote(policy->name).text);
        return;
    }
    import_note_at(p, IMPORT_WARNS, &policy->place, object_of(p, policy),
                   p->users
                       ? "was granted to no exported user, so it applies to nobody"
                       : "applies to nobody yet, so the tier below decides: who was granted it "
                         "is in the users. Export "
                         "them with \"Get-CsUser | Select-Object SipAddress, Enabled, "
                         "ExternalAccessPolicy | Export-Clixml users.xml\" and import that "
                         "file as well, or write access.users[%s].members",
                   quote(policy->name).text);
}

static bool is_same_there(const struct json_doc *doc, const struct import_policy *policy)
{
    return policy->is_members_only ||
           (bool_there(doc, policy->node, "xmpp") == policy->xmpp &&
            bool_there(doc, policy->node, "sip_federation") == policy->sip_federation &&
            text_is_there(doc, policy->node, "description", policy->description));
}

static void judge_policy(struct import_plan *p, const struct json_doc *doc,
                         struct import_policy *policy)
{
    if (policy->action == IMPORT_DROPPED) {
        return;
    }
    policy->node = find_there(doc, policy);
    if (policy->node != JSON_NONE) {
        drop_known_members(p, doc, policy->node, policy);
        if (is_same_there(doc, policy) && policy->member_count == 0) {
            policy->action = IMPORT_SAME;
        } else if (p->replaces) {
            policy->action = IMPORT_UPDATES;
        } else {
            policy->action = IMPORT_LEAVES;
            import_note_at(p, IMPORT_WARNS, &policy->place, object_of(p, policy),
                           "is in the configuration with other switches or members, and stays so; "
                           "--update takes the exported ones");
        }
    }
    note_no_members(p, doc, policy);
}

void import_judge_policies(struct import_plan *p, const struct json_doc *doc)
{
    struct map seen = {0};

    for (uint32_t i = 0; i < p->grant_count; i++) {
        follow_grant(p, doc, &seen, &p->grants[i]);
    }
    map_deinit(&seen);
    for (uint32_t i = 0; i < p->policy_count; i++) {
        judge_policy(p, doc, &p->policies[i]);
    }
}

void import_plan_judge(struct import_plan *p, const struct json_doc *doc)
{
    static const struct json_doc none;

    doc = doc ? doc : &none;
    import_judge_partners(p, doc);
    import_judge_gateway(p, doc);
    import_judge_policies(p, doc);
    import_judge_domains(p, doc);
}
