/* SPDX-License-Identifier: GPL-2.0-or-later */
/* signature: signatures over a digest that was made earlier, so that whoever keeps a long signed
 * text for its check needs to keep the digest only. RSA (PKCS #1 v1.5) and ECDSA with SHA-2. The
 * work is the library's: one table per backend. Any thread. */
#ifndef FG_TLS_SIGNATURE_H
#define FG_TLS_SIGNATURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/slice.h"
#include "tls/der.h"

enum signature_key { SIGNATURE_RSA, SIGNATURE_ECDSA };
enum signature_digest { SIGNATURE_SHA256, SIGNATURE_SHA384, SIGNATURE_SHA512 };

#define SIGNATURE_DIGEST_BYTES_MAX 64u

struct signature {
    enum signature_key key;
    enum signature_digest kind;
    unsigned char digest[SIGNATURE_DIGEST_BYTES_MAX]; /* signature_digest_bytes() of them */
    struct slice bytes; /* borrowed; ECDSA: as DER */
};

struct signature_ops {
    /* False = the library failed. */
    bool (*digest)(enum signature_digest kind, struct slice data,
                   unsigned char out[SIGNATURE_DIGEST_BYTES_MAX]);
    /* Whether it was made with the key of the certificate, which must not be a weak one. */
    bool (*verify)(const struct signature *sig, struct slice certificate_der);
};

extern const struct signature_ops signature_wolfssl;
extern const struct signature_ops signature_mbedtls;

/* Of the backend of that name. */
const struct signature_ops *signature_ops_find(const char *backend_name);
uint32_t signature_digest_bytes(enum signature_digest kind);
/* algorithm: behind the head of an AlgorithmIdentifier; sets key and kind. False = another one. */
bool signature_algorithm(struct der algorithm, struct signature *out);

#endif
