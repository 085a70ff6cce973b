/* SPDX-License-Identifier: GPL-2.0-or-later */
/* build_access: who of ours may talk outside: groups, the three tiers of external access, and whom
 * nobody talks to. */
#include <stdio.h>

#include "base/pool.h"
#include "policy/build.h"
#include "policy/members.h"
#include "policy/quote.h"
#include "policy/suggest.h"

#define POLICIES_MAX       10000u
#define GROUPS_MAX         10000u
#define SUGGEST_GROUPS_MAX 1000u /* among more nobody's spelling is looked for */
#define POLICY_NAME_BYTES  128u
#define LOCAL_ENTRIES      (ENTRY_ADDRESS | ENTRY_DOMAIN)

/* --- groups --- */

static void add_to_group(struct load *l, const struct member_place *place, const struct entry *e,
                         void *ctx)
{
    uint32_t before;

    if (member_is_local(l, place, e)) {
        (void)member_add(l, place, ctx, entry_text(e), 0, &before);
    }
}

static bool is_group_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        if ((unsigned char)name.ptr[i] < 0x20 || name.ptr[i] == 0x7f) {
            return false;
        }
    }
    return name.len > 0 && name.len <= ENTRY_GROUP_NAME_BYTES_MAX;
}

static void build_group(struct load *l, uint32_t key_node, struct user_group *group)
{
    struct slice name = json_text(&l->doc, key_node);
    struct load_where where = {.section = "groups", .kind = LOAD_AT_NAME, .name = name};
    uint32_t start = l->doc.nodes[key_node].start;
    struct users_build b = {0};
    char path[LOAD_PATH_BYTES];
    struct schema_values v;

    load_path(path, &where, NULL, -1);
    group->name = arena_slice(l->arena, name);
    if (!is_group_name(name)) {
        load_problem_at(l, false, start, path, "names a group with 1 to 64 printable bytes");
    } else if (map_add(&l->group_map, group->name, group)) {
        load_problem_at(l, false, start, path, "is written twice; one of the two must go");
    }
    if (schema_read(l, key_node + 1, SECTION_group, &where, &v)) {
        members_of_list(l, &v, KEY_group_members, LOCAL_ENTRIES, add_to_group, &b);
        members_of_file(l, &v, KEY_group_list_file, add_to_group, &b);
        if (!schema_is_written(&v, KEY_group_members) &&
            !schema_is_written(&v, KEY_group_list_file)) {
            load_problem_at(l, true, start, path,
                            "has nobody in it: neither \"members\" nor \"list_file\" is written");
        }
    }
    group->members = users_build_finish(&b, l->arena, NULL, 0);
}

void build_groups(struct load *l, const struct schema_values *root)
{
    uint32_t node = schema_get(root, KEY_root_groups)->node;
    uint32_t count = node == JSON_NONE ? 0 : json_child_count(&l->doc, node);
    struct user_group *groups;
    uint32_t idx = 0;

    l->has_bad_groups = !schema_get(root, KEY_root_groups)->is_good || count > GROUPS_MAX;
    if (count > GROUPS_MAX) {
        schema_error(l, root, KEY_root_groups, "has %u entries; at most %u are allowed",
                     (unsigned)count, GROUPS_MAX);
        return;
    }
    if (count == 0) {
        return;
    }
    groups = arena_zalloc(l->arena, count * sizeof(*groups));
    l->group_is_used = arena_zalloc(l->arena, count * sizeof(*l->group_is_used));
    l->group_nodes = arena_zalloc(l->arena, count * sizeof(*l->group_nodes));
    l->snapshot->groups = groups;
    l->snapshot->group_count = count;
    for (uint32_t at = node + 1; at < l->doc.nodes[node].next; at = l->doc.nodes[at + 1].next) {
        l->group_nodes[idx] = at;
        build_group(l, at, &groups[idx++]);
    }
}

/* The group that was probably meant, "" = none is near. */
static void suggest_group(const struct load *l, struct slice name,
                          char best[ENTRY_GROUP_NAME_BYTES_MAX + 1])
{
    uint32_t count = l->snapshot->group_count;
    uint32_t best_distance = 0;

    best[0] = 0;
    for (uint32_t i = 0; i < count && count <= SUGGEST_GROUPS_MAX; i++) {
        struct suggest near = {.word = name};
        char text[ENTRY_GROUP_NAME_BYTES_MAX + 1];

        slice_to_cstr_cut(l->snapshot->groups[i].name, text, sizeof(text));
        suggest_consider(&near, text);
        if (near.best && (!best[0] || near.best_distance < best_distance)) {
            memcpy(best, text, sizeof(text));
            best_distance = near.best_distance;
        }
    }
}

