/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record: the record protocol of TLS 1.2 and 1.3 after the handshake, AEAD suites only: one record
 * opened in place, plaintext sealed into as few records as hold it. RFC 8446 5, 5246 6.2, 7905.
 *
 * A record_side is one direction. Its expanded key (about 1 KiB) is made when needed and given back
 * by record_rest or when the thread holds RECORD_EXPANDED_MAX of them (one not used lately goes):
 * an idle connection keeps struct tls_keys only. Memory of the calling thread's pool. The list is
 * the thread's: record_rest before a side changes its thread, and before it is moved in memory. */
#ifndef FG_TLS_RECORD_H
#define FG_TLS_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/slice.h"
#include "tls/aead.h"
#include "tls/alert.h"
#include "tls/keys.h"

#define RECORD_HEADER_BYTES 5u
/* Plaintext, without content type and padding. RFC 8446 5.1. */
#define RECORD_PLAIN_MAX 16384u
/* Header, tag, inner type. */
#define RECORD_TLS13_BYTES_MORE (RECORD_HEADER_BYTES + 16u + 1u)
/* Body on the wire: what TLS 1.3 allows at most; our ciphers need 24 bytes over the plaintext. */
#define RECORD_BODY_MAX (RECORD_PLAIN_MAX + 256u)
/* Expanded keys per thread, half a MiB; making one anew takes 20 ns (AES-NI) to 250 ns. */
#define RECORD_EXPANDED_MAX 512u

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
    uint64_t count;                 /* records under this key; add what the kernel has done */
    bool is_recent;                 /* used since the list was last searched for one to give back */
};

/* Copies keys. */
void record_side_init(struct record_side *side, const struct tls_aead_ops *ops,
                      const struct tls_keys *keys);
/* Wipes. */
void record_side_deinit(struct record_side *side);
/* Gives the expanded key back. */
void record_rest(struct record_side *side);
/* Expanded keys that the calling thread holds. */
uint32_t record_expanded_count(void);

/* How many bytes the record at the head of in needs in all: 0 = header not complete yet, else
 * header + body (which may be more than in.len). ERR_TLS_RECORD with *alert when the header is
 * impossible for this side: type, version, length. Looks at the header only. */
NODISCARD int record_need(const struct record_side *side, struct slice in, size_t *need,
                          uint8_t *alert);

/* Opens the one whole record at bytes (len = what record_need said). *plain points into bytes;
 * padding is off. ERR_TLS_RECORD and *alert (bad_record_mac, record_overflow, unexpected_message):
 * nothing of the record is left in bytes, the connection has to end. ERR_NOMEM: nothing was done.
 * An empty application record is allowed; an empty one of another type is not.                  */
NODISCARD int record_open(struct record_side *side, char *bytes, size_t len, uint8_t *type,
                          struct slice *plain, uint8_t *alert);

/* Appends plain as records of at most plain_max bytes each (<= RECORD_PLAIN_MAX). Empty plain: one
 * empty record. plain may not be in out. ERR_NOMEM, ERR_TLS_RECORD (the library failed),
 * ERR_TLS_WORN (key used up): nothing was appended.                                            */
NODISCARD int record_seal(struct record_side *side, uint8_t type, struct slice plain,
                          size_t plain_max, struct buf *out);
/* Bytes that record_seal appends for len bytes of plaintext. */
size_t record_sealed_bytes(const struct record_side *side, size_t len, size_t plain_max);

/* Plaintext, padding and inner type not counted, of one record of record_seal's that takes so many
 * bytes with its header. 0 for less than any takes. */
size_t record_plain_bytes(const struct record_side *side, size_t sealed);

/* Usage limits per key, RFC 8446 5.5, RFC 9147 4.5.3: AES-GCM 2^24.5 records; ChaCha20-Poly1305
 * none within the sequence number. From soft on a new key is due; at hard sealing stops, so that a
 * peer that does not let us change keys cannot make us go on. Tests may lower them. */
struct record_limits {
    uint64_t gcm_soft;
    uint64_t gcm_hard;
};
extern struct record_limits record_limits;
/* A new key, or a new connection, is due. */
bool record_is_worn(const struct record_side *side);
/* Nothing more may be sealed with this key. */
bool record_is_spent(const struct record_side *side);

/* TLS 1.3: the next generation of keys (RFC 8446 7.2), sequence 0. ERR_UNSUPPORTED without the
 * secret or in TLS 1.2; ERR_NOMEM: the old keys are still there. */
NODISCARD int record_update(struct record_side *side);
/* HKDF-Expand-Label (RFC 8446 7.1) with an empty context; label without "tls13 ". secret is as long
 * as its hash, which out may not be longer than. */
NODISCARD int record_expand_label(const struct tls_aead_ops *ops, struct slice secret,
                                  const char *label, unsigned char *out, size_t out_len);
/* key and iv from secret, for a fresh traffic secret; seq 0. */
NODISCARD int record_keys_from_secret(const struct tls_aead_ops *ops, struct tls_keys *keys);

#endif
