/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The key schedule from a traffic secret on, and the records of RFC 8448 section 3 under it. The
 * generations after KeyUpdate are not in that RFC: they were computed apart from this code, and
 * OpenSSL's TLS13-KDF is asked for random ones.                                                */
#include <criterion/criterion.h>
#include <string.h>

#include "base/err.h"
#include "oracle.h"
#include "record_kit.h"

static const struct tls_aead_ops *const libraries[2] = {&tls_aead_wolfcrypt, &tls_aead_mbedcrypto};

/* 00 01 .. 31: what both ends of RFC 8448 say. */
static struct slice rfc8448_text(void)
{
    static char text[50];
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = (char)i;
    }
    return slice_make(text, sizeof(text));
}

#define CLIENT_SECRET "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5"
#define SERVER_SECRET "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643"

/* The server's NewSessionTicket, its first record. */
#define TICKET_RECORD                                                                              \
    "17030300de3a6b8f90414a97d6959c3487680de5134a2b240e6cffac116e95d41d6af8f6b580dcf3d11d63c758"   \
    "db289a015940252f55713e061dc13e078891a38efbcf5753ad8ef170ad3c7353d16d9da773b9ca7f2b9fa1b6c0"   \
    "d4a3d03f75e09c30ba1e62972ac46f75f7b981be63439b2999ce1306461513989 1d5e4c5b406f16e3fc181a77c"  \
    "a475840025db2f0a77f81b5ab05b94c01346755f69232c86519d86cbeeac87aac347d143f9605d64f650db4d02"   \
    "3e70e952ca49fe5137121c74bc2697687e248746d6df353005f3bce18696129c8153556b3b6c6779b37bf15985"   \
    "684f"

static const struct {
    enum tls_cipher cipher;
    struct {
        const char *secret;
        const char *key;
        const char *iv;
    } generations[3];
} schedules[] = {
    {TLS_CIPHER_AES_128_GCM, /* generation 0: RFC 8448 */
     {{CLIENT_SECRET, "17422dda596ed5d9acd890e3c63f5051", "5b78923dee08579033e523d9"},
      {"fcdfcc72725aaee48bf64e4fd8b749cdbdbab39d90da0b26e2245ca6ea167207",
       "3879d82f5f14056e623f2ce5bfc66fce", "5dfb2c5938c3379b6cc5d1f2"},
      {"68474fe58c172143d0a009a76edd231b0d934f3058588ea0852662279e54a573",
       "215f086ece93c88043a7d492b236c774", "f3c0ed95225a0800394de786"}}},
    {TLS_CIPHER_AES_128_GCM, /* generation 0: RFC 8448 */
     {{SERVER_SECRET, "9f02283b6c9c07efc26bb9f2ac92e356", "cf782b88dd83549aadf1e984"},
      {"51921b8aa3001976eb401d0a4319a8516416a6c56001a357e5d162031e84f916",
       "2e63be99d67b39097feb9786cf7a15a0", "628a0a8298ac953baef4255a"},
      {"6418ddd5d277cde37bfaae96363a805a95abfaa55ccd80713848de187fb082f6",
       "65b9c2b0f1a857bc47aac35f79d007c8", "3945073c176791288c5d8ce5"}}},
    {TLS_CIPHER_AES_256_GCM,
     {{"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
       "202122232425262728292a2b2c2d2e2f",
       "6877d022f1c61d24ebb7487c16752d9a4798e40431c75b39320e537c90e23225",
       "42822531a0fe88648fc09e9f"},
      {"401331b63e9d59f202e8f041042d9516f4cd7fa2e2ee14631d3b49fc340d7af3"
       "7fc2c0c9f252d8036f81ec5b85cbe5db",
       "eb354f3b48924ed78de34dd8aa6a6a0a51d857ddad1454d5cfa7b69f60712911",
       "8478ffbe4f2e5450789775b3"},
      {"1fed39ab8257f49d1c0c45bfbf71ffa8525b22ea44fdbbe0f7dfff32ea98fa53"
       "864320d595ea4ab13a8292965996db9b",
       "2d9c985947a6214bd2d1eef320171612b39ade8f7b8f0df6c09023ab183d172e",
       "fd5be82f2a1fe585114075cc"}}},
    {TLS_CIPHER_CHACHA20_POLY1305,
     {{"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
       "2ffbc449e87844051c7768f61ffd8ad070830f01ec2c520ef65f08e8296dffa0",
       "2f41c846a431a163814bcd71"},
      {"2cecd0a17506ef5fa73edc062d6e7b5397cf074ec1b4d8f99a120772932f0b45",
       "c690ede9a7525f64b759094f3bda2da3b5b52e50cffacd89a37bdf85affdd091",
       "4ef68fed17d39b5f23bb4b30"},
      {"2d3fb1fe267c2e0126351cc169afb7ca25c0d8867167c55c5533e3715558a6b9",
       "a0bbbcfeba507420e29aff13ebeaeb194782449236bef1c04640793d86732721",
       "2739edacb4dc79885391a769"}}},
};

