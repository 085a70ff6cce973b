/* SPDX-License-Identifier: GPL-2.0-or-later */
/* admission: bounds, fairness between addresses, shares, leases, the queue of steps. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/err.h"
#include "base/pool.h"
#include "engine/admission.h"

enum { ENTRIES = 64 };

static struct admission a;
static struct admission_entry entries[ENTRIES];

static const char *address(uint32_t number)
{
    static char bytes[ADMISSION_ADDRESS_BYTES];

    memcpy(bytes, &number, sizeof(number));
    return bytes;
}

static void begin(uint32_t share_max, uint32_t address_max)
{
    admission_init(&a, share_max, address_max);
    memset(entries, 0, sizeof(entries));
}

static void end(void)
{
    for (int i = 0; i < ENTRIES; i++) {
        admission_leave(&a, &entries[i]);
    }
    cr_expect_eq(admission_running_count(&a), 0);
    cr_expect_eq(admission_waiting_count(&a), 0);
    cr_expect_not(admission_is_busy(&a));
    admission_deinit(&a);
    cr_expect_eq(pool_used_bytes(), 0);
}

static enum admission_state enter(int idx, enum admission_side side, uint32_t number)
{
    cr_assert_eq(admission_enter(&a, &entries[idx], side, address(number), 0), 0);
    return entries[idx].state;
}

/* Index of the next one let in; -1 = nobody. */
static int next(uint64_t now_ms)
{
    struct admission_entry *entry = admission_next(&a, now_ms);

    return entry ? (int)(entry - entries) : -1;
}

Test(admission, share__bound_then_first_come_first_served)
{
    begin(2, 0);
    cr_expect_eq(enter(0, ADMISSION_IN, 1), ADMISSION_RUNNING);
    cr_expect_eq(enter(1, ADMISSION_IN, 2), ADMISSION_RUNNING);
    cr_expect_eq(enter(2, ADMISSION_IN, 3), ADMISSION_WAITING);
    cr_expect_eq(enter(3, ADMISSION_IN, 4), ADMISSION_WAITING);
    cr_expect_eq(next(0), -1);
    cr_expect_not(admission_is_busy(&a));
    admission_leave(&a, &entries[1]);
    cr_expect(admission_is_busy(&a));
    cr_expect_eq(enter(4, ADMISSION_IN, 5), ADMISSION_WAITING, "a newcomer overtakes nobody");
    cr_expect_eq(next(0), 2);
    cr_expect_eq(next(0), -1);
    admission_leave(&a, &entries[0]);
    admission_leave(&a, &entries[2]);
    cr_expect_eq(next(0), 3);
    cr_expect_eq(next(0), 4);
    end();
}

Test(admission, address__at_its_bound_is_passed_over)
{
    begin(8, 2);
    for (int i = 0; i < 20; i++) {
        cr_expect_eq(enter(i, ADMISSION_IN, 7), i < 2 ? ADMISSION_RUNNING : ADMISSION_WAITING);
    }
    cr_expect_eq(enter(20, ADMISSION_IN, 8), ADMISSION_RUNNING, "others need not wait for it");
    cr_expect_eq(next(0), -1);
    admission_leave(&a, &entries[0]);
    cr_expect_eq(next(0), 2, "its own queue is in order");
    cr_expect_eq(next(0), -1);
    cr_expect_eq(admission_running_count(&a), 3);
    cr_expect_eq(admission_waiting_count(&a), 17);
    end();
}

Test(admission, addresses__take_turns)
{
    static const int expected[] = {1, 11, 21, 2, 12, 3};

    begin(1, 0);
    cr_expect_eq(enter(0, ADMISSION_IN, 1), ADMISSION_RUNNING);
    for (int i = 1; i < 10; i++) {
        (void)enter(i, ADMISSION_IN, 1); /* many before the others come */
    }
    (void)enter(11, ADMISSION_IN, 2);
    (void)enter(12, ADMISSION_IN, 2);
    (void)enter(21, ADMISSION_IN, 3);
    for (int k = 0, running = 0; k < 6; k++) {
        admission_leave(&a, &entries[running]);
        running = next(0);
        cr_expect_eq(running, expected[k], "turn %d: %d", k, running);
    }
    end();
}

