/* SPDX-License-Identifier: GPL-2.0-or-later */
/* map: against a plain array, with many removals (backward shift). */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"

#define KEY_COUNT 2000u

struct thing {
    char key[16];
    bool present;
};

static struct thing things[KEY_COUNT];

Test(map, random_operations_against_a_model)
{
    struct map m = {0};
    unsigned seed = 3;
    size_t present = 0;

    for (size_t i = 0; i < KEY_COUNT; i++) {
        (void)snprintf(things[i].key, sizeof(things[i].key), "k%zu", i);
    }
    for (int step = 0; step < 200000; step++) {
        struct thing *t = &things[(size_t)rand_r(&seed) % KEY_COUNT];
        struct slice key = slice_from_cstr(t->key);

        cr_assert_eq(map_get(&m, key), t->present ? t : NULL);
        if (rand_r(&seed) % 2) {
            cr_assert_eq(map_add(&m, key, t), t->present ? t : NULL);
            present += !t->present;
            t->present = true;
        } else {
            cr_assert_eq(map_remove(&m, key), t->present ? t : NULL);
            present -= t->present;
            t->present = false;
        }
        cr_assert_eq(m.count, present);
    }
    size_t cursor = 0;
    size_t seen = 0;

    for (struct thing *t = map_next(&m, &cursor); t; t = map_next(&m, &cursor)) {
        cr_assert(t->present);
        seen++;
    }
    cr_assert_eq(seen, present);
    map_deinit(&m);
}

Test(map, empty)
{
    struct map m = {0};
    size_t cursor = 0;

    cr_assert_null(map_get(&m, SLICE_LIT("x")));
    cr_assert_null(map_remove(&m, SLICE_LIT("x")));
    cr_assert_null(map_next(&m, &cursor));
    map_deinit(&m);
}
