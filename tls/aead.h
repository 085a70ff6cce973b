/* SPDX-License-Identifier: GPL-2.0-or-later */
/* aead: authenticated encryption with the linked libraries' primitives (wolfCrypt, mbedcrypto), one
 * table per backend. Never our own cipher code. Tags are 16 bytes. RFC 5116, 8439, SP 800-38D.
 * A struct tls_aead is an expanded key: about 1 KiB, of one thread at a time, made from the pool
 * of the calling thread (mbedcrypto adds 300 bytes of heap for AES), wiped when freed. No call on
 * one allocates.                                                                               */
#ifndef FG_TLS_AEAD_H
#define FG_TLS_AEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/slice.h"
#include "tls/keys.h"

#define TLS_TAG_BYTES 16u
#define TLS_NONCE_BYTES 12u

struct tls_aead;

/* What is not encrypted. */
struct tls_aead_head {
    unsigned char nonce[TLS_NONCE_BYTES]; /* once per key when sealing */
    struct slice ad;
};

struct tls_aead_ops {
    /* NULL without memory. */
    struct tls_aead *(*create)(enum tls_cipher cipher, const unsigned char *key);
    void (*destroy)(struct tls_aead *aead); /* NULL is fine */
    /* Encrypts plain and, as if they were one text, tail (at most one byte: the content type of TLS
     * 1.3, which stands behind a text that is not ours to write to). out gets both and the tag; out
     * may be plain.ptr, nothing else may overlap. 0 or ERR_TLS_RECORD.                         */
    NODISCARD int (*seal)(struct tls_aead *aead, const struct tls_aead_head *head,
                          struct slice plain, struct slice tail, char *out);
    /* In place: bytes[0..len) is ciphertext without its tag, which is at tag. ERR_TLS_RECORD when
     * the tag does not fit: bytes are then undefined and must not be used. */
    NODISCARD int (*open)(struct tls_aead *aead, const struct tls_aead_head *head, char *bytes,
                          size_t len, const char *tag);
    /* The processor's instructions are used for it (AES-NI, ARMv8 CE, AVX for ChaCha20). */
    bool (*is_accelerated)(enum tls_cipher cipher);
    /* HMAC for the key schedule; hash_bytes 32 = SHA-256, 48 = SHA-384; out has hash_bytes.
     * ERR_NOMEM: some libraries make their hash object on the heap. */
    NODISCARD int (*hmac)(uint32_t hash_bytes, struct slice key, struct slice data,
                          unsigned char *out);
};

extern const struct tls_aead_ops tls_aead_wolfcrypt;
extern const struct tls_aead_ops tls_aead_mbedcrypto;

#endif
