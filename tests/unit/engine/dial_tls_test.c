/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of core/engine: dialling direct TLS: success, refusal, silence; the next target
 * after it. */
#include <criterion/criterion.h>

#include "base/err.h"
#include "dial_scene.h"

static struct tls_context *tls;
/* What the listener does with connections, in order; the last one again and again. */
enum server_way { SERVER_TLS, SERVER_ECHO, SERVER_SILENT, SERVER_CLOSE };
static enum server_way ways[4];
static unsigned way_count;
static _Atomic unsigned served;

static size_t silent_data(struct conn *c, void *owner, char *bytes, size_t len)
{
    (void)c;
    (void)owner;
    (void)bytes;
    return len;
}

static void silent_closed(struct conn *c, void *owner, int err, const char *why, size_t unsent)
{
    (void)c;
    (void)owner;
    (void)err;
    (void)why;
    (void)unsent;
}

static const struct conn_ops silent_ops = {.data = silent_data, .closed = silent_closed};

static void serve(struct shard *sh, struct conn *c, uint32_t tag)
{
    enum server_way way = ways[served < way_count ? served : way_count - 1];
    struct conn_tls_params params = {
        .ctx = tls,
        .session = {.role = TLS_ROLE_SERVER, .credential_idx = UINT32_MAX},
        .handshake_timeout_ms = 5000,
    };

    (void)sh;
    (void)tag;
    served++;
    conn_set_owner(c, way == SERVER_SILENT ? &silent_ops : &echo_ops, NULL);
    if (way == SERVER_TLS) {
        cr_assert_eq(conn_start_tls(c, &params), 0);
    } else if (way == SERVER_CLOSE) {
        conn_abort(c, 0, "no");
    }
}

static void setup(void)
{
    struct tls_credential credential = {.certificate_path = TLS_CERTS "/good.crt",
                                        .key_path = TLS_CERTS "/good.key"};
    struct tls_context_params params = {.credentials = &credential, .credential_count = 1,
                                        .trust_path = TLS_CERTS "/trust.crt"};
    struct tls_error why;

    cr_assert_eq(tls_context_new(&tls, tls_backend_find("wolfssl"), &params, &why), 0, "%s",
                 why.text);
    machine_accepted = serve;
    scene_setup();
    s.params.tls = (struct conn_tls_params){
        .ctx = tls,
        .session = {.sni = SLICE_LIT("fabrikam.test"), .alpn = SLICE_LIT("xmpp-server"),
                    .credential_idx = UINT32_MAX},
        .handshake_timeout_ms = 700,
    };
    srv("_xmpps-server._tcp.a.example", 10, s.m.port, "tls.example");
    srv("_xmpp-server._tcp.a.example", 20, s.m.port, "plain.example");
    row("tls.example", 1, ZONE_ANSWER, "127.0.0.1");
    row("plain.example", 1, ZONE_ANSWER, "127.0.0.1");
}

static void teardown(void)
{
    tls_context_unref(tls);
    scene_teardown();
}

TestSuite(dial_tls, .init = setup, .fini = teardown, .timeout = 60);

static void serve_ways(unsigned count, enum server_way first, enum server_way then)
{
    ways[0] = first;
    ways[1] = then;
    way_count = count;
}

Test(dial_tls, secured_before_done)
{
    serve_ways(1, SERVER_TLS, 0);
    dial();
    expect_done("tls.example");
    cr_assert(s.is_direct_tls && s.was_secured);
}

static void expect_next_target(void)
{
    expect_done("plain.example");
    cr_assert(!s.is_direct_tls && !s.was_secured);
    cr_assert_eq(served, 2);
}

Test(dial_tls, server_that_talks_nonsense)
{
    serve_ways(2, SERVER_ECHO, SERVER_ECHO);
    dial();
    expect_next_target();
}

Test(dial_tls, server_that_closes)
{
    serve_ways(2, SERVER_CLOSE, SERVER_ECHO);
    dial();
    expect_next_target();
}

Test(dial_tls, server_that_is_silent)
{
    serve_ways(2, SERVER_SILENT, SERVER_ECHO);
    int64_t from = clock_ms();
    dial();
    expect_next_target();
    cr_assert(clock_ms() - from >= 690 && clock_ms() - from < 5000);
}

Test(dial_tls, no_target_is_left)
{
    serve_ways(1, SERVER_CLOSE, 0);
    s.params.services[1].srv_prefix = NULL;
    dial();
    cr_assert(s.failed == 1 && s.step == DIAL_STEP_TLS && s.err != 0, "%s", s.text);
    cr_assert(strstr(s.text, "tls.example:"), "%s", s.text);
    cr_assert(strstr(s.text, "(127.0.0.1:"), "%s", s.text);
}

Test(dial_tls, direct_name)
{
    serve_ways(1, SERVER_TLS, 0);
    s.params.services[0].srv_prefix = s.params.services[1].srv_prefix = NULL;
    s.params.name = SLICE_LIT("127.0.0.1");
    s.params.port_direct_tls = true;
    dial();
    expect_done("127.0.0.1");
    cr_assert(s.is_direct_tls && s.was_secured);
}

Test(dial_tls, next_after_a_secured_one)
{
    serve_ways(2, SERVER_TLS, SERVER_ECHO);
    dial();
    expect_done("tls.example");
    dial_on();
    cr_assert_eq(s.done, 2);
    cr_assert_str_eq(s.target, "plain.example");
}

static void start_it(struct shard *sh, void *ctx)
{
    (void)ctx;
    cr_assert_eq(dial_start(&s.d, sh, &s.params, &scene_ops, NULL), 0);
}

Test(dial_tls, free_during_the_handshake)
{
    serve_ways(1, SERVER_SILENT, 0);
    machine_run(&s.m, 0, start_it, NULL);
    WAIT_UNTIL(served == 1);
    for (int i = 0; i < 50; i++) {
        machine_nap();
    }
    hang_up();
    cr_assert_eq(s.done + s.failed, 0);
}
