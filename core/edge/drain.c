/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drain: orderly stop. */
#include "edge/drain.h"

#include "edge/leg_component.h"
#include "edge/leg_in.h"
#include "edge/link.h"
#include "edge/presence_side.h"
#include "edge/sip_side.h"

#define STEP_MS 50u
/* The last part of the bound is for closing towards the inside. */
#define LAST_CALL_MS 1000u

static void on_step(struct wheel_timer *t, void *ctx)
{
    (void)t;
    drain_tick(ctx);
}

void drain_start(struct edge *e)
{
    if (e->is_draining) {
        return;
    }
    e->is_draining = true;
    e->drain_start_ms = shard_now_ms(e->sh);
    drain_tick(e);
}

/* Confirmations of what was written arrive on the partners' streams: those stay open meanwhile. */
static bool is_flushing(struct edge *e, uint64_t spent_ms, uint64_t bound_ms)
{
    uint32_t busy;

    if (spent_ms >= bound_ms / 4) {
        sip_side_drain_refuse(e->sip);
    }
    busy = links_drain_flush(e) + sip_side_drain_flush(e->sip) + !presence_side_flush(e);
    if (busy == 0 && !e->is_flushed) {
        e->is_flushed = true;
        atomic_fetch_add_explicit(&e->shared->flushed_count, 1, memory_order_release);
    }
    /* Answers for our partners may still come from another shard. */
    if (atomic_load_explicit(&e->shared->flushed_count, memory_order_acquire) < e->shard_count) {
        busy++;
    }
    return busy != 0 && spent_ms < bound_ms / 2;
}

void drain_tick(struct edge *e)
{
    uint64_t bound_ms = (uint64_t)edge_policy(e)->limits.drain_timeout_s * 1000;
    uint64_t spent_ms = shard_now_ms(e->sh) - e->drain_start_ms;
    uint32_t open;

    if (!e->is_draining || e->is_drained) {
        return;
    }
    if (e->is_drain_closing || !is_flushing(e, spent_ms, bound_ms)) {
        e->is_drain_closing = true;
        open = legs_in_drain(e) + links_drain_close(e);
        /* The inside hears of errors until nothing else is left to say. */
        if (open == 0 || spent_ms + LAST_CALL_MS >= bound_ms) {
            open += sip_side_drain_close(e->sip) + legs_component_drain(e);
        } else {
            open++;
        }
        open += !presence_side_flush(e); /* what the last NOTIFYs said */
        if (open == 0 || spent_ms >= bound_ms) {
            e->is_drained = true;
            atomic_fetch_add_explicit(&e->shared->drained_count, 1, memory_order_release);
            return;
        }
    }
    shard_timer_arm(e->sh, &e->drain_timer, STEP_MS, on_step, e);
}
