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
    list_push_back(&e->places[mine], &p->all);
    list_push_back(&run->places[mine], &p->of_partner);
    return NULL;
}

/* Without the shared count. */
static void unlist(struct place *p)
{
    ASSERT(p->run->place_count[p->direction] > 0);
    p->run->place_count[p->direction]--;
    p->run = NULL;
    list_remove(&p->all);
    list_remove(&p->of_partner);
}

void place_give(struct edge *e, struct place *p)
{
    if (p->run) {
        unlist(p);
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

/* The direction that has to give one up; -1 = none. newest: its number per direction, 0 = none. */
static int surplus(const uint32_t count[2], const uint64_t newest[2], uint32_t limit)
{
    for (int d = 0; d < 2; d++) {
        if (count[d] > one_way_max(limit) && newest[d] != 0) {
            return d;
        }
    }
    if (count[0] + count[1] <= both_ways_max(limit)) {
        return -1;
    }
    for (int d = 0; d < 2; d++) {
        bool is_next = newest[d] > newest[!d] || count[!d] <= kept(limit);

        if (newest[d] != 0 && count[d] > kept(limit) && is_next) {
            return d;
        }
    }
    return -1;
}

void place_shed_partner(struct edge *e, struct partner_run *run, const struct partner *partner)
{
    for (;;) {
        uint64_t newest[2] = {0, 0};
        struct place *p;
        int d;

        for (d = 0; d < 2; d++) {
            if (!list_is_empty(&run->places[d])) {
                newest[d] = LIST_ENTRY(run->places[d].prev, struct place, of_partner)->number;
            }
        }
        d = surplus(run->place_count, newest, partner->connection_limit);
        if (d < 0) {
            return;
        }
        p = LIST_ENTRY(run->places[d].prev, struct place, of_partner);
        place_give(e, p);
        p->evict(p, "partner");
    }
}

bool place_shed_all(struct edge *e, uint32_t count_max)
{
    uint32_t limit = edge_policy(e)->gateway.connection_limit;

    for (uint32_t i = 0; i < count_max; i++) {
        uint32_t count[2] = {total(e, 0), total(e, 1)};
        uint64_t newest[2] = {0, 0};
        struct place *p;
        int d;

        for (d = 0; d < 2; d++) {
            if (!list_is_empty(&e->places[d])) {
                newest[d] = LIST_ENTRY(e->places[d].prev, struct place, all)->number;
            }
        }
        d = surplus(count, newest, limit);
        if (d < 0) {
            return false;
        }
        /* Another shard may be at the same: each surplus connection is claimed by one of them. */
        if (!atomic_compare_exchange_strong_explicit(&e->shared->place_count[d], &count[d],
                                                     count[d] - 1, memory_order_relaxed,
                                                     memory_order_relaxed)) {
            continue;
        }
        p = LIST_ENTRY(e->places[d].prev, struct place, all);
        unlist(p);
        p->evict(p, "gateway");
    }
    return true;
}
