/* SPDX-License-Identifier: GPL-2.0-or-later */
/* room_play: random scripts; the player checks, here only that it gets about. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "room_play.h"

#define SCRIPTS      1000u
#define SCRIPT_BYTES 1200u

static uint64_t random_state = 0x70726573656e6365u;

static uint8_t random_byte(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint8_t)(random_state >> 32);
}

Test(room_play, random_scripts, .timeout = 300)
{
    struct room_play_sums sums = {0};
    uint8_t script[SCRIPT_BYTES];

    for (uint32_t i = 0; i < SCRIPTS; i++) {
        for (uint32_t at = 0; at < SCRIPT_BYTES; at++) {
            script[at] = random_byte();
        }
        room_play(script, sizeof(script), &sums);
    }
    cr_expect_gt(sums.granted, SCRIPTS);
    cr_expect_gt(sums.denied, 100);
    cr_expect_gt(sums.crashes, SCRIPTS);
    cr_expect_gt(sums.rows, SCRIPTS);
    cr_expect_gt(sums.stanzas, 5 * SCRIPTS);
    cr_expect_gt(sums.answers, 5 * SCRIPTS);
    printf("granted %llu denied %llu rows %llu crashes %llu stanzas %llu answers %llu\n",
           (unsigned long long)sums.granted, (unsigned long long)sums.denied,
           (unsigned long long)sums.rows, (unsigned long long)sums.crashes,
           (unsigned long long)sums.stanzas, (unsigned long long)sums.answers);
}
