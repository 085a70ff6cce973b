/* SPDX-License-Identifier: GPL-2.0-or-later */
/* paces: no second has more turns than the rate, whichever shards take them, however late they are;
 * who wants more than there is gets his share. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "presence/paces.h"

#define SHARDS    4u
#define USED_MAX  40000u
#define SECOND_MS 1020u /* a second, and what is sent within a turn of the loop leaves later */

static struct presence_paces *paces;
static struct pace_row *row;

static void setup(void)
{
    paces = presence_paces_new();
    row = pace_row_of(paces, SLICE_LIT("pool"));
}

static void teardown(void)
{
    presence_paces_free(paces);
}

static int by_time(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static uint32_t peak(uint64_t *used, uint32_t count)
{
    uint32_t most = 0;
    uint32_t first = 0;

    qsort(used, count, sizeof(*used), by_time);
    for (uint32_t i = 0; i < count; i++) {
        while (used[i] - used[first] > SECOND_MS) {
            first++;
        }
        most = i - first + 1 > most ? i - first + 1 : most;
    }
    return most;
}

/* A shard that always wants one more. */
struct shard {
    struct pace_turn turn;
    bool has_turn;
    uint32_t count;
};
static uint64_t used[USED_MAX];
static uint32_t used_count;

static void look(struct shard *s, uint32_t rate, uint64_t now_ms)
{
    for (;;) {
        if (s->has_turn && pace_turn_is_late(&s->turn, now_ms)) {
            pace_row_give_back(row, &s->turn);
            s->has_turn = false;
        }
        if (!s->has_turn) {
            s->turn = pace_row_take(row, rate, now_ms);
            s->has_turn = true;
        }
        if (s->turn.at_ms > now_ms || used_count == USED_MAX) {
            return;
        }
        used[used_count++] = now_ms;
        s->has_turn = false;
        s->count++;
    }
}

/* The first one is always asked first. */
static void run(uint32_t rate, uint32_t seconds)
{
    struct shard shards[SHARDS] = {0};

    setup();
    used_count = 0;
    for (uint64_t now_ms = 1000; now_ms < 1000 + seconds * 1000u; now_ms++) {
        for (uint32_t i = 0; i < SHARDS; i++) {
            look(&shards[i], rate, now_ms);
        }
    }
    cr_assert_leq(peak(used, used_count), rate);
    cr_assert_geq(used_count, rate * seconds * 93 / 100, "%u at %u", used_count, rate);
    for (uint32_t i = 0; i < SHARDS; i++) {
        /* But for bursts, which one that comes first may have. */
        cr_assert_leq(shards[i].count, used_count / SHARDS + 1 + rate / 32 + 1);
        cr_assert_geq(shards[i].count, used_count / SHARDS - (1 + rate / 32), "shard %u: %u of %u",
                      i, shards[i].count, used_count);
    }
    teardown();
}

Test(paces, each_shard_has_its_share)
{
    run(1, 100);
    run(3, 100);
    run(40, 30);
    run(1000, 10);
}

/* A shard that comes when it likes: at any second not more than the rate. */
Test(paces, late_shards_do_not_add_up)
{
    struct shard shards[SHARDS] = {0};
    uint64_t seed = 1;

    setup();
    used_count = 0;
    for (uint64_t now_ms = 1000; now_ms < 200000; now_ms++) {
        for (uint32_t i = 0; i < SHARDS; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            if (seed >> 33 < (1u << 31) / (10u * i * i + 1)) { /* the last one: every 90 ms */
                look(&shards[i], 7, now_ms);
            }
        }
    }
    cr_assert_leq(peak(used, used_count), 7);
    cr_assert_geq(used_count, 199 * 4, "%u", used_count); /* what late ones lose is lost */
    for (uint32_t i = 0; i < SHARDS; i++) {
        cr_assert_geq(shards[i].count, 20, "shard %u: %u", i, shards[i].count);
    }
    teardown();
}

Test(paces, what_is_given_back_is_the_next_ones)
{
    struct pace_turn first;
    struct pace_turn second;

    setup();
    first = pace_row_take(row, 1, 5000);
    second = pace_row_take(row, 1, 5000);
    cr_expect_eq(first.at_ms, 5000);
    cr_expect_gt(second.at_ms, 6000);
    pace_row_give_back(row, &second);
    cr_expect_eq(pace_row_take(row, 1, 5000).at_ms, second.at_ms);
    pace_row_give_back(row, &first); /* others lie behind it: lost */
    cr_expect_gt(pace_row_take(row, 1, 5000).at_ms, second.at_ms);
    teardown();
}

Test(paces, hops_have_rows_of_their_own_while_there_are_some)
{
    struct pace_row *seen[PACE_ROWS];
    char name[32];

    setup();
    for (uint32_t i = 0; i < PACE_ROWS; i++) {
        (void)snprintf(name, sizeof(name), "hop%u", i);
        seen[i] = pace_row_of(paces, i == 0 ? SLICE_LIT("pool") : slice_from_cstr(name));
        for (uint32_t k = 0; k < i; k++) {
            cr_assert_neq(seen[i], seen[k]);
        }
    }
    cr_expect_eq(pace_row_of(paces, SLICE_LIT("pool")), row);
    cr_assert_not_null(pace_row_of(paces, SLICE_LIT("one too many")));
    cr_assert_not_null(pace_row_of(paces, SLICE_NONE));
    teardown();
}

/* --- threads ---------------------------------------------------------------------------------- */

#define THREAD_RATE  50u
#define THREAD_TURNS 500u

static _Atomic uint64_t clock_ms = 1000;
static uint64_t by_thread[SHARDS][THREAD_TURNS];

/* The clock goes on while somebody waits. */
static void *shard_main(void *arg)
{
    uint64_t *mine = arg;
    uint32_t count = 0;

    while (count < THREAD_TURNS) {
        struct pace_row *found = pace_row_of(paces, SLICE_LIT("of all"));
        uint64_t now_ms = atomic_load_explicit(&clock_ms, memory_order_relaxed);
        struct pace_turn turn = pace_row_take(found, THREAD_RATE, now_ms);

        while (turn.at_ms > now_ms) {
            now_ms = atomic_fetch_add_explicit(&clock_ms, 1, memory_order_relaxed);
        }
        if (pace_turn_is_late(&turn, now_ms)) {
            pace_row_give_back(found, &turn);
        } else {
            mine[count++] = now_ms;
        }
    }
    return NULL;
}

Test(paces, threads)
{
    pthread_t threads[SHARDS];

    setup();
    for (uint32_t i = 0; i < SHARDS; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, shard_main, by_thread[i]), 0);
    }
    for (uint32_t i = 0; i < SHARDS; i++) {
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
    }
    cr_assert_leq(peak(by_thread[0], SHARDS * THREAD_TURNS), THREAD_RATE);
    teardown();
}
