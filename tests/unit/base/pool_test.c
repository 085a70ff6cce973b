/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pool: classes, budget, injected failures, blocks that change their thread. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
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

/* ---- blocks that go home in parcels ---- */

enum { GATHERED = 200 };

struct gathering {
    void *blocks[GATHERED];
    sem_t freed;
    sem_t send;
    sem_t sent;
};

static void *gather(void *ctx)
{
    struct gathering *g = ctx;

    pool_gather(true);
    for (uint32_t i = 0; i < GATHERED; i++) {
        pool_free(g->blocks[i]);
    }
    (void)sem_post(&g->freed);
    (void)sem_wait(&g->send);
    pool_send_home();
    (void)sem_post(&g->sent);
    pool_gather(false);
    pool_trim();
    return NULL;
}

/* Blocks of all sizes, small ones first: the first is the parcel, and names as many as it holds. */
Test(pool, gathered_blocks_come_home_and_are_used_again)
{
    static struct gathering g;
    void *old[GATHERED];
    uint32_t again = 0;
    int64_t used;
    pthread_t thread;

    (void)sem_init(&g.freed, 0, 0);
    (void)sem_init(&g.send, 0, 0);
    (void)sem_init(&g.sent, 0, 0);
    for (uint32_t i = 0; i < GATHERED; i++) {
        g.blocks[i] = pool_alloc(1 + i * 7);
        cr_assert_not_null(g.blocks[i]);
        memset(g.blocks[i], (int)i, 1 + i * 7);
        old[i] = g.blocks[i];
    }
    used = pool_used_bytes();
    cr_assert_eq(pthread_create(&thread, NULL, gather, &g), 0);
    (void)sem_wait(&g.freed);
    cr_expect_lt(pool_used_bytes(), used, "full parcels are under way");
    (void)sem_post(&g.send);
    (void)sem_wait(&g.sent);
    cr_expect_eq(pool_used_bytes(), 0, "%ld", (long)pool_used_bytes());
    while (pool_take_home()) {
    }
    for (uint32_t i = 0; i < GATHERED; i++) {
        void *block = pool_alloc(1 + i * 7);

        cr_assert_not_null(block);
        memset(block, (int)i, 1 + i * 7);
        for (uint32_t n = 0; n < GATHERED; n++) {
            again += block == old[n];
        }
        g.blocks[i] = block;
    }
#ifndef FEDGATE_SANITIZED
    cr_expect_eq(again, GATHERED, "%u of them", again);
#endif
    for (uint32_t i = 0; i < GATHERED; i++) {
        pool_free(g.blocks[i]);
    }
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_expect_eq(pool_used_bytes(), 0);
    pool_trim();
}

static void *free_many(void *blocks)
{
    void **at = blocks;

    pool_gather(true);
    for (; *at; at++) {
        pool_free(*at);
    }
    pool_gather(false);
    pool_trim();
    return NULL;
}

/* A queue that empties on another shard must not cost the owner a turn of its own, nor its memory
 * be in nobody's account. */
Test(pool, much_that_comes_home_is_taken_bit_by_bit_and_counts_until_then)
{
    enum { MANY = 5000, BYTES = 500 };
    static void *blocks[MANY + 1];
    uint32_t takes = 0;
    int64_t held;
    void *block;
    pthread_t thread;

    for (uint32_t i = 0; i < MANY; i++) {
        blocks[i] = pool_alloc(BYTES);
        cr_assert_not_null(blocks[i]);
    }
    held = pool_held_bytes();
    cr_expect_eq(held, pool_used_bytes());
    cr_assert_eq(pthread_create(&thread, NULL, free_many, blocks), 0);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_expect_eq(pool_used_bytes(), 0);
    cr_expect_eq(pool_held_bytes(), held);
    pool_set_budget((uint64_t)held); /* full: one more takes one parcel and no more */
    block = pool_alloc(BYTES);
    cr_assert_not_null(block);
    pool_set_budget(0);
    pool_free(block);
#ifndef FEDGATE_SANITIZED
    cr_expect_gt(pool_held_bytes(), held / 2);
    while (pool_take_home()) {
        takes++;
    }
    cr_expect_geq(takes, MANY / 1000, "%u times", takes);
#else
    while (pool_take_home()) {
        takes++;
    }
#endif
    cr_expect_eq(pool_held_bytes(), 0);
    pool_trim();
}

/* Two threads that make blocks for each other, of many sizes; both free what they get. */
enum { PASSES = 20000, SLOTS = 64 };

struct passing {
    _Atomic(unsigned char *) slots[2][SLOTS]; /* to the thread of that number */
    _Atomic int64_t used[2];
    _Atomic uint32_t done_count;
    _Atomic uint32_t next_idx;
};

