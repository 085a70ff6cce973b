/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dialog_play: bytes as a script for a few dialogs: SUBSCRIBE, NOTIFY, 2xx with tags, Contact and
 * Record-Route of the script's choice, requests of ours, crashes between packing and going on,
 * stored bytes of any kind. Aborts when an invariant breaks:
 * - a request belongs to one dialog at most, and never to one with another remote tag;
 * - CSeq of the requests sent in a dialog grows, over crashes, too;
 * - what is sent is a well-formed request with the dialog's tags, and fits into its bounds;
 * - packed, unpacked and packed again are the same bytes but for the reserved CSeq.
 * Played by a unit test with random scripts and by the fuzzer.                                   */
#ifndef FG_TEST_DIALOG_PLAY_H
#define FG_TEST_DIALOG_PLAY_H

#include <stddef.h>
#include <stdint.h>

struct dialog_play_sums {
    uint64_t uac, uas, established, tentative, forks, ours, repeated, lower, refused, retargeted,
        sent, strict, crashes, unpacked, foreign;
};

void dialog_play(const uint8_t *script, size_t size, struct dialog_play_sums *sums);

#endif
