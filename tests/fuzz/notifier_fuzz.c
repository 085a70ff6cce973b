/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life of a contact whose presence a user of ours watches, under any sequence of SUBSCRIBEs,
 * stanzas, responses, failures of the store, orders, crashes and time. */
#include "notifier_play.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct notifier_play_sums sums = {0};

    notifier_play(data, size, &sums);
    return 0;
}