static void take(struct passing *p, uint32_t me, uint32_t slot)
{
    unsigned char *got = atomic_exchange_explicit(&p->slots[me][slot], NULL, memory_order_acquire);

    if (got) {
        size_t bytes = pool_block_bytes(got);

        cr_assert(got[0] == got[bytes - 1] && got[0] == got[bytes / 2]);
        memset(got, 0xee, bytes);
        pool_free(got);
    }
}

static void *pass(void *ctx)
{
    struct passing *p = ctx;
    uint32_t me = atomic_fetch_add_explicit(&p->next_idx, 1, memory_order_relaxed);
    uint32_t random = me + 1;

    pool_gather(true);
    for (uint32_t i = 0; i < PASSES; i++) {
        unsigned char *block;
        unsigned char *none = NULL;

        random = random * 1664525u + 1013904223u;
        take(p, me, i % SLOTS);
        block = pool_alloc((random >> 16) % 1500);
        cr_assert_not_null(block);
        memset(block, (int)i, pool_block_bytes(block));
        if (!atomic_compare_exchange_strong_explicit(&p->slots[1 - me][i % SLOTS], &none, block,
                                                     memory_order_release, memory_order_relaxed)) {
            pool_free(block);
        }
        if (i % 32 == 0) {
            pool_send_home();
        }
    }
    (void)atomic_fetch_add_explicit(&p->done_count, 1, memory_order_acq_rel);
    while (atomic_load_explicit(&p->done_count, memory_order_acquire) < 2) {
    }
    for (uint32_t i = 0; i < SLOTS; i++) {
        take(p, me, i);
    }
    pool_gather(false);
    (void)atomic_fetch_add_explicit(&p->done_count, 1, memory_order_acq_rel);
    while (atomic_load_explicit(&p->done_count, memory_order_acquire) < 4) {
    }
    atomic_store_explicit(&p->used[me], pool_used_bytes(), memory_order_relaxed);
    pool_trim();
    return NULL;
}

Test(pool, accounts_of_two_threads_that_free_for_each_other_end_at_nothing)
{
    static struct passing p;
    pthread_t threads[2];

    for (uint32_t i = 0; i < 2; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, pass, &p), 0);
    }
    for (uint32_t i = 0; i < 2; i++) {
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
    }
    for (uint32_t i = 0; i < 2; i++) {
        cr_expect_eq(atomic_load_explicit(&p.used[i], memory_order_relaxed), 0);
    }
}

/* More threads than there are accounts: the last ones share one. */
enum { CROWD = 256 + 8, CROWD_BYTES = 300 };

struct crowd {
    void *blocks[CROWD];
    int64_t left[CROWD];
    _Atomic uint32_t next_idx;
    pthread_barrier_t all;
};

/* Each makes a block, frees its neighbour's, and sees its own come home. */
static void *one_of_many(void *ctx)
{
    struct crowd *c = ctx;
    uint32_t me = atomic_fetch_add_explicit(&c->next_idx, 1, memory_order_relaxed);

    pool_gather(true);
    c->blocks[me] = pool_alloc(CROWD_BYTES);
    cr_assert_not_null(c->blocks[me]);
    memset(c->blocks[me], (int)me, CROWD_BYTES);
    (void)pthread_barrier_wait(&c->all);
    cr_assert_eq(((unsigned char *)c->blocks[(me + 1) % CROWD])[CROWD_BYTES - 1],
                 (unsigned char)((me + 1) % CROWD));
    pool_free(c->blocks[(me + 1) % CROWD]);
    pool_send_home();
    (void)pthread_barrier_wait(&c->all);
    while (pool_take_home()) {
    }
    (void)pthread_barrier_wait(&c->all);
    c->left[me] = pool_held_bytes();
    pool_gather(false);
    pool_trim();
    return NULL;
}

Test(pool, more_threads_than_accounts_lose_nothing)
{
    static struct crowd c;
    pthread_t threads[CROWD];
    int64_t sum = 0;
    uint32_t own = 0;

    cr_assert_eq(pthread_barrier_init(&c.all, NULL, CROWD), 0);
    for (uint32_t i = 0; i < CROWD; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, one_of_many, &c), 0);
    }
    for (uint32_t i = 0; i < CROWD; i++) {
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
        sum += c.left[i];
        own += c.left[i] == 0;
    }
    cr_expect_eq(sum, 0, "what is freed is taken off exactly once: %ld", (long)sum);
    /* Those with an account of their own are even by themselves. */
    cr_expect_geq(own, 255, "%u", own);
    (void)pthread_barrier_destroy(&c.all);
}
