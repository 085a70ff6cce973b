/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link_gate: who is read no further while a link's queue is long. Half full: readers are told to
 * stop; a quarter: to go on. A link that hangs holds them for HOLD_MS only: then its queue fills
 * up, and what does not fit is answered with errors.
 *
 * Who reads at the inside reads for all partners, so it is held by a stream that is up only: none
 * else drains for certain. The partner's own streams bring what the partner is answered; they are
 * held while its link is being made, too: a server that comes back and asks for all its users dials
 * in before we have dialled out. Once only: where the first attempt fails, errors are better than
 * stanzas that are not read (and what proves us by dialback may be among these). */
#include "edge/link_int.h"

#define HOLD_MS 5000u

struct slice link_gate(struct slice local, struct slice remote, char mem[LINK_GATE_BYTES])
{
    if (local.len + 1 + remote.len >= LINK_GATE_BYTES) {
        return slice_make(mem, 0);
    }
    memcpy(mem, local.ptr, local.len);
    mem[local.len] = ' ';
    memcpy(mem + local.len + 1, remote.ptr, remote.len);
    return slice_make(mem, local.len + 1 + remote.len);
}

struct slice link_answer_gate(struct slice local, struct slice remote, char mem[LINK_GATE_BYTES])
{
    struct slice key = link_gate(local, remote, mem);

    if (key.len == 0 || key.len + 1 >= LINK_GATE_BYTES) {
        return slice_make(mem, 0);
    }
    mem[key.len] = ' ';
    return slice_make(mem, key.len + 1);
}

/* Whether the queue will be shorter if its readers wait. */
static bool is_draining_soon(const struct link *l, enum link_readers who)
{
    if (l->state == LINK_ST_READY) {
        return true;
    }
    return who == LINK_READERS_PARTNER && l->state != LINK_ST_IDLE && l->attempts == 0 &&
           !l->is_down_for_good && !l->host.e->is_draining;
}

static void say(struct link *l, enum link_readers who, bool is_closed)
{
    char mem[LINK_GATE_BYTES] UNINITIALIZED;

    l->holds[who].is_closed = is_closed;
    edge_gate(l->host.e,
              who == LINK_READERS_PARTNER
                  ? link_answer_gate(link_local(l), link_remote(l), mem)
                  : link_gate(link_local(l), link_remote(l), mem),
              is_closed);
}

static void update(struct link *l, enum link_readers who, bool is_high, bool is_low)
{
    struct link_hold *h = &l->holds[who];
    bool helps = is_draining_soon(l, who);
    uint32_t now = (uint32_t)shard_now_ms(l->host.e->sh);

    if (is_low || !helps) {
        h->is_slow = false;
    } else if (h->is_closed && now - h->closed_ms > HOLD_MS) {
        l->host.e->stats.queue_holds_ended += !h->is_slow;
        h->is_slow = true;
    }
    if (is_high && helps && !h->is_slow) {
        if (!h->is_closed || now - h->renewed_ms > FLOW_RENEW_MS) {
            h->closed_ms = h->is_closed ? h->closed_ms : now;
            h->renewed_ms = now;
            say(l, who, true);
        }
    } else if (h->is_closed && (is_low || !helps || h->is_slow)) {
        say(l, who, false);
    }
}

void link_update_gate(struct link *l)
{
    const struct limit_settings *limits = &edge_policy(l->host.e)->limits;
    bool is_high = l->waiting.bytes > limits->queue_bytes_max / 2 ||
                   l->waiting.count > limits->queue_count_max / 2;
    bool is_low = l->waiting.bytes <= limits->queue_bytes_max / 4 &&
                  l->waiting.count <= limits->queue_count_max / 4;

    for (unsigned who = 0; who < LINK_READERS; who++) {
        update(l, (enum link_readers)who, is_high, is_low);
    }
}

void link_hand_over_gates(struct link *from, struct link *to)
{
    for (unsigned who = 0; who < LINK_READERS; who++) {
        to->holds[who] = from->holds[who];
        from->holds[who].is_closed = false;
    }
}
