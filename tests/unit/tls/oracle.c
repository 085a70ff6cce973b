/* SPDX-License-Identifier: GPL-2.0-or-later */
/* oracle: see the header. */
#include "oracle.h"

#include <criterion/criterion.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <string.h>

void oracle_seal(enum tls_cipher cipher, const unsigned char *key, const struct tls_aead_head *head,
                 struct slice plain, char *out)
{
    const EVP_CIPHER *type = cipher == TLS_CIPHER_AES_128_GCM   ? EVP_aes_128_gcm()
                             : cipher == TLS_CIPHER_AES_256_GCM ? EVP_aes_256_gcm()
                                                                : EVP_chacha20_poly1305();
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int len;
    cr_assert_eq(EVP_EncryptInit_ex(ctx, type, NULL, key, head->nonce), 1);
    cr_assert_eq(EVP_EncryptUpdate(ctx, NULL, &len, (const unsigned char *)head->ad.ptr,
                                   (int)head->ad.len), 1);
    cr_assert_eq(EVP_EncryptUpdate(ctx, (unsigned char *)out, &len,
                                   (const unsigned char *)plain.ptr, (int)plain.len), 1);
    cr_assert_eq(EVP_EncryptFinal_ex(ctx, (unsigned char *)out + len, &len), 1);
    cr_assert_eq(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TLS_TAG_BYTES, out + plain.len),
                 1);
    EVP_CIPHER_CTX_free(ctx);
}

void oracle_hmac(uint32_t hash_bytes, struct slice key, struct slice data, unsigned char *out)
{
    const EVP_MD *hash = hash_bytes == 32 ? EVP_sha256() : EVP_sha384();
    unsigned len = 0;
    cr_assert_not_null(HMAC(hash, key.ptr, (int)key.len, (const unsigned char *)data.ptr, data.len,
                            out, &len));
    cr_assert_eq(len, hash_bytes);
}

void oracle_expand(struct slice secret, const char *label, unsigned char *out, size_t len)
{
    char prefix[] = "tls13 ";
    char name[32];
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    unsigned char key[48];
    memcpy(key, secret.ptr, secret.len);
    (void)snprintf(name, sizeof(name), "%s", label);
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS13-KDF", NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
    cr_assert_not_null(ctx);
    char digest[8];
    (void)snprintf(digest, sizeof(digest), "SHA%d", secret.len == 32 ? 256 : 384);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key, secret.len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PREFIX, prefix, strlen(prefix)),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_LABEL, name, strlen(name)),
        OSSL_PARAM_construct_end(),
    };
    cr_assert_eq(EVP_KDF_derive(ctx, out, len, params), 1);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
}
