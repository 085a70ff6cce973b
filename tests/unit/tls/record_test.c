/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record: what is sealed comes out, in one piece or many; limits; keys that rest. Every test runs
 * for both libraries, both versions and all ciphers.                                           */
#include <criterion/criterion.h>
#include <string.h>

#include "base/err.h"
#include "base/pool.h"
#include "record_kit.h"

static char text[100000];

#define FOR_EACH_CASE(k)                                                                           \
    for (uint32_t case_idx = 0; case_idx < KIT_CASES && (kit_init(k, case_idx), true);             \
         kit_deinit(k), case_idx++)

static size_t overhead_of(const struct kit *k)
{
    if (k->from.keys.version == TLS_VERSION_1_3) {
        return 5 + 1 + 16;
    }
    return k->from.keys.cipher == TLS_CIPHER_CHACHA20_POLY1305 ? 5 + 16 : 5 + 8 + 16;
}

/* Opens all that is on the wire; true when it is plain, in order, as records of type. */
static void expect_on_wire(struct kit *k, uint8_t want_type, struct slice want)
{
    while (buf_len(&k->wire) > 0) {
        uint8_t type;
        uint8_t alert;
        size_t need;
        struct slice plain;
        cr_assert_eq(record_need(&k->to, buf_slice(&k->wire), &need, &alert), 0);
        int err = kit_open(k, buf_slice(&k->wire), &type, &plain, &alert);
        cr_assert_eq(err, 0, "%s: %d, alert %d", k->name, err, alert);
        cr_assert_eq(type, want_type);
        cr_assert_leq(plain.len, want.len);
        cr_assert(slice_eq(plain, slice_to(want, plain.len)));
        want = slice_from(want, plain.len);
        buf_consume(&k->wire, need);
    }
    cr_assert_eq(want.len, 0);
}

Test(record, what_is_sealed_comes_out)
{
    static const size_t sizes[] = {0,  1,   2,    15,   16,   17,   31,   32,   250,   251,
                                   255, 256, 1024, 2047, 2048, 2049, 4096, 16383, 16384};
    struct kit k;
    kit_fill(text, sizeof(text), 1);
    FOR_EACH_CASE(&k)
    {
        for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
            struct slice plain = slice_make(text + i, sizes[i]);
            kit_seal(&k, RECORD_APPLICATION_DATA, plain);
            cr_assert_eq(buf_len(&k.wire), sizes[i] + overhead_of(&k));
            expect_on_wire(&k, RECORD_APPLICATION_DATA, plain);
        }
        kit_seal(&k, RECORD_ALERT, SLICE_LIT("\1\0"));
        expect_on_wire(&k, RECORD_ALERT, SLICE_LIT("\1\0"));
        kit_seal(&k, RECORD_HANDSHAKE, SLICE_LIT("\x18\0\0\1\0"));
        expect_on_wire(&k, RECORD_HANDSHAKE, SLICE_LIT("\x18\0\0\1\0"));
        cr_assert_eq(k.from.keys.seq, ARRAY_COUNT(sizes) + 2);
        cr_assert_eq(k.to.keys.seq, ARRAY_COUNT(sizes) + 2);
    }
}

/* Made apart from this code (pyca/cryptography, by RFC 5288, 7905, 8446 5): record 258 with the
 * text "<message/>" under the key 40 41 .. and the IV a0 a1 .. */
