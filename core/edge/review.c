/* SPDX-License-Identifier: GPL-2.0-or-later */
/* review: streams against new rules, a slice per turn. Both lists are in the order of the last
 * review, so the first one tells whether all is done; reloads that come fast cannot starve any. */
#include "edge/review.h"

#include "edge/leg_in.h"
#include "edge/link.h"
#include "edge/partner_run.h"
#include "edge/place.h"

/* Some 3 ms of work. 20,000 streams on one shard: 20 slices, at the wheel's grain 0.3 s. */
#define SLICE_COUNT 1024u
#define SLICE_PAUSE_MS 1u
#define SHED_COUNT 64u

static void on_slice(struct wheel_timer *t, void *ctx);

static void slice(struct edge *e)
{
    uint32_t budget = SLICE_COUNT;
    uint32_t count;

    while (budget > 0 && legs_in_review_next(e)) {
        budget--;
    }
    while (budget > 0 && (count = links_review_next(e)) != 0) {
        budget -= count < budget ? count : budget;
    }
    while (budget > 0 && partner_runs_review_next(e)) {
        budget--;
    }
    if (place_shed_all(e, SHED_COUNT) || budget == 0) {
        shard_timer_arm(e->sh, &e->review_timer, SLICE_PAUSE_MS, on_slice, e);
    }
}

static void on_slice(struct wheel_timer *t, void *ctx)
{
    (void)t;
    slice(ctx);
}

void review_start(struct edge *e)
{
    shard_timer_disarm(e->sh, &e->review_timer);
    slice(e);
}

void review_stop(struct edge *e)
{
    shard_timer_disarm(e->sh, &e->review_timer);
}
