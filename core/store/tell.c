/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tell: acknowledgements: ranges of tickets with one outcome, in order, per shard. */
#include "store/store_int.h"

/* The range at the head of the queue. Its records are released at once, so that whoever hears of it
 * finds their room. False: nothing was taken. */
static bool next_range(struct queue *q, struct store_done *out)
{
    struct record *r = queue_first_taken(q);

    if (!r) {
        return false;
    }
    *out = (struct store_done){.first = r->ticket, .last = r->ticket, .err = r->err};
    while (r && r->err == out->err) {
        ASSERT(r->ticket == out->last || r->ticket == out->last + 1);
        out->last = r->ticket;
        queue_release(q);
        r = queue_first_taken(q);
    }
    return true;
}

static bool tell_shard(struct store *s, uint32_t idx)
{
    struct untold *u = &s->untold[idx];

    while (u->is_waiting || next_range(&s->queues[idx], &u->done)) {
        u->is_waiting = true;
        if (!s->is_mute && !s->done(idx, &u->done, s->done_ctx)) {
            return false;
        }
        u->is_waiting = false;
    }
    return true;
}

bool tell_all(struct store *s)
{
    bool all_told = true;

    for (uint32_t i = 0; i < s->shard_count; i++) {
        all_told = tell_shard(s, i) && all_told;
    }
    return all_told;
}
