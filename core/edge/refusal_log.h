/* SPDX-License-Identifier: GPL-2.0-or-later */
/* refusal_log: which refused stanzas become a line of the log. The log writes so many lines of an
 * event and no more (logger.h): whoever is refused without a pause would hide what others are
 * refused. So that is bounded for each partner, direction and reason apart; how many lines were not
 * written is told: withheld=n in the next line, or in one of its own. The shard's thread only. */
#ifndef FG_EDGE_REFUSAL_LOG_H
#define FG_EDGE_REFUSAL_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/list.h"
#include "base/slice.h"
#include "edge/rate.h"
#include "policy/decide.h"

#define REFUSAL_LINES_PER_S 2u
#define REFUSAL_LINES_BURST 20u
#define REFUSAL_QUIET_MS    10000u /* so long at most until it is told */

/* Of one partner, or of all who are none. */
struct refusal_log {
    struct list *held;   /* borrowed: those that withhold something */
    struct list held_by; /* in it */
    struct slice domain; /* borrowed; empty = no partner */
    struct refusal_bucket {
        struct rate rate;
        uint64_t withheld;
        uint64_t since_ms; /* of the first of them */
    } of[2][POLICY_REASON_COUNT]; /* by direction */
};

void refusal_log_init(struct refusal_log *l, struct list *held, struct slice domain);
/* One was refused. True: write it, and that *withheld like it were not (0 = none). */
NODISCARD bool refusal_log_take(struct refusal_log *l, enum policy_direction direction,
                                enum policy_reason reason, uint64_t now_ms, uint64_t *withheld);
/* Writes what has been withheld for long enough; once a second. */
void refusal_log_tick(struct list *held, uint64_t now_ms);
/* Writes all that l withholds: before it is freed. */
void refusal_log_flush(struct refusal_log *l);

#endif