Test(record, records_made_elsewhere)
{
    static const struct {
        enum tls_version version;
        enum tls_cipher cipher;
        const char *hex;
        bool is_padded;
    } known[] = {
        {TLS_VERSION_1_2, TLS_CIPHER_AES_128_GCM,
         "1703030022000000000000010227daa794bc5b1495bb6a399129207fc4b3ce8a9586bdb1006e8d", false},
        {TLS_VERSION_1_2, TLS_CIPHER_AES_256_GCM,
         "170303002200000000000001020f7a4312bde8b618607ce0cdb6d21923278a7e0ed1b054902ee4", false},
        {TLS_VERSION_1_2, TLS_CIPHER_CHACHA20_POLY1305,
         "170303001a09121cc4c999a266c793c802fafd7a116412a05e33daa7a692a5", false},
        {TLS_VERSION_1_3, TLS_CIPHER_AES_256_GCM,
         "170303001bb0c743578b70354e46c9cf5b036fdc27fc60927e9635c402689dc1", false},
        {TLS_VERSION_1_3, TLS_CIPHER_AES_256_GCM,
         "1703030020b0c743578b70354e46c9cf931d2d355a58940afa60d2dc66f12fa8b92ba40d86", true},
        {TLS_VERSION_1_3, TLS_CIPHER_CHACHA20_POLY1305,
         "170303001b09121cc4c999a266c793827af477535520b545d3db0b58acc9dd25", false},
        {TLS_VERSION_1_3, TLS_CIPHER_CHACHA20_POLY1305,
         "170303002009121cc4c999a266c79382f5381ada75f6cf63b39e473afb088a1ed4d8189213", true},
    };
    struct kit k;
    for (uint32_t i = 0; i < ARRAY_COUNT(known) * 2; i++) {
        struct tls_keys keys = {.version = (uint16_t)known[i / 2].version, .seq = 258};
        keys.cipher = (uint8_t)known[i / 2].cipher;
        for (unsigned char j = 0; j < sizeof(keys.key); j++) {
            keys.key[j] = (unsigned char)(0x40 + j);
            keys.iv[j % sizeof(keys.iv)] = (unsigned char)(0xa0 + j % sizeof(keys.iv));
        }
        kit_init(&k, i % 2);
        const struct tls_aead_ops *ops = k.from.ops;
        record_side_init(&k.from, ops, &keys);
        record_side_init(&k.to, ops, &keys);
        buf_put(&k.wire, kit_hex(known[i / 2].hex));
        if (!known[i / 2].is_padded) {
            kit_seal(&k, 23, SLICE_LIT("<message/>"));
            struct slice wire = buf_slice(&k.wire);
            cr_assert(slice_eq(slice_to(wire, wire.len / 2), slice_from(wire, wire.len / 2)));
            buf_truncate(&k.wire, wire.len / 2);
        }
        expect_on_wire(&k, 23, SLICE_LIT("<message/>"));
        kit_deinit(&k);
    }
}

Test(record, the_libraries_understand_each_other)
{
    struct kit k;
    uint64_t state = 7;
    kit_fill(text, sizeof(text), 2);
    FOR_EACH_CASE(&k)
    {
        kit_cross(&k);
        for (uint32_t i = 0; i < 60; i++) {
            struct slice plain = slice_make(text, kit_random(&state, i % 2 ? 300 : 16385));
            kit_seal(&k, RECORD_APPLICATION_DATA, plain);
            expect_on_wire(&k, RECORD_APPLICATION_DATA, plain);
        }
    }
}

Test(record, long_texts_become_as_few_records_as_hold_them)
{
    static const size_t maxima[] = {1, 100, 4096, RECORD_PLAIN_MAX};
    struct kit k;
    kit_fill(text, sizeof(text), 3);
    FOR_EACH_CASE(&k)
    {
        for (size_t i = 0; i < ARRAY_COUNT(maxima); i++) {
            struct slice plain = slice_make(text, maxima[i] == 1 ? 50 : sizeof(text));
            size_t records = (plain.len + maxima[i] - 1) / maxima[i];
            uint64_t seq = k.from.keys.seq;
            size_t bytes = plain.len + records * overhead_of(&k);
            cr_assert_eq(record_sealed_bytes(&k.from, plain.len, maxima[i]), bytes);
            cr_assert_eq(record_seal(&k.from, 23, plain, maxima[i], &k.wire), 0);
            cr_assert_eq(buf_len(&k.wire), bytes);
            cr_assert_eq(k.from.keys.seq, seq + records);
            expect_on_wire(&k, 23, plain);
        }
    }
}

Test(record, a_header_says_how_much_is_needed)
{
    struct kit k;
    FOR_EACH_CASE(&k)
    {
        kit_seal(&k, RECORD_APPLICATION_DATA, SLICE_LIT("hello"));
        struct slice wire = buf_slice(&k.wire);
        size_t need = 99;
        uint8_t alert;
        for (size_t have = 0; have <= wire.len; have++) {
            cr_assert_eq(record_need(&k.to, slice_to(wire, have), &need, &alert), 0);
            cr_assert_eq(need, have < RECORD_HEADER_BYTES ? 0 : wire.len);
        }
    }
}

