/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reach: what opens and closes a pair, when other shards are told, expiry, order of use, hostile
 * fill, memory that is not to be had; against a slow model with random facts. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/pool.h"
#include "edge/reach_table.h"

#define WINDOW 60000u
#define ERROR_MS ((uint64_t)REACH_ERROR_S * 1000)
#define KEY 0x1234567890abcdefu

static struct reach_table *table;
static uint64_t random_state;

/* xorshift; the seed is the test's. */
static uint32_t random_below(uint32_t bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32) % bound;
}

static void setup(void)
{
    cr_assert_eq(reach_table_new(&table, REACH_ENTRIES_MAX), 0);
}

static void teardown(void)
{
    reach_table_free(table);
}

static bool learn(enum reach_what what, uint64_t key, uint64_t now_ms)
{
    return reach_table_learn(
        table,
        &(struct reach_fact){.key = key, .what = what, .now_ms = now_ms, .window_ms = WINDOW});
}

static void hear(enum reach_what what, uint64_t key, uint64_t now_ms)
{
    cr_assert_not(reach_table_learn(table, &(struct reach_fact){.key = key,
                                                                .what = what,
                                                                .is_heard = true,
                                                                .now_ms = now_ms,
                                                                .window_ms = WINDOW}));
}

static bool is_open(uint64_t key, uint64_t now_ms)
{
    return reach_table_is_open(table, key, now_ms, WINDOW);
}

TestSuite(reach, .init = setup, .fini = teardown);

Test(reach, writing_opens_for_the_window)
{
    cr_assert_not(is_open(KEY, 1000));
    cr_assert(learn(REACH_WROTE, KEY, 1000));
    cr_assert(is_open(KEY, 1000));
    cr_assert(is_open(KEY, 1000 + WINDOW - 1));
    cr_assert_not(is_open(KEY + 1, 1000));
    cr_assert_not(is_open(KEY, 1000 + WINDOW));
    cr_assert_eq(reach_table_count(table), 0, "what has ended takes no room");
}

Test(reach, writing_again_renews_the_window)
{
    (void)learn(REACH_WROTE, KEY, 0);
    (void)learn(REACH_WROTE, KEY, WINDOW - 1);
    cr_assert(is_open(KEY, 2 * WINDOW - 2));
    cr_assert_not(is_open(KEY, 2 * WINDOW - 1));
}

Test(reach, a_window_of_zero_opens_nothing)
{
    struct reach_fact f = {.key = KEY, .what = REACH_WROTE, .now_ms = 5};

    cr_assert_not(reach_table_learn(table, &f));
    cr_assert_not(reach_table_is_open(table, KEY, 5, 0));
    f.what = REACH_ADDED;
    cr_assert(reach_table_learn(table, &f), "adding does without it");
    cr_assert(reach_table_is_open(table, KEY, UINT64_MAX, 0));
}

Test(reach, a_changed_window_counts_at_once)
{
    (void)learn(REACH_WROTE, KEY, 0);
    cr_assert(reach_table_is_open(table, KEY, WINDOW + 1, 2 * WINDOW));
    cr_assert_not(reach_table_is_open(table, KEY, 10, 5));
}

Test(reach, adding_and_consent_do_not_expire_and_end_when_taken_back)
{
    (void)learn(REACH_ADDED, KEY, 0);
    cr_assert(is_open(KEY, 1u << 30));
    (void)learn(REACH_CONSENTED, KEY, 1);
    (void)learn(REACH_REMOVED, KEY, 2);
    cr_assert(is_open(KEY, 1u << 30), "he may still see our user");
    (void)learn(REACH_WITHDRAWN, KEY, 3);
    cr_assert_not(is_open(KEY, 4));
    cr_assert_eq(reach_table_count(table), 0);
}

Test(reach, removing_closes_the_window_declining_does_not)
{
    (void)learn(REACH_WROTE, KEY, 0);
    (void)learn(REACH_WITHDRAWN, KEY, 1); /* no to his request, in the middle of a conversation */
    cr_assert(is_open(KEY, 2));
    (void)learn(REACH_REMOVED, KEY, 3);
    cr_assert_not(is_open(KEY, 4));
}

