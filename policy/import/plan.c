/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan: exports in, a plan out. */
#include "import/plan.h"

#include <errno.h>

#include "base/err.h"
#include "base/pool.h"
#include "import/plan_int.h"
#include "policy/quote.h"

#define MEMBERS_MAX 1000u /* of an object: users have some three hundred */

const char *import_action_name(enum import_action action)
{
    static const char *const names[IMPORT_ACTION_COUNT] = {"new", "updated", "as it is", "left",
                                                           "refused"};

    return names[action];
}

void import_plan_init(struct import_plan *p)
{
    *p = (struct import_plan){.arena = arena_new()};
}

void import_plan_deinit(struct import_plan *p)
{
    for (uint32_t i = 0; i < p->policy_count; i++) {
        pool_heap_free(p->policies[i].members);
    }
    pool_heap_free(p->policies);
    pool_heap_free(p->partners);
    pool_heap_free(p->grants);
    pool_heap_free(p->allowed.list);
    pool_heap_free(p->blocked.list);
    pool_heap_free(p->notes);
    pool_heap_free(p->mappings);
    map_deinit(&p->partner_of);
    map_deinit(&p->allowed.known);
    map_deinit(&p->blocked.known);
    arena_free(p->arena);
    *p = (struct import_plan){0};
}

static void refuse_unknown(struct import_record *r)
{
    struct slice types = import_type(r->tree, r->node);
    struct slice type;

    (void)slice_cut(&types, '\n', &type);
    import_note(r, IMPORT_REFUSES,
                "%s%s is none of what is imported: the output of Get-CsXmppAllowedPartner, "
                "Get-CsXmppGatewayConfiguration, Get-CsExternalAccessPolicy, Get-CsUser, "
                "Get-CsAllowedDomain, Get-CsBlockedDomain",
                type.len ? "an object of type " : "a value without known members",
                type.len ? quote(type).text : "");
}

/* The third switch of the old product: without it the policies' two had no effect. */
static void note_third_switch(struct import_record *r)
{
    bool allows;

    if (import_take_bool(r, "AllowFederatedUsers", &allows) == IMPORT_GOOD && !allows) {
        import_note(r, IMPORT_WARNS,
                    "AllowFederatedUsers is False: in the old product nobody could talk outside, "
                    "whatever the policies said; here they decide (\"access\")");
    }
}

static void take_record(struct import_record *r)
{
    const char *known;

    if (import_child_count(r->tree, r->node) > MEMBERS_MAX) {
        import_note(r, IMPORT_REFUSES,
                    "an object with more than %u members is none of what is "
                    "imported",
                    MEMBERS_MAX);
        return;
    }
    r->kind = import_kind_of(r->tree, r->node, &known);
    switch (r->kind) {
    case IMPORT_KIND_PARTNER:
        import_partner(r);
        break;
    case IMPORT_KIND_GATEWAY:
        import_gateway(r);
        break;
    case IMPORT_KIND_POLICY:
        import_policy(r);
        break;
    case IMPORT_KIND_USER:
        import_user(r);
        break;
    case IMPORT_KIND_ALLOWED:
        import_allowed_domain(r);
        break;
    case IMPORT_KIND_BLOCKED:
        import_blocked_domain(r);
        break;
    case IMPORT_KIND_KNOWN:
        import_note(r, IMPORT_IGNORES, "is %s", known);
        note_third_switch(r);
        break;
    case IMPORT_KIND_UNKNOWN:
    case IMPORT_KIND_COUNT:
    default:
        refuse_unknown(r);
        break;
    }
}

/* A null at the top is what a pipeline leaves of nothing. */
static void take_records(struct import_plan *p, const struct import_tree *tree)
{
    struct import_cursor cursor = IMPORT_CURSOR;
    uint32_t node;

    while (import_next_record(tree, &cursor, &node)) {
        struct import_record r = {.plan = p,
                                  .tree = tree,
                                  .node = node,
                                  .place = import_place_of(p, tree->nodes[node].offset),
                                  .object = ""};

        if (tree->nodes[node].value != IMPORT_NIL) {
            p->files[p->file_count - 1].records++;
            take_record(&r);
        }
    }
    if (p->files[p->file_count - 1].records == 0) {
        struct import_place place = import_place_of(p, IMPORT_NOWHERE);

        import_note_at(p, IMPORT_IGNORES, &place, "",
                       "holds no object: the command found nothing, or was not allowed to see it; "
                       "run it in the management shell as a member of CsAdministrator if there "
                       "should be some");
    }
}

/* A file's whole fault. */
static int refuse_file(struct import_plan *p, const struct import_fault *fault)
{
    struct import_place place = import_place_of(p, fault->offset);

    import_note_at(p, IMPORT_REFUSES, &place, "", "%s", fault->text);
    return ERR_BAD_INPUT;
}

static bool begin_file(struct import_plan *p, const char *name)
{
    if (p->file_count == IMPORT_FILES_MAX) {
        return false;
    }
    p->files[p->file_count++].name = arena_strdup(p->arena, slice_from_cstr(name));
    p->text = SLICE_NONE;
    p->counted = 0;
    p->line = 1;
    p->column = 1;
    return true;
}

static int add_text(struct import_plan *p, struct slice text)
{
    struct import_fault fault;
    struct import_tree tree;
    int err;

    p->text = text;
    import_tree_init(&tree);
    err = import_read(&tree, text, &fault);
    if (err) {
        err = refuse_file(p, &fault);
    } else {
        take_records(p, &tree);
    }
    import_tree_deinit(&tree);
    p->text = SLICE_NONE;
    return err;
}

int import_plan_add_text(struct import_plan *p, const char *name, struct slice text)
{
    return begin_file(p, name) ? add_text(p, text) : -E2BIG;
}

int import_plan_add_file(struct import_plan *p, const char *path)
{
    struct import_text text = {0};
    struct import_fault fault;
    int err;

    if (!begin_file(p, path)) {
        return -E2BIG;
    }
    err = import_text_read(&text, path, &fault);
    if (err == ERR_BAD_INPUT) {
        p->text = import_text_slice(&text); /* what was decoded, for the place */
        err = refuse_file(p, &fault);
        p->text = SLICE_NONE;
    } else if (err == 0) {
        err = add_text(p, import_text_slice(&text));
    }
    import_text_deinit(&text);
    return err;
}

bool import_plan_has_work(const struct import_plan *p)
{
    bool works = p->has_gateway && p->gateway_action <= IMPORT_UPDATES;

    for (uint32_t i = 0; i < p->partner_count && !works; i++) {
        works = p->partners[i].action <= IMPORT_UPDATES;
    }
    for (uint32_t i = 0; i < p->policy_count && !works; i++) {
        works = p->policies[i].action <= IMPORT_UPDATES;
    }
    for (uint32_t i = 0; i < p->blocked.count && !works; i++) {
        works = p->blocked.list[i].action <= IMPORT_UPDATES;
    }
    return works;
}
