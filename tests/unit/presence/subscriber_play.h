/* SPDX-License-Identifier: GPL-2.0-or-later */
/* subscriber_play: bytes as a script for one watcher, one presentity and what lies between them:
 * stanzas, responses, NOTIFYs right and wrong, time, a store that refuses, reloads, orders,
 * crashes.
 * Aborts when an invariant breaks:
 * - every NOTIFY is answered, at once and once (the fixture sees to it);
 * - presence and `subscribed` are told only while the grant is durable;
 * - a contact has no more dialogs than its bounds, and PENDING and ACTIVE have one that lives;
 * - when the watcher has unsubscribed and all is answered, nothing is left of it: no dialog, no
 *   contact, no row (but for what a denial or an administrator's word leaves).
 * Played by a unit test with random scripts and by the fuzzer. */
#ifndef FG_TEST_SUBSCRIBER_PLAY_H
#define FG_TEST_SUBSCRIBER_PLAY_H

#include <stddef.h>
#include <stdint.h>

struct subscriber_play_sums {
    uint64_t steps, told, granted, denied, crashes, notifies, sent, gone;
};

void subscriber_play(const uint8_t *script, size_t size, struct subscriber_play_sums *sums);

#endif
