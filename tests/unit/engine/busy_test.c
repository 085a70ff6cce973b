/* SPDX-License-Identifier: GPL-2.0-or-later */
/* busy: shards that spin before they sleep: mail, snapshots and the end reach them all the same.
 * The other tests of the engine run with such shards, too (tests/rooms/engine_busy.cmake). */
#include <criterion/criterion.h>

#include "base/pool.h"
#include "machine.h"

static _Atomic uint64_t pings, changes;
static _Atomic bool is_over;

static void set_busy(struct shard *sh, void *ctx)
{
    shard_set_busy_poll(sh, *(uint32_t *)ctx);
}

static void ping(struct shard *sh, void *ctx)
{
    pings++;
    if (!is_over) {
        cr_expect_eq(machine_send(sh, 1 - shard_idx(sh), ping, ctx), 0);
    }
}

static void changed(struct shard *sh, const void *old, const void *now)
{
    (void)sh;
    (void)old;
    (void)now;
    changes++;
}

static uint64_t found(struct machine *m)
{
    return machine_stats(m, 0).spins_found + machine_stats(m, 1).spins_found;
}

static void start(struct machine *m)
{
    static uint32_t busy_poll_us = 1000;

    machine_snapshot_changed = changed;
    machine_start(m, &(struct engine_params){.shard_count = 2,
                                             .snapshot = pool_heap_zalloc(1),
                                             .snapshot_free = pool_heap_free});
    for (uint32_t i = 0; i < 2; i++) {
        machine_run(m, i, set_busy, &busy_poll_us);
    }
    machine_post(m, 0, ping, NULL);
    WAIT_UNTIL(found(m) >= 10);
}

Test(busy, mail_and_snapshots_are_found_and_sleepers_woken_again)
{
    struct machine m;

    start(&m);
    for (uint64_t i = 1; i <= 100; i++) {
        engine_publish(m.engine, pool_heap_zalloc(1));
        cr_assert_eq(changes, 2 * i);
    }
    is_over = true;
    for (uint32_t i = 0; i < 20; i++) {
        machine_nap(); /* they sleep by now */
    }
    machine_run(&m, 0, ping, NULL);
    machine_run(&m, 1, ping, NULL);
    engine_publish(m.engine, pool_heap_zalloc(1));
    machine_stop(&m);
}

Test(busy, the_end_comes_while_they_spin)
{
    struct machine m;

    start(&m);
    is_over = true; /* a mail that is under way at the end would look like a leak */
    machine_stop(&m); /* a hang would be seen */
}

Test(busy, off_again)
{
    static uint32_t off = 0;
    struct machine m;
    uint64_t before;

    start(&m);
    for (uint32_t i = 0; i < 2; i++) {
        machine_run(&m, i, set_busy, &off);
        machine_run(&m, i, set_busy, &off); /* a turn later its counters are published */
    }
    before = found(&m);
    machine_run(&m, 0, ping, NULL);
    cr_assert_eq(found(&m), before);
    is_over = true;
    machine_run(&m, 0, set_busy, &off); /* and the ping behind it ends */
    machine_run(&m, 1, set_busy, &off);
    machine_run(&m, 0, set_busy, &off);
    machine_stop(&m);
}
