/* SPDX-License-Identifier: GPL-2.0-or-later */
/* io: operations of the io_uring backend other than receiving: cancelling, accepting, connecting,
 * polling, bells, a full queue. */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io_rig.h"

Test(io, cancel_ends_both)
{
    struct io *io = rig_start();
    struct io_event events[2];
    uint32_t count = 0;
    int fds[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    cr_assert_eq(io->vt->recv(io, fds[0], rig_tag(IO_OP_RECV, 1)), 0);
    cr_assert(rig_is_quiet(io));
    cr_assert_eq(io->vt->cancel(io, rig_tag(IO_OP_RECV, 1), rig_tag(IO_OP_CANCEL, 1)), 0);
    while (count < 2) {
        cr_assert_eq(io->vt->wait(io, 200), 0);
        count += io->vt->reap(io, &events[count], 2 - count);
    }
    for (uint32_t i = 0; i < 2; i++) { /* in any order */
        cr_assert(events[i].is_last);
        cr_assert_eq(events[i].result, events[i].tag.op == IO_OP_CANCEL ? 0 : -ECANCELED);
    }
    cr_assert_neq(events[0].tag.op, events[1].tag.op);
    cr_assert_eq(io->vt->cancel(io, rig_tag(IO_OP_RECV, 1), rig_tag(IO_OP_CANCEL, 3)), 0);
    cr_assert_eq(rig_next(io, IO_OP_CANCEL, 3).result, -ENOENT);
    io->vt->close(io, fds[0], false);
    close(fds[1]);
    rig_stop(io);
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
    struct io *io = rig_start();
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_storage peer;
    struct io_event ev;
    socklen_t len = sizeof(addr);
    int listener = io_listen_open((struct sockaddr *)&addr, sizeof(addr), 16);

    cr_assert_geq(listener, 0);
    cr_assert_eq(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
    cr_assert_eq(io_listen_open((struct sockaddr *)&addr, sizeof(addr), 16), -EADDRINUSE);
    cr_assert_eq(io->vt->accept(io, listener, rig_tag(IO_OP_ACCEPT, 1)), 0);
    for (uint32_t i = 0; i < 5; i++) {
        int fd = io->vt->socket(io, AF_INET);
        bool is_in = false;
        bool is_out = false;
        int accepted = -1;

        cr_assert_geq(fd, 0);
        cr_assert_eq(option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
        cr_assert_eq(io->vt->connect(io, fd, (struct sockaddr *)&addr, sizeof(addr),
                                     rig_tag(IO_OP_CONNECT, 2)),
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
    cr_assert(rig_next(io, IO_OP_ACCEPT, 1).is_last);
    rig_stop(io);
}

Test(io, polls_and_times_out)
{
    struct io *io = rig_start();
    uint64_t before;
    int alarm_fd = io_alarm_open();

    cr_assert_geq(alarm_fd, 0);
    cr_assert_eq(io->vt->poll(io, alarm_fd, POLLIN, rig_tag(IO_OP_POLL, 1)), 0);
    before = io->vt->now_ms(io);
    cr_assert_eq(io->vt->wait(io, 30), 0);
    cr_assert_geq(io->vt->now_ms(io) - before, 29);
    io_alarm_set(alarm_fd);
    io_alarm_set(alarm_fd);
    cr_assert_eq(rig_next(io, IO_OP_POLL, 1).result, POLLIN);
    io_alarm_clear(alarm_fd);
    io_alarm_clear(alarm_fd);
    cr_assert_eq(io->vt->poll(io, alarm_fd, POLLIN, rig_tag(IO_OP_POLL, 2)), 0);
    cr_assert(rig_is_quiet(io));
    cr_assert_gt(io->vt->now_unix_s(io), 1700000000);
    io_fd_close(alarm_fd);
    rig_stop(io);
}

Test(io, unacked_counts_what_the_peer_has_not_read)
{
    struct io *io = rig_start();
    int fds[2];
    char block[5000] = {0};

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    cr_assert_eq(io->vt->unacked(io, fds[0]), 0);
    cr_assert_eq(write(fds[0], block, sizeof(block)), (ssize_t)sizeof(block));
    cr_assert_geq(io->vt->unacked(io, fds[0]), sizeof(block));
    cr_assert_eq(io->vt->unacked(io, -1), 0);
    close(fds[0]);
    close(fds[1]);
    rig_stop(io);
}

static struct io *bell_target;
static _Atomic bool is_waiting;

static void *ringer(void *arg)
{
    struct io *io = rig_start();

    while (!is_waiting) {
        sched_yield();
    }
    cr_expect_eq(io->vt->bell(io, bell_target, rig_tag(IO_OP_BELL, 1)), 0);
    cr_expect_eq(rig_next(io, IO_OP_BELL, 1).result, 0);
    rig_stop(io);
    return arg;
}

Test(io, a_bell_wakes_another_thread)
{
    struct io_event ev;
    pthread_t thread;
    uint64_t before;

    bell_target = rig_start();
    before = bell_target->vt->now_ms(bell_target);
    cr_assert_eq(pthread_create(&thread, NULL, ringer, NULL), 0);
    is_waiting = true;
    do {
        cr_assert_eq(bell_target->vt->wait(bell_target, 10000), 0);
    } while (!bell_target->vt->reap(bell_target, &ev, 1));
    cr_assert_eq(ev.tag.op, IO_OP_WOKEN);
    cr_assert_lt(bell_target->vt->now_ms(bell_target) - before, 9000);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    rig_stop(bell_target);
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
        cr_assert_eq(io->vt->poll(io, fds[1], POLLOUT, rig_tag(IO_OP_POLL, i)), 0);
    }
    while (seen < 100) {
        cr_assert_eq(io->vt->wait(io, 100), 0);
        seen += io->vt->reap(io, events, 64);
    }
    close(fds[0]);
    close(fds[1]);
    rig_stop(io);
}
