/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_policy_change: access policies and groups set and removed, users granted and revoked. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/err.h"
#include "base/jout.h"
#include "base/pool.h"
#include "ctl/access.h"
#include "ctl/assign.h"
#include "ctl/out.h"
#include "policy/props.h"
#include "policy/quote.h"

#define BODY_BYTES_MAX POOL_BLOCK_BYTES_MAX
#define PATH_BYTES     256u

/* Options, the policy, at least least further words; EX_OK and the change begun, or a status. */
static int begin(struct change *c, struct access_target *t, struct ctl *ctl, int *argc, char **argv)
{
    const char *form = argv[0];
    int least = strcmp(form, "remove") == 0 ? 2 : 3;
    int status;

    *argc = change_options(c, ctl, &cmd_policy, *argc, argv);
    if (*argc < 0) {
        return EX_USAGE;
    }
    if (*argc < least) {
        return out_usage(ctl, &cmd_policy, "%s", *argc < 2 ? "which policy?" : "and what?");
    }
    if (least == 2 && *argc > 2) {
        return out_usage(ctl, &cmd_policy, "remove one policy at a time");
    }
    status = access_target_read(ctl, argv[1], t);
    return status != EX_OK ? status : change_begin(c);
}

static int finish(struct change *c, const struct access_target *t, const char *action)
{
    int status = change_finish(c);
    char about[PATH_BYTES] = "";
    size_t at = 0;

    for (uint32_t i = 0; i < t->key_count; i++) { /* warnings of this policy alone */
        int len = snprintf(about + at, sizeof(about) - at, "%s%.*s", i ? "." : "",
                           SLICE_FMT(slice_to(t->keys[i], PATH_BYTES)));

        at += len > 0 && (size_t)len < sizeof(about) - at ? (size_t)len : 0;
    }
    return status != EX_OK ? status : access_print(c, action, t->word, about);
}

static int no_policy(const struct change *c, const struct access_target *t)
{
    return out_fail(c->ctl, EX_NOINPUT, "there is no %.200s; fedgatectl policy list shows all",
                    quote(slice_from_cstr(t->word)).text);
}

/* --- set --- */

/* { "key": body } with body moved in. */
static void wrap(struct buf *out, struct slice key, struct slice body)
{
    buf_put_lit(out, "{\n    ");
    jout_quoted(out, key);
    buf_put_lit(out, ": ");
    for (size_t i = 0; i < body.len; i++) {
        buf_putc(out, body.ptr[i]);
        buf_put_cstr(out, body.ptr[i] == '\n' ? "    " : "");
    }
    buf_put_lit(out, "\n}");
}

/* The object, inside of the objects on the way to it that are missing. */
static int put_new(struct change *c, const struct access_target *t, const struct props *p,
                   uint32_t parent, uint32_t depth)
{
    struct slice body;
    struct buf text;
    int err;

    buf_init(&text, BODY_BYTES_MAX);
    props_write(p, false, &text);
    body = arena_slice(c->arena, buf_slice(&text));
    for (uint32_t i = t->key_count; i > depth + 1; i--) {
        buf_clear(&text);
        wrap(&text, t->keys[i - 1], body);
        body = arena_slice(c->arena, buf_slice(&text));
    }
    if (text.failed) {
        (void)snprintf(c->edit.why, sizeof(c->edit.why), "is larger than %zu bytes",
                       BODY_BYTES_MAX);
        err = ERR_CONFIG;
    } else {
        err = edit_object(&c->edit, parent, &(struct edit_member){t->keys[depth], body}, 1);
    }
    buf_deinit(&text);
    return err;
}

static int set(struct change *c, const struct access_target *t, int argc, char **argv)
{
    char why[PROPS_WHY_BYTES];
    struct props before;
    struct props after;
    uint32_t parent;
    uint32_t depth;
    uint32_t node = access_target_find(&c->doc, t, &parent, &depth);
    int status;
    int err;

    props_init(&before, t->section, c->arena);
    props_init(&after, t->section, c->arena);
    if (node != JSON_NONE && (props_read(&before, &c->doc, node, why) != 0 ||
                              props_read(&after, &c->doc, node, why) != 0)) {
        return out_fail(c->ctl, EX_CONFIG, "%s: %s: %s; mend the file by hand", c->ctl->config_path,
                        t->word, why);
    }
    status = assign_all(c->ctl, &cmd_policy, &after, argv + 2, argc - 2);
    if (status != EX_OK) {
        return status;
    }
    err = node != JSON_NONE ? assign_edit(&c->edit, node, &before, &after)
                            : put_new(c, t, &after, parent, depth);
    if (err) {
        return out_fail(c->ctl, EX_DATAERR, "%s: %s", t->word, c->edit.why);
    }
    return finish(c, t, "set");
}

int policy_set(struct ctl *ctl, int argc, char **argv)
{
    struct access_target t;
    struct change c;
    int status = begin(&c, &t, ctl, &argc, argv);

    status = status != EX_OK ? status : set(&c, &t, argc, argv);
    change_end(&c);
    return status;
}

/* --- remove --- */