/* What is sent to somebody lets its error come back, and nothing else. */
Test(reach, what_was_sent_lets_errors_pass_for_a_while)
{
    cr_assert_not(reach_table_was_sent(table, KEY, 0));
    cr_assert(learn(REACH_SENT, KEY, 1000), "the others must know");
    cr_assert_not(learn(REACH_SENT, KEY, 1000 + ERROR_MS - 1), "they do");
    cr_assert_not(is_open(KEY, 1000));
    cr_assert(reach_table_was_sent(table, KEY, 1000), "asking for the other drops nothing");
    cr_assert_not(reach_table_was_sent(table, KEY + 1, 1000));
    cr_assert(reach_table_was_sent(table, KEY, 1000 + 2 * ERROR_MS - 1));
    cr_assert_not(reach_table_was_sent(table, KEY, 1000 + 2 * ERROR_MS));
    cr_assert_not(is_open(KEY, 1000 + 2 * ERROR_MS));
    cr_assert_eq(reach_table_count(table), 0, "what has ended takes no room");
    hear(REACH_SENT, KEY, 0);
    cr_assert(reach_table_was_sent(table, KEY, ERROR_MS));
    cr_assert(learn(REACH_SENT, KEY, ERROR_MS), "told again in time");
    reach_table_untold(table, KEY);
    cr_assert(learn(REACH_SENT, KEY, ERROR_MS), "not all were told");
    cr_assert_not(learn(REACH_SENT, KEY, ERROR_MS));
}

/* Typing notices and presence to many must not make our users lose their contacts. */
Test(reach, those_that_were_only_sent_to_go_first)
{
    struct reach_table *small;

    cr_assert_eq(reach_table_new(&small, 64), 0);
    for (uint64_t k = 1; k <= 60; k++) {
        enum reach_what what = k % 2 ? REACH_ADDED : REACH_WROTE;

        (void)reach_table_learn(small, &(struct reach_fact){.key = k, .what = what,
                                                            .window_ms = WINDOW});
    }
    for (uint64_t k = 1000; k < 2000; k++) {
        (void)reach_table_learn(small, &(struct reach_fact){.key = k, .what = REACH_SENT});
    }
    cr_assert_eq(reach_table_count(small), 64);
    cr_assert_eq(reach_table_take_evicted(small), 0);
    for (uint64_t k = 1; k <= 60; k++) {
        cr_assert(reach_table_is_open(small, k, 1, WINDOW), "%lu", k);
    }
    cr_assert(reach_table_was_sent(small, 1999, 0), "the newest stay");
    cr_assert_not(reach_table_was_sent(small, 1995, 0));
    /* One that gets to open something is kept like the others from then on. */
    (void)reach_table_learn(small, &(struct reach_fact){.key = 1996, .what = REACH_CONSENTED});
    for (uint64_t k = 2000; k < 2010; k++) {
        (void)reach_table_learn(small, &(struct reach_fact){.key = k, .what = REACH_SENT});
    }
    cr_assert(reach_table_is_open(small, 1996, 1, WINDOW));
    reach_table_free(small);
}

Test(reach, sending_and_writing_are_told_each_by_its_own_clock)
{
    cr_assert(learn(REACH_WROTE, KEY, 0));
    cr_assert(learn(REACH_SENT, KEY, WINDOW / 8 - 1));
    cr_assert(learn(REACH_WROTE, KEY, WINDOW / 8), "an eighth of the window after the first");
    cr_assert_not(learn(REACH_SENT, KEY, WINDOW / 8));
    (void)learn(REACH_REMOVED, KEY, WINDOW / 8 + 1);
    cr_assert_not(is_open(KEY, WINDOW / 8 + 1));
    cr_assert(reach_table_was_sent(table, KEY, WINDOW / 8 + 1), "the answer to that may be one");
}

Test(reach, told_is_what_changes_something_and_renewals_after_an_eighth)
{
    cr_assert(learn(REACH_WROTE, KEY, 0));
    cr_assert_not(learn(REACH_WROTE, KEY, 1));
    cr_assert_not(learn(REACH_WROTE, KEY, WINDOW / 8 - 1));
    cr_assert(learn(REACH_WROTE, KEY, WINDOW / 8));
    cr_assert_not(learn(REACH_WROTE, KEY, WINDOW / 8 + 1));
    cr_assert(learn(REACH_ADDED, KEY, WINDOW / 8 + 2), "something else");
    cr_assert_not(learn(REACH_ADDED, KEY, WINDOW / 8 + 3));
    cr_assert(learn(REACH_REMOVED, KEY, WINDOW / 8 + 4));
    cr_assert(learn(REACH_WROTE, KEY, WINDOW / 8 + 5), "closed meanwhile");
    cr_assert(learn(REACH_REMOVED, KEY + 1, 0), "others may know of it");
}

