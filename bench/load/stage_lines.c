/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stage_lines: the connections of a stage: lines that are opened, go and come again. */
#include <stdio.h>

#include "base/pool.h"
#include "engine/conn.h"
#include "engine/shard.h"
#include "load/party.h"
#include "load/run.h"
#include "load/stage.h"

/* A line on leave. */
struct stage_leave {
    struct list link;
    struct stage *stage;
    struct wheel_timer timer;
    uint32_t line;
    uint32_t away_ms;
};

static void add(_Atomic uint64_t *counter)
{
    (void)atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* Cycles have more numbers than there are lines: they begin again, with the next line that is
 * free (one is: no more than there are lines are opened at a time). */
static uint32_t line_of(struct stage *st, enum side side, uint32_t number)
{
    uint32_t line = number % st->line_count[side];

    while (st->opening[side].is_cycle && st->is_cycling[line]) {
        line = (line + 1) % st->line_count[side];
    }
    return line;
}

static void open_more(struct stage *st, enum side side)
{
    struct stage_opening *o = &st->opening[side];
    uint32_t parallel = (uint32_t)st->plan->parallel / shard_count(st->sh);

    parallel = parallel > 0 ? parallel : 1;
    while (o->next < o->until && o->in_progress < parallel) {
        uint32_t line = line_of(st, side, o->next++);

        if (line % shard_count(st->sh) == shard_idx(st->sh)) {
            o->in_progress++;
            st->is_cycling[line] = o->is_cycle;
            st->plan->kind[side]->open(st->party[side], line);
        }
    }
}

void stage_open_lines(struct stage *st, enum side side, const struct stage_opening *which)
{
    st->opening[side] = *which;
    open_more(st, side);
}

void stage_opened(struct stage *st, enum side side, uint32_t line)
{
    struct stage_opening *o = &st->opening[side];

    if (o->is_cycle) {
        add(&st->run->opened[side]);
        st->plan->kind[side]->close(st->party[side], line);
        return;
    }
    if (o->in_progress > 0) {
        o->in_progress--;
        open_more(st, side);
    }
    add(&st->run->opened[side]);
    if (side == SIDE_SOURCE) {
        stage_writable(st, line);
    }
}

static void come_again(struct wheel_timer *t, void *ctx)
{
    struct stage_leave *leave = ctx;
    struct stage *st = leave->stage;

    (void)t;
    list_remove(&leave->link);
    st->plan->kind[SIDE_SOURCE]->open(st->party[SIDE_SOURCE], leave->line);
    pool_free(leave);
}

void stage_leave(struct stage *st, uint32_t line, uint32_t away_ms)
{
    struct stage_leave *leave = pool_zalloc(sizeof(*leave));

    if (leave) {
        leave->stage = st;
        leave->line = line;
        leave->away_ms = away_ms;
        list_push_back(&st->leaving, &leave->link);
        st->plan->kind[SIDE_SOURCE]->close(st->party[SIDE_SOURCE], line);
    }
}

void stage_closed(struct stage *st, enum side side, uint32_t line)
{
    struct stage_opening *o = &st->opening[side];

    add(&st->run->closed[side]);
    if (o->is_cycle) {
        o->in_progress--;
        st->is_cycling[line] = false;
        open_more(st, side);
        return;
    }
    for (struct list *at = st->leaving.next; at != &st->leaving; at = at->next) {
        struct stage_leave *leave = LIST_ENTRY(at, struct stage_leave, link);

        if (leave->line == line && side == SIDE_SOURCE) {
            shard_timer_arm(st->sh, &leave->timer, leave->away_ms, come_again, leave);
            return;
        }
    }
    if (!atomic_load_explicit(&st->run->is_over, memory_order_relaxed)) {
        stage_fail(st, "the server closed line %u", (unsigned)line);
    }
}

void stage_accepted(struct stage *st, enum side side)
{
    (void)side;
    add(&st->run->accepted);
}

void stage_tls(struct stage *st, const struct conn *c)
{
    const struct tls_peer *peer = conn_tls_peer(c);

    /* The first wins; shards that meet here write the same. */
    if (peer && shard_idx(st->sh) == 0 &&
        !atomic_load_explicit(&st->run->has_tls, memory_order_relaxed)) {
        (void)snprintf(st->run->tls, sizeof(st->run->tls), "%s %s", peer->version, peer->cipher);
        atomic_store_explicit(&st->run->has_tls, true, memory_order_release);
    }
}

void stage_writable(struct stage *st, uint32_t line)
{
    uint32_t lines = st->line_count[SIDE_SOURCE];

    for (uint32_t flow = line; st->schedule && flow < st->books->flow_count; flow += lines) {
        schedule_ready(st->schedule, flow);
    }
}

void stage_lines_forget(struct stage *st)
{
    struct list *link;

    while ((link = list_pop_front(&st->leaving))) {
        struct stage_leave *leave = LIST_ENTRY(link, struct stage_leave, link);

        shard_timer_disarm(st->sh, &leave->timer);
        pool_free(leave);
    }
}
