/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls: TLS on connections, with both backends on either side: directly and after an upgrade, in any
 * cutting, with pauses and moves; ends with and without close_notify; what does not fit. With
 * FEDGATE_TEST_KTLS in the environment (tests/ktls) the kernel has to do the records. */
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
#include "io/ktls.h"
#include "machine.h"
#include "tls/tls.h"

#define UPGRADE "starttls"
#define PROCEED "proceed"

static struct machine m;
static struct tls_context *server_ctx, *client_ctx;
static struct ktls_caps caps;

/* What the accepting side does. */
static struct {
    bool is_direct, is_picky, moves;
    uint32_t handshake_timeout_ms;
    uint64_t state;
    struct wheel_timer timer;
    _Atomic uint64_t secured, moved, peer_ends, closed;
    _Atomic int err;
    char why[200];
    char subject[128];
} server;

/* What the connecting side does: writes pattern bytes, expects them back. */
static struct {
    bool is_direct;
    size_t len, sent, got, piece_max;
    uint64_t state;
    struct conn *c;
    _Atomic bool is_wrong, is_done;
    _Atomic uint64_t secured, closed;
    _Atomic int err;
    char why[200];
} client;

static void server_accepted(struct shard *sh, struct conn *c, uint32_t tag);

static struct tls_context *context(const char *backend)
{
    struct tls_credential credential = {.certificate_path = TLS_CERTS "/good.crt",
                                        .key_path = TLS_CERTS "/good.key"};
    struct tls_context_params params = {
        .credentials = &credential, .credential_count = 1, .trust_path = TLS_CERTS "/trust.crt"};
    struct tls_context *ctx;
    struct tls_error why;

    cr_assert_eq(tls_context_new(&ctx, tls_backend_find(backend), &params, &why), 0, "%s",
                 why.text);
    return ctx;
}

static bool is_kernel_wanted(void)
{
    return getenv("FEDGATE_TEST_KTLS") != NULL;
}

static void start(const struct engine_params *params)
{
    struct engine_params p = *params;

    if (is_kernel_wanted()) {
        ktls_probe(&caps);
        cr_assert(caps.is_there, "%s", caps.text);
        p.ktls = &caps;
    }
    machine_accepted = server_accepted;
    machine_start(&m, &p);
}

static void server_tls(struct conn *c)
{
    struct conn_tls_params params = {.ctx = server_ctx,
                                     .session = {.role = TLS_ROLE_SERVER,
                                                 .credential_idx = UINT32_MAX},
                                     .handshake_timeout_ms = server.handshake_timeout_ms,
                                     .ktls = is_kernel_wanted() ? CONN_KTLS_REQUIRE
                                                                : CONN_KTLS_OFF};

    cr_expect_eq(conn_start_tls(c, &params), 0);
    cr_expect_eq(conn_start_tls(c, &params), ERR_STATE);
}

static void server_resume(struct wheel_timer *t, void *ctx)
{
    (void)t;
    conn_resume(ctx);
}

static void server_arrived(struct shard *sh, struct conn *c, void *owner)
{
    (void)sh;
    (void)owner;
    server.moved++;
    cr_expect(conn_is_secured(c));
    conn_resume(c);
}

static size_t server_data(struct conn *c, void *owner, char *bytes, size_t len)
{
    struct buf *out = conn_out(c);
    size_t take = len;

    (void)owner;
    if (!conn_is_secured(c)) {
        if (len < strlen(UPGRADE)) {
            conn_abort(c, ERR_XML, "not in one piece");
            return len;
        }
        cr_expect_eq(memcmp(bytes, UPGRADE, strlen(UPGRADE)), 0);
        buf_put_lit(out, PROCEED);
        server_tls(c);
        return strlen(UPGRADE);
    }
    if (server.is_picky && dice(&server.state, 2)) {
        take = dice(&server.state, (uint32_t)len + 1);
    }
    take = take < buf_room(out) ? take : buf_room(out);
    buf_append(out, bytes, take);
    conn_flush(c);
    if (take < len || conn_out_is_crowded(c)) {
        conn_pause(c);
        if (server.moves) {
            conn_move(c, dice(&server.state, shard_count(conn_shard(c))), server_arrived);
        } else if (server.is_picky) {
            shard_timer_arm(conn_shard(c), &server.timer, 1, server_resume, c);
        }
    }
    return take;
}

static void server_writable(struct conn *c, void *owner)
{
    (void)owner;
    conn_resume(c);
}

static void server_secured(struct conn *c, void *owner)
{
    (void)owner;
    conn_set_authenticated(c);
    (void)snprintf(server.subject, sizeof(server.subject), "%s", conn_tls_peer(c)->subject);
    server.secured++;
}

