/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A foreign implementation as the peer: openssl s_client and s_server on 127.0.0.1. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "openssl_peer.h"
#include "tls/tls_int.h"

static const char *const backends[] = {"wolfssl", "mbedtls"};

Test(tls_openssl, s_client_over_every_version_and_suite, .timeout = 60)
{
    static const struct {
        const char *options;
        const char *cipher;
        bool with_mbedtls;
    } cases[] = {
        {"-tls1_3 -ciphersuites TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256", false},
        {"-tls1_3 -ciphersuites TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384", false},
        {"-tls1_3 -curves X448:P-521:P-384 -ciphersuites TLS_CHACHA20_POLY1305_SHA256",
         "TLS_CHACHA20_POLY1305_SHA256", false},
        {"-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256",
         "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", true},
        {"-tls1_2 -cipher ECDHE-ECDSA-AES256-GCM-SHA384",
         "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", true},
        {"-tls1_2 -cipher ECDHE-ECDSA-CHACHA20-POLY1305",
         "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", true},
        {"-tls1_2 -servername rsa.test -cipher ECDHE-RSA-AES128-GCM-SHA256",
         "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", true},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases) * 2; i++) {
        size_t at = i >> 1;
        if ((i & 1u) && !cases[at].with_mbedtls) {
            continue;
        }
        char options[512];
        struct openssl_peer p;
        (void)snprintf(options, sizeof(options),
                       "-quiet -nocommands -alpn xmpp-server " GOOD_CERT "%s", cases[at].options);
        openssl_start_client(&p, backends[i & 1u], "xmpp-server", options);
        cr_assert(openssl_pump(&p, openssl_shaken) && p.end.step == TLS_STEP_DONE, "%s, %s: %s",
                  backends[i & 1u], cases[at].options, tls_session_error(p.end.session)->text);
        const struct tls_peer *peer = tls_session_peer(p.end.session);
        cr_expect_eq(peer->chain, TLS_CHAIN_OK);
        cr_expect_str_eq(peer->cipher, cases[at].cipher);
        cr_expect_str_eq(peer->alpn, "xmpp-server");
        openssl_say(&p, "question\n");
        cr_expect(openssl_pump(&p, openssl_got_line) && openssl_has(&p.end.plain, "question\n"));
        cr_assert_eq(tls_session_seal(p.end.session, SLICE_LIT("answer-of-the-server\n"),
                                      &p.end.out),
                     0);
        cr_expect(openssl_pump(&p, openssl_said_answer), "%.*s", SLICE_FMT(buf_slice(&p.said)));
        openssl_stop(&p);
    }
}

Test(tls_openssl, old_and_weak_is_refused, .timeout = 60)
{
    static const char *const options[] = {
        "-tls1_1 -cipher ALL:@SECLEVEL=0",
        "-tls1_2 -cipher AES128-GCM-SHA256 -servername rsa.test",
        "-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA256",
        "-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA",
        "-tls1_2 -cipher ECDHE-ECDSA-AES128-CCM8",
        "-tls1_2 -cipher aNULL:@SECLEVEL=0",
        "-tls1_2 -sigalgs RSA+SHA1 -cipher ALL:@SECLEVEL=0 -servername rsa.test",
        "-tls1_2 -curves P-224 -cipher ALL:@SECLEVEL=0 -servername rsa.test",
        "-alpn h2",
    };
    for (size_t i = 0; i < ARRAY_COUNT(options) * 2; i++) {
        struct openssl_peer p;
        openssl_start_client(&p, backends[i & 1u], "xmpp-server", options[i >> 1]);
        (void)openssl_pump(&p, openssl_shaken);
        cr_expect_eq(p.end.step, TLS_STEP_BAD, "%s: %s", backends[i & 1u], options[i >> 1]);
        cr_expect_gt(buf_len(&p.end.out), 0, "an alert: %s", options[i >> 1]);
        openssl_stop(&p);
    }
}

