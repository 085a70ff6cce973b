/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run: the course of a run. */
#include "load/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/check.h"
#include "base/pool.h"
#include "load/apart.h"
#include "load/certs.h"
#include "load/crew.h"
#include "load/party.h"
#include "load/report.h"

#define NAP_NS 1000000L
#define SETTLE_S 0.2 /* what comes late, or twice */
#define SETUP_S 240.0 /* thousands of streams, and cores that others use, too */
#define WARM_CYCLES 32u
#define AWAY_MS 200u
#define STATUS_CLEAN 0
#define STATUS_TROUBLE 1
#define STATUS_BROKEN 70

static const double ns = 1e-9;
static const double us = 1e-6;

/* What the control thread knows beside the run. */
struct course {
    struct run *run;
    const struct plan *plan;
    struct report_progress progress;
    const char *phase;
    uint64_t wanted; /* stanzas sent so far when this phase is over */
    uint64_t stirred; /* the last sign of life: what moved ... */
    uint64_t stirred_ns; /* ... and when */
    uint64_t left;       /* lines that churn has sent away */
    struct apart apart;
};

static uint64_t now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)((double)t.tv_sec / ns) + (uint64_t)t.tv_nsec;
}

static double own_cpu_s(void)
{
    struct rusage r;

    (void)getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
           us * (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

static uint64_t load(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static struct report_figures figures(const struct run *run)
{
    return (struct report_figures){
        .books = books_count(run->books),
        .damaged = load(&run->damaged),
        .other = load(&run->other),
        .unanswered = load(&run->asked) - load(&run->answered),
        .accepted = load(&run->accepted),
        .opened = load(&run->opened[SIDE_SOURCE]) + load(&run->opened[SIDE_SINK]),
        .closed = load(&run->closed[SIDE_SOURCE]) + load(&run->closed[SIDE_SINK]),
    };
}

/* One look: a millisecond (or a round of --apart), the live line. False: the run has failed, or
 * nothing moves any more. */
static bool look(struct course *c)
{
    const struct timespec t = {0, NAP_NS};
    struct report_figures f;
    uint64_t moved;
    uint64_t now;

    if (!apart_round(&c->apart, c->run)) {
        (void)nanosleep(&t, NULL);
    }
    now = now_ns();
    f = figures(c->run);
    moved = f.books.arrived + f.books.refused + f.opened + f.closed + f.accepted +
            load(&c->run->answered);
    if (moved != c->stirred || c->stirred_ns == 0) {
        c->stirred = moved;
        c->stirred_ns = now;
    }
    if (!c->plan->is_quiet) {
        report_progress(&c->progress, c->phase, now, &f);
    }
    return !atomic_load_explicit(&c->run->has_failed, memory_order_acquire) &&
           (double)(now - c->stirred_ns) * ns < c->plan->stall_s;
}

static void begin_phase(struct course *c, const char *phase)
{
    c->phase = phase;
    c->stirred_ns = 0;
}

__attribute__((format(printf, 2, 3))) static bool broken(struct course *c, const char *fmt, ...)
{
    va_list args;

    report_progress_end(&c->progress);
    (void)fputs("fedgate-load: ", stderr);
    if (atomic_load_explicit(&c->run->has_failed, memory_order_acquire)) {
        (void)fputs(c->run->why, stderr);
    } else {
        va_start(args, fmt);
        (void)vfprintf(stderr, fmt, args);
        va_end(args);
    }
    (void)fputc('\n', stderr);
    return false;
}

/* "ready", then a line is awaited, so that a driver can read the server's clock. */
static bool wait_for_go(struct course *c)
{
    if (!c->plan->waits) {
        return true;
    }
    report_progress_end(&c->progress);
    (void)puts("ready");
    (void)fflush(stdout);
    return getchar() != EOF || broken(c, "no line came on the input");
}

/* --- set-up --- */

static uint32_t lines_of(const struct course *c, enum side side)
{
    return c->plan->kind[side]->line_count(c->plan, side);
}

/* Then lines are opened with their flows. */
static bool has_line_per_flow(const struct course *c)
{
    uint32_t lines = lines_of(c, SIDE_SOURCE);

    return lines > 1 && lines == c->plan->streams;
}

static bool open_lines(struct course *c, enum side side, uint32_t from, uint32_t until)
{
    uint64_t wanted = load(&c->run->opened[side]) + (until - from);

    begin_phase(c, "opening");
    crew_command(c->run,
                 &(struct crew_command){.act = crew_open,
                                        .side = side,
                                        .opening = {.next = from, .until = until}},
                 NULL);
    while (load(&c->run->opened[side]) < wanted) {
        if (!look(c)) {
            return broken(c, "%llu of %llu connections are ready, then nothing moved for %.0f s",
                          (unsigned long long)load(&c->run->opened[side]),
                          (unsigned long long)wanted, c->plan->stall_s);
        }
    }
    return true;
}

/* The component first: some servers know its domain only then. */
static bool open_sides(struct course *c)
{
    bool source_first = strcmp(c->plan->kind_name[SIDE_SOURCE], "component") == 0;
    enum side first = source_first ? SIDE_SOURCE : SIDE_SINK;
    enum side second = source_first ? SIDE_SINK : SIDE_SOURCE;
    bool is_many = has_line_per_flow(c);

    if (!open_lines(c, first, 0, lines_of(c, first))) {
        return false;
    }
    /* Lines of the source are opened with their flows. */
    return (second == SIDE_SOURCE && is_many) || open_lines(c, second, 0, lines_of(c, second));
}

/* --- stanzas --- */

static struct schedule_params params_of(const struct plan *plan, bool is_warm_up)
{
    uint64_t per_flow = plan->window / plan->streams;
    uint64_t batch = PLAN_WRITE_BYTES / plan->stanza_bytes;

    return (struct schedule_params){
        .kind = is_warm_up ? SCHEDULE_FAN : plan->schedule,
        .batch = batch > 0 ? (uint32_t)batch : 1,
        .window = is_warm_up || per_flow == 0 ? 1 : (uint32_t)per_flow,
        .rate = plan->rate,
    };
}

/* A shard has the flows whose line is there: all, where there is one line only. */
static void share_out(struct run *run, uint32_t shard, struct crew_command *own)
{
    uint32_t shards = (uint32_t)run->plan->shards;
    uint32_t lines = run->plan->kind[SIDE_SOURCE]->line_count(run->plan, SIDE_SOURCE);
    bool is_one = lines == 1 || own->schedule.kind == SCHEDULE_ONE;
    uint32_t flows = own->until - own->from;
    uint64_t rest = own->quota % flows; /* one more for each of the first flows */
    uint64_t quota = 0;
    uint32_t here = 0;

    own->schedule.flow_first = lines == 1 ? 0 : shard;
    own->schedule.flow_step = lines == 1 ? 1 : shards;
    for (uint32_t i = own->from; i < own->until; i++) {
        if (lines == 1 ? shard == 0 : i % shards == shard) {
            quota += own->quota / flows + (i - own->from < rest);
            here++;
        }
    }
    if (is_one) {
        own->quota = shard == 0 ? own->quota : 0;
        return;
    }
    own->schedule.rate = own->schedule.rate * here / flows;
    own->quota = quota;
}

static void send_all(struct course *c, const struct schedule_params *params, uint64_t quota,
                     uint32_t from, uint32_t until)
{
    /* First all, then one after the other: what one sends may at once arrive on another. */
    crew_command(c->run, &(struct crew_command){.act = crew_forget}, NULL);
    c->wanted += quota;
    crew_command(c->run,
                 &(struct crew_command){.act = crew_begin,
                                        .schedule = *params,
                                        .quota = quota,
                                        .from = from,
                                        .until = until},
                 share_out);
}

static bool all_settled(const struct course *c)
{
    struct books_counts b = books_count(c->run->books);

    return b.arrived + b.refused >= c->wanted && load(&c->run->answered) == load(&c->run->asked);
}

/* One stanza on each flow, a few at a time: servers dial, caches fill. */
static bool warm_up(struct course *c, uint32_t from, uint32_t until)
{
    const struct schedule_params params = params_of(c->plan, true);
    struct books_counts b;

    for (uint32_t done = from; done < until; done += (uint32_t)c->plan->parallel) {
        uint32_t left = until - done;
        uint32_t flows = left < c->plan->parallel ? left : (uint32_t)c->plan->parallel;

        begin_phase(c, "first stanzas");
        send_all(c, &params, flows, done, done + flows);
        while (!all_settled(c)) {
            if (!look(c)) {
                b = books_count(c->run->books);
                return broken(c, "%llu of %llu first stanzas arrived, %llu came back as errors",
                              (unsigned long long)b.arrived, (unsigned long long)c->wanted,
                              (unsigned long long)b.refused);
            }
        }
    }
    b = books_count(c->run->books);
    return b.refused == 0 || broken(c, "first stanzas came back as errors");
}

/* Sends lines of the source away, one after the other, as often as the plan wants. */
static void churn(struct course *c, double seconds)
{
    uint32_t lines = lines_of(c, SIDE_SOURCE);

    while (c->left < (uint64_t)(seconds * c->plan->churn)) {
        uint32_t line = (uint32_t)(c->left++ % lines);

        crew_command_one(c->run, line % (uint32_t)c->plan->shards,
                         &(struct crew_command){
                             .act = crew_leave, .line = line, .away_ms = AWAY_MS});
    }
}

static void set_hold(struct course *c, bool is_held)
{
    crew_command(c->run, &(struct crew_command){.act = crew_hold, .is_held = is_held}, NULL);
}

static void settle(struct course *c)
{
    uint64_t begin = now_ns();

    while ((double)(now_ns() - begin) * ns < SETTLE_S && look(c)) {
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
    const struct schedule_params params = params_of(c->plan, false);
    uint64_t before = books_count(c->run->books).arrived;
    uint64_t begin = now_ns();
    bool is_held = c->plan->hold_s > 0;
    bool is_halted = false;
    double seconds = 0;
    uint64_t last;

    begin_phase(c, "measuring");
    if (is_held) {
        set_hold(c, true);
    }
    apart_begin(&c->apart);
    send_all(c, &params, c->plan->count, 0, (uint32_t)c->plan->streams);
    while (!all_settled(c) && look(c)) {
        seconds = (double)(now_ns() - begin) * ns;
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
    last = load(&c->run->last_arrival_ns);
    r->seconds = last > begin ? (double)(last - begin) * ns : 0;
    r->delivered = books_count(c->run->books).arrived - before;
    return !atomic_load_explicit(&c->run->has_failed, memory_order_acquire) ||
           broken(c, "failed");
}

static uint64_t interval_of(const struct plan *plan, const struct histogram *latency)
{
    /* What a closed loop did not send while it waited: as often as half of its answers took. */
    return plan->schedule == SCHEDULE_OPEN ? 0 : histogram_quantile(latency, 0.5);
}

static int measure_stanzas(struct course *c)
{
    struct histogram *latency = pool_heap_zalloc(sizeof(*latency));
    struct histogram *lag = pool_heap_zalloc(sizeof(*lag));
    struct report_result r = {.tls = c->run->tls, .latency = latency, .lag = lag};
    double cpu = own_cpu_s();
    int status = STATUS_BROKEN;

    if (measure(c, &r)) {
        r.own_cpu_s = own_cpu_s() - cpu;
        settle(c);
        report_progress_end(&c->progress);
        gather(c->run, latency, lag);
        r.interval_ns = interval_of(c->plan, latency);
        r.figures = figures(c->run);
        r.apart = c->apart.is_open ? &c->apart : NULL;
        report_result(c->plan, &r);
        status = report_is_clean(&r.figures) ? STATUS_CLEAN : STATUS_TROUBLE;
    }
    pool_heap_free(latency);
    pool_heap_free(lag);
    return status;
}

/* --- streams that come and go --- */

static bool cycle(struct course *c, uint32_t from, uint64_t count)
{
    uint64_t closed = load(&c->run->closed[SIDE_SOURCE]) + count;

    begin_phase(c, "cycles");
    crew_command(c->run,
                 &(struct crew_command){.act = crew_open,
                                        .side = SIDE_SOURCE,
                                        .opening = {.next = from,
                                                    .until = from + (uint32_t)count,
                                                    .is_cycle = true}},
                 NULL);
    while (load(&c->run->closed[SIDE_SOURCE]) < closed) {
        if (!look(c)) {
            return broken(c, "%llu streams came and went, then nothing moved for %.0f s",
                          (unsigned long long)load(&c->run->closed[SIDE_SOURCE]),
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

    if (!open_lines(c, SIDE_SINK, 0, lines_of(c, SIDE_SINK)) ||
        !cycle(c, 0, WARM_CYCLES) || !wait_for_go(c)) {
        return STATUS_BROKEN;
    }
    begin = now_ns();
    cpu = own_cpu_s();
    if (!cycle(c, WARM_CYCLES, c->plan->cycles)) {
        return STATUS_BROKEN;
    }
    r.seconds = (double)(now_ns() - begin) * ns;
    r.own_cpu_s = own_cpu_s() - cpu;
    r.figures = figures(c->run);
    report_progress_end(&c->progress);
    report_cycles(c->plan, &r);
    return STATUS_CLEAN;
}

/* --- all of it --- */

static bool prepare(struct course *c, uint32_t from, uint32_t until)
{
    bool is_many = has_line_per_flow(c);

    if ((is_many && !open_lines(c, SIDE_SOURCE, from, until)) || !warm_up(c, from, until)) {
        return false;
    }
    apart_try(&c->apart);
    return wait_for_go(c);
}

static int play(struct course *c)
{
    const struct plan *plan = c->plan;

    if (plan->cycles > 0) {
        return measure_cycles(c);
    }
    if (!open_sides(c) || (plan->first > 0 && !prepare(c, 0, (uint32_t)plan->first)) ||
        !prepare(c, (uint32_t)plan->first, (uint32_t)plan->streams)) {
        return STATUS_BROKEN;
    }
    return measure_stanzas(c);
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
    int status = STATUS_BROKEN;

    run->plan = plan;
    run->books = books_new((uint32_t)plan->streams, (uint32_t)per_flow, plan->shards > 1);
    course.progress.began_ns = now_ns();
    if ((plan->apart && apart_open(&course.apart, plan->apart, why, sizeof(why)) != 0) ||
        certs_init(plan, why, sizeof(why)) != 0 || crew_start(run, why, sizeof(why)) != 0) {
        (void)fprintf(stderr, "fedgate-load: %s\n", why);
    } else {
        status = play(&course);
        if (status != STATUS_BROKEN) { /* a driver that waits for a line must see the end */
            wait_for_end(plan);
        }
    }
    crew_stop(run);
    apart_close(&course.apart);
    certs_free();
    books_free(run->books);
    pool_heap_free(run);
    return status;
}
