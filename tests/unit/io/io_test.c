/* SPDX-License-Identifier: GPL-2.0-or-later */
/* io: the io_uring backend alone, over socket pairs and loopback. */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "io/io.h"
#include "io/io_uring_int.h"

enum { BUFS = 4, BUF_BYTES = 64 };

static struct io *io_start_as(bool is_plain)
{
    struct io_params params = {.buf_count = BUFS, .buf_bytes = BUF_BYTES, .is_plain = is_plain};
    struct io *io = NULL;
    char why[300] = "";

    cr_assert_eq(io_uring_backend.create(&io, &params, why, sizeof(why)), 0, "%s", why);
    cr_assert_eq(io->vt->enable(io), 0);
    return io;
}

static struct io *io_start(void)
{
    return io_start_as(false);
}

static bool is_shared(struct io *io)
{
    return ((struct uring *)(void *)io)->is_shared;
}

static void io_stop(struct io *io)
{
    cr_assert(io_uring_bufs_ok(io));
    cr_assert_eq(io->overflow_count, 0);
    io->vt->destroy(io);
}

static struct io_tag tag(enum io_op op, uint32_t slot)
{
    return (struct io_tag){op, slot, slot + 1000};
}

/* The next event, waited for; asserts that it is of this operation. */
static struct io_event next(struct io *io, enum io_op op, uint32_t slot)
{
    struct io_event ev = {0};

    for (uint32_t i = 0; i < 50; i++) {
        if (io->vt->reap(io, &ev, 1)) {
            cr_assert_eq(ev.tag.op, op);
            cr_assert_eq(ev.tag.slot, slot);
            cr_assert_eq(ev.tag.generation, slot + 1000);
            return ev;
        }
        cr_assert_eq(io->vt->wait(io, 200), 0);
    }
    cr_assert(false, "no event");
    return ev;
}

static bool is_quiet(struct io *io)
{
    struct io_event ev;

    (void)io->vt->wait(io, 20);
    return io->vt->reap(io, &ev, 1) == 0;
}

