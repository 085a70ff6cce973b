/* SPDX-License-Identifier: GPL-2.0-or-later */
/* partner_run: what a shard remembers of a partner while it runs: counters, the last failures, open
 * connections. Survives snapshots; made at first use, only for partners of the configuration, and
 * freed when the partner is in it no more and the last connection is gone: so bounded by it. Names
 * that strangers merely claim make PARTNER_RUNS_CLAIMED_MAX of them. The shard's thread only. */
#ifndef FG_EDGE_PARTNER_RUN_H
#define FG_EDGE_PARTNER_RUN_H

#include "edge/edge.h"
#include "edge/rate.h"
#include "edge/stats.h"

/* A claim costs a stranger one stream header: whoever knows many partners' names must not get
 * kilobytes for each. Older ones go first; the log has them. */
#define PARTNER_RUNS_CLAIMED_MAX 500u

struct partner_run {
    struct partner_stats stats;
    struct partner_trouble *trouble; /* owned; NULL before the first */
    struct refusal_log *refusals;    /* owned; NULL before the first */
    uint32_t streams_out; /* outgoing connections that are ready */
    uint32_t place_count[2]; /* connections that count against its limit (place.h) */
    struct list places[2];   /* struct place.of_partner, oldest first */
    struct rate stanza_rate; /* what it may send (partner_extra) */
    struct rate byte_rate;
    struct list all;    /* in edge.runs_all */
    struct list orphan; /* in edge.runs_orphan */
    struct list claimed; /* in edge.runs_claimed: only strangers spoke of this partner so far */
    uint64_t reviewed_version; /* setup_version it was last looked up in */
    uint32_t leg_count; /* incoming streams that point to it, with or without a place */
    size_t domain_len;
    char domain[]; /* primary, A-label */
};

/* By any domain of the partner; NULL when the current snapshot has no such partner. Lives to the
 * end of the turn, and longer while leg_count or place_count say so. */
struct partner_run *partner_run_of(struct edge *e, struct slice remote);
/* The same for who says to be remote and has proved nothing. Lives to the next such call. */
struct partner_run *partner_run_claimed(struct edge *e, struct slice remote);
void partner_runs_free(struct edge *e);
/* After a new snapshot: looks for one more in it (review.h); false = none is left. */
bool partner_runs_review_next(struct edge *e);
/* Frees what belongs to no partner and to no connection any more. */
void partner_runs_tick(struct edge *e);

enum partner_direction { PARTNER_IN, PARTNER_OUT };
/* Counts and remembers a failed step; text is copied, cut and cleaned of control characters. */
void partner_run_failed(struct edge *e, struct partner_run *run, enum partner_direction direction,
                        enum fail_step step, const char *text);

/* The same for step policy: rule, where one is known, is named behind the text. */
void partner_run_refused(struct edge *e, struct partner_run *run,
                         enum partner_direction direction, const char *rule, const char *text);

/* Which refusals of stanzas from or to p are written; NULL = who is no partner. */
struct refusal_log *partner_run_refusals(struct edge *e, const struct partner *p);

/* Counts a stanza from or to this domain of a partner that is answered with an error. */
void partner_run_bounced(struct edge *e, struct slice remote, enum bounce_why why);

#endif
