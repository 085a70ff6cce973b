/* SPDX-License-Identifier: GPL-2.0-or-later */
/* way: what a shard would look up for every stanza of a pair of domains, looked up once: the
 * verdict on the two, where they live, the partner's figures, the link, the component. Remembered
 * in a table of a fixed size by both names; a pair that meets another one's place takes it.
 * Invariants: what comes from a snapshot counts only while setup_version is what it was looked up
 * under (the engine changes both together, between turns), and is not touched after that; what
 * points to a run, link or component counts only while the mark of their table is the same:
 * whoever takes one out of its table, or puts another one in its place, counts the mark up. Names
 * are compared in full; no answer differs from the lookup's (tests/unit/edge/way_test.c).
 * Only pairs of a domain of ours and a partner's are kept, so strangers displace nothing.
 * The shard's thread only. Memory: 264 KiB per shard once it carries stanzas. */
#ifndef FG_EDGE_WAY_H
#define FG_EDGE_WAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "policy/snapshot.h"

#define WAYS_COUNT      1024u
#define WAY_NAMES_BYTES 156u /* of both names; longer ones are looked up each time */

struct edge;
struct link;
struct component_leg;
struct partner_run;

struct way {
    uint64_t version; /* setup_version + 1; 0 = empty */
    struct policy_verdict verdict; /* of the snapshot */
    bool is_plain; /* policy_pair_is_plain: nobody looks at users */
    /* The next ones: way_run, links and legs only. NULL = not looked up. */
    struct partner_run *run;
    struct link *link;
    struct component_leg *component;
    uint64_t runs_mark;
    uint64_t links_mark;
    uint64_t components_mark;
    uint32_t home_of_local;  /* shard of our domain's component */
    uint32_t home_of_remote; /* shard of the partner's links; only with verdict.partner */
    uint16_t local_len;
    uint16_t remote_len;
    char names[WAY_NAMES_BYTES]; /* local, remote */
};

struct ways {
    struct way *table; /* owned; NULL before the first */
    struct way *last;  /* in table or &other: the last answer */
    struct way other;  /* of what is not kept */
};

/* Of two A-labels. Never NULL; valid until the next call for another pair, and in this turn. */
struct way *way_of(struct edge *e, struct slice local, struct slice remote);
/* partner_run_of(e, remote): NULL = the current snapshot has no such partner. */
struct partner_run *way_run(struct edge *e, struct way *w, struct slice remote);
void ways_free(struct edge *e);

#endif
