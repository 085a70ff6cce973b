/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store over the fake database: when it commits, in which order, what it bounds, what it tells. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "fake.h"
#include "help.h"
#include "store/queue.h"

static void start(struct help *h)
{
    help_init(h);
    fake_reset();
    h->backend = &fake_backend;
    help_start(h);
}

static bool is_at_the_gate(void *ctx)
{
    (void)ctx;
    return atomic_load_explicit(&fake.waiting, memory_order_acquire) != 0;
}

/* The thread stands in a commit of shard 3's ticket, until open_gate(). */
static void close_gate(struct help *h)
{
    atomic_store_explicit(&fake.is_closed, 1, memory_order_release);
    (void)help_write(h, 3, help_contact(999999, STORE_STATE_ASKED), true);
    cr_assert(help_until(is_at_the_gate, NULL));
}

static void open_gate(void)
{
    atomic_store_explicit(&fake.is_closed, 0, memory_order_release);
}

static uint32_t told_count(struct help *h, uint32_t shard_idx)
{
    return atomic_load_explicit(&h->told[shard_idx].count, memory_order_acquire);
}

/* How often the number is among the first rows that were committed. */
static uint32_t count_before(uint32_t number, uint32_t end)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < end; i++) {
        count += fake.rows[i] == number;
    }
    return count;
}

static struct store_item row(uint32_t n)
{
    return help_contact(n, STORE_STATE_GRANTED);
}

Test(store, what_queues_up_during_a_commit_goes_into_the_next_one)
{
    struct help h;

    start(&h);
    close_gate(&h);
    for (uint32_t n = 1; n <= 100; n++) {
        cr_expect_eq(help_write(&h, n % 2, row(n), true), (n + 1) / 2);
    }
    open_gate();
    cr_expect_eq(help_await(&h, 0, 50), 0);
    cr_expect_eq(help_await(&h, 1, 50), 0);
    cr_expect_eq(atomic_load_explicit(&fake.commit_count, memory_order_acquire), 2);
    cr_expect_eq(fake.commits[0], 1);
    cr_expect_eq(fake.commits[1], 100);
    cr_expect_eq(told_count(&h, 0), 1); /* one call for all of them */
    cr_expect_eq(h.told[0].dones[0].first, 1);
    cr_expect_eq(h.told[0].dones[0].last, 50);
    help_deinit(&h);
}

Test(store, a_batch_is_bounded)
{
    struct store_stats stats;
    struct help h;

    start(&h);
    close_gate(&h);
    for (uint32_t n = 1; n <= 1500; n++) {
        (void)help_write(&h, 0, row(n), true);
    }
    open_gate();
    cr_expect_eq(help_await(&h, 0, 1500), 0);
    store_stats_read(h.store, &stats);
    cr_expect_eq(stats.batch_rows_max, 1024);
    cr_expect_eq(stats.rows, 1501);
    cr_expect_eq(stats.commits, 3);
    for (uint32_t n = 0; n < 1500; n++) {
        cr_assert_eq(fake.rows[n + 1], n + 1); /* in the order of tickets */
    }
    help_deinit(&h);
}

Test(store, a_shard_that_writes_much_does_not_hold_the_others)
{
    struct help h;

    start(&h);
    close_gate(&h);
    for (uint32_t n = 1; n <= 3000; n++) {
        (void)help_write(&h, 0, row(n), true);
    }
    (void)help_write(&h, 1, row(5001), true);
    (void)help_write(&h, 2, row(5002), true);
    open_gate();
    (void)help_await(&h, 0, 3000);
    cr_expect_eq(fake.commits[1], 1024);
    /* Both in the first batch, behind the one row of the gate. */
    cr_expect_eq(count_before(5001, 1025) + count_before(5002, 1025), 2);
    help_deinit(&h);
}

Test(store, lazy_ones_wait_for_an_urgent_one)
{
    struct store_stats stats;
    struct help h;

    start(&h);
    for (uint32_t n = 1; n <= 10; n++) {
        (void)help_write(&h, n % 3, row(n), false);
    }
    store_stats_read(h.store, &stats);
    cr_expect_eq(stats.commits, 0);
    cr_expect_eq(stats.queue_items, 10);
    cr_expect_gt(stats.queue_bytes, 1000);
    (void)help_await(&h, 1, help_write(&h, 1, row(11), true));
    store_stats_read(h.store, &stats);
    cr_expect_eq(stats.commits, 1);
    cr_expect_eq(fake.commits[0], 11); /* of all shards */
    help_deinit(&h);
}

