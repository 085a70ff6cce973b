/* SPDX-License-Identifier: GPL-2.0-or-later */
/* build_partner_extra: what few partners have: rates, sizes, maintenance, lists of users. A partner
 * without any of it costs nothing here. */
#include "policy/build.h"
#include "policy/decide.h"
#include "policy/members.h"
#include "policy/quote.h"

#define GROUPS_OF_LIST_MAX 64u /* each is one more lookup per stanza */

/* --- rates and sizes --- */

static bool is_set(const struct schema_values *v, enum schema_key_idx key)
{
    const struct schema_value *value = schema_get(v, key);

    return schema_is_written(v, key) && value->is_good && value->number != 0;
}

/* What is written and does nothing would deceive whoever reads the file. */
static void refuse_lone_burst(struct load *l, const struct schema_values *v,
                              enum schema_key_idx burst, enum schema_key_idx rate)
{
    if (schema_is_written(v, burst) && schema_get(v, rate)->is_good && !is_set(v, rate)) {
        schema_error(l, v, burst, "says nothing without \"%s\"; write that, or take this out",
                     schema_key_at(rate)->name);
    }
}

static uint32_t largest_stanza(const struct load *l, const struct partner_extra *extra)
{
    uint32_t node_max = l->snapshot->limits.stanza_bytes_max;

    return extra->stanza_bytes_max && extra->stanza_bytes_max < node_max ? extra->stanza_bytes_max
                                                                         : node_max;
}

static void read_stanza_rate(const struct schema_values *v, struct partner_extra *extra)
{
    if (!is_set(v, KEY_partner_stanza_rate_max)) {
        return;
    }
    extra->stanza_rate_max = schema_u32(v, KEY_partner_stanza_rate_max);
    extra->stanza_burst = is_set(v, KEY_partner_stanza_burst)
                              ? schema_u32(v, KEY_partner_stanza_burst)
                              : extra->stanza_rate_max;
}

static void read_byte_rate(struct load *l, const struct schema_values *v,
                           struct partner_extra *extra)
{
    uint32_t largest = largest_stanza(l, extra);
    uint64_t burst = schema_get(v, KEY_partner_byte_burst)->number;

    if (!is_set(v, KEY_partner_byte_rate_max)) {
        return;
    }
    extra->byte_rate_max = schema_get(v, KEY_partner_byte_rate_max)->number;
    if (!is_set(v, KEY_partner_byte_burst)) {
        extra->byte_burst = extra->byte_rate_max > largest ? extra->byte_rate_max : largest;
        return;
    }
    extra->byte_burst = burst;
    if (burst < largest) {
        schema_error(l, v, KEY_partner_byte_burst,
                     "is below the largest stanza that is allowed (%u bytes), which would never "
                     "pass; raise it, or lower \"stanza_bytes_max\"",
                     (unsigned)largest);
    }
}

static void read_stanza_bytes(struct load *l, const struct schema_values *v,
                              struct partner_extra *extra)
{
    if (!is_set(v, KEY_partner_stanza_bytes_max)) {
        return;
    }
    extra->stanza_bytes_max = schema_u32(v, KEY_partner_stanza_bytes_max);
    if (extra->stanza_bytes_max > l->snapshot->limits.stanza_bytes_max) {
        schema_warning(l, v, KEY_partner_stanza_bytes_max,
                       "is above limits.stanza_bytes_max (%u), which is reached first",
                       (unsigned)l->snapshot->limits.stanza_bytes_max);
    }
}

/* --- lists --- */

struct allowed {
    struct users_build b;
    const struct user_set *groups[GROUPS_OF_LIST_MAX];
    uint32_t group_count;
};

/* The list takes away from what access gives, it gives nothing itself. */
static void warn_denied(struct load *l, const struct member_place *place, const struct entry *e)
{
    struct slice user = slice_to(entry_text(e), e->domain_at ? e->domain_at - 1 : 0);
    struct policy_access access = policy_access_of(l->snapshot, user, entry_domain(e));
    char rule[POLICY_RULE_BYTES];

    if (e->kind == ENTRY_ADDRESS && l->snapshot->access.is_written && !access.policy->xmpp) {
        policy_rule_text(access.rule, rule);
        member_warning(l, place, "%s may not talk to any partner: %s does not let them",
                       quote(entry_text(e)).text, rule);
    }
}

static void add_allowed(struct load *l, const struct member_place *place, const struct entry *e,
                        void *ctx)
{
    const struct user_group *group;
    struct allowed *a = ctx;
    uint32_t before;

    if (e->kind != ENTRY_GROUP) {
        if (member_is_local(l, place, e)) {
            (void)member_add(l, place, &a->b, entry_text(e), 0, &before);
            warn_denied(l, place, e);
        }
        return;
    }
    group = build_find_group(l, place, e);
    if (group && a->group_count == GROUPS_OF_LIST_MAX) {
        member_error(l, place, "is one group too many: at most %u are allowed in one list",
                     GROUPS_OF_LIST_MAX);
    } else if (group && group->members) {
        a->groups[a->group_count++] = group->members;
    }
}

