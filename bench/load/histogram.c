/* SPDX-License-Identifier: GPL-2.0-or-later */
/* histogram: latencies. */
#include "load/histogram.h"

#include <math.h>
#include <stdio.h>

#define STEPS (1u << HISTOGRAM_STEP_BITS)
#define VALUE_MAX (((uint64_t)1 << HISTOGRAM_VALUE_BITS) - 1)
#define WORD_BITS_LESS_ONE 63u
#define NUMBER_BYTES 64u

uint32_t histogram_bucket(uint64_t ns)
{
    uint32_t shift;

    if (ns < STEPS) {
        return (uint32_t)ns;
    }
    ns = ns > VALUE_MAX ? VALUE_MAX : ns;
    shift = WORD_BITS_LESS_ONE - (uint32_t)__builtin_clzll(ns) - HISTOGRAM_STEP_BITS;
    return ((shift + 1) << HISTOGRAM_STEP_BITS) + (uint32_t)(ns >> shift) - STEPS;
}

static uint64_t bucket_min_ns(uint32_t bucket)
{
    uint32_t group = bucket >> HISTOGRAM_STEP_BITS;

    if (group == 0) {
        return bucket;
    }
    return (uint64_t)((bucket & (STEPS - 1)) + STEPS) << (group - 1);
}

uint64_t histogram_bucket_max_ns(uint32_t bucket)
{
    return bucket + 1 < HISTOGRAM_BUCKETS ? bucket_min_ns(bucket + 1) - 1 : VALUE_MAX;
}

void histogram_add(struct histogram *h, uint64_t ns)
{
    if (h->count == 0 || ns < h->min_ns) {
        h->min_ns = ns;
    }
    h->max_ns = ns > h->max_ns ? ns : h->max_ns;
    h->count++;
    h->sum_ns += ns;
    h->of[histogram_bucket(ns)]++;
}

void histogram_merge(struct histogram *to, const struct histogram *from)
{
    if (from->count == 0) {
        return;
    }
    if (to->count == 0 || from->min_ns < to->min_ns) {
        to->min_ns = from->min_ns;
    }
    to->max_ns = from->max_ns > to->max_ns ? from->max_ns : to->max_ns;
    to->count += from->count;
    to->sum_ns += from->sum_ns;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        to->of[i] += from->of[i];
    }
}

/* What n values of v hide at that interval: v - interval, v - 2 * interval, ... down to interval.
 * Counted per bucket, not value by value: there may be millions. */
static void fill_back(struct histogram *to, uint64_t v, uint64_t n, uint64_t interval)
{
    uint64_t top;

    if (v < 2 * interval) {
        return;
    }
    top = v - interval;
    for (uint32_t i = histogram_bucket(interval); i <= histogram_bucket(top); i++) {
        uint64_t low = bucket_min_ns(i) > interval ? bucket_min_ns(i) : interval;
        uint64_t high = histogram_bucket_max_ns(i) < top ? histogram_bucket_max_ns(i) : top;
        uint64_t first;
        uint64_t last;

        if (low > high) {
            continue;
        }
        first = (v - high + interval - 1) / interval;
        last = (v - low) / interval;
        if (last >= first) {
            uint64_t steps = last - first + 1;

            to->of[i] += n * steps;
            to->count += n * steps;
            to->sum_ns += n * (steps * v - interval * (first + last) * steps / 2);
        }
    }
    to->min_ns = interval + v % interval < to->min_ns ? interval + v % interval : to->min_ns;
}

void histogram_correct(struct histogram *to, const struct histogram *from, uint64_t interval_ns)
{
    *to = *from;
    if (interval_ns == 0) {
        return;
    }
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (from->of[i] > 0) {
            uint64_t v = histogram_bucket_max_ns(i);

            fill_back(to, v < from->max_ns ? v : from->max_ns, from->of[i], interval_ns);
        }
    }
}

uint64_t histogram_quantile(const struct histogram *h, double q)
{
    uint64_t wanted = (uint64_t)ceil(q * (double)h->count);
    uint64_t sum = 0;

    wanted = wanted == 0 ? 1 : wanted;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS && h->count > 0; i++) {
        sum += h->of[i];
        if (sum >= wanted) {
            uint64_t v = histogram_bucket_max_ns(i);

            return v < h->max_ns && i + 1 < HISTOGRAM_BUCKETS ? v : h->max_ns;
        }
    }
    return h->max_ns;
}

static void write_us(struct jout *out, const char *key, double ns)
{
    static const double us = 1e-3;
    char text[NUMBER_BYTES];
    int len = snprintf(text, sizeof(text), "%.3f", ns * us);

    jout_raw(out, key, slice_make(text, (size_t)len));
}

void histogram_write(const struct histogram *h, struct jout *out, const char *key)
{
    static const struct {
        const char *name;
        double q;
    } quantiles[] = {{"p50_us", 0.5}, {"p90_us", 0.9}, {"p99_us", 0.99}, {"p99_9_us", 0.999}};

    jout_object(out, key);
    jout_u64(out, "count", h->count);
    write_us(out, "mean_us", h->count ? (double)h->sum_ns / (double)h->count : 0);
    for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
        write_us(out, quantiles[i].name, (double)histogram_quantile(h, quantiles[i].q));
    }
    write_us(out, "max_us", (double)h->max_ns);
    jout_end(out);
}
