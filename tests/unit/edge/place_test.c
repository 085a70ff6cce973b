/* SPDX-License-Identifier: GPL-2.0-or-later */
/* place: how a limit is shared by the two directions. */
#include <criterion/criterion.h>

#include "edge/place.h"

Test(place, both_directions_count_together)
{
    cr_expect(place_fits(10, 9, 20));
    cr_expect_not(place_fits(10, 10, 20));
    cr_expect(place_fits(14, 5, 20));
    cr_expect_not(place_fits(14, 6, 20));
    cr_expect_not(place_fits(2000, 2000, 1000));
}

Test(place, neither_direction_can_take_what_is_kept_for_the_other)
{
    for (uint32_t limit = 1; limit <= 2000; limit++) {
        uint32_t mine = 0;
        uint32_t other = 0;

        while (place_fits(mine, 0, limit)) {
            mine++;
        }
        cr_assert_geq(mine, 1, "%u", limit);
        while (place_fits(other, mine, limit)) {
            other++;
        }
        cr_assert_geq(other, 1, "one took all of %u", limit);
        cr_assert_geq(other, limit / 4, "%u", limit);
        cr_assert_eq(mine + other, limit < 2 ? 2 : limit, "%u", limit);
    }
}

/* From any counts: it ends, within the limit, no lower than need be, and leaves either direction
 * what is kept for it. */
Test(place, what_is_too_much_goes_and_no_more)
{
    for (uint32_t limit = 1; limit <= 40; limit++) {
        uint32_t kept = limit >= 8 ? limit / 4 : 1;
        uint32_t bound = limit < 2 ? 2 : limit;

        for (uint32_t start = 0; start < 60 * 60; start++) {
            uint32_t count[2] = {start % 60, start / 60};
            uint32_t before[2] = {count[0], count[1]};
            int turn = 0;
            int d;

            while ((d = place_surplus(count, limit, turn++ % 3 == 0)) >= 0) {
                cr_assert_gt(count[d], 0);
                cr_assert(count[d] > kept, "limit %u: %u %u", limit, count[0], count[1]);
                count[d]--;
            }
            cr_assert_leq(count[0] + count[1], bound);
            if (before[0] + before[1] >= bound && before[0] >= kept && before[1] >= kept) {
                cr_assert_eq(count[0] + count[1], bound, "limit %u from %u %u", limit, before[0],
                             before[1]);
            }
        }
    }
}
