/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keys: what each cipher needs, and the end of a key. */
#include "tls/keys.h"

#include <string.h>

#include "base/attr.h"
#include "base/check.h"

static const struct {
    const char *name;
    uint32_t key_bytes;
} ciphers[TLS_CIPHER_COUNT] = {
    [TLS_CIPHER_AES_128_GCM] = {"AES-128-GCM", 16},
    [TLS_CIPHER_AES_256_GCM] = {"AES-256-GCM", 32},
    [TLS_CIPHER_CHACHA20_POLY1305] = {"CHACHA20-POLY1305", 32},
};

uint32_t tls_cipher_key_bytes(enum tls_cipher cipher)
{
    ASSERT((uint32_t)cipher < TLS_CIPHER_COUNT);
    return ciphers[cipher].key_bytes;
}

const char *tls_cipher_name(enum tls_cipher cipher)
{
    ASSERT((uint32_t)cipher < TLS_CIPHER_COUNT);
    return ciphers[cipher].name;
}

void tls_keys_wipe(struct tls_keys *keys)
{
    explicit_bzero(keys, sizeof(*keys));
}
