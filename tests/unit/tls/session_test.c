/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sessions of both backends and across them: handshake, identity, data, close. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/err.h"
#include "pair.h"

static const char *const backends[] = {"wolfssl", "mbedtls"};

/* Runs body with client and server of every combination of backends. */
#define FOR_ALL_PAIRS(params)                                             \
    for (unsigned combo_ = 0;                                             \
         combo_ < 4 && ((params).client_backend = backends[combo_ & 1u],  \
                        (params).server_backend = backends[combo_ >> 1], true); \
         combo_++)

static bool is_mbedtls(const char *backend)
{
    return strcmp(backend, "mbedtls") == 0;
}

Test(tls_session, shakes_hands_and_carries_data)
{
    struct pair_params params = {.sni = "fabrikam.test", .client_alpn = "xmpp-server",
                                 .server_alpn = "xmpp-server"};
    FOR_ALL_PAIRS(params) {
        struct pair p;
        pair_init(&p, &params);
        cr_assert(pair_handshake(&p), "%s -> %s: %s / %s", params.client_backend,
                  params.server_backend, tls_session_error(p.client.session)->text,
                  tls_session_error(p.server.session)->text);
        const struct tls_peer *server = tls_session_peer(p.client.session);
        const struct tls_peer *client = tls_session_peer(p.server.session);
        cr_assert_eq(server->chain, TLS_CHAIN_OK);
        cr_assert_eq(client->chain, TLS_CHAIN_OK);
        cr_assert(tls_names_match_xmpp(&server->names, SLICE_LIT("fabrikam.test")));
        cr_assert_str_eq(server->subject, "CN=good");
        cr_assert_str_eq(server->issuer, "CN=Test-CA");
        cr_assert_str_eq(client->sni, "fabrikam.test");
        cr_assert_str_eq(client->alpn, "xmpp-server");
        cr_assert_str_eq(server->alpn, "xmpp-server");
        bool both_wolf = combo_ == 0;
        cr_assert_str_eq(server->version, both_wolf ? "TLSv1.3" : "TLSv1.2");
        cr_assert_str_eq(client->version, server->version);
        cr_assert_str_eq(client->cipher, server->cipher);
        /* The server's order decides. */
        const struct tls_backend *decides = tls_backend_find(params.server_backend);
        bool aes = !is_mbedtls(params.server_backend) && tls_backend_has_fast_aes(decides);
        cr_assert(strstr(client->cipher, aes ? "AES_128" : "CHACHA20") != NULL, "%s",
                  client->cipher);
        pair_say(&p, &p.client, SLICE_LIT("<stream:stream>"));
        pair_say(&p, &p.server, SLICE_LIT("<stream:features/>"));
        pair_deinit(&p);
    }
}

Test(tls_session, both_1_2_ciphers_name_their_key_type)
{
    struct pair_params params = {.server_certs = "rsa"};
    FOR_ALL_PAIRS(params) {
        struct pair p;
        pair_init(&p, &params);
        cr_assert(pair_handshake(&p));
        const char *cipher = tls_session_peer(p.client.session)->cipher;
        cr_expect_eq(strstr(cipher, "TLS_ECDHE_RSA_WITH_") == cipher, combo_ != 0, "%s", cipher);
        pair_deinit(&p);
    }
}

struct verdict {
    const char *cert;
    enum tls_chain as_server;
    enum tls_chain as_client;
    bool mbedtls_breaks; /* mbedTLS 2.28 does not parse it and ends the handshake */
    bool mbedtls_server_refuses; /* to use it for itself */
};

static const struct verdict verdicts[] = {
    {"good", TLS_CHAIN_OK, TLS_CHAIN_OK, false, false},
    {"ec384", TLS_CHAIN_OK, TLS_CHAIN_OK, false, false},
    {"rsa", TLS_CHAIN_OK, TLS_CHAIN_OK, false, false},
    {"expired", TLS_CHAIN_EXPIRED, TLS_CHAIN_EXPIRED, false, false},
    {"future", TLS_CHAIN_NOT_YET_VALID, TLS_CHAIN_NOT_YET_VALID, false, false},
    {"self", TLS_CHAIN_SELF_SIGNED, TLS_CHAIN_SELF_SIGNED, false, false},
    {"unknown", TLS_CHAIN_UNKNOWN_CA, TLS_CHAIN_UNKNOWN_CA, false, false},
    {"viainter", TLS_CHAIN_OK, TLS_CHAIN_OK, false, false},
    {"serveronly", TLS_CHAIN_OK, TLS_CHAIN_OK, false, false},
    {"clientonly", TLS_CHAIN_BAD, TLS_CHAIN_OK, false, true},
    {"noeku", TLS_CHAIN_OK, TLS_CHAIN_OK, false, false},
    {"emaileku", TLS_CHAIN_BAD, TLS_CHAIN_BAD, false, true},
    {"cnonly", TLS_CHAIN_OK, TLS_CHAIN_OK, false, false},
    {"underold", TLS_CHAIN_EXPIRED, TLS_CHAIN_EXPIRED, false, false},
    {"undernotca", TLS_CHAIN_BAD, TLS_CHAIN_BAD, false, false},
    {"long", TLS_CHAIN_OK, TLS_CHAIN_OK, false, false},
    {"inside", TLS_CHAIN_OK, TLS_CHAIN_OK, true, false},
    {"outside", TLS_CHAIN_BAD, TLS_CHAIN_BAD, true, false},
};

