/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store over the fake database: what happens to rows when commits fail, and who hears of it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "fake.h"
#include "help.h"
#include "store/store_int.h"

static void start(struct help *h)
{
    help_init(h);
    fake_reset();
    h->backend = &fake_backend;
    help_start(h);
}

static struct store_item row(uint32_t n)
{
    return help_contact(n, STORE_STATE_GRANTED);
}

struct lines {
    char text[4096];
};

static void keep_line(const struct log_ring *ring, const struct log_line *line, void *ctx)
{
    struct lines *lines = ctx;
    size_t len = strlen(lines->text);

    (void)ring;
    (void)snprintf(lines->text + len, sizeof(lines->text) - len, "%s %s %.*s\n",
                   log_level_name(line->level), log_event_name(line->event), (int)line->len,
                   line->text);
}

static const char *log_text(struct help *h)
{
    static struct lines lines;

    lines.text[0] = 0;
    (void)log_ring_drain(store_log(h->store), keep_line, &lines);
    return lines.text;
}

Test(failing, a_refused_row_is_not_tried_again)
{
    struct store_health health;
    struct store_stats stats;
    struct help h;

    start(&h);
    cr_expect_eq(help_put(&h, row(1)), 0);
    store_health_read(h.store, &health);
    cr_expect_eq(health.err, 0);
    cr_expect_str_eq(health.text, "");
    fake_fail(FAKE_COMMIT, ERR_STORE_SPACE, 2);
    cr_expect_eq(help_put(&h, row(2)), ERR_STORE_SPACE);
    cr_expect(store_is_failing(h.store));
    store_health_read(h.store, &health);
    cr_expect_eq(health.err, ERR_STORE_SPACE);
    cr_expect_gt(health.failing_unix_s, 1500000000);
    cr_expect(help_contains(health.text, "store.db: ERR_STORE_SPACE: do something"));
    cr_expect_eq(help_put(&h, row(3)), ERR_STORE_SPACE);
    cr_expect_eq(help_put(&h, row(4)), 0);
    cr_expect_not(store_is_failing(h.store));
    store_health_read(h.store, &health);
    cr_expect_eq(health.failing_unix_s, 0);
    store_stats_read(h.store, &stats);
    cr_expect_eq(stats.failures, 2);
    cr_expect_eq(stats.rows_refused, 2);
    cr_expect_eq(stats.rows, 2);
    cr_expect_eq(stats.file_bytes, 4711);
    help_stop(&h);
    cr_expect_eq(atomic_load_explicit(&fake.failed, memory_order_acquire), 2);
    cr_expect_eq(atomic_load_explicit(&fake.row_count, memory_order_acquire), 2);
    cr_expect_eq(fake_committed(2) + fake_committed(3), 0);
    help_deinit(&h);
}

Test(failing, the_first_failure_and_the_recovery_are_logged)
{
    const char *text;
    struct help h;

    start(&h);
    fake_fail(FAKE_COMMIT, ERR_STORE_IO, 3);
    cr_expect_eq(help_put(&h, row(1)), ERR_STORE_IO);
    cr_expect_eq(help_put(&h, row(2)), ERR_STORE_IO);
    text = log_text(&h);
    cr_expect(help_contains(text, "error store_failing for_s="));
    cr_expect_null(strstr(strstr(text, "store_failing") + 1, "store_failing"));
    fake_fail(FAKE_COMMIT, ERR_STORE_SPACE, 1); /* another cause: said */
    cr_expect_eq(help_put(&h, row(3)), ERR_STORE_SPACE);
    cr_expect(help_contains(log_text(&h), "ERR_STORE_SPACE"));
    cr_expect_eq(help_put(&h, row(4)), 0);
    cr_expect(help_contains(log_text(&h), "warn store_recovered after_s="));
    help_deinit(&h);
}

