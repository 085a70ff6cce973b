/* SPDX-License-Identifier: GPL-2.0-or-later */
/* io: receiving and sending of the io_uring backend, over socket pairs. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "io_rig.h"

static void receives_sends_and_ends(struct io *io)
{
    struct io_event ev;
    char text[8];
    int fds[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    cr_assert_eq(io->vt->recv(io, fds[0], rig_tag(IO_OP_RECV, 1)), 0);
    for (uint32_t i = 0; i < 3 * RIG_BUFS; i++) { /* one operation serves many */
        cr_assert_eq(write(fds[1], "abc", 3), 3);
        ev = rig_next(io, IO_OP_RECV, 1);
        cr_assert_eq(ev.result, 3);
        cr_assert_not(ev.is_last);
        cr_assert_arr_eq(ev.bytes, "abc", 3);
        cr_assert_eq(io->bufs_lent, 1);
        io->vt->buf_return(io, ev.buf_idx);
        cr_assert_eq(io->bufs_lent, 0);
    }
    cr_assert_eq(io->vt->send(io, fds[0], "hello", 5, rig_tag(IO_OP_SEND, IO_SLOT_MAX)), 0);
    ev = rig_next(io, IO_OP_SEND, IO_SLOT_MAX);
    cr_assert_eq(ev.result, 5);
    cr_assert(ev.is_last);
    cr_assert_eq(ev.buf_idx, IO_NO_BUF);
    cr_assert_eq(read(fds[1], text, sizeof(text)), 5);
    close(fds[1]);
    ev = rig_next(io, IO_OP_RECV, 1);
    cr_assert_eq(ev.result, 0);
    cr_assert(ev.is_last);
    if (ev.buf_idx != IO_NO_BUF) {
        cr_assert_not(rig_is_shared(io), "nothing lies in it");
        io->vt->buf_return(io, ev.buf_idx);
    }
    cr_assert_eq(io->vt->send(io, fds[0], "x", 1, rig_tag(IO_OP_SEND, 2)), 0);
    ev = rig_next(io, IO_OP_SEND, 2);
    cr_assert_eq(ev.result, -EPIPE, "and no SIGPIPE");
    io->vt->close(io, fds[0], false);
    rig_stop(io);
}

Test(io, receives_sends_and_ends)
{
    receives_sends_and_ends(rig_start());
}

Test(io, receives_sends_and_ends_the_plain_way)
{
    struct io *io = rig_start_as(true);

    cr_assert_not(rig_is_shared(io));
    receives_sends_and_ends(io);
}

static void a_dry_buffer_ring_ends_the_receive(struct io *io)
{
    struct io_event ev;
    uint32_t held[RIG_BUFS];
    char block[RIG_BUF_BYTES * (RIG_BUFS + 2)];
    int fds[2];

    memset(block, 'b', sizeof(block));
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    cr_assert_eq(write(fds[1], block, sizeof(block)), (ssize_t)sizeof(block));
    cr_assert_eq(io->vt->recv(io, fds[0], rig_tag(IO_OP_RECV, 1)), 0);
    for (uint32_t i = 0; i < RIG_BUFS; i++) {
        ev = rig_next(io, IO_OP_RECV, 1);
        cr_assert_eq(ev.result, RIG_BUF_BYTES);
        held[i] = ev.buf_idx;
    }
    if (!ev.is_last) { /* newer kernels may end with the last buffer at once */
        ev = rig_next(io, IO_OP_RECV, 1);
        cr_assert_eq(ev.result, -ENOBUFS);
        cr_assert(ev.is_last);
    }
    cr_assert(rig_is_quiet(io));
    cr_assert_eq(io->bufs_lent, RIG_BUFS);
    for (uint32_t i = 0; i < RIG_BUFS; i++) {
        io->vt->buf_return(io, held[i]);
    }
    cr_assert_eq(io->vt->recv(io, fds[0], rig_tag(IO_OP_RECV, 2)), 0);
    for (uint32_t i = 0; i < 2; i++) {
        ev = rig_next(io, IO_OP_RECV, 2);
        cr_assert_eq(ev.result, RIG_BUF_BYTES);
        io->vt->buf_return(io, ev.buf_idx);
    }
    rig_stop(io); /* with the receive still in flight */
    close(fds[0]);
    close(fds[1]);
}

Test(io, a_dry_buffer_ring_ends_the_receive)
{
    a_dry_buffer_ring_ends_the_receive(rig_start());
}

Test(io, a_dry_buffer_ring_ends_the_receive_the_plain_way)
{
    a_dry_buffer_ring_ends_the_receive(rig_start_as(true));
}

