/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sessions resumed with OpenSSL, as its client and as its server. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "openssl_peer.h"

static const char *const backends[] = {"wolfssl", "mbedtls"};

static struct tls_context *context_with_tickets(const char *backend)
{
    struct tls_credential credential = {.certificate_path = TLS_CERTS "/good.crt",
                                        .key_path = TLS_CERTS "/good.key"};
    struct tls_context_params params = {
        .credentials = &credential, .credential_count = 1, .trust_path = TLS_CERTS "/trust.crt",
        .has_tickets = true};
    struct tls_context *ctx;
    struct tls_error why;
    cr_assert_eq(tls_context_new(&ctx, tls_backend_find(backend), &params, &why), 0, "%s",
                 why.text);
    return ctx;
}

Test(tls_openssl, s_server_is_resumed, .timeout = 60)
{
    static const char *const options[] = {"-tls1_3", "-tls1_2"}; /* by backend */
    for (size_t b = 0; b < ARRAY_COUNT(backends); b++) {
        char text[512];
        struct openssl_peer p = {0};
        (void)snprintf(text, sizeof(text),
                       GOOD_CERT "-Verify 3 -verify_return_error -CAfile " TLS_CERTS
                                 "/trust.crt -alpn xmpp-server -rev %s",
                       options[b]);
        p.end.ctx = context_with_tickets(backends[b]);
        openssl_spawn_server(&p, text);
        for (int round = 0; round < 4; round++) {
            if (round > 0) {
                openssl_go_to_server(&p);
            }
            openssl_end_start(&p, TLS_ROLE_CLIENT, "xmpp-server", round < 3);
            cr_assert(openssl_pump(&p, openssl_shaken) && p.end.step == TLS_STEP_DONE, "%s: %s",
                      backends[b], tls_session_error(p.end.session)->text);
            cr_assert_eq(tls_session_seal(p.end.session, SLICE_LIT("desrever\n"), &p.end.out), 0);
            cr_expect(openssl_pump(&p, openssl_got_line) &&
                      openssl_has(&p.end.plain, "reversed\n"));
            const struct tls_peer *peer = tls_session_peer(p.end.session);
            cr_expect_eq(peer->is_resumed, round == 1 || round == 2, "%s, %d", backends[b], round);
            cr_expect_eq(peer->chain, TLS_CHAIN_OK);
            cr_expect_str_eq(peer->subject, "CN=good");
            cr_expect_eq(tls_session_path(p.end.session, TLS_IN), TLS_PATH_USER);
            openssl_stop_session(&p);
        }
        openssl_stop_process(&p);
        tls_context_unref(p.end.ctx);
    }
}

Test(tls_openssl, s_client_resumes, .timeout = 60)
{
    static const struct {
        const char *options;
        bool is_mbedtls;
        bool is_resumed; /* the second one */
        const char *second;
    } cases[] = {
        {"-tls1_3", false, true, "-servername fabrikam.test"},
        {"-tls1_2", false, true, "-servername fabrikam.test"},
        {"-tls1_2", true, true, "-servername fabrikam.test"},
        {"-tls1_3", false, false, "-servername contoso.test"},
        {"-tls1_2", false, false, "-servername contoso.test"},
        {"-tls1_2", true, false, "-servername contoso.test"},
    };
    char path[64];
    (void)snprintf(path, sizeof(path), "/tmp/fedgate-session-%d", (int)getpid());
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const char *backend = backends[cases[i].is_mbedtls];
        struct openssl_peer p = {0};
        p.end.ctx = context_with_tickets(backend);
        for (int round = 0; round < 2; round++) {
            char options[512];
            (void)snprintf(options, sizeof(options),
                           "-quiet -nocommands " GOOD_CERT "%s %s -sess_%s %s", cases[i].options,
                           round ? cases[i].second : "-servername fabrikam.test",
                           round ? "in" : "out", path);
            openssl_wait_for_client(&p, options);
            openssl_end_start(&p, TLS_ROLE_SERVER, "", false);
            cr_assert(openssl_pump(&p, openssl_shaken) && p.end.step == TLS_STEP_DONE,
                      "case %zu: %s", i, tls_session_error(p.end.session)->text);
            openssl_say(&p, "question\n");
            cr_expect(openssl_pump(&p, openssl_got_line) &&
                      openssl_has(&p.end.plain, "question\n"));
            cr_assert_eq(
                tls_session_seal(p.end.session, SLICE_LIT("answer-of-the-server\n"), &p.end.out),
                0);
            cr_expect(openssl_pump(&p, openssl_said_answer)); /* it has read its ticket by then */
            const struct tls_peer *peer = tls_session_peer(p.end.session);
            cr_expect_eq(peer->is_resumed, round == 1 && cases[i].is_resumed, "case %zu, %d", i,
                         round);
            cr_expect_eq(peer->chain, TLS_CHAIN_OK);
            cr_expect_str_eq(peer->subject, "CN=good");
            openssl_stop_process(&p);
            openssl_stop_session(&p);
        }
        tls_context_unref(p.end.ctx);
        (void)unlink(path);
    }
}
