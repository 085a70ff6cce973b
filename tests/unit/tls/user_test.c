/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a session does once the library is gone: records, key updates, alerts, ends; what a peer
 * that holds the keys can do to it. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/err.h"
#include "base/pool.h"
#include "pair.h"
#include "tls/tls_int.h"

static const char *const backends[] = {"wolfssl", "mbedtls"};

#define FOR_ALL_PAIRS(params)                                             \
    for (unsigned combo_ = 0;                                             \
         combo_ < 4 && ((params).client_backend = backends[combo_ & 1u],  \
                        (params).server_backend = backends[combo_ >> 1], true); \
         combo_++)

static const char key_update[] = {24, 0, 0, 1, 0};
static const char key_update_asked[] = {24, 0, 0, 1, 1};
static const char ticket[] = {4, 0, 0, 14, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 'x', 0, 0};
static const char hello_request[] = {0, 0, 0, 0};

static void pair_up(struct pair *p, const struct pair_params *params)
{
    pair_init(p, params);
    cr_assert(pair_handshake(p), "%s / %s", tls_session_error(p->client.session)->text,
              tls_session_error(p->server.session)->text);
}

static bool is_tls13(const struct pair *p)
{
    return strcmp(tls_session_peer(p->client.session)->version, "TLSv1.3") == 0;
}

/* A record as this end would never make it. */
static void send_record(struct pair_end *e, uint8_t type, struct slice content)
{
    cr_assert_eq(record_seal(&e->session->sides[TLS_OUT], type, content, RECORD_PLAIN_MAX, &e->out),
                 0);
}
#define SEND(end, type, bytes) send_record(end, type, slice_make(bytes, sizeof(bytes)))

/* TLS 1.3: inner is content, type and padding. */
static void send_inner(struct pair_end *e, struct slice inner)
{
    struct record_side *side = &e->session->sides[TLS_OUT];
    struct tls_aead_head head;
    size_t body = inner.len + TLS_TAG_BYTES;
    char header[5] = {23, 3, 3, (char)(body >> 8), (char)body};
    memcpy(head.nonce, side->keys.iv, sizeof(head.nonce));
    for (size_t i = 0; i < 8; i++) {
        head.nonce[11 - i] ^= (unsigned char)(side->keys.seq >> 8 * i);
    }
    side->keys.seq++;
    head.ad = slice_make(header, sizeof(header));
    buf_append(&e->out, header, sizeof(header));
    char *to = buf_reserve(&e->out, body);
    cr_assert_not_null(to);
    cr_assert_not_null(side->aead, "say something first");
    cr_assert_eq(side->ops->seal(side->aead, &head, inner, SLICE_NONE, to), 0);
    buf_commit(&e->out, body);
}

/* `to` has ended with an error; `from` has to understand why. */
static void expect_alert(struct pair *p, struct pair_end *to, int err, const char *alert)
{
    struct pair_end *from = to == &p->client ? &p->server : &p->client;
    struct slice out = buf_slice(&to->out);
    cr_expect_eq(to->err, err, "%s: %s", alert, tls_session_error(to->session)->text);
    cr_expect_eq(buf_len(&to->plain), 0, "%s", alert);
    cr_expect_gt(out.len, 0, "%s", alert);
    if (out.len > 0) {
        cr_expect_eq(tls_session_record_bytes(from->session, out), out.len, "one, for %s", alert);
        cr_expect_eq(pair_carry(p, to, from), ERR_TLS_ALERT);
        cr_expect(strstr(tls_session_error(from->session)->text, alert) != NULL, "%s: %s", alert,
                  tls_session_error(from->session)->text);
    }
    size_t used;
    buf_put_lit(&to->in, "more");
    cr_expect_eq(pair_open(to, &used), err, "it stays so");
    cr_expect_eq(tls_session_seal(to->session, SLICE_LIT("x"), &to->out), err);
    tls_session_close(to->session, &to->out);
    cr_expect_eq(buf_len(&to->out), 0, "no second end");
}

