/* SPDX-License-Identifier: GPL-2.0-or-later */
/* aead_wolfcrypt: AES-GCM, ChaCha20-Poly1305 and HMAC of wolfCrypt (5.5 and later). Its functions
 * used here allocate nothing per record and keep their state in the object they are given; the
 * processor is looked at once, below.                                                          */
#include "tls/aead.h"

#include <wolfssl/options.h>

#include <pthread.h>

#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/chacha20_poly1305.h>
#include <wolfssl/wolfcrypt/hmac.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"

#if defined(__aarch64__) && defined(WOLFSSL_ARMASM)
#include <sys/auxv.h>
#endif

/* Up to here copying the text so that the tail stands behind it, and one call, is cheaper than the
 * streaming functions (251 bytes: 129 against 150 ns, 16 KiB: 2990 against 2870; AES-NI).        */
#define WOLF_COPY_BYTES_MAX 2048u

struct tls_aead {
    enum tls_cipher cipher;
    union {
        Aes aes; /* 1.1 KiB */
        unsigned char chacha_key[CHACHA20_POLY1305_AEAD_KEYSIZE];
    } u; /* blocks are as large as their cipher needs */
};

static pthread_once_t warm_once = PTHREAD_ONCE_INIT;

/* The library finds out what the processor can at the first key, in plain global variables: nobody
 * else may look at them meanwhile. */
static void warm(void)
{
    unsigned char zeros[64] = {0};
    ChaChaPoly_Aead poly;
    Aes aes;
    int err = wc_AesInit(&aes, NULL, INVALID_DEVID);
    ASSERT(err == 0);
    err = wc_AesGcmSetKey(&aes, zeros, 16);
    ASSERT(err == 0);
    err = wc_AesGcmEncrypt(&aes, zeros, zeros, 16, zeros, 12, zeros + 32, 16, NULL, 0);
    ASSERT(err == 0);
    wc_AesFree(&aes);
    err = wc_ChaCha20Poly1305_Init(&poly, zeros, zeros, CHACHA20_POLY1305_AEAD_ENCRYPT);
    ASSERT(err == 0);
    err = wc_ChaCha20Poly1305_UpdateData(&poly, zeros, zeros, sizeof(zeros));
    ASSERT(err == 0);
    err = wc_ChaCha20Poly1305_Final(&poly, zeros);
    ASSERT(err == 0);
}

static void wolf_destroy(struct tls_aead *aead)
{
    if (aead && aead->cipher != TLS_CIPHER_CHACHA20_POLY1305) {
        wc_AesFree(&aead->u.aes);
    }
    pool_free_wiped(aead);
}

static struct tls_aead *wolf_create(enum tls_cipher cipher, const unsigned char *key)
{
    (void)pthread_once(&warm_once, warm);
    if (cipher == TLS_CIPHER_CHACHA20_POLY1305) {
        struct tls_aead *chacha =
            pool_alloc(offsetof(struct tls_aead, u) + sizeof(chacha->u.chacha_key));
        if (chacha) {
            chacha->cipher = cipher;
            memcpy(chacha->u.chacha_key, key, sizeof(chacha->u.chacha_key));
        }
        return chacha;
    }
    struct tls_aead *aead = pool_zalloc(sizeof(*aead));
    if (!aead) {
        return NULL;
    }
    aead->cipher = cipher;
    if (wc_AesInit(&aead->u.aes, NULL, INVALID_DEVID) != 0 ||
        wc_AesGcmSetKey(&aead->u.aes, key, tls_cipher_key_bytes(cipher)) != 0) {
        wolf_destroy(aead);
        return NULL;
    }
    return aead;
}

static const byte *in_bytes(struct slice s)
{
    return (const byte *)s.ptr;
}

/* Text in pieces; a piece of nothing may have no address, which the library does not take. */
static int gcm_seal_stream(Aes *aes, const struct tls_aead_head *head, struct slice plain,
                           struct slice tail, byte *out)
{
    int err = wc_AesGcmEncryptInit(aes, NULL, 0, head->nonce, TLS_NONCE_BYTES);
    if (err == 0) {
        err = wc_AesGcmEncryptUpdate(aes, out, in_bytes(plain), (word32)plain.len,
                                     in_bytes(head->ad), (word32)head->ad.len);
    }
    if (err == 0 && tail.len > 0) {
        err = wc_AesGcmEncryptUpdate(aes, out + plain.len, in_bytes(tail), (word32)tail.len, NULL,
                                     0);
    }
    return err != 0 ? err : wc_AesGcmEncryptFinal(aes, out + plain.len + tail.len, TLS_TAG_BYTES);
}

static int gcm_seal(Aes *aes, const struct tls_aead_head *head, struct slice plain,
                    struct slice tail, byte *out)
{
    if (tail.len > 0 && plain.len > WOLF_COPY_BYTES_MAX) {
        return gcm_seal_stream(aes, head, plain, tail, out);
    }
    const byte *in = in_bytes(plain);
    size_t len = plain.len + tail.len;
    if (tail.len > 0) {
        if (plain.len > 0) {
            memmove(out, plain.ptr, plain.len); /* the same address is allowed */
        }
        memcpy(out + plain.len, tail.ptr, tail.len);
        in = out;
    }
    return wc_AesGcmEncrypt(aes, out, in, (word32)len, head->nonce, TLS_NONCE_BYTES, out + len,
                            TLS_TAG_BYTES, in_bytes(head->ad), (word32)head->ad.len);
}