static void expect_verdict(const struct verdict *v, struct pair_params *params, bool as_server)
{
    struct pair p;
    const char *judge = as_server ? params->client_backend : params->server_backend;
    const char *shower = as_server ? params->server_backend : params->client_backend;
    if (is_mbedtls(shower) && (v->mbedtls_breaks || (as_server && v->mbedtls_server_refuses))) {
        return; /* cannot show it */
    }
    params->server_certs = as_server ? v->cert : "good";
    params->client_cert = as_server ? "good" : v->cert;
    pair_init(&p, params);
    bool done = pair_handshake(&p);
    struct pair_end *end = as_server ? &p.client : &p.server;
    if (v->mbedtls_breaks && is_mbedtls(judge)) {
        cr_expect_eq(end->step, TLS_STEP_BAD, "%s", v->cert);
        cr_expect_eq(tls_session_error(end->session)->err, ERR_TLS_CERTIFICATE);
    } else {
        cr_expect(done, "%s as %s, %s -> %s: %s / %s", v->cert, as_server ? "server" : "client",
                  params->client_backend, params->server_backend,
                  tls_session_error(p.client.session)->text,
                  tls_session_error(p.server.session)->text);
        enum tls_chain chain = tls_session_peer(end->session)->chain;
        cr_expect_eq(chain, as_server ? v->as_server : v->as_client, "%s as %s, judged by %s: %s",
                     v->cert, as_server ? "server" : "client", judge, tls_chain_name(chain));
    }
    pair_deinit(&p);
}

Test(tls_session, every_certificate_is_judged_and_none_ends_the_handshake, .timeout = 60)
{
    for (size_t i = 0; i < ARRAY_COUNT(verdicts); i++) {
        struct pair_params params = {0};
        FOR_ALL_PAIRS(params) {
            expect_verdict(&verdicts[i], &params, true);
            expect_verdict(&verdicts[i], &params, false);
        }
    }
}

Test(tls_session, client_without_certificate)
{
    struct pair_params params = {.client_cert = ""};
    FOR_ALL_PAIRS(params) {
        struct pair p;
        pair_init(&p, &params);
        cr_assert(pair_handshake(&p));
        const struct tls_peer *peer = tls_session_peer(p.server.session);
        cr_expect_eq(peer->chain, TLS_CHAIN_NONE);
        cr_expect_eq(peer->names.count, 0);
        cr_expect_str_eq(peer->subject, "");
        cr_expect_str_eq(peer->sni, "");
        pair_say(&p, &p.client, SLICE_LIT("hello"));
        pair_deinit(&p);
    }
}

Test(tls_session, trusting_nobody)
{
    struct pair_params params = {.trust = ""};
    FOR_ALL_PAIRS(params) {
        struct pair p;
        pair_init(&p, &params);
        cr_assert(pair_handshake(&p));
        cr_expect_eq(tls_session_peer(p.client.session)->chain, TLS_CHAIN_UNKNOWN_CA);
        cr_expect_eq(tls_session_peer(p.server.session)->chain, TLS_CHAIN_UNKNOWN_CA);
        pair_deinit(&p);
    }
}

Test(tls_session, judged_at_the_given_time)
{
    struct pair_params params = {.now_unix_s = 1000};
    FOR_ALL_PAIRS(params) {
        struct pair p;
        pair_init(&p, &params);
        cr_assert(pair_handshake(&p));
        cr_expect_eq(tls_session_peer(p.client.session)->chain, TLS_CHAIN_NOT_YET_VALID);
        pair_deinit(&p);
    }
}

