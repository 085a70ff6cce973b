/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Handshakes on the simulated kernel: one shard serves a storm of them and a live stream at the
 * same time. What is counted is turns and steps, not time. */
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <string.h>

#include "base/err.h"
#include "base/pool.h"
#include "engine/conn_int.h"
#include "engine/shard_state.h"
#include "sim_io.h"
#include "tls/tls.h"

enum { PORT_LIVE = 5269, PORT_TLS, PORT_POOR, PORT_DEAF };
enum { CLIENTS = 40, KERNEL_STEPS = 400, TURNS_MAX = 20000 };

static struct engine *engine;
static struct shard *sh;
static struct tls_context *ctx;
static uint32_t server_timeout_ms;

/* What has happened. */
static struct {
    uint32_t secured_in, secured_out, closed, timeouts, echoes;
} seen;

static struct conn *last_client;
static struct conn *live; /* asks again as soon as it is answered */

static size_t echo(struct conn *c, void *owner, char *bytes, size_t len)
{
    (void)owner;
    buf_append(conn_out(c), bytes, len);
    conn_flush(c);
    return len;
}

static size_t answered(struct conn *c, void *owner, char *bytes, size_t len)
{
    (void)c;
    (void)owner;
    (void)bytes;
    seen.echoes++;
    return len;
}

static void secured(struct conn *c, void *owner)
{
    uint32_t *count = owner;

    (*count)++;
    if (owner == &seen.secured_out) {
        conn_close(c, 1000);
    }
}

static void closed(struct conn *c, void *owner, int err, const char *why, size_t unsent)
{
    (void)c;
    (void)owner;
    (void)why;
    (void)unsent;
    seen.closed++;
    seen.timeouts += err == ERR_TIMEOUT;
}

static const struct conn_ops echo_ops = {.data = echo, .secured = secured, .closed = closed};
static const struct conn_ops ask_ops = {.data = answered, .secured = secured, .closed = closed};

static int app_start(struct shard *s, void *app_ctx, void **app)
{
    (void)s;
    (void)app_ctx;
    (void)app;
    return 0;
}

static void app_stop(struct shard *s, void *app)
{
    (void)s;
    (void)app;
}

static void tls_begin(struct conn *c, enum tls_role role, uint32_t timeout_ms)
{
    struct conn_tls_params params = {
        .ctx = ctx,
        .session = {.role = role, .credential_idx = UINT32_MAX, .sni = SLICE_LIT("a.example")},
        .handshake_timeout_ms = timeout_ms};

    cr_assert_eq(conn_start_tls(c, &params), 0);
}

static void app_accepted(struct shard *s, struct conn *c, uint32_t tag)
{
    (void)s;
    conn_set_owner(c, tag == PORT_DEAF ? &ask_ops : &echo_ops, &seen.secured_in);
    if (tag == PORT_POOR) {
        struct conn_tls_params params = {
            .ctx = ctx, .session = {.role = TLS_ROLE_SERVER, .credential_idx = UINT32_MAX}};
        int err = conn_start_tls(c, &params);

        if (err) {
            conn_abort(c, err, "no TLS");
        }
    } else if (tag == PORT_TLS) {
        tls_begin(c, TLS_ROLE_SERVER, server_timeout_ms);
    }
}

static void app_mail(struct shard *s, struct mail *m)
{
    (void)s;
    mail_free(m);
}

static const struct engine_app app = {
    .shard_start = app_start, .shard_stop = app_stop, .accepted = app_accepted, .mail = app_mail};

static void listen_at(uint16_t port)
{
    struct listen_mail *m = pool_zalloc(sizeof(*m));

    m->mail.kind = MAIL_KIND_LISTEN;
    m->fd = sim_listen(port);
    m->tag = port;
    cr_assert_eq(shard_post(sh, 0, &m->mail), 0);
}

static void begin(uint32_t handshakes_max)
{
    struct tls_credential credential = {.certificate_path = TLS_CERTS "/good.crt",
                                        .key_path = TLS_CERTS "/good.key"};
    struct tls_context_params tls = {
        .credentials = &credential, .credential_count = 1, .trust_path = TLS_CERTS "/trust.crt"};
    struct engine_params p = {.app = &app,
                              .shard_count = 1,
                              .conn_max = 4 * CLIENTS,
                              .recv_buf_count = 64,
                              .recv_buf_bytes = 4096,
                              .handshakes_max = handshakes_max,
                              .io = &sim_backend};
    struct tls_error tls_why;
    char why[100];

    memset(&seen, 0, sizeof(seen));
    server_timeout_ms = 60000;
    sim_reset(1);
    cr_assert_eq(tls_context_new(&ctx, tls_backend_find("wolfssl"), &tls, &tls_why), 0);
    cr_assert_eq(engine_build(&engine, &p, why, sizeof(why)), 0);
    sh = &engine->shards[0];
    cr_assert_eq(shard_begin(sh), 0);
    listen_at(PORT_TLS);
    listen_at(PORT_LIVE);
    listen_at(PORT_POOR);
    listen_at(PORT_DEAF);
}

/* The kernel does all it can in a millisecond, then the shard has a turn: at most one step of a
 * handshake in it. */