static int chacha_start(ChaChaPoly_Aead *poly, const unsigned char *key,
                        const struct tls_aead_head *head, int direction)
{
    int err = wc_ChaCha20Poly1305_Init(poly, key, head->nonce, direction);
    return err != 0 ? err
                    : wc_ChaCha20Poly1305_UpdateAad(poly, in_bytes(head->ad), (word32)head->ad.len);
}

static int chacha_seal(const unsigned char *key, const struct tls_aead_head *head,
                       struct slice plain, struct slice tail, byte *out)
{
    ChaChaPoly_Aead poly; /* overwritten by _Final */
    int err = chacha_start(&poly, key, head, CHACHA20_POLY1305_AEAD_ENCRYPT);
    if (err == 0 && plain.len > 0) {
        err = wc_ChaCha20Poly1305_UpdateData(&poly, in_bytes(plain), out, (word32)plain.len);
    }
    if (err == 0 && tail.len > 0) {
        err = wc_ChaCha20Poly1305_UpdateData(&poly, in_bytes(tail), out + plain.len,
                                             (word32)tail.len);
    }
    int last = wc_ChaCha20Poly1305_Final(&poly, out + plain.len + tail.len);
    return err != 0 ? err : last;
}

static int wolf_seal(struct tls_aead *aead, const struct tls_aead_head *head, struct slice plain,
                     struct slice tail, char *out)
{
    byte *to = (byte *)out;
    int err = aead->cipher == TLS_CIPHER_CHACHA20_POLY1305
                  ? chacha_seal(aead->u.chacha_key, head, plain, tail, to)
                  : gcm_seal(&aead->u.aes, head, plain, tail, to);
    return err == 0 ? 0 : ERR_TLS_RECORD;
}

static int chacha_open(const unsigned char *key, const struct tls_aead_head *head, byte *bytes,
                       size_t len, const byte *tag)
{
    ChaChaPoly_Aead poly; /* overwritten by _Final */
    byte expected[CHACHA20_POLY1305_AEAD_AUTHTAG_SIZE] = {0};
    int err = chacha_start(&poly, key, head, CHACHA20_POLY1305_AEAD_DECRYPT);
    if (err == 0 && len > 0) {
        err = wc_ChaCha20Poly1305_UpdateData(&poly, bytes, bytes, (word32)len);
    }
    int last = wc_ChaCha20Poly1305_Final(&poly, expected);
    if (err == 0 && last == 0) {
        err = wc_ChaCha20Poly1305_CheckTag(expected, tag);
    }
    return err != 0 ? err : last;
}

static int wolf_open(struct tls_aead *aead, const struct tls_aead_head *head, char *bytes,
                     size_t len, const char *tag)
{
    byte *at = (byte *)bytes;
    int err;
    if (aead->cipher == TLS_CIPHER_CHACHA20_POLY1305) {
        err = chacha_open(aead->u.chacha_key, head, at, len, (const byte *)tag);
    } else {
        err = wc_AesGcmDecrypt(&aead->u.aes, at, at, (word32)len, head->nonce, TLS_NONCE_BYTES,
                               (const byte *)tag, TLS_TAG_BYTES, in_bytes(head->ad),
                               (word32)head->ad.len);
    }
    return err == 0 ? 0 : ERR_TLS_RECORD;
}

/* What the library was built with, and whether this processor has it: it decides alike. */
static bool wolf_is_accelerated(enum tls_cipher cipher)
{
#if defined(__x86_64__) && defined(WOLFSSL_AESNI)
    if (cipher != TLS_CIPHER_CHACHA20_POLY1305) {
        return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
    }
#endif
#if defined(__x86_64__) && defined(USE_INTEL_CHACHA_SPEEDUP)
    if (cipher == TLS_CIPHER_CHACHA20_POLY1305) {
        return __builtin_cpu_supports("avx");
    }
#endif
#if defined(__aarch64__) && defined(WOLFSSL_ARMASM)
    unsigned long has = getauxval(AT_HWCAP);
    return cipher == TLS_CIPHER_CHACHA20_POLY1305 ||
           ((has & HWCAP_AES) != 0 && (has & HWCAP_PMULL) != 0);
#endif
    (void)cipher;
    return false;
}

static int wolf_hmac(uint32_t hash_bytes, struct slice key, struct slice data, unsigned char *out)
{
    Hmac hmac;
    int hash = hash_bytes == WC_SHA384_DIGEST_SIZE ? WC_SHA384 : WC_SHA256;
    ASSERT(hash_bytes == WC_SHA384_DIGEST_SIZE || hash_bytes == WC_SHA256_DIGEST_SIZE);
    int err = wc_HmacInit(&hmac, NULL, INVALID_DEVID);
    if (err != 0) {
        return ERR_NOMEM;
    }
    err = wc_HmacSetKey(&hmac, hash, in_bytes(key), (word32)key.len);
    if (err == 0) {
        err = wc_HmacUpdate(&hmac, in_bytes(data), (word32)data.len);
    }
    if (err == 0) {
        err = wc_HmacFinal(&hmac, out);
    }
    wc_HmacFree(&hmac);
    explicit_bzero(&hmac, sizeof(hmac));
    return err == 0 ? 0 : ERR_NOMEM;
}

const struct tls_aead_ops tls_aead_wolfcrypt = {
    .create = wolf_create,
    .destroy = wolf_destroy,
    .seal = wolf_seal,
    .open = wolf_open,
    .is_accelerated = wolf_is_accelerated,
    .hmac = wolf_hmac,
};