Test(tls_user, the_library_is_gone_and_little_is_left)
{
    struct pair_params params = {.sni = "fabrikam.test", .client_alpn = "xmpp-server",
                                 .server_alpn = "xmpp-server"};
    FOR_ALL_PAIRS(params) {
        struct pair p;
        pair_up(&p, &params);
        pair_say(&p, &p.client, SLICE_LIT("there"));
        pair_say(&p, &p.server, SLICE_LIT("and back"));
        struct pair_end *ends[] = {&p.client, &p.server};
        for (size_t i = 0; i < 2; i++) {
            struct tls_session *s = ends[i]->session;
            cr_expect_eq(tls_session_path(s, TLS_IN), TLS_PATH_USER);
            cr_expect_eq(tls_session_path(s, TLS_OUT), TLS_PATH_USER);
            cr_expect_not_null(tls_session_keys(s, TLS_IN));
            cr_expect_null(s->shake);
            tls_session_rest(s);
            cr_expect_null(s->sides[0].aead);
            int64_t before = pool_used_bytes();
            tls_session_free(s);
            ends[i]->session = NULL;
            cr_expect_leq(before - pool_used_bytes(), 1024, "%d bytes",
                          (int)(before - pool_used_bytes()));
        }
        pair_deinit(&p);
    }
}

/* Tickets come before application data: only the library can read them. */
Test(tls_user, a_client_that_keeps_tickets_hands_over_with_the_first_data)
{
    struct pair_params params = {.has_tickets = true, .may_resume = true};
    FOR_ALL_PAIRS(params) {
        struct pair p;
        pair_up(&p, &params);
        enum tls_path first = is_tls13(&p) ? TLS_PATH_LIBRARY : TLS_PATH_USER;
        cr_expect_eq(tls_session_path(p.client.session, TLS_IN), first);
        cr_expect_eq(tls_session_path(p.client.session, TLS_OUT), first);
        cr_expect_eq(tls_session_keys(p.client.session, TLS_OUT) == NULL, is_tls13(&p));
        pair_say(&p, &p.client, SLICE_LIT("by the library"));
        pair_say(&p, &p.server, SLICE_LIT("that was all for it"));
        cr_expect_eq(tls_session_path(p.client.session, TLS_IN), TLS_PATH_USER);
        cr_expect_eq(tls_session_path(p.client.session, TLS_OUT), TLS_PATH_USER);
        pair_say(&p, &p.client, SLICE_LIT("by us"));
        pair_say(&p, &p.server, SLICE_LIT("and back"));
        tls_session_close(p.client.session, &p.client.out);
        cr_expect_eq(pair_carry(&p, &p.client, &p.server), ERR_CLOSED);
        pair_deinit(&p);
    }
}

Test(tls_user, key_updates_are_followed_or_end_in_order)
{
    struct pair_params params = {0};
    struct pair p;
    bool has_secrets = tls_backend_has_secrets(tls_backend_find("wolfssl"));
    uint64_t followed = tls_key_update_count(TLS_IN);
    uint64_t made = tls_key_update_count(TLS_OUT);
    uint64_t rounds = 0;
    for (unsigned i = 0; i < 40; i++) {
        pair_up(&p, &params);
        for (unsigned n = 0; n <= i && has_secrets; n++) {
            rounds++;
            SEND(&p.client, RECORD_HANDSHAKE, key_update_asked);
            cr_assert_eq(record_update(&p.client.session->sides[TLS_OUT]), 0);
            pair_say(&p, &p.client, SLICE_LIT("under new keys"));
            cr_expect_gt(buf_len(&p.server.out), 0, "its answer");
            pair_say(&p, &p.server, SLICE_LIT("and back"));
            SEND(&p.server, RECORD_HANDSHAKE, key_update);
            cr_assert_eq(record_update(&p.server.session->sides[TLS_OUT]), 0);
            pair_say(&p, &p.server, SLICE_LIT("once more"));
            cr_expect_eq(buf_len(&p.client.out), 0, "it was not asked");
        }
        if (!has_secrets) {
            send_record(&p.client, RECORD_APPLICATION_DATA, SLICE_LIT("last words"));
            SEND(&p.client, RECORD_HANDSHAKE, key_update_asked);
            cr_expect_eq(pair_carry(&p, &p.client, &p.server), ERR_TLS_REKEY);
            cr_expect(slice_eq_cstr(buf_slice(&p.server.plain), "last words"));
            size_t used;
            cr_expect_eq(pair_open(&p.server, &used), ERR_TLS_REKEY, "again");
            pair_say(&p, &p.server, SLICE_LIT("</stream:stream>"));
            tls_session_close(p.server.session, &p.server.out);
            cr_expect_eq(pair_carry(&p, &p.server, &p.client), ERR_CLOSED);
        }
        pair_deinit(&p);
    }
    /* Each round: one that asks, its answer, one that does not. */
    cr_expect_eq(tls_key_update_count(TLS_IN) - followed, 3 * rounds);
    cr_expect_eq(tls_key_update_count(TLS_OUT) - made, rounds);
}

