/* SPDX-License-Identifier: GPL-2.0-or-later */
/* histogram: buckets, quantiles, correction. */
#include <criterion/criterion.h>
#include <math.h>

#include "load/histogram.h"

static struct histogram h;
static struct histogram other;

Test(histogram, every_value_is_in_the_bucket_that_ends_at_or_above_it)
{
    uint64_t v = 1;

    for (unsigned i = 0; i < 2000; i++) {
        uint32_t bucket = histogram_bucket(v);

        cr_assert_lt(bucket, HISTOGRAM_BUCKETS);
        cr_assert_geq(histogram_bucket_max_ns(bucket), v);
        if (bucket > 0) {
            cr_assert_lt(histogram_bucket_max_ns(bucket - 1), v);
        }
        cr_assert_leq((double)(histogram_bucket_max_ns(bucket) - v), (double)v / 128 + 1,
                      "%llu is known to 1/128", (unsigned long long)v);
        v += v / 73 + 1;
        if (v >> HISTOGRAM_VALUE_BITS) {
            break;
        }
    }
    cr_assert_eq(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}

Test(histogram, quantiles_of_known_values)
{
    for (uint64_t i = 1; i <= 1000; i++) {
        histogram_add(&h, i * 1000);
    }
    cr_assert_eq(h.min_ns, 1000);
    cr_assert_eq(h.max_ns, 1000000);
    cr_assert_float_eq((double)histogram_quantile(&h, 0.5), 500e3, 500e3 / 100);
    cr_assert_float_eq((double)histogram_quantile(&h, 0.99), 990e3, 990e3 / 100);
    cr_assert_eq(histogram_quantile(&h, 1.0), 1000000, "the greatest is exact");
    cr_assert_float_eq((double)histogram_quantile(&h, 0.0001), 1000, 10);
}

Test(histogram, empty_says_nothing)
{
    cr_assert_eq(histogram_quantile(&h, 0.99), 0);
    histogram_correct(&other, &h, 1000);
    cr_assert_eq(other.count, 0);
}

Test(histogram, beyond_its_range_the_greatest_stays_exact)
{
    histogram_add(&h, (uint64_t)1 << 50);
    cr_assert_eq(histogram_quantile(&h, 0.5), (uint64_t)1 << 50);
}

Test(histogram, merging_is_adding)
{
    for (uint64_t i = 0; i < 100; i++) {
        histogram_add(&h, 10 + i);
        histogram_add(&other, 5000 + i);
    }
    histogram_merge(&h, &other);
    cr_assert_eq(h.count, 200);
    cr_assert_eq(h.min_ns, 10);
    cr_assert_eq(h.max_ns, 5099);
    cr_assert_leq(histogram_quantile(&h, 0.5), 110);
    cr_assert_geq(histogram_quantile(&h, 0.51), 5000);
}

/* A stop of 1 s at an interval of 1 ms hides 999 answers of 1 ms to 999 ms. */
Test(histogram, correction_adds_what_a_stop_hid)
{
    const uint64_t ms = 1000000;
    uint64_t above = 0;

    for (unsigned i = 0; i < 1000; i++) {
        histogram_add(&h, ms / 10);
    }
    histogram_add(&h, 1000 * ms);
    cr_assert_lt(histogram_quantile(&h, 0.99), ms, "uncorrected, the stop is one of a thousand");
    histogram_correct(&other, &h, ms);
    cr_assert_eq(other.count, 1001 + 999);
    cr_assert_float_eq((double)histogram_quantile(&other, 0.99), 980e6, 10e6);
    cr_assert_eq(other.max_ns, 1000 * ms);
    for (uint32_t i = histogram_bucket(500 * ms); i < HISTOGRAM_BUCKETS; i++) {
        above += other.of[i];
    }
    cr_assert_float_eq((double)above, 500, 10);
}

Test(histogram, nothing_is_added_below_the_interval)
{
    for (uint64_t i = 1; i < 2000; i++) {
        histogram_add(&h, i);
    }
    histogram_correct(&other, &h, 1000);
    cr_assert_eq(other.count, h.count);
    histogram_correct(&other, &h, 0);
    cr_assert_eq(other.count, h.count);
}

/* Value by value, as the definition says. */
Test(histogram, correction_by_buckets_is_that_by_values)
{
    static const uint64_t interval = 700;
    static struct histogram slow;
    uint64_t v = 13;

    for (unsigned i = 0; i < 300; i++) {
        histogram_add(&h, v);
        v = (v * 6364136223846793005u + 1442695040888963407u) % 5000000;
    }
    slow = h;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t top = histogram_bucket_max_ns(i);

        top = top < h.max_ns ? top : h.max_ns;
        for (uint64_t k = 1; h.of[i] > 0 && k * interval <= top && top - k * interval >= interval;
             k++) {
            slow.of[histogram_bucket(top - k * interval)] += h.of[i];
            slow.count += h.of[i];
        }
    }
    histogram_correct(&other, &h, interval);
    cr_assert_eq(other.count, slow.count);
    cr_assert_arr_eq(other.of, slow.of, sizeof(slow.of));
}

Test(histogram, written_as_json)
{
    struct jout out;
    struct buf text;

    histogram_add(&h, 1500);
    buf_init(&text, 1000);
    jout_init(&out, &text, false);
    jout_object(&out, NULL);
    histogram_write(&h, &out, "latency");
    jout_end(&out);
    cr_assert_eq(memcmp(buf_slice(&text).ptr,
                        "{\"latency\": {\"count\": 1, \"mean_us\": 1.500, \"p50_us\": 1.500",
                        50), 0, "%.*s", SLICE_FMT(buf_slice(&text)));
    buf_deinit(&text);
}
