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
        cr_assert(strstr(client->cipher, "CHACHA20") != NULL, "%s", client->cipher);
        pair_say(&p, &p.client, SLICE_LIT("<stream:stream>"));
        pair_say(&p, &p.server, SLICE_LIT("<stream:features/>"));
        pair_deinit(&p);
    }
}