Test(tls_user, a_used_up_key_is_changed_or_the_session_is_worn)
{
    struct record_limits limits = record_limits;
    struct pair_params params = {.is_aes_first = true};
    record_limits = (struct record_limits){.gcm_soft = 10, .gcm_hard = 40};
    FOR_ALL_PAIRS(params) {
        struct pair p;
        pair_up(&p, &params);
        bool renews = is_tls13(&p) && tls_backend_has_secrets(tls_backend_find("wolfssl"));
        unsigned had = is_tls13(&p) ? 0 : 1; /* Finished */
        int err = 0;
        for (unsigned i = 0; i < 100 && err == 0; i++) {
            err = tls_session_seal(p.client.session, SLICE_LIT("x"), &p.client.out);
            if (err != 0) {
                break;
            }
            cr_expect_eq(pair_carry(&p, &p.client, &p.server), 0);
            cr_expect_eq(pair_carry(&p, &p.server, &p.client), 0);
            bool is_worn = !renews && i >= 9 - had;
            cr_expect_eq(tls_session_is_worn(p.client.session), is_worn, "%u", i);
            cr_expect_eq(tls_session_is_worn(p.server.session), is_worn, "%u", i);
        }
        cr_expect_eq(err, renews ? 0 : ERR_TLS_WORN);
        cr_expect_eq(buf_len(&p.server.plain), renews ? 100 : 40 - had);
        pair_deinit(&p);
    }
    record_limits = limits;
}

Test(tls_user, a_worn_peer_is_asked_for_new_keys_once)
{
    struct record_limits limits = record_limits;
    struct pair_params params = {.is_aes_first = true};
    struct pair p;
    if (!tls_backend_has_secrets(tls_backend_find("wolfssl"))) {
        return;
    }
    pair_up(&p, &params);
    record_limits.gcm_soft = 5;
    for (unsigned i = 0; i < 9; i++) { /* a peer with other limits */
        send_record(&p.client, RECORD_APPLICATION_DATA, SLICE_LIT("x"));
    }
    cr_expect_eq(pair_carry(&p, &p.client, &p.server), 0);
    size_t asked = buf_len(&p.server.out);
    cr_expect_eq(asked, 5 + 5 + 1 + 16, "one KeyUpdate");
    cr_expect_eq(pair_carry(&p, &p.server, &p.client), 0);
    cr_expect_eq(buf_len(&p.client.out), asked, "answered");
    record_limits = limits;
    buf_clear(&p.server.plain);
    pair_say(&p, &p.client, SLICE_LIT("new"));
    pair_say(&p, &p.server, SLICE_LIT("new"));
    cr_expect_eq(p.server.session->sides[TLS_IN].count, 1);
    pair_deinit(&p);
}

Test(tls_user, renegotiation_is_refused_and_life_goes_on)
{
    struct pair_params params = {0};
    FOR_ALL_PAIRS(params) {
        struct pair p;
        pair_up(&p, &params);
        if (is_tls13(&p)) {
            SEND(&p.server, RECORD_HANDSHAKE, hello_request);
            (void)pair_carry(&p, &p.server, &p.client);
            expect_alert(&p, &p.client, ERR_TLS_RECORD, "unexpected_message");
        } else {
            SEND(&p.server, RECORD_HANDSHAKE, hello_request);
            pair_say(&p, &p.server, SLICE_LIT("data"));
            cr_expect_eq(buf_len(&p.client.out), 5 + 2 + 16 + (strstr(
                             tls_session_peer(p.client.session)->cipher, "GCM") ? 8 : 0));
            unsigned count = 0;
            while (pair_carry(&p, &p.server, &p.client) == 0 && count < 100) {
                SEND(&p.server, RECORD_HANDSHAKE, hello_request);
                buf_clear(&p.client.out);
                count++;
            }
            cr_expect_leq(count, CONTROL_QUIET_MAX + 1);
            cr_expect_eq(p.client.err, ERR_TLS_RECORD);
        }
        pair_deinit(&p);
    }
}

static const char long_text[RECORD_PLAIN_MAX + 2];

static void forge_tls13(struct pair_end *e, unsigned kind)
{
    static const char types[] = {20, 22, 24};
    switch (kind) {
    case 12: /* 2^14 + 1 bytes */
        send_inner(e, slice_make(long_text, RECORD_PLAIN_MAX + 2));
        break;
    case 13: /* padding only */
        send_inner(e, slice_make(long_text, 100));
        break;
    case 14:
    case 15:
    case 16: /* types that may not be inside */
        send_inner(e, slice_make(&types[kind - 14], 1));
        break;
    case 17: /* data within another message */
        send_record(e, RECORD_HANDSHAKE, slice_make(key_update, 3));
        send_record(e, RECORD_APPLICATION_DATA, SLICE_LIT("data"));
        break;
    case 18: /* a KeyUpdate that is not the end of its record */
        send_record(e, RECORD_HANDSHAKE, SLICE_LIT("\x18\0\0\1\0\x18\0\0\1\0"));
        break;
    case 19: /* a KeyUpdate that asks for something else */
        send_record(e, RECORD_HANDSHAKE, SLICE_LIT("\x18\0\0\1\2"));
        break;
    default:
        break;
    }
}

