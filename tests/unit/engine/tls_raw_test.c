/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls: clients that misbehave: ends with and without close_notify, broken records, no TLS. */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/pool.h"
#include "tls_server.h"

/* A raw client: a session of its own over a blocking socket, so that it can misbehave. */
struct raw {
    int fd;
    struct tls_session *session;
    struct buf out;
};

static void raw_send(struct raw *r, size_t step)
{
    while (buf_len(&r->out)) {
        size_t n = buf_len(&r->out) < step ? buf_len(&r->out) : step;

        cr_assert(client_send(r->fd, buf_slice(&r->out).ptr, n));
        buf_consume(&r->out, n);
    }
}

static void raw_open(struct raw *r)
{
    int on = 1;

    buf_init(&r->out, 1 << 20);
    r->fd = client_open(m.port);
    cr_assert_eq(setsockopt(r->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
}

/* Shakes hands, step bytes in each segment. */
static void raw_handshake(struct raw *r, size_t step)
{
    struct tls_session_params params = {.role = TLS_ROLE_CLIENT, .credential_idx = 0};
    enum tls_step state;
    size_t used = 0;
    char byte;

    cr_assert_eq(tls_session_new(&r->session, client_ctx, &params), 0);
    state = tls_session_handshake(r->session, SLICE_NONE, &used, &r->out);
    while (state == TLS_STEP_MORE) {
        raw_send(r, step);
        cr_assert(client_recv(r->fd, &byte, 1));
        state = tls_session_handshake(r->session, slice_make(&byte, 1), &used, &r->out);
        cr_assert_eq(used, 1);
    }
    cr_assert_eq(state, TLS_STEP_DONE, "%s", tls_session_error(r->session)->text);
    raw_send(r, step);
}

static void raw_end(struct raw *r)
{
    client_close(r->fd);
    WAIT_UNTIL(server.closed == 1);
    tls_session_free(r->session);
    buf_deinit(&r->out);
    tls_context_unref(server_ctx);
    tls_context_unref(client_ctx);
    machine_stop(&m);
}

static void raw_start(bool is_direct)
{
    server.is_direct = is_direct;
    server_ctx = server_context("wolfssl");
    client_ctx = server_context("wolfssl");
    server_start(&(struct engine_params){0});
}

Test(tls_raw, byte_by_byte_then_cut_off)
{
    struct raw r = {0};

    raw_start(true);
    raw_open(&r);
    raw_handshake(&r, 1);
    cr_assert_eq(tls_session_seal(r.session, SLICE_LIT("hello"), &r.out), 0);
    raw_send(&r, 1);
    cr_assert_eq(shutdown(r.fd, SHUT_WR), 0); /* not close: the echo is unread, that would reset */
    WAIT_UNTIL(server.closed == 1);
    raw_end(&r);
    cr_assert_eq(server.secured, 1);
    cr_assert_eq(server.err, ERR_TLS_TRUNCATED);
    cr_assert_eq(server.peer_ends, 0, "a cut is not an end");
}

Test(tls_raw, close_notify_is_an_end)
{
    struct raw r = {0};

    raw_start(true);
    raw_open(&r);
    raw_handshake(&r, 1000);
    tls_session_close(r.session, &r.out);
    raw_send(&r, 1000);
    WAIT_UNTIL(server.peer_ends == 1);
    raw_end(&r);
    cr_assert_eq(server.err, ERR_CLOSED);
}

Test(tls_raw, a_broken_record_ends_the_connection)
{
    struct raw r = {0};

    raw_start(true);
    raw_open(&r);
    raw_handshake(&r, 1000);
    cr_assert_eq(tls_session_seal(r.session, SLICE_LIT("hello"), &r.out), 0);
    r.out.data[r.out.head + 8] ^= 1;
    raw_send(&r, 1000);
    WAIT_UNTIL(client_recv_end(r.fd) != 0); /* an alert, then the end */
    raw_end(&r);
    cr_assert_eq(server.err, ERR_TLS_RECORD, "%s", err_name(server.err));
    cr_assert_neq(server.why[0], '\0');
}

Test(tls_raw, no_tls_at_all)
{
    struct raw r = {0};

    raw_start(true);
    raw_open(&r);
    cr_assert(client_send(r.fd, "<?xml version='1.0'?><stream:stream>", 36));
    WAIT_UNTIL(server.closed == 1 || client_recv_end(r.fd) != 0);
    raw_end(&r);
    cr_assert_lt(server.err, ERR_TLS_HANDSHAKE + 1);
    cr_assert_gt(server.err, ERR_TLS_CONFIG - 1);
    cr_assert_eq(server.secured, 0);
}

Test(tls_raw, end_during_the_handshake)
{
    struct raw r = {0};

    raw_start(true);
    raw_open(&r);
    cr_assert(client_send(r.fd, "\x16\x03\x01\x00", 4));
    raw_end(&r);
    cr_assert_eq(server.err, ERR_TLS_HANDSHAKE);
    cr_assert_eq(server.secured, 0);
}

Test(tls_raw, a_silent_client_is_not_waited_for)
{
    struct raw r = {0};

    server.handshake_timeout_ms = 60;
    raw_start(true);
    raw_open(&r);
    cr_assert_eq(client_recv_end(r.fd), -ECONNRESET);
    raw_end(&r);
    cr_assert_eq(server.err, ERR_TIMEOUT);
}

Test(tls_raw, plaintext_behind_the_upgrade_is_refused)
{
    struct raw r = {0};

    raw_start(false);
    raw_open(&r);
    cr_assert(client_send(r.fd, UPGRADE "<evil/>", sizeof(UPGRADE "<evil/>") - 1));
    WAIT_UNTIL(server.closed == 1);
    raw_end(&r);
    cr_assert_eq(server.err, ERR_BAD_INPUT);
    cr_assert_eq(server.secured, 0);
}
