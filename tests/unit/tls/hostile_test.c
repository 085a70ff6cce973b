/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a bad peer or a bad wire sends: garbage, cuts, flips, replays, floods. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/err.h"
#include "base/pool.h"
#include "pair.h"
#include "tls/tls_int.h"

static const char *const backends[] = {"wolfssl", "mbedtls"};

static struct pair_end *pair_of(struct pair *p, const char *backend, enum tls_role role)
{
    struct pair_params params = {.client_backend = backend, .server_backend = backend};
    pair_init(p, &params);
    return role == TLS_ROLE_CLIENT ? &p->client : &p->server;
}

/* Feeds bytes to a fresh session; what it then says. */
static enum tls_step feed(struct pair_end *e, struct slice bytes)
{
    size_t used;
    if (tls_session_handshake(e->session, SLICE_NONE, &used, &e->out) == TLS_STEP_BAD) {
        return TLS_STEP_BAD;
    }
    return tls_session_handshake(e->session, bytes, &used, &e->out);
}

Test(tls_hostile, plaintext_instead_of_tls)
{
    static const char *const texts[] = {
        "<?xml version='1.0'?><stream:stream xmlns='jabber:server'>",
        "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "OPTIONS sip:a.test SIP/2.0\r\nVia: SIP/2.0/TCP a.test\r\n\r\n",
    };
    for (size_t b = 0; b < ARRAY_COUNT(backends) * 2; b++) {
        enum tls_role role = b & 1u ? TLS_ROLE_SERVER : TLS_ROLE_CLIENT;
        for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
            struct pair p;
            struct pair_end *e = pair_of(&p, backends[b >> 1], role);
            cr_expect_eq(feed(e, slice_from_cstr(texts[i])), TLS_STEP_BAD);
            const struct tls_error *error = tls_session_error(e->session);
            cr_expect_eq(error->err, ERR_TLS_HANDSHAKE);
            cr_expect_str_eq(error->text, "what the peer sent is not TLS");
            size_t used;
            cr_expect_eq(tls_session_handshake(e->session, SLICE_LIT("x"), &used, &e->out),
                         TLS_STEP_BAD, "stays bad");
            pair_deinit(&p);
        }
    }
}

Test(tls_hostile, random_garbage_ends_the_handshake, .timeout = 60)
{
    struct pair dice = {.dice = 4711};
    for (unsigned round = 0; round < 400; round++) {
        struct pair p;
        struct pair_end *e = pair_of(&p, backends[round & 1u], (enum tls_role)(round >> 1 & 1u));
        char bytes[2000];
        for (size_t i = 0; i < sizeof(bytes); i++) {
            bytes[i] = (char)pair_dice(&dice);
        }
        if (round & 4u) {
            /* A record header that fits, so that the handshake layer gets it. */
            memcpy(bytes, "\x16\x03\x03\x07\xcb", 5);
        }
        cr_expect_eq(feed(e, slice_make(bytes, sizeof(bytes))), TLS_STEP_BAD, "round %u", round);
        pair_deinit(&p);
    }
}

/* Records that the library would read for ever: the peer is told, and no more is read. */
Test(tls_hostile, records_that_are_no_handshake_have_an_end)
{
    const struct {
        struct slice record;
        bool is_ours; /* the libraries read them with patience */
    } floods[] = {
        {SLICE_LIT("\x15\x03\x03\0\x02\x01\x5a"), true},  /* warning user_canceled */
        {SLICE_LIT("\x14\x03\x03\0\x01\x01"), false},     /* change_cipher_spec */
        {SLICE_LIT("\x16\x03\x03\0\0"), false},           /* nothing of a handshake */
        {SLICE_LIT("\x16\x03\x03\0\x04\0\0\0\0"), false}, /* HelloRequest */
    };
    for (size_t b = 0; b < ARRAY_COUNT(backends) * 2; b++) {
        enum tls_role role = b & 1u ? TLS_ROLE_SERVER : TLS_ROLE_CLIENT;
        for (size_t i = 0; i < ARRAY_COUNT(floods); i++) {
            struct pair p;
            struct buf flood;
            struct pair_end *e = pair_of(&p, backends[b >> 1], role);
            buf_init(&flood, 1u << 20);
            while (buf_len(&flood) < TLS_SHAKE_BYTES_MAX + 65536) {
                buf_put(&flood, floods[i].record);
            }
            cr_expect_eq(feed(e, buf_slice(&flood)), TLS_STEP_BAD, "%s %d, flood %zu",
                         backends[b >> 1], (int)role, i);
            cr_expect_eq(tls_session_error(e->session)->err, ERR_TLS_HANDSHAKE);
            if (floods[i].is_ours && b == 2) {
                struct slice out = buf_slice(&e->out);
                cr_expect(out.len > 7 && memcmp(out.ptr + out.len - 7,
                                                "\x15\x03\x03\0\x02\x02\x0a", 7) == 0);
                cr_expect(strstr(tls_session_error(e->session)->text, "more than") != NULL);
            }
            buf_deinit(&flood);
            pair_deinit(&p);
        }
    }
}

