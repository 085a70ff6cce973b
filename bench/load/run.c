/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run: the course of a run. */
#include "load/run.h"

#include <stdio.h>

#include "base/pool.h"
#include "load/certs.h"
#include "load/course.h"
#include "load/crew.h"
#include "load/party.h"

#define WARM_CYCLES 32u

/* --- streams that come and go --- */

static bool cycle(struct course *c, uint32_t from, uint64_t count)
{
    uint64_t closed = course_read(&c->run->closed[SIDE_SOURCE]) + count;

    course_begin(c, "cycles");
    crew_command(c->run,
                 &(struct crew_command){
                     .act = crew_open,
                     .side = SIDE_SOURCE,
                     .opening = {.next = from, .until = from + (uint32_t)count, .is_cycle = true}},
                 NULL);
    while (course_read(&c->run->closed[SIDE_SOURCE]) < closed) {
        if (!course_look(c)) {
            return course_broken(c, "%llu streams came and went, then nothing moved for %.0f s",
                                 (unsigned long long)course_read(&c->run->closed[SIDE_SOURCE]),
                                 c->plan->stall_s);
        }
    }
    return true;
}

static int measure_cycles(struct course *c)
{
    struct report_result r = {.tls = c->run->tls};
    uint64_t begin;
    double cpu;

    if (!course_open_lines(c, SIDE_SINK, 0, course_lines(c, SIDE_SINK)) ||
        !cycle(c, 0, WARM_CYCLES) || !course_wait_for_go(c)) {
        return COURSE_BROKEN;
    }
    begin = course_now_ns();
    cpu = course_own_cpu_s();
    if (!cycle(c, WARM_CYCLES, c->plan->cycles)) {
        return COURSE_BROKEN;
    }
    r.seconds = (double)(course_now_ns() - begin) * COURSE_NS;
    r.own_cpu_s = course_own_cpu_s() - cpu;
    r.figures = course_figures(c->run);
    report_progress_end(&c->progress);
    report_cycles(c->plan, &r);
    return COURSE_CLEAN;
}

/* --- all of it --- */

static bool prepare(struct course *c, uint32_t from, uint32_t until)
{
    bool is_many = course_has_line_per_flow(c);

    if ((is_many && !course_open_lines(c, SIDE_SOURCE, from, until)) ||
        !course_watch(c, from, until) || !course_warm_up(c, from, until)) {
        return false;
    }
    apart_try(&c->apart);
    return course_wait_for_go(c);
}

static int play(struct course *c)
{
    const struct plan *plan = c->plan;

    if (plan->cycles > 0) {
        return measure_cycles(c);
    }
    if (!course_open_sides(c) || (plan->first > 0 && !prepare(c, 0, (uint32_t)plan->first)) ||
        !prepare(c, (uint32_t)plan->first, (uint32_t)plan->streams)) {
        return COURSE_BROKEN;
    }
    return course_measure(c);
}

/* Closing costs the server time, too: not before the driver has looked. */
static void wait_for_end(const struct plan *plan)
{
    (void)fflush(stdout);
    while (plan->waits && getchar() != EOF) {
    }
}

int run_play(const struct plan *plan)
{
    struct run *run = pool_heap_zalloc(sizeof(*run));
    struct course course = {.run = run, .plan = plan};
    char why[RUN_WHY_BYTES] = "";
    uint64_t per_flow = plan->window / plan->streams;
    int status = COURSE_BROKEN;

    run->plan = plan;
    run->books = books_new((uint32_t)plan->streams, (uint32_t)per_flow, plan->shards > 1);
    if (plan->is_presence) {
        books_keep_states(run->books, (uint64_t)(plan->gap_s / COURSE_NS));
    }
    course.progress.began_ns = course_now_ns();
    if ((plan->apart && apart_open(&course.apart, plan->apart, why, sizeof(why)) != 0) ||
        certs_init(plan, why, sizeof(why)) != 0 || crew_start(run, why, sizeof(why)) != 0) {
        (void)fprintf(stderr, "fedgate-load: %s\n", why);
    } else {
        status = play(&course);
        if (status != COURSE_BROKEN) { /* a driver that waits for a line must see the end */
            wait_for_end(plan);
            if (plan->waits) {
                course_unwatch(&course);
            }
        }
    }
    crew_stop(run);
    apart_close(&course.apart);
    certs_free();
    books_free(run->books);
    pool_heap_free(run);
    return status;
}
