/* SPDX-License-Identifier: GPL-2.0-or-later */
/* course: how a run goes on, for the control thread: what it knows beside the run (run.h), what it
 * waits for, and the steps before the measured part. run.c: all of it; course.c: looking and
 * waiting; course_steps.c: connections, subscriptions, stanzas; run_measure.c: the measured part.
 * Functions that return bool: false = the run is broken, which was said. */
#ifndef FG_LOAD_COURSE_H
#define FG_LOAD_COURSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "load/apart.h"
#include "load/report.h"
#include "load/run.h"
#include "load/schedule.h"

#define COURSE_NS      1e-9
#define COURSE_CLEAN   0
#define COURSE_TROUBLE 1
#define COURSE_BROKEN  70

/* What the control thread knows beside the run. */
struct course {
    struct run *run;
    const struct plan *plan;
    struct report_progress progress;
    const char *phase;
    uint64_t wanted;     /* stanzas sent so far when this phase is over */
    uint64_t stirred;    /* the last sign of life: what moved ... */
    uint64_t stirred_ns; /* ... and when */
    uint64_t left;       /* lines that churn has sent away */
    struct apart apart;
};

uint64_t course_now_ns(void);
double course_own_cpu_s(void);
struct report_figures course_figures(const struct run *run);
static inline uint64_t course_read(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* --- course.c --- */
void course_begin(struct course *c, const char *phase);
/* One look: a millisecond (or a round of --apart), the live line. False: the run has failed, or
 * nothing moves any more. */
bool course_look(struct course *c);
/* Says why; returns false. What a shard said goes before fmt. */
bool course_broken(struct course *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* "ready", then a line is awaited, so that a driver can read the server's clock. */
bool course_wait_for_go(struct course *c);
/* So long, whatever moves or does not. */
bool course_rest(struct course *c, double seconds);

/* --- course_steps.c --- */
uint32_t course_lines(const struct course *c, enum side side);
/* Then lines are opened with their flows. */
bool course_has_line_per_flow(const struct course *c);
bool course_open_lines(struct course *c, enum side side, uint32_t from, uint32_t until);
bool course_open_sides(struct course *c);
/* Presence: the sink watches these flows; and does so no more (what does not end is counted). */
bool course_watch(struct course *c, uint32_t from, uint32_t until);
void course_unwatch(struct course *c);
struct schedule_params course_params(const struct plan *plan, bool is_warm_up);
void course_send(struct course *c, const struct schedule_params *params, uint64_t quota,
                 uint32_t from, uint32_t until);
bool course_is_settled(const struct course *c);
/* One stanza on each flow, a few at a time: servers dial, caches fill. */
bool course_warm_up(struct course *c, uint32_t from, uint32_t until);

/* --- run_measure.c --- */
/* The measured part and its result: the exit status. */
int course_measure(struct course *c);

#endif
