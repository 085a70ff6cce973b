/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_policy: what our users may do outside: which form of the command it is, and what the forms
 * share. */
#include <string.h>
#include <sysexits.h>

#include "base/attr.h"
#include "base/check.h"
#include "base/utf8.h"
#include "ctl/access.h"
#include "policy/quote.h"

static const struct ctl_form forms[] = {
    {"show", policy_show},     {"list", policy_list},       {"set", policy_set},
    {"remove", policy_remove}, {"grant", policy_grant},     {"revoke", policy_revoke},
    {"block", policy_block},   {"unblock", policy_unblock}, {"blocked", policy_blocked},
    {NULL, NULL},
};

static int run(struct ctl *ctl, int argc, char **argv)
{
    return ctl_run_form(ctl, &cmd_policy, forms, argc, argv);
}

const struct ctl_command cmd_policy = {
    .name = "policy",
    .usage = "show [USER]\n"
             "list\n"
             "set [--dry-run] [--reload] global|site:NAME|user:NAME|group:NAME PROPERTY=VALUE...\n"
             "remove [--dry-run] [--reload] POLICY\n"
             "grant [--dry-run] [--reload] POLICY USER...\n"
             "revoke [--dry-run] [--reload] POLICY USER...\n"
             "block [--dry-run] [--reload] ADDRESS...\n"
             "unblock [--dry-run] [--reload] ADDRESS...\n"
             "blocked",
    .summary = "shows and changes what our users may do outside, and who is blocked",
    .run = run,
};

int access_target_read(const struct ctl *ctl, const char *word, struct access_target *out)
{
    struct slice name = slice_from_cstr(word);
    struct slice kind;

    if (!utf8_is_valid(name)) {
        return out_fail(ctl, EX_USAGE, "the name of the policy is not UTF-8");
    }
    *out = (struct access_target){.word = word, .section = SECTION_policy, .key_count = 3};
    out->keys[0] = SLICE_LIT("access");
    if (slice_eq_cstr(name, "global")) {
        out->section = SECTION_global;
        out->keys[1] = name;
        out->key_count = 2;
        return EX_OK;
    }
    if (slice_cut(&name, ':', &kind) && name.len) {
        out->keys[2] = name;
        if (slice_eq_cstr(kind, "site") || slice_eq_cstr(kind, "user")) {
            out->keys[1] = slice_eq_cstr(kind, "site") ? SLICE_LIT("sites") : SLICE_LIT("users");
            return EX_OK;
        }
        if (slice_eq_cstr(kind, "group")) {
            out->section = SECTION_group;
            out->keys[0] = SLICE_LIT("groups");
            out->keys[1] = name;
            out->key_count = 2;
            return EX_OK;
        }
    }
    return out_fail(ctl, EX_USAGE,
                    "%.200s is no policy: global, site:NAME, user:NAME or group:NAME",
                    quote(slice_from_cstr(word)).text);
}

uint32_t access_target_find(const struct json_doc *doc, const struct access_target *t,
                            uint32_t *parent, uint32_t *depth)
{
    uint32_t node = 0;

    for (*depth = 0; *depth < t->key_count; (*depth)++) {
        *parent = node;
        node = edit_member(doc, node, t->keys[*depth]);
        if (node == JSON_NONE) {
            return JSON_NONE;
        }
    }
    return node;
}

enum schema_key_idx access_members_key(const struct access_target *t)
{
    ASSERT(t->section != SECTION_global);
    return t->section == SECTION_group ? KEY_group_members : KEY_policy_members;
}

int access_print(struct change *c, const char *action, const char *word, const char *about)
{
    struct out o;

    out_begin(&o);
    if (c->ctl->is_json) {
        jout_object(&o.json, NULL);
        jout_cstr(&o.json, "action", action);
        jout_cstr(&o.json, "policy", word);
    } else {
        buf_printf(&o.text, "%s%s ", c->is_dry ? "would " : "", action);
        out_put_clean(&o.text, slice_from_cstr(word));
        buf_putc(&o.text, '\n');
    }
    change_print(c, about, &o);
    if (c->ctl->is_json) {
        jout_end(&o.json);
    }
    return out_end(&o, change_status(c));
}