static void receives_sends_and_ends(struct io *io)
{
    struct io_event ev;
    char text[8];
    int fds[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    cr_assert_eq(io->vt->recv(io, fds[0], tag(IO_OP_RECV, 1)), 0);
    for (uint32_t i = 0; i < 3 * BUFS; i++) { /* one operation serves many */
        cr_assert_eq(write(fds[1], "abc", 3), 3);
        ev = next(io, IO_OP_RECV, 1);
        cr_assert_eq(ev.result, 3);
        cr_assert_not(ev.is_last);
        cr_assert_arr_eq(ev.bytes, "abc", 3);
        cr_assert_eq(io->bufs_lent, 1);
        io->vt->buf_return(io, ev.buf_idx);
        cr_assert_eq(io->bufs_lent, 0);
    }
    cr_assert_eq(io->vt->send(io, fds[0], "hello", 5, tag(IO_OP_SEND, IO_SLOT_MAX)), 0);
    ev = next(io, IO_OP_SEND, IO_SLOT_MAX);
    cr_assert_eq(ev.result, 5);
    cr_assert(ev.is_last);
    cr_assert_eq(ev.buf_idx, IO_NO_BUF);
    cr_assert_eq(read(fds[1], text, sizeof(text)), 5);
    close(fds[1]);
    ev = next(io, IO_OP_RECV, 1);
    cr_assert_eq(ev.result, 0);
    cr_assert(ev.is_last);
    if (ev.buf_idx != IO_NO_BUF) {
        io->vt->buf_return(io, ev.buf_idx);
    }
    cr_assert_eq(io->vt->send(io, fds[0], "x", 1, tag(IO_OP_SEND, 2)), 0);
    ev = next(io, IO_OP_SEND, 2);
    cr_assert_eq(ev.result, -EPIPE, "and no SIGPIPE");
    io->vt->close(io, fds[0], false);
    io_stop(io);
}

Test(io, receives_sends_and_ends)
{
    receives_sends_and_ends(io_start());
}

Test(io, receives_sends_and_ends_the_plain_way)
{
    struct io *io = io_start_as(true);

    cr_assert_not(is_shared(io));
    receives_sends_and_ends(io);
}

static void a_dry_buffer_ring_ends_the_receive(struct io *io)
{
    struct io_event ev;
    uint32_t held[BUFS];
    char block[BUF_BYTES * (BUFS + 2)];
    int fds[2];

    memset(block, 'b', sizeof(block));
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    cr_assert_eq(write(fds[1], block, sizeof(block)), (ssize_t)sizeof(block));
    cr_assert_eq(io->vt->recv(io, fds[0], tag(IO_OP_RECV, 1)), 0);
    for (uint32_t i = 0; i < BUFS; i++) {
        ev = next(io, IO_OP_RECV, 1);
        cr_assert_eq(ev.result, BUF_BYTES);
        held[i] = ev.buf_idx;
    }
    if (!ev.is_last) { /* newer kernels may end with the last buffer at once */
        ev = next(io, IO_OP_RECV, 1);
        cr_assert_eq(ev.result, -ENOBUFS);
        cr_assert(ev.is_last);
    }
    cr_assert(is_quiet(io));
    cr_assert_eq(io->bufs_lent, BUFS);
    for (uint32_t i = 0; i < BUFS; i++) {
        io->vt->buf_return(io, held[i]);
    }
    cr_assert_eq(io->vt->recv(io, fds[0], tag(IO_OP_RECV, 2)), 0);
    for (uint32_t i = 0; i < 2; i++) {
        ev = next(io, IO_OP_RECV, 2);
        cr_assert_eq(ev.result, BUF_BYTES);
        io->vt->buf_return(io, ev.buf_idx);
    }
    io_stop(io); /* with the receive still in flight */
    close(fds[0]);
    close(fds[1]);
}

Test(io, a_dry_buffer_ring_ends_the_receive)
{
    a_dry_buffer_ring_ends_the_receive(io_start());
}

Test(io, a_dry_buffer_ring_ends_the_receive_the_plain_way)
{
    a_dry_buffer_ring_ends_the_receive(io_start_as(true));
}

/* Stretches of one buffer belong to their events until the last of them is given back. */
Test(io, receives_share_a_buffer)
{
    enum { PAIRS = 3, TEXT = 20 };
    struct io *io = io_start();
    struct io_event evs[PAIRS];
    char text[TEXT];
    int fds[PAIRS][2];

    for (uint32_t i = 0; i < PAIRS; i++) {
        cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds[i]), 0);
        cr_assert_eq(io->vt->recv(io, fds[i][0], tag(IO_OP_RECV, i)), 0);
    }
    for (uint32_t i = 0; i < PAIRS && is_shared(io); i++) {
        memset(text, 'a' + (int)i, sizeof(text));
        cr_assert_eq(write(fds[i][1], text, sizeof(text)), TEXT);
        evs[i] = next(io, IO_OP_RECV, i);
        cr_assert_eq(evs[i].result, TEXT);
        cr_assert_eq(evs[i].buf_idx, evs[0].buf_idx);
        cr_assert_eq(evs[i].bytes, evs[0].bytes + (size_t)i * TEXT);
        cr_assert_eq(io->bufs_lent, i + 1);
    }
    for (uint32_t i = 0; i < PAIRS && is_shared(io); i++) {
        memset(text, 'a' + (int)i, sizeof(text));
        cr_assert_arr_eq(evs[i].bytes, text, TEXT);
        io->vt->buf_return(io, evs[i].buf_idx);
    }
    for (uint32_t i = 0; i < PAIRS; i++) {
        close(fds[i][1]);
        if (is_shared(io)) {
            cr_assert_eq(next(io, IO_OP_RECV, i).result, 0);
        }
        io->vt->close(io, fds[i][0], false);
    }
    io_stop(io);
}

/* Over and over through all buffers, ends of input in between: each byte is where it is said to
 * be. */
