/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wheel: hierarchical timing wheel (Varghese, Lauck 1987, scheme 7). */
#include "base/wheel.h"

#include "base/check.h"

void wheel_init(struct wheel *w, uint64_t now_ms)
{
    *w = (struct wheel){.tick = now_ms / WHEEL_TICK_MS};
    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        for (unsigned slot = 0; slot < WHEEL_SLOTS; slot++) {
            list_init(&w->slots[level][slot]);
        }
    }
}

static uint64_t tick_of(uint64_t deadline_ms)
{
    return deadline_ms / WHEEL_TICK_MS + (deadline_ms % WHEEL_TICK_MS != 0);
}

static void file_timer(struct wheel *w, struct wheel_timer *t)
{
    uint64_t tick = tick_of(t->deadline_ms);
    uint64_t distance;
    unsigned level = 0;
    unsigned slot;

    if (tick < w->tick) {
        tick = w->tick;
    }
    distance = tick - w->tick;
    while (level + 1 < WHEEL_LEVELS && distance >= (1ull << (WHEEL_SLOT_BITS * (level + 1)))) {
        level++;
    }
    if (distance >= (1ull << (WHEEL_SLOT_BITS * WHEEL_LEVELS))) {
        tick = w->tick + (1ull << (WHEEL_SLOT_BITS * WHEEL_LEVELS)) - 1;
    }
    slot = (unsigned)(tick >> (WHEEL_SLOT_BITS * level)) & (WHEEL_SLOTS - 1);
    list_push_back(&w->slots[level][slot], &t->link);
    w->occupied[level] |= 1ull << slot;
}

void wheel_arm(struct wheel *w, struct wheel_timer *t, uint64_t deadline_ms, wheel_fire_fn *fire,
               void *ctx)
{
    ASSERT(fire);
    wheel_disarm(w, t);
    t->deadline_ms = deadline_ms;
    t->fire = fire;
    t->ctx = ctx;
    file_timer(w, t);
    w->timer_count++;
}

void wheel_disarm(struct wheel *w, struct wheel_timer *t)
{
    if (wheel_timer_is_armed(t)) {
        list_remove(&t->link);
        ASSERT(w->timer_count > 0);
        w->timer_count--;
    }
}

/* Moves the timers of one slot of an upper level down, when the wheel reaches it. */
static void cascade(struct wheel *w, unsigned level)
{
    unsigned slot = (unsigned)(w->tick >> (WHEEL_SLOT_BITS * level)) & (WHEEL_SLOTS - 1);
    struct list due;
    struct list *link;

    list_init(&due);
    list_splice(&due, &w->slots[level][slot]);
    w->occupied[level] &= ~(1ull << slot);
    while ((link = list_pop_front(&due))) {
        file_timer(w, LIST_ENTRY(link, struct wheel_timer, link));
    }
}

static void enter_tick(struct wheel *w)
{
    unsigned level = 1;

    while (level < WHEEL_LEVELS &&
           (w->tick & ((1ull << (WHEEL_SLOT_BITS * level)) - 1)) == 0) {
        level++;
    }
    /* Upper levels first: their timers may land in a lower slot that is due right now. */
    while (--level >= 1) {
        cascade(w, level);
    }
}

/* How many slots from this one on is the first one that may hold timers; it may do itself. */
static unsigned slots_to_next(uint64_t occupied, unsigned slot)
{
    uint64_t rest = occupied >> slot | occupied << (-slot & (WHEEL_SLOTS - 1));

    return (unsigned)__builtin_ctzll(rest);
}

/* Ticks until level 0 has something or a slot of an upper level comes down that may have: all
 * between is empty, and to bring down what is empty changes nothing. What stands in the slot in
 * which the wheel is at an upper level came there for its next round. */
static uint64_t ticks_to_next(const struct wheel *w)
{
    uint64_t least = UINT64_MAX;

    if (w->occupied[0]) {
        least = slots_to_next(w->occupied[0], (unsigned)w->tick & (WHEEL_SLOTS - 1));
    }
    for (unsigned level = 1; level < WHEEL_LEVELS; level++) {
        unsigned shift = WHEEL_SLOT_BITS * level;
        uint64_t next = (w->tick >> shift) + 1;

        if (w->occupied[level]) {
            next += slots_to_next(w->occupied[level], (unsigned)next & (WHEEL_SLOTS - 1));
            next = (next << shift) - w->tick;
            least = next < least ? next : least;
        }
    }
    return least;
}

uint32_t wheel_run(struct wheel *w, uint64_t now_ms, uint32_t fire_max)
{
    uint64_t now_tick = now_ms / WHEEL_TICK_MS;
    uint32_t fired = 0;

    while (w->tick <= now_tick && fired < fire_max) {
        unsigned slot = (unsigned)w->tick & (WHEEL_SLOTS - 1);
        struct list *link = list_first(&w->slots[0][slot]);

        if (link) {
            struct wheel_timer *t = LIST_ENTRY(link, struct wheel_timer, link);

            wheel_disarm(w, t);
            fired++;
            t->fire(t, t->ctx);
            continue;
        }
        w->occupied[0] &= ~(1ull << slot);
        if (w->timer_count == 0) {
            w->tick = now_tick + 1;
            break;
        }
        uint64_t step = ticks_to_next(w);
        uint64_t left = now_tick - w->tick + 1;

        w->tick += step == 0 ? 1 : (step < left ? step : left);
        if ((w->tick & (WHEEL_SLOTS - 1)) == 0) {
            enter_tick(w);
        }
    }
    return fired;
}

uint64_t wheel_next_ms(const struct wheel *w)
{
    if (w->timer_count == 0) {
        return WHEEL_NEVER;
    }
    return (w->tick + ticks_to_next(w)) * WHEEL_TICK_MS;
}
