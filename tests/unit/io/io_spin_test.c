/* SPDX-License-Identifier: GPL-2.0-or-later */
/* io: spinning before a wait: what it finds, when it does not begin, what it may cost. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/io_uring_int.h"
#include "io_rig.h"

/* As long as no test may take; none waits for its end. */
#define FOR_EVER_US 3000u

static uint32_t asked_count;
static uint32_t news_at; /* the question that is answered yes; 0 = none */

static bool news(void *ctx)
{
    (void)ctx;
    return ++asked_count == news_at;
}

static struct uring *uring_of(struct io *io)
{
    return (struct uring *)(void *)io;
}

static bool spin(struct io *io, uint64_t timeout_ms)
{
    return io->vt->spin(io, timeout_ms, news, NULL);
}

/* An io whose waits ended soon, as if: how long they took is not for a test to decide.
 * Buffers of whole texts: none is cut in two. */
static struct io *start(struct rig_pairs *pairs, bool is_plain)
{
    struct io *io = rig_start_with(
        &(struct io_params){.buf_count = 16, .buf_bytes = 3072, .is_plain = is_plain});

    asked_count = 0;
    news_at = 0;
    rig_pairs_open(pairs, io, 8);
    io->spin_us = FOR_EVER_US;
    uring_of(io)->quick_count = URING_QUICK_MIN;
    return io;
}

static void what_is_there_is_found(bool is_plain)
{
    struct rig_pairs pairs;
    struct io *io = start(&pairs, is_plain);
    struct io_event events[2];

    for (uint32_t i = 1; i <= 1000; i++) {
        rig_pairs_write(&pairs, 1);
        cr_assert(spin(io, IO_FOREVER));
        cr_assert_eq(io->spins_found, i);
        cr_assert_eq(io->vt->wait(io, 0), 0);
        cr_assert_eq(io->vt->reap(io, events, 2), 1);
        rig_pairs_take(io, events, 1);
    }
    cr_assert_eq(io->spins_missed, 0);
    cr_assert_eq(asked_count, 0, "events before news");
    rig_pairs_stop(&pairs, io);
}

Test(io_spin, what_is_there_is_found)
{
    what_is_there_is_found(false);
}

Test(io_spin, what_is_there_is_found_the_plain_way)
{
    what_is_there_is_found(true);
}

enum { ROUNDS = 2000 };

/* Writes as soon as it is answered: while the other side spins, sleeps, or between. */
static void *partner(void *arg)
{
    char byte[3];

    for (uint32_t i = 0; i < ROUNDS; i++) {
        cr_assert_eq(write(*(int *)arg, "abc", 3), 3);
        cr_assert_eq(read(*(int *)arg, byte, 3), 3);
    }
    return NULL;
}

Test(io_spin, what_comes_meanwhile_is_found_or_waited_for)
{
    struct rig_pairs pairs;
    struct io *io = start(&pairs, false);
    struct io_event events[8];
    uint32_t got = 0;
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, partner, &pairs.fds[0][1]), 0);
    while (got < ROUNDS) {
        uint32_t count;

        cr_assert_eq(io->vt->wait(io, spin(io, IO_FOREVER) ? 0 : IO_FOREVER), 0);
        count = io->vt->reap(io, events, 8);
        for (uint32_t i = 0; i < count; i++) {
            if (events[i].tag.op == IO_OP_RECV) {
                got++;
                rig_pairs_take(io, &events[i], 1);
                cr_assert_eq(
                    io->vt->send(io, pairs.fds[0][0], "abc", 3, rig_tag(IO_OP_SEND, got)), 0);
            }
        }
    }
    cr_assert_eq(io->vt->wait(io, 0), 0); /* the last answer */
    cr_assert_eq(pthread_join(thread, NULL), 0);
    rig_pairs_stop(&pairs, io);
}

Test(io_spin, what_was_started_goes_out_before)
{
    struct rig_pairs pairs;
    struct io *io = start(&pairs, false);
    struct io_event ev;
    char text[8];

    cr_assert_eq(io->vt->send(io, pairs.fds[1][0], "hello", 5, rig_tag(IO_OP_SEND, 50)), 0);
    cr_assert(spin(io, IO_FOREVER), "done at once");
    cr_assert_eq(recv(pairs.fds[1][1], text, sizeof(text), MSG_DONTWAIT), 5);
    cr_assert_eq(io->vt->wait(io, 0), 0);
    cr_assert_eq(io->vt->reap(io, &ev, 1), 1);
    cr_assert_eq(ev.tag.op, IO_OP_SEND);
    cr_assert_eq(io->spins_found + io->spins_missed, 0, "nothing was looked for");
    rig_pairs_stop(&pairs, io);
}

Test(io_spin, news_end_it)
{
    struct rig_pairs pairs;
    struct io *io = start(&pairs, false);

    news_at = 3;
    cr_assert(spin(io, IO_FOREVER));
    cr_assert_eq(asked_count, 3);
    cr_assert_eq(io->spins_found, 1);
    rig_pairs_stop(&pairs, io);
}

