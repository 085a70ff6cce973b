/* SPDX-License-Identifier: GPL-2.0-or-later */
/* schedule: who sends how many, and when it was meant. */
#include <criterion/criterion.h>

#include "load/schedule.h"

static struct books *books;
static struct schedule *s;
static struct schedule_order order;

static void make(uint32_t flows, uint32_t ring, struct schedule_params params)
{
    params.flow_step = params.flow_step ? params.flow_step : 1;
    books = books_new(flows, ring, false);
    s = schedule_new(books, &params);
}

static void end(void)
{
    schedule_free(s);
    books_free(books);
}

static void take(void)
{
    for (uint32_t i = 0; i < order.count; i++) {
        (void)books_send(books, order.flow, order.intended_ns);
    }
}

static void arrive(uint32_t flow, uint64_t seq)
{
    uint64_t intended;

    (void)books_arrive(books, flow, seq, &intended);
    schedule_ready(s, flow);
}

Test(schedule, bulk_gives_whole_batches_within_the_window)
{
    make(2, 100, (struct schedule_params){.kind = SCHEDULE_BULK, .batch = 10, .window = 25});
    schedule_start(s, 7, 1000, 0, 2);
    for (unsigned i = 0; i < 4; i++) {
        cr_assert(schedule_next(s, 7, &order));
        cr_assert_eq(order.count, 10);
        cr_assert_eq(order.flow, i % 2, "in turn");
        cr_assert_eq(order.intended_ns, 7);
        take();
    }
    cr_assert_not(schedule_next(s, 7, &order), "20 of 25 are in flight on each");
    for (uint64_t i = 0; i < 4; i++) {
        arrive(1, i);
        cr_assert_not(schedule_next(s, 8, &order));
    }
    arrive(1, 4);
    cr_assert(schedule_next(s, 9, &order));
    cr_assert_eq(order.flow, 1);
    cr_assert_eq(schedule_left(s), 1000 - 50);
    end();
}

Test(schedule, the_last_batch_is_what_is_left)
{
    make(1, 100, (struct schedule_params){.kind = SCHEDULE_BULK, .batch = 10, .window = 100});
    schedule_start(s, 0, 13, 0, 1);
    cr_assert(schedule_next(s, 0, &order));
    take();
    cr_assert(schedule_next(s, 0, &order));
    cr_assert_eq(order.count, 3);
    take();
    cr_assert_not(schedule_next(s, 0, &order));
    end();
}

Test(schedule, a_window_below_the_batch_is_the_batch)
{
    make(1, 100, (struct schedule_params){.kind = SCHEDULE_BULK, .batch = 10, .window = 4});
    schedule_start(s, 0, 13, 0, 1);
    cr_assert(schedule_next(s, 0, &order));
    cr_assert_eq(order.count, 4);
    end();
}

Test(schedule, fan_in_has_one_in_flight_on_each_flow_of_the_range)
{
    make(10, 1, (struct schedule_params){.kind = SCHEDULE_FAN, .window = 1});
    schedule_start(s, 0, 100, 3, 6);
    for (unsigned i = 3; i < 6; i++) {
        cr_assert(schedule_next(s, 0, &order));
        cr_assert_eq(order.flow, i);
        cr_assert_eq(order.count, 1);
        take();
    }
    cr_assert_not(schedule_next(s, 0, &order));
    schedule_ready(s, 9);
    cr_assert_not(schedule_next(s, 0, &order), "9 is not one of them");
    arrive(4, 0);
    schedule_ready(s, 4);
    cr_assert(schedule_next(s, 0, &order));
    cr_assert_eq(order.flow, 4);
    take();
    cr_assert_not(schedule_next(s, 0, &order));
    end();
}

Test(schedule, each_shard_has_its_flows)
{
    make(10, 1,
         (struct schedule_params){
             .kind = SCHEDULE_FAN, .window = 1, .flow_first = 1, .flow_step = 4});
    schedule_start(s, 0, 100, 0, 10);
    for (unsigned i = 1; i < 10; i += 4) {
        cr_assert(schedule_next(s, 0, &order));
        cr_assert_eq(order.flow, i);
        take();
    }
    cr_assert_not(schedule_next(s, 0, &order));
    end();
}

Test(schedule, what_cannot_be_written_comes_again_when_it_can)
{
    make(2, 1, (struct schedule_params){.kind = SCHEDULE_FAN, .window = 1});
    schedule_start(s, 0, 2, 0, 2);
    cr_assert(schedule_next(s, 0, &order));
    schedule_put_back(s, &order);
    cr_assert_eq(schedule_left(s), 2);
    cr_assert(schedule_next(s, 0, &order));
    cr_assert_eq(order.flow, 1);
    take();
    cr_assert_not(schedule_next(s, 0, &order));
    schedule_ready(s, 0);
    cr_assert(schedule_next(s, 0, &order));
    cr_assert_eq(order.flow, 0);
    end();
}

Test(schedule, one_at_a_time_is_one_in_all)
{
    make(3, 1, (struct schedule_params){.kind = SCHEDULE_ONE});
    schedule_start(s, 0, 5, 0, 3);
    for (unsigned i = 0; i < 5; i++) {
        cr_assert(schedule_next(s, i, &order));
        cr_assert_eq(order.flow, i % 3);
        take();
        cr_assert_not(schedule_next(s, i, &order));
        arrive(order.flow, i / 3);
    }
    cr_assert_not(schedule_next(s, 9, &order));
    end();
}

