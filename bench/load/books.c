/* SPDX-License-Identifier: GPL-2.0-or-later */
/* books: what was sent and what arrived. */
#include "load/books.h"

#include "base/check.h"
#include "base/pool.h"

#define RING_MIN 64u
#define WORD_BITS 64u

struct books *books_new(uint32_t flow_count, uint32_t ring_count, bool is_shared)
{
    struct books *b = pool_heap_zalloc(sizeof(*b));
    uint32_t ring = RING_MIN;

    while (ring < ring_count) {
        ring *= 2;
    }
    b->flow_count = flow_count;
    b->ring_count = ring;
    b->is_shared = is_shared;
    b->flows = pool_heap_zalloc(flow_count * sizeof(*b->flows));
    b->times = pool_heap_zalloc((size_t)flow_count * ring * sizeof(*b->times));
    b->seen = pool_heap_zalloc((size_t)flow_count * ring / WORD_BITS * sizeof(*b->seen));
    return b;
}

void books_free(struct books *b)
{
    if (b) {
        pool_heap_free(b->flows);
        pool_heap_free(b->times);
        pool_heap_free(b->seen);
        pool_heap_free(b);
    }
}

void books_keep_states(struct books *b, uint64_t gap_ns)
{
    ASSERT(!b->is_shared);
    b->has_states = true;
    b->gap_ns = gap_ns;
}

uint32_t books_room(const struct books *b, uint32_t flow)
{
    const struct book *f = &b->flows[flow];
    uint64_t sent = atomic_load_explicit(&f->sent, memory_order_relaxed);
    uint64_t due = atomic_load_explicit(&f->due, memory_order_acquire);

    return b->ring_count - (uint32_t)(sent - due);
}

uint64_t books_in_flight(const struct books *b, uint32_t flow)
{
    const struct book *f = &b->flows[flow];
    /* Settled first: what is settled later was sent earlier, so the difference is never below 0. */
    uint64_t settled = atomic_load_explicit(&f->settled, memory_order_acquire);

    return atomic_load_explicit(&f->sent, memory_order_relaxed) - settled;
}

static size_t slot_of(const struct books *b, uint32_t flow, uint64_t seq)
{
    return (size_t)flow * b->ring_count + (size_t)(seq & (b->ring_count - 1));
}

uint64_t books_send(struct books *b, uint32_t flow, uint64_t intended_ns)
{
    struct book *f = &b->flows[flow];
    uint64_t seq = atomic_load_explicit(&f->sent, memory_order_relaxed);

    ASSERT(books_room(b, flow) > 0);
    b->times[slot_of(b, flow, seq)] = intended_ns;
    atomic_store_explicit(&f->sent, seq + 1, memory_order_release);
    return seq;
}

static bool is_seen(const struct books *b, uint32_t flow, uint64_t seq)
{
    size_t at = slot_of(b, flow, seq);

    return b->seen[at / WORD_BITS] >> (at % WORD_BITS) & 1;
}

static void set_seen(struct books *b, uint32_t flow, uint64_t seq, bool seen)
{
    size_t at = slot_of(b, flow, seq);
    uint64_t bit = (uint64_t)1 << (at % WORD_BITS);

    if (seen) {
        b->seen[at / WORD_BITS] |= bit;
    } else {
        b->seen[at / WORD_BITS] &= ~bit;
    }
}

static void bump(const struct books *b, _Atomic uint64_t *counter)
{
    if (b->is_shared) {
        (void)atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
    } else {
        uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);

        atomic_store_explicit(counter, now + 1, memory_order_relaxed);
    }
}

/* The number leaves the flight; due moves past all that have. */
static void settle(struct books *b, uint32_t flow, uint64_t seq)
{
    struct book *f = &b->flows[flow];
    uint64_t due = atomic_load_explicit(&f->due, memory_order_relaxed);
    uint64_t settled = atomic_load_explicit(&f->settled, memory_order_relaxed);

    if (seq != due) {
        set_seen(b, flow, seq, true);
    } else {
        due++;
        while (is_seen(b, flow, due)) {
            set_seen(b, flow, due, false);
            due++;
        }
        atomic_store_explicit(&f->due, due, memory_order_release);
    }
    atomic_store_explicit(&f->settled, settled + 1, memory_order_release);
}

static void lock(const struct books *b, struct book *f)
{
    if (b->is_shared) {
        while (atomic_exchange_explicit(&f->lock, 1, memory_order_acquire) != 0) {
        }
    }
}

static void unlock(const struct books *b, struct book *f)
{
    if (b->is_shared) {
        atomic_store_explicit(&f->lock, 0, memory_order_release);
    }
}

static enum books_verdict judge(struct books *b, uint32_t flow, uint64_t seq)
{
    const struct book *f = &b->flows[flow];

