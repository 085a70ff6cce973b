/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conn: how plain connections end: closed, aborted, reset, half closed. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/err.h"
#include "base/pool.h"
#include "puppet.h"

static void do_say_and_close(struct shard *sh, void *ctx)
{
    char block[50000];

    (void)sh;
    pattern_fill(4, 0, block, sizeof(block));
    buf_append(conn_out(puppet.c), block, sizeof(block));
    cr_expect_eq(conn_bytes_written(puppet.c), sizeof(block));
    conn_close(puppet.c, *(const uint32_t *)ctx);
    conn_close(puppet.c, 5); /* again: nothing */
}

Test(conn_end, closing_sends_everything_first)
{
    struct machine m;
    unsigned char got[50000];
    uint32_t linger_ms = 10000;
    int fd;

    puppet = (struct puppet){0};
    fd = puppet_open(&m, &(struct engine_params){0});
    machine_run(&m, 0, do_say_and_close, &linger_ms);
    cr_assert(client_recv(fd, got, sizeof(got)));
    cr_assert(pattern_is(4, 0, got, sizeof(got)));
    cr_assert_eq(client_recv_end(fd), 1);
    cr_assert(client_send(fd, "too late", 8), "we still read, and drop");
    cr_assert_eq(puppet.closeds, 0, "waits for the peer's end");
    puppet_end(&m, fd);
    cr_assert_eq(puppet.err, 0);
    cr_assert_eq(puppet.unsent, 0);
    cr_assert_eq(puppet.got, 0);
    cr_assert_eq(puppet.peer_ends, 0);
}

Test(conn_end, closing_does_not_wait_for_ever)
{
    struct machine m;
    uint32_t linger_ms = 40;
    int fd;

    puppet = (struct puppet){0};
    fd = puppet_open(&m, &(struct engine_params){0});
    machine_run(&m, 0, do_say_and_close, &linger_ms);
    WAIT_UNTIL(puppet.closeds == 1); /* although the client does not close */
    puppet_end(&m, fd);
    cr_assert_eq(puppet.err, 0);
}

static void do_nap(struct shard *sh, void *ctx)
{
    (void)sh;
    while (!*(_Atomic bool *)ctx) {
        machine_nap();
    }
}

Test(conn_end, held_input_does_not_hide_the_end_of_a_closing_connection)
{
    struct machine m;
    char block[200000];
    uint32_t linger_ms = 100000;
    _Atomic bool is_sent = false;
    int fd;

    puppet = (struct puppet){.takes_nothing = true};
    fd = puppet_open(&m, &(struct engine_params){0});
    machine_post(&m, 0, do_nap, &is_sent); /* so that all of it is received at a stroke */
    pattern_fill(1, 0, block, sizeof(block));
    cr_assert(client_send(fd, block, sizeof(block)));
    is_sent = true;
    WAIT_UNTIL(machine_stats(&m, 0).bytes_in > 100000 && puppet.pauses);
    machine_run(&m, 0, do_say_and_close, &linger_ms);
    cr_assert(client_recv(fd, block, 50000));
    puppet_end(&m, fd); /* long before the linger time */
    cr_assert_eq(puppet.err, 0);
}

Test(conn_end, closing_from_inside_data)
{
    struct machine m;
    char block[100];
    int fd;

    puppet = (struct puppet){.closes_in_data = true, .seed = 2};
    fd = puppet_open(&m, &(struct engine_params){0});
    pattern_fill(2, 0, block, sizeof(block));
    cr_assert(client_send(fd, block, sizeof(block)));
    cr_assert_eq(client_recv_end(fd), 1);
    puppet_end(&m, fd);
    cr_assert_eq(puppet.err, 0);
}

static void do_abort(struct shard *sh, void *ctx)
{
    (void)sh;
    (void)ctx;
    buf_put_cstr(conn_out(puppet.c), "never seen");
    conn_abort(puppet.c, ERR_STREAM, "test");
    conn_abort(puppet.c, ERR_XML, "the first one decides");
    conn_flush(puppet.c);
    conn_pause(puppet.c);
    conn_resume(puppet.c);
    cr_expect_eq(puppet.closeds, 0, "closed never comes from inside a call");
}

Test(conn_end, abort_resets)
{
    struct machine m;
    int fd;

    puppet = (struct puppet){0};
    fd = puppet_open(&m, &(struct engine_params){0});
    machine_run(&m, 0, do_abort, NULL);
    cr_assert_eq(client_recv_end(fd), -ECONNRESET);
    puppet_end(&m, fd);
    cr_assert_eq(puppet.err, ERR_STREAM);
    cr_assert_str_eq(puppet.why, "test");
    cr_assert_eq(puppet.unsent, 10);
}

Test(conn_end, reset_by_the_peer)
{
    struct machine m;
    struct linger at_once = {1, 0};
    int fd;

    puppet = (struct puppet){0};
    fd = puppet_open(&m, &(struct engine_params){0});
    cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    puppet_end(&m, fd);
    cr_assert_eq(puppet.err, -ECONNRESET);
    cr_assert_eq(puppet.peer_ends, 0);
}

static void do_answer_and_close(struct shard *sh, void *ctx)
{
    (void)sh;
    (void)ctx;
    buf_put_cstr(conn_out(puppet.c), "answer");
    conn_close(puppet.c, 1000);
}

Test(conn_end, half_closed_by_the_peer_can_still_be_answered)
{
    struct machine m;
    char got[6];
    int fd;

    puppet = (struct puppet){.keeps_open = true};
    fd = puppet_open(&m, &(struct engine_params){0});
    cr_assert_eq(shutdown(fd, SHUT_WR), 0);
    WAIT_UNTIL(puppet.peer_ends == 1);
    machine_run(&m, 0, do_answer_and_close, NULL);
    cr_assert(client_recv(fd, got, sizeof(got)));
    cr_assert_arr_eq(got, "answer", 6);
    cr_assert_eq(client_recv_end(fd), 1);
    puppet_end(&m, fd);
    cr_assert_eq(puppet.err, 0);
    cr_assert_eq(puppet.peer_ends, 1);
}
