/* SPDX-License-Identifier: GPL-2.0-or-later */
/* partner_diff: what a new configuration does to the partners of the old one, in numbers. A partner
 * is the same one as long as its primary domain is. Pure; any thread.
 * A million partners: a lookup and a comparison each, below a second. */
#ifndef FG_POLICY_PARTNER_DIFF_H
#define FG_POLICY_PARTNER_DIFF_H

#include <stdint.h>

#include "policy/snapshot.h"

struct partner_diff {
    uint32_t added;
    uint32_t removed;
    uint32_t changed;
};
struct partner_diff partner_diff(const struct snapshot *before, const struct snapshot *after);

#endif
