/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapshot: publication while shards read; the old one is freed, and never too early. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/pool.h"
#include "machine.h"

#define ALIVE 0x600dcafeu
#define DEAD 0xdeadbeefu
enum { SHARDS = 3, PUBLISHES = 400 };

struct snap {
    uint32_t alive;
    uint64_t number;
    uint64_t copies[64]; /* all = number */
};

static _Atomic uint64_t freed;
static _Atomic uint64_t changes[SHARDS], reads[SHARDS];
static _Atomic bool is_wrong;

static struct snap *snap_new(uint64_t number)
{
    struct snap *s = pool_heap_zalloc(sizeof(*s));

    s->alive = ALIVE;
    s->number = number;
    for (uint32_t i = 0; i < 64; i++) {
        s->copies[i] = number;
    }
    return s;
}

static void snap_free(void *snapshot)
{
    struct snap *s = snapshot;

    s->alive = DEAD;
    freed++;
    pool_heap_free(s);
}

static void check(const struct snap *s)
{
    for (uint32_t i = 0; i < 64; i++) {
        if (s->alive != ALIVE || s->copies[i] != s->number) {
            is_wrong = true;
        }
    }
}

static void read_again(struct shard *sh, void *ctx)
{
    const struct snap *s = shard_snapshot(sh);

    check(s);
    reads[shard_idx(sh)]++;
    if (*(_Atomic bool *)ctx) {
        cr_expect_eq(machine_send(sh, (shard_idx(sh) + 1) % shard_count(sh), read_again, ctx), 0);
    }
}

static void changed(struct shard *sh, const void *old, const void *now)
{
    const struct snap *a = old;
    const struct snap *b = now;

    check(a);
    check(b);
    if (b->number != a->number + 1 || shard_snapshot(sh) != now) {
        is_wrong = true;
    }
    changes[shard_idx(sh)]++;
}

Test(snapshot, published_in_a_loop_while_shards_read)
{
    static _Atomic bool goes_on = true;
    struct machine m;

    machine_snapshot_changed = changed;
    machine_start(&m, &(struct engine_params){.shard_count = SHARDS,
                                              .snapshot = snap_new(0),
                                              .snapshot_free = snap_free});
    machine_post(&m, 0, read_again, &goes_on);
    for (uint64_t i = 1; i <= PUBLISHES; i++) {
        engine_publish(m.engine, snap_new(i));
        cr_assert_eq(freed, i, "the old one is gone when publish returns");
        for (uint32_t s = 0; s < SHARDS; s++) {
            cr_assert_eq(changes[s], i);
        }
    }
    goes_on = false;
    cr_assert_not(is_wrong);
    cr_assert_gt(reads[0] + reads[1] + reads[2], 100);
    machine_stop(&m);
    cr_assert_eq(freed, PUBLISHES + 1);
}

Test(snapshot, sleeping_shards_take_it_at_once)
{
    struct machine m;

    machine_snapshot_changed = changed;
    machine_start(&m, &(struct engine_params){.shard_count = 2,
                                              .snapshot = snap_new(0),
                                              .snapshot_free = snap_free});
    for (uint64_t i = 1; i <= 50; i++) {
        for (uint32_t ms = 0; ms < 5; ms++) {
            machine_nap(); /* they sleep by now; a lost wake would hang here */
        }
        engine_publish(m.engine, snap_new(i));
    }
    cr_assert_eq(freed, 50);
    cr_assert_not(is_wrong);
    machine_stop(&m);
}