Test(tls_session, sni_picks_the_credential)
{
    static const struct {
        const char *sni;
        const char *subject;
    } cases[] = {
        {"fabrikam.test", "CN=good"}, {"conference.fabrikam.test", "CN=good"},
        {"rsa.test", "CN=rsa"},       {"contoso.test", "CN=second"},
        {"x.wild.test", "CN=second"}, {"x.y.wild.test", "CN=good"},
        {"exact.wild.test", "CN=exact"},
        {"RSA.Test", "CN=rsa"},       {"nobody.test", "CN=good"},
        {"", "CN=good"},
    };
    struct pair_params params = {.server_certs = "good,rsa,second,exact"};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        params.sni = cases[i].sni;
        FOR_ALL_PAIRS(params) {
            struct pair p;
            pair_init(&p, &params);
            cr_assert(pair_handshake(&p), "%s: %s", cases[i].sni,
                      tls_session_error(p.server.session)->text);
            cr_expect_str_eq(tls_session_peer(p.client.session)->subject, cases[i].subject, "%s",
                             cases[i].sni);
            cr_expect_eq(tls_session_peer(p.client.session)->chain, TLS_CHAIN_OK);
            cr_expect(slice_eq_nocase(slice_from_cstr(tls_session_peer(p.server.session)->sni),
                                      slice_from_cstr(cases[i].sni)));
            pair_deinit(&p);
        }
    }
}

/* What an administrator gave to a domain is shown for it, though others name it as well. */
Test(tls_session, a_credential_meant_for_a_domain_comes_first)
{
    static const char *const names[][2] = {{"rsa.test", "CN=second"}, {"RSA.test", "CN=second"},
                                           {"fabrikam.test", "CN=good"},
                                           {"contoso.test", "CN=second"}, {"", "CN=good"}};
    struct pair_params params = {.server_certs = "good,rsa,rsa.test=second"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        params.sni = names[i][0];
        FOR_ALL_PAIRS(params) {
            struct pair p;
            pair_init(&p, &params);
            cr_assert(pair_handshake(&p));
            cr_expect_str_eq(tls_session_peer(p.client.session)->subject, names[i][1], "%s",
                             names[i][0]);
            pair_deinit(&p);
        }
    }
}

/* A new session for one end, with another choice of credential. */
static void choose(struct pair_end *e, enum tls_role role, uint32_t idx, const char *domain,
                   const char *sni)
{
    struct tls_session_params params = {
        .role = role,
        .sni = slice_from_cstr(sni),
        .credential_idx = idx,
        .credential_domain = slice_from_cstr(domain),
    };
    tls_session_free(e->session);
    cr_assert_eq(tls_session_new(&e->session, e->ctx, &params), 0);
}

Test(tls_session, credential_by_domain_and_by_index)
{
    struct pair_params params = {.server_certs = "good,rsa,second",
                                 .client_cert = "second,rsa,good"};
    FOR_ALL_PAIRS(params) {
        struct pair p;
        pair_init(&p, &params);
        choose(&p.client, TLS_ROLE_CLIENT, UINT32_MAX, "fabrikam.test", "rsa.test");
        choose(&p.server, TLS_ROLE_SERVER, 2, "", "");
        cr_assert(pair_handshake(&p));
        cr_expect_str_eq(tls_session_peer(p.server.session)->subject, "CN=good");
        cr_expect_str_eq(tls_session_peer(p.client.session)->subject, "CN=second", "index wins");
        cr_expect_str_eq(tls_session_peer(p.server.session)->sni, "rsa.test");
        pair_deinit(&p);
        pair_init(&p, &params);
        choose(&p.client, TLS_ROLE_CLIENT, UINT32_MAX, "nobody.test", "");
        choose(&p.server, TLS_ROLE_SERVER, UINT32_MAX, "rsa.test", "");
        cr_assert(pair_handshake(&p));
        cr_expect_str_eq(tls_session_peer(p.server.session)->subject, "CN=second", "the first");
        cr_expect_str_eq(tls_session_peer(p.client.session)->subject, "CN=rsa", "by domain");
        pair_deinit(&p);
    }
}

Test(tls_session, wrong_parameters_are_errors)
{
    for (size_t b = 0; b < ARRAY_COUNT(backends); b++) {
        struct tls_context *empty = pair_context(backends[b], "", "trust");
        struct tls_context *one = pair_context(backends[b], "good", "");
        struct tls_session *s;
        struct tls_session_params params = {.role = TLS_ROLE_SERVER, .credential_idx = UINT32_MAX};
        cr_expect_eq(tls_session_new(&s, empty, &params), ERR_TLS_CONFIG, "server needs one");
        cr_expect_null(s);
        params.credential_idx = 1;
        cr_expect_eq(tls_session_new(&s, one, &params), ERR_NOT_FOUND);
        char long_name[300];
        memset(long_name, 'a', sizeof(long_name));
        params = (struct tls_session_params){.credential_idx = UINT32_MAX,
                                             .sni = slice_make(long_name, sizeof(long_name))};
        cr_expect_eq(tls_session_new(&s, one, &params), ERR_BAD_INPUT);
        params.sni = SLICE_NONE;
        params.alpn = slice_make(long_name, 32);
        cr_expect_eq(tls_session_new(&s, one, &params), ERR_BAD_INPUT);
        tls_context_unref(empty);
        tls_context_unref(one);
    }
}