Test(schedule, one_at_a_time_goes_round_a_flow_that_is_away)
{
    make(2, 1, (struct schedule_params){.kind = SCHEDULE_ONE});
    schedule_start(s, 0, 5, 0, 2);
    cr_assert(schedule_next(s, 0, &order));
    schedule_put_back(s, &order);
    cr_assert(schedule_next(s, 0, &order));
    cr_assert_eq(order.flow, 1);
    schedule_put_back(s, &order);
    cr_assert_not(schedule_next(s, 0, &order), "both are away");
    schedule_ready(s, 0);
    cr_assert(schedule_next(s, 0, &order));
    end();
}

Test(schedule, open_is_evenly_spaced_whatever_arrives)
{
    make(2, 1000, (struct schedule_params){.kind = SCHEDULE_OPEN, .rate = 1000});
    schedule_start(s, 5000000, 10, 0, 2);
    cr_assert(schedule_next(s, 5000000, &order));
    cr_assert_eq(order.intended_ns, 5000000);
    take();
    cr_assert_not(schedule_next(s, 5999999, &order));
    cr_assert_eq(schedule_due_ns(s), 6000000);
    /* Late: what was due meanwhile is given with the times at which it was due. */
    for (unsigned i = 1; i < 10; i++) {
        cr_assert(schedule_next(s, 60000000, &order));
        cr_assert_eq(order.flow, i % 2);
        cr_assert_eq(order.intended_ns, 5000000 + i * 1000000ull);
        take();
    }
    cr_assert_not(schedule_next(s, 60000000, &order));
    cr_assert_eq(schedule_due_ns(s), SCHEDULE_NEVER);
    end();
}

Test(schedule, open_without_room_waits_and_keeps_the_intended_time)
{
    make(1, 64, (struct schedule_params){.kind = SCHEDULE_OPEN, .rate = 1e9});
    schedule_start(s, 0, 1000, 0, 1);
    for (unsigned i = 0; i < 64; i++) {
        cr_assert(schedule_next(s, 1000000, &order));
        take();
    }
    cr_assert_not(schedule_next(s, 1000000, &order));
    cr_assert_eq(schedule_due_ns(s), SCHEDULE_NEVER, "no timer helps");
    arrive(0, 0);
    cr_assert(schedule_next(s, 2000000, &order));
    cr_assert_eq(order.intended_ns, 64);
    end();
}

Test(schedule, open_passes_a_flow_that_is_away)
{
    make(2, 64, (struct schedule_params){.kind = SCHEDULE_OPEN, .rate = 1000});
    schedule_start(s, 0, 10, 0, 2);
    cr_assert(schedule_next(s, 0, &order));
    schedule_put_back(s, &order);
    cr_assert(schedule_next(s, 0, &order));
    cr_assert_eq(order.flow, 1);
    cr_assert_eq(order.intended_ns, 0, "its turn and time, by another flow");
    end();
}

Test(schedule, stopped_is_silent)
{
    make(1, 64, (struct schedule_params){.kind = SCHEDULE_FAN, .window = 5});
    schedule_start(s, 0, 10, 0, 1);
    cr_assert(schedule_next(s, 0, &order));
    take();
    schedule_stop(s);
    cr_assert_not(schedule_next(s, 0, &order));
    schedule_ready(s, 0);
    cr_assert_not(schedule_next(s, 0, &order));
    end();
}

Test(schedule, rest_is_kept_and_flows_begin_spread_over_it)
{
    make(2, 8, (struct schedule_params){.kind = SCHEDULE_FAN, .window = 1, .rest_ns = 100});
    schedule_start(s, 1000, 10, 0, 2);
    cr_assert(schedule_next(s, 1000, &order));
    cr_assert_eq(order.flow, 0);
    take();
    cr_assert_not(schedule_next(s, 1000, &order), "flow 1 begins half a rest later");
    cr_assert_eq(schedule_due_ns(s), 1050);
    cr_assert(schedule_next(s, 1050, &order));
    cr_assert_eq(order.flow, 1);
    take();
    arrive(0, 0);
    cr_assert_not(schedule_next(s, 1099, &order), "it has arrived, but flow 0 rests");
    cr_assert_eq(schedule_due_ns(s), 1100);
    cr_assert(schedule_next(s, 1100, &order));
    cr_assert_eq(order.flow, 0);
    take();
    cr_assert_not(schedule_next(s, 1150, &order), "flow 1 has rested, but not arrived");
    arrive(1, 0);
    cr_assert(schedule_next(s, 1170, &order));
    cr_assert_eq(order.flow, 1);
    end();
}

Test(schedule, what_cannot_be_written_does_not_rest)
{
    make(2, 8, (struct schedule_params){.kind = SCHEDULE_FAN, .window = 1, .rest_ns = 100});
    schedule_start(s, 0, 10, 0, 2);
    cr_assert(schedule_next(s, 60, &order));
    cr_assert(schedule_next(s, 60, &order));
    cr_assert_eq(order.flow, 1);
    schedule_put_back(s, &order);
    cr_assert_not(schedule_next(s, 70, &order));
    schedule_ready(s, 1);
    cr_assert(schedule_next(s, 71, &order));
    cr_assert_eq(order.flow, 1);
    cr_assert_eq(schedule_left(s), 8);
    end();
}
