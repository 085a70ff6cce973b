/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rate: token bucket. */
#include "edge/rate.h"

#define MILLI 1000

static uint64_t at_most(uint64_t value, uint64_t max)
{
    return value < max ? value : max;
}

/* per_s units a second are per_s thousandths a millisecond. */
static void refill(struct rate *r, int64_t per_ms, int64_t full, uint64_t now_ms)
{
    uint64_t passed_ms = now_ms > r->at_ms ? now_ms - r->at_ms : 0;

    if (r->at_ms == 0 || r->level >= full ||
        passed_ms >= (uint64_t)((full - r->level) / per_ms) + 1) {
        r->level = full; /* also when the rule has become smaller */
    } else {
        r->level += (int64_t)passed_ms * per_ms;
    }
    r->at_ms = now_ms ? now_ms : 1;
}

uint64_t rate_take(struct rate *r, const struct rate_rule *rule, uint64_t amount, uint64_t now_ms)
{
    int64_t per_ms = (int64_t)at_most(rule->per_s, RATE_UNITS_MAX);
    int64_t full = (int64_t)at_most(rule->burst, RATE_UNITS_MAX) * MILLI;

    if (per_ms == 0) {
        return 0;
    }
    full = full < per_ms * RATE_GRAIN_MS ? per_ms * RATE_GRAIN_MS : full;
    full = full < MILLI ? MILLI : full;
    refill(r, per_ms, full, now_ms);
    r->level -= (int64_t)at_most(amount, RATE_UNITS_MAX) * MILLI;
    if (r->level >= MILLI) {
        return 0;
    }
    return (uint64_t)((MILLI - r->level + per_ms - 1) / per_ms);
}
