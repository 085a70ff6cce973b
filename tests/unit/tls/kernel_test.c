/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's part of a session, with a record engine in the kernel's place: keys given away,
 * control records in both directions, new keys, counting. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/err.h"
#include "pair.h"
#include "tls/tls_int.h"

static const char *const backends[] = {"wolfssl", "mbedtls"};

/* The server's kernel. */
struct kernel {
    struct pair p;
    struct record_side side[TLS_DIRECTION_COUNT];
    bool has[TLS_DIRECTION_COUNT];
    bool is_tls13;
};

static void install(struct kernel *k, enum tls_direction direction, bool can_rekey)
{
    struct tls_session *s = k->p.server.session;
    const struct tls_keys *keys = tls_session_keys(s, direction);
    cr_assert_not_null(keys);
    if (k->has[direction]) {
        record_side_deinit(&k->side[direction]);
    }
    record_side_init(&k->side[direction], s->backend->aead, keys);
    k->has[direction] = true;
    tls_session_to_kernel(s, direction, can_rekey);
    cr_expect_eq(tls_session_path(s, direction), TLS_PATH_KERNEL);
    cr_expect_null(tls_session_keys(s, direction));
    cr_expect(!tls_session_wants_rekey(s, direction));
    static const char zeros[TLS_KEY_BYTES_MAX];
    cr_expect_eq(memcmp(s->sides[direction].keys.key, zeros, sizeof(zeros)), 0, "wiped");
    cr_expect_eq(s->sides[direction].keys.secret_len > 0,
                 can_rekey && k->is_tls13 && s->backend->has_secrets);
}

static void kernel_init(struct kernel *k, const char *backend)
{
    struct pair_params params = {
        .client_backend = backend, .server_backend = backend, .is_aes_first = true};
    *k = (struct kernel){0};
    pair_init(&k->p, &params);
    cr_assert(pair_handshake(&k->p));
    k->is_tls13 = strcmp(tls_session_peer(k->p.server.session)->version, "TLSv1.3") == 0;
}

static void kernel_deinit(struct kernel *k)
{
    record_side_deinit(&k->side[TLS_IN]);
    record_side_deinit(&k->side[TLS_OUT]);
    pair_deinit(&k->p);
}

/* Opens the next record of the client; its type. Content stays in in. */
static uint8_t receive(struct kernel *k, struct slice *content)
{
    struct pair_end *from = &k->p.client;
    struct buf *in = &k->p.server.in;
    uint8_t type = 0;
    uint8_t alert;
    buf_clear(in);
    size_t len = tls_session_record_bytes(from->session, buf_slice(&from->out));
    cr_assert_gt(len, 0);
    buf_append(in, buf_slice(&from->out).ptr, len);
    buf_consume(&from->out, len);
    cr_assert_eq(record_open(&k->side[TLS_IN], in->data + in->head, len, &type, content, &alert),
                 0);
    return type;
}

static void send_note(struct kernel *k, uint8_t type, uint8_t len)
{
    struct tls_note note;
    cr_assert(tls_session_note(k->p.server.session, &note));
    cr_assert_eq(note.type, type);
    cr_assert_eq(note.len, len);
    cr_assert_eq(record_seal(&k->side[TLS_OUT], note.type, slice_make(note.bytes, note.len), 100,
                             &k->p.server.out),
                 0);
}

static void say(struct kernel *k, const char *text)
{
    cr_assert_eq(record_seal(&k->side[TLS_OUT], RECORD_APPLICATION_DATA, slice_from_cstr(text),
                             RECORD_PLAIN_MAX, &k->p.server.out),
                 0);
    cr_assert_eq(pair_carry(&k->p, &k->p.server, &k->p.client), 0, "%s",
                 tls_session_error(k->p.client.session)->text);
    cr_expect(slice_eq_cstr(buf_slice(&k->p.client.plain), text));
    buf_clear(&k->p.client.plain);
    cr_expect_eq(tls_session_count(k->p.server.session, TLS_OUT, 1), 0);
}

static void hear(struct kernel *k, const char *text)
{
    struct slice content;
    cr_assert_eq(tls_session_seal(k->p.client.session, slice_from_cstr(text), &k->p.client.out), 0);
    cr_assert_eq(receive(k, &content), RECORD_APPLICATION_DATA);
    cr_expect(slice_eq_cstr(content, text));
    cr_expect_eq(tls_session_count(k->p.server.session, TLS_IN, 1), 0);
}

