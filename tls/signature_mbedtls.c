/* SPDX-License-Identifier: GPL-2.0-or-later */
/* signature_mbedtls: signature.h on mbedTLS 2.28. */
#include "tls/signature.h"

#include <mbedtls/md.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

#include "tls/mbedtls_int.h"

static mbedtls_md_type_t md_of(enum signature_digest kind)
{
    static const mbedtls_md_type_t types[] = {[SIGNATURE_SHA256] = MBEDTLS_MD_SHA256,
                                              [SIGNATURE_SHA384] = MBEDTLS_MD_SHA384,
                                              [SIGNATURE_SHA512] = MBEDTLS_MD_SHA512};
    return types[kind];
}

static bool digest(enum signature_digest kind, struct slice data,
                   unsigned char out[SIGNATURE_DIGEST_BYTES_MAX])
{
    const mbedtls_md_info_t *md = mbedtls_md_info_from_type(md_of(kind));
    return md && mbedtls_md(md, (const unsigned char *)data.ptr, data.len, out) == 0;
}

/* Extensions are cert.c's business: whatever this library does not know must not stop it here. */
static int on_extension(void *ctx, mbedtls_x509_crt const *crt, mbedtls_x509_buf const *oid,
                        int critical, const unsigned char *p, const unsigned char *end)
{
    (void)ctx;
    (void)crt;
    (void)oid;
    (void)critical;
    (void)p;
    (void)end;
    return 0;
}

bool mbedtls_parse(mbedtls_x509_crt *crt, struct slice der)
{
    return mbedtls_x509_crt_parse_der_with_ext_cb(crt, (const unsigned char *)der.ptr, der.len, 0,
                                                  on_extension, NULL) == 0;
}

static bool verify(const struct signature *sig, struct slice certificate_der)
{
    bool is_rsa = sig->key == SIGNATURE_RSA;
    size_t bits_min = is_rsa ? MBED_KEY_BITS_RSA_MIN : MBED_KEY_BITS_EC_MIN;
    mbedtls_x509_crt crt;
    mbedtls_x509_crt_init(&crt);
    bool ok = mbedtls_parse(&crt, certificate_der) &&
              mbedtls_pk_get_type(&crt.pk) == (is_rsa ? MBEDTLS_PK_RSA : MBEDTLS_PK_ECKEY) &&
              mbedtls_pk_get_bitlen(&crt.pk) >= bits_min &&
              mbedtls_pk_verify(&crt.pk, md_of(sig->kind), sig->digest,
                                signature_digest_bytes(sig->kind),
                                (const unsigned char *)sig->bytes.ptr, sig->bytes.len) == 0;
    mbedtls_x509_crt_free(&crt);
    return ok;
}

const struct signature_ops signature_mbedtls = {digest, verify};
