/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sessions continued by tickets: with the identity of the first one, or not at all. */
#include <criterion/criterion.h>
#include <mbedtls/ssl.h>
#include <string.h>
#include <time.h>
#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

#include "base/err.h"
#include "pair.h"
#include "tls/tls_int.h"

static const char *const backends[] = {"wolfssl", "mbedtls"};

#define FOR_ALL_PAIRS(params)                                             \
    for (unsigned combo_ = 0;                                             \
         combo_ < 4 && ((params).client_backend = backends[combo_ & 1u],  \
                        (params).server_backend = backends[combo_ >> 1], true); \
         combo_++)

static struct pair_params params_of_a_stream(void)
{
    return (struct pair_params){.sni = "fabrikam.test", .client_alpn = "xmpp-server",
                                .server_alpn = "xmpp-server", .has_tickets = true,
                                .may_resume = true, .client_cert = "rsa"};
}

/* wolfSSL offers no tickets of TLS 1.2: see its keep(). */
static bool can_resume(const struct pair_params *params)
{
    return strcmp(params->client_backend, "mbedtls") == 0 ||
           strcmp(params->server_backend, "wolfssl") == 0;
}

static struct resume *resume_of(const struct pair_end *e)
{
    return e->ctx->resume;
}

/* Handshake and a word each way; a client of TLS 1.3 has its ticket then. */
static void talk(struct pair *p)
{
    cr_assert(pair_handshake(p), "%s / %s", tls_session_error(p->client.session)->text,
              tls_session_error(p->server.session)->text);
    pair_say(p, &p->client, SLICE_LIT("there"));
    pair_say(p, &p->server, SLICE_LIT("and back"));
    cr_expect_eq(tls_session_path(p->client.session, TLS_OUT), TLS_PATH_USER);
}

static void expect_identity(const struct pair *p, bool is_resumed)
{
    const struct tls_peer *server = tls_session_peer(p->client.session);
    const struct tls_peer *client = tls_session_peer(p->server.session);
    cr_expect_eq(server->is_resumed, is_resumed);
    cr_expect_eq(client->is_resumed, is_resumed);
    cr_expect_eq(server->chain, TLS_CHAIN_OK);
    cr_expect_eq(client->chain, TLS_CHAIN_OK);
    cr_expect_str_eq(server->subject, "CN=good");
    cr_expect_str_eq(client->subject, "CN=rsa");
    cr_expect_str_eq(client->issuer, "CN=Test-CA");
    cr_expect(tls_names_match_xmpp(&server->names, SLICE_LIT("fabrikam.test")));
    cr_expect(tls_names_match_xmpp(&client->names, SLICE_LIT("rsa.test")));
    cr_expect_gt(client->not_after_unix_s, 0);
    cr_expect_not_null(p->server.session->proof, "a reload can still judge it");
    cr_expect_not_null(p->client.session->proof);
    cr_expect_str_eq(client->sni, "fabrikam.test");
    cr_expect_str_eq(client->alpn, "xmpp-server");
}

Test(tls_resume, continues_with_the_identity_of_the_first)
{
    struct pair_params params = params_of_a_stream();
    FOR_ALL_PAIRS(params) {
        struct pair p;
        pair_init(&p, &params);
        talk(&p);
        expect_identity(&p, false);
        cr_expect_eq(resume_offer_count(resume_of(&p.client)), can_resume(&params));
        cr_expect_eq(resume_peer_count(resume_of(&p.server)), can_resume(&params));
        for (int i = 0; i < 5; i++) {
            pair_again(&p, &params);
            cr_expect_eq(resume_offer_count(resume_of(&p.client)), 0, "offered once");
            talk(&p);
            expect_identity(&p, can_resume(&params));
            cr_expect_eq(resume_offer_count(resume_of(&p.client)), can_resume(&params));
        }
        pair_deinit(&p);
    }
}

Test(tls_resume, in_any_split)
{
    struct pair_params params = params_of_a_stream();
    params.step_bytes = 1;
    FOR_ALL_PAIRS(params) {
        struct pair p;
        pair_init(&p, &params);
        talk(&p);
        pair_again(&p, &params);
        talk(&p);
        expect_identity(&p, can_resume(&params));
        pair_deinit(&p);
    }
}