Test(tls_kernel, takes_over_one_direction_after_the_other)
{
    for (size_t b = 0; b < ARRAY_COUNT(backends); b++) {
        struct kernel k;
        kernel_init(&k, backends[b]);
        pair_say(&k.p, &k.p.client, SLICE_LIT("one"));
        pair_say(&k.p, &k.p.server, SLICE_LIT("two"));
        install(&k, TLS_OUT, true);
        say(&k, "by the kernel");
        pair_say(&k.p, &k.p.client, SLICE_LIT("still by us"));
        install(&k, TLS_IN, true);
        hear(&k, "by the kernel, too");
        struct tls_note note;
        cr_expect(!tls_session_note(k.p.server.session, &note), "nothing to say");
        tls_session_close(k.p.server.session, &k.p.server.out);
        cr_expect_eq(buf_len(&k.p.server.out), 0, "a note");
        send_note(&k, RECORD_ALERT, 2);
        cr_expect(!tls_session_note(k.p.server.session, &note));
        cr_expect_eq(pair_carry(&k.p, &k.p.server, &k.p.client), ERR_CLOSED);
        struct slice content;
        tls_session_close(k.p.client.session, &k.p.client.out);
        cr_assert_eq(receive(&k, &content), RECORD_ALERT);
        cr_expect_eq(tls_session_control(k.p.server.session, RECORD_ALERT, content), ERR_CLOSED);
        cr_expect_eq(tls_session_control(k.p.server.session, RECORD_ALERT, content), ERR_CLOSED);
        kernel_deinit(&k);
    }
}

static void update_by_client(struct kernel *k, bool is_asked)
{
    char text[] = {24, 0, 0, 1, (char)is_asked};
    struct record_side *side = &k->p.client.session->sides[TLS_OUT];
    cr_assert_eq(record_seal(side, RECORD_HANDSHAKE, slice_make(text, sizeof(text)), 100,
                             &k->p.client.out),
                 0);
    if (k->p.client.session->backend->has_secrets) {
        cr_assert_eq(record_update(side), 0);
    }
}

Test(tls_kernel, key_updates_with_a_kernel_that_can_change_keys)
{
    struct kernel k;
    struct slice content;
    struct tls_session *s;
    if (!tls_backend_has_secrets(tls_backend_find("wolfssl"))) {
        return;
    }
    kernel_init(&k, "wolfssl");
    s = k.p.server.session;
    install(&k, TLS_OUT, true);
    install(&k, TLS_IN, true);
    for (unsigned i = 0; i < 5; i++) {
        bool is_asked = i & 1u;
        update_by_client(&k, is_asked);
        cr_assert_eq(receive(&k, &content), RECORD_HANDSHAKE);
        cr_assert_eq(tls_session_control(s, RECORD_HANDSHAKE, content), 0);
        cr_assert(tls_session_wants_rekey(s, TLS_IN));
        install(&k, TLS_IN, true);
        hear(&k, "under new keys");
        cr_expect_eq(tls_session_wants_rekey(s, TLS_OUT), is_asked);
        if (is_asked) {
            say(&k, "not yet");
            send_note(&k, RECORD_HANDSHAKE, 5);
            install(&k, TLS_OUT, true);
        }
        say(&k, "and back");
    }
    kernel_deinit(&k);
}

Test(tls_kernel, key_updates_with_one_that_cannot)
{
    struct kernel k;
    struct slice content;
    kernel_init(&k, "wolfssl");
    install(&k, TLS_OUT, false);
    install(&k, TLS_IN, false);
    update_by_client(&k, true);
    cr_assert_eq(receive(&k, &content), RECORD_HANDSHAKE);
    cr_expect_eq(tls_session_control(k.p.server.session, RECORD_HANDSHAKE, content), ERR_TLS_REKEY);
    cr_expect(!tls_session_wants_rekey(k.p.server.session, TLS_OUT));
    say(&k, "the rest");
    tls_session_close(k.p.server.session, &k.p.server.out);
    send_note(&k, RECORD_ALERT, 2);
    cr_expect_eq(pair_carry(&k.p, &k.p.server, &k.p.client), ERR_CLOSED);
    kernel_deinit(&k);
}

