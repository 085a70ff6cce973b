/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stage: one shard of the tool: its parties, its part of the schedule, its clock and its figures.
 * What a party (party.h) tells the run goes through here.
 * All functions on the shard's thread.                                                           */
#ifndef FG_LOAD_STAGE_H
#define FG_LOAD_STAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/slice.h"
#include "load/books.h"
#include "load/histogram.h"
#include "load/plan.h"

struct run;
struct shard;
struct conn;

struct stage {
    struct shard *sh;        /* borrowed */
    struct run *run;         /* shared */
    const struct plan *plan; /* shared, constant */
    struct books *books;     /* shared */
    struct schedule *schedule; /* owned */
    void *party[SIDES];        /* owned: what kind->start made */
    struct histogram latency;  /* arrivals here, since the last start */
    struct histogram lag;      /* how late the tool itself sent: now less intended */
    uint64_t now_ns;           /* 0 = the clock was not read in this turn */
};

/* Monotonic, read once per turn or batch of received bytes. */
uint64_t stage_now_ns(struct stage *st);
/* Reads it again: received bytes begin here. */
void stage_clock(struct stage *st);

/* --- connections --- */
/* A line (party.h) is ready to carry stanzas; is over in order, as asked by kind->close. */
void stage_opened(struct stage *st, enum side side, uint32_t line);
void stage_closed(struct stage *st, enum side side, uint32_t line);
/* A connection that we accepted is authenticated (text: of its TLS, or ""). */
void stage_accepted(struct stage *st, enum side side);
/* "TLSv1.3 TLS_AES_128_GCM_SHA256" of a connection that is measured. */
void stage_tls(struct stage *st, const struct conn *c);
/* The line can be written again, or has come again: its flows are ready. */
void stage_writable(struct stage *st, uint32_t line);

/* --- stanzas --- */
/* Arrived intact. Books, latency, and the flow may send again. */
void stage_arrived(struct stage *st, uint32_t flow, uint64_t seq);
/* Came back as an error; said to people once. */
void stage_refused(struct stage *st, uint32_t flow, uint64_t seq, struct slice seen);
/* Not what was sent, or cannot be told apart; said to people once. */
void stage_damaged(struct stage *st, const char *what, struct slice seen);
/* No stanza of ours: counted. */
void stage_other(struct stage *st);

/* The run cannot go on: it ends with status 70 and this text. */
void stage_fail(struct stage *st, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
