/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run: the course of a run, by the control thread: set-up, warm-up, the measured part, the result.
 * What shards tell it stands in atomics, which it looks at every millisecond; what it wants goes
 * to them by mail.                                                                               */
#ifndef FG_LOAD_RUN_H
#define FG_LOAD_RUN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/engine.h"
#include "load/books.h"
#include "load/plan.h"
#include "load/stage.h"

#define RUN_WHY_BYTES 512u

struct run {
    const struct plan *plan;
    struct books *books;                      /* owned */
    struct engine *engine;                    /* owned */
    _Atomic uint64_t opened[SIDES];           /* lines that became ready, ever */
    _Atomic uint64_t closed[SIDES];           /* lines that ended in order, ever */
    _Atomic uint64_t accepted;
    _Atomic uint64_t damaged;
    _Atomic uint64_t other;
    _Atomic uint64_t asked;    /* SIP: requests sent */
    _Atomic uint64_t answered; /* and final responses to them */
    _Atomic uint64_t watched;  /* presence: flows that the sink watches, or did */
    _Atomic uint64_t unwatched; /* and watches no more, as it was asked to */
    _Atomic uint64_t refreshes; /* SUBSCRIBEs within dialogs, whoever sent them */
    _Atomic uint64_t last_arrival_ns;
    _Atomic uint64_t commands_done;
    uint64_t commands_posted; /* the control thread's */
    _Atomic bool is_told;   /* one damaged stanza or error was shown */
    _Atomic bool is_over;   /* what ends now ends because we do */
    _Atomic bool is_failing; /* why is being written, or is there */
    _Atomic bool has_failed; /* release behind why; acquire before reading it */
    _Atomic bool has_tls;
    char why[RUN_WHY_BYTES];
    char tls[96]; /* release: has_tls */
};

/* Plays the plan. The exit status: 0 all delivered once, in order, intact; 1 not so; 70 broken. */
int run_play(const struct plan *plan);

#endif