static struct tls_keys keys_of(const struct tls_aead_ops *ops, enum tls_cipher cipher,
                               struct slice secret)
{
    struct tls_keys keys = {.cipher = (uint8_t)cipher, .secret_len = (uint8_t)secret.len};
    keys.version = TLS_VERSION_1_3;
    keys.seq = 77;
    memcpy(keys.secret, secret.ptr, secret.len);
    cr_assert_eq(record_keys_from_secret(ops, &keys), 0);
    cr_assert_eq(keys.seq, 0);
    return keys;
}

static bool is_hex(const void *bytes, const char *hex)
{
    struct slice want = kit_hex(hex);
    return slice_eq(slice_make(bytes, want.len), want);
}

Test(schedule, keys_of_three_generations)
{
    for (size_t i = 0; i < ARRAY_COUNT(schedules) * 2; i++) {
        const struct tls_aead_ops *ops = libraries[i % 2];
        struct slice secret = kit_hex(schedules[i / 2].generations[0].secret);
        struct tls_keys keys = keys_of(ops, schedules[i / 2].cipher, secret);
        struct record_side side;
        record_side_init(&side, ops, &keys);
        for (size_t n = 0; n < 3; n++) {
            cr_assert(is_hex(side.keys.secret, schedules[i / 2].generations[n].secret));
            cr_assert(is_hex(side.keys.key, schedules[i / 2].generations[n].key));
            cr_assert(is_hex(side.keys.iv, schedules[i / 2].generations[n].iv));
            cr_assert_eq(side.keys.seq, 0);
            side.keys.seq = 1000;
            cr_assert_eq(record_update(&side), 0);
        }
        record_side_deinit(&side);
    }
}

/* One record of the RFC: opened to this text, and sealed from it to the same bytes. */
static void check_record(struct kit *k, const char *hex, uint8_t type, struct slice text)
{
    struct slice record = kit_hex(hex);
    uint8_t got_type;
    uint8_t alert;
    struct slice plain;
    cr_assert_eq(kit_open(k, record, &got_type, &plain, &alert), 0);
    cr_assert_eq(got_type, type);
    if (text.len > 0) {
        cr_assert(slice_eq(plain, text));
    }
    kit_seal(k, type, plain);
    cr_assert(slice_eq(buf_slice(&k->wire), record));
    buf_clear(&k->wire);
}

static void use_secret(struct kit *k, uint32_t idx, const char *secret)
{
    kit_init(k, idx);
    struct tls_keys keys = keys_of(k->from.ops, TLS_CIPHER_AES_128_GCM, kit_hex(secret));
    const struct tls_aead_ops *ops = k->from.ops;
    record_side_init(&k->from, ops, &keys);
    record_side_init(&k->to, ops, &keys);
}

Test(schedule, records_of_rfc_8448)
{
    struct kit k;
    for (uint32_t i = 0; i < 2; i++) {
        use_secret(&k, i, CLIENT_SECRET);
        check_record(&k,
                     "1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b4"
                     "6b395bd54a9a20441e2b62974e1f5a6292a2977014bd1e3deae63aeebb21694915e4",
                     RECORD_APPLICATION_DATA, rfc8448_text());
        check_record(&k, "1703030013c9872760655666b74d7ff1153efd6db6d0b0e3", RECORD_ALERT,
                     SLICE_LIT("\1\0"));
        kit_deinit(&k);
        use_secret(&k, i, SERVER_SECRET);
        check_record(&k, TICKET_RECORD, RECORD_HANDSHAKE, SLICE_NONE);
        check_record(&k,
                     "17030300432e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36e30efaf97d90"
                     "e6dffc602dcb501a59a8fcc49c4bf2e5f0a21c0047c2abf332540dd032e167c2955d",
                     RECORD_APPLICATION_DATA, rfc8448_text());
        check_record(&k, "1703030013b58fd67166ebf599d24720cfbe7efa7a8864a9", RECORD_ALERT,
                     SLICE_LIT("\1\0"));
        kit_deinit(&k);
    }
}