Test(tls_kernel, bad_control_records_leave_an_alert)
{
    for (size_t b = 0; b < ARRAY_COUNT(backends); b++) {
        struct kernel k;
        struct tls_note note;
        kernel_init(&k, backends[b]);
        install(&k, TLS_OUT, true);
        install(&k, TLS_IN, true);
        cr_expect_eq(tls_session_control(k.p.server.session, RECORD_HANDSHAKE,
                                         SLICE_LIT("\x14\0\0\1x")),
                     ERR_TLS_RECORD);
        cr_assert(tls_session_note(k.p.server.session, &note));
        cr_expect_eq(note.type, RECORD_ALERT);
        cr_expect_eq(memcmp(note.bytes, "\2\x0a", 2), 0);
        cr_expect(!tls_session_note(k.p.server.session, &note));
        cr_expect_eq(tls_session_control(k.p.server.session, RECORD_ALERT, SLICE_LIT("\1\0")),
                     ERR_TLS_RECORD);
        tls_session_close(k.p.server.session, &k.p.server.out);
        cr_expect(!tls_session_note(k.p.server.session, &note), "one end is enough");
        kernel_deinit(&k);

        kernel_init(&k, backends[b]);
        install(&k, TLS_OUT, true);
        install(&k, TLS_IN, true);
        cr_expect_eq(tls_session_control(k.p.server.session, RECORD_ALERT, SLICE_LIT("\2\x28")),
                     ERR_TLS_ALERT);
        cr_expect(!tls_session_note(k.p.server.session, &note), "an alert has no answer");
        kernel_deinit(&k);
    }
}

/* The kernel hands over data without a word about what stands open. */
Test(tls_kernel, data_inside_a_message_is_refused)
{
    struct kernel k;
    kernel_init(&k, "wolfssl");
    install(&k, TLS_OUT, true);
    install(&k, TLS_IN, true);
    hear(&k, "before");
    cr_assert_eq(tls_session_control(k.p.server.session, RECORD_HANDSHAKE,
                                     slice_make("\x18\0", 2)),
                 0, "half a KeyUpdate");
    cr_expect_eq(tls_session_count(k.p.server.session, TLS_IN, 1), ERR_TLS_RECORD);
    struct tls_note note;
    cr_assert(tls_session_note(k.p.server.session, &note));
    cr_expect_eq(note.type, RECORD_ALERT);
    cr_expect_eq(note.bytes[1], TLS_ALERT_UNEXPECTED_MESSAGE);
    kernel_deinit(&k);
}

Test(tls_kernel, what_we_open_is_answered_by_way_of_the_kernel)
{
    struct kernel k;
    struct slice content;
    kernel_init(&k, "mbedtls"); /* TLS 1.2 */
    install(&k, TLS_OUT, true);
    cr_assert_eq(record_seal(&k.p.client.session->sides[TLS_OUT], RECORD_HANDSHAKE,
                             SLICE_LIT("\1\0\0\2hi"), 100, &k.p.client.out),
                 0);
    cr_expect_eq(pair_carry(&k.p, &k.p.client, &k.p.server), 0);
    cr_expect_eq(buf_len(&k.p.server.out), 0);
    send_note(&k, RECORD_ALERT, 2);
    cr_expect_eq(pair_carry(&k.p, &k.p.server, &k.p.client), ERR_TLS_ALERT);
    cr_expect(strstr(tls_session_error(k.p.client.session)->text, "no_renegotiation") != NULL);
    kernel_deinit(&k);
    /* The other way round: what the kernel opens is answered with the next records of ours. */
    kernel_init(&k, "mbedtls");
    install(&k, TLS_IN, true);
    cr_assert_eq(record_seal(&k.p.client.session->sides[TLS_OUT], RECORD_HANDSHAKE,
                             SLICE_LIT("\1\0\0\2hi"), 100, &k.p.client.out),
                 0);
    cr_assert_eq(receive(&k, &content), RECORD_HANDSHAKE);
    cr_expect_eq(tls_session_control(k.p.server.session, RECORD_HANDSHAKE, content), 0);
    cr_expect_eq(tls_session_seal(k.p.server.session, SLICE_NONE, &k.p.server.out), 0);
    cr_expect_gt(buf_len(&k.p.server.out), 0);
    cr_expect_eq(pair_carry(&k.p, &k.p.server, &k.p.client), ERR_TLS_ALERT);
    kernel_deinit(&k);
}

