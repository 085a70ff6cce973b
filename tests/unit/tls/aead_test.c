/* SPDX-License-Identifier: GPL-2.0-or-later */
/* aead: published vectors, forgeries, and OpenSSL as the oracle for both libraries. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/err.h"
#include "base/pool.h"
#include "oracle.h"
#include "record_kit.h"

#define TEXT_MAX 20000u

static const struct tls_aead_ops *const libraries[2] = {&tls_aead_wolfcrypt, &tls_aead_mbedcrypto};

static const struct {
    enum tls_cipher cipher;
    const char *key;
    const char *nonce;
    const char *ad;
    const char *plain;
    const char *sealed; /* with its tag */
} vectors[] = {
    /* Cases 1-4 and 13-16 of the GCM specification that SP 800-38D refers to; then from NIST's
     * gcmEncryptExtIV; then RFC 8439 2.8.2. */
    {TLS_CIPHER_AES_128_GCM,
     "00000000000000000000000000000000",
     "000000000000000000000000",
     "",
     "",
     "58e2fccefa7e3061367f1d57a4e7455a"},
    {TLS_CIPHER_AES_128_GCM,
     "00000000000000000000000000000000",
     "000000000000000000000000",
     "",
     "00000000000000000000000000000000",
     "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257"
     "bddf"},
    {TLS_CIPHER_AES_128_GCM,
     "feffe9928665731c6d6a8f9467308308",
     "cafebabefacedbaddecaf888",
     "",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a31"
     "8a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
     "1aafd255",
     "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329ac"
     "a12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
     "473f59854d5c2af327cd64a62cf35abd2ba6fab4"},
    {TLS_CIPHER_AES_128_GCM,
     "feffe9928665731c6d6a8f9467308308",
     "cafebabefacedbaddecaf888",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a31"
     "8a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
     "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329ac"
     "a12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
     "5bc94fbc3221a5db94fae95ae7121a47"},
    {TLS_CIPHER_AES_256_GCM,
     "0000000000000000000000000000000000000000000000000000000000000000",
     "000000000000000000000000",
     "",
     "",
     "530f8afbc74536b9a963b4f1c4cb738b"},
    {TLS_CIPHER_AES_256_GCM,
     "0000000000000000000000000000000000000000000000000000000000000000",
     "000000000000000000000000",
     "",
     "00000000000000000000000000000000",
     "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48a"
     "b919"},
    {TLS_CIPHER_AES_256_GCM,
     "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
     "cafebabefacedbaddecaf888",
     "",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a31"
     "8a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
     "1aafd255",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555"
     "d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
     "898015adb094dac5d93471bdec1a502270e3cc6c"},
    {TLS_CIPHER_AES_256_GCM,
     "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
     "cafebabefacedbaddecaf888",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a31"
     "8a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555"
     "d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
     "76fc6ece0f4e1768cddf8853bb2d551b"},
    {TLS_CIPHER_AES_128_GCM,
     "7fddb57453c241d03efbed3ac44e371c",
     "ee283a3fc75575e33efd4887",
     "",
     "d5de42b461646c255c87bd2962d3b9a2",
     "2ccda4a5415cb91e135c2a0f78c9b2fdb36d1df9b9d5e596f83e8b7f5297"
     "1cb3"},
    {TLS_CIPHER_AES_128_GCM,
     "c939cc13397c1d37de6ae0e1cb7c423c",
     "b3d8cc017cbb89b39e0f67e2",
     "24825602bd12a984e0092d3e448eda5f",
     "c3b3c41f113a31b73d9a5cd432103069",
     "93fe7d9e9bfd10348a5606e5cafa73540032a1dc85f1c9786925a2e71d82"
     "72dd"},
    {TLS_CIPHER_AES_256_GCM,
     "31bdadd96698c204aa9ce1448ea94ae1fb4a9a0b3c9d773b51bb1822666b8f22",
     "0d18e06c7c725ac9e362e1ce",
     "",
     "2db5168e932556f8089a0622981d017d",
     "fa4362189661d163fcd6a56d8bf0405ad636ac1bbedd5cc3ee727dc2ab4a"
     "9489"},
    {TLS_CIPHER_AES_256_GCM,
     "92e11dcdaa866f5ce790fd24501f92509aacf4cb8b1339d50c9c1240935dd08b",
     "ac93a1a6145299bde902f21a",
     "1e0889016f67601c8ebea4943bc23ad6",
     "2d71bcfa914e4ac045b2aa60955fad24",
     "8995ae2e6df3dbf96fac7b7137bae67feca5aa77d51d4a0a14d9c51e1da4"
     "74ab"},
    {TLS_CIPHER_CHACHA20_POLY1305,
     "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
     "070000004041424344454647",
     "50515253c0c1c2c3c4c5c6c7",
     "4c616469657320616e642047656e746c656d656e206f662074686520636c"
     "617373206f66202739393a204966204920636f756c64206f666665722079"
     "6f75206f6e6c79206f6e652074697020666f722074686520667574757265"
     "2c2073756e73637265656e20776f756c642062652069742e",
     "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee"
     "62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b6"
     "7ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585"
     "808b4831d7bc3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09"
     "e26a7e902ecbd0600691"},
};

