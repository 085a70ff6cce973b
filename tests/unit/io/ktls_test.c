/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ktls: what can be tested on any kernel: the message for a control record, the answers of a kernel
 * with and without TLS, and the receives that the switch to it needs. With a kernel that has TLS:
 * tests/ktls/io_test.c. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/io.h"
#include "io/ktls.h"

enum { SOL_TLS_OPTION = 282, SET_RECORD_TYPE = 1, ALERT = 21 };

Test(ktls, the_message_of_a_control_record)
{
    struct io_record record = {.type = ALERT, .len = 2, .bytes = {1, 0}};
    const struct cmsghdr *cmsg;

    ktls_record_fill(&record);
    cmsg = CMSG_FIRSTHDR(&record.head);
    cr_assert_not_null(cmsg);
    cr_assert_eq(cmsg->cmsg_level, SOL_TLS_OPTION);
    cr_assert_eq(cmsg->cmsg_type, SET_RECORD_TYPE);
    cr_assert_eq(cmsg->cmsg_len, CMSG_LEN(1));
    cr_assert_eq(*CMSG_DATA(cmsg), ALERT);
    cr_assert_eq(record.head.msg_iovlen, 1);
    cr_assert_eq(record.head.msg_iov[0].iov_len, 2);
    cr_assert_arr_eq(record.head.msg_iov[0].iov_base, "\1\0", 2);
}

Test(ktls, not_on_what_is_no_tcp_connection)
{
    int fds[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    cr_assert_lt(ktls_attach(fds[0]), 0);
    close(fds[0]);
    close(fds[1]);
}

/* Whatever this kernel can do: the probe says the same as the call, and says it in words. */
Test(ktls, the_probe_agrees_with_the_kernel)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(at);
    struct ktls_caps caps;
    struct ktls_counters counters;
    int listener = io_listen_open((struct sockaddr *)&at, len, 1);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int err;

    memset(&caps, 0xff, sizeof(caps));
    ktls_probe(&caps);
    cr_assert_eq(getsockname(listener, (struct sockaddr *)&at, &len), 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&at, len), 0);
    err = ktls_attach(fd);
    cr_assert_eq(caps.is_there, err == 0);
    cr_assert_gt(strlen(caps.text), 20);
    cr_assert_lt(strlen(caps.text), sizeof(caps.text) - 1);
    if (err != 0) {
        cr_assert_eq(err, -ENOENT);
        cr_assert_not_null(strstr(caps.text, "modprobe"));
        cr_assert_not(caps.can_rekey);
        for (uint32_t i = 0; i < KTLS_CIPHER_COUNT; i++) {
            cr_assert_not(caps.ciphers[0][i] || caps.ciphers[1][i]);
        }
        cr_assert_not(ktls_counters(&counters));
    } else {
        cr_assert(ktls_counters(&counters));
    }
    close(fd);
    close(listener);
}

static struct io *io_start(void)
{
    struct io_params params = {.buf_count = 4, .buf_bytes = 64};
    struct io *io = NULL;
    char why[300] = "";

    cr_assert_eq(io_uring_backend.create(&io, &params, why, sizeof(why)), 0, "%s", why);
    cr_assert_eq(io->vt->enable(io), 0);
    return io;
}

static int next(struct io *io, enum io_op op)
{
    struct io_event ev = {0};

    for (uint32_t i = 0; i < 50; i++) {
        if (io->vt->reap(io, &ev, 1)) {
            cr_assert_eq(ev.tag.op, op);
            cr_assert(ev.is_last);
            cr_assert_eq(ev.buf_idx, IO_NO_BUF);
            return ev.result;
        }
        cr_assert_eq(io->vt->wait(io, 200), 0);
    }
    cr_assert(false, "no event");
    return 0;
}

Test(ktls, receiving_once_takes_no_more_than_asked_for)
{
    struct io *io = io_start();
    struct io_tag recv_tag = {IO_OP_RECV, 1, 1};
    char bytes[8];
    int fds[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    cr_assert_eq(io->vt->recv_once(io, fds[0], bytes, 5, recv_tag), 0);
    cr_assert_eq(write(fds[1], "abcdefgh", 8), 8);
    cr_assert_eq(next(io, IO_OP_RECV), 5);
    cr_assert_arr_eq(bytes, "abcde", 5);
    cr_assert_eq(io->vt->recv_once(io, fds[0], bytes, 5, recv_tag), 0);
    cr_assert_eq(next(io, IO_OP_RECV), 3, "less is an answer too");
    cr_assert_eq(io->vt->recv_once(io, fds[0], bytes, 5, recv_tag), 0);
    cr_assert_eq(io->vt->cancel(io, recv_tag, (struct io_tag){IO_OP_CANCEL, 1, 1}), 0);
    for (uint32_t i = 0; i < 2; i++) {
        struct io_event ev = {0};

        while (!io->vt->reap(io, &ev, 1)) {
            cr_assert_eq(io->vt->wait(io, 200), 0);
        }
        cr_assert_eq(ev.result, ev.tag.op == IO_OP_RECV ? -ECANCELED : 0);
    }
    io->vt->close(io, fds[0], false);
    close(fds[1]);
    io->vt->destroy(io);
}

Test(ktls, the_end_is_seen_without_reading)
{
    struct io *io = io_start();
    struct io_event ev;
    int fds[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    cr_assert_eq(io->vt->recv_end(io, fds[0], (struct io_tag){IO_OP_RECV, 1, 1}), 0);
    cr_assert_eq(write(fds[1], "unread", 6), 6);
    cr_assert_eq(io->vt->wait(io, 20), 0);
    cr_assert_eq(io->vt->reap(io, &ev, 1), 0);
    close(fds[1]);
    cr_assert_geq(next(io, IO_OP_RECV), 0);
    io->vt->close(io, fds[0], false);
    io->vt->destroy(io);
}
