/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls: TLS on connections, with both backends on either side: directly and after an upgrade, in any
 * cutting, with pauses and moves. What does not fit: tls_raw_test.c. */
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
    server_ctx = server_context(server_backend);
    client_ctx = server_context(client_backend);
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

    server_start(params);
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
