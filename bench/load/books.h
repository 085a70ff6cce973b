/* SPDX-License-Identifier: GPL-2.0-or-later */
/* books: what was sent and what arrived, per flow. A flow is one sender, one receiver and an order:
 * its stanzas bear the numbers 0, 1, 2 ... They keep the time at which each was meant to be sent,
 * so that the time of its arrival gives its latency. Content is not known here: who compares it
 * says stage_damaged().
 *
 * Messages: each number is demanded exactly once and in order.
 * States (books_keep_states; presence): what a user shows replaces what he showed before, and a
 * notifier may tell only the last of what came within its interval (RFC 6665 4.2.1, RFC 3856 6.10).
 * So a number may be overtaken by a later one that was meant to be sent less than gap_ns after it;
 * any other that does not arrive is lost, the last one always. Numbers only rise: an older one than
 * was told last is out of order, whether it arrived before or not. The one that was told last may
 * be told once more for each time that somebody asked (books_ask_again: a refresh, a probe); beyond
 * that it is duplicated.
 *
 * Numbers in flight are bounded by ring_count per flow: who sends asks books_room() first.
 * Threads: books_send* by the shard that sends the flow; books_arrive, books_refuse by any shard
 * (is_shared: under the flow's lock); counts may be read by anyone at any time.
 * Memory: heap of the control thread; 8 bytes and 1 bit per number in flight, 64 per flow.       */
#ifndef FG_LOAD_BOOKS_H
#define FG_LOAD_BOOKS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct book {
    _Atomic uint64_t sent;    /* release by the sender, behind the times; acquire on arrival */
    _Atomic uint64_t due;     /* all below have arrived or were refused; release on arrival */
    _Atomic uint64_t settled; /* arrived once or refused; release on arrival */
    uint64_t last;            /* one more than the number that arrived last */
    _Atomic uint32_t lock;    /* 1 = taken */
    uint32_t asked;           /* states: so often the last number may be told again */
};

struct books_counts {
    uint64_t sent;
    uint64_t arrived;      /* each number counted once */
    uint64_t refused;      /* came back as an error */
    uint64_t overtaken;    /* states: a later one was told in its place, as it may be */
    uint64_t duplicated;   /* arrived again */
    uint64_t out_of_order; /* arrived before or behind its turn */
};

struct books {
    uint32_t flow_count;
    uint32_t ring_count; /* power of two */
    bool is_shared;      /* arrivals on more than one shard; not with states */
    bool has_states;
    uint64_t gap_ns; /* states */
    struct book *flows;  /* owned */
    uint64_t *times;     /* owned; ns; flow * ring_count + number % ring_count */
    uint64_t *seen;      /* owned; bits of numbers from due to due + ring_count */
    _Atomic uint64_t arrived, refused, overtaken, duplicated, out_of_order;
};

/* ring_count is rounded up to a power of two of at least 64. */
struct books *books_new(uint32_t flow_count, uint32_t ring_count, bool is_shared);
void books_free(struct books *b);
/* Before the first number: they are states. Asserts that the books are not shared. */
void books_keep_states(struct books *b, uint64_t gap_ns);

/* How many numbers of the flow may still be sent now. */
uint32_t books_room(const struct books *b, uint32_t flow);
/* Sent and not settled. */
uint64_t books_in_flight(const struct books *b, uint32_t flow);
/* Takes the next number of the flow, meant to be sent at intended_ns (any monotonic clock).
 * Asserts that there is room. */
uint64_t books_send(struct books *b, uint32_t flow, uint64_t intended_ns);

enum books_verdict {
    BOOKS_IN_ORDER,
    BOOKS_OUT_OF_ORDER, /* new, but not the next one */
    BOOKS_DUPLICATE,
    BOOKS_STALE,   /* states: an older one than was told last, not for the first time */
    BOOKS_AGAIN,   /* states: the last one, for somebody who asked */
    BOOKS_UNKNOWN, /* no such flow or number was sent: the caller has it damaged */
};
/* A number has arrived. *intended_ns: as it was sent; set for the first two verdicts. */
enum books_verdict books_arrive(struct books *b, uint32_t flow, uint64_t seq,
                                uint64_t *intended_ns);
/* States, before books_arrive of seq: takes one number that seq overtakes as it may, and its
 * intended time, out of the flight. False: there is none (any more). */
bool books_overtake(struct books *b, uint32_t flow, uint64_t seq, uint64_t *intended_ns);
/* States: somebody asked for the flow's state, so it may be told once more. */
void books_ask_again(struct books *b, uint32_t flow);
/* It came back as an error and will not arrive. */
enum books_verdict books_refuse(struct books *b, uint32_t flow, uint64_t seq);

/* Sums over all flows; lost = sent - arrived - refused - overtaken once nothing moves any
 * more. */
struct books_counts books_count(const struct books *b);

#endif
