/* SPDX-License-Identifier: GPL-2.0-or-later */
/* assign: "property=value" of a command line, in either spelling (policy/props.h), and what becomes
 * of the object in the file.
 *   p=v    one value; of a list: its elements between commas, [] = a list of none
 *   p=     not written any more
 *   p+=v   p-=v   one element more or less of a list
 * One thread. */
#ifndef FG_CTL_ASSIGN_H
#define FG_CTL_ASSIGN_H

#include "base/attr.h"
#include "base/slice.h"
#include "ctl/ctl.h"
#include "policy/edit.h"
#include "policy/props.h"

enum assign_how { ASSIGN_SET, ASSIGN_ADD, ASSIGN_REMOVE };

struct assign {
    enum schema_key_idx key;
    enum assign_how how;
    struct slice value;
};

/* EX_OK; else EX_USAGE after a message that says which properties there are. */
NODISCARD int assign_read(const struct ctl *ctl, const struct ctl_command *cmd,
                          enum schema_section section, const char *word, struct assign *out);
/* Reads and applies all words; EX_OK or a status after a message. */
NODISCARD int assign_all(const struct ctl *ctl, const struct ctl_command *cmd, struct props *p,
                         char *const *words, int count);
/* Changes the object from before to after: only keys whose values differ; of lists only the
 * elements that do, so that comments stay. ERR_CONFIG: e->why. */
NODISCARD int assign_edit(struct edit *e, uint32_t object, const struct props *before,
                          const struct props *after);

#endif
