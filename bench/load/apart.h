/* SPDX-License-Identifier: GPL-2.0-or-later */
/* apart: the tool and the measured server take turns (--apart), so that all cores are the server's
 * while it runs, and what it carries in that time is its own affair.
 *
 * A round: the tool reads and checks what came and sends all that the schedule lets it send, the
 * server being stopped; once its shards sleep, they are held (so that what arrives wakes none of
 * them), and the server goes on. The control thread looks now and then until the server sleeps,
 * and stops it again. Time and CPU time of the server's phases are summed up; so are those of
 * rounds in which it had nothing to do: what going on costs.
 * Control thread, but for crew_rest.                                                             */
#ifndef FG_LOAD_APART_H
#define FG_LOAD_APART_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "load/other.h"

struct run;

/* Sums over rounds. */
struct apart_sum {
    uint64_t rounds;
    uint64_t looks;
    uint64_t ns;     /* from letting the server go on to its falling asleep */
    uint64_t cpu_ns; /* of the server in it */
};

struct apart {
    struct other server;
    bool is_open;
    bool takes_turns; /* between begin and end */
    struct apart_sum empty;  /* rounds of nothing */
    struct apart_sum served; /* of the measured part */
    uint64_t random;         /* state of the first look's generator */

    /* Shards add to it, the control thread reads it: relaxed, no data hangs on it. */
    _Atomic uint32_t resting;
    sem_t wake; /* posted once for each that rests */
};

/* processes: of the server, "PID[,PID...]". Before the process has threads. 0, or an error and why.
 */
NODISCARD int apart_open(struct apart *a, const char *processes, char *why, size_t why_bytes);
void apart_close(struct apart *a);

/* These do nothing where it was not opened. */
/* Rounds of nothing; the server runs on behind them. While nothing is under way. */
void apart_try(struct apart *a);
/* The server is stopped: the first round may be sent. */
void apart_begin(struct apart *a);
/* One round: returns with the server stopped again and the tool's shards at work. False, and
 * nothing: not between begin and end. */
bool apart_round(struct apart *a, struct run *run);
/* The server runs freely again. */
void apart_end(struct apart *a);

/* A shard of the tool rests until the round's end (on its thread). */
void apart_rest(struct apart *a);

#endif
