/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The simulation of the presence room: events, time, and the command line.
 *   presence_sim [--seed N] [--seeds COUNT] [--trace]
 * Without --seeds the environment's PRESENCE_SIM_SEEDS, else 300.                                */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "presence_sim.h"

#include "base/pool.h"

#define SEEDS         300u
#define CHAOS_ACTIONS 120u
#define QUIET_H       30u

const char *const sim_x_names[SIM_USERS] = {"ann@chat.example", "dan@chat.example"};
const char *const sim_s_names[SIM_USERS] = {"bob@corp.example", "eve@corp.example"};
const char *const sim_show_names[] = {"", "away", "dnd", "xa"};

/* --- small things ----------------------------------------------------------------------------- */

uint32_t sim_random(struct sim *s, uint32_t bound)
{
    uint64_t z = s->random += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ (z >> 31)) % bound);
}

bool sim_chance(struct sim *s, uint32_t one_in)
{
    return s->is_chaos && sim_random(s, one_in) == 0;
}

uint64_t sim_now(const struct sim *s)
{
    return s->f.now_ms;
}

static void say(const struct sim *s, const char *fmt, va_list args)
{
    uint64_t now = sim_now(s);

    (void)fprintf(stderr, "%3llu:%02llu:%02llu.%03llu ", (unsigned long long)(now / SIM_H),
                  (unsigned long long)(now / 60000 % 60), (unsigned long long)(now / SIM_S % 60),
                  (unsigned long long)(now % SIM_S));
    (void)vfprintf(stderr, fmt, args);
    (void)fputc('\n', stderr);
}

void sim_trace(struct sim *s, const char *fmt, ...)
{
    va_list args;

    if (s->is_traced && !s->has_failed) {
        va_start(args, fmt);
        say(s, fmt, args);
        va_end(args);
    }
}

void sim_fail(struct sim *s, const char *fmt, ...)
{
    va_list args;

    s->has_failed = true;
    (void)fprintf(stderr, "seed %llu: ", (unsigned long long)s->seed);
    va_start(args, fmt);
    say(s, fmt, args);
    va_end(args);
}

void sim_new_id(struct sim *s, char *out, const char *prefix)
{
    (void)snprintf(out, SIM_ID, "%s%llu-%u", prefix, (unsigned long long)++s->ids,
                   sim_random(s, 1000000));
}

struct sim_event *sim_post(struct sim *s, enum sim_kind kind, uint64_t at, const char *text)
{
    struct sim_event *ev;

    if (s->event_count == SIM_EVENTS) {
        sim_fail(s, "too many events");
        abort();
    }
    ev = &s->events[s->event_count++];
    *ev = (struct sim_event){
        .at = at,
        .order = ++s->order,
        .kind = kind,
        .generation = s->generation,
        .text = text ? pool_heap_strdup(text, strlen(text)) : NULL,
    };
    return ev;
}

uint64_t sim_arrival(struct sim *s, enum sim_channel channel)
{
    uint64_t delay = 2 + sim_random(s, 60);

    if (sim_chance(s, 15)) {
        delay += sim_random(s, 8000);
    }
    delay += sim_now(s);
    s->last[channel] = delay > s->last[channel] ? delay : s->last[channel] + 1;
    return s->last[channel];
}

/* --- time ------------------------------------------------------------------------------------- */

static uint32_t next_event(const struct sim *s)
{
    uint32_t best = 0;

    for (uint32_t i = 1; i < s->event_count; i++) {
        const struct sim_event *a = &s->events[i];
        const struct sim_event *b = &s->events[best];

        if (a->at < b->at || (a->at == b->at && a->order < b->order)) {
            best = i;
        }
    }
    return best;
}

/* After everything that may have changed it. */
static void plan_devices(struct sim *s)
{
    s->devices_at = UINT64_MAX;
    for (uint32_t i = 0; i < SIM_USERS * SIM_USERS * SIM_DEVICES; i++) {
        uint64_t at = watcher_next(s, &s->pairs[i / SIM_DEVICES].devices[i % SIM_DEVICES]);

        s->devices_at = at != 0 && at < s->devices_at ? at : s->devices_at;
    }
}

static void devices_due(struct sim *s)
{
    for (uint32_t i = 0; i < SIM_USERS * SIM_USERS * SIM_DEVICES; i++) {
        struct sim_pair *p = &s->pairs[i / SIM_DEVICES];
        struct sim_device *d = &p->devices[i % SIM_DEVICES];
        uint64_t at = watcher_next(s, d);

        if (at != 0 && at <= sim_now(s)) {
            watcher_due(s, p, d);
        }
    }
    plan_devices(s);
}