Test(io, shared_buffers_come_round)
{
    enum { ROUNDS = 60, PIECE_MAX = 50 };
    struct io *io = io_start();
    struct io_event ev = {0};
    char text[PIECE_MAX];
    uint32_t got;
    int fds[2];

    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t len = 1 + round * 7 % PIECE_MAX;

        cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        cr_assert_eq(io->vt->recv(io, fds[0], tag(IO_OP_RECV, round)), 0);
        memset(text, (int)round + 1, sizeof(text));
        cr_assert_eq(write(fds[1], text, len), (ssize_t)len);
        for (got = 0; got < len; got += (uint32_t)ev.result) { /* cut where a buffer ends */
            ev = next(io, IO_OP_RECV, round);
            cr_assert_gt(ev.result, 0);
            cr_assert_arr_eq(ev.bytes, text, (size_t)ev.result);
            io->vt->buf_return(io, ev.buf_idx);
        }
        cr_assert_eq(got, len);
        close(fds[1]);
        ev = next(io, IO_OP_RECV, round);
        cr_assert_eq(ev.result, 0);
        if (ev.buf_idx != IO_NO_BUF) {
            io->vt->buf_return(io, ev.buf_idx);
        }
        io->vt->close(io, fds[0], false);
    }
    io_stop(io);
}

Test(io, where_buffers_may_be_shared)
{
    cr_assert_not(uring_may_share("6.1.0-38-amd64"));
    cr_assert_not(uring_may_share("6.12.30"));
    cr_assert_not(uring_may_share("6.15.9"));
    cr_assert(uring_may_share("6.16"));
    cr_assert(uring_may_share("6.18.44-fc"));
    cr_assert(uring_may_share("7.0.1"));
    cr_assert(uring_may_share("10.0"));
    cr_assert_not(uring_may_share("6"));
    cr_assert_not(uring_may_share(""));
    cr_assert_not(uring_may_share("next"));
}

/* More than the kernel works off in one call: the caller gets them together. */
Test(io, many_small_receives_come_together)
{
    enum { PAIRS = 60 };
    struct io_params params = {.buf_count = 64, .buf_bytes = 4096};
    struct io_event events[PAIRS + 1];
    struct io *io = NULL;
    uint32_t count;
    char why[200];
    int fds[PAIRS][2];

    cr_assert_eq(io_uring_backend.create(&io, &params, why, sizeof(why)), 0, "%s", why);
    cr_assert_eq(io->vt->enable(io), 0);
    for (uint32_t i = 0; i < PAIRS; i++) {
        cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds[i]), 0);
        cr_assert_eq(io->vt->recv(io, fds[i][0], tag(IO_OP_RECV, i)), 0);
    }
    cr_assert(is_quiet(io));
    for (uint32_t i = 0; i < PAIRS; i++) {
        cr_assert_eq(write(fds[i][1], "abc", 3), 3);
    }
    cr_assert_eq(io->vt->wait(io, 1000), 0);
    count = io->vt->reap(io, events, PAIRS + 1);
    cr_assert_eq(count, PAIRS);
    for (uint32_t i = 0; i < PAIRS; i++) {
        cr_assert_eq(events[i].result, 3);
        cr_assert_arr_eq(events[i].bytes, "abc", 3);
        io->vt->buf_return(io, events[i].buf_idx);
        close(fds[i][1]);
    }
    io_stop(io);
    for (uint32_t i = 0; i < PAIRS; i++) {
        close(fds[i][0]);
    }
}

Test(io, what_a_crowd_is)
{
    cr_assert_not(uring_is_crowd(0, 0));
    cr_assert_not(uring_is_crowd(3, 300));
    cr_assert(uring_is_crowd(4, 0), "sends that are done, too");
    cr_assert(uring_is_crowd(256, 16384));
    cr_assert_not(uring_is_crowd(4, 16385), "bulk");
}

/* After a crowd the wait asks for many events: fewer come through all the same, and none stays
 * behind. A lost moment would be a hang here. */