Test(record, sequence_numbers_do_not_wrap)
{
    struct kit k;
    uint8_t type;
    uint8_t alert;
    struct slice plain;
    FOR_EACH_CASE(&k)
    {
        kit_set_seq(&k, UINT64_MAX - 2);
        cr_assert(record_is_worn(&k.from));
        cr_assert_eq(record_seal(&k.from, 23, SLICE_LIT("abc"), 1, &k.wire), ERR_TLS_WORN);
        cr_assert_eq(buf_len(&k.wire), 0);
        cr_assert_eq(k.from.keys.seq, UINT64_MAX - 2);
        kit_seal(&k, 23, SLICE_LIT("a"));
        kit_seal(&k, 23, SLICE_LIT("b"));
        expect_on_wire(&k, 23, SLICE_LIT("ab"));
        cr_assert_eq(record_seal(&k.from, 23, SLICE_LIT("c"), 1, &k.wire), ERR_TLS_WORN);
        /* A peer that goes on is not followed. */
        k.from.keys.seq = 0;
        kit_seal(&k, 23, SLICE_LIT("d"));
        cr_assert_eq(kit_open(&k, buf_slice(&k.wire), &type, &plain, &alert), ERR_TLS_RECORD);
        cr_assert_eq(alert, TLS_ALERT_INTERNAL_ERROR);
    }
}

Test(record, a_key_wears_out)
{
    struct kit k;
    record_limits = (struct record_limits){.gcm_soft = 3, .gcm_hard = 5};
    FOR_EACH_CASE(&k)
    {
        bool is_gcm = k.from.keys.cipher != TLS_CIPHER_CHACHA20_POLY1305;
        for (int i = 0; i < 5; i++) {
            cr_assert_eq(record_is_worn(&k.from), is_gcm && i >= 3);
            if (i == 4) { /* two more would be one too many: none of them goes */
                cr_assert_eq(record_seal(&k.from, 23, SLICE_LIT("xy"), 1, &k.wire),
                             is_gcm ? ERR_TLS_WORN : 0);
                cr_assert_eq(buf_len(&k.wire) > 0, !is_gcm);
                expect_on_wire(&k, 23, is_gcm ? SLICE_NONE : SLICE_LIT("xy"));
            }
            kit_seal(&k, 23, SLICE_LIT("x"));
            expect_on_wire(&k, 23, SLICE_LIT("x"));
        }
        int err = record_seal(&k.from, 23, SLICE_LIT("x"), 1, &k.wire);
        cr_assert_eq(err, is_gcm ? ERR_TLS_WORN : 0);
        buf_clear(&k.wire);
        if (k.from.keys.version == TLS_VERSION_1_3) {
            cr_assert_eq(record_update(&k.from), 0);
            cr_assert_eq(record_update(&k.to), 0);
            cr_assert(!record_is_worn(&k.from));
            kit_seal(&k, 23, SLICE_LIT("new"));
            expect_on_wire(&k, 23, SLICE_LIT("new"));
        } else {
            cr_assert_eq(record_update(&k.from), ERR_UNSUPPORTED);
        }
    }
}

/* TLS 1.2 AES-GCM: the explicit nonce is the number that is never used twice. */
Test(record, explicit_nonces_are_the_sequence_numbers)
{
    struct kit k;
    for (uint32_t case_idx = 0; case_idx < 4; case_idx++) {
        kit_init(&k, case_idx);
        kit_set_seq(&k, 0x0102030405060708);
        cr_assert_eq(record_seal(&k.from, 23, SLICE_LIT("ab"), 1, &k.wire), 0);
        struct slice wire = buf_slice(&k.wire);
        cr_assert(slice_eq(slice_to(slice_from(wire, 5), 8), kit_hex("0102030405060708")));
        wire = slice_from(wire, wire.len / 2);
        cr_assert(slice_eq(slice_to(slice_from(wire, 5), 8), kit_hex("0102030405060709")));
        kit_deinit(&k);
    }
}

Test(record, both_ends_count)
{
    struct kit k;
    FOR_EACH_CASE(&k)
    {
        kit_seal(&k, 23, SLICE_LIT("x"));
        kit_seal(&k, 23, SLICE_LIT("y"));
        expect_on_wire(&k, 23, SLICE_LIT("xy"));
        cr_assert_eq(k.from.count, 2);
        cr_assert_eq(k.to.count, 2);
    }
}

Test(record, what_was_done_before_counts)
{
    struct kit k;
    kit_init(&k, 6);
    struct tls_keys keys = k.from.keys;
    keys.seq = record_limits.gcm_soft;
    record_side_deinit(&k.from);
    record_side_init(&k.from, &tls_aead_wolfcrypt, &keys);
    cr_assert(record_is_worn(&k.from));
    kit_deinit(&k);
}

