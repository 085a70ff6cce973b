/* SPDX-License-Identifier: GPL-2.0-or-later */
/* why: one verdict of the policy in words, wherever it comes from. One thread. */
#ifndef FG_CTL_WHY_H
#define FG_CTL_WHY_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/jout.h"
#include "policy/decide.h"

#define WHY_NAME_BYTES    64u
#define WHY_ADDRESS_BYTES 2100u /* bare, from jid.h */

struct why {
    char from[WHY_ADDRESS_BYTES]; /* bare addresses, as asked for */
    char to[WHY_ADDRESS_BYTES];
    char direction[WHY_NAME_BYTES]; /* "to_local", "to_partner" */
    char act[WHY_NAME_BYTES];
    bool allowed;
    bool without_note;
    bool is_reachable;
    char rule[POLICY_RULE_BYTES];
    char reason[WHY_NAME_BYTES];
    char answer[WHY_NAME_BYTES];
    char partner[WHY_ADDRESS_BYTES]; /* "" = none */
    char partner_type[WHY_NAME_BYTES];
};

/* A line for the verdict, and where it is no plain yes one for what it means for the sender. */
void why_put_text(struct buf *out, const struct why *w);
void why_put_json(struct jout *j, const char *key, const struct why *w);

#endif