static void turn(void)
{
    uint64_t steps = sh->stats.handshake_steps;
    uint64_t now_ms = sim_world.now_ms;

    for (int i = 0; i < KERNEL_STEPS; i++) {
        sim_step();
    }
    sim_world.now_ms = now_ms + 1;
    shard_turn(sh, false);
    cr_assert_leq(sh->stats.handshake_steps - steps, 1);
}

static void end(void)
{
    bool is_drained = false;

    atomic_store_explicit(&engine->stop_phase, 1, memory_order_release);
    for (int i = 0; i < TURNS_MAX && !is_drained; i++) {
        turn();
        is_drained = atomic_load_explicit(&sh->is_drained, memory_order_acquire);
    }
    cr_assert(is_drained);
    shard_finish(sh);
    shard_mail_leave(sh);
    engine_free(engine);
    tls_context_unref(ctx);
    cr_expect_eq(pool_used_bytes(), 0);
    cr_expect_eq(sim_sockets_open(), 0);
}

static void live_connected(struct shard *s, void *app_ctx, struct conn *c, int err)
{
    (void)s;
    (void)app_ctx;
    cr_assert_eq(err, 0);
    live = c;
    conn_set_owner(c, &ask_ops, NULL);
}

static void client_connected(struct shard *s, void *app_ctx, struct conn *c, int err)
{
    (void)s;
    (void)app_ctx;
    cr_assert_eq(err, 0);
    conn_set_owner(c, &ask_ops, &seen.secured_out);
    tls_begin(c, TLS_ROLE_CLIENT, 60000);
    last_client = c;
}

/* Without memory the owner is told, and nothing else happens. */
static void poor_client_connected(struct shard *s, void *app_ctx, struct conn *c, int err)
{
    struct conn_tls_params params = {
        .ctx = ctx, .session = {.role = TLS_ROLE_CLIENT, .credential_idx = UINT32_MAX}};

    (void)s;
    (void)app_ctx;
    if (err) {
        seen.closed++;
        return;
    }
    conn_set_owner(c, &ask_ops, &seen.secured_out);
    err = conn_start_tls(c, &params);
    if (err) {
        conn_abort(c, err, "no TLS");
    }
}

/* Says hello and then nothing more. */
static void staller_connected(struct shard *s, void *app_ctx, struct conn *c, int err)
{
    struct tls_session_params params = {.role = TLS_ROLE_CLIENT, .credential_idx = UINT32_MAX};
    struct tls_session *session;
    size_t used;

    (void)s;
    (void)app_ctx;
    cr_assert_eq(err, 0);
    conn_set_owner(c, &ask_ops, NULL);
    cr_assert_eq(tls_session_new(&session, ctx, &params), 0);
    cr_assert_eq(tls_session_handshake(session, SLICE_NONE, &used, conn_out(c)), TLS_STEP_MORE);
    tls_session_free(session);
    conn_flush(c);
}

/* Half a hello: the record says it is longer. */
static void mumbler_connected(struct shard *s, void *app_ctx, struct conn *c, int err)
{
    (void)s;
    (void)app_ctx;
    cr_assert_eq(err, 0);
    conn_set_owner(c, &ask_ops, NULL);
    buf_append(conn_out(c), "\x16\x03\x01\x02\x00\x01\x00", 7);
    conn_flush(c);
}

static void dial(uint16_t port, shard_connect_fn *done)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct shard_connect_params p = {
        .addr = (struct sockaddr *)&to, .addr_len = sizeof(to), .done = done};

    cr_assert_eq(shard_connect(sh, &p, NULL), 0);
}

static void turns_until(const uint32_t *count, uint32_t wanted)
{
    for (int i = 0; i < TURNS_MAX && *count < wanted; i++) {
        turn();
    }
    cr_assert_eq(*count, wanted);
}

static void ask(void)
{
    buf_put_lit(conn_out(live), "?");
    conn_flush(live);
}

/* Forty handshakes at once, both sides on this shard; the live stream is answered in as many turns
 * as without them, and at most four of each side are in progress at any time. */
Test(handshake_sim, storm__live_input_is_served_between_steps)
{
    uint32_t quiet_turns = 0;
    uint32_t asked = 1;
    uint32_t turns = 0;
    uint32_t busy_echoes = 0;

    begin(4);
    dial(PORT_LIVE, live_connected);
    while (!live) {
        turn();
    }
    for (ask(); seen.echoes == 0; quiet_turns++) {
        turn();
    }
    for (int i = 0; i < CLIENTS; i++) {
        dial(PORT_TLS, client_connected);
    }
    ask();
    for (int i = 0; i < TURNS_MAX && seen.secured_in < CLIENTS; i++) {
        turn();
        turns++;
        cr_assert_leq(sh->stats.handshakes_in_progress, 8);
        if (seen.echoes > asked) {
            cr_assert_leq(turns, quiet_turns, "echo %u took %u turns", asked, turns);
            busy_echoes += sh->stats.handshakes_waiting != 0;
            asked++;
            turns = 0;
            ask();
        }
    }
    cr_expect_eq(seen.secured_in, CLIENTS);
    cr_expect_eq(seen.secured_out, CLIENTS);
    cr_expect_gt(busy_echoes, 10, "only %u while others waited: test too weak", busy_echoes);
    cr_expect_gt(sh->stats.handshakes_waited, CLIENTS / 2);
    cr_expect_eq(sh->stats.handshakes_refused, 0);
    cr_expect_eq(sh->stats.handshakes_overdue, 0);
    live = NULL;
    end();
}

