/* SPDX-License-Identifier: GPL-2.0-or-later */
/* crypto: the few primitives that the protocol rooms need (dialback keys, component handshake,
 * stream ids), as a table, because those rooms know no TLS library. tls/ fills it from the linked
 * library; tests and fuzzers may bring a deterministic one. Functions may be called by any
 * thread. */
#ifndef FG_BASE_CRYPTO_H
#define FG_BASE_CRYPTO_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define CRYPTO_SHA1_BYTES 20u
#define CRYPTO_SHA256_BYTES 32u

struct crypto {
    void (*sha1)(struct slice data, unsigned char out[CRYPTO_SHA1_BYTES]);
    void (*sha256)(struct slice data, unsigned char out[CRYPTO_SHA256_BYTES]);
    void (*hmac_sha256)(struct slice key, struct slice data,
                        unsigned char out[CRYPTO_SHA256_BYTES]);
    /* Unpredictable bytes; does not fail. */
    void (*random)(void *out, size_t len);
};

#endif
