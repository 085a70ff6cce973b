/* SPDX-License-Identifier: GPL-2.0-or-later */
/* txn_play: bytes as a script for the transaction table: requests, responses, answers, time, lost
 * connections in any order; aborts when a transaction does not end in exactly one way. Played by a
 * unit test with random scripts and by the fuzzer.                                               */
#ifndef FG_TEST_TXN_PLAY_H
#define FG_TEST_TXN_PLAY_H

#include <stddef.h>
#include <stdint.h>

struct txn_play_sums {
    uint64_t server_new, client_started, client_final, client_timeout, client_link, unanswered;
};

void txn_play(const uint8_t *script, size_t size, struct txn_play_sums *sums);

#endif