static struct tls_aead_head head_of(struct slice nonce, struct slice ad)
{
    struct tls_aead_head head = {.ad = ad};
    cr_assert_eq(nonce.len, sizeof(head.nonce));
    memcpy(head.nonce, nonce.ptr, nonce.len);
    return head;
}

/* Opens a copy. */
static int try_open(const struct tls_aead_ops *ops, struct tls_aead *aead,
                    const struct tls_aead_head *head, struct slice sealed, char *plain)
{
    size_t len = sealed.len - TLS_TAG_BYTES;
    if (len > 0) {
        memcpy(plain, sealed.ptr, len);
    }
    return ops->open(aead, head, plain, len, sealed.ptr + len);
}

Test(aead, published_vectors)
{
    char out[256];
    for (size_t i = 0; i < ARRAY_COUNT(vectors) * 2; i++) {
        const struct tls_aead_ops *ops = libraries[i % 2];
        struct slice key = kit_hex(vectors[i / 2].key);
        struct slice plain = kit_hex(vectors[i / 2].plain);
        struct slice sealed = kit_hex(vectors[i / 2].sealed);
        struct tls_aead_head head =
            head_of(kit_hex(vectors[i / 2].nonce), kit_hex(vectors[i / 2].ad));
        cr_assert_eq(key.len, tls_cipher_key_bytes(vectors[i / 2].cipher));
        struct tls_aead *aead =
            ops->create(vectors[i / 2].cipher, (const unsigned char *)key.ptr);
        cr_assert_not_null(aead);
        cr_assert_eq(ops->seal(aead, &head, plain, SLICE_NONE, out), 0);
        cr_assert(slice_eq(slice_make(out, sealed.len), sealed), "vector %zu", i / 2);
        cr_assert_eq(try_open(ops, aead, &head, sealed, out), 0);
        cr_assert(slice_eq(slice_make(out, plain.len), plain));
        /* In place, and with the last byte apart. */
        if (plain.len > 0) {
            memcpy(out, plain.ptr, plain.len);
            char last = out[plain.len - 1];
            cr_assert_eq(ops->seal(aead, &head, slice_make(out, plain.len - 1),
                                   slice_make(&last, 1), out), 0);
            cr_assert(slice_eq(slice_make(out, sealed.len), sealed), "vector %zu", i / 2);
        }
        ops->destroy(aead);
        ops->destroy(NULL);
    }
    cr_assert_eq(pool_used_bytes(), 0);
}

