/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keys: what each cipher needs, and the end of a key. */
#include "tls/keys.h"

#include <string.h>

#include "base/attr.h"
#include "base/check.h"

uint32_t tls_cipher_key_bytes(enum tls_cipher cipher)
{
    static const uint8_t key_bytes[TLS_CIPHER_COUNT] = {
        [TLS_CIPHER_AES_128_GCM] = 16,
        [TLS_CIPHER_AES_256_GCM] = 32,
        [TLS_CIPHER_CHACHA20_POLY1305] = 32,
    };
    ASSERT((uint32_t)cipher < TLS_CIPHER_COUNT);
    return key_bytes[cipher];
}

void tls_keys_wipe(struct tls_keys *keys)
{
    explicit_bzero(keys, sizeof(*keys));
}
