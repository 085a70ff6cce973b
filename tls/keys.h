/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keys: what protects the records of one direction, as the library leaves it after the handshake.
 * One struct per direction, wiped by whoever drops it: tls_keys_wipe. RFC 8446 7.3, 5246 6.3, 5288,
 * 7905. No lock, plain memory: it moves with its connection. */
#ifndef FG_TLS_KEYS_H
#define FG_TLS_KEYS_H

#include <stdint.h>

enum tls_cipher {
    TLS_CIPHER_AES_128_GCM, /* TLS 1.3: SHA-256 */
    TLS_CIPHER_AES_256_GCM, /* SHA-384 */
    TLS_CIPHER_CHACHA20_POLY1305, /* SHA-256 */
    TLS_CIPHER_COUNT
};

/* As on the wire. */
enum tls_version { TLS_VERSION_1_2 = 0x0303, TLS_VERSION_1_3 = 0x0304 };

enum tls_direction { TLS_IN, TLS_OUT, TLS_DIRECTION_COUNT };

#define TLS_KEY_BYTES_MAX 32u
#define TLS_IV_BYTES 12u
/* Of AES-GCM in TLS 1.2: the implicit part, the first bytes of iv. */
#define TLS_SALT_BYTES 4u
#define TLS_SECRET_BYTES_MAX 48u

struct tls_keys {
    uint16_t version; /* enum tls_version */
    uint8_t cipher;   /* enum tls_cipher */
    /* Of the traffic secret (TLS 1.3) in secret[]: 32 or 48; 0 = the library did not give it out,
     * so that a KeyUpdate cannot be followed. */
    uint8_t secret_len;
    uint64_t seq; /* of the next record */
    unsigned char key[TLS_KEY_BYTES_MAX]; /* tls_cipher_key_bytes() of them */
    unsigned char iv[TLS_IV_BYTES];
    unsigned char secret[TLS_SECRET_BYTES_MAX];
};

uint32_t tls_cipher_key_bytes(enum tls_cipher cipher);
void tls_keys_wipe(struct tls_keys *keys);

#endif
