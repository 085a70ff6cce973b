/* SPDX-License-Identifier: GPL-2.0-or-later */
/* leg_in_int: an incoming stream's inside, shared by leg_in.c (one), leg_in_events.c (what it
 * says), leg_in_limits.c (what it may) and legs_in.c (all of them). */
#ifndef FG_EDGE_LEG_IN_INT_H
#define FG_EDGE_LEG_IN_INT_H

#include "edge/host.h"
#include "edge/leg_in.h"
#include "edge/partner_run.h"
#include "edge/place.h"

#define LEG_IN_MAGIC 0x4c454749u

/* Why it is not read, as bits. */
#define LEG_IN_PAUSE_GATE 1u /* waits where its stanzas go to */
#define LEG_IN_PAUSE_RATE 2u /* its partner has sent too much */
#define LEG_IN_PAUSE_MOVE 4u /* goes to another shard */

struct leg_in {
    uint32_t magic;
    struct host_ctx host;
    struct conn *c;   /* owned by the engine; valid until closed */
    struct stream *s; /* owned; NULL before direct TLS is up */
    struct list all;    /* in edge.legs_in */
    struct list moving; /* in edge.legs_moving */
    struct wheel_timer timer;
    struct flow_waiter waiter;
    struct place place;            /* from the first pair on */
    struct wheel_timer rate_timer; /* with LEG_IN_PAUSE_RATE */
    uint32_t pauses;               /* LEG_IN_PAUSE_ bits */
    uint64_t reviewed_version;     /* setup_version it was last held against */
    uint64_t plain_version;        /* setup_version + 1 for which its partner has no extras */
    /* Borrowed from the edge, which keeps it while we are in its leg_count; NULL before a pair is
     * proved, and on a journey. leg_in_set_run only. */
    struct partner_run *run;
    char *journey; /* owned; on a journey: the partner's primary domain */
    uint32_t home; /* shard it should live on */
    uint64_t accepted_ms;
    bool is_listed;  /* in edge.legs_in, and counted there */
    bool is_refused; /* by a reload or a limit: not waited for */
    bool is_without_place; /* no place was free, or it was taken away: to be closed */
    bool is_worn;  /* a TLS key is used up: closing has begun */
    bool is_ended; /* the stream is over, the connection is closing */
};

/* After every call on the machine: what it wrote goes out, its next deadline is armed. */
void leg_in_settle(struct leg_in *leg);
/* Events outside of received bytes: deadlines, verdicts, the end of TLS. */
void leg_in_handle(struct leg_in *leg, enum stream_event_kind kind);
/* The stream is over: closes the connection. */
void leg_in_end(struct leg_in *leg);
/* Whether it may go on under the rules in force. */
void leg_in_review(struct leg_in *leg);
/* Out of the edge's list and count. */
void leg_in_delist(struct leg_in *leg, struct edge *e);
void leg_in_start_tls(struct leg_in *leg);

/* leg_in_events.c */
/* Acts on one event (edge.in_event); false = the stream is over. */
bool leg_in_event(struct leg_in *leg, enum stream_event_kind kind);
/* Counted, logged, told to presence. */
void leg_in_failed(struct leg_in *leg, const struct stream_failure *failure);
/* The figures of the partner it is, or claims to be; NULL = of none. */
struct partner_run *leg_in_run_of(struct leg_in *leg);

/* leg_in_limits.c */
/* Stops reading for this reason too; goes on reading when no reason is left. */
void leg_in_pause(struct leg_in *leg, uint32_t why);
void leg_in_unpause(struct leg_in *leg, uint32_t why);
void leg_in_not_listening(struct leg_in *leg);
/* A stream that is being closed is read, however fast it was: its end is waited for. */
void leg_in_hear_close(struct leg_in *leg);
/* On its home shard, with a proved pair: takes a place or begins to close. */
void leg_in_admit(struct leg_in *leg, const struct partner *p, struct partner_run *run);
/* Closes one without a place, as soon as it is open. */
void leg_in_refuse_place(struct leg_in *leg);
/* A stanza against what is agreed: false = answered. Slows the stream down where it must. */
bool leg_in_is_within(struct leg_in *leg, const struct stanza *st);
/* Closed: gives its place back. */
void leg_in_limits_end(struct leg_in *leg, struct edge *e);
/* NULL = none any more. */
void leg_in_set_run(struct leg_in *leg, struct partner_run *run);
/* For conn_move. */
void leg_in_arrived(struct shard *sh, struct conn *c, void *owner);

#endif
