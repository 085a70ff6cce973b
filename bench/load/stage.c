/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stage: one shard of the tool. */
#include "load/stage.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/err.h"
#include "base/log.h"
#include "base/pool.h"
#include "engine/conn.h"
#include "engine/poll.h"
#include "engine/shard.h"
#include "load/party.h"
#include "load/run.h"

#define NS_PER_S 1000000000u

/* Flows of which something arrived on another shard than the one that sends them. */
struct stage_credit {
    struct mail mail;
    uint32_t count;
    uint32_t flows[STAGE_CREDIT_FLOWS];
};

static uint64_t clock_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

void stage_clock(struct stage *st)
{
    st->now_ns = clock_ns();
}

uint64_t stage_now_ns(struct stage *st)
{
    if (st->now_ns == 0) {
        stage_clock(st);
    }
    return st->now_ns;
}

/* --- begin and end --- */

static void on_timer(struct shard *sh, int fd, uint32_t revents, void *ctx)
{
    struct stage *st = ctx;
    uint64_t expired;

    (void)sh;
    (void)revents;
    st->timer_ns = 0;
    if (read(fd, &expired, sizeof(expired)) < 0) {
        return; /* it was set anew meanwhile */
    }
}

struct stage *stage_new(struct run *run, struct shard *sh)
{
    struct stage *st = pool_heap_zalloc(sizeof(*st));
    uint32_t lines = 1;

    st->sh = sh;
    st->run = run;
    st->plan = run->plan;
    st->books = run->books;
    list_init(&st->leaving);
    st->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (st->timer_fd < 0 || shard_poll_add(sh, st->timer_fd, POLLIN, on_timer, st) != 0) {
        stage_fail(st, "no timer");
    }
    st->credit = pool_heap_zalloc(shard_count(sh) * sizeof(struct stage_credit *));
    for (enum side side = SIDE_SOURCE; side < (enum side)SIDES; side++) {
        st->line_count[side] = st->plan->kind[side]->line_count(st->plan, side);
        st->party[side] = st->plan->kind[side]->start(st, side);
        lines = st->line_count[side] > lines ? st->line_count[side] : lines;
    }
    st->is_cycling = pool_heap_zalloc(lines * sizeof(bool));
    return st;
}

void stage_free(struct stage *st)
{
    stage_lines_forget(st);
    for (enum side side = SIDE_SOURCE; side < (enum side)SIDES; side++) {
        st->plan->kind[side]->stop(st->party[side]);
    }
    for (uint32_t i = 0; i < shard_count(st->sh); i++) {
        pool_free(st->credit[i]);
    }
    pool_heap_free(st->credit);
    pool_heap_free(st->is_cycling);
    schedule_free(st->schedule);
    shard_poll_remove(st->sh, st->timer_fd);
    (void)close(st->timer_fd);
    pool_heap_free(st);
}

/* --- sending --- */