Test(schedule, the_ticket_of_rfc_8448_is_one)
{
    struct kit k;
    uint8_t type;
    uint8_t alert;
    struct slice plain;
    use_secret(&k, 0, SERVER_SECRET);
    cr_assert_eq(kit_open(&k, kit_hex(TICKET_RECORD), &type, &plain, &alert), 0);
    cr_assert_eq(plain.len, 205);
    cr_assert(slice_starts(plain, kit_hex("040000c90000001efad6aac502000000b2")));
    kit_deinit(&k);
}

Test(schedule, openssl_expands_labels_alike)
{
    static const char *const labels[] = {"key", "iv", "traffic upd", "finished"};
    uint64_t state = 5;
    for (uint32_t round = 0; round < 200; round++) {
        char secret[48];
        unsigned char want[48];
        unsigned char got[48];
        struct slice s = slice_make(secret, round % 2 == 0 ? 32 : 48);
        const char *label = labels[kit_random(&state, ARRAY_COUNT(labels))];
        size_t len = 1 + kit_random(&state, s.len);
        kit_fill(secret, sizeof(secret), round);
        oracle_expand(s, label, want, len);
        cr_assert_eq(record_expand_label(libraries[round / 2 % 2], s, label, got, len), 0);
        cr_assert_eq(memcmp(got, want, len), 0, "%s, %zu", label, len);
    }
}

Test(schedule, generations_do_not_mix)
{
    struct kit k;
    uint8_t type;
    uint8_t alert;
    struct slice plain;
    for (uint32_t i = 6; i < KIT_CASES; i++) {
        kit_init(&k, i);
        for (uint32_t generation = 0; generation < 5; generation++) {
            kit_seal(&k, 23, SLICE_LIT("text"));
            cr_assert_eq(kit_open(&k, buf_slice(&k.wire), &type, &plain, &alert), 0);
            cr_assert(slice_eq_cstr(plain, "text"));
            buf_clear(&k.wire);
            cr_assert_eq(record_update(&k.from), 0);
            cr_assert_eq(k.from.count, 0);
            kit_seal(&k, 23, SLICE_LIT("next"));
            cr_assert_eq(kit_open(&k, buf_slice(&k.wire), &type, &plain, &alert), ERR_TLS_RECORD);
            cr_assert_eq(alert, TLS_ALERT_BAD_RECORD_MAC);
            cr_assert_eq(record_update(&k.to), 0);
            cr_assert_eq(kit_open(&k, buf_slice(&k.wire), &type, &plain, &alert), 0);
            cr_assert(slice_eq_cstr(plain, "next"));
            buf_clear(&k.wire);
        }
        kit_deinit(&k);
    }
}

/* Not only both ends alike: what is sealed is under the new key, and what is opened. */
Test(schedule, an_expanded_key_is_not_kept)
{
    struct kit k;
    uint8_t type;
    uint8_t alert;
    struct slice plain;
    for (uint32_t i = 6; i < KIT_CASES; i++) {
        kit_init(&k, i);
        const struct tls_aead_ops *ops = k.from.ops;
        kit_seal(&k, 23, SLICE_LIT("old"));
        cr_assert_eq(kit_open(&k, buf_slice(&k.wire), &type, &plain, &alert), 0);
        buf_clear(&k.wire);
        cr_assert_eq(record_update(&k.from), 0);
        cr_assert_eq(record_update(&k.to), 0);
        struct tls_keys keys = k.from.keys;
        struct record_side to = k.to;
        cr_assert_eq(record_expanded_count(), 0);
        record_side_init(&k.to, ops, &keys);
        kit_seal(&k, 23, SLICE_LIT("new"));
        cr_assert_eq(kit_open(&k, buf_slice(&k.wire), &type, &plain, &alert), 0);
        record_rest(&k.to);
        k.to = to;
        cr_assert_eq(kit_open(&k, buf_slice(&k.wire), &type, &plain, &alert), 0);
        kit_deinit(&k);
    }
}

Test(schedule, no_update_without_the_secret)
{
    struct kit k;
    for (uint32_t i = 0; i < KIT_CASES; i++) {
        kit_init(&k, i);
        struct tls_keys before = k.from.keys;
        if (i >= 6) {
            k.from.keys.secret_len = before.secret_len = 0;
        }
        cr_assert_eq(record_update(&k.from), ERR_UNSUPPORTED);
        cr_assert_eq(memcmp(&k.from.keys, &before, sizeof(before)), 0);
        kit_deinit(&k);
    }
}