Test(failing, a_failure_before_the_commit_leaves_no_trace_either)
{
    struct help h;

    start(&h);
    fake_fail(FAKE_BEGIN, ERR_STORE_GONE, 1);
    cr_expect_eq(help_put(&h, row(1)), ERR_STORE_GONE);
    fake_fail(FAKE_APPLY, ERR_STORE_DAMAGED, 1);
    cr_expect_eq(help_put(&h, row(2)), ERR_STORE_DAMAGED);
    cr_expect_eq(atomic_load_explicit(&fake.rollbacks, memory_order_acquire), 2);
    cr_expect_eq(help_put(&h, row(3)), 0);
    cr_expect_eq(fake_committed(1) + fake_committed(2), 0);
    help_deinit(&h);
}

Test(failing, a_stop_after_a_failure_is_no_clean_one)
{
    struct help h;

    start(&h);
    fake_fail(FAKE_COMMIT, ERR_STORE_IO, 1);
    cr_expect_eq(help_put(&h, row(1)), ERR_STORE_IO);
    help_stop(&h);
    cr_expect_eq(atomic_load_explicit(&fake.was_closed_clean, memory_order_acquire), 0);
    help_deinit(&h);
}

static bool is_at_the_gate(void *ctx)
{
    (void)ctx;
    return atomic_load_explicit(&fake.waiting, memory_order_acquire) != 0;
}

/* 200 rows in one batch, behind one that holds the thread meanwhile. */
static void batch_of_200(struct help *h)
{
    atomic_store_explicit(&fake.is_closed, 1, memory_order_release);
    (void)help_write(h, 3, row(1000001), true);
    cr_assert(help_until(is_at_the_gate, NULL));
    for (uint32_t n = 1; n <= 200; n++) {
        (void)help_write(h, 0, row(n), true);
    }
    atomic_store_explicit(&fake.is_closed, 0, memory_order_release);
    (void)help_await(h, 0, 200);
}

static void check_poison(struct help *h, uint32_t every)
{
    for (uint32_t n = 1; n <= 200; n++) {
        cr_assert_eq(help_await(h, 0, n), n % every ? 0 : ERR_STORE_ITEM);
        cr_assert_eq(fake_committed(n), n % every ? 1 : 0);
    }
    cr_expect_not(store_is_failing(h->store)); /* the database is good */
    cr_expect(help_contains(log_text(h), "error store_refused what=put_contact local=\"u"));
}

Test(failing, rows_that_are_to_blame_are_refused_alone)
{
    struct store_stats stats;
    struct help h;

    start(&h);
    atomic_store_explicit(&fake.poison_apply, 37, memory_order_release);
    batch_of_200(&h);
    check_poison(&h, 37);
    store_stats_read(h.store, &stats);
    cr_expect_eq(stats.rows_refused, 5);
    cr_expect_eq(stats.commits, 2);
    help_deinit(&h);
}

Test(failing, rows_that_are_to_blame_are_found_when_only_the_commit_says_no)
{
    struct store_stats stats;
    struct help h;

    start(&h);
    atomic_store_explicit(&fake.poison_commit, 37, memory_order_release);
    batch_of_200(&h);
    check_poison(&h, 37);
    store_stats_read(h.store, &stats);
    cr_expect_eq(stats.rows_refused, 5);
    cr_assert_lt(stats.commits, 100); /* by halves, not one by one */
    help_deinit(&h);
}

Test(failing, all_rows_to_blame)
{
    struct help h;

    start(&h);
    atomic_store_explicit(&fake.poison_commit, 1, memory_order_release);
    cr_expect_eq(help_put(&h, row(1)), ERR_STORE_ITEM);
    atomic_store_explicit(&fake.poison_commit, 0, memory_order_release);
    atomic_store_explicit(&fake.poison_apply, 1, memory_order_release);
    cr_expect_eq(help_put(&h, row(2)), ERR_STORE_ITEM);
    atomic_store_explicit(&fake.poison_apply, 0, memory_order_release);
    cr_expect_eq(help_put(&h, row(3)), 0);
    help_deinit(&h);
}