/* The gateway may die at each step: before, in between, behind. */
static void one_event(struct sim *s)
{
    uint32_t idx = next_event(s);
    struct sim_event ev = s->events[idx];

    s->events[idx] = s->events[--s->event_count];
    if (sim_chance(s, 700)) {
        sim_crash(s);
    }
    wire_happen(s, &ev);
    if (sim_chance(s, 700)) {
        if (sim_random(s, 2)) {
            wire_take_all(s);
        }
        sim_crash(s);
    }
    wire_take_all(s);
    check_gauges(s);
    pool_heap_free(ev.text);
}

static void run_until(struct sim *s, uint64_t until)
{
    plan_devices(s);
    while (sim_now(s) < until && !s->has_failed) {
        uint64_t next = until;
        uint64_t wheel = wheel_next_ms(&s->f.wheel);

        next = wheel < next ? wheel : next;
        next = s->devices_at < next ? s->devices_at : next;
        if (s->event_count > 0 && s->events[next_event(s)].at < next) {
            next = s->events[next_event(s)].at;
        }
        fixture_run(&s->f, next > sim_now(s) ? next - sim_now(s) : 1);
        if (sim_chance(s, 5000)) {
            sim_crash(s);
        }
        wire_take_all(s);
        while (s->event_count > 0 && s->events[next_event(s)].at <= sim_now(s)) {
            one_event(s);
            s->devices_at = 0;
        }
        if (s->devices_at <= sim_now(s)) {
            devices_due(s);
        }
    }
}

void sim_run(struct sim *s, uint32_t seconds)
{
    run_until(s, sim_now(s) + seconds * SIM_S);
}

/* --- a seed ----------------------------------------------------------------------------------- */

static void begin(struct sim *s)
{
    fixture_init(&s->f);
    s->f.store = FIXTURE_STORE_HOLDS;
    s->f.params.seed = s->seed;
    s->f.rules[CONTACT_IN].subscribe_rate_max = sim_random(s, 2) ? 20 : 0;
    fixture_start(&s->f);
    s->empty_bytes = presence_stats(s->f.p)->memory_bytes;
    s->is_stream_up = true;
    s->is_hop_up = true;
    s->acknowledges_bare = sim_random(s, 2);
    s->answers_unavailable = sim_random(s, 2);
    s->denies_by_notify = sim_random(s, 2);
    s->keeps_subs = sim_random(s, 2);
    for (uint32_t i = 0; i < SIM_USERS * SIM_USERS; i++) {
        s->pairs[i].x = (uint8_t)(i % SIM_USERS);
        s->pairs[i].s = (uint8_t)(i / SIM_USERS);
        s->pairs[i].policy = sim_random(s, 3) ? POLICY_ALLOW : POLICY_UNDECIDED;
    }
}

/* People repeat what was lost on the way; nobody else does anything but log in again. */
static void calm_down(struct sim *s)
{
    for (uint32_t i = 0; i < SIM_USERS * SIM_USERS; i++) {
        struct sim_pair *p = &s->pairs[i];

        if (p->is_excused && p->out == ROSTER_NONE) {
            partner_unsubscribe(s, p);
        }
        if (p->is_excused && p->in == ROSTER_NONE) {
            p->in = ROSTER_PENDING;
            partner_revoke(s, p);
        }
    }
}

static void quiet(struct sim *s)
{
    s->is_chaos = false;
    s->f.store = FIXTURE_STORE_HOLDS;
    run_until(s, sim_now(s) + SIM_H);
    calm_down(s);
    for (uint32_t h = 0; h < QUIET_H; h += 6) {
        for (uint32_t i = 0; i < SIM_USERS * SIM_RESOURCES; i++) {
            partner_show(s, i / SIM_RESOURCES, i % SIM_RESOURCES, false);
        }
        run_until(s, sim_now(s) + 600 * SIM_S);
        for (uint32_t i = 0; i < SIM_USERS * SIM_RESOURCES; i++) {
            partner_show(s, i / SIM_RESOURCES, i % SIM_RESOURCES, true);
        }
        run_until(s, sim_now(s) + 6 * SIM_H);
    }
}

