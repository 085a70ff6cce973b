/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rate: a token bucket that is allowed into debt: what was read is taken, and who read it waits
 * until the debt is paid. So over any time t not more than burst + per_s * t is taken, and the last
 * amount over that (nothing, where amounts are 1). A zeroed bucket is a full one. One thread. */
#ifndef FG_EDGE_RATE_H
#define FG_EDGE_RATE_H

#include <stdint.h>

#include "base/attr.h"

struct rate {
    int64_t level; /* thousandths of a unit; below 1000: wait */
    uint64_t at_ms; /* of level; 0 = never used */
};

struct rate_rule {
    uint64_t per_s; /* units; 0 = no bound */
    uint64_t burst; /* units; counts as at least what RATE_GRAIN_MS bring, and 1 */
};
/* Whoever waits is woken with this grain: a smaller bucket would overflow meanwhile. */
#define RATE_GRAIN_MS 16u
#define RATE_UNITS_MAX ((uint64_t)1 << 40) /* of per_s and burst; larger counts as this */

/* Takes amount; returns for how many milliseconds nothing more may be taken, 0 = go on. */
NODISCARD uint64_t rate_take(struct rate *r, const struct rate_rule *rule, uint64_t amount,
                             uint64_t now_ms);

#endif