/* A changed bit in the ClientHello must not go unnoticed by both. */
Test(tls_hostile, flipped_handshake_bytes, .timeout = 100)
{
    struct pair dice = {.dice = 99};
    for (unsigned round = 0; round < 300; round++) {
        struct pair_params params = {.client_backend = backends[round & 1u],
                                     .server_backend = backends[round >> 1 & 1u]};
        struct pair p;
        pair_init(&p, &params);
        size_t used;
        (void)tls_session_handshake(p.client.session, SLICE_NONE, &used, &p.client.out);
        struct slice hello = buf_slice(&p.client.out);
        /* The record header is not part of what Finished protects. */
        char *at = (char *)(uintptr_t)hello.ptr + 5 + pair_dice(&dice) % (hello.len - 5);
        *at = (char)(*at ^ (char)(1u << pair_dice(&dice) % 8));
        cr_expect(!pair_handshake(&p), "round %u", round);
        pair_deinit(&p);
    }
}

Test(tls_hostile, flipped_records_are_refused, .timeout = 60)
{
    for (unsigned combo = 0; combo < 4; combo++) {
        struct pair_params params = {.client_backend = backends[combo & 1u],
                                     .server_backend = backends[combo >> 1]};
        for (size_t i = 0; i < 60; i += 3) {
            struct pair p;
            pair_init(&p, &params);
            cr_assert(pair_handshake(&p));
            pair_say(&p, &p.client, SLICE_LIT("before"));
            struct slice text = SLICE_LIT("a stanza that must arrive as it is or not at all");
            cr_assert_eq(tls_session_seal(p.client.session, text, &p.client.out), 0);
            struct slice record = buf_slice(&p.client.out);
            if (i == 3) {
                i++; /* the length: makes the record longer, see truncation */
            }
            char *at = (char *)(uintptr_t)record.ptr + i % record.len;
            *at = (char)(*at ^ 1);
            int err = pair_carry(&p, &p.client, &p.server);
            bool waits = err == 0 && buf_len(&p.server.plain) == 0; /* length byte: more wanted */
            cr_expect(err == ERR_TLS_RECORD || waits, "byte %zu: %s", i, err_name(err));
            cr_expect(!waits || i == 4 || i == 3, "byte %zu", i);
            cr_expect_eq(buf_len(&p.server.plain), 0);
            if (err != 0) {
                size_t used;
                buf_put(&p.server.in, text);
                cr_expect_eq(pair_open(&p.server, &used), ERR_TLS_RECORD, "stays broken");
                cr_expect_eq(tls_session_seal(p.server.session, text, &p.server.out),
                             ERR_TLS_RECORD);
            }
            pair_deinit(&p);
        }
    }
}

Test(tls_hostile, replayed_and_reordered_records)
{
    for (unsigned combo = 0; combo < 4; combo++) {
        struct pair_params params = {.client_backend = backends[combo & 1u],
                                     .server_backend = backends[combo >> 1]};
        struct pair p;
        pair_init(&p, &params);
        cr_assert(pair_handshake(&p));
        cr_assert_eq(tls_session_seal(p.client.session, SLICE_LIT("once"), &p.client.out), 0);
        buf_put(&p.client.out, buf_slice(&p.client.out));
        cr_expect_eq(pair_carry(&p, &p.client, &p.server), ERR_TLS_RECORD);
        cr_expect(slice_eq_cstr(buf_slice(&p.server.plain), "once"));
        pair_deinit(&p);

        pair_init(&p, &params);
        cr_assert(pair_handshake(&p));
        cr_assert_eq(tls_session_seal(p.client.session, SLICE_LIT("lost"), &p.client.out), 0);
        buf_clear(&p.client.out);
        cr_assert_eq(tls_session_seal(p.client.session, SLICE_LIT("next"), &p.client.out), 0);
        cr_expect_eq(pair_carry(&p, &p.client, &p.server), ERR_TLS_RECORD);
        cr_expect_eq(buf_len(&p.server.plain), 0);
        pair_deinit(&p);
    }
}

