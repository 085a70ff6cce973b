/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record: the record protocol of TLS 1.2 and 1.3 after the handshake, AEAD suites only: one record
 * opened in place, plaintext sealed into as few records as hold it. RFC 8446 5, 5246 6.2, 7905.
 *
 * A record_side is one direction. Its expanded key (about 1 KiB) is made when needed and given back by
 * record_rest or when the thread holds too many (least recently used first): an idle connection
 * keeps struct tls_keys only. Memory of the calling thread's pool; before a side changes its thread,
 * record_rest.                                                                                 */
#ifndef FG_TLS_RECORD_H
#define FG_TLS_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/slice.h"
#include "tls/aead.h"
#include "tls/keys.h"

#define RECORD_HEADER_BYTES 5u
/* Plaintext, without content type and padding. RFC 8446 5.1. */
#define RECORD_PLAIN_MAX 16384u
/* Body on the wire: TLS 1.3 allows 256 bytes more than plaintext, TLS 1.2 here 24. */
#define RECORD_BODY_MAX (RECORD_PLAIN_MAX + 256u)

enum record_type {
    RECORD_CHANGE_CIPHER_SPEC = 20,
    RECORD_ALERT = 21,
    RECORD_HANDSHAKE = 22,
    RECORD_APPLICATION_DATA = 23,
};

struct record_side {
    struct tls_keys keys;
    const struct tls_aead_ops *ops; /* borrowed for ever */
    struct tls_aead *aead;          /* owned; NULL = resting */
    struct list link;               /* in the thread's list of expanded keys while aead is there */
    uint64_t count;                 /* records under this key */
};

/* Copies keys. */
void record_side_init(struct record_side *side, const struct tls_aead_ops *ops,
                      const struct tls_keys *keys);
/* Wipes. */
void record_side_deinit(struct record_side *side);
/* Gives the expanded key back. */
void record_rest(struct record_side *side);

/* How many bytes the record at the head of in needs in all: 0 = header not complete yet, else
 * header + body (which may be more than in.len). ERR_TLS_RECORD with *alert when the header is
 * impossible for this side: type, version, length (record_overflow). Looks at the header only. */
NODISCARD int record_need(const struct record_side *side, struct slice in, size_t *need,
                          uint8_t *alert);

/* Opens the one whole record at bytes (len = what record_need said). *plain points into bytes;
 * padding is off. ERR_TLS_RECORD and *alert (bad_record_mac, record_overflow, unexpected_message,
 * decode_error). An empty application record is allowed; an empty one of another type is not. */
NODISCARD int record_open(struct record_side *side, char *bytes, size_t len, uint8_t *type,
                          struct slice *plain, uint8_t *alert);

/* Appends plain as records of at most plain_max bytes each (<= RECORD_PLAIN_MAX). Empty plain: one empty
 * record. ERR_NOMEM (nothing usable was appended), ERR_TLS_RECORD, ERR_TLS_WORN (key used up). */
NODISCARD int record_seal(struct record_side *side, uint8_t type, struct slice plain,
                          size_t plain_max, struct buf *out);
/* Bytes that record_seal appends for len bytes of plaintext. */
size_t record_sealed_bytes(const struct record_side *side, size_t len, size_t plain_max);

/* Usage limits per key, RFC 8446 5.5, RFC 9147 4.5.3: AES-GCM 2^24 records (2^24.5 is the bound),
 * ChaCha20-Poly1305 none within the sequence number. From soft on a new key is due; at hard sealing stops.
 * Tests may lower them. */
struct record_limits {
    uint64_t gcm_soft;
    uint64_t gcm_hard;
};
extern struct record_limits record_limits;
/* A new key, or a new connection, is due. */
bool record_is_worn(const struct record_side *side);

/* TLS 1.3: the next generation of keys (RFC 8446 7.2), sequence 0. ERR_UNSUPPORTED without the secret
 * or in TLS 1.2. */
NODISCARD int record_update(struct record_side *side);
/* HKDF-Expand-Label (RFC 8446 7.1) with an empty context; label without "tls13 ". */
void record_expand_label(const struct tls_aead_ops *ops, struct slice secret, const char *label,
                         unsigned char *out, size_t out_len);
/* key and iv from secret, for a fresh traffic secret; seq 0. */
void record_keys_from_secret(const struct tls_aead_ops *ops, struct tls_keys *keys);

#endif