/* What each of them puts on the wire, and the alert that belongs to it in TLS 1.3 and 1.2. */
static void forge(struct pair *p, unsigned kind)
{
    struct pair_end *e = &p->client;
    char text[] = {23, 3, 3, 0, 40};
    switch (kind) {
    case 0: /* a flipped bit */
        send_record(e, RECORD_APPLICATION_DATA, SLICE_LIT("text"));
        e->out.data[e->out.tail - 3] ^= 4;
        break;
    case 1: /* no encryption at all */
        buf_append(&e->out, text, sizeof(text));
        buf_append(&e->out, long_text, 40);
        break;
    case 2: /* a handshake in the clear */
        text[0] = 22;
        buf_append(&e->out, text, sizeof(text));
        buf_append(&e->out, long_text, 40);
        break;
    case 3: /* too long by its header */
        text[3] = 0x41;
        text[4] = 0x19;
        buf_append(&e->out, text, sizeof(text));
        break;
    case 4: /* too short for a tag */
        text[4] = 15;
        buf_append(&e->out, text, sizeof(text));
        break;
    case 5: /* not TLS */
        buf_put_lit(&e->out, "<iq/>");
        break;
    case 6: /* an alert of three bytes */
        send_record(e, RECORD_ALERT, SLICE_LIT("\1\0\0"));
        break;
    case 7: /* a ticket for a server */
        SEND(e, RECORD_HANDSHAKE, ticket);
        break;
    case 8: /* nobody's message */
        send_record(e, RECORD_HANDSHAKE, SLICE_LIT("\x14\0\0\1x"));
        break;
    case 9: /* twice the same record */
        send_record(e, RECORD_ALERT, slice_make("\1\x5a", 2)); /* user_canceled */
        buf_put(&e->out, buf_slice(&e->out));
        break;
    case 10: /* a gap */
        send_record(e, RECORD_APPLICATION_DATA, SLICE_LIT("lost"));
        buf_clear(&e->out);
        send_record(e, RECORD_APPLICATION_DATA, SLICE_LIT("next"));
        break;
    case 11: /* empty ones without an end */
        for (unsigned i = 0; i <= CONTROL_QUIET_MAX; i++) {
            send_record(e, RECORD_APPLICATION_DATA, SLICE_NONE);
        }
        break;
    default:
        forge_tls13(e, kind);
        break;
    }
}

Test(tls_user, every_offence_has_its_alert_and_nothing_comes_up)
{
    static const char *const alerts[][2] = {
        {"bad_record_mac", "bad_record_mac"},
        {"bad_record_mac", "bad_record_mac"},
        {"unexpected_message", "bad_record_mac"},
        {"record_overflow", "record_overflow"},
        {"bad_record_mac", "bad_record_mac"},
        {"unexpected_message", "unexpected_message"},
        {"decode_error", "decode_error"},
        {"unexpected_message", "unexpected_message"},
        {"unexpected_message", "unexpected_message"},
        {"bad_record_mac", "bad_record_mac"},
        {"bad_record_mac", "bad_record_mac"},
        {"unexpected_message", "unexpected_message"},
        {"record_overflow", NULL},
        {"unexpected_message", NULL},
        {"unexpected_message", NULL},
        {"unexpected_message", NULL},
        {"unexpected_message", NULL},
        {"unexpected_message", NULL},
        {"unexpected_message", NULL},
        {"illegal_parameter", NULL},
    };
    struct pair_params params = {0};
    FOR_ALL_PAIRS(params) {
        for (unsigned i = 0; i < ARRAY_COUNT(alerts); i++) {
            struct pair p;
            pair_up(&p, &params);
            const char *alert = alerts[i][is_tls13(&p) ? 0 : 1];
            pair_say(&p, &p.client, SLICE_LIT("hello"));
            if (alert) {
                forge(&p, i);
                (void)pair_carry(&p, &p.client, &p.server);
                expect_alert(&p, &p.server, ERR_TLS_RECORD, alert);
            }
            pair_deinit(&p);
        }
    }
}