static bool server_peer_ended(struct conn *c, void *owner)
{
    (void)c;
    (void)owner;
    server.peer_ends++;
    return false;
}

static void server_closed(struct conn *c, void *owner, int err, const char *why, size_t unsent)
{
    (void)owner;
    (void)unsent;
    shard_timer_disarm(conn_shard(c), &server.timer);
    (void)snprintf(server.why, sizeof(server.why), "%s", why);
    server.err = err;
    server.closed++;
}

static const struct conn_ops server_ops = {.data = server_data,
                                           .secured = server_secured,
                                           .writable = server_writable,
                                           .peer_ended = server_peer_ended,
                                           .closed = server_closed};

static void server_accepted(struct shard *sh, struct conn *c, uint32_t tag)
{
    (void)sh;
    (void)tag;
    conn_set_owner(c, &server_ops, NULL);
    if (server.is_direct) {
        server_tls(c);
    }
}

static void client_write(struct conn *c)
{
    char piece[5000];

    while (client.sent < client.len && !conn_out_is_crowded(c)) {
        size_t n = 1 + dice(&client.state, (uint32_t)client.piece_max);

        n = n < client.len - client.sent ? n : client.len - client.sent;
        pattern_fill(9, client.sent, piece, n);
        buf_append(conn_out(c), piece, n);
        client.sent += n;
        if (client.piece_max == 1) {
            break; /* a record of its own */
        }
    }
    conn_flush(c);
}

static void client_tls(struct conn *c)
{
    struct conn_tls_params params = {.ctx = client_ctx,
                                     .session = {.role = TLS_ROLE_CLIENT,
                                                 .sni = SLICE_LIT("fabrikam.test"),
                                                 .credential_idx = UINT32_MAX},
                                     .handshake_timeout_ms = 10000,
                                     .ktls = is_kernel_wanted() ? CONN_KTLS_REQUIRE
                                                                : CONN_KTLS_OFF};

    cr_expect_eq(conn_start_tls(c, &params), 0);
    client_write(c); /* waits for the handshake */
}

static size_t client_data(struct conn *c, void *owner, char *bytes, size_t len)
{
    (void)owner;
    if (!conn_is_secured(c)) {
        client.is_wrong = client.is_wrong || len != strlen(PROCEED);
        client_tls(c);
        return len;
    }
    if (!pattern_is(9, client.got, bytes, len)) {
        client.is_wrong = true;
    }
    client.got += len;
    if (client.got == client.len) {
        client.is_done = true;
    } else if (client.piece_max == 1 && client.got == client.sent) {
        client_write(c);
    }
    return len;
}

static void client_secured(struct conn *c, void *owner)
{
    const struct tls_peer *peer = conn_tls_peer(c);

    (void)owner;
    if (peer->chain != TLS_CHAIN_OK ||
        !tls_names_match_xmpp(&peer->names, SLICE_LIT("fabrikam.test"))) {
        client.is_wrong = true;
    }
    client.secured++;
}

static void client_writable(struct conn *c, void *owner)
{
    (void)owner;
    client_write(c);
}

static void client_closed(struct conn *c, void *owner, int err, const char *why, size_t unsent)
{
    (void)c;
    (void)owner;
    (void)unsent;
    (void)snprintf(client.why, sizeof(client.why), "%s", why);
    client.err = err;
    client.closed++;
}

static const struct conn_ops client_ops = {.data = client_data,
                                           .secured = client_secured,
                                           .writable = client_writable,
                                           .closed = client_closed};

static void client_done(struct shard *sh, void *ctx, struct conn *c, int err)
{
    (void)sh;
    (void)ctx;
    cr_assert_eq(err, 0);
    client.c = c;
    conn_set_owner(c, &client_ops, NULL);
    if (client.is_direct) {
        client_tls(c);
    } else {
        buf_put_lit(conn_out(c), UPGRADE);
        conn_flush(c);
    }
}

static void do_connect(struct shard *sh, void *ctx)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(m.port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct shard_connect_params p = {.addr = (struct sockaddr *)&to,
                                     .addr_len = sizeof(to),
                                     .timeout_ms = 5000,
                                     .done = client_done};

    (void)ctx;
    cr_assert_eq(shard_connect(sh, &p, NULL), 0);
}

static void do_close(struct shard *sh, void *ctx)
{
    (void)sh;
    (void)ctx;
    conn_close(client.c, 5000);
}

