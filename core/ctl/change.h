/* SPDX-License-Identifier: GPL-2.0-or-later */
/* change: the way of every command that changes the configuration:
 *   change_options   takes --dry-run and --reload out of the arguments
 *   change_begin     locks, reads and parses the file
 *   ...              the command changes c->edit over c->doc (edit.h)
 *   change_finish    makes the new text, loads it as the node would, saves it, has the node take it
 *   change_print     says what came of it
 *   change_end       gives everything back; in any case
 * What would not load is not saved. One thread. */
#ifndef FG_CTL_CHANGE_H
#define FG_CTL_CHANGE_H

#include <stdbool.h>

#include "base/attr.h"
#include "ctl/client.h"
#include "ctl/ctl.h"
#include "ctl/out.h"
#include "ctl/save.h"
#include "policy/arena.h"
#include "policy/config.h"
#include "policy/edit.h"
#include "policy/json.h"

#define CHANGE_USAGE "[--dry-run] [--reload]"

struct change {
    struct ctl *ctl;
    bool is_dry;       /* --dry-run: nothing is saved, the difference is printed */
    bool wants_reload; /* --reload */
    bool tells_rows;   /* the command says itself which row of the truth table a partner has */
    struct save save;
    struct json_doc doc; /* of the file as it is */
    struct edit edit;
    struct arena *arena; /* owned: for the command's texts */
    /* from change_finish on */
    struct edit_text text;
    bool is_changed; /* the new text is another one */
    bool is_saved;
    struct snapshot *snapshot;   /* owned: what the new text comes to */
    struct config_report report; /* its warnings */
    struct config_report before; /* those of the text as it was */
    struct client_reply reply;   /* of the reload; none: reply.bytes NULL */
    int reload_status;
    char reload_why[CLIENT_WHY_BYTES];
};

/* Takes the two options out of argv (up to "--", which goes, too); -1 after a message for cmd when
 * another option stands there, else the new argc. c is zeroed. */
NODISCARD int change_options(struct change *c, struct ctl *ctl, const struct ctl_command *cmd,
                             int argc, char **argv);
/* EX_OK, or an exit status after a message; change_end in either case. */
NODISCARD int change_begin(struct change *c);
/* The same. A mistake of the node at --reload is not one of these: the file is saved. */
NODISCARD int change_finish(struct change *c);
/* Warnings that the change brings, and all whose path begins with about ("" = all), to stderr; the
 * difference, what was saved, what the node said to o; with --json members of the open object:
 * changed, dry_run, saved, diff, warnings, reload. */
void change_print(const struct change *c, const char *about, struct out *o);
/* EX_OK, or the status of a reload that failed. */
int change_status(const struct change *c);
void change_end(struct change *c);

#endif
