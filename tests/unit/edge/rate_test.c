/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rate: the bucket against its definition: over any time t at most burst + rate * t. */
#include <criterion/criterion.h>

#include "edge/rate.h"

#define T0 1000000u

Test(rate, no_rule_no_wait)
{
    struct rate r = {0};
    struct rate_rule off = {0, 0};

    for (int i = 0; i < 100000; i++) {
        cr_assert_eq(rate_take(&r, &off, 1 << 20, T0), 0);
    }
}

Test(rate, a_burst_passes_and_then_the_rate_holds)
{
    struct rate r = {0};
    struct rate_rule rule = {10, 20}; /* 10 a second, 20 at once */

    for (int i = 0; i < 19; i++) {
        cr_assert_eq(rate_take(&r, &rule, 1, T0), 0, "%d", i);
    }
    cr_assert_eq(rate_take(&r, &rule, 1, T0), 100, "the 20th empties it: the next in 100 ms");
    cr_assert_eq(rate_take(&r, &rule, 1, T0 + 100), 100);
    cr_assert_eq(rate_take(&r, &rule, 1, T0 + 150), 150, "too early: a debt, paid by waiting");
    cr_assert_eq(rate_take(&r, &rule, 1, T0 + 300), 100);
    cr_assert_eq(rate_take(&r, &rule, 1, T0 + 1000000), 0, "full again, and no fuller");
    for (int i = 0; i < 18; i++) {
        cr_assert_eq(rate_take(&r, &rule, 1, T0 + 1000000), 0);
    }
    cr_assert_eq(rate_take(&r, &rule, 1, T0 + 1000000), 100);
}

Test(rate, a_large_amount_is_a_debt)
{
    struct rate r = {0};
    struct rate_rule rule = {1000, 5000};

    cr_assert_eq(rate_take(&r, &rule, 65000, T0), 60001);
    cr_assert_eq(rate_take(&r, &rule, 1, T0 + 60001), 1);
}

/* Whoever obeys, with any amounts and any tardiness, never gets more than the definition. */
Test(rate, over_any_time_the_bound_holds)
{
    static const struct rate_rule rules[] = {{1, 1}, {7, 3}, {100, 1}, {5000, 100}, {1000000, 1}};
    uint32_t seed = 20261121;

    for (size_t k = 0; k < sizeof(rules) / sizeof(rules[0]); k++) {
        const struct rate_rule *rule = &rules[k];
        uint64_t floor = rule->per_s * RATE_GRAIN_MS / 1000 + 1;
        uint64_t burst = rule->burst > floor ? rule->burst : floor;
        struct rate r = {0};
        uint64_t now = T0;
        uint64_t taken = 0;

        for (int i = 0; i < 20000; i++) {
            uint64_t wait = rate_take(&r, rule, 1, now);

            taken++;
            cr_assert_leq(taken, burst + rule->per_s * (now - T0) / 1000 + 1, "rule %zu at %lu", k,
                          now - T0);
            seed = seed * 1664525 + 1013904223;
            now += wait + (wait ? (seed >> 16) % 9 : 0); /* timers are late */
        }
        /* And it gets that much: 8 ms of tardiness cost nothing once there is a burst. */
        if (now - T0 > 1000 && burst >= 2 * floor) {
            cr_assert_geq(taken, rule->per_s * (now - T0) / 1000 * 9 / 10, "rule %zu", k);
        }
    }
}

Test(rate, a_rule_that_became_smaller_holds_at_once)
{
    struct rate r = {0};
    struct rate_rule large = {1000000, 1000000};
    struct rate_rule small = {1, 2};

    cr_assert_eq(rate_take(&r, &large, 1, T0), 0);
    cr_assert_eq(rate_take(&r, &small, 1, T0), 0);
    cr_assert_eq(rate_take(&r, &small, 1, T0), 1000);
}

Test(rate, extremes_do_not_overflow)
{
    struct rate r = {0};
    struct rate_rule huge = {UINT64_MAX, UINT64_MAX};
    struct rate_rule slow = {1, 1};

    cr_assert_eq(rate_take(&r, &huge, 1 << 30, 1), 0);
    cr_assert_eq(rate_take(&r, &huge, 1, UINT64_MAX / 2), 0);
    r = (struct rate){0};
    cr_assert_gt(rate_take(&r, &slow, UINT64_MAX, 0), UINT64_C(1000000000));
    cr_assert_gt(rate_take(&r, &slow, 1, 5), 0);
}
