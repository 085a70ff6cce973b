/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The subscription machine of direction in, with its room, store and world: bytes as a script. */
#include "subscriber_play.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct subscriber_play_sums sums = {0};

    subscriber_play(data, size, &sums);
    return 0;
}
