/* SPDX-License-Identifier: GPL-2.0-or-later */
/* subscriber_play: random scripts; each kind of event must have occurred. */
#include <criterion/criterion.h>

#include "subscriber_play.h"

#define SCRIPTS      300u
#define SCRIPT_BYTES 240u

static uint64_t mix(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

Test(subscriber_play, random_scripts)
{
    struct subscriber_play_sums sums = {0};
    uint8_t script[SCRIPT_BYTES];
    uint64_t state = 1;

    for (unsigned i = 0; i < SCRIPTS; i++) {
        for (unsigned b = 0; b < SCRIPT_BYTES; b++) {
            script[b] = (uint8_t)mix(&state);
        }
        subscriber_play(script, mix(&state) % (SCRIPT_BYTES + 1), &sums);
    }
    cr_expect_gt(sums.told, 300);
    cr_expect_gt(sums.granted, 150);
    cr_expect_gt(sums.denied, 200);
    cr_expect_gt(sums.crashes, 100);
    cr_expect_gt(sums.sent, SCRIPTS);
    cr_expect_gt(sums.gone, SCRIPTS / 2);
}
