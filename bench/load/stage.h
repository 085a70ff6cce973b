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
#include "base/list.h"
#include "base/slice.h"
#include "load/books.h"
#include "load/histogram.h"
#include "load/plan.h"

struct run;
struct shard;
struct conn;
struct mail;
struct schedule_params;

/* Lines of one side that are being opened, in their order; see stage_open_lines(). */
struct stage_opening {
    uint32_t next;
    uint32_t until;
    uint32_t in_progress;
    bool is_cycle; /* each is closed again as soon as it is there */
};

/* Flows that the sink begins or ceases to watch, in their order; see stage_watch_flows(). */
struct stage_watching {
    uint32_t next;
    uint32_t until;
    uint32_t in_progress;
    bool is_end;
};

struct stage {
    struct shard *sh;          /* borrowed */
    struct run *run;           /* shared */
    const struct plan *plan;   /* shared, constant */
    struct books *books;       /* shared */
    struct schedule *schedule; /* owned; NULL = nothing is sent */
    void *party[SIDES];        /* owned: what kind->start made */
    uint32_t line_count[SIDES];
    struct stage_opening opening[SIDES];
    struct stage_watching watching;
    bool *is_cycling;    /* owned; per line: it is on its way */
    struct list leaving; /* struct stage_leave: lines that were closed and come again */
    struct histogram latency; /* arrivals here, since the last crew_forget() */
    struct histogram lag;     /* how late the tool itself sent: now less intended; OPEN */
    uint64_t now_ns;          /* 0 = the clock was not read in this turn */
    int timer_fd;             /* OPEN: wakes us when the next stanza is due (the wheel's ticks
                                 of 8 ms are too coarse) */
    uint64_t timer_ns;        /* armed for */
    struct stage_credit **credit; /* owned; per shard: what arrived here of flows sent there */
};

/* Mail between the shards of a run. */
enum stage_mail { STAGE_MAIL_COMMAND, STAGE_MAIL_CREDIT };
#define STAGE_CREDIT_FLOWS 1000u

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

/* A flow is watched, is no more (party.h: watch, unwatch). */
void stage_watched(struct stage *st);
void stage_unwatched(struct stage *st);

/* --- stanzas --- */
/* Arrived intact. Books, latency, and the flow may send again. */
void stage_arrived(struct stage *st, uint32_t flow, uint64_t seq);
/* Came back as an error; said to people once. */
void stage_refused(struct stage *st, uint32_t flow, uint64_t seq, struct slice seen);
/* Not what was sent, or cannot be told apart; said to people once. */
void stage_damaged(struct stage *st, const char *what, struct slice seen);
/* No stanza of ours: counted. */
void stage_other(struct stage *st);

/* The run cannot go on: it ends with status 70 and this text. Only the first is heard. */
void stage_fail(struct stage *st, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* --- by the run (run.h), as commands; on the shard's thread, too --- */
struct stage *stage_new(struct run *run, struct shard *sh);
void stage_free(struct stage *st);
/* The end of a turn: sends what the schedule says. */
void stage_pump(struct stage *st);
/* Opens those of the lines from..until that are this shard's, at most `parallel` in negotiation. */
void stage_open_lines(struct stage *st, enum side side, const struct stage_opening *which);
/* Has the sink watch these flows, or cease to, at most `parallel` at a time. */
void stage_watch_flows(struct stage *st, const struct stage_watching *which);
/* The end of a turn: goes on with that. */
void stage_watch_more(struct stage *st);
/* Quota of this shard for these flows. */
void stage_start(struct stage *st, const struct schedule_params *params, uint64_t quota,
                 uint32_t from, uint32_t until);
/* A line of the source goes, and comes again after away_ms. */
void stage_leave(struct stage *st, uint32_t line, uint32_t away_ms);
/* The end: those that are away do not come again. */
void stage_lines_forget(struct stage *st);
void stage_hold(struct stage *st, bool is_held);
/* STAGE_MAIL_CREDIT has come: these flows may send again. Takes the mail over. */
void stage_take_credit(struct stage *st, struct mail *m);

#endif
