/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The transaction table under any order of events; the player checks that all of them end once. */
#include "txn_play.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct txn_play_sums sums = {0};

    txn_play(data, size, &sums);
    return 0;
}
