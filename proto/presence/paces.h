/* SPDX-License-Identifier: GPL-2.0-or-later */
/* paces: how many SUBSCRIBEs a next hop gets in a second, from all shards together. Each hop has
 * one row of turns; a turn is taken from its end, by whichever shard asks next, and may lie in the
 * future. As a shard has one turn ahead at most, shards that want more than there is are served one
 * after the other, whatever their clocks and loads are.
 *
 * Lock-free: a turn is one compare-and-swap on the time at which the row ends. Any thread; times
 * are those of one monotonic clock. Memory: fixed. */
#ifndef FG_PRESENCE_PACES_H
#define FG_PRESENCE_PACES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/slice.h"

/* A turn that is used so much later than it began is another one's by now. */
#define PACE_LATE_MS 20u
/* Names of next hops, of all configurations since the start; further ones share a row: they are
 * slower, never faster. */
#define PACE_ROWS 256u

struct presence_paces;
struct pace_row;

struct presence_paces *presence_paces_new(void);
/* NULL is accepted. */
void presence_paces_free(struct presence_paces *paces);

/* Found or made; lives as long as paces. */
struct pace_row *pace_row_of(struct presence_paces *paces, struct slice hop);

struct pace_turn {
    uint64_t begin_ns; /* what it takes of the row */
    uint64_t step_ns;
    uint64_t at_ms; /* it may be used from then on; now or later */
};
/* The next turn, at most rate of them in any second. rate: > 0, of the whole node. It may be used
 * until PACE_LATE_MS after at_ms, then it is to be given back. */
struct pace_turn pace_row_take(struct pace_row *row, uint32_t rate, uint64_t now_ms);
static inline bool pace_turn_is_late(const struct pace_turn *turn, uint64_t now_ms)
{
    return now_ms > turn->at_ms + PACE_LATE_MS;
}
/* It was not used: if it was the last one, nobody misses it; else it is lost. */
void pace_row_give_back(struct pace_row *row, const struct pace_turn *turn);

#endif
