/* SPDX-License-Identifier: GPL-2.0-or-later */
/* histogram: latencies in nanoseconds, log-linear: 128 steps to each doubling, so that a value is
 * known to 0.8 %, from 1 ns to 2^40 ns (18 minutes; above: counted there, max stays exact).
 *
 * Coordinated omission: a sender that waits for a late answer does not send what would have
 * waited, too. Open loop: latencies are counted from the intended time of sending, nothing is
 * omitted. Closed loop: histogram_correct() adds what a sender at a steady interval would have
 * seen: for a value v of n intervals also v - interval, v - 2 * interval, ...
 * One thread per histogram; merged afterwards. 36 KiB, zeroed = empty.                           */
#ifndef FG_LOAD_HISTOGRAM_H
#define FG_LOAD_HISTOGRAM_H

#include <stdint.h>

#include "base/jout.h"

#define HISTOGRAM_STEP_BITS 7u
#define HISTOGRAM_VALUE_BITS 40u
#define HISTOGRAM_BUCKETS                                                                          \
    ((HISTOGRAM_VALUE_BITS - HISTOGRAM_STEP_BITS + 1u) << HISTOGRAM_STEP_BITS)

struct histogram {
    uint64_t count;
    uint64_t sum_ns;
    uint64_t min_ns; /* exact; 0 when empty */
    uint64_t max_ns; /* exact */
    uint64_t of[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t ns);
void histogram_merge(struct histogram *to, const struct histogram *from);
/* *to (overwritten) is *from with what was omitted at that interval; 0 = nothing was. */
void histogram_correct(struct histogram *to, const struct histogram *from, uint64_t interval_ns);
/* The value that a share of 0 < q <= 1 of all does not exceed (upper end of its step, at most max);
 * 0 when empty. */
uint64_t histogram_quantile(const struct histogram *h, double q);
/* Bucket of a value, and the largest value of a bucket: for tests. */
uint32_t histogram_bucket(uint64_t ns);
uint64_t histogram_bucket_max_ns(uint32_t bucket);

/* {"count": 1, "mean_us": 1.000, "p50_us": ..., "p90_us", "p99_us", "p99_9_us", "max_us"}
 * as member key. */
void histogram_write(const struct histogram *h, struct jout *out, const char *key);

#endif
