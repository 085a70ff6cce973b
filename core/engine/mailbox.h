/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mailbox: the way of mail from one thread to one shard: a single-producer single-consumer ring.
 * Full = the producer keeps its mail. Nothing is ever lost or overtaken.
 * Mail is put, and published in batches: a consumer that is awake else takes it in bites of a few,
 * which cost it a turn and a record each, and both a cache line per mail.
 * Threads: put, publish, push and held by the producer, pop by the consumer, used and is_empty by
 * anyone.                                                                                        */
#ifndef FG_ENGINE_MAILBOX_H
#define FG_ENGINE_MAILBOX_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "engine/shard.h"

#define MAILBOX_ENTRIES 1024u /* power of two */

struct mailbox {
    /* Producer's line. tail: release in publish, pairs with the consumer's acquire. */
    alignas(64) _Atomic uint32_t tail;
    uint32_t put;         /* tail, and what was put since; the producer's own */
    uint32_t head_cached; /* last seen; the true one is at or ahead of it */
    /* Consumer's line. head: release after reading entries, pairs with the producer's acquire. */
    alignas(64) _Atomic uint32_t head;
    /* Set by a producer that waits for room, taken by the consumer that makes some. Exchanged
     * with acq_rel on both sides, so that one of the two sees the other. */
    alignas(64) _Atomic uint32_t is_room_wanted;
    alignas(64) struct mail *entries[MAILBOX_ENTRIES];
};

/* False: it is full. What was put is the consumer's only behind mailbox_publish. */
NODISCARD bool mailbox_put(struct mailbox *box, struct mail *m);
void mailbox_publish(struct mailbox *box);
/* Both. */
NODISCARD bool mailbox_push(struct mailbox *box, struct mail *m);
/* What takes room; and of it what is not published. */
uint32_t mailbox_held(const struct mailbox *box);
uint32_t mailbox_unpublished(const struct mailbox *box);
/* Takes up to mails_max; makes room at once. */
uint32_t mailbox_pop(struct mailbox *box, struct mail **mails, uint32_t mails_max);
uint32_t mailbox_used(const struct mailbox *box);
static inline bool mailbox_is_empty(const struct mailbox *box)
{
    return mailbox_used(box) == 0;
}
void mailbox_want_room(struct mailbox *box);
/* Consumer, after popping: whether the producer has to be told. */
bool mailbox_take_room_wanted(struct mailbox *box);

#endif
