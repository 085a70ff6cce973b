/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record: what a peer, or one on the way, may do to records. Nothing of a bad one comes out. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/err.h"
#include "record_kit.h"

static char text[RECORD_PLAIN_MAX + 300];

#define FOR_EACH_CASE(k, first)                                                                    \
    for (uint32_t case_idx = (first);                                                              \
         case_idx < KIT_CASES && (kit_init(k, case_idx), true); kit_deinit(k), case_idx++)
#define TLS13_FIRST 6u

static void expect_refused(struct kit *k, struct slice bytes, int want_alert)
{
    uint8_t type;
    uint8_t alert;
    struct slice plain;
    uint64_t seq = k->to.keys.seq;
    int err = kit_open(k, bytes, &type, &plain, &alert);
    cr_assert_eq(err, ERR_TLS_RECORD, "%s case: %d", k->name, err);
    cr_assert(plain.ptr == NULL && plain.len == 0);
    if (want_alert >= 0) {
        cr_assert_eq(alert, want_alert, "%s: alert %d, not %d", k->name, alert, want_alert);
    }
    k->to.keys.seq = seq; /* on with the next attempt, as a new connection would */
}

static void expect_opened(struct kit *k, struct slice bytes, uint8_t want_type, struct slice want)
{
    uint8_t type;
    uint8_t alert;
    struct slice plain;
    int err = kit_open(k, bytes, &type, &plain, &alert);
    cr_assert_eq(err, 0, "%s: alert %d", k->name, alert);
    cr_assert_eq(type, want_type);
    cr_assert(slice_eq(plain, want));
}

Test(record_hostile, every_flipped_bit_is_found)
{
    struct kit k;
    kit_fill(text, sizeof(text), 1);
    FOR_EACH_CASE(&k, 0)
    {
        for (size_t len = 0; len <= 40; len += 20) {
            char bytes[128];
            kit_seal(&k, 23, slice_make(text, len));
            struct slice wire = buf_slice(&k.wire);
            for (size_t bit = 0; bit < wire.len * 8; bit++) {
                if (bit / 8 == 3 || bit / 8 == 4) {
                    continue; /* the length: below, it moves the border */
                }
                memcpy(bytes, wire.ptr, wire.len);
                bytes[bit / 8] ^= (char)(1 << bit % 8);
                expect_refused(&k, slice_make(bytes, wire.len), bit < 24 ? -1 : 20);
            }
            expect_opened(&k, wire, 23, slice_make(text, len));
            buf_clear(&k.wire);
        }
    }
}

Test(record_hostile, every_other_length_is_found)
{
    static char bytes[RECORD_HEADER_BYTES + RECORD_BODY_MAX];
    struct kit k;
    FOR_EACH_CASE(&k, 0)
    {
        kit_seal(&k, 23, SLICE_LIT("some text"));
        struct slice wire = buf_slice(&k.wire);
        for (size_t body = 0; body <= UINT16_MAX; body++) {
            if (body == wire.len - RECORD_HEADER_BYTES) {
                continue;
            }
            size_t need;
            uint8_t alert = 255;
            memset(bytes, 0, wire.len + 64);
            memcpy(bytes, wire.ptr, wire.len);
            bytes[3] = (char)(body >> 8);
            bytes[4] = (char)body;
            int err = record_need(&k.to, slice_make(bytes, RECORD_HEADER_BYTES), &need, &alert);
            size_t extra = k.from.keys.version == TLS_VERSION_1_3            ? 17
                           : k.from.keys.cipher == TLS_CIPHER_CHACHA20_POLY1305 ? 16
                                                                                : 24;
            size_t least = extra == 17 ? 16 : extra;
            if (body < least || body > RECORD_PLAIN_MAX + extra) {
                cr_assert_eq(err, ERR_TLS_RECORD);
                cr_assert_eq(alert, body < least ? TLS_ALERT_BAD_RECORD_MAC
                                                 : TLS_ALERT_RECORD_OVERFLOW);
                cr_assert_eq(need, 0);
            } else {
                cr_assert_eq(err, 0);
                cr_assert_eq(need, RECORD_HEADER_BYTES + body);
                if (body < 100 || body % 1021 == 0) {
                    expect_refused(&k, slice_make(bytes, sizeof(bytes)), 20);
                }
            }
        }
        expect_opened(&k, wire, 23, SLICE_LIT("some text"));
    }
}