static void leave(struct sim *s)
{
    for (uint32_t i = 0; i < SIM_USERS * SIM_USERS; i++) {
        struct sim_pair *p = &s->pairs[i];

        partner_unsubscribe(s, p);
        partner_revoke(s, p);
        for (uint32_t k = 0; k < SIM_DEVICES; k++) {
            p->devices[k].wants = false;
        }
    }
    run_until(s, sim_now(s) + 2 * SIM_H);
    for (uint32_t i = 0; i < CONTACT_DIRECTIONS * SIM_USERS * SIM_USERS; i++) {
        const struct sim_pair *p = &s->pairs[i / CONTACT_DIRECTIONS];
        struct presence_pair pair = fixture_pair(sim_s_names[p->s], sim_x_names[p->x]);

        presence_order(s->f.p, &pair, (enum contact_direction)(i % CONTACT_DIRECTIONS),
                       PRESENCE_FORGET, i);
    }
    run_until(s, sim_now(s) + 72 * SIM_H);
}

static void end(struct sim *s, int64_t used)
{
    fixture_deinit(&s->f);
    for (uint32_t i = 0; i < s->event_count; i++) {
        pool_heap_free(s->events[i].text);
    }
    s->event_count = 0;
    if (pool_used_bytes() != used) {
        sim_fail(s, "%lld bytes leaked", (long long)(pool_used_bytes() - used));
    }
}

static bool run_seed(struct sim *s, uint64_t seed, bool is_traced)
{
    struct sim_event *events = s->events;
    int64_t used = pool_used_bytes();

    *s = (struct sim){.seed = seed,
                      .random = seed * 0x2545F4914F6CDD1Du,
                      .is_traced = is_traced,
                      .is_chaos = true,
                      .events = events};
    begin(s);
    for (uint32_t i = 0; i < CHAOS_ACTIONS && !s->has_failed; i++) {
        sim_chaos_step(s);
        run_until(s, sim_now(s) + 1 + sim_random(s, sim_random(s, 12) ? 20000 : 1800000));
    }
    if (!s->has_failed) {
        quiet(s);
    }
    for (uint32_t i = 0; i < 60 && !list_is_empty(&s->f.requests); i++) {
        sim_run(s, 1); /* whatever is under way at this moment */
    }
    if (!s->has_failed) {
        check_end(s);
    }
    if (!s->has_failed) {
        drill(s);
    }
    if (!s->has_failed) {
        leave(s);
    }
    if (!s->has_failed) {
        check_empty(s);
    }
    end(s, used);
    return !s->has_failed;
}

static void add_sums(uint64_t *to, const struct sim *s)
{
    const uint64_t *from = (const uint64_t *)&s->sums;

    for (size_t i = 0; i < sizeof(s->sums) / sizeof(*from); i++) {
        to[i] += from[i];
    }
}

int main(int argc, char **argv)
{
    const char *from_env = getenv("PRESENCE_SIM_SEEDS");
    uint64_t first = 1;
    uint64_t count = from_env ? strtoull(from_env, NULL, 10) : SEEDS;
    uint64_t bad = 0;
    bool is_traced = false;
    struct sim *s = pool_heap_zalloc(sizeof(*s));
    uint64_t sums[sizeof(s->sums) / sizeof(uint64_t)] = {0};

    s->events = pool_heap_zalloc(SIM_EVENTS * sizeof(*s->events));
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trace") == 0) {
            is_traced = true;
        } else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            first = strtoull(argv[++i], NULL, 10);
            count = 1;
        } else if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc) {
            count = strtoull(argv[++i], NULL, 10);
        }
    }
    for (uint64_t seed = first; seed < first + count; seed++) {
        bad += !run_seed(s, seed, is_traced);
        add_sums(sums, s);
    }
    (void)printf(
        "%llu seeds, %llu failed; crashes %llu (lucky %llu) breaks %llu hop %llu pool %llu "
        "partner %llu lost %llu stanzas %llu notifies %llu subscribes %llu stale %llu "
        "granted %llu denied %llu refusals %llu checked %llu\n",
        (unsigned long long)count, (unsigned long long)bad, (unsigned long long)sums[0],
        (unsigned long long)sums[1], (unsigned long long)sums[2], (unsigned long long)sums[3],
        (unsigned long long)sums[4], (unsigned long long)sums[5], (unsigned long long)sums[6],
        (unsigned long long)sums[7], (unsigned long long)sums[8], (unsigned long long)sums[9],
        (unsigned long long)sums[10], (unsigned long long)sums[11], (unsigned long long)sums[12],
        (unsigned long long)sums[13], (unsigned long long)sums[14]);
    pool_heap_free(s->events);
    pool_heap_free(s);
    return bad ? 1 : 0;
}
