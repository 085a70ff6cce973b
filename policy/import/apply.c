/* SPDX-License-Identifier: GPL-2.0-or-later */
/* apply: new partners behind those that are there, changed keys where they stand, sections that
 * are missing at the end. Each list and object is changed by one call. */
#include "import/apply.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/jout.h"
#include "base/pool.h"
#include "import/plan_int.h"

#define VALUE_BYTES_MAX POOL_BLOCK_BYTES_MAX
#define ROOT_MEMBERS    4u
#define MEMBERS_IN_LINE 3u

/* Members that the root gets: what is missing there as a whole. */
struct root {
    struct edit_member members[ROOT_MEMBERS];
    uint32_t count;
};

struct apply {
    const struct import_plan *plan;
    struct edit *edit;
    struct root root;
    int err;
};

static int fail(struct apply *a, const char *why)
{
    (void)snprintf(a->edit->why, sizeof(a->edit->why), "%.*s", (int)sizeof(a->edit->why) - 1, why);
    a->err = ERR_CONFIG;
    return a->err;
}

static void check(struct apply *a, int err)
{
    a->err = a->err ? a->err : err;
}

/* What was written into b, kept; b is empty again. */
static struct slice take(struct apply *a, struct buf *b)
{
    struct slice text = SLICE_NONE;

    if (b->failed) {
        (void)fail(
            a, "the policies have more members than fit into the configuration; write them into "
               "a file of their own (list_file)");
    } else {
        text = arena_slice(a->plan->arena, buf_slice(b));
    }
    buf_clear(b);
    return text;
}

static uint32_t root_member(const struct apply *a, const char *key)
{
    return edit_member(a->edit->doc, 0, slice_from_cstr(key));
}

static void put_root(struct apply *a, const char *key, struct slice value)
{
    a->root.members[a->root.count++] =
        (struct edit_member){.key = slice_from_cstr(key), .value = value};
}

/* --- lists --- */

/* "[", the elements a line each, "]". */
static struct slice list_of(struct apply *a, const struct slice *elements, uint32_t count)
{
    static const char indent[] = "    ";
    size_t bytes = 4;
    size_t at = 0;
    char *text;

    for (uint32_t i = 0; i < count; i++) {
        bytes += elements[i].len + 2;
        for (size_t j = 0; j < elements[i].len; j++) {
            bytes += elements[i].ptr[j] == '\n' ? sizeof(indent) - 1 : 0;
        }
        bytes += sizeof(indent) - 1;
    }
    text = arena_zalloc(a->plan->arena, bytes);
    text[at++] = '[';
    for (uint32_t i = 0; i < count; i++) {
        if (i) {
            text[at++] = ',';
        }
        text[at++] = '\n';
        memcpy(text + at, indent, sizeof(indent) - 1);
        at += sizeof(indent) - 1;
        for (size_t j = 0; j < elements[i].len; j++) {
            text[at++] = elements[i].ptr[j];
            if (elements[i].ptr[j] == '\n') {
                memcpy(text + at, indent, sizeof(indent) - 1);
                at += sizeof(indent) - 1;
            }
        }
    }
    text[at++] = '\n';
    text[at++] = ']';
    return slice_make(text, at);
}

/* Elements at the end of a list of the root, which may be missing. */
static void add_elements(struct apply *a, const char *key, const struct slice *elements,
                         uint32_t count)
{
    uint32_t node = root_member(a, key);
    struct edit_elements added = {.added = elements, .added_count = count};

    if (count == 0 || a->err) {
        return;
    }
    if (node == JSON_NONE) {
        put_root(a, key, list_of(a, elements, count));
    } else {
        check(a, edit_list(a->edit, node, &added));
    }
}

/* --- objects from properties --- */

/* The exported keys of an object that is there, where they differ. */
static void update(struct apply *a, uint32_t node, const struct props *exported, uint32_t given,
                   struct buf *b)
{
    struct edit_member members[SCHEMA_KEYS_MAX];
    uint32_t first = (uint32_t)props_first_key(exported->section);
    char why[PROPS_WHY_BYTES];
    struct props there;
    uint32_t count = 0;

