/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wheel: every timer fires once, not early, at most a tick late, over all levels. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/attr.h"
#include "base/wheel.h"

static uint64_t now_ms;
static uint32_t fired_count;

static void on_fire(struct wheel_timer *t, void *ctx)
{
    bool *fired = ctx;

    cr_assert_not(*fired);
    cr_assert_geq(now_ms, t->deadline_ms);
    *fired = true;
    fired_count++;
}

Test(wheel, random_deadlines_fire_on_time)
{
    enum { COUNT = 3000 };
    static struct wheel w;
    static struct wheel_timer timers[COUNT];
    static bool fired[COUNT];
    static uint64_t deadline[COUNT];
    unsigned seed = 5;

    now_ms = 123456;
    wheel_init(&w, now_ms);
    for (int i = 0; i < COUNT; i++) {
        uint64_t span = 1ull << (rand_r(&seed) % 26);

        deadline[i] = now_ms + (uint64_t)rand_r(&seed) % span;
        wheel_arm(&w, &timers[i], deadline[i], on_fire, &fired[i]);
    }
    for (int i = 0; i < COUNT; i += 7) {
        wheel_disarm(&w, &timers[i]);
        wheel_disarm(&w, &timers[i]);
    }
    while (w.timer_count > 0) {
        uint64_t next = wheel_next_ms(&w);

        cr_assert_neq(next, WHEEL_NEVER);
        now_ms = next > now_ms ? next : now_ms + 1;
        if (rand_r(&seed) % 4 == 0) {
            now_ms += (uint64_t)rand_r(&seed) % 3;
        }
        (void)wheel_run(&w, now_ms, UINT32_MAX);
        for (int i = 0; i < COUNT; i++) {
            if (i % 7 != 0 && deadline[i] + WHEEL_TICK_MS <= now_ms) {
                cr_assert(fired[i], "timer %d late: %lu at %lu", i, deadline[i], now_ms);
            }
        }
    }
    cr_assert_eq(fired_count, COUNT - (COUNT + 6) / 7);
    cr_assert_eq(wheel_next_ms(&w), WHEEL_NEVER);
}

static struct wheel loop_wheel;

static void fire_again(struct wheel_timer *t, void *ctx)
{
    (void)ctx;
    fired_count++;
    wheel_arm(&loop_wheel, t, now_ms, fire_again, NULL);
}

Test(wheel, a_timer_that_rearms_itself_is_bounded_by_fire_max)
{
    struct wheel_timer t = {0};

    now_ms = 8000;
    wheel_init(&loop_wheel, now_ms);
    wheel_arm(&loop_wheel, &t, now_ms, fire_again, NULL);
    cr_assert_eq(wheel_run(&loop_wheel, now_ms + 8, 10), 10);
    cr_assert(wheel_timer_is_armed(&t));
    wheel_disarm(&loop_wheel, &t);
    cr_assert_eq(loop_wheel.timer_count, 0);
}

Test(wheel, a_long_sleep_fires_everything_due)
{
    static struct wheel w;
    struct wheel_timer t[3] = {0};
    bool fired[3] = {false};

    now_ms = 0;
    wheel_init(&w, 0);
    wheel_arm(&w, &t[0], 5, on_fire, &fired[0]);
    wheel_arm(&w, &t[1], 3600000, on_fire, &fired[1]);
    wheel_arm(&w, &t[2], 864000000000ull, on_fire, &fired[2]); /* 27 years: past the top level */
    now_ms = 7200000;
    cr_assert_eq(wheel_run(&w, now_ms, UINT32_MAX), 2);
    cr_assert(fired[0] && fired[1] && !fired[2]);
    wheel_disarm(&w, &t[2]);
}

/* Deadlines from now to beyond the top level, armed again from within and from without, time in
 * steps of all sizes: nothing fires early or late. */
Test(wheel, sparse_timers_over_years)
{
    enum { SPARSE = 40 };
    static struct wheel w;
    static struct wheel_timer timers[SPARSE];
    static bool fired[SPARSE];
    unsigned seed = 3;
    uint32_t armed = 0;

    now_ms = 12345;
    wheel_init(&w, now_ms);
    for (uint32_t round = 0; round < 20000; round++) {
        uint32_t i = (uint32_t)rand_r(&seed) % SPARSE;
        uint64_t next;

        if (!wheel_timer_is_armed(&timers[i]) || rand_r(&seed) % 8 == 0) {
            fired[i] = false;
            wheel_arm(&w, &timers[i],
                      now_ms + ((uint64_t)rand_r(&seed) << (rand_r(&seed) % 12)) %
                                   (1ull << (rand_r(&seed) % 42)),
                      on_fire, &fired[i]);
            armed++;
        }
        next = wheel_next_ms(&w);
        for (uint32_t k = 0; k < SPARSE; k++) {
            if (wheel_timer_is_armed(&timers[k])) {
                cr_assert_leq(next, timers[k].deadline_ms + WHEEL_TICK_MS);
            }
        }
        now_ms = rand_r(&seed) % 3 == 0 ? now_ms + (uint64_t)rand_r(&seed) % 5000
                 : next > now_ms        ? next
                                        : now_ms + 1;
        (void)wheel_run(&w, now_ms, UINT32_MAX);
        for (uint32_t k = 0; k < SPARSE; k++) {
            bool is_due = timers[k].deadline_ms + WHEEL_TICK_MS <= now_ms;

            cr_assert(!fired[k] || timers[k].deadline_ms <= now_ms, "early");
            cr_assert(!is_due || !wheel_timer_is_armed(&timers[k]), "late");
        }
    }
    cr_assert_gt(armed, 5000);
    for (uint32_t k = 0; k < SPARSE; k++) {
        wheel_disarm(&w, &timers[k]);
    }
}

/* One far deadline: as many stops as levels, not one every half second. */
Test(wheel, a_far_deadline_wakes_nobody_before)
{
    static struct wheel w;
    struct wheel_timer t = {0};
    bool fired = false;
    uint32_t wakes = 0;

    now_ms = 777;
    wheel_init(&w, now_ms);
    wheel_arm(&w, &t, now_ms + 40ull * 3600 * 1000, on_fire, &fired);
    while (!fired) {
        now_ms = wheel_next_ms(&w);
        (void)wheel_run(&w, now_ms, UINT32_MAX);
        wakes++;
    }
    cr_expect_leq(wakes, WHEEL_LEVELS, "%u", wakes);
    cr_expect_leq(now_ms, 777 + 40ull * 3600 * 1000 + WHEEL_TICK_MS);
}
