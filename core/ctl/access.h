/* SPDX-License-Identifier: GPL-2.0-or-later */
/* access: what the parts of `fedgatectl policy` share (private to cmd_policy*.c): which object of
 * the configuration is meant, and where it stands. */
#ifndef FG_CTL_ACCESS_H
#define FG_CTL_ACCESS_H

#include "base/attr.h"
#include "ctl/change.h"
#include "ctl/ctl.h"
#include "policy/schema.h"

int policy_show(struct ctl *ctl, int argc, char **argv);
int policy_list(struct ctl *ctl, int argc, char **argv);
int policy_set(struct ctl *ctl, int argc, char **argv);
int policy_remove(struct ctl *ctl, int argc, char **argv);
int policy_grant(struct ctl *ctl, int argc, char **argv);
int policy_revoke(struct ctl *ctl, int argc, char **argv);
int policy_block(struct ctl *ctl, int argc, char **argv);
int policy_unblock(struct ctl *ctl, int argc, char **argv);
int policy_blocked(struct ctl *ctl, int argc, char **argv);

/* "global", "site:NAME", "user:NAME", "group:NAME" */
struct access_target {
    const char *word;            /* as written; borrowed */
    enum schema_section section; /* SECTION_global, SECTION_policy, SECTION_group */
    struct slice keys[3];        /* the way from the root: "access", "sites", NAME */
    uint32_t key_count;
};
/* EX_OK, or EX_USAGE after a message. */
NODISCARD int access_target_read(const struct ctl *ctl, const char *word,
                                 struct access_target *out);
/* Node of its object; JSON_NONE: not there. *parent: node of the deepest object on the way that is
 * there, *depth how many keys lead to it. */
uint32_t access_target_find(const struct json_doc *doc, const struct access_target *t,
                            uint32_t *parent, uint32_t *depth);
/* KEY_policy_members, KEY_group_members; SECTION_global has none. */
enum schema_key_idx access_members_key(const struct access_target *t);

/* Says what was done and what came of it; about: path whose warnings are shown. */
int access_print(struct change *c, const char *action, const char *word, const char *about);

#endif