Test(store, lazy_ones_go_when_the_queue_is_half_full)
{
    static char bytes[60000];
    struct store_item item = row(1);
    uint64_t ticket = 0;
    struct help h;

    start(&h);
    memset(bytes, 'x', sizeof(bytes));
    item.contact.document = slice_make(bytes, sizeof(bytes));
    for (uint32_t i = 0; i < 18; i++) { /* 18 * 60,000 > 2^21 / 2 */
        ticket = help_write(&h, 0, item, false);
    }
    cr_expect_eq(help_await(&h, 0, ticket), 0);
    help_deinit(&h);
}

struct waiter {
    struct help *h;
    uint32_t count;
};

static bool is_told_more(void *ctx)
{
    struct waiter *w = ctx;

    return told_count(w->h, 0) > w->count;
}

Test(store, a_full_queue_refuses_until_the_next_acknowledgement)
{
    struct store_stats stats;
    struct store_item item = row(7);
    uint64_t last = 0;
    uint64_t ticket = 77;
    struct waiter w;
    struct help h;
    int err = 0;

    start(&h);
    close_gate(&h);
    while (err == 0) {
        err = store_write(h.store, 0, &item, &ticket);
        last = err ? last : ticket;
        cr_assert_lt(last, 100000);
    }
    cr_expect_eq(err, ERR_FULL);
    cr_expect_eq(ticket, last); /* not touched */
    store_stats_read(h.store, &stats);
    cr_expect_eq(stats.queue_full, 1);
    cr_expect_eq(stats.queue_items, last + 1);
    cr_expect_eq(store_write(h.store, 1, &item, &ticket), 0); /* each shard its own */
    w = (struct waiter){&h, 0};
    open_gate();
    cr_expect(help_until(is_told_more, &w));
    cr_expect_eq(help_write(&h, 0, item, true), last + 1);
    cr_expect_eq(help_await(&h, 0, last + 1), 0);
    help_deinit(&h);
}

Test(store, an_item_of_any_size_fits_an_empty_queue_wherever_it_stands)
{
    static char bytes[STORE_DOCUMENT_BYTES_MAX];
    static char name[STORE_ADDRESS_BYTES_MAX];
    struct store_item large = row(1);
    struct help h;

    start(&h);
    memset(bytes, 'x', sizeof(bytes));
    memset(name, 'n', sizeof(name));
    large.contact.pair = (struct store_pair){slice_make(name, sizeof(name)),
                                             slice_make(name, sizeof(name)),
                                             slice_make(name, sizeof(name)),
                                             slice_make(name, sizeof(name))};
    large.contact.dialogs = slice_make(bytes, STORE_DIALOGS_BYTES_MAX);
    large.contact.document = slice_make(bytes, STORE_DOCUMENT_BYTES_MAX);
    for (uint32_t i = 0; i < 300; i++) {
        struct store_item small = row(i);

        small.contact.document = slice_make(bytes, i * 97);
        cr_assert_eq(help_put(&h, i % 3 ? small : large), 0);
    }
    help_deinit(&h);
}

