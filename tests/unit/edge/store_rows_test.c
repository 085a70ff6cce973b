/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store_rows: rows outlive the reader's memory, however many and however large. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/pool.h"
#include "edge/store_rows.h"

#define COUNT 5000

static struct store_pair pair_of(char text[64], int i)
{
    int len = snprintf(text, 64, "user%d", i);

    return (struct store_pair){slice_make(text, (size_t)len), SLICE_LIT("corp.test"),
                               SLICE_LIT("bob"), SLICE_LIT("open.test")};
}

Test(store_rows, keeps_what_it_is_given)
{
    struct store_rows rows = {0};
    struct store_reader reader = store_rows_reader(&rows);
    char text[64];

    for (int i = 0; i < COUNT; i++) {
        struct store_contact c = {.pair = pair_of(text, i),
                                  .direction = STORE_OUT,
                                  .state = STORE_STATE_GRANTED,
                                  .asked_unix_s = i};
        struct store_reach r = {.pair = pair_of(text, i), .flags = STORE_REACH_ADDED};

        cr_assert_eq(reader.contact(reader.ctx, &c), 0);
        cr_assert_eq(reader.reach(reader.ctx, &r), 0);
    }
    cr_assert_eq(rows.contact_count, COUNT);
    cr_assert_eq(rows.reach_count, COUNT);
    for (int i = 0; i < COUNT; i++) {
        struct slice user = pair_of(text, i).local_user;

        cr_assert(slice_eq(rows.contacts[i].pair.local_user, user));
        cr_assert(slice_eq(rows.reach[i].pair.local_user, user));
        cr_assert_eq(rows.contacts[i].asked_unix_s, i);
        cr_assert_eq(rows.contacts[i].document.len, 0);
    }
    store_rows_deinit(&rows);
    cr_expect_null(rows.contacts);
}

Test(store_rows, texts_larger_than_a_block)
{
    static char big[3 << 20];
    struct store_rows rows = {0};
    struct store_reader reader = store_rows_reader(&rows);
    struct store_contact c = {.pair = {SLICE_LIT("a"), SLICE_LIT("b"), SLICE_LIT("c"),
                                       SLICE_LIT("d")},
                              .dialogs = slice_make(big, sizeof(big)),
                              .document = SLICE_LIT("doc")};

    memset(big, 7, sizeof(big));
    cr_assert_eq(reader.contact(reader.ctx, &c), 0);
    cr_expect(slice_eq(rows.contacts[0].dialogs, c.dialogs));
    cr_expect(rows.contacts[0].dialogs.ptr != big);
    cr_expect(slice_eq_cstr(rows.contacts[0].document, "doc"));
    store_rows_deinit(&rows);
}
