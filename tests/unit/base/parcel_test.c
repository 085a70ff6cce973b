/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pool: when blocks that another thread frees are sent home, and when they are taken there. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>

#include "base/pool.h"

enum { BLOCKS_MAX = 64, HEAD_BYTES = 16, PARCEL_MAX = 62 };

/* The other thread: frees first_count blocks, then (once told) the rest of count. */
struct job {
    void *blocks[BLOCKS_MAX];
    uint32_t first_count;
    uint32_t count;
    bool is_gathering;
    bool is_trimming; /* behind the first */
    pthread_t thread;
    sem_t done;
    sem_t go_on;
};

static void *other(void *ctx)
{
    struct job *j = ctx;

    pool_gather(j->is_gathering);
    for (uint32_t i = 0; i < j->count; i++) {
        if (i == j->first_count) {
            (void)sem_post(&j->done);
            (void)sem_wait(&j->go_on);
        }
        pool_free(j->blocks[i]);
    }
    if (j->is_trimming) {
        pool_trim();
    }
    (void)sem_post(&j->done);
    (void)sem_wait(&j->go_on);
    pool_gather(false);
    pool_trim();
    return NULL;
}

static void start(struct job *j, uint32_t count, size_t bytes)
{
    j->count = count;
    (void)sem_init(&j->done, 0, 0);
    (void)sem_init(&j->go_on, 0, 0);
    for (uint32_t i = 0; i < count; i++) {
        j->blocks[i] = pool_alloc(bytes);
        cr_assert_not_null(j->blocks[i]);
    }
    cr_assert_eq(pthread_create(&j->thread, NULL, other, j), 0);
    (void)sem_wait(&j->done);
}

static void step(struct job *j)
{
    (void)sem_post(&j->go_on);
    (void)sem_wait(&j->done);
}

static void end(struct job *j)
{
    (void)sem_post(&j->go_on);
    cr_assert_eq(pthread_join(j->thread, NULL), 0);
    while (pool_take_home()) {
    }
    cr_assert_eq(pool_held_bytes(), 0);
    pool_trim();
}

#ifndef FEDGATE_SANITIZED
/* The first block holds the names of the others: as many as it has room for, not one more. */
Test(parcel, is_sent_when_its_first_block_is_full)
{
    const size_t sizes[] = {16, 32, 48, 64, 128, 256, 448, 512, 1024};

    for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        size_t room = (sizes[i] - HEAD_BYTES) / sizeof(void *);
        struct job j = {.is_gathering = true};
        int64_t used;

        room = room < PARCEL_MAX ? room : PARCEL_MAX;
        j.first_count = (uint32_t)room;
        used = (int64_t)((room + 1) * sizes[i]);
        start(&j, (uint32_t)room + 1, sizes[i]);
        cr_expect_eq(pool_used_bytes(), used, "%zu: sent early", sizes[i]);
        step(&j);
        cr_expect_eq(pool_used_bytes(), 0, "%zu: not sent", sizes[i]);
        end(&j);
    }
}

Test(parcel, an_empty_list_is_filled_with_what_came_home)
{
    struct job j = {.first_count = 1};
    void *block;

    start(&j, 1, 500);
    block = pool_alloc(500);
    cr_expect_eq(block, j.blocks[0]);
    pool_free(block);
    end(&j);
}
#endif

Test(parcel, who_does_not_gather_sends_each_at_once)
{
    struct job j = {.first_count = 1};

    start(&j, 2, 500);
    cr_expect_eq(pool_used_bytes(), (int64_t)pool_block_bytes(j.blocks[1]));
    step(&j);
    cr_expect_eq(pool_used_bytes(), 0);
    end(&j);
}

Test(parcel, who_trims_sends_what_was_gathered)
{
    struct job j = {.first_count = 2, .is_gathering = true, .is_trimming = true};

    start(&j, 2, 500);
    cr_expect_eq(pool_used_bytes(), 0);
    end(&j);
}

/* Three of them, of which the third makes room. */
Test(parcel, as_many_are_opened_as_the_budget_needs)
{
    struct job j = {.first_count = 3};
    void *block;

    pool_set_budget(3 * 112);
    start(&j, 3, 112);
    block = pool_alloc(300);
    cr_expect_not_null(block);
    cr_expect_leq(pool_held_bytes(), 3 * 112, "beyond the budget");
    pool_free(block);
    pool_set_budget(0);
    end(&j);
}