static void unknown_group(struct load *l, const struct member_place *place, struct slice name)
{
    char best[ENTRY_GROUP_NAME_BYTES_MAX + 1] = "";
    struct quoted meant;

    if (!load_is_full(l, false)) {
        suggest_group(l, name, best);
    }
    meant = quote(slice_from_cstr(best));
    member_error(l, place, "names the group %s, which is not in \"groups\"%s%s%s", quote(name).text,
                 best[0] ? "; did you mean " : "", best[0] ? meant.text : "", best[0] ? "?" : "");
}

const struct user_group *build_find_group(struct load *l, const struct member_place *place,
                                          const struct entry *e)
{
    const struct user_group *group = map_get(&l->group_map, entry_domain(e));

    if (!group && l->has_bad_groups) {
        return NULL;
    }
    if (!group) {
        unknown_group(l, place, entry_domain(e));
        return NULL;
    }
    l->group_is_used[group - l->snapshot->groups] = true;
    return group;
}

void build_check_groups(struct load *l)
{
    for (uint32_t i = 0; i < l->snapshot->group_count; i++) {
        struct load_where where = {
            .section = "groups", .kind = LOAD_AT_NAME, .name = l->snapshot->groups[i].name};
        char path[LOAD_PATH_BYTES];

        if (!l->group_is_used[i]) {
            load_path(path, &where, NULL, -1);
            load_problem_at(l, true, l->doc.nodes[l->group_nodes[i]].start, path,
                            "is named by no policy and no partner's \"allowed_users\"");
        }
    }
}

/* --- the tiers of external access --- */

struct tier {
    const char *section; /* "access.users" */
    enum schema_key_idx key;
    struct access_policy *policies; /* arena */
    uint32_t count;
    uint32_t idx;         /* of the policy being read */
    uint32_t *group_seen; /* heap; by idx of the group: idx + 1 of the last policy that named it */
    struct users_build members;
};

/* Of two policies that name the same user none is the more exact one: nobody could say which
 * counts. False: it was so. */
static bool add_one(struct load *l, struct tier *t, const struct member_place *place,
                    struct slice entry, const struct user_group *group)
{
    struct quoted other;
    struct quoted through;
    uint32_t before;

    if (member_add(l, place, &t->members, entry, t->idx, &before)) {
        return true;
    }
    other = quote(t->policies[before].name);
    through = quote(group ? group->name : SLICE_NONE);
    member_error(l, place,
                 "%s%s%s is in %s[%s] already; a policy of the same tier would contradict "
                 "it, so one of the two entries must go",
                 quote(entry).text, group ? ", of the group " : "", group ? through.text : "",
                 t->section, other.text);
    return false;
}

static void add_to_tier(struct load *l, const struct member_place *place, const struct entry *e,
                        void *ctx)
{
    const struct user_group *group;
    struct tier *t = ctx;
    struct slice entry;
    uint32_t number;
    uint32_t at = 0;

    if (e->kind != ENTRY_GROUP) {
        if (member_is_local(l, place, e)) {
            (void)add_one(l, t, place, entry_text(e), NULL);
        }
        return;
    }
    group = build_find_group(l, place, e);
    if (!group || t->group_seen[group - l->snapshot->groups] == t->idx + 1) {
        return;
    }
    t->group_seen[group - l->snapshot->groups] = t->idx + 1;
    /* Of a group that is elsewhere already, one member says so for all. */
    while (users_next(group->members, &at, &entry, &number)) {
        if (!add_one(l, t, place, entry, group)) {
            return;
        }
    }
}

static void build_policy(struct load *l, struct tier *t, uint32_t key_node)
{
    struct access_policy *policy = &t->policies[t->idx];
    struct slice name = json_text(&l->doc, key_node);
    struct load_where where = {.section = t->section, .kind = LOAD_AT_NAME, .name = name};
    uint32_t start = l->doc.nodes[key_node].start;
    char path[LOAD_PATH_BYTES];
    struct schema_values v;

    policy->name = arena_slice(l->arena, name);
    load_path(path, &where, NULL, -1);
    if (name.len == 0 || name.len > POLICY_NAME_BYTES) {
        load_problem_at(l, false, start, path, "names a policy with 1 to 128 bytes");
    }
    for (uint32_t i = 0; i < t->idx; i++) {
        if (slice_eq(t->policies[i].name, name)) {
            load_problem_at(l, false, start, path, "is written twice; one of the two must go");
            break;
        }
    }
    if (!schema_read(l, key_node + 1, SECTION_policy, &where, &v)) {
        return;
    }
    policy->xmpp = schema_u32(&v, KEY_policy_xmpp) != 0;
    policy->sip_federation = schema_u32(&v, KEY_policy_sip_federation) != 0;
    members_of_list(l, &v, KEY_policy_members, LOCAL_ENTRIES | ENTRY_GROUP, add_to_tier, t);
    members_of_file(l, &v, KEY_policy_list_file, add_to_tier, t);
    if (!schema_is_written(&v, KEY_policy_members) &&
        !schema_is_written(&v, KEY_policy_list_file)) {
        load_problem_at(l, true, start, path,
                        "counts for nobody: neither \"members\" nor \"list_file\" is written");
    }
}