/* Its input is still ours: the end is an orderly one. */
Test(tls_kernel, a_kernel_that_takes_no_new_keys_ends_in_order)
{
    struct kernel k;
    kernel_init(&k, "wolfssl");
    install(&k, TLS_OUT, false);
    struct tls_session *s = k.p.server.session;
    if (s->backend->has_secrets) {
        cr_assert_eq(record_seal(&k.p.client.session->sides[TLS_OUT], RECORD_HANDSHAKE,
                                 slice_make("\x18\0\0\1\1", 5), 100, &k.p.client.out),
                     0);
        cr_expect_eq(pair_carry(&k.p, &k.p.client, &k.p.server), ERR_TLS_REKEY);
        tls_session_close(s, &k.p.server.out);
        send_note(&k, RECORD_ALERT, 2);
        cr_expect_eq(pair_carry(&k.p, &k.p.server, &k.p.client), ERR_CLOSED);
    }
    kernel_deinit(&k);
}

/* The kernel would go on: the session says when to stop, and a farewell is still possible. */
Test(tls_kernel, its_records_have_a_hard_end)
{
    struct record_limits limits = record_limits;
    record_limits = (struct record_limits){.gcm_soft = 1000, .gcm_hard = 2000};
    for (size_t b = 0; b < ARRAY_COUNT(backends); b++) {
        for (int can_rekey = 0; can_rekey < 2; can_rekey++) {
            struct kernel k;
            struct tls_session *s;
            kernel_init(&k, backends[b]);
            s = k.p.server.session;
            install(&k, TLS_OUT, can_rekey);
            install(&k, TLS_IN, can_rekey);
            bool renews = can_rekey && k.is_tls13 && s->backend->has_secrets;
            uint64_t had = s->sides[TLS_OUT].count;
            cr_expect_eq(tls_session_count(s, TLS_OUT, 1999 - had), 0);
            cr_expect_eq(tls_session_count(s, TLS_IN, 5000), 0, "the peer's to keep");
            cr_expect_eq(tls_session_wants_rekey(s, TLS_OUT), renews);
            cr_expect_eq(tls_session_count(s, TLS_OUT, 1), renews ? 0 : ERR_TLS_WORN);
            cr_expect_eq(tls_session_count(s, TLS_OUT, 0), 0);
            if (!renews) {
                tls_session_close(s, &k.p.server.out);
                send_note(&k, RECORD_ALERT, 2);
                cr_expect_eq(pair_carry(&k.p, &k.p.server, &k.p.client), ERR_CLOSED);
            }
            kernel_deinit(&k);
        }
    }
    record_limits = limits;
}

Test(tls_kernel, its_records_wear_the_keys_too)
{
    struct record_limits limits = record_limits;
    record_limits.gcm_soft = 1000;
    for (size_t b = 0; b < ARRAY_COUNT(backends); b++) {
        for (int can_rekey = 0; can_rekey < 2; can_rekey++) {
            struct kernel k;
            struct tls_session *s;
            kernel_init(&k, backends[b]);
            s = k.p.server.session;
            bool renews = can_rekey && k.is_tls13 && s->backend->has_secrets;
            install(&k, TLS_OUT, can_rekey);
            install(&k, TLS_IN, can_rekey);
            tls_session_count(s, TLS_OUT, 998);
            cr_expect(!tls_session_is_worn(s) && !tls_session_wants_rekey(s, TLS_OUT));
            tls_session_count(s, TLS_OUT, 2);
            cr_expect_eq(tls_session_is_worn(s), !renews);
            cr_expect_eq(tls_session_wants_rekey(s, TLS_OUT), renews);
            if (renews) {
                send_note(&k, RECORD_HANDSHAKE, 5);
                install(&k, TLS_OUT, true);
                say(&k, "under new keys");
                tls_session_count(s, TLS_IN, 1000); /* and the peer is asked */
                cr_expect(tls_session_wants_rekey(s, TLS_OUT));
                send_note(&k, RECORD_HANDSHAKE, 5);
                install(&k, TLS_OUT, true);
                tls_session_count(s, TLS_IN, 1);
                cr_expect(!tls_session_wants_rekey(s, TLS_OUT), "once");
                cr_expect_eq(pair_carry(&k.p, &k.p.server, &k.p.client), 0);
                cr_expect_gt(buf_len(&k.p.client.out), 0, "it follows");
            }
            kernel_deinit(&k);
        }
    }
    record_limits = limits;
}