Test(tls_resume, only_when_wished_and_for_the_same_name_and_protocol)
{
    struct pair_params params = params_of_a_stream();
    FOR_ALL_PAIRS(params) {
        struct pair p;
        struct pair_params other = params;
        pair_init(&p, &params);
        talk(&p);
        other.may_resume = false;
        pair_again(&p, &other);
        cr_assert(pair_handshake(&p));
        cr_expect_eq(tls_session_path(p.client.session, TLS_IN), TLS_PATH_USER, "at once");
        talk(&p);
        expect_identity(&p, false);
        cr_expect_eq(resume_offer_count(resume_of(&p.client)), can_resume(&params), "as before");
        other = params;
        other.sni = "conference.fabrikam.test";
        pair_again(&p, &other);
        talk(&p);
        cr_expect(!tls_session_peer(p.client.session)->is_resumed);
        other = params;
        other.client_alpn = "";
        pair_again(&p, &other);
        talk(&p);
        cr_expect(!tls_session_peer(p.client.session)->is_resumed);
        pair_again(&p, &params);
        talk(&p);
        expect_identity(&p, can_resume(&params));
        pair_deinit(&p);
    }
}

/* A reload: other keys, no identities. */
Test(tls_resume, a_new_context_means_a_full_handshake)
{
    struct pair_params params = params_of_a_stream();
    FOR_ALL_PAIRS(params) {
        struct pair p;
        struct pair fresh;
        pair_init(&p, &params);
        talk(&p);
        pair_init(&fresh, &params);
        struct tls_context *old = p.server.ctx;
        p.server.ctx = fresh.server.ctx;
        fresh.server.ctx = old;
        pair_again(&p, &params);
        cr_expect_eq(resume_offer_count(resume_of(&p.client)), 0);
        talk(&p);
        expect_identity(&p, false);
        pair_deinit(&fresh);
        pair_deinit(&p);
    }
}

Test(tls_resume, a_forgotten_peer_means_a_full_handshake)
{
    struct pair_params params = params_of_a_stream();
    FOR_ALL_PAIRS(params) {
        struct pair p;
        pair_init(&p, &params);
        talk(&p);
        struct resume *full = p.server.ctx->resume;
        struct resume *empty = resume_new(p.server.ctx->backend);
        p.server.ctx->resume = empty;
        pair_again(&p, &params);
        talk(&p);
        expect_identity(&p, false);
        p.server.ctx->resume = full;
        resume_free(empty);
        pair_deinit(&p);
    }
}

Test(tls_resume, not_for_ever)
{
    static const struct {
        int64_t seconds;
        bool is_resumed;
    } cases[] = {{3600, true},
                 {RESUME_SERVER_SECONDS - 10, true},
                 {RESUME_SERVER_SECONDS + 1, false},
                 {RESUME_CLIENT_SECONDS + 1, false}};
    int64_t now = (int64_t)time(NULL);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct pair_params params = params_of_a_stream();
        FOR_ALL_PAIRS(params) {
            struct pair p;
            params.now_unix_s = now;
            pair_init(&p, &params);
            talk(&p);
            params.now_unix_s = now + cases[i].seconds;
            pair_again(&p, &params);
            talk(&p);
            cr_expect_eq(tls_session_peer(p.client.session)->is_resumed,
                         cases[i].is_resumed && can_resume(&params), "%d", (int)cases[i].seconds);
            pair_deinit(&p);
        }
    }
}

/* However often it is renewed, the first handshake's end counts. */
Test(tls_resume, a_renewed_ticket_lasts_no_longer)
{
    struct pair_params params = params_of_a_stream();
    int64_t now = (int64_t)time(NULL);
    FOR_ALL_PAIRS(params) {
        struct pair p;
        params.now_unix_s = now;
        pair_init(&p, &params);
        talk(&p);
        for (int hours = 1; hours <= 6; hours++) {
            params.now_unix_s = now + hours * 3600;
            pair_again(&p, &params);
            talk(&p);
            cr_expect_eq(tls_session_peer(p.client.session)->is_resumed,
                         hours < 6 && can_resume(&params), "%d", hours);
        }
        pair_deinit(&p);
    }
}

