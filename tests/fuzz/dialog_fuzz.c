/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dialogs under any sequence of requests, responses and crashes; the player checks that they stay
 * apart, that CSeq grows and that the stored form comes back as it was.                          */
#include "dialog_play.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dialog_play_sums sums = {0};

    dialog_play(data, size, &sums);
    return 0;
}