    if (seq >= atomic_load_explicit(&f->sent, memory_order_acquire)) {
        return BOOKS_UNKNOWN;
    }
    if (seq < atomic_load_explicit(&f->due, memory_order_relaxed) || is_seen(b, flow, seq)) {
        return BOOKS_DUPLICATE;
    }
    return seq == f->last ? BOOKS_IN_ORDER : BOOKS_OUT_OF_ORDER;
}

static enum books_verdict judge_state(struct books *b, uint32_t flow, uint64_t seq)
{
    struct book *f = &b->flows[flow];
    enum books_verdict as_message = judge(b, flow, seq);

    if (as_message == BOOKS_UNKNOWN) {
        return BOOKS_UNKNOWN;
    }
    if (seq + 1 == f->last && f->asked > 0) {
        f->asked--;
        return BOOKS_AGAIN;
    }
    if (seq + 1 == f->last || (seq + 1 > f->last && as_message == BOOKS_DUPLICATE)) {
        return BOOKS_DUPLICATE;
    }
    if (seq + 1 > f->last) {
        return BOOKS_IN_ORDER;
    }
    return as_message == BOOKS_DUPLICATE ? BOOKS_STALE : BOOKS_OUT_OF_ORDER;
}

bool books_overtake(struct books *b, uint32_t flow, uint64_t seq, uint64_t *intended_ns)
{
    const struct book *f;

    if (!b->has_states || flow >= b->flow_count) {
        return false;
    }
    f = &b->flows[flow];
    if (seq >= atomic_load_explicit(&f->sent, memory_order_relaxed)) {
        return false;
    }
    for (uint64_t k = atomic_load_explicit(&f->due, memory_order_relaxed); k < seq; k++) {
        uint64_t meant = b->times[slot_of(b, flow, k)];

        if (!is_seen(b, flow, k) && b->times[slot_of(b, flow, k + 1)] - meant < b->gap_ns) {
            *intended_ns = meant;
            settle(b, flow, k);
            bump(b, &b->overtaken);
            return true;
        }
    }
    return false;
}

void books_ask_again(struct books *b, uint32_t flow)
{
    b->flows[flow].asked++;
}

/* The counters' part of an arrival. */
static void count(struct books *b, enum books_verdict verdict)
{
    if (verdict == BOOKS_IN_ORDER || verdict == BOOKS_OUT_OF_ORDER) {
        bump(b, &b->arrived);
    }
    if (verdict == BOOKS_OUT_OF_ORDER || verdict == BOOKS_STALE) {
        bump(b, &b->out_of_order);
    }
    if (verdict == BOOKS_DUPLICATE) {
        bump(b, &b->duplicated);
    }
}

enum books_verdict books_arrive(struct books *b, uint32_t flow, uint64_t seq,
                                uint64_t *intended_ns)
{
    enum books_verdict verdict;
    struct book *f;

    if (flow >= b->flow_count) {
        return BOOKS_UNKNOWN;
    }
    f = &b->flows[flow];
    lock(b, f);
    verdict = b->has_states ? judge_state(b, flow, seq) : judge(b, flow, seq);
    if (verdict == BOOKS_IN_ORDER || verdict == BOOKS_OUT_OF_ORDER) {
        *intended_ns = b->times[slot_of(b, flow, seq)];
        if (!b->has_states || verdict == BOOKS_IN_ORDER) {
            f->last = seq + 1;
        }
        settle(b, flow, seq);
    }
    unlock(b, f);
    count(b, verdict);
    return verdict;
}

enum books_verdict books_refuse(struct books *b, uint32_t flow, uint64_t seq)
{
    enum books_verdict verdict;
    struct book *f;

    if (flow >= b->flow_count) {
        return BOOKS_UNKNOWN;
    }
    f = &b->flows[flow];
    lock(b, f);
    verdict = judge(b, flow, seq);
    if (verdict == BOOKS_IN_ORDER || verdict == BOOKS_OUT_OF_ORDER) {
        if (verdict == BOOKS_IN_ORDER) {
            f->last = seq + 1; /* the next one is then in order, too */
        }
        settle(b, flow, seq);
        bump(b, &b->refused);
    } else if (verdict == BOOKS_DUPLICATE) {
        bump(b, &b->duplicated);
    }
    unlock(b, f);
    return verdict;
}

struct books_counts books_count(const struct books *b)
{
    struct books_counts sum = {
        .arrived = atomic_load_explicit(&b->arrived, memory_order_relaxed),
        .refused = atomic_load_explicit(&b->refused, memory_order_relaxed),
        .overtaken = atomic_load_explicit(&b->overtaken, memory_order_relaxed),
        .duplicated = atomic_load_explicit(&b->duplicated, memory_order_relaxed),
        .out_of_order = atomic_load_explicit(&b->out_of_order, memory_order_relaxed),
    };

    for (uint32_t i = 0; i < b->flow_count; i++) {
        sum.sent += atomic_load_explicit(&b->flows[i].sent, memory_order_relaxed);
    }
    return sum;
}