Test(store, what_can_never_be_stored_is_refused_at_once)
{
    static char bytes[STORE_DOCUMENT_BYTES_MAX + 1];
    struct store_item item = row(1);
    uint64_t ticket = 0;
    struct help h;

    start(&h);
    memset(bytes, 'x', sizeof(bytes));
    item.contact.document = slice_make(bytes, STORE_DOCUMENT_BYTES_MAX + 1);
    cr_expect_eq(store_write(h.store, 0, &item, &ticket), ERR_LIMIT);
    item = row(1);
    item.contact.dialogs = slice_make(bytes, STORE_DIALOGS_BYTES_MAX + 1);
    cr_expect_eq(store_write(h.store, 0, &item, &ticket), ERR_LIMIT);
    item = row(1);
    item.contact.pair.remote_user = slice_make(bytes, STORE_ADDRESS_BYTES_MAX + 1);
    cr_expect_eq(store_write(h.store, 0, &item, &ticket), ERR_LIMIT);
    item = row(1);
    item.contact.pair.remote_user = SLICE_LIT("a\0b");
    cr_expect_eq(store_write(h.store, 0, &item, &ticket), ERR_BAD_INPUT);
    item = row(1);
    item.contact.pair.local_domain = SLICE_NONE;
    cr_expect_eq(store_write(h.store, 0, &item, &ticket), ERR_BAD_INPUT);
    item = row(1);
    item.contact.state = STORE_STATE_COUNT;
    cr_expect_eq(store_write(h.store, 0, &item, &ticket), ERR_BAD_INPUT);
    item = row(1);
    item.contact.direction = STORE_DIRECTION_COUNT;
    cr_expect_eq(store_write(h.store, 0, &item, &ticket), ERR_BAD_INPUT);
    item = row(1);
    item.contact.asked_unix_s = -1;
    cr_expect_eq(store_write(h.store, 0, &item, &ticket), ERR_BAD_INPUT);
    item = help_reach(1, 4, 0);
    cr_expect_eq(store_write(h.store, 0, &item, &ticket), ERR_BAD_INPUT);
    item = (struct store_item){.what = STORE_PUT_FACT,
                               .fact = {SLICE_LIT("store.clean"), SLICE_LIT("1")}};
    cr_expect_eq(store_write(h.store, 0, &item, &ticket), ERR_BAD_INPUT);
    item.what = STORE_WHAT_COUNT;
    cr_expect_eq(store_write(h.store, 0, &item, &ticket), ERR_BAD_INPUT);
    cr_expect_eq(ticket, 0);
    cr_expect_eq(help_write(&h, 0, row(1), true), 1); /* no ticket was spent */
    help_deinit(&h);
}

Test(store, stop_commits_and_tells_everything_then_refuses)
{
    struct store_item item = row(5);
    uint64_t ticket;
    struct help h;

    start(&h);
    for (uint32_t n = 1; n <= 3000; n++) {
        (void)help_write(&h, n % 4, row(n), false);
    }
    cr_expect_eq(store_stop(h.store, HELP_WAIT_MS), 0);
    for (uint32_t i = 0; i < 4; i++) {
        cr_expect_eq(atomic_load_explicit(&h.told[i].last, memory_order_acquire), 750);
    }
    cr_expect_eq(store_write(h.store, 0, &item, &ticket), ERR_SHUTDOWN);
    cr_expect_eq(atomic_load_explicit(&fake.row_count, memory_order_acquire), 3000);
    cr_expect_eq(atomic_load_explicit(&fake.is_open, memory_order_acquire), 0);
    cr_expect_eq(atomic_load_explicit(&fake.was_closed_clean, memory_order_acquire), 1);
    help_deinit(&h);
}

Test(store, stop_does_not_wait_for_ever_for_a_shard_that_takes_nothing)
{
    struct help h;

    start(&h);
    atomic_store_explicit(&h.told[0].refuse_next, 1000000000, memory_order_release);
    (void)help_write(&h, 0, row(1), true);
    (void)help_write(&h, 1, row(2), true);
    for (uint32_t n = 3; n < 50; n++) {
        (void)help_write(&h, 0, row(n), false);
    }
    cr_expect_eq(store_stop(h.store, 2000), 0);
    cr_expect_eq(atomic_load_explicit(&fake.row_count, memory_order_acquire), 49); /* durable */
    cr_expect_eq(told_count(&h, 0), 0);
    cr_expect_eq(told_count(&h, 1), 1);
    help_deinit(&h);
}

Test(store, stop_of_a_disk_that_hangs_ends_in_time)
{
    struct help h;

    start(&h);
    close_gate(&h);
    cr_expect_eq(store_stop(h.store, 50), ERR_TIMEOUT);
    store_free(h.store); /* nothing happens to what the thread uses */
    open_gate();
    cr_expect_eq(store_stop(h.store, HELP_WAIT_MS), 0);
    help_deinit(&h);
}

Test(store, postgresql_is_refused_without_repeating_the_target)
{
    struct help h;

    help_init(&h);
    (void)snprintf(h.path, sizeof(h.path), "postgresql://u:hunter2@h/db");
    cr_expect_eq(help_open(&h), ERR_UNSUPPORTED);
    cr_expect(help_contains(h.why, "later version"));
    cr_expect_null(strstr(h.why, "hunter2"));
    help_deinit(&h);
}