static const struct user_set *build_tier(struct load *l, const struct schema_values *access,
                                         struct tier *t)
{
    const struct schema_value *value = schema_get(access, t->key);
    uint32_t node = value->node;
    uint32_t count = node == JSON_NONE ? 0 : json_child_count(&l->doc, node);

    if (count > POLICIES_MAX) {
        schema_error(l, access, t->key, "has %u entries; at most %u are allowed", (unsigned)count,
                     POLICIES_MAX);
        return NULL;
    }
    if (count == 0) {
        return NULL;
    }
    t->policies = arena_zalloc(l->arena, count * sizeof(*t->policies));
    t->count = count;
    t->group_seen = pool_heap_zalloc((l->snapshot->group_count + 1) * sizeof(*t->group_seen));
    for (uint32_t at = node + 1; at < l->doc.nodes[node].next; at = l->doc.nodes[at + 1].next) {
        build_policy(l, t, at);
        t->idx++;
    }
    pool_heap_free(t->group_seen);
    return users_build_finish(&t->members, l->arena, NULL, 0);
}

static bool allows_somebody(const struct access_settings *a)
{
    bool found = a->global.xmpp;

    for (uint32_t i = 0; i < a->site_count; i++) {
        found = found || a->sites[i].xmpp;
    }
    for (uint32_t i = 0; i < a->user_count; i++) {
        found = found || a->users[i].xmpp;
    }
    return found;
}

void build_access(struct load *l, const struct schema_values *root)
{
    struct access_settings *a = &l->snapshot->access;
    struct load_where where = {.section = "access"};
    struct load_where where_global = {.section = "access.global"};
    struct tier sites = {.section = "access.sites", .key = KEY_access_sites};
    struct tier users = {.section = "access.users", .key = KEY_access_users};
    struct schema_values access;
    struct schema_values global;

    a->is_written = schema_is_written(root, KEY_root_access);
    if (!a->is_written) {
        if (schema_get(root, KEY_root_access)->is_good) {
            schema_warning(l, root, KEY_root_access,
                           "is missing: none of our users may talk to partners; "
                           "\"access\": { \"global\": { \"xmpp\": true } } lets all of them");
        }
        return;
    }
    if (!schema_read(l, schema_get(root, KEY_root_access)->node, SECTION_access, &where, &access)) {
        return;
    }
    if (schema_read(l, schema_get(&access, KEY_access_global)->node, SECTION_global, &where_global,
                    &global)) {
        a->global.xmpp = schema_u32(&global, KEY_global_xmpp) != 0;
        a->global.sip_federation = schema_u32(&global, KEY_global_sip_federation) != 0;
    }
    a->site_members = build_tier(l, &access, &sites);
    a->sites = sites.policies;
    a->site_count = sites.count;
    a->user_members = build_tier(l, &access, &users);
    a->users = users.policies;
    a->user_count = users.count;
    if (!allows_somebody(a)) {
        schema_warning(l, root, KEY_root_access,
                       "lets nobody talk to partners: no policy has \"xmpp\": true");
    }
}

/* --- whom nobody talks to --- */

static void add_to_blocked(struct load *l, const struct member_place *place, const struct entry *e,
                           void *ctx)
{
    const struct local_domain *ours = map_get(&l->snapshot->domain_map, entry_domain(e));
    uint32_t partner = names_find(&l->snapshot->partner_names, entry_domain(e));
    uint32_t before;

    if (ours && e->kind != ENTRY_SUFFIX) {
        member_error(l, place, "%s is of a domain of ours; \"access\" says what our users may do",
                     quote(entry_text(e)).text);
        return;
    }
    if (partner != NAMES_NONE && e->kind == ENTRY_DOMAIN) {
        member_warning(l, place, "is a domain of partners[%u], with which nobody can talk then",
                       (unsigned)partner);
    }
    (void)member_add(l, place, ctx, entry_text(e), 0, &before);
}

void build_blocked(struct load *l, const struct schema_values *root)
{
    struct users_build b = {0};

    members_of_list(l, root, KEY_root_blocked, ENTRY_ADDRESS | ENTRY_DOMAIN | ENTRY_SUFFIX,
                    add_to_blocked, &b);
    if (b.set.count) {
        l->snapshot->blocked = users_build_finish(&b, l->arena, NULL, 0);
    }
    users_build_deinit(&b);
}
