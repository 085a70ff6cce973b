/* SPDX-License-Identifier: GPL-2.0-or-later */
/* aead_mbedcrypto: AES-GCM, ChaCha20-Poly1305 and HMAC of mbedTLS 2.28. State is in the object the
 * object given; only making an AES key allocates (the library's cipher object, 300 bytes of heap,
 * which it wipes).                                                                             */
#include "tls/aead.h"

#include <mbedtls/aesni.h>
#include <mbedtls/chachapoly.h>
#include <mbedtls/gcm.h>
#include <mbedtls/md.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"

struct tls_aead {
    enum tls_cipher cipher;
    union {
        mbedtls_gcm_context gcm;
        mbedtls_chachapoly_context chacha;
    } u;
};

static void mbed_destroy(struct tls_aead *aead)
{
    if (aead && aead->cipher == TLS_CIPHER_CHACHA20_POLY1305) {
        mbedtls_chachapoly_free(&aead->u.chacha);
    } else if (aead) {
        mbedtls_gcm_free(&aead->u.gcm);
    }
    pool_free_wiped(aead);
}

static struct tls_aead *mbed_create(enum tls_cipher cipher, const unsigned char *key)
{
    struct tls_aead *aead = pool_alloc(sizeof(*aead));
    if (!aead) {
        return NULL;
    }
    aead->cipher = cipher;
    int err;
    if (cipher == TLS_CIPHER_CHACHA20_POLY1305) {
        mbedtls_chachapoly_init(&aead->u.chacha);
        err = mbedtls_chachapoly_setkey(&aead->u.chacha, key);
    } else {
        mbedtls_gcm_init(&aead->u.gcm);
        err = mbedtls_gcm_setkey(&aead->u.gcm, MBEDTLS_CIPHER_ID_AES, key,
                                 tls_cipher_key_bytes(cipher) * 8);
    }
    if (err != 0) {
        mbed_destroy(aead);
        return NULL;
    }
    return aead;
}

static const unsigned char *in_bytes(struct slice s)
{
    return (const unsigned char *)s.ptr;
}

/* The library takes whole blocks but for the last call, so the tail has to join the last part. */
static int gcm_seal(mbedtls_gcm_context *gcm, const struct tls_aead_head *head, struct slice plain,
                    struct slice tail, unsigned char *out)
{
    unsigned char last[32];
    size_t whole = tail.len > 0 ? plain.len & ~(size_t)15 : plain.len;
    size_t rest = plain.len - whole;
    int err = mbedtls_gcm_starts(gcm, MBEDTLS_GCM_ENCRYPT, head->nonce, TLS_NONCE_BYTES,
                                 in_bytes(head->ad), head->ad.len);
    if (rest > 0) {
        memcpy(last, plain.ptr + whole, rest); /* out may be plain: before it is written */
    }
    if (err == 0 && whole > 0) {
        err = mbedtls_gcm_update(gcm, whole, in_bytes(plain), out);
    }
    if (err == 0 && tail.len > 0) {
        ASSERT(tail.len == 1);
        last[rest] = (unsigned char)tail.ptr[0];
        err = mbedtls_gcm_update(gcm, rest + 1, last, last);
        memcpy(out + whole, last, rest + 1);
    }
    return err != 0 ? err
                    : mbedtls_gcm_finish(gcm, out + plain.len + tail.len, TLS_TAG_BYTES);
}

static int chacha_seal(mbedtls_chachapoly_context *chacha, const struct tls_aead_head *head,
                       struct slice plain, struct slice tail, unsigned char *out)
{
    int err = mbedtls_chachapoly_starts(chacha, head->nonce, MBEDTLS_CHACHAPOLY_ENCRYPT);
    if (err == 0) {
        err = mbedtls_chachapoly_update_aad(chacha, in_bytes(head->ad), head->ad.len);
    }
    if (err == 0 && plain.len > 0) {
        err = mbedtls_chachapoly_update(chacha, plain.len, in_bytes(plain), out);
    }
    if (err == 0 && tail.len > 0) {
        err = mbedtls_chachapoly_update(chacha, tail.len, in_bytes(tail), out + plain.len);
    }
    return err != 0 ? err : mbedtls_chachapoly_finish(chacha, out + plain.len + tail.len);
}

static int mbed_seal(struct tls_aead *aead, const struct tls_aead_head *head, struct slice plain,
                     struct slice tail, char *out)
{
    unsigned char *to = (unsigned char *)out;
    int err = aead->cipher == TLS_CIPHER_CHACHA20_POLY1305
                  ? chacha_seal(&aead->u.chacha, head, plain, tail, to)
                  : gcm_seal(&aead->u.gcm, head, plain, tail, to);
    return err == 0 ? 0 : ERR_TLS_RECORD;
}

static int mbed_open(struct tls_aead *aead, const struct tls_aead_head *head, char *bytes,
                     size_t len, const char *tag)
{
    unsigned char *at = (unsigned char *)bytes;
    const unsigned char *tag_at = (const unsigned char *)tag;
    int err;
    if (aead->cipher == TLS_CIPHER_CHACHA20_POLY1305) {
        err = mbedtls_chachapoly_auth_decrypt(&aead->u.chacha, len, head->nonce,
                                              in_bytes(head->ad), head->ad.len, tag_at, at, at);
    } else {
        err = mbedtls_gcm_auth_decrypt(&aead->u.gcm, len, head->nonce, TLS_NONCE_BYTES,
                                       in_bytes(head->ad), head->ad.len, tag_at, TLS_TAG_BYTES, at,
                                       at);
    }
    return err == 0 ? 0 : ERR_TLS_RECORD;
}

/* 2.28 has instructions for AES on x86-64 only, and none for ChaCha20. */
static bool mbed_is_accelerated(enum tls_cipher cipher)
{
#if defined(MBEDTLS_AESNI_C) && defined(MBEDTLS_HAVE_X86_64)
    return cipher != TLS_CIPHER_CHACHA20_POLY1305 &&
           mbedtls_aesni_has_support(MBEDTLS_AESNI_AES) &&
           mbedtls_aesni_has_support(MBEDTLS_AESNI_CLMUL);
#else
    (void)cipher;
    return false;
#endif
}

static int mbed_hmac(uint32_t hash_bytes, struct slice key, struct slice data, unsigned char *out)
{
    const mbedtls_md_info_t *hash =
        mbedtls_md_info_from_type(hash_bytes == 48 ? MBEDTLS_MD_SHA384 : MBEDTLS_MD_SHA256);
    ASSERT(hash && mbedtls_md_get_size(hash) == hash_bytes);
    int err = mbedtls_md_hmac(hash, in_bytes(key), key.len, in_bytes(data), data.len, out);
    return err == 0 ? 0 : ERR_NOMEM;
}

const struct tls_aead_ops tls_aead_mbedcrypto = {
    .create = mbed_create,
    .destroy = mbed_destroy,
    .seal = mbed_seal,
    .open = mbed_open,
    .is_accelerated = mbed_is_accelerated,
    .hmac = mbed_hmac,
};
