/* SPDX-License-Identifier: GPL-2.0-or-later */
/* place: counting connections against limits. */
#include "edge/place.h"

#include "base/check.h"
#include "edge/edge.h"
#include "edge/partner_run.h"

/* How much of a limit the other direction cannot take. */
static uint32_t kept(uint32_t limit)
{
    return limit >= 8 ? limit / 4 : 1;
}

/* What one direction may have, and both together. */
static uint32_t one_way_max(uint32_t limit)
{
    return limit > kept(limit) ? limit - kept(limit) : 1;
}

static uint32_t both_ways_max(uint32_t limit)
{
    return limit < 2 ? 2 : limit;
}

bool place_fits(uint32_t mine, uint32_t other, uint32_t limit)
{
    return mine < one_way_max(limit) && mine + other < both_ways_max(limit);
}

static uint32_t total(const struct edge *e, int direction)
{
    return atomic_load_explicit(&e->shared->place_count[direction], memory_order_relaxed);
}

static void count_here(struct edge *e, int direction, int by)
{
    _Atomic uint32_t *count = &e->shared->shard_place_count[e->idx][direction];
    uint32_t now = atomic_load_explicit(count, memory_order_relaxed);

    atomic_store_explicit(count, now + (uint32_t)by, memory_order_relaxed); /* ours alone */
}

const char *place_take(struct edge *e, struct place *p, struct partner_run *run,
                       const struct partner *partner)
{
    int mine = p->direction;
    uint32_t before;

    if (p->run) {
        return NULL;
    }
    if (!place_fits(run->place_count[mine], run->place_count[!mine], partner->connection_limit)) {
        return "partner";
    }
    before = atomic_fetch_add_explicit(&e->shared->place_count[mine], 1, memory_order_relaxed);
    if (!place_fits(before, total(e, !mine), edge_policy(e)->gateway.connection_limit)) {
        (void)atomic_fetch_sub_explicit(&e->shared->place_count[mine], 1, memory_order_relaxed);
        return "gateway";
    }
    p->run = run;
    p->number = ++e->place_number;
    run->place_count[mine]++;
    count_here(e, mine, 1);
    list_push_back(&e->places[mine], &p->all);
    list_push_back(&run->places[mine], &p->of_partner);
    return NULL;
}

/* Without the shared count. */
static void unlist(struct edge *e, struct place *p)
{
    count_here(e, p->direction, -1);
    ASSERT(p->run->place_count[p->direction] > 0);
    p->run->place_count[p->direction]--;
    p->run = NULL;
    list_remove(&p->all);
    list_remove(&p->of_partner);
}

void place_give(struct edge *e, struct place *p)
{
    if (p->run) {
        unlist(e, p);
        (void)atomic_fetch_sub_explicit(&e->shared->place_count[p->direction], 1,
                                        memory_order_relaxed);
    }
}

static void replace(struct list *to, struct list *from)
{
    list_push_front(from, to); /* right behind it */
    list_remove(from);
}

void place_move(struct place *to, struct place *from)
{
    ASSERT(!to->run);
    if (!from->run) {
        return;
    }
    to->direction = from->direction;
    to->evict = from->evict;
    to->run = from->run;
    to->number = from->number;
    from->run = NULL;
    replace(&to->all, &from->all);
    replace(&to->of_partner, &from->of_partner);
}

int place_surplus(const uint32_t count[2], uint32_t limit, int last)
{
    for (int d = 0; d < 2; d++) {
        if (count[d] > one_way_max(limit)) {
            return d;
        }
    }
    if (count[0] + count[1] <= both_ways_max(limit)) {
        return -1;
    }
    return count[last] > kept(limit) ? last : !last;
}

static struct place *newest_of(struct partner_run *run, int direction)
{
    return list_is_empty(&run->places[direction])
               ? NULL
               : LIST_ENTRY(run->places[direction].prev, struct place, of_partner);
}

void place_shed_partner(struct edge *e, struct partner_run *run, const struct partner *partner)
{
    for (;;) {
        struct place *in = newest_of(run, PARTNER_IN);
        struct place *out = newest_of(run, PARTNER_OUT);
        bool is_out_last = out && (!in || out->number > in->number);
        int d = place_surplus(run->place_count, partner->connection_limit, is_out_last);
        struct place *p = d < 0 ? NULL : newest_of(run, d);

        if (!p) {
            return;
        }
        place_give(e, p);
        p->evict(p, "partner");
    }
}

/* No other shard has more of this direction: it is for us to give one up. */
static bool is_fullest(const struct edge *e, int direction)
{
    uint32_t mine = atomic_load_explicit(&e->shared->shard_place_count[e->idx][direction],
                                         memory_order_relaxed);

    for (uint32_t i = 0; i < e->shard_count; i++) {
        if (atomic_load_explicit(&e->shared->shard_place_count[i][direction],
                                 memory_order_relaxed) > mine) {
            return false;
        }
    }
    return mine > 0;
}

bool place_shed_all(struct edge *e, uint32_t count_max)
{
    uint32_t limit = edge_policy(e)->gateway.connection_limit;

    for (uint32_t i = 0; i < count_max; i++) {
        uint32_t count[2] = {total(e, 0), total(e, 1)};
        int d = place_surplus(count, limit, count[1] > count[0]);
        struct place *p;

        if (d < 0) {
            return false;
        }
        if (!is_fullest(e, d)) {
            return true; /* another shard's turn, then perhaps ours */
        }
        /* Two may be the fullest: each surplus connection is claimed by one of them. */
        if (!atomic_compare_exchange_strong_explicit(&e->shared->place_count[d], &count[d],
                                                     count[d] - 1, memory_order_relaxed,
                                                     memory_order_relaxed)) {
            continue;
        }
        p = LIST_ENTRY(e->places[d].prev, struct place, all);
        unlist(e, p);
        p->evict(p, "gateway");
    }
    return true;
}
