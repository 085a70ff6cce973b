/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pool: classes, budget, injected failures, blocks that change their thread. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>

#include "base/pool.h"

Test(pool, blocks_are_distinct_aligned_and_large_enough)
{
    static void *blocks[200];

    for (size_t i = 0; i < 200; i++) {
        blocks[i] = pool_alloc(i * 37 + 1);
        cr_assert_not_null(blocks[i]);
        cr_assert_eq((uintptr_t)blocks[i] % 16, 0);
        cr_assert_geq(pool_block_bytes(blocks[i]), i * 37 + 1);
        memset(blocks[i], (int)i, i * 37 + 1);
    }
    for (size_t i = 0; i < 200; i++) {
        cr_assert_eq(((unsigned char *)blocks[i])[i * 37], (unsigned char)i);
        pool_free(blocks[i]);
    }
    cr_assert_eq(pool_used_bytes(), 0);
    pool_trim();
}

/* What a block holds beyond the request is waste times the number of streams. */
Test(pool, classes_fit_closely)
{
#ifdef FEDGATE_SANITIZED
    size_t step = 9973; /* each block is mapped and unmapped there: ten seconds with the other */
#else
    size_t step = 997;
#endif
    size_t before = 0;

    for (size_t size = 1; size <= POOL_BLOCK_BYTES_MAX; size += size < 4096 ? 1 : step) {
        void *block = pool_alloc(size);
        size_t bytes = pool_block_bytes(block);

        cr_assert_geq(bytes, size);
        cr_assert_geq(bytes, before);
        cr_assert(bytes < size + 16 || bytes <= size + size / 8, "%zu for %zu", bytes, size);
        cr_assert_eq(bytes % 16, 0);
        before = bytes;
        pool_free(block);
        block = pool_alloc(bytes); /* the class is what it says it is */
        cr_assert_eq(pool_block_bytes(block), bytes);
        pool_free(block);
    }
    cr_assert_eq(pool_used_bytes(), 0);
    pool_trim();
}

Test(pool, budget_and_size_limits)
{
    void *first;

    pool_set_budget(4096);
    first = pool_alloc(2048);
    cr_assert_not_null(first);
    cr_assert_null(pool_alloc(4096));
    pool_free(first);
    first = pool_alloc(4096);
    cr_assert_not_null(first);
    pool_free(first);
    pool_set_budget(0);
    cr_assert_null(pool_alloc(POOL_BLOCK_BYTES_MAX + 1));
    first = pool_alloc(POOL_BLOCK_BYTES_MAX);
    cr_assert_not_null(first);
    pool_free_wiped(first);
    pool_free(NULL);
}

Test(pool, nth_allocation_fails_once)
{
    void *a;
    void *b;

    pool_fail_nth(2);
    a = pool_alloc(10);
    b = pool_alloc(10);
    cr_assert_not_null(a);
    cr_assert_null(b);
    b = pool_zalloc(10);
    cr_assert_not_null(b);
    cr_assert_eq(((char *)b)[9], 0);
    pool_free(a);
    pool_free(b);
}

static void *free_elsewhere(void *block)
{
    int64_t used;

    pool_free(block);
    used = pool_used_bytes();
    pool_trim();
    return (void *)(intptr_t)used;
}

Test(pool, a_block_may_be_freed_by_another_thread)
{
    void *block = pool_alloc(1000);
    pthread_t thread;
    void *there;

    cr_assert_geq(pool_used_bytes(), 1000);
    cr_assert_eq(pthread_create(&thread, NULL, free_elsewhere, block), 0);
    cr_assert_eq(pthread_join(thread, &there), 0);
    cr_assert_eq(there, NULL, "the other thread gave nothing out");
    cr_assert_eq(pool_used_bytes(), 0);
}

static void *free_all_elsewhere(void *blocks)
{
    for (void **at = blocks; *at; at++) {
        pool_free(*at);
    }
    pool_trim();
    return NULL;
}

/* A shard whose stanzas go to another one has its budget for ever. */
Test(pool, what_others_free_is_within_the_budget_again)
{
    enum { ROUNDS = 20, BLOCKS = 8, BYTES = 1000 };
    void *blocks[BLOCKS + 1] = {NULL};
    pthread_t thread;

    pool_set_budget(BLOCKS * pool_block_bytes(blocks[0] = pool_alloc(BYTES)));
    pool_free(blocks[0]);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        for (uint32_t n = 0; n < BLOCKS; n++) {
            blocks[n] = pool_alloc(BYTES);
            cr_assert_not_null(blocks[n], "round %u, block %u", i, n);
        }
        cr_assert_null(pool_alloc(BYTES));
        cr_assert_eq(pthread_create(&thread, NULL, free_all_elsewhere, blocks), 0);
        cr_assert_eq(pthread_join(thread, NULL), 0);
    }
    pool_set_budget(0);
}