/* The one thing for which both libraries end the handshake themselves. */
Test(tls_openssl, an_unknown_critical_extension_in_the_leaf_ends_the_handshake, .timeout = 60)
{
    for (size_t b = 0; b < ARRAY_COUNT(backends); b++) {
        struct openssl_peer p;
        openssl_start_client(&p, backends[b], "",
                     "-quiet -cert " TLS_CERTS "/critical.crt -key " TLS_CERTS "/critical.key");
        cr_assert(openssl_pump(&p, openssl_shaken));
        cr_expect_eq(p.end.step, TLS_STEP_BAD);
        cr_expect_eq(tls_session_error(p.end.session)->err, ERR_TLS_CERTIFICATE, "%s: %s",
                     backends[b], tls_session_error(p.end.session)->text);
        openssl_stop(&p);
    }
}

Test(tls_openssl, s_server_over_every_version_and_suite, .timeout = 60)
{
    static const struct {
        const char *options;
        bool is_mbedtls;
    } cases[] = {
        {"-tls1_3 -num_tickets 5 -ciphersuites TLS_AES_128_GCM_SHA256", false},
        {"-tls1_3 -num_tickets 0 -ciphersuites TLS_AES_256_GCM_SHA384", false},
        {"-tls1_3 -ciphersuites TLS_CHACHA20_POLY1305_SHA256", false},
        {"-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256", false},
        {"-tls1_2 -cipher ECDHE-ECDSA-AES256-GCM-SHA384", false},
        {"-tls1_2 -cipher ECDHE-ECDSA-CHACHA20-POLY1305", false},
        {"-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256", true},
        {"-tls1_2 -cipher ECDHE-ECDSA-AES256-GCM-SHA384", true},
        {"-tls1_2 -cipher ECDHE-ECDSA-CHACHA20-POLY1305", true},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const char *backend = backends[cases[i].is_mbedtls];
        char text[512];
        struct openssl_peer p;
        (void)snprintf(text, sizeof(text),
                       GOOD_CERT "-Verify 3 -verify_return_error -CAfile " TLS_CERTS
                                 "/trust.crt -alpn xmpp-server -rev %s",
                       cases[i].options);
        openssl_start_server(&p, backend, "xmpp-server", text);
        cr_assert(openssl_pump(&p, openssl_shaken) && p.end.step == TLS_STEP_DONE, "%s %s: %s",
                  backend, cases[i].options, tls_session_error(p.end.session)->text);
        const struct tls_peer *peer = tls_session_peer(p.end.session);
        cr_expect_eq(peer->chain, TLS_CHAIN_OK);
        cr_expect_str_eq(peer->alpn, "xmpp-server");
        cr_assert_eq(tls_session_seal(p.end.session, SLICE_LIT("desrever\n"), &p.end.out), 0);
        cr_expect(openssl_pump(&p, openssl_got_line) && openssl_has(&p.end.plain, "reversed\n"),
                  "%s", cases[i].options);
        openssl_stop(&p);
    }
}

static bool over(const struct openssl_peer *p)
{
    return p->end.err != 0;
}

Test(tls_openssl, a_refused_client_certificate_is_an_alert, .timeout = 60)
{
    for (size_t b = 0; b < ARRAY_COUNT(backends); b++) {
        struct openssl_peer p;
        openssl_start_server(&p, backends[b], "",
                     GOOD_CERT "-Verify 3 -verify_return_error -CAfile " TLS_CERTS
                               "/other.leaf.crt -rev");
        (void)openssl_pump(&p, over);
        const struct tls_error *error = tls_session_error(p.end.session);
        cr_expect_eq(error->err, ERR_TLS_ALERT, "%s: %s", backends[b], error->text);
        cr_expect(strstr(error->text, "unknown_ca (48)") != NULL, "%s", error->text);
        openssl_stop(&p);
    }
}

/* Its first record under new keys is awaited, or it is known that it could not be read. */
static bool updated(const struct openssl_peer *p)
{
    return p->end.err != 0 || p->end.session->sides[TLS_IN].keys.seq == 0;
}