Test(tls_session, alpn)
{
    struct pair_params params = {0};
    FOR_ALL_PAIRS(params) {
        struct pair p;
        params.client_alpn = "h2";
        params.server_alpn = "xmpp-server";
        pair_init(&p, &params);
        cr_expect(!pair_handshake(&p));
        cr_expect_eq(p.server.step, TLS_STEP_BAD);
        cr_expect_eq(p.client.step, TLS_STEP_BAD);
        const struct tls_error *error = tls_session_error(p.client.session);
        cr_expect_eq(error->err, ERR_TLS_ALERT);
        cr_expect(strstr(error->text, "no_application_protocol (120)") != NULL, "%s", error->text);
        pair_deinit(&p);

        params.client_alpn = "";
        pair_init(&p, &params);
        cr_expect(pair_handshake(&p), "a client without ALPN is fine");
        cr_expect_str_eq(tls_session_peer(p.server.session)->alpn, "");
        pair_deinit(&p);

        params.client_alpn = "xmpp-server";
        params.server_alpn = "";
        pair_init(&p, &params);
        cr_expect(pair_handshake(&p), "a server without ALPN is fine");
        cr_expect_str_eq(tls_session_peer(p.client.session)->alpn, "");
        pair_deinit(&p);
    }
}

Test(tls_session, a_demanded_version_is_kept)
{
    struct pair_params params = {0};
    FOR_ALL_PAIRS(params) {
        struct pair p;
        params.version_min = TLS_VERSION_1_3;
        pair_init(&p, &params);
        bool done = pair_handshake(&p);
        cr_expect_eq(done, combo_ == 0);
        struct pair_end *bad = is_mbedtls(params.client_backend) ? &p.client : &p.server;
        if (done) {
            cr_expect_str_eq(tls_session_peer(p.client.session)->version, "TLSv1.3");
        } else if (combo_ == 3 || is_mbedtls(params.client_backend)) {
            cr_expect_eq(bad->step, TLS_STEP_BAD);
            cr_expect_eq(tls_session_error(bad->session)->err, ERR_TLS_CONFIG);
            cr_expect(strstr(tls_session_error(bad->session)->text, "wolfssl") != NULL);
        }
        pair_deinit(&p);
    }
}

/* RFC 5246 7.4.1.4.1: pairs of digest and signature, SHA-224 is 3, SHA-1 is 2. */
Test(tls_session, weak_digests_are_not_offered_by_mbedtls)
{
    struct pair_params params = {.client_backend = "mbedtls"};
    struct pair p;
    size_t used;
    pair_init(&p, &params);
    cr_assert_eq(tls_session_handshake(p.client.session, SLICE_NONE, &used, &p.client.out),
                 TLS_STEP_MORE);
    struct slice hello = buf_slice(&p.client.out);
    const char *at = memmem(hello.ptr + 43, hello.len - 43, "\0\x0d\0", 3);
    cr_assert_not_null(at);
    size_t len = (unsigned char)at[5];
    cr_assert(len >= 6 && len % 2 == 0 && at + 6 + len <= hello.ptr + hello.len);
    for (size_t i = 0; i < len; i += 2) {
        cr_expect(at[6 + i] >= 4 && at[6 + i] <= 6, "%d", at[6 + i]);
    }
    pair_deinit(&p);
}

/* RFC 8446 4.2.7: extension 10; P-256 is 23, P-384 24, P-521 25, X25519 29. A server that takes the
 * first one offered needs no second round. */
Test(tls_session, the_first_group_offered_is_the_one_whose_key_is_sent)
{
    static const char expected[] = "\0\x0a\0\x0a\0\x08\0\x17\0\x1d\0\x18\0\x19";
    struct pair_params params = {.client_backend = "wolfssl"};
    struct pair p;
    size_t used;
    pair_init(&p, &params);
    cr_assert_eq(tls_session_handshake(p.client.session, SLICE_NONE, &used, &p.client.out),
                 TLS_STEP_MORE);
    struct slice hello = buf_slice(&p.client.out);
    cr_assert_not_null(memmem(hello.ptr, hello.len, expected, sizeof(expected) - 1));
    /* key_share: 51, of one key for group 23 */
    const char *at = memmem(hello.ptr + 43, hello.len - 43, "\0\x33\0\x47\0\x45\0\x17\0\x41", 10);
    cr_assert_not_null(at);
    pair_deinit(&p);
}