static void talk(const char *client_backend, const char *server_backend)
{
    server_ctx = context(server_backend);
    client_ctx = context(client_backend);
    client.secured = client.closed = client.got = client.sent = 0;
    server.secured = server.closed = server.peer_ends = 0;
    client.is_done = false;
    machine_run(&m, 0, do_connect, NULL);
    WAIT_UNTIL(client.is_done || client.closed);
    cr_assert(client.is_done, "%s: %s; server: %s", err_name(client.err), client.why, server.why);
    cr_assert_not(client.is_wrong);
    cr_assert_eq(client.secured + server.secured, 2);
    cr_assert_str_eq(server.subject, "CN=good");
    machine_run(&m, 0, do_close, NULL);
    WAIT_UNTIL(client.closed && server.closed);
    cr_assert_eq(client.err, 0);
    cr_assert_eq(server.err, ERR_CLOSED, "%s", err_name(server.err));
    cr_assert_eq(server.peer_ends, 1);
    tls_context_unref(server_ctx);
    tls_context_unref(client_ctx);
}

static void all_pairs(const struct engine_params *params)
{
    uint64_t in = 0;
    uint64_t out = 0;

    start(params);
    for (uint32_t i = 0; i < 4; i++) {
        talk(i & 1 ? "mbedtls" : "wolfssl", i & 2 ? "mbedtls" : "wolfssl");
    }
    for (uint32_t i = 0; i < engine_shard_count(m.engine); i++) {
        cr_assert_eq(machine_stats(&m, i).tls_failures, 0);
        in += machine_stats(&m, i).tls_kernel_in;
        out += machine_stats(&m, i).tls_kernel_out;
    }
    cr_assert_eq(out, is_kernel_wanted() ? 8 : 0, "both ends of each pair");
    cr_assert_eq(in, is_kernel_wanted() ? 8 : 0);
    machine_stop(&m);
}

Test(tls, upgrade)
{
    client.len = 700000;
    client.piece_max = 3000;
    all_pairs(&(struct engine_params){0});
}

Test(tls, direct)
{
    server.is_direct = client.is_direct = true;
    client.len = 2000000;
    client.piece_max = 5000;
    all_pairs(&(struct engine_params){0});
}

Test(tls, single_bytes_through_tiny_buffers)
{
    client.len = 300;
    client.piece_max = 1;
    /* A buffer for each receive: the wish for TLS has to come in one piece. */
    all_pairs(&(struct engine_params){
        .recv_buf_bytes = 16, .recv_buf_count = 4, .is_plain_io = true});
}

Test(tls, single_bytes_through_tiny_shared_buffers)
{
    server.is_direct = client.is_direct = true;
    client.len = 300;
    client.piece_max = 1;
    all_pairs(&(struct engine_params){.recv_buf_bytes = 16, .recv_buf_count = 4});
}

/* What is written in one turn shares records up to 16 KiB; every buffer's end cuts one. */
Test(tls, large_records_through_shared_buffers)
{
    static const uint32_t sizes[] = {700, 16384, 16406, 20000, 65536};

    server.is_direct = client.is_direct = true;
    client.len = 1500000;
    client.piece_max = 5000;
    for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        all_pairs(&(struct engine_params){.recv_buf_bytes = sizes[i], .recv_buf_count = 4});
    }
}

Test(tls, pauses_and_partial_use)
{
    server.is_direct = client.is_direct = true;
    server.is_picky = true;
    client.len = 400000;
    client.piece_max = 2000;
    all_pairs(&(struct engine_params){.recv_buf_bytes = 1000});
}

Test(tls, moves_under_traffic)
{
    server.is_picky = server.moves = true;
    client.len = 400000;
    client.piece_max = 2000;
    all_pairs(&(struct engine_params){.shard_count = 2, .recv_buf_bytes = 1000});
    cr_assert_gt(server.moved, 20, "hardly moved: test too weak");
}

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
    server_ctx = context("wolfssl");
    client_ctx = context("wolfssl");
    start(&(struct engine_params){0});
}

Test(tls, byte_by_byte_then_cut_off)
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

Test(tls, close_notify_is_an_end)
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

Test(tls, a_broken_record_ends_the_connection)
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

Test(tls, no_tls_at_all)
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

Test(tls, end_during_the_handshake)
{
    struct raw r = {0};

    raw_start(true);
    raw_open(&r);
    cr_assert(client_send(r.fd, "\x16\x03\x01\x00", 4));
    raw_end(&r);
    cr_assert_eq(server.err, ERR_TLS_HANDSHAKE);
    cr_assert_eq(server.secured, 0);
}

Test(tls, a_silent_client_is_not_waited_for)
{
    struct raw r = {0};

    server.handshake_timeout_ms = 60;
    raw_start(true);
    raw_open(&r);
    cr_assert_eq(client_recv_end(r.fd), -ECONNRESET);
    raw_end(&r);
    cr_assert_eq(server.err, ERR_TIMEOUT);
}

Test(tls, plaintext_behind_the_upgrade_is_refused)
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