Test(aead, every_flipped_bit_is_found)
{
    char bad[256];
    char out[256];
    for (size_t i = 0; i < ARRAY_COUNT(vectors) * 2; i++) {
        const struct tls_aead_ops *ops = libraries[i % 2];
        struct slice sealed = kit_hex(vectors[i / 2].sealed);
        struct slice nonce = kit_hex(vectors[i / 2].nonce);
        struct slice ad = kit_hex(vectors[i / 2].ad);
        struct tls_aead *aead = ops->create(
            vectors[i / 2].cipher, (const unsigned char *)kit_hex(vectors[i / 2].key).ptr);
        struct tls_aead_head head = head_of(nonce, ad);
        memcpy(bad, sealed.ptr, sealed.len);
        for (size_t bit = 0; bit < sealed.len * 8; bit++) {
            bad[bit / 8] ^= (char)(1 << bit % 8);
            cr_assert_eq(try_open(ops, aead, &head, slice_make(bad, sealed.len), out),
                         ERR_TLS_RECORD);
            bad[bit / 8] ^= (char)(1 << bit % 8);
        }
        for (size_t bit = 0; bit < nonce.len * 8; bit++) {
            head.nonce[bit / 8] ^= (unsigned char)(1 << bit % 8);
            cr_assert_eq(try_open(ops, aead, &head, sealed, out), ERR_TLS_RECORD);
            head.nonce[bit / 8] ^= (unsigned char)(1 << bit % 8);
        }
        char bad_ad[32];
        memcpy(bad_ad, ad.ptr, ad.len);
        head.ad = slice_make(bad_ad, ad.len);
        for (size_t bit = 0; bit < ad.len * 8; bit++) {
            bad_ad[bit / 8] ^= (char)(1 << bit % 8);
            cr_assert_eq(try_open(ops, aead, &head, sealed, out), ERR_TLS_RECORD);
            bad_ad[bit / 8] ^= (char)(1 << bit % 8);
        }
        cr_assert_eq(try_open(ops, aead, &head, sealed, out), 0);
        ops->destroy(aead);
    }
}

/* Random keys, nonces, texts; lengths around the borders of blocks and of the ways to seal. */
Test(aead, openssl_agrees)
{
    static char text[TEXT_MAX];
    static char want[TEXT_MAX + TLS_TAG_BYTES];
    static char got[TEXT_MAX + TLS_TAG_BYTES];
    uint64_t state = 11;
    for (uint32_t round = 0; round < 1500; round++) {
        const struct tls_aead_ops *ops = libraries[round % 2];
        enum tls_cipher cipher = (enum tls_cipher)(round / 2 % TLS_CIPHER_COUNT);
        unsigned char key[TLS_KEY_BYTES_MAX];
        char ad[64];
        struct tls_aead_head head = {.ad = slice_make(ad, 1 + kit_random(&state, 40))};
        size_t len = 1 + kit_random(&state, round % 5 == 0 ? TEXT_MAX : 600);
        size_t tail = kit_random(&state, 2);
        kit_fill(key, sizeof(key), kit_random(&state, 1u << 30));
        kit_fill(ad, sizeof(ad), kit_random(&state, 1u << 30));
        kit_fill(head.nonce, sizeof(head.nonce), kit_random(&state, 1u << 30));
        kit_fill(text, len, kit_random(&state, 1u << 30));
        oracle_seal(cipher, key, &head, slice_make(text, len), want);
        struct tls_aead *aead = ops->create(cipher, key);
        cr_assert_eq(ops->seal(aead, &head, slice_make(text, len - tail),
                               slice_make(text + len - tail, tail), got), 0);
        cr_assert_eq(memcmp(got, want, len + TLS_TAG_BYTES), 0, "round %u", round);
        cr_assert_eq(ops->open(aead, &head, got, len, want + len), 0);
        cr_assert_eq(memcmp(got, text, len), 0);
        ops->destroy(aead);
    }
}