static const struct user_set *read_allowed(struct load *l, const struct schema_values *v)
{
    struct allowed a = {.group_count = 0};
    const struct user_set **groups;

    members_of_list(l, v, KEY_partner_allowed_users, ENTRY_ADDRESS | ENTRY_DOMAIN | ENTRY_GROUP,
                    add_allowed, &a);
    groups = arena_zalloc(l->arena, a.group_count * sizeof(*groups));
    for (uint32_t i = 0; i < a.group_count; i++) {
        groups[i] = a.groups[i];
    }
    if (a.b.set.count == 0 && a.group_count == 0) {
        schema_warning(l, v, KEY_partner_allowed_users,
                       "is empty: none of our users may talk to this partner; null lifts that");
    }
    return users_build_finish(&a.b, l->arena, groups, (uint16_t)a.group_count);
}

struct blocked {
    struct users_build b;
    const struct partner *partner;
    bool has_all_names; /* none of the partner's domains is in doubt */
};

/* Whether name is one of the partner's domains, or below one that counts for all below. */
static bool is_of_partner(const struct partner *p, struct slice name)
{
    for (uint32_t i = 0; i <= p->more_domain_count; i++) {
        struct slice own = i ? p->more_domains[i - 1] : p->domain;

        if (slice_eq(name, own) ||
            (p->suffix_match && own.len && name.len > own.len && slice_ends(name, own) &&
             name.ptr[name.len - own.len - 1] == '.')) {
            return true;
        }
    }
    return false;
}

static void add_blocked(struct load *l, const struct member_place *place, const struct entry *e,
                        void *ctx)
{
    struct blocked *blocked = ctx;
    const struct partner *p = blocked->partner;
    struct slice domain = entry_domain(e);
    uint32_t before;

    if (e->kind == ENTRY_SUFFIX && !p->suffix_match) {
        member_error(l, place,
                     "%s says nothing without \"suffix_match\": domains below the "
                     "partner's are not its",
                     quote(entry_text(e)).text);
        return;
    }
    if (blocked->has_all_names && !is_of_partner(p, domain)) {
        member_error(l, place,
                     "%s is of no domain of this partner; \"blocked\" at the top level "
                     "is for everybody",
                     quote(entry_text(e)).text);
        return;
    }
    (void)member_add(l, place, &blocked->b, entry_text(e), 0, &before);
}

static const struct user_set *read_blocked(struct load *l, const struct schema_values *v,
                                           const struct partner *partner)
{
    struct blocked blocked = {.partner = partner};
    uint32_t more = schema_get(v, KEY_partner_additional_domains)->node;

    blocked.has_all_names =
        partner->domain.len > 0 && schema_get(v, KEY_partner_additional_domains)->is_good &&
        (more == JSON_NONE || json_child_count(&l->doc, more) == partner->more_domain_count);

    members_of_list(l, v, KEY_partner_blocked, ENTRY_ADDRESS | ENTRY_DOMAIN | ENTRY_SUFFIX,
                    add_blocked, &blocked);
    if (blocked.b.set.count == 0) {
        users_build_deinit(&blocked.b);
        return NULL;
    }
    return users_build_finish(&blocked.b, l->arena, NULL, 0);
}

static bool has_list(const struct schema_values *v, enum schema_key_idx key)
{
    return schema_is_written(v, key) && schema_get(v, key)->is_good;
}

void build_partner_extra(struct load *l, const struct schema_values *v, struct partner *partner)
{
    const struct schema_value *maintenance = schema_get(v, KEY_partner_maintenance);
    struct partner_extra *extra;

    refuse_lone_burst(l, v, KEY_partner_stanza_burst, KEY_partner_stanza_rate_max);
    refuse_lone_burst(l, v, KEY_partner_byte_burst, KEY_partner_byte_rate_max);
    if (!is_set(v, KEY_partner_stanza_rate_max) && !is_set(v, KEY_partner_byte_rate_max) &&
        !is_set(v, KEY_partner_stanza_bytes_max) && maintenance->text.len == 0 &&
        !has_list(v, KEY_partner_allowed_users) && !has_list(v, KEY_partner_blocked)) {
        return;
    }
    extra = arena_zalloc(l->arena, sizeof(*extra));
    partner->extra = extra;
    read_stanza_bytes(l, v, extra);
    read_stanza_rate(v, extra);
    read_byte_rate(l, v, extra);
    extra->maintenance = arena_slice(l->arena, maintenance->text);
    if (has_list(v, KEY_partner_allowed_users)) {
        extra->allowed_users = read_allowed(l, v);
    }
    if (has_list(v, KEY_partner_blocked)) {
        extra->blocked = read_blocked(l, v, partner);
    }
}
