/* SPDX-License-Identifier: GPL-2.0-or-later */
/* books of states: numbers only rise, the last one must come, only what is young is overtaken. */
#include <criterion/criterion.h>

#include "load/books.h"

#define GAP 100u

static struct books *b;
static uint64_t intended;

static void make(uint64_t gap_ns)
{
    b = books_new(1, 1, false);
    books_keep_states(b, gap_ns);
}

static void end(void)
{
    books_free(b);
}

/* Number n was meant for the nth of these times. */
static void send(unsigned count, const uint64_t *times)
{
    for (unsigned i = 0; i < count; i++) {
        (void)books_send(b, 0, times[i]);
    }
}

static uint64_t lost(void)
{
    struct books_counts c = books_count(b);

    return c.sent - c.arrived - c.refused - c.overtaken;
}

Test(books_states, each_in_order_is_clean)
{
    make(GAP);
    send(3, (const uint64_t[]){10, 20, 30});
    for (uint64_t i = 0; i < 3; i++) {
        cr_assert_not(books_overtake(b, 0, i, &intended));
        cr_assert_eq(books_arrive(b, 0, i, &intended), BOOKS_IN_ORDER);
        cr_assert_eq(intended, 10 * (i + 1));
    }
    cr_assert_eq(books_count(b).out_of_order + books_count(b).duplicated + lost(), 0);
    end();
}

Test(books_states, a_young_one_is_overtaken_and_gives_its_time)
{
    make(GAP);
    send(4, (const uint64_t[]){10, 20, 119, 200});
    cr_assert(books_overtake(b, 0, 3, &intended));
    cr_assert_eq(intended, 10);
    cr_assert(books_overtake(b, 0, 3, &intended));
    cr_assert_eq(intended, 20, "99 before its successor");
    cr_assert(books_overtake(b, 0, 3, &intended));
    cr_assert_eq(intended, 119);
    cr_assert_not(books_overtake(b, 0, 3, &intended), "it is itself that came");
    cr_assert_eq(books_arrive(b, 0, 3, &intended), BOOKS_IN_ORDER);
    cr_assert_eq(books_count(b).overtaken, 3);
    cr_assert_eq(books_count(b).out_of_order, 0);
    cr_assert_eq(lost(), 0);
    cr_assert_eq(books_in_flight(b, 0), 0);
    end();
}

Test(books_states, one_that_had_its_time_is_lost)
{
    make(GAP);
    send(3, (const uint64_t[]){10, 110, 150});
    cr_assert(books_overtake(b, 0, 2, &intended));
    cr_assert_eq(intended, 110);
    cr_assert_not(books_overtake(b, 0, 2, &intended), "100 is not less than the gap");
    cr_assert_eq(books_arrive(b, 0, 2, &intended), BOOKS_IN_ORDER);
    cr_assert_eq(lost(), 1);
    cr_assert_eq(books_in_flight(b, 0), 1);
    end();
}

Test(books_states, without_a_gap_nothing_is_overtaken)
{
    make(0);
    send(2, (const uint64_t[]){10, 10});
    cr_assert_not(books_overtake(b, 0, 1, &intended));
    cr_assert_eq(books_arrive(b, 0, 1, &intended), BOOKS_IN_ORDER);
    cr_assert_eq(lost(), 1);
    end();
}

Test(books_states, the_last_one_must_come)
{
    make(GAP);
    send(2, (const uint64_t[]){10, 20});
    cr_assert_eq(books_arrive(b, 0, 0, &intended), BOOKS_IN_ORDER);
    cr_assert_eq(lost(), 1);
    end();
}

Test(books_states, an_older_one_is_out_of_order_however_it_comes)
{
    make(GAP);
    send(4, (const uint64_t[]){10, 20, 500, 510});
    cr_assert(books_overtake(b, 0, 2, &intended));
    cr_assert_not(books_overtake(b, 0, 2, &intended), "number 1 had its time");
    cr_assert_eq(books_arrive(b, 0, 2, &intended), BOOKS_IN_ORDER);
    cr_assert_eq(books_arrive(b, 0, 0, &intended), BOOKS_STALE, "overtaken, told after all");
    cr_assert_eq(books_arrive(b, 0, 1, &intended), BOOKS_OUT_OF_ORDER, "late, for the first time");
    cr_assert_eq(intended, 20);
    cr_assert_eq(books_arrive(b, 0, 1, &intended), BOOKS_STALE);
    cr_assert_eq(books_arrive(b, 0, 3, &intended), BOOKS_IN_ORDER, "the last was 2 all the time");
    cr_assert_eq(books_count(b).out_of_order, 3);
    cr_assert_eq(books_count(b).duplicated, 0);
    cr_assert_eq(lost(), 0);
    end();
}

Test(books_states, the_last_is_told_again_for_who_asked)
{
    make(GAP);
    send(2, (const uint64_t[]){10, 200});
    cr_assert_eq(books_arrive(b, 0, 0, &intended), BOOKS_IN_ORDER);
    cr_assert_eq(books_arrive(b, 0, 0, &intended), BOOKS_DUPLICATE, "nobody asked");
    books_ask_again(b, 0);
    cr_assert_eq(books_arrive(b, 0, 0, &intended), BOOKS_AGAIN);
    cr_assert_eq(books_arrive(b, 0, 0, &intended), BOOKS_DUPLICATE, "once for each");
    books_ask_again(b, 0);
    cr_assert_eq(books_arrive(b, 0, 1, &intended), BOOKS_IN_ORDER);
    cr_assert_eq(books_arrive(b, 0, 1, &intended), BOOKS_AGAIN, "what is told by then");
    cr_assert_eq(books_count(b).duplicated, 2);
    end();
}

Test(books_states, what_was_not_sent_is_unknown_and_overtakes_nothing)
{
    make(GAP);
    send(2, (const uint64_t[]){10, 20});
    cr_assert_not(books_overtake(b, 0, 2, &intended));
    cr_assert_not(books_overtake(b, 1, 0, &intended), "no such flow");
    cr_assert_not(books_overtake(b, 0, UINT64_MAX, &intended));
    cr_assert_eq(books_arrive(b, 0, 2, &intended), BOOKS_UNKNOWN);
    cr_assert_eq(books_arrive(b, 0, UINT64_MAX, &intended), BOOKS_UNKNOWN);
    cr_assert_eq(lost(), 2);
    end();
}

Test(books_states, a_refused_one_may_not_come)
{
    make(GAP);
    send(2, (const uint64_t[]){10, 20});
    cr_assert_eq(books_refuse(b, 0, 0), BOOKS_IN_ORDER);
    cr_assert_eq(books_arrive(b, 0, 1, &intended), BOOKS_IN_ORDER);
    cr_assert_eq(books_arrive(b, 0, 0, &intended), BOOKS_STALE);
    cr_assert_eq(books_count(b).refused, 1);
    cr_assert_eq(lost(), 0);
    end();
}

Test(books_states, messages_are_never_overtaken)
{
    b = books_new(1, 1, false);
    send(2, (const uint64_t[]){10, 20});
    cr_assert_not(books_overtake(b, 0, 1, &intended));
    end();
}
