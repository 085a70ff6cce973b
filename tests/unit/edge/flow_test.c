/* SPDX-License-Identifier: GPL-2.0-or-later */
/* flow: gates open once for each waiter, leases run out, a woken waiter may close the gate
 * again. */
#include <criterion/criterion.h>

#include "edge/flow.h"

static struct flow flow;
static int woken;
static const struct slice key = {"link", 4};

static void on_room(struct flow_waiter *w, void *ctx)
{
    (void)w;
    (void)ctx;
    woken++;
}

Test(flow, opening_wakes_each_waiter_once)
{
    struct flow_waiter a = {0};
    struct flow_waiter b = {0};
    struct flow_waiter c = {0};

    flow_init(&flow);
    cr_assert_not(flow_is_closed(&flow, key));
    flow_set(&flow, key, true, 0);
    cr_assert(flow_is_closed(&flow, key));
    flow_wait(&flow, key, &a, on_room, NULL);
    flow_wait(&flow, key, &b, on_room, NULL);
    flow_wait(&flow, key, &c, on_room, NULL);
    flow_wait_cancel(&b);
    flow_wait_cancel(&b);
    flow_set(&flow, key, false, 1);
    cr_assert_eq(woken, 2);
    cr_assert_not(flow_is_closed(&flow, key));
    flow_set(&flow, key, false, 2);
    cr_assert_eq(woken, 2);
    flow_deinit(&flow);
}

Test(flow, a_lease_runs_out_unless_renewed)
{
    struct flow_waiter a = {0};

    flow_init(&flow);
    flow_set(&flow, key, true, 1000);
    flow_set(&flow, SLICE_LIT("other"), true, 1000);
    flow_wait(&flow, key, &a, on_room, NULL);
    flow_set(&flow, key, true, 1000 + FLOW_LEASE_MS);
    flow_expire(&flow, 1001 + FLOW_LEASE_MS);
    cr_assert(flow_is_closed(&flow, key), "it was renewed");
    cr_assert_not(flow_is_closed(&flow, SLICE_LIT("other")));
    cr_assert_eq(woken, 0);
    flow_expire(&flow, 1001 + 2 * FLOW_LEASE_MS);
    cr_assert_not(flow_is_closed(&flow, key));
    cr_assert_eq(woken, 1);
    flow_deinit(&flow);
}

static void close_again(struct flow_waiter *w, void *ctx)
{
    woken++;
    flow_set(&flow, key, true, 5);
    flow_wait(&flow, key, w, close_again, ctx);
}

Test(flow, a_woken_waiter_may_wait_again)
{
    struct flow_waiter a = {0};
    struct flow_waiter b = {0};

    flow_init(&flow);
    flow_set(&flow, key, true, 0);
    flow_wait(&flow, key, &a, close_again, NULL);
    flow_wait(&flow, key, &b, close_again, NULL);
    flow_set(&flow, key, false, 4);
    cr_assert_eq(woken, 2);
    cr_assert(flow_is_closed(&flow, key));
    flow_deinit(&flow);
}