Test(record_hostile, other_outer_types_and_versions)
{
    struct kit k;
    FOR_EACH_CASE(&k, 0)
    {
        bool is_tls13 = k.from.keys.version == TLS_VERSION_1_3;
        char bytes[64];
        kit_seal(&k, 23, SLICE_LIT("abc"));
        struct slice wire = buf_slice(&k.wire);
        for (int type = 0; type < 256; type++) {
            memcpy(bytes, wire.ptr, wire.len);
            bytes[0] = (char)type;
            if (type != 23) {
                bool is_known = !is_tls13 && type >= 20 && type <= 23;
                expect_refused(&k, slice_make(bytes, wire.len),
                               is_known ? TLS_ALERT_BAD_RECORD_MAC : TLS_ALERT_UNEXPECTED_MESSAGE);
            }
        }
        for (int version = 0; version < 65536; version += version == 0x0302 ? 2 : 1) {
            memcpy(bytes, wire.ptr, wire.len);
            bytes[1] = (char)(version >> 8);
            bytes[2] = (char)version;
            expect_refused(&k, slice_make(bytes, wire.len),
                           is_tls13 ? TLS_ALERT_BAD_RECORD_MAC : TLS_ALERT_PROTOCOL_VERSION);
        }
        expect_opened(&k, wire, 23, SLICE_LIT("abc"));
    }
}

/* Opening looks at the header itself, too. */
Test(record_hostile, a_header_is_refused_by_open)
{
    struct kit k;
    FOR_EACH_CASE(&k, 0)
    {
        char bytes[] = "\x80\3\3\0\x20" "0123456789abcdef0123456789abcdef";
        uint8_t type;
        uint8_t alert;
        struct slice plain;
        cr_assert_eq(record_open(&k.to, bytes, sizeof(bytes) - 1, &type, &plain, &alert),
                     ERR_TLS_RECORD);
        cr_assert_eq(alert, TLS_ALERT_UNEXPECTED_MESSAGE);
        cr_assert_eq(k.to.keys.seq, 0);
    }
}

/* What a middlebox, or an attacker before the handshake's end, writes in the clear. */
Test(record_hostile, plaintext_is_not_taken)
{
    static const char *const hex[] = {"140303000101", "15030300020100", "150303000202 28",
                                      "16030300040e000000", "474554202f20485454502f312e31"};
    struct kit k;
    FOR_EACH_CASE(&k, TLS13_FIRST)
    {
        for (size_t i = 0; i < ARRAY_COUNT(hex); i++) {
            expect_refused(&k, kit_hex(hex[i]), TLS_ALERT_UNEXPECTED_MESSAGE);
        }
    }
    FOR_EACH_CASE(&k, 0)
    {
        for (size_t i = 0; i < ARRAY_COUNT(hex); i++) {
            expect_refused(&k, kit_hex(hex[i]), -1);
        }
        expect_refused(&k, SLICE_LIT("\x17\3\3\0\5hello"), TLS_ALERT_BAD_RECORD_MAC);
    }
}

Test(record_hostile, no_record_twice_or_out_of_order)
{
    struct kit k;
    FOR_EACH_CASE(&k, 0)
    {
        size_t at[5];
        for (size_t i = 0; i < 5; i++) {
            at[i] = buf_len(&k.wire);
            kit_seal(&k, 23, slice_make(text + i, 30));
        }
        struct slice wire = buf_slice(&k.wire);
        for (size_t next = 0; next < 5; next++) {
            for (size_t i = 0; i < 5; i++) {
                if (i != next) {
                    expect_refused(&k, slice_from(wire, at[i]), TLS_ALERT_BAD_RECORD_MAC);
                }
            }
            expect_opened(&k, slice_from(wire, at[next]), 23, slice_make(text + next, 30));
        }
    }
}

