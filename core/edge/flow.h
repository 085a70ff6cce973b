/* SPDX-License-Identifier: GPL-2.0-or-later */
/* flow: back-pressure between those who read stanzas and those who write them, across shards.
 * A destination (a link to a partner, a component, another shard's mailbox) is a gate named by a
 * short key. Its owner closes the gate when its queue is half full and opens it when it has
 * drained; the news goes to every shard. A reader that met a closed gate stops reading its
 * connection and waits there. What was on its way when the gate closed still fits in the other
 * half of the queue. A closed gate is a lease: after FLOW_LEASE_MS without a renewal it opens by
 * itself, so that news lost for want of memory cannot stop a reader for ever; the owner renews
 * while it must. One struct flow per shard, used on its thread only. */
#ifndef FG_EDGE_FLOW_H
#define FG_EDGE_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "base/slice.h"

#define FLOW_KEY_BYTES_MAX 600u /* two domain names and a tag */
#define FLOW_LEASE_MS 3000u
#define FLOW_RENEW_MS 1000u

struct flow {
    struct map gates; /* key -> struct flow_gate, owned; only closed gates are in it */
};

struct flow_waiter {
    struct list link;
    void (*room)(struct flow_waiter *w, void *ctx); /* once; the waiter is out of the list then */
    void *ctx;
};

void flow_init(struct flow *f);
/* Waiters are forgotten without a call. */
void flow_deinit(struct flow *f);

bool flow_is_closed(const struct flow *f, struct slice key);
/* No gate is closed: nobody need make a key to ask. */
static inline bool flow_is_open(const struct flow *f)
{
    return f->gates.count == 0;
}
/* Waits for the gate to open; the gate must be closed. A waiter waits at one gate at a time. */
void flow_wait(struct flow *f, struct slice key, struct flow_waiter *w,
               void (*room)(struct flow_waiter *w, void *ctx), void *ctx);
void flow_wait_cancel(struct flow_waiter *w);
/* On this shard: what the gate's owner (or its mail) said. Opening calls the waiters. */
void flow_set(struct flow *f, struct slice key, bool is_closed, uint64_t now_ms);
/* Opens what was not renewed. */
void flow_expire(struct flow *f, uint64_t now_ms);

#endif