Test(tls_user, tickets_and_key_updates_in_masses_end_the_session)
{
    struct pair_params params = {0};
    struct pair p;
    pair_up(&p, &params);
    pair_say(&p, &p.server, SLICE_LIT("x"));
    for (unsigned i = 0; i <= CONTROL_QUIET_MAX; i++) {
        SEND(&p.server, RECORD_HANDSHAKE, ticket);
    }
    (void)pair_carry(&p, &p.server, &p.client);
    expect_alert(&p, &p.client, ERR_TLS_RECORD, "unexpected_message");
    pair_deinit(&p);
    if (!tls_backend_has_secrets(tls_backend_find("wolfssl"))) {
        return;
    }
    pair_up(&p, &params);
    for (unsigned i = 0; i <= CONTROL_QUIET_MAX; i++) {
        SEND(&p.client, RECORD_HANDSHAKE, key_update_asked);
        cr_assert_eq(record_update(&p.client.session->sides[TLS_OUT]), 0);
    }
    cr_expect_eq(pair_carry(&p, &p.client, &p.server), ERR_TLS_RECORD);
    cr_expect_leq(buf_len(&p.server.out), (CONTROL_QUIET_MAX + 1) * 27u);
    (void)pair_carry(&p, &p.server, &p.client);
    const char *text = tls_session_error(p.client.session)->text;
    cr_expect(strstr(text, "unexpected_message") != NULL, "its keys are in step: %s", text);
    pair_deinit(&p);
}

Test(tls_user, wishes_between_data_are_answered_once_while_we_are_silent)
{
    struct pair_params params = {0};
    FOR_ALL_PAIRS(params) {
        struct pair p;
        pair_up(&p, &params);
        bool renews = is_tls13(&p);
        if (renews && !tls_backend_has_secrets(tls_backend_find("wolfssl"))) {
            pair_deinit(&p);
            continue;
        }
        struct pair_end *from = renews ? &p.client : &p.server;
        struct pair_end *to = renews ? &p.server : &p.client;
        size_t once = 0;
        pair_say(&p, to, SLICE_LIT("x")); /* so that it has its keys */
        for (unsigned n = 1; n <= 200; n++) {
            if (renews) {
                SEND(from, RECORD_HANDSHAKE, key_update_asked);
                cr_assert_eq(record_update(&from->session->sides[TLS_OUT]), 0);
            } else {
                SEND(from, RECORD_HANDSHAKE, hello_request);
            }
            send_record(from, RECORD_APPLICATION_DATA, SLICE_LIT("x"));
            cr_assert_eq(pair_carry(&p, from, to), 0);
            once = n == 1 ? buf_len(&to->out) : once;
        }
        cr_expect_gt(once, 0);
        cr_expect_eq(buf_len(&to->out), once, "no second answer");
        cr_expect_eq(buf_len(&to->plain), 200, "and all data");
        if (renews) {
            cr_expect_eq(pair_carry(&p, to, from), 0);
            buf_clear(&to->plain);
            buf_clear(&from->plain);
            pair_say(&p, to, SLICE_LIT("the keys are in step"));
            SEND(from, RECORD_HANDSHAKE, key_update_asked);
            cr_assert_eq(record_update(&from->session->sides[TLS_OUT]), 0);
            cr_expect_eq(pair_carry(&p, from, to), 0);
            cr_expect_eq(buf_len(&to->out), once, "the next wish");
        }
        pair_deinit(&p);
    }
}

Test(tls_user, padding_of_every_length)
{
    struct pair_params params = {0};
    struct pair p;
    pair_up(&p, &params);
    pair_say(&p, &p.client, SLICE_LIT("first"));
    for (size_t pad = 0; pad < 600; pad++) {
        char inner[700] = "payload\x17";
        send_inner(&p.client, slice_make(inner, 8 + pad));
        cr_assert_eq(pair_carry(&p, &p.client, &p.server), 0);
        cr_assert(slice_eq_cstr(buf_slice(&p.server.plain), "payload"), "%zu", pad);
        buf_clear(&p.server.plain);
    }
    pair_deinit(&p);
}

Test(tls_user, without_memory_it_ends)
{
    struct pair_params params = {0};
    FOR_ALL_PAIRS(params) {
        for (uint64_t n = 1; n < 3; n++) {
            struct pair p;
            pair_up(&p, &params);
            cr_assert_eq(tls_session_seal(p.client.session, SLICE_LIT("x"), &p.client.out), 0);
            buf_put(&p.server.in, buf_slice(&p.client.out));
            size_t used;
            pool_fail_nth(n);
            int err = pair_open(&p.server, &used);
            pool_fail_nth(0);
            cr_expect(err == ERR_NOMEM || (n > 1 && err == 0), "%s", err_name(err));
            pair_deinit(&p);
        }
    }
}