/* Wakes us when the open loop's next stanza is due. */
static void arm(struct stage *st)
{
    uint64_t due = st->schedule ? schedule_due_ns(st->schedule) : SCHEDULE_NEVER;
    struct itimerspec spec = {{0, 0}, {(time_t)(due / NS_PER_S), (long)(due % NS_PER_S)}};

    if (due != SCHEDULE_NEVER && due != st->timer_ns) {
        st->timer_ns = due;
        (void)timerfd_settime(st->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
    }
}

static void post_credit(struct stage *st, uint32_t to)
{
    struct stage_credit *credit = st->credit[to];

    if (credit) {
        st->credit[to] = NULL;
        credit->mail.kind = STAGE_MAIL_CREDIT;
        shard_post_reply(st->sh, to, &credit->mail);
    }
}

void stage_take_credit(struct stage *st, struct mail *m)
{
    const struct stage_credit *credit = CONTAINER_OF(m, struct stage_credit, mail);

    for (uint32_t i = 0; st->schedule && i < credit->count; i++) {
        schedule_ready(st->schedule, credit->flows[i]);
    }
    mail_free(m);
}

/* A flow may send again: where its source is. */
static void settled(struct stage *st, uint32_t flow)
{
    uint32_t home = flow % st->line_count[SIDE_SOURCE] % shard_count(st->sh);

    if (home == shard_idx(st->sh)) {
        if (st->schedule) {
            schedule_ready(st->schedule, flow);
        }
        return;
    }
    if (!st->credit[home]) {
        st->credit[home] = pool_zalloc(sizeof(struct stage_credit));
    }
    if (!st->credit[home]) {
        stage_fail(st, "no memory for mail between shards");
        return;
    }
    st->credit[home]->flows[st->credit[home]->count++] = flow;
    if (st->credit[home]->count == STAGE_CREDIT_FLOWS) {
        post_credit(st, home);
    }
}

void stage_pump(struct stage *st)
{
    const struct party_kind *kind = st->plan->kind[SIDE_SOURCE];
    bool is_open = st->plan->schedule == SCHEDULE_OPEN;
    struct schedule_order order;

    if (st->schedule && schedule_left(st->schedule) > 0) {
        stage_clock(st);
        while (schedule_next(st->schedule, st->now_ns, &order)) {
            if (!kind->write(st->party[SIDE_SOURCE], &order)) {
                schedule_put_back(st->schedule, &order);
            } else if (is_open) {
                histogram_add(&st->lag, st->now_ns - order.intended_ns);
            }
        }
        arm(st);
    }
    for (uint32_t i = 0; i < shard_count(st->sh); i++) {
        post_credit(st, i);
    }
    stage_watch_more(st);
    st->now_ns = 0;
}

void stage_start(struct stage *st, const struct schedule_params *params, uint64_t quota,
                 uint32_t from, uint32_t until)
{
    schedule_free(st->schedule);
    st->schedule = schedule_new(st->books, params);
    stage_clock(st);
    schedule_start(st->schedule, st->now_ns, quota, from, until);
}

void stage_hold(struct stage *st, bool is_held)
{
    st->plan->kind[SIDE_SINK]->hold(st->party[SIDE_SINK], is_held, st->plan->hold_one);
}

/* --- stanzas --- */

static void add(_Atomic uint64_t *counter)
{
    (void)atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* The first is shown; all are counted. */
static void tell(struct stage *st, const char *what, struct slice seen)
{
    if (!atomic_exchange_explicit(&st->run->is_told, true, memory_order_relaxed)) {
        (void)fprintf(stderr, "fedgate-load: the first of those: %s: %.*s\n", what,
                      SLICE_FMT(seen));
    }
}

void stage_arrived(struct stage *st, uint32_t flow, uint64_t seq)
{
    uint64_t now = stage_now_ns(st);
    uint64_t intended;

    while (books_overtake(st->books, flow, seq, &intended)) {
        /* He knows by now that it holds no more. */
        histogram_add(&st->latency, now > intended ? now - intended : 0);
        settled(st, flow);
    }
    switch (books_arrive(st->books, flow, seq, &intended)) {
    case BOOKS_IN_ORDER:
    case BOOKS_OUT_OF_ORDER:
        histogram_add(&st->latency, now > intended ? now - intended : 0);
        atomic_store_explicit(&st->run->last_arrival_ns, now, memory_order_relaxed);
        settled(st, flow);
        break;
    case BOOKS_DUPLICATE:
        tell(st, "arrived again", SLICE_NONE);
        break;
    case BOOKS_STALE:
        tell(st, "an older state than was told before", SLICE_NONE);
        break;
    case BOOKS_AGAIN:
        break;
    case BOOKS_UNKNOWN:
        stage_damaged(st, "a number that was not sent", SLICE_NONE);
        break;
    }
}

void stage_refused(struct stage *st, uint32_t flow, uint64_t seq, struct slice seen)
{
    tell(st, "came back as an error", seen);
    if (books_refuse(st->books, flow, seq) == BOOKS_UNKNOWN) {
        add(&st->run->damaged);
    } else {
        settled(st, flow);
    }
}

void stage_damaged(struct stage *st, const char *what, struct slice seen)
{
    tell(st, what, seen);
    add(&st->run->damaged);
}

void stage_other(struct stage *st)
{
    add(&st->run->other);
}

void stage_fail(struct stage *st, const char *fmt, ...)
{
    struct run *run = st->run;
    va_list args;

    if (atomic_load_explicit(&run->is_over, memory_order_relaxed) ||
        atomic_exchange_explicit(&run->is_failing, true, memory_order_relaxed)) {
        return;
    }
    va_start(args, fmt);
    (void)vsnprintf(run->why, sizeof(run->why), fmt, args);
    va_end(args);
    atomic_store_explicit(&run->has_failed, true, memory_order_release);
}