Test(reach, what_could_not_be_told_is_told_with_the_next_fact)
{
    cr_assert(learn(REACH_WROTE, KEY, 0));
    reach_table_untold(table, KEY);
    reach_table_untold(table, KEY + 1);
    cr_assert(learn(REACH_WROTE, KEY, 1));
    cr_assert_not(learn(REACH_WROTE, KEY, 2));
}

Test(reach, a_window_that_ran_out_is_told_anew)
{
    cr_assert(learn(REACH_WROTE, KEY, 0));
    cr_assert(learn(REACH_ADDED, KEY, WINDOW - 1));
    cr_assert(learn(REACH_WROTE, KEY, WINDOW - 1 + WINDOW / 8));
}

/* Two shards: whatever the other wrote without telling, the window is open for its whole length. */
Test(reach, hearsay_never_closes_early)
{
    struct reach_table *writer;
    uint64_t last = 0;

    cr_assert_eq(reach_table_new(&writer, 10), 0);
    random_state = 7;
    for (uint64_t now = 0; now < 100 * WINDOW; now += random_below(WINDOW / 3) + 1) {
        struct reach_fact f = {
            .key = KEY, .what = REACH_WROTE, .now_ms = now, .window_ms = WINDOW};
        struct reach_fact own = f;

        if (random_below(4) == 0) {
            own.key = KEY; /* this shard's users write, too */
            if (reach_table_learn(table, &own)) {
                own.is_heard = true;
                (void)reach_table_learn(writer, &own);
            }
        } else if (reach_table_learn(writer, &f)) {
            hear(REACH_WROTE, KEY, now);
        }
        last = now;
        cr_assert(is_open(KEY, last + WINDOW - 1), "here");
        cr_assert(reach_table_is_open(writer, KEY, last + WINDOW - 1, WINDOW), "there");
    }
    cr_assert_not(is_open(KEY, last + WINDOW + WINDOW / 8));
    reach_table_free(writer);
}

Test(reach, the_least_recently_used_goes_first)
{
    struct reach_table *small;

    cr_assert_eq(reach_table_new(&small, 100), 0);
    for (uint64_t k = 0; k < 100; k++) {
        (void)reach_table_learn(small, &(struct reach_fact){.key = k, .what = REACH_ADDED});
    }
    cr_assert_eq(reach_table_take_evicted(small), 0);
    cr_assert(reach_table_is_open(small, 0, 0, WINDOW)); /* used */
    (void)reach_table_learn(small, &(struct reach_fact){.key = 1000, .what = REACH_ADDED});
    cr_assert_eq(reach_table_take_evicted(small), 1);
    cr_assert_eq(reach_table_count(small), 100);
    cr_assert(reach_table_is_open(small, 0, 0, WINDOW));
    cr_assert_not(reach_table_is_open(small, 1, 0, WINDOW));
    cr_assert(reach_table_is_open(small, 1000, 0, WINDOW));
    reach_table_free(small);
}

Test(reach, a_hostile_fill_is_bounded_and_the_newest_stay)
{
    uint64_t total = 3 * (uint64_t)REACH_ENTRIES_MAX;
    int64_t before = pool_used_bytes();

    for (uint64_t k = 1; k <= total; k++) {
        (void)learn(REACH_WROTE, k * 64, k / 1000); /* one chain for all, if keys were chosen */
    }
    cr_assert_eq(reach_table_count(table), REACH_ENTRIES_MAX);
    cr_assert_eq(reach_table_take_evicted(table), total - REACH_ENTRIES_MAX);
    cr_assert_lt(pool_used_bytes() - before, 10 << 20);
    for (uint64_t k = total - REACH_ENTRIES_MAX + 1; k <= total; k += 997) {
        cr_assert(is_open(k * 64, total / 1000));
    }
    cr_assert_not(is_open(64, total / 1000));
}

