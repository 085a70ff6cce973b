/* SPDX-License-Identifier: GPL-2.0-or-later */
/* block: contents, queue order and byte counts. */
#include <criterion/criterion.h>

#include "base/pool.h"
#include "edge/block.h"

static struct block *make(const char *bytes)
{
    return block_new(&(struct block_params){
        .direction = BLOCK_TO_PARTNER,
        .local = SLICE_LIT("corp.test"),
        .remote = SLICE_LIT("fabrikam.test"),
        .bytes = slice_from_cstr(bytes),
        .may_bounce = true,
    });
}

Test(block, keeps_copies_of_everything)
{
    struct block *b = make("<message/>");

    cr_assert(slice_eq_cstr(block_local(b), "corp.test"));
    cr_assert(slice_eq_cstr(block_remote(b), "fabrikam.test"));
    cr_assert(slice_eq_cstr(block_bytes(b), "<message/>"));
    block_free(b);
    cr_assert_eq(pool_used_bytes(), 0);
}

Test(block, is_written_where_it_stays)
{
    struct block *b = block_new_room(&(struct block_params){.local = SLICE_LIT("corp.test"),
                                                            .remote = SLICE_LIT("fabrikam.test"),
                                                            .kind = 2,
                                                            .may_bounce = true,
                                                            .now_ms = 77},
                                     100);

    cr_assert_eq(block_bytes(b).len, 0);
    memset(block_room(b), 'x', 100);
    b->bytes_len = 99;
    cr_assert(slice_eq_cstr(block_local(b), "corp.test"));
    cr_assert(slice_eq_cstr(block_remote(b), "fabrikam.test"));
    cr_assert_eq(block_bytes(b).len, 99);
    cr_assert_eq(block_bytes(b).ptr[98], 'x');
    cr_assert(b->may_bounce && b->kind == 2 && b->created_ms == 77);
    block_free(b);
    cr_assert_eq(pool_used_bytes(), 0);
}

Test(block, no_memory_is_reported)
{
    pool_fail_nth(1);
    cr_assert_null(make("<iq/>"));
}

Test(block, queues_keep_order_and_count_bytes)
{
    struct block_queue q;
    struct block *first = make("1");
    struct block *second = make("22");
    struct block *third = make("333");

    block_queue_init(&q);
    cr_assert_null(block_queue_pop(&q));
    cr_assert_null(block_queue_pop_back(&q));
    cr_assert_null(block_queue_peek(&q));
    block_queue_push(&q, second);
    block_queue_push(&q, third);
    block_queue_push_front(&q, first);
    cr_assert_eq(q.count, 3);
    cr_assert_eq(q.bytes, 6);
    cr_assert_eq(block_queue_peek(&q), first);
    cr_assert_eq(block_queue_pop_back(&q), third);
    cr_assert_eq(block_queue_pop(&q), first);
    cr_assert_eq(block_queue_pop(&q), second);
    cr_assert_eq(q.bytes, 0);
    block_free(first);
    block_free(second);
    block_free(third);
}