Test(record, resting_keys_take_no_memory)
{
    struct kit k;
    FOR_EACH_CASE(&k)
    {
        cr_assert_eq(pool_used_bytes(), 0);
        for (int i = 0; i < 3; i++) {
            kit_seal(&k, 23, SLICE_LIT("x"));
            cr_assert_eq(record_expanded_count(), 1);
            expect_on_wire(&k, 23, SLICE_LIT("x"));
            cr_assert_eq(record_expanded_count(), 2);
            record_rest(&k.from);
            record_rest(&k.from);
            record_rest(&k.to);
            cr_assert_eq(record_expanded_count(), 0);
            buf_release_if_empty(&k.wire);
            cr_assert_eq(pool_used_bytes(), 0);
        }
    }
}

Test(record, a_thread_holds_so_many_expanded_keys)
{
    static struct kit kits[RECORD_EXPANDED_MAX + 10];
    uint64_t state = 3;
    for (uint32_t i = 0; i < ARRAY_COUNT(kits); i++) {
        kit_init(&kits[i], i % KIT_CASES);
    }
    for (uint32_t i = 0; i < 20000; i++) {
        /* The first one is used all the time: it keeps its key. */
        bool has_key = kits[0].from.aead;
        kit_seal(&kits[0], 23, SLICE_LIT("x"));
        cr_assert(has_key || i < ARRAY_COUNT(kits));
        buf_clear(&kits[0].wire);
        struct kit *k = &kits[1 + kit_random(&state, ARRAY_COUNT(kits) - 1)];
        kit_seal(k, 23, SLICE_LIT("text"));
        expect_on_wire(k, 23, SLICE_LIT("text"));
        cr_assert_leq(record_expanded_count(), RECORD_EXPANDED_MAX);
    }
    cr_assert_eq(record_expanded_count(), RECORD_EXPANDED_MAX);
    for (uint32_t i = 0; i < ARRAY_COUNT(kits); i++) {
        record_side_deinit(&kits[i].from);
        record_side_deinit(&kits[i].to);
        buf_deinit(&kits[i].wire);
    }
    cr_assert_eq(record_expanded_count(), 0);
    cr_assert_eq(pool_used_bytes(), 0);
}

Test(record, without_memory_nothing_changes)
{
    struct kit k;
    uint8_t type;
    uint8_t alert;
    struct slice plain;
    FOR_EACH_CASE(&k)
    {
        pool_fail_nth(1); /* the key */
        cr_assert_eq(record_seal(&k.from, 23, SLICE_LIT("x"), 100, &k.wire), ERR_NOMEM);
        pool_fail_nth(2); /* the buffer */
        cr_assert_eq(record_seal(&k.from, 23, SLICE_LIT("x"), 100, &k.wire), ERR_NOMEM);
        cr_assert_eq(k.from.keys.seq, 0);
        buf_clear(&k.wire);
        kit_seal(&k, 23, SLICE_LIT("x"));
        pool_fail_nth(1);
        cr_assert_eq(kit_open(&k, buf_slice(&k.wire), &type, &plain, &alert), ERR_NOMEM);
        expect_on_wire(&k, 23, SLICE_LIT("x"));
    }
}

static int no_seal(struct tls_aead *aead, const struct tls_aead_head *head, struct slice plain,
                   struct slice tail, char *out)
{
    (void)aead;
    (void)head;
    (void)plain;
    (void)tail;
    out[0] = 'x';
    return ERR_TLS_RECORD;
}

/* The nonce may have been used: it is not used again. */
Test(record, a_library_that_fails)
{
    struct tls_aead_ops ops = tls_aead_wolfcrypt;
    struct kit k;
    ops.seal = no_seal;
    FOR_EACH_CASE(&k)
    {
        struct tls_keys keys = k.from.keys;
        struct record_side side;
        record_side_init(&side, &ops, &keys);
        cr_assert_eq(record_seal(&side, 23, SLICE_LIT("text"), 2, &k.wire), ERR_TLS_RECORD);
        cr_assert_eq(buf_len(&k.wire), 0);
        cr_assert_eq(side.keys.seq, 1);
        record_side_deinit(&side);
    }
}

Test(record, keys_are_as_long_as_their_ciphers_want)
{
    cr_assert_eq(tls_cipher_key_bytes(TLS_CIPHER_AES_128_GCM), 16);
    cr_assert_eq(tls_cipher_key_bytes(TLS_CIPHER_AES_256_GCM), 32);
    cr_assert_eq(tls_cipher_key_bytes(TLS_CIPHER_CHACHA20_POLY1305), 32);
}

Test(record, an_end_is_wiped)
{
    static const struct record_side zeros;
    struct kit k;
    FOR_EACH_CASE(&k)
    {
        kit_seal(&k, 23, SLICE_LIT("x"));
        record_side_deinit(&k.from);
        cr_assert_eq(memcmp(&k.from, &zeros, sizeof(zeros)), 0);
    }
}