Test(io, a_crowd_that_gets_smaller_is_not_waited_for)
{
    enum { PAIRS = 8 };
    struct io_params params = {.buf_count = 16, .buf_bytes = 4096, .linger_us = 50};
    struct io_event events[PAIRS + 1];
    struct io *io = NULL;
    char why[200];
    int fds[PAIRS][2];

    cr_assert_eq(io_uring_backend.create(&io, &params, why, sizeof(why)), 0, "%s", why);
    cr_assert_eq(io->vt->enable(io), 0);
    for (uint32_t i = 0; i < PAIRS; i++) {
        cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds[i]), 0);
        cr_assert_eq(io->vt->recv(io, fds[i][0], tag(IO_OP_RECV, i)), 0);
    }
    cr_assert(is_quiet(io));
    for (uint32_t crowd = PAIRS; crowd > 0; crowd--) {
        uint32_t count = 0;

        for (uint32_t i = 0; i < crowd; i++) {
            cr_assert_eq(write(fds[i][1], "abc", 3), 3);
        }
        while (count < crowd) {
            uint32_t more;

            cr_assert_eq(io->vt->wait(io, crowd % 2 ? IO_FOREVER : 1000000), 0);
            more = io->vt->reap(io, &events[count], PAIRS + 1 - count);
            for (uint32_t i = count; i < count + more; i++) {
                cr_assert_eq(events[i].result, 3);
                io->vt->buf_return(io, events[i].buf_idx);
            }
            count += more;
        }
        cr_assert_eq(count, crowd);
    }
    for (uint32_t i = 0; i < PAIRS; i++) {
        close(fds[i][1]);
    }
    io_stop(io);
    for (uint32_t i = 0; i < PAIRS; i++) {
        close(fds[i][0]);
    }
}

