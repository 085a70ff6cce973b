/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notifier_play: many random lives of one contact; see notifier_play.h for what is promised. */
#include <criterion/criterion.h>

#include "notifier_play.h"

Test(notifier_play, random_lives)
{
    struct notifier_play_sums sums = {0};
    uint64_t seed = 1;

    for (int i = 0; i < 100; i++) {
        uint8_t data[2000];

        for (size_t k = 0; k < sizeof(data); k++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            data[k] = (uint8_t)(seed >> 56);
        }
        notifier_play(data, sizeof(data), &sums);
    }
    /* The scripts reach what they are about. */
    cr_expect_geq(sums.steps, 20000);
    cr_expect_geq(sums.answers[2], 1500);
    cr_expect_geq(sums.answers[4], 1500);
    cr_expect_geq(sums.answers[5], 2);
    cr_expect_geq(sums.documents, 500);
    cr_expect_geq(sums.crashes, 200);
    cr_expect_geq(sums.grants, 500);
}
