/* SPDX-License-Identifier: GPL-2.0-or-later */
/* room_play: bytes as a script for the whole room: stanzas, SUBSCRIBEs and NOTIFYs by a grammar or
 * raw, responses, what the store says, time, orders, reviews, lost streams, crashes, in any order;
 * aborts when an invariant does not hold (see check_all). Played by a unit test with random scripts
 * and by the fuzzer. */
#ifndef FG_TEST_PRESENCE_ROOM_PLAY_H
#define FG_TEST_PRESENCE_ROOM_PLAY_H

#include <stddef.h>
#include <stdint.h>

struct room_play_sums {
    uint64_t granted, denied, rows, crashes, stanzas, subscribes, notifies, answers;
};

void room_play(const uint8_t *script, size_t size, struct room_play_sums *sums);

#endif
