/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run_measure: the measured part of a run. */
#include <stdio.h>

#include "base/pool.h"
#include "load/course.h"
#include "load/crew.h"

#define SETTLE_S 0.2 /* what comes late, or twice */
#define AWAY_MS  200u

/* Sends lines of the source away, one after the other, as often as the plan wants. */
static void churn(struct course *c, double seconds)
{
    uint32_t lines = course_lines(c, SIDE_SOURCE);

    while (c->left < (uint64_t)(seconds * c->plan->churn)) {
        uint32_t line = (uint32_t)(c->left++ % lines);

        crew_command_one(
            c->run, line % (uint32_t)c->plan->shards,
            &(struct crew_command){.act = crew_leave, .line = line, .away_ms = AWAY_MS});
    }
}

static void set_hold(struct course *c, bool is_held)
{
    crew_command(c->run, &(struct crew_command){.act = crew_hold, .is_held = is_held}, NULL);
}

static void settle(struct course *c)
{
    uint64_t begin = course_now_ns();

    while ((double)(course_now_ns() - begin) * COURSE_NS < SETTLE_S && course_look(c)) {
    }
}

/* One shard after the other: each adds its own. */
static void gather(struct run *run, struct histogram *latency, struct histogram *lag)
{
    for (uint32_t i = 0; i < run->plan->shards; i++) {
        crew_command_one(
            run, i, &(struct crew_command){.act = crew_gather, .latency = latency, .lag = lag});
        crew_wait(run);
    }
}

/* The measured part. False: the run has failed (not: stanzas were lost). */
static bool measure(struct course *c, struct report_result *r)
{
    const struct schedule_params params = course_params(c->plan, false);
    uint64_t before = books_count(c->run->books).arrived;
    uint64_t begin = course_now_ns();
    bool is_held = c->plan->hold_s > 0;
    bool is_halted = false;
    double seconds = 0;
    uint64_t last;

    course_begin(c, "measuring");
    if (is_held) {
        set_hold(c, true);
    }
    apart_begin(&c->apart);
    course_send(c, &params, c->plan->count, 0, (uint32_t)c->plan->streams);
    while (!course_is_settled(c) && course_look(c)) {
        seconds = (double)(course_now_ns() - begin) * COURSE_NS;
        if (is_held && seconds > c->plan->hold_s) {
            is_held = false;
            r->during_hold = books_count(c->run->books).arrived - before;
            set_hold(c, false);
        }
        churn(c, seconds);
        if (c->plan->seconds > 0 && seconds > c->plan->seconds && !is_halted) {
            is_halted = true;
            crew_command(c->run, &(struct crew_command){.act = crew_halt}, NULL);
            c->wanted = books_count(c->run->books).sent;
        }
    }
    apart_end(&c->apart);
    last = course_read(&c->run->last_arrival_ns);
    r->seconds = last > begin ? (double)(last - begin) * COURSE_NS : 0;
    r->delivered = books_count(c->run->books).arrived - before;
    return !atomic_load_explicit(&c->run->has_failed, memory_order_acquire) ||
           course_broken(c, "failed");
}

static uint64_t interval_of(const struct plan *plan, const struct histogram *latency)
{
    /* What a closed loop did not send while it waited: as often as half of its answers took, or as
     * flows rest. */
    return plan->schedule == SCHEDULE_OPEN ? 0
           : plan->gap_s > 0               ? (uint64_t)(plan->gap_s / COURSE_NS)
                                           : histogram_quantile(latency, 0.5);
}

int course_measure(struct course *c)
{
    struct histogram *latency = pool_heap_zalloc(sizeof(*latency));
    struct histogram *lag = pool_heap_zalloc(sizeof(*lag));
    struct report_result r = {.tls = c->run->tls, .latency = latency, .lag = lag};
    double cpu = course_own_cpu_s();
    int status = COURSE_BROKEN;

    if (measure(c, &r)) {
        r.own_cpu_s = course_own_cpu_s() - cpu;
        settle(c);
        if (!c->plan->waits) { /* a driver reads the server's clock first: run.c */
            course_unwatch(c);
        }
        report_progress_end(&c->progress);
        gather(c->run, latency, lag);
        r.interval_ns = interval_of(c->plan, latency);
        r.figures = course_figures(c->run);
        r.figures.unended = c->plan->waits ? 0 : r.figures.watched - r.figures.unwatched;
        r.apart = c->apart.is_open ? &c->apart : NULL;
        report_result(c->plan, &r);
        status = report_is_clean(&r.figures) ? COURSE_CLEAN : COURSE_TROUBLE;
    }
    pool_heap_free(latency);
    pool_heap_free(lag);
    return status;
}