Test(admission, sides__have_a_share_each)
{
    begin(2, 1);
    cr_expect_eq(enter(0, ADMISSION_IN, 1), ADMISSION_RUNNING);
    cr_expect_eq(enter(1, ADMISSION_IN, 2), ADMISSION_RUNNING);
    cr_expect_eq(enter(2, ADMISSION_IN, 3), ADMISSION_WAITING);
    cr_expect_eq(enter(3, ADMISSION_OUT, 1), ADMISSION_RUNNING);
    cr_expect_eq(enter(4, ADMISSION_OUT, 2), ADMISSION_RUNNING);
    cr_expect_eq(enter(5, ADMISSION_OUT, 3), ADMISSION_WAITING);
    admission_leave(&a, &entries[4]);
    cr_expect_eq(next(0), 5, "a place of its own side only");
    cr_expect_eq(next(0), -1);
    admission_leave(&a, &entries[0]);
    cr_expect_eq(next(0), 2);
    end();
}

Test(admission, leave__while_waiting_and_twice)
{
    begin(1, 1);
    (void)enter(0, ADMISSION_IN, 1);
    (void)enter(1, ADMISSION_IN, 2);
    (void)enter(2, ADMISSION_IN, 2);
    (void)enter(3, ADMISSION_IN, 3);
    admission_leave(&a, &entries[1]);
    admission_leave(&a, &entries[1]);
    admission_leave(&a, &entries[2]);
    cr_expect_eq(admission_waiting_count(&a), 1);
    admission_leave(&a, &entries[0]);
    cr_expect_eq(next(0), 3, "an address nobody waits for any more has no turn");
    cr_expect_eq(next(0), -1);
    end();
}

Test(admission, zero__is_no_bound)
{
    begin(0, 0);
    for (int i = 0; i < ENTRIES; i++) {
        cr_expect_eq(enter(i, i % 2 ? ADMISSION_IN : ADMISSION_OUT, 1), ADMISSION_RUNNING);
    }
    end();
}

Test(admission, enter__without_memory)
{
    begin(1, 1);
    pool_fail_nth(1);
    cr_expect_eq(admission_enter(&a, &entries[0], ADMISSION_IN, address(1), 0), ERR_NOMEM);
    cr_expect_eq(entries[0].state, ADMISSION_NONE);
    end();
}

Test(admission, steps__first_come_first_served_once_each)
{
    begin(3, 0);
    for (int i = 0; i < 4; i++) {
        (void)enter(i, ADMISSION_IN, 1);
    }
    cr_expect_null(admission_take_step(&a));
    admission_want_step(&a, &entries[2]);
    admission_want_step(&a, &entries[0]);
    admission_want_step(&a, &entries[2]);
    admission_want_step(&a, &entries[1]);
    admission_want_step(&a, &entries[3]); /* has no place yet */
    cr_expect(admission_is_busy(&a));
    cr_expect_eq(admission_take_step(&a), &entries[2]);
    admission_want_step(&a, &entries[2]); /* more came: behind the others */
    admission_leave(&a, &entries[0]);
    cr_expect_eq(admission_take_step(&a), &entries[1]);
    cr_expect_eq(admission_take_step(&a), &entries[2]);
    cr_expect_null(admission_take_step(&a));
    end();
}

Test(admission, overdue__only_who_is_in_the_way)
{
    begin(2, 1);
    (void)enter(0, ADMISSION_IN, 1);
    (void)enter(1, ADMISSION_OUT, 1);
    cr_expect_null(admission_overdue(&a, 10 * ADMISSION_LEASE_MS), "nobody waits");
    (void)enter(2, ADMISSION_IN, 1);
    cr_expect_null(admission_overdue(&a, ADMISSION_LEASE_MS - 1));
    cr_expect_eq(admission_overdue(&a, ADMISSION_LEASE_MS), &entries[0]);
    admission_leave(&a, &entries[0]);
    cr_expect_null(admission_overdue(&a, ADMISSION_LEASE_MS), "there is a place now");
    cr_expect_eq(next(ADMISSION_LEASE_MS), 2);
    cr_assert_eq(admission_enter(&a, &entries[3], ADMISSION_IN, address(2), ADMISSION_LEASE_MS), 0);
    cr_expect_eq(entries[3].state, ADMISSION_RUNNING);
    cr_assert_eq(admission_enter(&a, &entries[4], ADMISSION_IN, address(2), ADMISSION_LEASE_MS), 0);
    cr_expect_eq(admission_overdue(&a, 2 * ADMISSION_LEASE_MS), &entries[3],
                 "the one whose address has a queue");
    end();
}

/* One address with far more than all others together: those get their places at once. */
Test(admission, noisy_address__keeps_nobody_out)
{
    begin(4, 2);
    for (int i = 0; i < 50; i++) {
        (void)enter(i, ADMISSION_IN, 99);
    }
    for (int round = 0; round < 100; round++) {
        int honest = 50 + round % 10;

        cr_expect_eq(enter(honest, ADMISSION_IN, 100 + (uint32_t)round), ADMISSION_RUNNING);
        admission_leave(&a, &entries[honest]);
    }
    end();
}