    props_init(&there, exported->section, a->plan->arena);
    if (props_read(&there, a->edit->doc, node, why) != 0) {
        (void)fail(a, why);
        return;
    }
    for (uint32_t i = 0; props_is_key_of((enum schema_key_idx)(first + i), exported->section);
         i++) {
        enum schema_key_idx key = (enum schema_key_idx)(first + i);

        if (!(given & 1u << i) || import_same_value(&there, exported, key)) {
            continue;
        }
        members[count].key = slice_from_cstr(schema_key_at(key)->name);
        members[count].value = SLICE_NONE;
        if (exported->values[i].is_written) {
            props_value_write(exported, key, b);
            members[count].value = take(a, b);
        }
        count++;
    }
    if (count && !a->err) {
        check(a, edit_object(a->edit, node, members, count));
    }
}

static void apply_partners(struct apply *a, struct buf *b)
{
    const struct import_plan *p = a->plan;
    struct slice *added = arena_zalloc(p->arena, p->partner_count * sizeof(*added));
    uint32_t count = 0;

    for (uint32_t i = 0; i < p->partner_count && !a->err; i++) {
        const struct import_partner *partner = &p->partners[i];

        if (partner->action == IMPORT_ADDS) {
            props_write(&partner->props, true, b);
            added[count++] = take(a, b);
        } else if (partner->action == IMPORT_UPDATES) {
            update(a, partner->node, &partner->props, partner->given, b);
        }
    }
    add_elements(a, "partners", added, count);
}

static void apply_gateway(struct apply *a, struct buf *b)
{
    uint32_t node = root_member(a, "gateway");

    if (!a->plan->has_gateway || a->plan->gateway_action > IMPORT_UPDATES) {
        return;
    }
    if (node != JSON_NONE) {
        update(a, node, &a->plan->gateway, a->plan->gateway_given, b);
    } else {
        props_write(&a->plan->gateway, true, b);
        put_root(a, "gateway", take(a, b));
    }
}

static void apply_blocked(struct apply *a, struct buf *b)
{
    const struct import_plan *p = a->plan;
    struct slice *added = arena_zalloc(p->arena, p->blocked.count * sizeof(*added));
    uint32_t count = 0;

    for (uint32_t i = 0; i < p->blocked.count; i++) {
        if (p->blocked.list[i].action == IMPORT_ADDS) {
            jout_quoted(b, p->blocked.list[i].name);
            added[count++] = take(a, b);
        }
    }
    add_elements(a, "blocked", added, count);
}

/* --- access --- */

static void put_members(struct buf *b, const struct import_policy *policy)
{
    bool is_long = policy->member_count > MEMBERS_IN_LINE;

    buf_putc(b, '[');
    for (uint32_t i = 0; i < policy->member_count; i++) {
        buf_put_cstr(b, i ? (is_long ? ",\n        " : ", ") : (is_long ? "\n        " : ""));
        jout_quoted(b, policy->members[i]);
    }
    buf_put_cstr(b, is_long ? "\n    ]" : "]");
}

/* The whole policy. */
static struct slice policy_value(struct apply *a, const struct import_policy *policy, struct buf *b)
{
    buf_printf(b, "{\n    \"xmpp\": %s,\n    \"sip_federation\": %s",
               policy->xmpp ? "true" : "false", policy->sip_federation ? "true" : "false");
    if (policy->description.len) {
        buf_put_lit(b, ",\n    \"description\": ");
        jout_quoted(b, policy->description);
    }
    if (policy->member_count) {
        buf_put_lit(b, ",\n    \"members\": ");
        put_members(b, policy);
    }
    buf_put_lit(b, "\n}");
    return take(a, b);
}

/* New members behind those that are there: they are granted the policy, the others may have been
 * added here. */
static void add_members(struct apply *a, const struct import_policy *policy,
                        struct edit_member *members, uint32_t *count, struct buf *b)
{
    uint32_t node = edit_member(a->edit->doc, policy->node, SLICE_LIT("members"));
    struct slice *added;
    struct edit_elements elements;

    if (policy->member_count == 0) {
        return;
    }
    if (node == JSON_NONE || json_kind_of(a->edit->doc, node) != JSON_LIST) {
        put_members(b, policy);
        members[(*count)++] =
            (struct edit_member){.key = SLICE_LIT("members"), .value = take(a, b)};
        return;
    }
    added = arena_zalloc(a->plan->arena, policy->member_count * sizeof(*added));
    for (uint32_t i = 0; i < policy->member_count; i++) {
        jout_quoted(b, policy->members[i]);
        added[i] = take(a, b);
    }
    elements = (struct edit_elements){.added = added, .added_count = policy->member_count};
    check(a, edit_list(a->edit, node, &elements));
}