/* A certificate that ends earlier ends the session earlier. */
Test(tls_resume, not_beyond_a_certificate)
{
    struct pair_params params = params_of_a_stream();
    FOR_ALL_PAIRS(params) {
        struct pair p;
        pair_init(&p, &params);
        talk(&p);
        params.now_unix_s = tls_session_peer(p.client.session)->not_after_unix_s - 100;
        pair_again(&p, &params);
        talk(&p);
        params.now_unix_s += 101;
        pair_again(&p, &params);
        cr_assert(pair_handshake(&p));
        cr_expect(!tls_session_peer(p.client.session)->is_resumed);
        cr_expect_eq(tls_session_peer(p.client.session)->chain, TLS_CHAIN_EXPIRED);
        params.now_unix_s = 0;
        pair_deinit(&p);
    }
}

Test(tls_resume, a_peer_without_certificate_shakes_hands_in_full)
{
    struct pair_params params = params_of_a_stream();
    params.client_cert = "";
    FOR_ALL_PAIRS(params) {
        struct pair p;
        pair_init(&p, &params);
        talk(&p);
        pair_again(&p, &params);
        talk(&p);
        cr_expect(!tls_session_peer(p.server.session)->is_resumed);
        cr_expect_eq(resume_peer_count(resume_of(&p.server)), 0, "nobody fills the store");
        cr_expect_eq(tls_session_peer(p.server.session)->chain, TLS_CHAIN_NONE);
        cr_expect_eq(tls_session_peer(p.server.session)->names.count, 0);
        pair_deinit(&p);
    }
}

Test(tls_resume, a_bad_verdict_is_not_continued)
{
    struct pair_params params = params_of_a_stream();
    params.client_cert = "self";
    FOR_ALL_PAIRS(params) {
        struct pair p;
        pair_init(&p, &params);
        talk(&p);
        pair_again(&p, &params);
        talk(&p);
        cr_expect(!tls_session_peer(p.server.session)->is_resumed);
        cr_expect_eq(resume_peer_count(resume_of(&p.server)), 0);
        cr_expect_eq(tls_session_peer(p.server.session)->chain, TLS_CHAIN_SELF_SIGNED);
        pair_deinit(&p);
    }
}

Test(tls_resume, without_tickets_nothing_is_kept)
{
    struct pair_params params = params_of_a_stream();
    params.has_tickets = false;
    FOR_ALL_PAIRS(params) {
        struct pair p;
        pair_init(&p, &params);
        cr_assert(pair_handshake(&p));
        cr_expect_eq(p.server.session->sides[TLS_OUT].keys.seq,
                     strcmp(tls_session_peer(p.client.session)->version, "TLSv1.3") == 0 ? 0 : 1,
                     "no ticket was sent");
        pair_again(&p, &params);
        cr_assert(pair_handshake(&p));
        expect_identity(&p, false);
        pair_deinit(&p);
    }
}

/* RFC 7627: such a session may be one with a man in the middle. A handshake with it is fine. */
Test(tls_resume, not_without_extended_master_secret)
{
    struct pair_params params = params_of_a_stream();
    params.client_backend = "mbedtls";
    for (size_t b = 0; b < ARRAY_COUNT(backends); b++) {
        struct pair p;
        params.server_backend = backends[b];
        pair_init(&p, &params);
        for (int round = 0; round < 2; round++) {
            mbedtls_ssl_context *ssl = p.client.session->shake->lib; /* its first member */
            mbedtls_ssl_conf_extended_master_secret((mbedtls_ssl_config *)(uintptr_t)ssl->conf,
                                                    MBEDTLS_SSL_EXTENDED_MS_DISABLED);
            talk(&p);
            expect_identity(&p, false);
            cr_expect_eq(resume_peer_count(resume_of(&p.server)), 0, "%s", backends[b]);
            cr_expect_eq(resume_offer_count(resume_of(&p.client)), 0);
            pair_again(&p, &params);
        }
        /* The other way round: with it, then without. */
        talk(&p);
        pair_again(&p, &params);
        mbedtls_ssl_context *ssl = p.client.session->shake->lib;
        mbedtls_ssl_conf_extended_master_secret((mbedtls_ssl_config *)(uintptr_t)ssl->conf,
                                                MBEDTLS_SSL_EXTENDED_MS_DISABLED);
        cr_expect(!pair_handshake(&p), "the first had it, the second has not: %s", backends[b]);
        pair_deinit(&p);
    }
}