/* K: it changes its keys and wants ours changed; k: its own only. */
Test(tls_openssl, key_updates_of_the_peer, .timeout = 60)
{
    static const char *const commands[] = {"K\n", "k\n"};
    bool has_secrets = tls_backend_has_secrets(tls_backend_find("wolfssl"));
    for (size_t i = 0; i < ARRAY_COUNT(commands) * 2; i++) {
        struct openssl_peer p;
        bool is_server = i & 1u;
        if (is_server) {
            openssl_start_client(&p, "wolfssl", "", "-tls1_3");
        } else {
            openssl_start_server(&p, "wolfssl", "", GOOD_CERT "-tls1_3");
        }
        cr_assert(openssl_pump(&p, openssl_shaken) && p.end.step == TLS_STEP_DONE);
        openssl_say(&p, "before\n");
        cr_expect(openssl_pump(&p, openssl_got_line));
        buf_clear(&p.end.plain);
        openssl_say(&p, commands[i >> 1]);
        cr_expect(openssl_pump(&p, updated), "a command has to come alone");
        openssl_say(&p, "after the update\n");
        if (has_secrets) {
            cr_expect(openssl_pump(&p, openssl_got_line) &&
                      openssl_has(&p.end.plain, "after the update\n"));
        } else {
            cr_expect_eq(p.end.err, ERR_TLS_REKEY);
            cr_expect_eq(buf_len(&p.end.plain), 0);
        }
        /* Either way we can still speak, under new keys if it asked for them. */
        cr_assert_eq(tls_session_seal(p.end.session, SLICE_LIT("answer-of-the-server\n"),
                                      &p.end.out),
                     0);
        p.end.err = 0;
        cr_expect(openssl_pump(&p, openssl_said_answer), "%.*s", SLICE_FMT(buf_slice(&p.said)));
        openssl_stop(&p);
    }
}

Test(tls_openssl, renegotiation_is_refused, .timeout = 60)
{
    struct openssl_peer p;
    for (size_t b = 0; b < ARRAY_COUNT(backends); b++) {
        openssl_start_client(&p, backends[b], "", "-tls1_2");
        cr_assert(openssl_pump(&p, openssl_shaken) && p.end.step == TLS_STEP_DONE);
        openssl_say(&p, "R\n");
        (void)openssl_pump(&p, over);
        /* We answer no_renegotiation, and OpenSSL then breaks off. */
        cr_expect_eq(p.end.err, ERR_TLS_ALERT, "%s: %s", backends[b], err_name(p.end.err));
        openssl_stop(&p);
    }
}

Test(tls_openssl, padding_and_small_records, .timeout = 60)
{
    static const char *const options[] = {
        "-tls1_3 -record_padding 512", "-tls1_3 -record_padding 16384 -max_send_frag 512",
        "-tls1_3 -num_tickets 9", "-tls1_2 -max_send_frag 512"};
    for (size_t i = 0; i < ARRAY_COUNT(options); i++) {
        for (size_t b = i == 3 ? 0 : 1; b < ARRAY_COUNT(backends); b++) {
            char text[512];
            struct openssl_peer p;
            (void)snprintf(text, sizeof(text), GOOD_CERT "-rev %s", options[i]);
            openssl_start_server(&p, backends[i == 3 ? b : 0], "", text);
            cr_assert(openssl_pump(&p, openssl_shaken) && p.end.step == TLS_STEP_DONE);
            char line[3001];
            memset(line, 'a', sizeof(line));
            line[0] = 'z';
            line[3000] = '\n';
            for (int round = 0; round < 3; round++) {
                cr_assert_eq(tls_session_seal(p.end.session, slice_make(line, sizeof(line)),
                                              &p.end.out),
                             0);
                cr_expect(openssl_pump(&p, openssl_got_line) && p.end.err == 0);
                cr_expect_eq(buf_len(&p.end.plain), sizeof(line), "%s", options[i]);
                cr_expect(openssl_has(&p.end.plain, "az\n"), "%s", options[i]);
                buf_clear(&p.end.plain);
            }
            openssl_stop(&p);
        }
    }
}