Test(io_spin, crowds_and_bulk_are_not_looked_for)
{
    struct rig_pairs pairs;
    struct io *io = start(&pairs, false);
    struct io_event events[8];

    rig_pairs_write(&pairs, URING_CROWD_EVENTS_MIN);
    cr_assert_eq(io->vt->wait(io, 0), 0);
    cr_assert_eq(io->vt->reap(io, events, 8), URING_CROWD_EVENTS_MIN);
    rig_pairs_take(io, events, URING_CROWD_EVENTS_MIN);
    for (uint32_t i = 0; i < URING_QUICK_MIN; i++) {
        rig_pairs_write(&pairs, 1);
        cr_assert_not(spin(io, IO_FOREVER));
        cr_assert_eq(io->vt->wait(io, 0), 0);
        cr_assert_eq(io->vt->reap(io, events, 8), 1);
        rig_pairs_take(io, events, 1);
    }
    cr_assert_eq(io->spins_found + io->spins_missed, 0);
    rig_pairs_write(&pairs, 1);
    cr_assert(spin(io, IO_FOREVER), "one at a time again");
    rig_pairs_stop(&pairs, io);
    cr_assert(uring_is_lone(3, 4096));
    cr_assert_not(uring_is_lone(4, 0));
    cr_assert_not(uring_is_lone(1, 4097));
}

Test(io_spin, slow_waits_end_it_and_ends_of_sends_say_nothing)
{
    struct uring u = {.io = {.spin_us = 50}};

    for (uint32_t i = 1; i <= URING_QUICK_MIN; i++) {
        uring_spin_waited(&u, 100000);
        uring_spin_reaped(&u, 0, 0);
        cr_assert_eq(u.quick_count, i - 1);
        uring_spin_reaped(&u, 1, 250);
        cr_assert_eq(u.quick_count, i);
    }
    uring_spin_waited(&u, 100001);
    cr_assert_eq(u.quick_count, 0);
}

Test(io_spin, off_means_off)
{
    struct rig_pairs pairs;
    struct io *io = start(&pairs, false);

    io->spin_us = 0;
    rig_pairs_write(&pairs, 1);
    cr_assert_not(spin(io, IO_FOREVER));
    io->spin_us = FOR_EVER_US;
    cr_assert(spin(io, IO_FOREVER));
    rig_pairs_stop(&pairs, io);
}

/* Each takes its time and earns a 128th of it. */
Test(io_spin, in_vain_its_share_runs_out)
{
    struct rig_pairs pairs;
    struct io *io = start(&pairs, false);

    io->spin_us = 1000;
    for (uint32_t i = 0; i < 100000; i++) {
        uring_of(io)->quick_count = URING_QUICK_MIN;
        cr_assert_not(spin(io, IO_FOREVER));
    }
    cr_assert_not(spin(io, IO_FOREVER));
    cr_assert_geq(io->spins_missed, URING_SPIN_CREDIT_MAX_NS / 1000000);
    cr_assert_lt(io->spins_missed, 1000);
    rig_pairs_stop(&pairs, io);
}

Test(io_spin, a_timer_ends_it)
{
    struct rig_pairs pairs;
    struct io *io = start(&pairs, false);

    io->spin_us = 4000000; /* beyond any credit */
    cr_assert_not(spin(io, IO_FOREVER));
    cr_assert_eq(io->spins_missed, 0);
    cr_assert_not(spin(io, 1));
    cr_assert_eq(io->spins_missed, 1);
    rig_pairs_stop(&pairs, io);
}

/* The bound of what is lost, by a clock of the test's own. */
Test(io_spin, what_is_lost_is_a_share_of_the_time)
{
    struct uring_spin_budget b = {0};
    uint64_t begin_ns = 1000000000000, now_ns = begin_ns, lost_ns = 0, spin_ns = 50000;

    while (now_ns < begin_ns + 10000000000u) { /* an event each 70 us, and none in its time */
        if (uring_spin_may(&b, now_ns, spin_ns)) {
            uring_spin_missed(&b, spin_ns);
            lost_ns += spin_ns;
        }
        now_ns += 70000;
    }
    cr_assert_leq(lost_ns, 10000000000u / URING_SPIN_SHARE + URING_SPIN_CREDIT_MAX_NS);
    cr_assert_geq(lost_ns, 10000000000u / URING_SPIN_SHARE - spin_ns);
    for (uint32_t i = 0; i < 100; i++) { /* one who finds is not held up */
        cr_assert(uring_spin_may(&b, now_ns + 10000000, spin_ns));
    }
    /* Short times between are not lost by rounding. */
    b = (struct uring_spin_budget){.seen_ns = now_ns};
    for (uint32_t i = 0; i < 128 * 1000; i++) {
        cr_assert_eq(uring_spin_may(&b, now_ns += 1, 1001), false);
    }
    cr_assert_eq(b.credit_ns, 1000);
}