/* The last look before the session counts: whatever the library made of it. */
Test(tls_resume, what_may_not_be_continued_ends_with_an_alert)
{
    struct pair_params params = params_of_a_stream();
    FOR_ALL_PAIRS(params) {
        struct pair p;
        if (!can_resume(&params)) {
            continue;
        }
        pair_init(&p, &params);
        talk(&p);
        pair_again(&p, &params);
        cr_assert_not_null(p.client.session->shake->resumed);
        p.client.session->shake->resumed->expires_unix_s = 1;
        cr_expect(!pair_handshake(&p));
        cr_expect_eq(p.client.step, TLS_STEP_BAD);
        cr_expect_eq(tls_session_error(p.client.session)->err, ERR_TLS_HANDSHAKE);
        (void)pair_carry(&p, &p.client, &p.server);
        const char *text = tls_session_error(p.server.session)->text;
        cr_expect(strstr(text, "handshake_failure") != NULL, "%s -> %s: %s", params.client_backend,
                  params.server_backend, text);
        pair_deinit(&p);
    }
}

/* The server's ring: old identities make room. */
Test(tls_resume, the_store_is_bounded)
{
    struct pair_params params = params_of_a_stream();
    struct pair p;
    pair_init(&p, &params);
    talk(&p);
    pair_again(&p, &params); /* with a handshake in progress: resume_seal needs one */
    char bytes[64 + RESUME_TAG_BYTES] = "text";
    p.server.session->shake->hello.is_whole = true;
    p.server.session->shake->chain_expires_unix_s = INT64_MAX;
    p.server.session->peer.chain = TLS_CHAIN_OK;
    struct resume_ticket first;
    struct resume_ticket ticket;
    cr_assert_eq(resume_seal(p.server.session, &first, bytes, 64), 0);
    for (uint32_t i = 0; i < RESUME_PEERS_MAX; i++) {
        cr_assert_eq(resume_seal(p.server.session, &ticket, bytes, 64), 0);
    }
    cr_expect_eq(resume_peer_count(resume_of(&p.server)), RESUME_PEERS_MAX);
    struct slice sni = SLICE_NONE;
    char copy[sizeof(bytes)];
    memcpy(copy, bytes, sizeof(bytes));
    cr_expect(resume_open(p.server.session, &ticket, copy, sizeof(copy), sni));
    memcpy(copy, bytes, sizeof(bytes));
    copy[3] ^= 1;
    cr_expect(!resume_open(p.server.session, &ticket, copy, sizeof(copy), sni), "flipped");
    cr_expect_null(p.server.session->shake->resumed);
    memcpy(copy, bytes, sizeof(bytes));
    cr_expect(!resume_open(p.server.session, &ticket, copy, sizeof(copy),
                           SLICE_LIT("other.test")));
    memcpy(copy, bytes, sizeof(bytes));
    cr_expect(!resume_open(p.server.session, &first, copy, sizeof(copy), sni), "gone");
    ticket.id[0] ^= 1;
    memcpy(copy, bytes, sizeof(bytes));
    cr_expect(!resume_open(p.server.session, &ticket, copy, sizeof(copy), sni), "another id");
    cr_expect(!resume_open(p.server.session, &ticket, copy, 7, sni), "no tag");
    ticket.id[0] ^= 1;
    p.server.session->shake->ticket_tries = RESUME_TRIES_MAX;
    memcpy(copy, bytes, sizeof(bytes));
    cr_expect(!resume_open(p.server.session, &ticket, copy, sizeof(copy), sni), "one too many");
    p.server.session->shake->ticket_tries = RESUME_TRIES_MAX - 1;
    cr_expect(resume_open(p.server.session, &ticket, copy, sizeof(copy), sni));
    pair_deinit(&p);
}

