/* SPDX-License-Identifier: GPL-2.0-or-later */
/* apart: the tool and the measured server take turns. */
#include "load/apart.h"

#include <errno.h>
#include <sys/prctl.h>
#include <time.h>

#include "load/crew.h"

#define LOOK_NS 200000u /* between looks at the running server: each takes a core some 4 us */
#define TURN_NS 30000u  /* between looks at ourselves, while the server is stopped */
#define PHASE_NS_MAX 2000000000u /* who does not sleep by then is stopped all the same */
#define SLACK_NS 1000u
#define EMPTY_ROUNDS 50u
#define RANDOM_STEP 6364136223846793005u /* Knuth's linear congruential generator */
#define RANDOM_SHIFT 33u

static uint64_t now_ns(void)
{
    static const uint64_t ns_per_s = 1000000000u;
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * ns_per_s + (uint64_t)t.tv_nsec;
}

static void nap(uint64_t ns)
{
    const struct timespec t = {0, (long)ns};

    (void)nanosleep(&t, NULL);
}

int apart_open(struct apart *a, const char *processes, char *why, size_t why_bytes)
{
    int err = other_open(&a->server, processes, why, why_bytes);

    if (err != 0) {
        return err;
    }
    (void)prctl(PR_SET_TIMERSLACK, (unsigned long)SLACK_NS);
    (void)sem_init(&a->wake, 0, 0);
    a->random = now_ns();
    a->is_open = true;
    return 0;
}

void apart_close(struct apart *a)
{
    if (a->is_open) {
        a->is_open = false;
        other_close(&a->server);
        (void)sem_destroy(&a->wake);
    }
}

/* --- the server's phase --- */

/* The server fell asleep between the last look that found its CPU time grown and the one before:
 * in the middle, on average, because the first look comes at a random moment. */
static void serve(struct apart *a, struct apart_sum *sum)
{
    uint64_t cpu_begin = other_cpu_ns(&a->server);
    uint64_t begin = now_ns();
    uint64_t ended = begin;
    uint64_t cpu = cpu_begin;
    uint64_t last = begin;
    bool is_over = false;

    a->random = a->random * RANDOM_STEP + 1;
    other_go(&a->server);
    nap((a->random >> RANDOM_SHIFT) % LOOK_NS);
    while (!is_over) {
        uint64_t now = now_ns();
        uint64_t used = other_cpu_ns(&a->server);

        sum->looks++;
        if (used != cpu) {
            ended = last + (now - last) / 2;
        }
        is_over = (used == cpu && other_is_asleep(&a->server)) || now - begin > PHASE_NS_MAX;
        cpu = used;
        last = now;
        if (!is_over) {
            nap(LOOK_NS);
        }
    }
    other_stop(&a->server);
    sum->rounds++;
    sum->ns += ended - begin;
    sum->cpu_ns += cpu - cpu_begin;
}

void apart_try(struct apart *a)
{
    if (!a->is_open) {
        return;
    }
    other_stop(&a->server);
    for (uint32_t i = 0; i < EMPTY_ROUNDS; i++) {
        serve(a, &a->empty);
    }
    other_go(&a->server);
}

void apart_begin(struct apart *a)
{
    if (a->is_open) {
        a->takes_turns = true;
        other_stop(&a->server);
    }
}

void apart_end(struct apart *a)
{
    if (a->takes_turns) {
        a->takes_turns = false;
        other_go(&a->server);
    }
}

/* --- the tool's --- */

static uint64_t turns_of(const struct run *run)
{
    struct engine_stats stats;
    uint64_t sum = 0;

    for (uint32_t i = 0; i < run->plan->shards; i++) {
        engine_stats_read(run->engine, i, &stats);
        sum += stats.turns;
    }
    return sum;
}

/* Each shard has read, checked and sent what it could: it sleeps, and has not been awake between
 * two looks. */
static void finish_turn(const struct run *run)
{
    uint64_t turns = turns_of(run);
    uint64_t before;

    do {
        before = turns;
        nap(TURN_NS);
        turns = turns_of(run);
    } while (turns != before || !other_is_rest_of_us_asleep());
}

void apart_rest(struct apart *a)
{
    (void)atomic_fetch_add_explicit(&a->resting, 1, memory_order_relaxed);
    while (sem_wait(&a->wake) != 0 && errno == EINTR) {
    }
}

static void hold(struct apart *a, struct run *run)
{
    atomic_store_explicit(&a->resting, 0, memory_order_relaxed);
    for (uint32_t i = 0; i < run->plan->shards; i++) {
        crew_command_one(run, i, &(struct crew_command){.act = crew_rest, .apart = a});
    }
    while (atomic_load_explicit(&a->resting, memory_order_relaxed) < run->plan->shards) {
        nap(TURN_NS);
    }
}

static void let_go(struct apart *a, struct run *run)
{
    for (uint32_t i = 0; i < run->plan->shards; i++) {
        (void)sem_post(&a->wake);
    }
    crew_wait(run);
}

bool apart_round(struct apart *a, struct run *run)
{
    if (!a->takes_turns) {
        return false;
    }
    finish_turn(run);
    hold(a, run);
    serve(a, &a->served);
    let_go(a, run);
    return true;
}
