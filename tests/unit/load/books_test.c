/* SPDX-License-Identifier: GPL-2.0-or-later */
/* books: each number once and in order, and what is counted when not. */
#include <criterion/criterion.h>
#include <pthread.h>

#include "load/books.h"

static uint64_t intended;

Test(books, in_order_is_clean_and_gives_the_intended_time)
{
    struct books *b = books_new(2, 1, false);

    cr_assert_eq(b->ring_count, 64);
    for (uint64_t i = 0; i < 1000; i++) {
        cr_assert_eq(books_send(b, 1, 5000 + i), i);
        cr_assert_eq(books_in_flight(b, 1), 1);
        cr_assert_eq(books_arrive(b, 1, i, &intended), BOOKS_IN_ORDER);
        cr_assert_eq(intended, 5000 + i);
    }
    cr_assert_eq(books_count(b).sent, 1000);
    cr_assert_eq(books_count(b).arrived, 1000);
    cr_assert_eq(books_count(b).out_of_order + books_count(b).duplicated, 0);
    cr_assert_eq(books_in_flight(b, 1), 0);
    books_free(b);
}

Test(books, what_was_not_sent_is_unknown)
{
    struct books *b = books_new(1, 1, false);

    cr_assert_eq(books_arrive(b, 0, 0, &intended), BOOKS_UNKNOWN);
    cr_assert_eq(books_arrive(b, 1, 0, &intended), BOOKS_UNKNOWN, "no such flow");
    (void)books_send(b, 0, 1);
    cr_assert_eq(books_arrive(b, 0, 1, &intended), BOOKS_UNKNOWN);
    cr_assert_eq(books_refuse(b, 0, 1), BOOKS_UNKNOWN);
    cr_assert_eq(books_count(b).arrived, 0);
    books_free(b);
}

Test(books, a_second_arrival_is_a_duplicate_before_and_behind_due)
{
    struct books *b = books_new(1, 1, false);

    for (unsigned i = 0; i < 4; i++) {
        (void)books_send(b, 0, i);
    }
    cr_assert_eq(books_arrive(b, 0, 2, &intended), BOOKS_OUT_OF_ORDER);
    cr_assert_eq(books_arrive(b, 0, 2, &intended), BOOKS_DUPLICATE, "while 0 and 1 are missing");
    cr_assert_eq(books_arrive(b, 0, 0, &intended), BOOKS_OUT_OF_ORDER);
    cr_assert_eq(books_arrive(b, 0, 0, &intended), BOOKS_DUPLICATE);
    cr_assert_eq(books_arrive(b, 0, 1, &intended), BOOKS_IN_ORDER);
    cr_assert_eq(books_arrive(b, 0, 2, &intended), BOOKS_DUPLICATE, "when all before have come");
    cr_assert_eq(books_count(b).duplicated, 3);
    cr_assert_eq(books_count(b).arrived, 3);
    cr_assert_eq(books_count(b).out_of_order, 2);
    cr_assert_eq(books_in_flight(b, 0), 1);
    books_free(b);
}

Test(books, a_gap_is_one_disorder_and_one_loss)
{
    struct books *b = books_new(1, 1, false);
    struct books_counts counts;

    for (unsigned i = 0; i < 10; i++) {
        (void)books_send(b, 0, i);
    }
    for (unsigned i = 0; i < 10; i++) {
        if (i != 4) {
            (void)books_arrive(b, 0, i, &intended);
        }
    }
    counts = books_count(b);
    cr_assert_eq(counts.out_of_order, 1);
    cr_assert_eq(counts.sent - counts.arrived - counts.refused, 1);
    books_free(b);
}

Test(books, room_ends_at_the_ring_behind_the_oldest_missing)
{
    struct books *b = books_new(1, 64, false);

    for (unsigned i = 0; i < 64; i++) {
        cr_assert_eq(books_room(b, 0), 64 - i);
        (void)books_send(b, 0, i);
    }
    cr_assert_eq(books_room(b, 0), 0);
    for (unsigned i = 1; i < 64; i++) {
        (void)books_arrive(b, 0, i, &intended);
    }
    cr_assert_eq(books_room(b, 0), 0, "number 0 holds the ring");
    (void)books_arrive(b, 0, 0, &intended);
    cr_assert_eq(books_room(b, 0), 64);
    /* The same places again, with nothing left of the last round. */
    for (unsigned i = 64; i < 128; i++) {
        (void)books_send(b, 0, i);
        cr_assert_eq(books_arrive(b, 0, i, &intended), i == 64 ? BOOKS_OUT_OF_ORDER
                                                                : BOOKS_IN_ORDER);
        cr_assert_eq(intended, i);
    }
    books_free(b);
}

Test(books, a_refused_number_is_settled_and_keeps_the_order)
{
    struct books *b = books_new(1, 1, false);
    struct books_counts counts;

    for (unsigned i = 0; i < 3; i++) {
        (void)books_send(b, 0, i);
    }
    (void)books_arrive(b, 0, 0, &intended);
    cr_assert_eq(books_refuse(b, 0, 1), BOOKS_IN_ORDER);
    cr_assert_eq(books_refuse(b, 0, 1), BOOKS_DUPLICATE);
    cr_assert_eq(books_arrive(b, 0, 2, &intended), BOOKS_IN_ORDER);
    counts = books_count(b);
    cr_assert_eq(counts.refused, 1);
    cr_assert_eq(counts.arrived, 2);
    cr_assert_eq(counts.out_of_order, 0);
    books_free(b);
}

#define ROUNDS 50000u
static struct books *shared;

static void *take_all(void *from)
{
    uint64_t time;

    for (uint64_t i = *(const uint64_t *)from; i < ROUNDS; i += 2) {
        while (books_arrive(shared, 0, i, &time) == BOOKS_UNKNOWN) {
        }
    }
    return NULL;
}

Test(books, two_shards_may_receive_one_flow)
{
    static const uint64_t even = 0;
    static const uint64_t odd = 1;
    pthread_t threads[2];

    shared = books_new(1, 64, true);
    cr_assert_eq(pthread_create(&threads[0], NULL, take_all, (void *)(uintptr_t)&even), 0);
    cr_assert_eq(pthread_create(&threads[1], NULL, take_all, (void *)(uintptr_t)&odd), 0);
    for (uint64_t i = 0; i < ROUNDS;) {
        if (books_room(shared, 0) > 0) {
            (void)books_send(shared, 0, i++);
        }
    }
    (void)pthread_join(threads[0], NULL);
    (void)pthread_join(threads[1], NULL);
    cr_assert_eq(books_count(shared).arrived, ROUNDS);
    cr_assert_eq(books_count(shared).duplicated, 0);
    cr_assert_eq(books_in_flight(shared, 0), 0);
    books_free(shared);
}