Test(reach, no_memory_forgets_the_oldest_instead)
{
    pool_fail_nth(1);
    cr_assert(learn(REACH_ADDED, 1, 0), "not learned here, but the others are told");
    cr_assert_eq(reach_table_take_evicted(table), 1);
    cr_assert_not(is_open(1, 0));
    for (uint64_t k = 0; k < 64; k++) {
        (void)learn(REACH_ADDED, k, 0);
    }
    for (uint64_t n = 1; n <= 2; n++) { /* either of the two blocks */
        pool_fail_nth(n);
        (void)learn(REACH_ADDED, 100 + n, 0);
        pool_fail_nth(0);
        cr_assert_eq(reach_table_take_evicted(table), 1);
        cr_assert_eq(reach_table_count(table), 64);
        cr_assert_not(is_open(n - 1, 0));
        cr_assert(is_open(100 + n, 0));
    }
    (void)learn(REACH_ADDED, 200, 0);
    cr_assert_eq(reach_table_count(table), 65, "grown, when there is memory again");
    for (uint64_t k = 2; k < 64; k++) {
        cr_assert(is_open(k, 0));
    }
}

#define MODEL_KEYS 40u

/* Bits and times by key: the table without its room. */
Test(reach, random_facts_against_a_model)
{
    struct {
        bool added, consented, has_written;
        uint64_t wrote_ms;
    } model[MODEL_KEYS] = {0};
    uint64_t now = 0;

    random_state = 11;
    for (int i = 0; i < 200000; i++) {
        uint32_t k = random_below(MODEL_KEYS);
        enum reach_what what = (enum reach_what)random_below(6);

        now += random_below(3000);
        (void)learn(what, k, now);
        model[k].added = what == REACH_ADDED || (model[k].added && what != REACH_REMOVED);
        model[k].consented =
            what == REACH_CONSENTED || (model[k].consented && what != REACH_WITHDRAWN);
        if (what == REACH_WROTE) {
            model[k].wrote_ms = now;
        }
        model[k].has_written =
            what == REACH_WROTE || (model[k].has_written && what != REACH_REMOVED);
        k = random_below(MODEL_KEYS);
        cr_assert_eq(is_open(k, now), model[k].added || model[k].consented ||
                                          (model[k].has_written &&
                                           now - model[k].wrote_ms < WINDOW));
    }
}

Test(reach, a_key_is_of_all_four_parts)
{
    struct reach_pair pair = {SLICE_LIT("ann"), SLICE_LIT("corp.test"), SLICE_LIT("bob"),
                              SLICE_LIT("public.test")};
    uint64_t key = reach_key(&pair);

    cr_assert_eq(reach_key(&pair), key);
    cr_assert_neq(reach_key(&(struct reach_pair){pair.remote_user, pair.remote_domain,
                                                 pair.local_user, pair.local_domain}),
                  key);
    cr_assert_neq(reach_key(&(struct reach_pair){SLICE_LIT("annc"), SLICE_LIT("orp.test"),
                                                 pair.remote_user, pair.remote_domain}),
                  key);
    pair.local_user = SLICE_NONE;
    cr_assert_neq(reach_key(&pair), key);
}

Test(reach, what_a_store_held_is_there_again)
{
    struct reach_state state;

    reach_table_restore(table, KEY, &(struct reach_state){.is_added = true});
    cr_expect(is_open(KEY, 5));
    cr_expect(reach_table_look(table, KEY, &state));
    cr_expect(state.is_added && !state.is_consented && !state.has_written);
    learn(REACH_REMOVED, KEY, 6);
    cr_expect_not(is_open(KEY, 7));
    cr_expect_not(reach_table_look(table, KEY, &state));
}

Test(reach, a_window_goes_on_where_it_was)
{
    struct reach_state state = {.has_written = true, .wrote_ms = (uint64_t)10 - (WINDOW - 20)};

    /* Written before this clock began: differences count. */
    reach_table_restore(table, KEY, &state);
    cr_expect(is_open(KEY, 29));
    cr_expect_not(is_open(KEY, 31));
    reach_table_restore(table, KEY + 1, &(struct reach_state){0});
    cr_expect_eq(reach_table_count(table), 0);
}

Test(reach, restoring_adds_to_what_is_known)
{
    struct reach_state state;

    learn(REACH_WROTE, KEY, 100);
    reach_table_restore(table, KEY, &(struct reach_state){.is_consented = true});
    cr_expect(reach_table_look(table, KEY, &state));
    cr_expect(state.is_consented && state.has_written && state.wrote_ms == 100);
}