static struct slice word(bool value)
{
    return value ? SLICE_LIT("true") : SLICE_LIT("false");
}

static void update_policy(struct apply *a, const struct import_policy *policy, struct buf *b)
{
    struct edit_member members[4];
    uint32_t count = 0;

    if (!policy->is_members_only) {
        members[count++] =
            (struct edit_member){.key = SLICE_LIT("xmpp"), .value = word(policy->xmpp)};
        members[count++] = (struct edit_member){.key = SLICE_LIT("sip_federation"),
                                                .value = word(policy->sip_federation)};
        members[count].key = SLICE_LIT("description");
        members[count].value = SLICE_NONE;
        if (policy->description.len) {
            jout_quoted(b, policy->description);
            members[count].value = take(a, b);
        }
        count++;
    }
    add_members(a, policy, members, &count, b);
    if (count && !a->err) {
        check(a, edit_object(a->edit, policy->node, members, count));
    }
}

/* New policies of a tier as members of the object that holds it. */
static uint32_t new_policies(struct apply *a, enum import_tier tier, struct edit_member *members,
                             struct buf *b)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < a->plan->policy_count; i++) {
        const struct import_policy *policy = &a->plan->policies[i];

        if (policy->tier != tier) {
            continue;
        }
        if (policy->action == IMPORT_UPDATES) {
            update_policy(a, policy, b);
        } else if (policy->action == IMPORT_ADDS) {
            members[count++] =
                (struct edit_member){.key = policy->name, .value = policy_value(a, policy, b)};
        }
    }
    return count;
}

/* An object of the members, several lines; keys quoted. */
static struct slice object_of(struct apply *a, const struct edit_member *members, uint32_t count,
                              struct buf *b)
{
    buf_putc(b, '{');
    for (uint32_t i = 0; i < count; i++) {
        struct slice rest = members[i].value;
        struct slice line;
        bool more;

        buf_put_cstr(b, i ? ",\n    " : "\n    ");
        jout_quoted(b, members[i].key);
        buf_put_lit(b, ": ");
        do {
            more = slice_cut(&rest, '\n', &line);
            buf_put(b, line);
            buf_put_cstr(b, more ? "\n    " : "");
        } while (more);
    }
    buf_put_lit(b, "\n}");
    return take(a, b);
}

static void apply_access(struct apply *a, struct buf *b)
{
    static const char *const keys[IMPORT_TIER_COUNT] = {"global", "sites", "users"};
    uint32_t access = root_member(a, "access");
    struct edit_member *members =
        arena_zalloc(a->plan->arena, (a->plan->policy_count + 1) * sizeof(*members));
    struct edit_member tiers[IMPORT_TIER_COUNT];
    uint32_t tier_count = 0;

    for (enum import_tier tier = IMPORT_GLOBAL; tier < IMPORT_TIER_COUNT;
         tier = (enum import_tier)(tier + 1)) {
        uint32_t count = new_policies(a, tier, members, b);
        uint32_t there = access == JSON_NONE
                             ? JSON_NONE
                             : edit_member(a->edit->doc, access, slice_from_cstr(keys[tier]));

        if (count == 0 || a->err) {
            continue;
        }
        if (there != JSON_NONE && tier != IMPORT_GLOBAL) {
            check(a, edit_object(a->edit, there, members, count));
            continue;
        }
        tiers[tier_count].key = slice_from_cstr(keys[tier]);
        tiers[tier_count++].value =
            tier == IMPORT_GLOBAL ? members[0].value : object_of(a, members, count, b);
    }
    if (tier_count == 0 || a->err) {
        return;
    }
    if (access == JSON_NONE) {
        put_root(a, "access", object_of(a, tiers, tier_count, b));
    } else {
        check(a, edit_object(a->edit, access, tiers, tier_count));
    }
}

int import_plan_apply(const struct import_plan *p, struct edit *e)
{
    struct apply a = {.plan = p, .edit = e};
    struct buf b;

    buf_init(&b, VALUE_BYTES_MAX);
    apply_partners(&a, &b);
    apply_gateway(&a, &b);
    apply_access(&a, &b);
    apply_blocked(&a, &b);
    buf_deinit(&b);
    if (!a.err && a.root.count) {
        a.err = edit_object(e, 0, a.root.members, a.root.count);
    }
    return a.err;
}
