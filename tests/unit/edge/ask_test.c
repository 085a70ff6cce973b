/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ask: when a question is due. */
#include <criterion/criterion.h>

#include "edge/ask.h"

#define T0   1000000u
#define ROOM (1u << 20)

Test(ask, nothing_written_is_not_asked_about)
{
    struct ask a = {0};

    cr_assert_not(ask_is_due(&a, ROOM, T0));
    ask_done(&a, T0);
    cr_assert_not(ask_is_due(&a, ROOM, T0 + 1000000));
}

Test(ask, the_first_after_a_pause_carries_its_question)
{
    struct ask a = {0};

    ask_note(&a, 251, false);
    cr_assert(ask_is_due(&a, ROOM, T0));
    ask_done(&a, T0);
    cr_assert_not(ask_is_due(&a, ROOM, T0));
    ask_note(&a, 251, false);
    cr_assert_not(ask_is_due(&a, ROOM, T0));
    cr_assert_not(ask_is_due(&a, ROOM, T0 + ASK_MS - 1));
    cr_assert(ask_is_due(&a, ROOM, T0 + ASK_MS));
    ask_done(&a, T0 + ASK_MS);
    ask_note(&a, 251, false);
    cr_assert_not(ask_is_due(&a, ROOM, T0 + 2 * ASK_MS - 1));
    cr_assert(ask_is_due(&a, ROOM, T0 + 5000));
}

Test(ask, many_or_large_ones_do_not_wait)
{
    struct ask a = {0};

    ask_note(&a, 1, false);
    ask_done(&a, T0);
    for (uint32_t i = 0; i < ASK_COUNT_MAX; i++) {
        cr_assert_not(ask_is_due(&a, ROOM, T0 + 1), "%u", i);
        ask_note(&a, 1, false);
    }
    cr_assert(ask_is_due(&a, ROOM, T0 + 1));
    ask_done(&a, T0 + 1);
    ask_note(&a, ASK_BYTES_MAX - 1, false);
    cr_assert_not(ask_is_due(&a, ROOM, T0 + 2));
    ask_note(&a, 1, false);
    cr_assert(ask_is_due(&a, ROOM, T0 + 2));
}

Test(ask, nor_does_who_is_waited_for)
{
    struct ask a = {0};

    ask_note(&a, 1, false);
    ask_done(&a, T0);
    ask_note(&a, 1, true);
    ask_note(&a, 1, false);
    cr_assert(ask_is_due(&a, ROOM, T0));
    ask_done(&a, T0);
    ask_note(&a, 1, false);
    cr_assert_not(ask_is_due(&a, ROOM, T0));
}

/* Custody has a bound: what nobody asks about must not fill it. */
Test(ask, a_small_custody_asks_early)
{
    struct ask a = {0};

    ask_note(&a, 1, false);
    ask_done(&a, T0);
    ask_note(&a, 4999, false);
    cr_assert_not(ask_is_due(&a, 5000, T0));
    ask_note(&a, 1, false);
    cr_assert(ask_is_due(&a, 5000, T0));
}