static bool is_refused_twice(void *ctx)
{
    struct help *h = ctx;

    return atomic_load_explicit(&h->told[0].refused, memory_order_acquire) >= 2;
}

Test(failing, an_acknowledgement_that_is_not_taken_holds_its_shard_only)
{
    struct help h;
    uint64_t ticket;

    start(&h);
    atomic_store_explicit(&h.told[0].refuse_next, 1000000, memory_order_release);
    (void)help_write(&h, 0, row(1), true);
    cr_expect(help_until(is_refused_twice, &h));
    ticket = help_write(&h, 0, row(2), true);
    cr_expect_eq(help_await(&h, 1, help_write(&h, 1, row(3), true)), 0);
    cr_expect_eq(fake_committed(1), 1);
    cr_expect_eq(fake_committed(2), 0); /* until row 1 is told */
    atomic_store_explicit(&h.told[0].refuse_next, 0, memory_order_release);
    cr_expect_eq(help_await(&h, 0, ticket), 0);
    cr_expect_eq(h.told[0].dones[0].first, 1);
    cr_expect_eq(h.told[0].dones[0].last, 1);
    help_deinit(&h);
}

Test(failing, an_untidy_log_is_told_and_refuses_nothing)
{
    struct help h;

    start(&h);
    fake_fail(FAKE_TIDY, ERR_STORE_SPACE, 1);
    cr_expect_eq(help_put(&h, row(1)), 0);
    cr_expect_eq(help_put(&h, row(2)), 0);
    cr_expect(help_contains(log_text(&h), "warn store_untidy"));
    cr_expect_not(store_is_failing(h.store));
    help_deinit(&h);
}

/* Nothing fails, nothing comes back. */
Test(failing, a_disk_that_does_not_answer_is_seen_from_outside)
{
    const uint64_t second_ns = 1000000000;
    struct store_health health;
    struct help h;

    start(&h);
    atomic_store_explicit(&h.store->busy_since_ns, store_now_ns() - 9 * second_ns,
                          memory_order_relaxed);
    cr_expect_not(store_is_failing(h.store));
    atomic_store_explicit(&h.store->busy_since_ns, store_now_ns() - 11 * second_ns,
                          memory_order_relaxed);
    cr_expect(store_is_failing(h.store));
    store_health_read(h.store, &health);
    cr_expect_eq(health.err, ERR_TIMEOUT);
    cr_expect_gt(health.failing_unix_s, 1500000000);
    cr_expect(help_contains(health.text, "ERR_TIMEOUT"));
    cr_expect_eq(help_put(&h, row(1)), 0);
    cr_expect_not(store_is_failing(h.store));
    help_deinit(&h);
}

/* Without a thread: the test is it. */
Test(failing, while_failing_it_tries_by_itself_and_says_so_every_minute)
{
    const uint64_t minute_ns = 60 * (uint64_t)1000000000;
    struct help h;

    help_init(&h);
    fake_reset();
    h.backend = &fake_backend;
    cr_assert_eq(help_open(&h), 0);
    log_ring_use(store_log(h.store));
    health_failed(h.store, ERR_STORE_IO, 0);
    cr_expect(help_contains(log_text(&h), "store_failing"));
    health_turn(h.store, store_now_ns() + minute_ns / 2);
    cr_expect_str_eq(log_text(&h), "");
    health_turn(h.store, store_now_ns() + minute_ns);
    cr_expect(help_contains(log_text(&h), "store_failing"));
    fake_fail(FAKE_COMMIT, ERR_STORE_IO, 1);
    batch_probe(h.store);
    cr_expect(store_is_failing(h.store));
    batch_probe(h.store);
    cr_expect_not(store_is_failing(h.store));
    cr_expect(help_contains(log_text(&h), "store_recovered"));
    log_ring_use(NULL);
    help_deinit(&h);
}