/* TLS 1.2 GCM: the nonce comes with the record; the number counted here is what protects. */
Test(record_hostile, the_explicit_nonce_is_the_peers_choice)
{
    struct kit k;
    for (uint32_t i = 0; i < 4; i++) {
        kit_init(&k, i);
        struct tls_aead *aead =
            k.from.ops->create((enum tls_cipher)k.from.keys.cipher, k.from.keys.key);
        struct slice record_head = kit_hex("17030300 1b c0ffee0000c0ffee");
        struct tls_aead_head head = {.ad = kit_hex("0000000000000000 170303 0003")};
        char bytes[5 + 8 + 3 + 16];
        memcpy(head.nonce, k.from.keys.iv, 4);
        memcpy(head.nonce + 4, record_head.ptr + 5, 8);
        memcpy(bytes, record_head.ptr, record_head.len);
        cr_assert_eq(k.from.ops->seal(aead, &head, SLICE_LIT("abc"), SLICE_NONE, bytes + 13), 0);
        expect_opened(&k, slice_make(bytes, sizeof(bytes)), 23, SLICE_LIT("abc"));
        expect_refused(&k, slice_make(bytes, sizeof(bytes)), TLS_ALERT_BAD_RECORD_MAC);
        k.from.ops->destroy(aead);
        kit_deinit(&k);
    }
}

Test(record_hostile, padding_of_all_kinds)
{
    static const size_t paddings[] = {0, 1, 7, 8, 9, 15, 16, 17, 255, 256, 4095, 16383};
    static char inner[RECORD_PLAIN_MAX + 1];
    struct kit k;
    FOR_EACH_CASE(&k, TLS13_FIRST)
    {
        for (size_t i = 0; i < ARRAY_COUNT(paddings); i++) {
            for (size_t len = 0; len < 20 && len + 1 + paddings[i] <= sizeof(inner); len++) {
                memset(inner, 0, sizeof(inner));
                memset(inner, len % 2 == 0 ? 'x' : 0, len); /* text that looks like padding */
                inner[len] = 23;
                kit_seal_inner(&k, slice_make(inner, len + 1 + paddings[i]));
                expect_opened(&k, buf_slice(&k.wire), 23, slice_make(inner, len));
                buf_clear(&k.wire);
            }
        }
    }
}

Test(record_hostile, inner_plaintext_that_is_none)
{
    static char inner[RECORD_PLAIN_MAX + 1];
    struct kit k;
    FOR_EACH_CASE(&k, TLS13_FIRST)
    {
        static const size_t zeros[] = {0, 1, 7, 8, 9, 100, RECORD_PLAIN_MAX + 1};
        memset(inner, 0, sizeof(inner));
        for (size_t i = 0; i < ARRAY_COUNT(zeros); i++) { /* padding and no type */
            k.from.keys.seq = 0;
            kit_seal_inner(&k, slice_make(inner, zeros[i]));
            expect_refused(&k, buf_slice(&k.wire), TLS_ALERT_UNEXPECTED_MESSAGE);
            buf_clear(&k.wire);
        }
        for (int type = 1; type < 256; type++) {
            k.from.keys.seq = 0;
            inner[0] = 'x';
            inner[1] = (char)type;
            kit_seal_inner(&k, slice_make(inner, 2));
            if (type >= 21 && type <= 23) {
                expect_opened(&k, buf_slice(&k.wire), (uint8_t)type, SLICE_LIT("x"));
                k.to.keys.seq = 0;
            } else {
                expect_refused(&k, buf_slice(&k.wire), TLS_ALERT_UNEXPECTED_MESSAGE);
            }
            buf_clear(&k.wire);
        }
    }
}