Test(tls_hostile, oversized_and_plain_records_after_the_handshake)
{
    static const struct {
        const char *head;
        size_t body;
    } cases[] = {
        {"\x17\x03\x03\xff\xff", 65535}, {"\x17\x03\x03\x48\x01", 18433},
        {"\x16\x03\x03\x00\x04", 4},     {"<iq/>", 100},
    };
    static char body[65536];
    for (size_t b = 0; b < ARRAY_COUNT(backends); b++) {
        for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
            struct pair_params params = {.client_backend = backends[b],
                                         .server_backend = backends[b]};
            struct pair p;
            pair_init(&p, &params);
            cr_assert(pair_handshake(&p));
            buf_append(&p.client.out, cases[i].head, 5);
            buf_append(&p.client.out, body, cases[i].body);
            int err = pair_carry(&p, &p.client, &p.server);
            cr_expect_eq(err, ERR_TLS_RECORD, "%s, case %zu: %s", backends[b], i, err_name(err));
            cr_expect_eq(buf_len(&p.server.plain), 0);
            pair_deinit(&p);
        }
    }
}

Test(tls_hostile, cut_at_every_place_waits_without_data, .timeout = 60)
{
    for (unsigned combo = 0; combo < 4; combo++) {
        struct pair_params params = {.client_backend = backends[combo & 1u],
                                     .server_backend = backends[combo >> 1]};
        struct pair p;
        pair_init(&p, &params);
        cr_assert(pair_handshake(&p));
        (void)pair_carry(&p, &p.client, &p.server);
        cr_assert_eq(tls_session_seal(p.client.session, SLICE_LIT("whole"), &p.client.out), 0);
        struct slice wire = buf_slice(&p.client.out);
        for (size_t i = 0; i < wire.len; i++) {
            size_t used;
            cr_expect_eq(buf_len(&p.server.plain), 0);
            buf_append(&p.server.in, wire.ptr + i, 1);
            cr_expect_eq(pair_open(&p.server, &used), 0);
            cr_expect_eq(used, i + 1 < wire.len ? 0 : wire.len);
        }
        cr_expect(slice_eq_cstr(buf_slice(&p.server.plain), "whole"));
        pair_deinit(&p);
    }
}

/* A client that waits for tickets has its first records read by the library. */
Test(tls_hostile, while_the_library_has_the_keys)
{
    static const char plain[] = {23, 3, 3, 0, 40};
    static const char handshake[] = {22, 3, 3, 0, 40};
    static const char zeros[40];
    struct pair_params params = {.has_tickets = true, .may_resume = true};
    for (int i = 0; i < 6; i++) {
        struct pair p;
        pair_init(&p, &params);
        cr_assert(pair_handshake(&p));
        (void)pair_carry(&p, &p.client, &p.server);
        (void)pair_carry(&p, &p.server, &p.client);
        cr_assert_eq(tls_session_path(p.client.session, TLS_IN), TLS_PATH_LIBRARY);
        struct buf *wire = &p.server.out;
        if (i == 0) {
            buf_put_lit(wire, "<iq/>");
        } else if (i == 1 || i == 2) {
            buf_append(wire, i == 1 ? plain : handshake, sizeof(plain));
            buf_append(wire, zeros, sizeof(zeros));
        } else if (i == 3) {
            buf_put_lit(wire, "\x17\x03\x03\xff\xff");
        } else {
            cr_assert_eq(tls_session_seal(p.server.session, SLICE_LIT("text"), wire), 0);
            if (i == 4) {
                wire->data[wire->tail - 3] ^= 1;
            } else { /* a gap */
                buf_clear(wire);
                cr_assert_eq(tls_session_seal(p.server.session, SLICE_LIT("next"), wire), 0);
            }
        }
        cr_expect_eq(pair_carry(&p, &p.server, &p.client), ERR_TLS_RECORD, "%d: %s", i,
                     tls_session_error(p.client.session)->text);
        cr_expect_eq(buf_len(&p.client.plain), 0);
        cr_expect_eq(pair_carry(&p, &p.client, &p.server), ERR_TLS_ALERT, "%d: %s", i,
                     tls_session_error(p.server.session)->text);
        pair_deinit(&p);
    }
}

Test(tls_hostile, pools_that_run_dry_fail_cleanly)
{
    for (size_t b = 0; b < ARRAY_COUNT(backends); b++) {
        struct tls_context *ctx = pair_context(backends[b], "good", "trust");
        for (uint64_t n = 1; n < 4; n++) {
            struct tls_session *s;
            struct tls_session_params params = {.credential_idx = UINT32_MAX};
            pool_fail_nth(n);
            int err = tls_session_new(&s, ctx, &params);
            pool_fail_nth(0);
            cr_expect(err == 0 || (err == ERR_NOMEM && !s));
            cr_expect(n > 1 || err == ERR_NOMEM);
            tls_session_free(s);
        }
        tls_context_unref(ctx);
    }
}