/* Whoever reads our memory later finds nothing that opens what he recorded. */
Test(tls_resume, keys_go_when_their_time_is_over)
{
    struct pair_params params = params_of_a_stream();
    int64_t now = (int64_t)time(NULL);
    FOR_ALL_PAIRS(params) {
        struct pair p;
        params.now_unix_s = now;
        pair_init(&p, &params);
        talk(&p);
        params.now_unix_s = now + RESUME_SERVER_SECONDS - 1;
        pair_again(&p, &params);
        cr_expect_eq(resume_peer_count(resume_of(&p.server)), can_resume(&params));
        params.now_unix_s = now + RESUME_SERVER_SECONDS + RESUME_SWEEP_SECONDS;
        pair_again(&p, &params);
        cr_expect_eq(resume_peer_count(resume_of(&p.server)), 0, "%s", params.server_backend);
        params.now_unix_s = now;
        pair_again(&p, &params); /* the clock was set */
        talk(&p);
        params.now_unix_s = now + RESUME_CLIENT_SECONDS + RESUME_SWEEP_SECONDS;
        params.may_resume = false;
        pair_again(&p, &params);
        cr_expect_eq(resume_offer_count(resume_of(&p.client)), 0, "%s", params.client_backend);
        params.may_resume = true;
        pair_deinit(&p);
    }
}

static uint32_t refs_of(const struct tls_context *ctx)
{
    return atomic_load_explicit(&ctx->refs, memory_order_relaxed);
}

/* A stream lasts for weeks and sees many reloads: what they replace must go. */
Test(tls_resume, a_live_session_does_not_keep_what_a_reload_replaces)
{
    for (int has_tickets = 0; has_tickets < 2; has_tickets++) {
        struct pair_params params = params_of_a_stream();
        params.has_tickets = params.may_resume = has_tickets;
        FOR_ALL_PAIRS(params) {
            struct pair p;
            pair_init(&p, &params);
            struct tls_context *other = pair_context(params.server_backend, "good", "");
            struct tls_context *same = pair_context(params.server_backend, "good", "trust");
            cr_expect_eq(refs_of(p.server.ctx), 2, "while it shakes hands");
            talk(&p);
            cr_expect_eq(refs_of(p.client.ctx), 1, "%s", params.client_backend);
            cr_expect_eq(refs_of(p.server.ctx), 1, "%s", params.server_backend);
            tls_context_unref(p.client.ctx);
            tls_context_unref(p.server.ctx);
            p.client.ctx = p.server.ctx = NULL;
            pair_say(&p, &p.client, SLICE_LIT("still here"));
            pair_say(&p, &p.server, SLICE_LIT("so am I"));
            cr_expect(tls_session_rejudge(p.server.session, same));
            cr_expect_eq(tls_session_peer(p.server.session)->chain, TLS_CHAIN_OK);
            cr_expect(!tls_session_rejudge(p.server.session, other));
            cr_expect_neq(tls_session_peer(p.server.session)->chain, TLS_CHAIN_OK);
            tls_session_close(p.server.session, &p.server.out);
            cr_expect_eq(pair_carry(&p, &p.server, &p.client), ERR_CLOSED);
            tls_context_unref(other);
            tls_context_unref(same);
            pair_deinit(&p);
        }
    }
}

/* psk_ke of RFC 8446 4.2.9: whoever gets the ticket's key later reads the session. */
Test(tls_resume, without_diffie_hellman_a_ticket_is_not_taken)
{
    struct pair_params params = params_of_a_stream();
    struct pair p;
    pair_init(&p, &params);
    talk(&p);
    pair_again(&p, &params);
    cr_assert_eq(wolfSSL_no_dhe_psk(p.client.session->shake->lib), 0);
    (void)pair_handshake(&p); /* without a key share it may well fail */
    cr_expect(!tls_session_peer(p.server.session)->is_resumed);
    cr_expect(!tls_session_peer(p.client.session)->is_resumed);
    pair_again(&p, &params);
    talk(&p);
    pair_again(&p, &params);
    talk(&p);
    expect_identity(&p, true);
    pair_deinit(&p);
}

Test(tls_resume, a_server_that_goes_on_without_diffie_hellman_is_left)
{
    struct pair_params params = params_of_a_stream();
    struct pair p;
    pair_init(&p, &params);
    talk(&p);
    pair_again(&p, &params);
    p.client.session->shake->hello.is_over = true; /* as if no key share had been seen */
    cr_expect(!pair_handshake(&p));
    cr_expect_eq(p.client.step, TLS_STEP_BAD);
    const char *text = tls_session_error(p.client.session)->text;
    cr_expect(strstr(text, "may not be continued") != NULL, "%s", text);
    pair_again(&p, &params);
    talk(&p);
    expect_identity(&p, false);
    pair_deinit(&p);
}
