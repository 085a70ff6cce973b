/* SPDX-License-Identifier: GPL-2.0-or-later */
/* buf: bounds, sticky failure, queue behaviour against a simple model. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/pool.h"

Test(buf, append_consume_against_a_model)
{
    static char model[1 << 16];
    size_t model_len = 0;
    unsigned seed = 1;
    struct buf b;

    buf_init(&b, 32768);
    for (int step = 0; step < 20000; step++) {
        char chunk[300];
        size_t len = (size_t)rand_r(&seed) % sizeof(chunk);

        if (rand_r(&seed) % 2 && model_len + len <= 32768) {
            memset(chunk, rand_r(&seed) % 256, len);
            buf_append(&b, chunk, len);
            memcpy(model + model_len, chunk, len);
            model_len += len;
        } else if (len <= model_len) {
            buf_consume(&b, len);
            memmove(model, model + len, model_len - len);
            model_len -= len;
        }
        cr_assert_not(b.failed);
        cr_assert(slice_eq(buf_slice(&b), slice_make(model, model_len)));
    }
    buf_deinit(&b);
    cr_assert_eq(pool_used_bytes(), 0);
}

Test(buf, bound_is_exact_and_failure_sticks)
{
    struct buf b;

    buf_init(&b, 10);
    buf_append(&b, "0123456789", 10);
    cr_assert_not(b.failed);
    cr_assert_eq(buf_room(&b), 0);
    buf_putc(&b, 'x');
    cr_assert(b.failed);
    cr_assert_eq(buf_len(&b), 10);
    buf_consume(&b, 5);
    buf_putc(&b, 'x');
    cr_assert(b.failed, "failure sticks until cleared");
    buf_truncate(&b, 2);
    cr_assert_not(b.failed);
    buf_putc(&b, 'x');
    cr_assert(slice_eq_cstr(buf_slice(&b), "56x"));
    buf_deinit(&b);
}

Test(buf, no_memory_is_a_failure_not_a_crash)
{
    struct buf b;

    buf_init(&b, 4096);
    pool_fail_nth(1);
    buf_append(&b, "abc", 3);
    cr_assert(b.failed);
    cr_assert_eq(buf_len(&b), 0);
    cr_assert_null(buf_reserve(&b, 1));
    buf_clear(&b);
    buf_append(&b, "abc", 3);
    cr_assert_eq(buf_len(&b), 3);
    buf_deinit(&b);
}

Test(buf, numbers_and_printf)
{
    struct buf b;

    buf_init(&b, 4096);
    buf_put_u64(&b, 0);
    buf_putc(&b, ' ');
    buf_put_u64(&b, UINT64_MAX);
    buf_printf(&b, " %s-%d", "x", 7);
    cr_assert(slice_eq_cstr(buf_slice(&b), "0 18446744073709551615 x-7"));
    buf_deinit(&b);
}

Test(buf, take_moves_the_bytes)
{
    struct buf a;
    struct buf b;

    buf_init(&a, 100);
    buf_init(&b, 100);
    buf_put_lit(&a, "one");
    buf_put_lit(&b, "two");
    buf_take(&a, &b);
    cr_assert(slice_eq_cstr(buf_slice(&a), "two"));
    cr_assert_eq(buf_len(&b), 0);
    buf_put_lit(&b, "again");
    cr_assert_not(b.failed);
    buf_consume(&b, 5);
    buf_release_if_empty(&b);
    cr_assert_null(b.data);
    buf_deinit(&a);
    buf_deinit(&b);
    cr_assert_eq(pool_used_bytes(), 0);
}
