/* SPDX-License-Identifier: GPL-2.0-or-later */
/* queue: the way of items from one shard to the store's thread: a single-producer single-consumer
 * ring of bytes (records). A record stays in the ring until what became of it is known and told, so
 * the ring's size bounds everything that is on its way.
 * Threads: push, wait for room: the producer; take, release: the consumer; gauges: anyone. */
#ifndef FG_STORE_QUEUE_H
#define FG_STORE_QUEUE_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "store/record.h"

/* A record that does not fit behind the last one begins anew at the start: an empty ring needs room
 * for a filler and for it. With twice that, a ring that has no room for an item is more than half
 * full, so that its content is on its way (queue_is_half_full). */
#define QUEUE_BYTES_MIN ((uint32_t)2 << 20)
STATIC_ASSERT(QUEUE_BYTES_MIN / 2 > 2 * RECORD_BYTES_MAX, "full is more than half full");

/* Positions count bytes since the beginning. */
struct queue {
    /* Producer's line. tail: release in push, pairs with the consumer's acquire. urgent_end: where
     * the last urgent record ends; stored (release) after tail. The rest: relaxed, for gauges. */
    alignas(64) _Atomic uint64_t tail;
    _Atomic uint64_t urgent_end;
    _Atomic uint64_t pushed_items;
    _Atomic uint64_t full_count;
    uint64_t head_cached; /* last seen; the true one is at or ahead of it */
    /* Consumer's line. head: release after the last look at what is before it, pairs with push. */
    alignas(64) _Atomic uint64_t head;
    _Atomic uint64_t released_items; /* release; read first by queue_items, so never above pushed */
    uint64_t taken; /* records before it were given out by queue_take */
    /* Constant. */
    alignas(64) uint32_t size; /* power of two */
    char *ring;                /* owned, heap */
};

/* size: rounded up to a power of two, QUEUE_BYTES_MIN or more. Heap. */
void queue_init(struct queue *q, uint32_t size);
void queue_deinit(struct queue *q);

/* The item is checked. False: no room (counted). */
NODISCARD bool queue_push(struct queue *q, const struct store_item *item, uint64_t *ticket);
/* Whether more than half of the ring is in use, as the producer sees it. */
bool queue_is_half_full(const struct queue *q);

/* The next record that was not taken, NULL = none. Valid until it is released. */
struct record *queue_take(struct queue *q);
bool queue_has_untaken(const struct queue *q);
/* An urgent one among them. */
bool queue_has_urgent(const struct queue *q);
/* The first record that was taken and not released, NULL = none. */
struct record *queue_first_taken(struct queue *q);
/* Releases that one. */
void queue_release(struct queue *q);

uint64_t queue_items(const struct queue *q);
uint64_t queue_bytes(const struct queue *q);

#endif