/* Stretches of one buffer belong to their events until the last of them is given back. */
Test(io, receives_share_a_buffer)
{
    enum { PAIRS = 3, TEXT = 20 };
    struct io *io = rig_start();
    struct io_event evs[PAIRS];
    char text[TEXT];
    int fds[PAIRS][2];

    for (uint32_t i = 0; i < PAIRS; i++) {
        cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds[i]), 0);
        cr_assert_eq(io->vt->recv(io, fds[i][0], rig_tag(IO_OP_RECV, i)), 0);
    }
    for (uint32_t i = 0; i < PAIRS && rig_is_shared(io); i++) {
        memset(text, 'a' + (int)i, sizeof(text));
        cr_assert_eq(write(fds[i][1], text, sizeof(text)), TEXT);
        evs[i] = rig_next(io, IO_OP_RECV, i);
        cr_assert_eq(evs[i].result, TEXT);
        cr_assert_eq(evs[i].buf_idx, evs[0].buf_idx);
        cr_assert_eq(evs[i].bytes, evs[0].bytes + (size_t)i * TEXT);
        cr_assert_eq(io->bufs_lent, i + 1);
    }
    for (uint32_t i = 0; i < PAIRS && rig_is_shared(io); i++) {
        memset(text, 'a' + (int)i, sizeof(text));
        cr_assert_arr_eq(evs[i].bytes, text, TEXT);
        io->vt->buf_return(io, evs[i].buf_idx);
    }
    for (uint32_t i = 0; i < PAIRS; i++) {
        close(fds[i][1]);
        if (rig_is_shared(io)) {
            cr_assert_eq(rig_next(io, IO_OP_RECV, i).result, 0);
        }
        io->vt->close(io, fds[i][0], false);
    }
    rig_stop(io);
}

/* A full buffer of which one stretch is back must not be filled again under the other. */
Test(io, a_full_buffer_waits_for_its_last_stretch)
{
    struct io *io =
        rig_start_with(&(struct io_params){.buf_count = 2, .buf_bytes = RIG_BUF_BYTES});
    struct io_event first, second, third;
    char text[2 * RIG_BUF_BYTES];
    int fds[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    cr_assert_eq(io->vt->recv(io, fds[0], rig_tag(IO_OP_RECV, 1)), 0);
    if (rig_is_shared(io)) {
        memset(text, 'a', sizeof(text));
        cr_assert_eq(write(fds[1], text, 40), 40);
        first = rig_next(io, IO_OP_RECV, 1);
        cr_assert_eq(first.result, 40);
        cr_assert_eq(write(fds[1], text, RIG_BUF_BYTES - 40), RIG_BUF_BYTES - 40);
        second = rig_next(io, IO_OP_RECV, 1);
        cr_assert_eq(second.buf_idx, first.buf_idx);
        cr_assert_eq(second.result, RIG_BUF_BYTES - 40);
        io->vt->buf_return(io, first.buf_idx);
        memset(text, 'b', sizeof(text));
        cr_assert_eq(write(fds[1], text, sizeof(text)), (ssize_t)sizeof(text));
        third = rig_next(io, IO_OP_RECV, 1);
        cr_assert_eq(third.result, RIG_BUF_BYTES);
        cr_assert_neq(third.buf_idx, second.buf_idx);
        if (!third.is_last) {
            cr_assert_eq(rig_next(io, IO_OP_RECV, 1).result, -ENOBUFS);
        }
        memset(text, 'a', sizeof(text));
        cr_assert_arr_eq(second.bytes, text, RIG_BUF_BYTES - 40);
        io->vt->buf_return(io, second.buf_idx);
        io->vt->buf_return(io, third.buf_idx);
    }
    rig_stop(io);
    close(fds[0]);
    close(fds[1]);
}

/* Over and over through all buffers, ends of input in between: each byte is where it is said to
 * be. */
Test(io, shared_buffers_come_round)
{
    enum { ROUNDS = 60, PIECE_MAX = 50 };
    struct io *io = rig_start();
    struct io_event ev = {0};
    char text[PIECE_MAX];
    uint32_t got;
    int fds[2];

    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t len = 1 + round * 7 % PIECE_MAX;

        cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        cr_assert_eq(io->vt->recv(io, fds[0], rig_tag(IO_OP_RECV, round)), 0);
        memset(text, (int)round + 1, sizeof(text));
        cr_assert_eq(write(fds[1], text, len), (ssize_t)len);
        for (got = 0; got < len; got += (uint32_t)ev.result) { /* cut where a buffer ends */
            ev = rig_next(io, IO_OP_RECV, round);
            cr_assert_gt(ev.result, 0);
            cr_assert_arr_eq(ev.bytes, text, (size_t)ev.result);
            io->vt->buf_return(io, ev.buf_idx);
        }
        cr_assert_eq(got, len);
        close(fds[1]);
        ev = rig_next(io, IO_OP_RECV, round);
        cr_assert_eq(ev.result, 0);
        if (ev.buf_idx != IO_NO_BUF) {
            io->vt->buf_return(io, ev.buf_idx);
        }
        io->vt->close(io, fds[0], false);
    }
    rig_stop(io);
}