Test(record_hostile, only_application_data_may_be_empty)
{
    struct kit k;
    FOR_EACH_CASE(&k, 0)
    {
        kit_seal(&k, 23, SLICE_NONE);
        expect_opened(&k, buf_slice(&k.wire), 23, SLICE_NONE);
        buf_clear(&k.wire);
        if (k.from.keys.version == TLS_VERSION_1_3) {
            kit_seal_inner(&k, SLICE_LIT("\x15"));
            expect_refused(&k, buf_slice(&k.wire), TLS_ALERT_UNEXPECTED_MESSAGE);
            k.to.keys.seq++;
            buf_clear(&k.wire);
            kit_seal_inner(&k, SLICE_LIT("\x16\0\0"));
            expect_refused(&k, buf_slice(&k.wire), TLS_ALERT_UNEXPECTED_MESSAGE);
        }
    }
}

Test(record_hostile, the_largest_record_and_one_byte_more)
{
    static char inner[RECORD_PLAIN_MAX + 256];
    struct kit k;
    FOR_EACH_CASE(&k, TLS13_FIRST)
    {
        memset(inner, 'x', sizeof(inner));
        inner[RECORD_PLAIN_MAX] = 23;
        kit_seal_inner(&k, slice_make(inner, RECORD_PLAIN_MAX + 1));
        expect_opened(&k, buf_slice(&k.wire), 23, slice_make(inner, RECORD_PLAIN_MAX));
        buf_clear(&k.wire);
        for (size_t more = 1; more <= 256 - 17; more += 17) {
            memset(inner + RECORD_PLAIN_MAX, 'x', 256);
            inner[RECORD_PLAIN_MAX + more] = 23;
            kit_seal_inner(&k, slice_make(inner, RECORD_PLAIN_MAX + more + 1));
            expect_refused(&k, buf_slice(&k.wire), TLS_ALERT_RECORD_OVERFLOW);
            buf_clear(&k.wire);
        }
    }
}

Test(record_hostile, cut_records_wait_and_stolen_bytes_show)
{
    struct kit k;
    FOR_EACH_CASE(&k, 0)
    {
        kit_seal(&k, 23, SLICE_LIT("first"));
        size_t first = buf_len(&k.wire);
        kit_seal(&k, 23, SLICE_LIT("second"));
        struct slice wire = buf_slice(&k.wire);
        for (size_t gone = 1; gone < first; gone++) { /* the border is lost */
            char bytes[256];
            memcpy(bytes, wire.ptr, first - gone);
            memcpy(bytes + first - gone, wire.ptr + first, wire.len - first);
            struct slice rest = slice_make(bytes, wire.len - gone);
            size_t need;
            uint8_t alert;
            if (record_need(&k.to, rest, &need, &alert) == 0 && need <= rest.len) {
                expect_refused(&k, rest, TLS_ALERT_BAD_RECORD_MAC);
            }
        }
        expect_opened(&k, wire, 23, SLICE_LIT("first"));
        expect_opened(&k, slice_from(wire, first), 23, SLICE_LIT("second"));
    }
}

/* The bytes themselves, not only the answer. */
Test(record_hostile, nothing_of_a_bad_record_is_left)
{
    struct kit k;
    memset(text, 'S', sizeof(text));
    FOR_EACH_CASE(&k, 0)
    {
        for (size_t len = 20; len <= 16384; len += 5455) {
            kit_seal(&k, 23, slice_make(text, len));
            char *bytes = buf_reserve(&k.wire, 0);
            size_t wire_len = buf_len(&k.wire);
            bytes -= wire_len;
            bytes[wire_len - 1] ^= 1;
            uint8_t type;
            uint8_t alert;
            struct slice plain;
            cr_assert_eq(record_open(&k.to, bytes, wire_len, &type, &plain, &alert),
                         ERR_TLS_RECORD);
            size_t same = 0;
            for (size_t i = RECORD_HEADER_BYTES; i < wire_len; i++) {
                same += bytes[i] == 'S';
            }
            cr_assert_leq(same, 2); /* of the tag or the explicit nonce */
            buf_clear(&k.wire);
            k.to.keys.seq = k.from.keys.seq;
        }
    }
}
