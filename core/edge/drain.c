/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drain: orderly stop. */
#include "edge/drain.h"

#include "edge/leg_component.h"
#include "edge/leg_in.h"
#include "edge/link.h"
#include "edge/sip_side.h"

#define STEP_MS 50u
/* The last part of the bound is for answering what could not be delivered. */
#define LAST_CALL_MS 2000u

static void on_step(struct wheel_timer *t, void *ctx)
{
    (void)t;
    drain_tick(ctx);
}

void drain_start(struct edge *e)
{
    uint64_t bound_ms = (uint64_t)edge_policy(e)->limits.drain_timeout_s * 1000;

    if (e->is_draining) {
        return;
    }
    e->is_draining = true;
    e->drain_deadline_ms = shard_now_ms(e->sh) + bound_ms;
    (void)legs_in_drain(e);
    drain_tick(e);
}

void drain_tick(struct edge *e)
{
    uint64_t now = shard_now_ms(e->sh);
    bool is_last_call;
    uint32_t busy;

    if (!e->is_draining || e->is_drained) {
        return;
    }
    is_last_call = now + LAST_CALL_MS >= e->drain_deadline_ms;
    busy = links_drain(e, is_last_call);
    busy += sip_side_drain(e->sip, is_last_call);
    if (!list_is_empty(&e->legs_in)) {
        busy++;
    }
    /* Components hear of errors until nothing else is left to say. */
    if ((busy == 0 || is_last_call) && legs_component_drain(e) != 0) {
        busy++;
    }
    if (busy == 0 || now >= e->drain_deadline_ms) {
        e->is_drained = true;
        atomic_fetch_add_explicit(&e->shared->drained_count, 1, memory_order_release);
        return;
    }
    shard_timer_arm(e->sh, &e->drain_timer, STEP_MS, on_step, e);
}
