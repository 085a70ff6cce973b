/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names_test: the table of partners' names. */
#include <stdio.h>

#include <criterion/criterion.h>

#include "base/map.h"
#include "base/pool.h"
#include "policy/names.h"

static struct slice name_of(uint32_t i, char mem[64])
{
    int len = snprintf(mem, 64, "n%u.d%u.example", i, i % 97);

    return slice_make(mem, (size_t)len);
}

Test(names, an_empty_table_holds_nothing)
{
    struct names n = {0};

    cr_expect_eq(names_find(&n, SLICE_LIT("a.example")), NAMES_NONE);
    cr_expect_eq(names_find(&n, SLICE_NONE), NAMES_NONE);
    names_deinit(&n);
}

Test(names, finds_what_was_added_and_nothing_else)
{
    struct names n = {0};
    char mem[64];

    for (uint32_t i = 0; i < 20000; i++) {
        cr_assert_eq(names_add(&n, name_of(i, mem), i), NAMES_NONE, "%u", i);
    }
    for (uint32_t i = 0; i < 20000; i++) {
        cr_assert_eq(names_find(&n, name_of(i, mem)), i, "%u", i);
    }
    for (uint32_t i = 20000; i < 40000; i++) {
        cr_assert_eq(names_find(&n, name_of(i, mem)), NAMES_NONE, "%u", i);
    }
    cr_expect_eq(n.count, 20000);
    names_deinit(&n);
}

Test(names, a_name_keeps_its_first_value)
{
    struct names n = {0};

    cr_expect_eq(names_add(&n, SLICE_LIT("a.example"), 7), NAMES_NONE);
    cr_expect_eq(names_add(&n, SLICE_LIT("a.example"), 8), 7);
    cr_expect_eq(names_find(&n, SLICE_LIT("a.example")), 7);
    cr_expect_eq(n.count, 1);
    names_deinit(&n);
}

Test(names, lengths_from_one_byte_to_the_longest)
{
    static char text[NAME_BYTES_MAX + 1];
    struct names n = {0};

    memset(text, 'x', sizeof(text));
    for (uint32_t len = 1; len <= NAME_BYTES_MAX; len++) {
        cr_assert_eq(names_add(&n, slice_make(text, len), len), NAMES_NONE, "%u", len);
    }
    for (uint32_t len = 1; len <= NAME_BYTES_MAX; len++) {
        cr_assert_eq(names_find(&n, slice_make(text, len)), len, "%u", len);
    }
    cr_expect_eq(names_find(&n, slice_make(text, NAME_BYTES_MAX + 1)), NAMES_NONE);
    cr_expect_eq(names_find(&n, slice_make(text, 0)), NAMES_NONE);
    names_deinit(&n);
}

Test(names, room_can_be_made_before_and_between)
{
    struct names n = {0};
    char mem[64];

    names_reserve(&n, 100);
    for (uint32_t i = 0; i < 5000; i++) {
        cr_assert_eq(names_add(&n, name_of(i, mem), i), NAMES_NONE, "%u", i);
        if (i == 2000) {
            names_reserve(&n, 100000);
        }
    }
    names_reserve(&n, 10);
    for (uint32_t i = 0; i < 5000; i++) {
        cr_assert_eq(names_find(&n, name_of(i, mem)), i, "%u", i);
    }
    names_deinit(&n);
}

/* The general map as the oracle, names that collide often. */
Test(names, agrees_with_the_map)
{
    struct names n = {0};
    struct map oracle = {0};
    static char kept[4096][8];
    uint32_t seed = 12345;

    for (uint32_t i = 0; i < 4096; i++) {
        struct slice name;
        void *before;
        uint32_t had;

        seed = seed * 1664525u + 1013904223u;
        (void)snprintf(kept[i], sizeof(kept[i]), "%x", (seed >> 16) % 3000u);
        name = slice_from_cstr(kept[i]);
        before = map_add(&oracle, name, kept[i]);
        had = names_add(&n, name, i);
        cr_assert_eq(before == NULL, had == NAMES_NONE, "%u", i);
        if (before) {
            cr_assert_eq((char *)before, (char *)kept[had], "%u", i);
        }
    }
    cr_expect_eq(n.count, oracle.count);
    map_deinit(&oracle);
    names_deinit(&n);
}