/* As many as there are places, twice over: nobody waits for them. */
Test(handshake_sim, silent_and_mumbling__take_no_place)
{
    begin(2);
    for (int i = 0; i < 4; i++) {
        dial(PORT_TLS, live_connected); /* says nothing */
        dial(PORT_TLS, mumbler_connected);
    }
    for (int i = 0; i < 20; i++) {
        turn();
    }
    cr_expect_eq(sh->stats.handshakes_in_progress, 0);
    cr_expect_eq(sh->stats.handshake_steps, 0, "nothing was computed for them");
    dial(PORT_TLS, client_connected);
    turns_until(&seen.secured_in, 1);
    cr_expect_eq(sh->stats.handshakes_waited, 0);
    sim_world.now_ms += 61000;
    turns_until(&seen.closed, 2 + 16);
    cr_expect_eq(seen.timeouts, 8);
    live = NULL;
    end();
}

Test(handshake_sim, stalled__make_room_when_others_wait)
{
    begin(2);
    dial(PORT_TLS, staller_connected);
    dial(PORT_TLS, staller_connected);
    for (int i = 0; i < 20; i++) {
        turn();
    }
    sim_world.now_ms += ADMISSION_LEASE_MS;
    for (int i = 0; i < 20; i++) {
        turn();
    }
    cr_expect_eq(sh->stats.handshakes_in_progress, 2, "nobody waits: they may be slow");
    dial(PORT_TLS, client_connected);
    for (int i = 0; i < 20; i++) {
        turn();
    }
    cr_expect_eq(sh->stats.handshakes_waiting, 1);
    cr_expect_eq(seen.secured_in, 0);
    sim_world.now_ms += 1000;
    turns_until(&seen.secured_in, 1);
    cr_expect_eq(sh->stats.handshakes_overdue, 1, "one place was enough");
    cr_expect_eq(sh->stats.handshakes_refused, 0);
    end();
}

Test(handshake_sim, waiting__ends_with_the_handshakes_time)
{
    begin(1);
    server_timeout_ms = 3000;
    dial(PORT_TLS, staller_connected);
    for (int i = 0; i < 20; i++) {
        turn();
    }
    sim_world.now_ms += 1000;
    dial(PORT_TLS, staller_connected);
    dial(PORT_TLS, staller_connected);
    for (int i = 0; i < 20; i++) {
        turn();
    }
    cr_expect_eq(sh->stats.handshakes_waiting, 2);
    sim_world.now_ms += 1950; /* not yet */
    turn();
    cr_expect_eq(seen.closed, 0);
    sim_world.now_ms += 2000;
    turns_until(&seen.closed, 6);
    cr_expect_eq(seen.timeouts, 3);
    cr_expect_geq(sh->stats.handshakes_refused, 1);
    cr_expect_eq(sh->stats.tls_failed_timeout, 3);
    cr_expect_eq(sh->stats.tls_failures, 3);
    cr_expect_eq(sh->stats.handshakes_waiting, 0);
    cr_expect_eq(sh->stats.handshakes_in_progress, 0);
    end();
}

/* Its owner changes his mind while it waits: nothing is computed for it, the other one goes on. */
Test(handshake_sim, closed_while_waiting__leaves_the_queue)
{
    struct conn *waiting;

    begin(1);
    dial(PORT_DEAF, client_connected); /* gets no answer: it holds the place */
    for (int i = 0; i < 20; i++) {
        turn();
    }
    dial(PORT_TLS, client_connected);
    for (int i = 0; i < 20; i++) {
        turn();
    }
    waiting = last_client;
    cr_expect_eq(sh->stats.handshakes_waiting, 1);
    conn_close(waiting, 1000);
    turns_until(&seen.closed, 2);
    cr_expect_eq(sh->stats.handshakes_waiting, 0);
    cr_expect_eq(sh->stats.handshakes_in_progress, 1);
    cr_expect_eq(sh->stats.handshake_steps, 1);
    end();
}

/* The n-th allocation fails, for every n: each connection ends once, nothing is left behind. */
Test(handshake_sim, memory__may_fail_anywhere, .timeout = 120)
{
    uint32_t refused = 0;
    uint32_t secured = 0;

    for (uint64_t n = 1; n <= 120; n++) {
        begin(1);
        dial(PORT_POOR, poor_client_connected);
        pool_fail_nth(n);
        for (int i = 0; i < 60 && seen.closed == 0; i++) {
            turn();
        }
        pool_fail_nth(0);
        secured += seen.secured_in;
        refused += seen.secured_in == 0;
        end();
    }
    cr_expect_gt(refused, 5, "%u: test too weak", refused);
    cr_expect_gt(secured, 5, "%u: nothing works", secured);
}
