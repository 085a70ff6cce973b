/* SPDX-License-Identifier: GPL-2.0-or-later */
/* signature_wolfssl: signature.h on wolfSSL 5.5. */
#include "tls/signature.h"

#include <wolfssl/options.h>

#include <wolfssl/openssl/evp.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/hash.h>

#define WOLF_KEY_BITS_RSA_MIN 2048
#define WOLF_KEY_BITS_EC_MIN  256

static bool digest(enum signature_digest kind, struct slice data,
                   unsigned char out[SIGNATURE_DIGEST_BYTES_MAX])
{
    static const enum wc_HashType types[] = {[SIGNATURE_SHA256] = WC_HASH_TYPE_SHA256,
                                             [SIGNATURE_SHA384] = WC_HASH_TYPE_SHA384,
                                             [SIGNATURE_SHA512] = WC_HASH_TYPE_SHA512};
    return wc_Hash(types[kind], (const unsigned char *)data.ptr, (word32)data.len, out,
                   signature_digest_bytes(kind)) == 0;
}

/* wolfSSL_EVP_PKEY_verify of 5.5.4 takes a digest for all that RSA signed, without DigestInfo. */
static bool verify_rsa(const struct signature *sig, WOLFSSL_EVP_PKEY *key)
{
    static const int nids[] = {[SIGNATURE_SHA256] = NID_sha256,
                               [SIGNATURE_SHA384] = NID_sha384,
                               [SIGNATURE_SHA512] = NID_sha512};
    return wolfSSL_RSA_verify(nids[sig->kind], sig->digest, signature_digest_bytes(sig->kind),
                              (const unsigned char *)sig->bytes.ptr, (unsigned)sig->bytes.len,
                              wolfSSL_EVP_PKEY_get0_RSA(key)) == WOLFSSL_SUCCESS;
}

static bool verify_ecdsa(const struct signature *sig, WOLFSSL_EVP_PKEY *key)
{
    WOLFSSL_EVP_PKEY_CTX *ctx = wolfSSL_EVP_PKEY_CTX_new(key, NULL);
    bool ok = ctx && wolfSSL_EVP_PKEY_verify_init(ctx) == WOLFSSL_SUCCESS &&
              wolfSSL_EVP_PKEY_verify(ctx, (const unsigned char *)sig->bytes.ptr, sig->bytes.len,
                                      sig->digest, signature_digest_bytes(sig->kind)) ==
                  WOLFSSL_SUCCESS;
    wolfSSL_EVP_PKEY_CTX_free(ctx);
    return ok;
}

static bool verify_with(const struct signature *sig, WOLFSSL_EVP_PKEY *key)
{
    bool is_rsa = sig->key == SIGNATURE_RSA;
    if (wolfSSL_EVP_PKEY_base_id(key) != (is_rsa ? EVP_PKEY_RSA : EVP_PKEY_EC) ||
        wolfSSL_EVP_PKEY_bits(key) < (is_rsa ? WOLF_KEY_BITS_RSA_MIN : WOLF_KEY_BITS_EC_MIN)) {
        return false;
    }
    return is_rsa ? verify_rsa(sig, key) : verify_ecdsa(sig, key);
}

static bool verify(const struct signature *sig, struct slice certificate_der)
{
    const unsigned char *at = (const unsigned char *)certificate_der.ptr;
    WOLFSSL_X509 *x509 = wolfSSL_d2i_X509(NULL, &at, (int)certificate_der.len);
    WOLFSSL_EVP_PKEY *key = x509 ? wolfSSL_X509_get_pubkey(x509) : NULL;
    bool ok = key && verify_with(sig, key);
    wolfSSL_EVP_PKEY_free(key);
    wolfSSL_X509_free(x509);
    return ok;
}

const struct signature_ops signature_wolfssl = {digest, verify};