int policy_remove(struct ctl *ctl, int argc, char **argv)
{
    struct access_target t;
    struct change c;
    uint32_t parent;
    uint32_t depth;
    int status = begin(&c, &t, ctl, &argc, argv);

    if (status == EX_OK && access_target_find(&c.doc, &t, &parent, &depth) == JSON_NONE) {
        status = no_policy(&c, &t);
    } else if (status == EX_OK &&
               edit_object(&c.edit, parent, &(struct edit_member){t.keys[depth - 1], SLICE_NONE},
                           1) != 0) {
        status = out_fail(ctl, EX_DATAERR, "%s: %s", t.word, c.edit.why);
    } else if (status == EX_OK) {
        status = finish(&c, &t, "remove");
    }
    change_end(&c);
    return status;
}

/* --- grant and revoke --- */

/* The elements of the members list of the object at node that are one of words. */
static uint32_t find_members(const struct change *c, uint32_t node, char *const *words, int count,
                             uint32_t *found)
{
    uint32_t list = edit_member(&c->doc, node, SLICE_LIT("members"));
    uint32_t found_count = 0;

    if (list == JSON_NONE || json_kind_of(&c->doc, list) != JSON_LIST) {
        return 0;
    }
    for (uint32_t at = list + 1; at < c->doc.nodes[list].next; at = c->doc.nodes[at].next) {
        for (int i = 0; i < count && json_kind_of(&c->doc, at) == JSON_TEXT; i++) {
            if (slice_eq_nocase(json_text(&c->doc, at), slice_from_cstr(words[i]))) {
                found[found_count++] = at;
                break;
            }
        }
    }
    return found_count;
}

/* A user is in one policy of a tier: who is granted this one leaves the others. */
static int leave_others(struct change *c, const struct access_target *t, char *const *words,
                        int count)
{
    uint32_t own = t->section == SECTION_policy ? edit_member(&c->doc, 0, t->keys[0]) : JSON_NONE;
    uint32_t tier = own != JSON_NONE ? edit_member(&c->doc, own, t->keys[1]) : JSON_NONE;
    int err = 0;

    if (tier == JSON_NONE || json_kind_of(&c->doc, tier) != JSON_OBJECT) {
        return 0;
    }
    for (uint32_t at = tier + 1; at < c->doc.nodes[tier].next && !err;
         at = c->doc.nodes[at + 1].next) {
        uint32_t list = edit_member(&c->doc, at + 1, SLICE_LIT("members"));
        uint32_t *found;
        struct edit_elements gone;

        if (slice_eq(json_text(&c->doc, at), t->keys[2]) || list == JSON_NONE) {
            continue;
        }
        found = arena_zalloc(c->arena, (json_child_count(&c->doc, list) + 1) * sizeof(*found));
        gone = (struct edit_elements){
            .removed = found, .removed_count = find_members(c, at + 1, words, count, found)};
        if (gone.removed_count) {
            err = edit_list(&c->edit, list, &gone);
        }
    }
    return err;
}

/* Adds or takes away; the policy must be there. */
static int change_members(struct change *c, const struct access_target *t, int argc, char **argv)
{
    bool is_grant = strcmp(argv[0], "grant") == 0;
    char why[PROPS_WHY_BYTES];
    struct props before;
    struct props after;
    uint32_t parent;
    uint32_t depth;
    uint32_t node = access_target_find(&c->doc, t, &parent, &depth);
    int err = 0;

    if (node == JSON_NONE) {
        return no_policy(c, t);
    }
    props_init(&before, t->section, c->arena);
    props_init(&after, t->section, c->arena);
    err = props_read(&before, &c->doc, node, why);
    err = err ? err : props_read(&after, &c->doc, node, why);
    for (int i = 2; i < argc && !err; i++) {
        struct slice user = slice_from_cstr(argv[i]);

        err = is_grant ? props_add(&after, access_members_key(t), user, why)
                       : props_remove(&after, access_members_key(t), user, why);
    }
    if (err) {
        return out_fail(c->ctl, EX_DATAERR, "%s: %s", t->word, why);
    }
    err = assign_edit(&c->edit, node, &before, &after);
    if (!err && is_grant) {
        err = leave_others(c, t, argv + 2, argc - 2);
    }
    if (err) {
        return out_fail(c->ctl, EX_DATAERR, "%s: %s", t->word, c->edit.why);
    }
    return finish(c, t, argv[0]);
}

static int members(struct ctl *ctl, int argc, char **argv)
{
    struct access_target t;
    struct change c;
    int status = begin(&c, &t, ctl, &argc, argv);

    if (status == EX_OK && t.section == SECTION_global) {
        status =
            out_fail(ctl, EX_USAGE, "the global policy counts for everybody and has no members");
    }
    status = status != EX_OK ? status : change_members(&c, &t, argc, argv);
    change_end(&c);
    return status;
}

int policy_grant(struct ctl *ctl, int argc, char **argv)
{
    return members(ctl, argc, argv);
}

int policy_revoke(struct ctl *ctl, int argc, char **argv)
{
    return members(ctl, argc, argv);
}
