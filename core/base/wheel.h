/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wheel: hierarchical timing wheel, one per shard. Arming and disarming are O(1); a timer fires at
 * or after its deadline, at most WHEEL_TICK_MS late plus the caller's own delay.
 * Time is milliseconds of whatever monotonic clock the caller uses. One thread.
 * The wheel borrows timers until they fire or are disarmed; a zeroed timer is a disarmed one.  */
#ifndef FG_BASE_WHEEL_H
#define FG_BASE_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

#define WHEEL_TICK_MS 8u
#define WHEEL_SLOT_BITS 6u
#define WHEEL_SLOTS (1u << WHEEL_SLOT_BITS)
#define WHEEL_LEVELS 5u /* 8 ms * 64^5 = 99 days; later deadlines are re-filed */
#define WHEEL_NEVER UINT64_MAX

struct wheel_timer;
/* May arm, disarm or free any timer, its own included. */
typedef void wheel_fire_fn(struct wheel_timer *timer, void *ctx);

struct wheel_timer {
    struct list link;
    uint64_t deadline_ms;
    wheel_fire_fn *fire;
    void *ctx; /* borrowed by fire */
};

struct wheel {
    struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
    uint64_t occupied[WHEEL_LEVELS]; /* one bit per slot: may hold timers */
    uint64_t tick;                   /* all ticks before this one have fired */
    uint32_t timer_count;
};

void wheel_init(struct wheel *w, uint64_t now_ms);
/* (Re-)arms at an absolute time; a past deadline fires on the next wheel_run. */
void wheel_arm(struct wheel *w, struct wheel_timer *t, uint64_t deadline_ms, wheel_fire_fn *fire,
               void *ctx);
/* Harmless on a disarmed timer. */
void wheel_disarm(struct wheel *w, struct wheel_timer *t);
static inline bool wheel_timer_is_armed(const struct wheel_timer *t)
{
    return t->fire && list_is_linked(&t->link);
}
/* Fires what is due, at most fire_max timers; returns how many fired. */
uint32_t wheel_run(struct wheel *w, uint64_t now_ms, uint32_t fire_max);
/* A time at or before the next deadline (a good time to wake), WHEEL_NEVER when empty. */
uint64_t wheel_next_ms(const struct wheel *w);

#endif
