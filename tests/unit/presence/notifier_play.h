/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notifier_play: bytes as a script of everything that can happen to bob's watching of ann, with the
 * promises of the notifier checked after each step; a broken one aborts. For the fuzzer and for a
 * unit test with bytes of a generator. No test library. */
#ifndef FG_TEST_NOTIFIER_PLAY_H
#define FG_TEST_NOTIFIER_PLAY_H

#include <stddef.h>
#include <stdint.h>

struct notifier_play_sums {
    uint32_t steps;
    uint32_t answers[7]; /* by hundreds */
    uint32_t notifies;
    uint32_t documents;
    uint32_t grants;
    uint32_t crashes;
};
/* Adds to *sums: a test sees that its scripts reach what they are about. */
void notifier_play(const uint8_t *data, size_t size, struct notifier_play_sums *sums);

#endif
