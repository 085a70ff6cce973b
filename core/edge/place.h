/* SPDX-License-Identifier: GPL-2.0-or-later */
/* place: what gateway.connection_limit and a partner's connection_limit give out. A connection that
 * speaks for or to a partner has one: incoming from its first proved pair on, outgoing from
 * dialling on. Both directions count together, but a quarter of each limit, at least one, is kept
 * for either direction: streams go one way, and without that a partner who opens many would leave
 * no way out for the answers. (So a limit of 1 works as one of 2.) An outgoing stream without a
 * place waits with its stanzas, which age out; an incoming one is refused.
 * Partners live on one shard: exact. All together: shared counters, relaxed, exact but for
 * directions that meet. A limit that was lowered closes the newest of its partner; where it is
 * that of all together, the newest of whichever shard has most. The shard's thread only. */
#ifndef FG_EDGE_PLACE_H
#define FG_EDGE_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/list.h"

struct edge;
struct partner;
struct partner_run;

struct place {
    struct list all;         /* in edge.places[direction] */
    struct list of_partner;  /* in partner_run.places[direction] */
    struct partner_run *run; /* borrowed from the edge; NULL = it has none */
    uint64_t number;         /* order on this shard */
    uint8_t direction;       /* enum partner_direction */
    /* The place was taken away: closes the connection. limit: "partner", "gateway". */
    void (*evict)(struct place *p, const char *limit);
};

/* NULL = taken (or had before), else the limit that is reached. p->evict and p->direction are set;
 * run is the partner's on its home shard. */
NODISCARD const char *place_take(struct edge *e, struct place *p, struct partner_run *run,
                                 const struct partner *partner);
/* Harmless without one. */
void place_give(struct edge *e, struct place *p);
/* The connection of from is that of to now; to has none. */
void place_move(struct place *to, struct place *from);
/* After a limit may have been lowered: closes what is too much for this partner ... */
void place_shed_partner(struct edge *e, struct partner_run *run, const struct partner *partner);
/* ... for all partners together, count_max at most; true = there is more to do here. */
bool place_shed_all(struct edge *e, uint32_t count_max);

/* The arithmetic, for tests. Whether one more fits, with mine of its direction and other of the
 * other one. */
bool place_fits(uint32_t mine, uint32_t other, uint32_t limit);
/* The direction that has to give one up; -1 = none. Where both may: last. */
int place_surplus(const uint32_t count[2], uint32_t limit, int last);

#endif
