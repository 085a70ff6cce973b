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
