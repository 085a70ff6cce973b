/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls_server: see tls_server.h. */
#include "tls_server.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "io/ktls.h"

struct machine m;
struct tls_context *server_ctx, *client_ctx;
struct server server;

static struct ktls_caps caps;

static void server_accepted(struct shard *sh, struct conn *c, uint32_t tag);

struct tls_context *server_context(const char *backend)
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

bool is_kernel_wanted(void)
{
    return getenv("FEDGATE_TEST_KTLS") != NULL;
}

void server_start(const struct engine_params *params)
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
