/* SPDX-License-Identifier: GPL-2.0-or-later */
/* slab: blocks that are distinct, come back, and cost little. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/pool.h"
#include "base/slab.h"

Test(slab, blocks_are_distinct_aligned_and_counted)
{
    static unsigned char *blocks[600];
    struct slab s = {0};
    uint64_t bytes = 0;

    for (size_t i = 0; i < 600; i++) {
        blocks[i] = slab_alloc(&s, i + 1);
        cr_assert_not_null(blocks[i]);
        cr_assert_eq((uintptr_t)blocks[i] % SLAB_GRAIN_BYTES, 0);
        memset(blocks[i], (int)i, i + 1);
        bytes += slab_block_bytes(i + 1);
    }
    cr_expect_eq(s.used_bytes, bytes);
    for (size_t i = 0; i < 600; i++) {
        cr_assert_eq(blocks[i][0], (unsigned char)i);
        cr_assert_eq(blocks[i][i], (unsigned char)i);
        slab_free(&s, blocks[i], i + 1);
    }
    slab_free(&s, NULL, 8);
    cr_expect_eq(s.used_bytes, 0);
    slab_deinit(&s);
    cr_expect_eq(pool_used_bytes(), 0);
}

Test(slab, zeroed_ones_are)
{
    struct slab s = {0};

    for (int i = 0; i < 2; i++) {
        unsigned char *block = slab_zalloc(&s, 100);

        cr_assert_not_null(block);
        for (size_t at = 0; at < 100; at++) {
            cr_assert_eq(block[at], 0);
        }
        memset(block, 0xff, 100);
        slab_free(&s, block, 100);
    }
    slab_deinit(&s);
}

Test(slab, what_was_freed_serves_again)
{
    struct slab s = {0};
    int64_t most = 0;

    for (int round = 0; round < 100; round++) {
        void *blocks[1000];

        for (size_t i = 0; i < 1000; i++) {
            blocks[i] = slab_alloc(&s, 200);
            cr_assert_not_null(blocks[i]);
        }
        most = round == 0 ? pool_used_bytes() : most;
        cr_expect_eq(pool_used_bytes(), most);
        for (size_t i = 0; i < 1000; i++) {
            slab_free(&s, blocks[i], 200);
        }
    }
#ifndef FEDGATE_SANITIZED
    cr_expect_lt(most, 1000 * 200 * 102 / 100 + 32768, "no heads");
#endif
    slab_deinit(&s);
}

Test(slab, no_memory_is_an_error)
{
    struct slab s = {0};
    void *block;

    pool_fail_nth(1);
    cr_expect_null(slab_alloc(&s, 100));
    cr_expect_eq(s.used_bytes, 0);
    pool_fail_nth(1);
    cr_expect_null(slab_zalloc(&s, 4000));
    block = slab_alloc(&s, 4000);
    cr_assert_not_null(block);
    slab_free(&s, block, 4000);
    slab_deinit(&s);
}
