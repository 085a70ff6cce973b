/* SPDX-License-Identifier: GPL-2.0-or-later */
/* again: what waited for its way out while the rules changed is judged once more before it leaves:
 * refused, its sender is told what the sender of a fresh stanza is told. Each stanza carries the
 * generation of the rules that let it pass (setup.h), so that one comparison tells, on whatever
 * shard and in whatever queue it was meanwhile. It is made where a stanza is written (link_custody,
 * leg_component, sip_uac), so that none can leave by rules that are gone; who waits longer is seen
 * to soon after the reload, for his sender's sake (link_review, sip_queue).
 * What has been written to a stream is out of our hands but for one case: link_review.c. Answers of
 * our own (BLOCK_UNRULED) are not judged, as they are not when they are made.
 * The shard's thread only. */
#ifndef FG_EDGE_AGAIN_H
#define FG_EDGE_AGAIN_H

#include "base/attr.h"
#include "edge/edge.h"
#include "edge/judge.h"

/* Whether the rules changed since. (From another shard it may come with newer ones than ours.) */
static inline bool again_is_due(const struct edge *e, uint32_t generation)
{
    return UNLIKELY(generation < edge_setup(e)->generation);
}

/* When due: whether the block may still leave; it may be another one then, without what a verdict
 * takes out. False: it is answered and freed. */
NODISCARD bool again_block(struct edge *e, struct block **b);
/* When due: whether the rules in force would refuse it. Nothing is done about it. */
NODISCARD bool again_is_refused(struct edge *e, const struct block *b);
/* Of any stanza of such a pair, when due: whether it passes without a look at it. */
NODISCARD bool again_is_plain(struct edge *e, const struct judge_pair *names);

#endif
