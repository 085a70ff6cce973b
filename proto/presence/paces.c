/* SPDX-License-Identifier: GPL-2.0-or-later */
/* paces: see paces.h.
 *
 * Why no second has more than the rate: let n turns be used in a second of the next hop's. Our time
 * is that of a turn of the loop, what is sent leaves until its end, so by our clock they were used
 * within W = a second and a slack. They lie in the row one behind another, each a step long. The
 * first one begins PACE_LATE_MS before its use at most, the last one a burst's length after its own
 * at most. So (n - 1) steps fit into W + late + burst; the step is such that rate steps do not. */
#include "presence/paces.h"

#include <stdatomic.h>

#include "base/hash.h"
#include "base/pool.h"

#define BURST_DIVISOR 32u
#define NS_PER_MS     1000000u
#define SECOND_MS     1000u
#define SLACK_MS      20u
/* W and what may be late; one more, since clocks are cut to milliseconds. */
#define WINDOW_NS  ((uint64_t)(SECOND_MS + SLACK_MS + PACE_LATE_MS + 1) * NS_PER_MS)
#define CACHE_LINE 64u

struct pace_row {
    _Atomic uint64_t name; /* hash of the hop's; by whoever comes first, then for good; 0 = none */
    _Atomic uint64_t end_ns; /* of the last turn; all shards. Relaxed, as it orders nothing else */
    char apart[CACHE_LINE - 2 * sizeof(uint64_t)];
};

struct presence_paces {
    struct pace_row rows[PACE_ROWS];
};

struct presence_paces *presence_paces_new(void)
{
    return pool_heap_zalloc(sizeof(struct presence_paces));
}

void presence_paces_free(struct presence_paces *paces)
{
    pool_heap_free(paces);
}

struct pace_row *pace_row_of(struct presence_paces *paces, struct slice hop)
{
    uint64_t name = hash_bytes(hop) | 1u;

    for (uint32_t i = 0; i < PACE_ROWS; i++) {
        struct pace_row *row = &paces->rows[(name + i) % PACE_ROWS];
        uint64_t seen = 0;

        if (atomic_compare_exchange_strong_explicit(&row->name, &seen, name, memory_order_relaxed,
                                                    memory_order_relaxed) ||
            seen == name) {
            return row;
        }
    }
    return &paces->rows[name % PACE_ROWS];
}

static uint32_t burst_of(uint32_t rate)
{
    return 1 + rate / BURST_DIVISOR;
}

/* rate = burst - 1 + WINDOW_NS / step. */
static uint64_t step_of(uint32_t rate)
{
    uint32_t rest = rate - burst_of(rate) + 1;

    return (WINDOW_NS + rest - 1) / rest;
}

struct pace_turn pace_row_take(struct pace_row *row, uint32_t rate, uint64_t now_ms)
{
    uint64_t now_ns = now_ms * NS_PER_MS;
    uint64_t end_ns = atomic_load_explicit(&row->end_ns, memory_order_relaxed);
    struct pace_turn turn = {.step_ns = step_of(rate), .at_ms = now_ms};
    uint64_t early_ns = (burst_of(rate) - 1) * turn.step_ns;

    do {
        turn.begin_ns = end_ns > now_ns ? end_ns : now_ns;
    } while (!atomic_compare_exchange_weak_explicit(&row->end_ns, &end_ns,
                                                    turn.begin_ns + turn.step_ns,
                                                    memory_order_relaxed, memory_order_relaxed));
    if (turn.begin_ns > now_ns + early_ns) {
        turn.at_ms = (turn.begin_ns - early_ns + NS_PER_MS - 1) / NS_PER_MS;
    }
    return turn;
}

void pace_row_give_back(struct pace_row *row, const struct pace_turn *turn)
{
    uint64_t end_ns = turn->begin_ns + turn->step_ns;

    (void)atomic_compare_exchange_strong_explicit(&row->end_ns, &end_ns, turn->begin_ns,
                                                  memory_order_relaxed, memory_order_relaxed);
}