Test(io, cancel_ends_both)
{
    struct io *io = io_start();
    struct io_event events[2];
    uint32_t count = 0;
    int fds[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    cr_assert_eq(io->vt->recv(io, fds[0], tag(IO_OP_RECV, 1)), 0);
    cr_assert(is_quiet(io));
    cr_assert_eq(io->vt->cancel(io, tag(IO_OP_RECV, 1), tag(IO_OP_CANCEL, 1)), 0);
    while (count < 2) {
        cr_assert_eq(io->vt->wait(io, 200), 0);
        count += io->vt->reap(io, &events[count], 2 - count);
    }
    for (uint32_t i = 0; i < 2; i++) { /* in any order */
        cr_assert(events[i].is_last);
        cr_assert_eq(events[i].result, events[i].tag.op == IO_OP_CANCEL ? 0 : -ECANCELED);
    }
    cr_assert_neq(events[0].tag.op, events[1].tag.op);
    cr_assert_eq(io->vt->cancel(io, tag(IO_OP_RECV, 1), tag(IO_OP_CANCEL, 3)), 0);
    cr_assert_eq(next(io, IO_OP_CANCEL, 3).result, -ENOENT);
    io->vt->close(io, fds[0], false);
    close(fds[1]);
    io_stop(io);
}

static int option(int fd, int level, int name)
{
    int value = 0;
    socklen_t len = sizeof(value);

    cr_assert_eq(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

Test(io, accepts_and_connects)
{
    struct io *io = io_start();
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_storage peer;
    struct io_event ev;
    socklen_t len = sizeof(addr);
    int listener = io_listen_open((struct sockaddr *)&addr, sizeof(addr), 16);

    cr_assert_geq(listener, 0);
    cr_assert_eq(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
    cr_assert_eq(io_listen_open((struct sockaddr *)&addr, sizeof(addr), 16), -EADDRINUSE);
    cr_assert_eq(io->vt->accept(io, listener, tag(IO_OP_ACCEPT, 1)), 0);
    for (uint32_t i = 0; i < 5; i++) {
        int fd = io->vt->socket(io, AF_INET);
        bool is_in = false;
        bool is_out = false;
        int accepted = -1;

        cr_assert_geq(fd, 0);
        cr_assert_eq(option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
        cr_assert_eq(io->vt->connect(io, fd, (struct sockaddr *)&addr, sizeof(addr),
                                     tag(IO_OP_CONNECT, 2)),
                     0);
        while (!is_in || !is_out) {
            cr_assert_eq(io->vt->wait(io, 500), 0);
            if (!io->vt->reap(io, &ev, 1)) {
                continue;
            }
            cr_assert_geq(ev.result, 0);
            is_out = is_out || ev.tag.op == IO_OP_CONNECT;
            if (ev.tag.op == IO_OP_ACCEPT) {
                cr_assert_not(ev.is_last);
                accepted = ev.result;
                is_in = true;
            }
        }
        cr_assert_eq(io->vt->accepted(io, accepted, &peer, &len), 0);
        cr_assert_eq(peer.ss_family, AF_INET);
        cr_assert_eq(option(accepted, IPPROTO_TCP, TCP_NODELAY), 1);
        io->vt->close(io, accepted, true);
        io->vt->close(io, fd, false);
    }
    cr_assert_eq(io->vt->socket(io, 250), -EAFNOSUPPORT);
    io->vt->shutdown_listen(io, listener);
    io_fd_close(listener);
    cr_assert(next(io, IO_OP_ACCEPT, 1).is_last);
    io_stop(io);
}

Test(io, polls_and_times_out)
{
    struct io *io = io_start();
    uint64_t before;
    int alarm_fd = io_alarm_open();

    cr_assert_geq(alarm_fd, 0);
    cr_assert_eq(io->vt->poll(io, alarm_fd, POLLIN, tag(IO_OP_POLL, 1)), 0);
    before = io->vt->now_ms(io);
    cr_assert_eq(io->vt->wait(io, 30), 0);
    cr_assert_geq(io->vt->now_ms(io) - before, 29);
    io_alarm_set(alarm_fd);
    io_alarm_set(alarm_fd);
    cr_assert_eq(next(io, IO_OP_POLL, 1).result, POLLIN);
    io_alarm_clear(alarm_fd);
    io_alarm_clear(alarm_fd);
    cr_assert_eq(io->vt->poll(io, alarm_fd, POLLIN, tag(IO_OP_POLL, 2)), 0);
    cr_assert(is_quiet(io));
    cr_assert_gt(io->vt->now_unix_s(io), 1700000000);
    io_fd_close(alarm_fd);
    io_stop(io);
}

Test(io, unacked_counts_what_the_peer_has_not_read)
{
    struct io *io = io_start();
    int fds[2];
    char block[5000] = {0};

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    cr_assert_eq(io->vt->unacked(io, fds[0]), 0);
    cr_assert_eq(write(fds[0], block, sizeof(block)), (ssize_t)sizeof(block));
    cr_assert_geq(io->vt->unacked(io, fds[0]), sizeof(block));
    cr_assert_eq(io->vt->unacked(io, -1), 0);
    close(fds[0]);
    close(fds[1]);
    io_stop(io);
}

static struct io *bell_target;
static _Atomic bool is_waiting;

static void *ringer(void *arg)
{
    struct io *io = io_start();

    while (!is_waiting) {
        sched_yield();
    }
    cr_expect_eq(io->vt->bell(io, bell_target, tag(IO_OP_BELL, 1)), 0);
    cr_expect_eq(next(io, IO_OP_BELL, 1).result, 0);
    io_stop(io);
    return arg;
}

Test(io, a_bell_wakes_another_thread)
{
    struct io_event ev;
    pthread_t thread;
    uint64_t before;

    bell_target = io_start();
    before = bell_target->vt->now_ms(bell_target);
    cr_assert_eq(pthread_create(&thread, NULL, ringer, NULL), 0);
    is_waiting = true;
    do {
        cr_assert_eq(bell_target->vt->wait(bell_target, 10000), 0);
    } while (!bell_target->vt->reap(bell_target, &ev, 1));
    cr_assert_eq(ev.tag.op, IO_OP_WOKEN);
    cr_assert_lt(bell_target->vt->now_ms(bell_target) - before, 9000);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    io_stop(bell_target);
}

Test(io, more_operations_than_the_queue_holds)
{
    struct io_params params = {.sq_entries = 8, .cq_entries = 256, .buf_count = 2, .buf_bytes = 64};
    struct io_event events[64];
    uint32_t seen = 0;
    struct io *io;
    char why[200];
    int fds[2];

    cr_assert_eq(io_uring_backend.create(&io, &params, why, sizeof(why)), 0, "%s", why);
    cr_assert_eq(io->vt->enable(io), 0);
    cr_assert_eq(pipe(fds), 0);
    for (uint32_t i = 0; i < 100; i++) {
        cr_assert_eq(io->vt->poll(io, fds[1], POLLOUT, tag(IO_OP_POLL, i)), 0);
    }
    while (seen < 100) {
        cr_assert_eq(io->vt->wait(io, 100), 0);
        seen += io->vt->reap(io, events, 64);
    }
    close(fds[0]);
    close(fds[1]);
    io_stop(io);
}

/* What is not on the allow-list is refused by the kernel, whoever writes it into the ring. */
Test(io, other_operations_are_restricted)
{
    struct io *io = io_start();
    struct uring *u = (struct uring *)(void *)io;
    struct io_uring_cqe *cqe = NULL;
    struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

    if (!sqe) {
        cr_assert(false, "no room in a new queue");
        return;
    }
    io_uring_prep_openat(sqe, AT_FDCWD, "/etc/passwd", 0, 0);
    cr_assert_eq(io_uring_submit_and_wait(&u->ring, 1), 1);
    cr_assert_eq(io_uring_wait_cqe(&u->ring, &cqe), 0);
    cr_assert_eq(cqe->res, -EACCES);
    io_uring_cqe_seen(&u->ring, cqe);
    cr_assert_eq(io_uring_register_files_sparse(&u->ring, 4), -EACCES);
    io_stop(io);
}

Test(io, a_refusal_is_explained)
{
    char why[300];

    cr_assert_eq(uring_explain(-EPERM, 2, "6.8", 0, why, sizeof(why)), ERR_IO_URING_SYSCTL);
    cr_assert(strstr(why, "kernel.io_uring_disabled is 2"));
    cr_assert_eq(uring_explain(-EPERM, 1, "6.8", 0, why, sizeof(why)), ERR_IO_URING_SYSCTL);
    cr_assert(strstr(why, "io_uring_group"));
    cr_assert_eq(uring_explain(-EPERM, 0, "6.8", 0, why, sizeof(why)), ERR_IO_URING_SECCOMP);
    cr_assert(strstr(why, "seccomp"));
    cr_assert_eq(uring_explain(-EPERM, -1, "6.1", 0, why, sizeof(why)), ERR_IO_URING_SECCOMP);
    cr_assert_eq(uring_explain(-ENOSYS, 0, "6.8", 0, why, sizeof(why)), ERR_IO_URING_SECCOMP);
    cr_assert_eq(uring_explain(-EINVAL, 0, "5.10.1", 0, why, sizeof(why)), ERR_IO_URING_OLD);
    cr_assert(strstr(why, "5.10.1"));
    cr_assert_eq(uring_explain(-ENOMEM, 0, "6.8", 65536, why, sizeof(why)), ERR_NOMEM);
    cr_assert(strstr(why, "65536"));
    cr_assert_eq(uring_explain(-EMFILE, 0, "6.8", 0, why, sizeof(why)), -EMFILE);
}

/* As a container's profile does it. */
static void forbid_io_uring(uint32_t answer_errno)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | answer_errno),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

    cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

static void expect_seccomp(void)
{
    struct io_params params = {.buf_count = BUFS, .buf_bytes = BUF_BYTES};
    struct io *io = NULL;
    char why[300] = "";

    cr_assert_eq(io_uring_backend.create(&io, &params, why, sizeof(why)), ERR_IO_URING_SECCOMP);
    cr_assert_null(io);
    cr_assert(strstr(why, "seccomp"), "%s", why);
}

Test(io, forbidden_by_seccomp_with_eperm)
{
    forbid_io_uring(EPERM);
    expect_seccomp();
}

Test(io, forbidden_by_seccomp_with_enosys)
{
    forbid_io_uring(ENOSYS);
    expect_seccomp();
}
