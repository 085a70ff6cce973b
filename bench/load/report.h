/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report: what a run tells people (a live line on stderr, once a second) and drivers (one line of
 * JSON on stdout at the end; bench/README.md lists its members).
 * Control thread.                                                                                */
#ifndef FG_LOAD_REPORT_H
#define FG_LOAD_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "load/books.h"
#include "load/histogram.h"
#include "load/plan.h"

struct report_figures {
    struct books_counts books;
    uint64_t damaged;
    uint64_t other;    /* elements that are no stanzas of ours */
    uint64_t unanswered; /* SIP: requests without final response */
    uint64_t watched, unwatched, refreshes; /* presence: run.h */
    uint64_t unended; /* presence: subscriptions that did not end when they were to */
    uint64_t accepted; /* streams that the server opened to us */
    uint64_t opened, closed; /* lines */
};

/* "12 s  sent 1234567  arrived 1234000  98765/s  in flight 567  trouble none"; a terminal's line is
 * written over. */
struct report_progress {
    uint64_t began_ns;
    uint64_t told_ns;
    uint64_t told_arrived;
    bool is_open; /* the line on the terminal is not ended */
};
void report_progress(struct report_progress *p, const char *phase, uint64_t now_ns,
                     const struct report_figures *f);
void report_progress_end(struct report_progress *p);

struct apart;

struct report_result {
    struct report_figures figures; /* of all, warm-up included */
    uint64_t delivered;            /* of the measured part */
    uint64_t during_hold;
    double seconds;                /* from the first write to the last arrival */
    double own_cpu_s;
    const char *tls;
    const struct histogram *latency; /* of the measured part */
    const struct histogram *lag;
    const struct apart *apart; /* NULL = the server ran at the same time */
    uint64_t interval_ns; /* to correct closed loops by; 0 = open loop, nothing was omitted */
};
/* Nothing lost, repeated, disordered, damaged or refused. */
bool report_is_clean(const struct report_figures *f);
void report_result(const struct plan *plan, const struct report_result *r);
/* Of a run of cycles: plan->cycles streams came and went in order. */
void report_cycles(const struct plan *plan, const struct report_result *r);

#endif