/* More than the kernel works off in one call: the caller gets them together. */
Test(io, many_small_receives_come_together)
{
    enum { PAIRS = 60 };
    struct io *io = rig_start_with(&(struct io_params){.buf_count = 64, .buf_bytes = 4096});
    struct io_event events[PAIRS + 1];
    struct rig_pairs pairs;
    uint32_t count;

    rig_pairs_open(&pairs, io, PAIRS);
    rig_pairs_write(&pairs, PAIRS);
    cr_assert_eq(io->vt->wait(io, 1000), 0);
    count = io->vt->reap(io, events, PAIRS + 1);
    cr_assert_eq(count, PAIRS);
    rig_pairs_take(io, events, count);
    rig_pairs_stop(&pairs, io);
}

/* After a crowd the wait asks for many events: fewer come through all the same, and none stays
 * behind. A lost moment would be a hang here. */
Test(io, a_crowd_that_gets_smaller_is_not_waited_for)
{
    enum { PAIRS = 8 };
    struct io *io = rig_start_with(
        &(struct io_params){.buf_count = 16, .buf_bytes = 4096, .linger_us = 50});
    struct io_event events[PAIRS + 1];
    struct rig_pairs pairs;

    rig_pairs_open(&pairs, io, PAIRS);
    for (uint32_t crowd = PAIRS; crowd > 0; crowd--) {
        uint32_t count = 0;

        rig_pairs_write(&pairs, crowd);
        while (count < crowd) {
            uint32_t more;

            cr_assert_eq(io->vt->wait(io, crowd % 2 ? IO_FOREVER : 1000000), 0);
            more = io->vt->reap(io, events, PAIRS + 1);
            rig_pairs_take(io, events, more);
            count += more;
        }
        cr_assert_eq(count, crowd);
    }
    rig_pairs_stop(&pairs, io);
}

static void nap(void)
{
    struct timespec ts = {.tv_nsec = 2000000};

    (void)nanosleep(&ts, NULL);
}

/* One event after the other. */
static void *write_slowly(void *arg)
{
    const struct rig_pairs *pairs = arg;

    for (uint32_t i = 0; i < pairs->count; i++) {
        cr_assert_eq(write(pairs->fds[i][1], "abc", 3), 3);
        nap();
    }
    return NULL;
}

static struct io *behind_a_crowd(struct rig_pairs *pairs, uint32_t linger_us)
{
    struct io *io = rig_start_with(&(struct io_params){
        .buf_count = 128, .buf_bytes = 4096, .linger_us = linger_us});
    struct io_event events[4];

    rig_pairs_open(pairs, io, RIG_PAIRS_MAX);
    rig_pairs_write(pairs, 4);
    cr_assert_eq(io->vt->wait(io, 0), 0);
    cr_assert_eq(io->vt->reap(io, events, 4), 4);
    rig_pairs_take(io, events, 4);
    return io;
}

Test(io, behind_a_crowd_more_is_waited_for)
{
    struct rig_pairs pairs;
    struct io *io = behind_a_crowd(&pairs, 100 * 1000000u - 1); /* ended by number, not by time */
    struct io_event events[RIG_PAIRS_MAX];
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, write_slowly, &pairs), 0);
    cr_assert_eq(io->vt->wait(io, IO_FOREVER), 0);
    cr_assert_eq(io->vt->reap(io, events, RIG_PAIRS_MAX), RIG_PAIRS_MAX);
    rig_pairs_take(io, events, RIG_PAIRS_MAX);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    rig_pairs_stop(&pairs, io);
}

static _Atomic bool has_lingered;

static void *write_after(void *arg)
{
    while (!has_lingered) {
        nap();
    }
    for (uint32_t i = 0; i < 20; i++) {
        nap();
    }
    cr_assert_eq(write(*(int *)arg, "abc", 3), 3);
    return NULL;
}

Test(io, behind_a_moment_in_vain_comes_a_whole_wait)
{
    struct rig_pairs pairs;
    struct io *io = behind_a_crowd(&pairs, 1000);
    struct io_event ev;
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, write_after, &pairs.fds[9][1]), 0);
    cr_assert_eq(io->vt->wait(io, IO_FOREVER), 0);
    cr_assert_eq(io->vt->reap(io, &ev, 1), 0);
    has_lingered = true;
    cr_assert_eq(io->vt->wait(io, IO_FOREVER), 0);
    cr_assert_eq(io->vt->reap(io, &ev, 1), 1);
    rig_pairs_take(io, &ev, 1);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    rig_pairs_stop(&pairs, io);
}
