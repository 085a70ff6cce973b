/* SPDX-License-Identifier: GPL-2.0-or-later */
/* queue: single-producer single-consumer ring of records. */
#include "store/queue.h"

#include "base/check.h"
#include "base/pool.h"

static struct record *at(const struct queue *q, uint64_t position)
{
    return (struct record *)(void *)(q->ring + (position & (q->size - 1)));
}

void queue_init(struct queue *q, uint32_t size)
{
    uint32_t rounded = QUEUE_BYTES_MIN;

    while (rounded < size && rounded < (1u << 30)) {
        rounded *= 2;
    }
    *q = (struct queue){.size = rounded};
    q->ring = pool_heap_zalloc(rounded);
}

void queue_deinit(struct queue *q)
{
    pool_heap_free(q->ring);
    q->ring = NULL;
}

/* Room for bytes in one piece behind tail, or 0 with *skip = what lies before it, unused. */
static bool has_room(struct queue *q, uint64_t tail, uint32_t bytes, uint32_t *skip)
{
    uint32_t to_end = q->size - (uint32_t)(tail & (q->size - 1));
    uint64_t wanted = bytes;

    *skip = to_end < bytes ? to_end : 0;
    wanted += *skip;
    if (tail - q->head_cached + wanted <= q->size) {
        return true;
    }
    q->head_cached = atomic_load_explicit(&q->head, memory_order_acquire);
    return tail - q->head_cached + wanted <= q->size;
}

bool queue_push(struct queue *q, const struct store_item *item, uint64_t *ticket)
{
    uint64_t tail = atomic_load_explicit(&q->tail, memory_order_relaxed);
    uint64_t items = atomic_load_explicit(&q->pushed_items, memory_order_relaxed);
    uint32_t bytes = record_bytes(item);
    struct record *r;
    uint32_t skip;

    if (!has_room(q, tail, bytes, &skip)) {
        atomic_fetch_add_explicit(&q->full_count, 1, memory_order_relaxed);
        return false;
    }
    if (skip) {
        /* The smallest remainder is RECORD_ALIGN bytes: these two fields are within it. */
        at(q, tail)->bytes = skip;
        at(q, tail)->what = RECORD_FILLER;
        tail += skip;
    }
    r = at(q, tail);
    record_write(r, item);
    r->ticket = items + 1;
    *ticket = r->ticket;
    atomic_store_explicit(&q->pushed_items, items + 1, memory_order_relaxed);
    atomic_store_explicit(&q->tail, tail + bytes, memory_order_release);
    if (item->is_urgent) {
        atomic_store_explicit(&q->urgent_end, tail + bytes, memory_order_release);
    }
    return true;
}

bool queue_is_half_full(const struct queue *q)
{
    return queue_bytes(q) > q->size / 2;
}

/* The record at *position, fillers passed over; NULL when that is end. */
static struct record *record_at(const struct queue *q, uint64_t *position, uint64_t end)
{
    struct record *r;

    if (*position != end && at(q, *position)->what == RECORD_FILLER) {
        *position += at(q, *position)->bytes;
    }
    if (*position == end) {
        return NULL;
    }
    r = at(q, *position);
    DASSERT(r->what < STORE_WHAT_COUNT && r->bytes <= end - *position);
    return r;
}

struct record *queue_take(struct queue *q)
{
    uint64_t tail = atomic_load_explicit(&q->tail, memory_order_acquire);
    struct record *r = record_at(q, &q->taken, tail);

    if (r) {
        q->taken += r->bytes;
    }
    return r;
}

bool queue_has_untaken(const struct queue *q)
{
    return atomic_load_explicit(&q->tail, memory_order_acquire) != q->taken;
}

bool queue_has_urgent(const struct queue *q)
{
    return atomic_load_explicit(&q->urgent_end, memory_order_acquire) > q->taken;
}

struct record *queue_first_taken(struct queue *q)
{
    uint64_t head = atomic_load_explicit(&q->head, memory_order_relaxed);
    struct record *r = record_at(q, &head, q->taken);

    return r;
}

void queue_release(struct queue *q)
{
    uint64_t head = atomic_load_explicit(&q->head, memory_order_relaxed);
    struct record *r = record_at(q, &head, q->taken);

    ASSERT(r);
    atomic_fetch_add_explicit(&q->released_items, 1, memory_order_release);
    atomic_store_explicit(&q->head, head + r->bytes, memory_order_release);
}

uint64_t queue_items(const struct queue *q)
{
    /* Released first: read the other way round the difference could be negative. */
    uint64_t released = atomic_load_explicit(&q->released_items, memory_order_acquire);

    return atomic_load_explicit(&q->pushed_items, memory_order_relaxed) - released;
}

uint64_t queue_bytes(const struct queue *q)
{
    uint64_t head = atomic_load_explicit(&q->head, memory_order_acquire);
    uint64_t bytes = atomic_load_explicit(&q->tail, memory_order_acquire) - head;

    return bytes < q->size ? bytes : q->size;
}