/* One object for many texts in both directions: nothing of one is left for the next. */
Test(aead, a_key_is_for_many_texts)
{
    static char text[4000];
    static char want[4000 + TLS_TAG_BYTES];
    static char got[4000 + TLS_TAG_BYTES];
    uint64_t state = 12;
    kit_fill(text, sizeof(text), 1);
    for (uint32_t i = 0; i < TLS_CIPHER_COUNT * 2; i++) {
        const struct tls_aead_ops *ops = libraries[i % 2];
        unsigned char key[TLS_KEY_BYTES_MAX];
        struct tls_aead_head head = {.ad = SLICE_LIT("header")};
        kit_fill(key, sizeof(key), i);
        struct tls_aead *aead = ops->create((enum tls_cipher)(i / 2), key);
        for (uint32_t round = 0; round < 300; round++) {
            size_t len = kit_random(&state, sizeof(text));
            size_t tail = len > 0 ? kit_random(&state, 2) : 0;
            head.nonce[0] = (unsigned char)round;
            head.nonce[1] = (unsigned char)(round >> 8);
            oracle_seal((enum tls_cipher)(i / 2), key, &head, slice_make(text, len), want);
            cr_assert_eq(ops->seal(aead, &head, slice_make(text, len - tail),
                                   slice_make(text + len - tail, tail), got), 0);
            cr_assert_eq(memcmp(got, want, len + TLS_TAG_BYTES), 0);
            bool is_forged = round % 3 == 0;
            got[len] ^= (char)is_forged;
            cr_assert_eq(ops->open(aead, &head, got, len, got + len),
                         is_forged ? ERR_TLS_RECORD : 0);
            cr_assert(is_forged || memcmp(got, text, len) == 0);
        }
        ops->destroy(aead);
    }
}

Test(aead, hmac_is_openssl_s)
{
    char key[200];
    char data[300];
    uint64_t state = 13;
    for (uint32_t round = 0; round < 400; round++) {
        uint32_t hash_bytes = round / 2 % 2 == 0 ? 32 : 48;
        struct slice k = slice_make(key, 1 + kit_random(&state, sizeof(key)));
        struct slice d = slice_make(data, kit_random(&state, sizeof(data)));
        unsigned char want[48];
        unsigned char got[48];
        kit_fill(key, sizeof(key), round);
        kit_fill(data, sizeof(data), round + 1000);
        oracle_hmac(hash_bytes, k, d, want);
        cr_assert_eq(libraries[round % 2]->hmac(hash_bytes, k, d, got), 0);
        cr_assert_eq(memcmp(got, want, hash_bytes), 0);
    }
}

Test(aead, without_memory_there_is_no_key)
{
    static const unsigned char key[TLS_KEY_BYTES_MAX];
    for (uint32_t i = 0; i < TLS_CIPHER_COUNT * 2; i++) {
        pool_fail_nth(1);
        cr_assert_null(libraries[i % 2]->create((enum tls_cipher)(i / 2), key));
        pool_fail_nth(0);
    }
    cr_assert_eq(pool_used_bytes(), 0);
}

#if defined(__x86_64__)
Test(aead, only_what_the_processor_has_is_claimed)
{
    bool has_aes = __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
    cr_assert_eq(tls_aead_mbedcrypto.is_accelerated(TLS_CIPHER_AES_128_GCM), has_aes);
    cr_assert_not(tls_aead_mbedcrypto.is_accelerated(TLS_CIPHER_CHACHA20_POLY1305));
    if (!has_aes) {
        cr_assert_not(tls_aead_wolfcrypt.is_accelerated(TLS_CIPHER_AES_128_GCM));
    }
    cr_assert_eq(tls_aead_wolfcrypt.is_accelerated(TLS_CIPHER_AES_128_GCM),
                 tls_aead_wolfcrypt.is_accelerated(TLS_CIPHER_AES_256_GCM));
}
#endif
