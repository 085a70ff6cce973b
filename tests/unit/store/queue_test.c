/* SPDX-License-Identifier: GPL-2.0-or-later */
/* queue and record: what goes in comes out, in order, over the wrap, between two threads. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/queue.h"

static struct queue *queue_new(void)
{
    struct queue *q = aligned_alloc(64, sizeof(*q));

    queue_init(q, 0);
    return q;
}

static void queue_end(struct queue *q)
{
    queue_deinit(q);
    free(q);
}

Test(queue, every_kind_comes_out_as_it_went_in)
{
    const struct store_pair pair = {SLICE_LIT("a"), SLICE_LIT("b"), SLICE_LIT(""), SLICE_LIT("d")};
    struct queue *q = queue_new();
    struct store_item item = {.what = STORE_PUT_CONTACT, .is_urgent = true};
    struct store_item out;
    uint64_t ticket = 0;

    item.contact = (struct store_contact){.pair = pair,
                                          .direction = STORE_IN,
                                          .state = STORE_STATE_DENIED,
                                          .asked_by = STORE_BY_ADMIN,
                                          .asked_unix_s = 1,
                                          .changed_unix_s = INT64_MAX,
                                          .keep_dialogs = true,
                                          .dialogs = SLICE_LIT("not taken"),
                                          .document = SLICE_LIT("\0\1\2")};
    cr_assert(queue_push(q, &item, &ticket));
    record_read(queue_take(q), &out);
    cr_expect_eq(out.what, STORE_PUT_CONTACT);
    cr_expect(out.is_urgent);
    cr_expect(slice_eq_cstr(out.contact.pair.local_user, "a"));
    cr_expect(slice_eq_cstr(out.contact.pair.local_domain, "b"));
    cr_expect(slice_is_empty(out.contact.pair.remote_user));
    cr_expect(slice_eq_cstr(out.contact.pair.remote_domain, "d"));
    cr_expect_eq(out.contact.direction, STORE_IN);
    cr_expect_eq(out.contact.state, STORE_STATE_DENIED);
    cr_expect_eq(out.contact.asked_by, STORE_BY_ADMIN);
    cr_expect_eq(out.contact.asked_unix_s, 1);
    cr_expect_eq(out.contact.changed_unix_s, INT64_MAX);
    cr_expect(out.contact.keep_dialogs);
    cr_expect_not(out.contact.keep_document);
    cr_expect(slice_is_empty(out.contact.dialogs));
    cr_expect(slice_eq(out.contact.document, SLICE_LIT("\0\1\2")));

    item = (struct store_item){.what = STORE_PUT_REACH, .reach = {pair, 3, 99}};
    cr_assert(queue_push(q, &item, &ticket));
    record_read(queue_take(q), &out);
    cr_expect_eq(out.reach.flags, 3);
    cr_expect_eq(out.reach.wrote_unix_s, 99);
    cr_expect(slice_eq_cstr(out.reach.pair.remote_domain, "d"));

    item = (struct store_item){.what = STORE_DROP_FACT, .fact = {SLICE_LIT("n"), SLICE_LIT("v")}};
    cr_assert(queue_push(q, &item, &ticket));
    cr_expect_eq(ticket, 3);
    record_read(queue_take(q), &out);
    cr_expect_eq(out.what, STORE_DROP_FACT);
    cr_expect(slice_eq_cstr(out.fact.name, "n"));
    cr_expect_null(queue_take(q));
    queue_end(q);
}

Test(queue, urgent_and_untaken_are_told)
{
    struct queue *q = queue_new();
    struct store_item item = {.what = STORE_DROP_FACT, .fact = {.name = SLICE_LIT("n")}};
    uint64_t ticket;

    cr_expect_not(queue_has_untaken(q));
    cr_assert(queue_push(q, &item, &ticket));
    cr_expect(queue_has_untaken(q));
    cr_expect_not(queue_has_urgent(q));
    item.is_urgent = true;
    cr_assert(queue_push(q, &item, &ticket));
    cr_expect(queue_has_urgent(q));
    cr_assert_not_null(queue_take(q));
    cr_expect(queue_has_urgent(q));
    cr_assert_not_null(queue_take(q));
    cr_expect_not(queue_has_urgent(q));
    cr_expect_not(queue_has_untaken(q));
    cr_expect_eq(queue_items(q), 2); /* until they are released */
    queue_release(q);
    cr_expect_eq(queue_items(q), 1);
    cr_expect_eq(queue_first_taken(q)->ticket, 2);
    queue_release(q);
    cr_expect_null(queue_first_taken(q));
    cr_expect_eq(queue_items(q), 0);
    cr_expect_eq(queue_bytes(q), 0);
    queue_end(q);
}

enum { THREAD_ITEMS = 100000 };

static uint32_t size_of(uint64_t ticket)
{
    return (uint32_t)(ticket * 2654435761u % 3000);
}

static void *push_all(void *arg)
{
    static char bytes[3000];
    struct store_item item = {.what = STORE_PUT_CONTACT};
    uint64_t ticket = 0;

    item.contact.pair.local_domain = item.contact.pair.remote_domain = SLICE_LIT("d");
    while (ticket < THREAD_ITEMS) {
        memset(bytes, (int)(ticket + 1) & 0x7f, sizeof(bytes));
        item.contact.document = slice_make(bytes, size_of(ticket + 1));
        item.contact.changed_unix_s = (int64_t)ticket + 1;
        if (!queue_push(arg, &item, &ticket)) {
            (void)sched_yield();
        }
    }
    return NULL;
}

Test(queue, two_threads)
{
    struct queue *q = queue_new();
    uint64_t expected = 1;
    uint64_t wrong = 0;
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, push_all, q), 0);
    while (expected <= THREAD_ITEMS) {
        struct record *r = queue_take(q);
        struct store_item out;

        if (!r) {
            cr_assert_leq(queue_items(q), THREAD_ITEMS);
            continue;
        }
        record_read(r, &out);
        cr_assert_eq(r->ticket, expected);
        cr_assert_eq(out.contact.changed_unix_s, (int64_t)expected);
        cr_assert_eq(out.contact.document.len, size_of(expected));
        for (size_t i = 0; i < out.contact.document.len; i++) {
            wrong += out.contact.document.ptr[i] != (char)(expected & 0x7f);
        }
        r->err = -1; /* the consumer's field */
        if (expected % 16 == 0) {
            for (uint32_t i = 0; i < 16; i++) {
                queue_release(q);
            }
        }
        expected++;
    }
    (void)pthread_join(thread, NULL);
    cr_expect_eq(wrong, 0);
    queue_end(q);
}