/* --- everything at once ----------------------------------------------------------------------- */

enum { STRESS_ROWS = 20000 };

struct writer {
    struct help *h;
    uint32_t shard_idx;
};

static void *write_rows(void *arg)
{
    struct writer *w = arg;
    uint32_t random = w->shard_idx + 1;
    uint64_t ticket;

    for (uint32_t n = 1; n <= STRESS_ROWS;) {
        char user[16];
        struct store_item item = {.what = STORE_PUT_CONTACT};
        int err;

        (void)snprintf(user, sizeof(user), "u%u", n * HELP_SHARDS + w->shard_idx);
        item.contact.pair = (struct store_pair){slice_from_cstr(user), SLICE_LIT("l"), SLICE_NONE,
                                                SLICE_LIT("r")};
        random = random * 1664525u + 1013904223u;
        item.is_urgent = (random >> 16) % 8 == 0;
        err = store_write(w->h->store, w->shard_idx, &item, &ticket);
        cr_assert(err == 0 || err == ERR_FULL);
        if (err == 0) {
            cr_assert_eq(ticket, n);
            n++;
        }
        if ((random >> 16) % 4096 == 0) {
            atomic_store_explicit(&w->h->told[w->shard_idx].refuse_next, 3, memory_order_release);
        }
    }
    return NULL;
}

/* Marks in outcome what shard_idx was told; asserts that it was all, once, in order. */
static void check_told(struct help *h, uint32_t shard_idx, uint8_t *was_good)
{
    uint64_t next = 1;

    for (uint32_t i = 0; i < told_count(h, shard_idx); i++) {
        const struct store_done *d = &h->told[shard_idx].dones[i];

        cr_assert_eq(d->first, next);
        cr_assert_geq(d->last, d->first);
        cr_assert(d->err == 0 || d->err == ERR_STORE_IO || d->err == ERR_STORE_ITEM);
        for (uint64_t n = d->first; n <= d->last; n++) {
            was_good[n * HELP_SHARDS + shard_idx] = d->err == 0;
        }
        next = d->last + 1;
    }
    cr_assert_eq(next, STRESS_ROWS + 1);
}

Test(store, four_shards_write_while_commits_fail_and_acknowledgements_are_refused)
{
    static uint8_t was_good[(STRESS_ROWS + 1) * HELP_SHARDS];
    struct writer writers[HELP_SHARDS];
    pthread_t threads[HELP_SHARDS];
    uint32_t good = 0;
    struct help h;

    help_init(&h);
    fake_reset();
    h.backend = &fake_backend;
    h.lazy_ms = 1;
    atomic_store_explicit(&fake.fail_one_in, 7, memory_order_release);
    atomic_store_explicit(&fake.poison_commit, 997, memory_order_release);
    help_start(&h);
    for (uint32_t i = 0; i < HELP_SHARDS; i++) {
        writers[i] = (struct writer){&h, i};
        cr_assert_eq(pthread_create(&threads[i], NULL, write_rows, &writers[i]), 0);
    }
    for (uint32_t i = 0; i < HELP_SHARDS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    for (uint32_t i = 0; i < HELP_SHARDS; i++) {
        atomic_store_explicit(&h.told[i].refuse_next, 0, memory_order_release);
    }
    cr_assert_eq(store_stop(h.store, HELP_WAIT_MS), 0);
    for (uint32_t i = 0; i < HELP_SHARDS; i++) {
        check_told(&h, i, was_good);
    }
    /* What was committed is exactly what was told to be good. */
    for (uint32_t i = 0; i < atomic_load_explicit(&fake.row_count, memory_order_acquire); i++) {
        cr_assert_eq(was_good[fake.rows[i]], 1);
        was_good[fake.rows[i]] = 2;
    }
    for (uint32_t i = 0; i < sizeof(was_good); i++) {
        cr_assert_neq(was_good[i], 1);
        good += was_good[i] == 2;
    }
    cr_expect_gt(good, 0);
    cr_expect_gt(atomic_load_explicit(&fake.failed, memory_order_acquire), 0);
    help_deinit(&h);
}
