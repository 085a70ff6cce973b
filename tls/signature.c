/* SPDX-License-Identifier: GPL-2.0-or-later */
/* signature: see signature.h. RFC 8017 A.2.4, RFC 5758 3.2. */
#include "tls/signature.h"

#define OID_PKCS1(last) "\x2a\x86\x48\x86\xf7\x0d\x01\x01" last
#define OID_ECDSA(last) "\x2a\x86\x48\xce\x3d\x04\x03" last

const struct signature_ops *signature_ops_find(const char *backend_name)
{
    return strcmp(backend_name, "mbedtls") == 0 ? &signature_mbedtls : &signature_wolfssl;
}

uint32_t signature_digest_bytes(enum signature_digest kind)
{
    static const uint8_t bytes[] = {
        [SIGNATURE_SHA256] = 32, [SIGNATURE_SHA384] = 48, [SIGNATURE_SHA512] = 64};
    return bytes[kind];
}

bool signature_algorithm(struct der algorithm, struct signature *out)
{
    static const struct {
        struct slice oid;
        enum signature_key key;
        enum signature_digest kind;
    } known[] = {
        {SLICE_LIT(OID_PKCS1("\x0b")), SIGNATURE_RSA, SIGNATURE_SHA256},
        {SLICE_LIT(OID_PKCS1("\x0c")), SIGNATURE_RSA, SIGNATURE_SHA384},
        {SLICE_LIT(OID_PKCS1("\x0d")), SIGNATURE_RSA, SIGNATURE_SHA512},
        {SLICE_LIT(OID_ECDSA("\x02")), SIGNATURE_ECDSA, SIGNATURE_SHA256},
        {SLICE_LIT(OID_ECDSA("\x03")), SIGNATURE_ECDSA, SIGNATURE_SHA384},
        {SLICE_LIT(OID_ECDSA("\x04")), SIGNATURE_ECDSA, SIGNATURE_SHA512},
    };
    struct slice oid = der_need(&algorithm, DER_OID).content;
    for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
        if (slice_eq(oid, known[i].oid)) {
            out->key = known[i].key;
            out->kind = known[i].kind;
            return true;
        }
    }
    return false;
}
