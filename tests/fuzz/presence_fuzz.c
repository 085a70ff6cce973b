/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The room of contacts under any order of events; the player checks its invariants. */
#include "room_play.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct room_play_sums sums = {0};

    room_play(data, size, &sums);
    return 0;
}
