/* SPDX-License-Identifier: GPL-2.0-or-later */
/* txn_play: random scripts; every kind of end must have happened. */
#include "base/pool.h"
#include "sip_help.h"
#include "txn_play.h"

Test(txn_play, random_scripts)
{
    struct txn_play_sums sums = {0};
    uint64_t random = 2024;

    for (int run = 0; run < 2000; run++) {
        uint8_t script[300];

        for (size_t i = 0; i < sizeof(script); i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            script[i] = (uint8_t)(random >> 56);
        }
        txn_play(script, sizeof(script), &sums);
    }
    cr_expect_gt(sums.server_new, 1000);
    cr_expect_gt(sums.unanswered, 100);
    cr_expect_gt(sums.client_final, 100);
    cr_expect_gt(sums.client_timeout, 100);
    cr_expect_gt(sums.client_link, 100);
    cr_expect_eq(sums.client_started, sums.client_final + sums.client_timeout + sums.client_link);
    cr_expect_eq(pool_used_bytes(), 0);
}
