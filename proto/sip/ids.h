/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ids: branch, tag and Call-ID values (RFC 3261 8.1.1.4, 8.1.1.7, 19.3) without a system call per
 * message: a secret drawn once and a counter go through a keyed hash, so values neither repeat nor
 * can be guessed by a peer. One generator per shard; one thread.                                 */
#ifndef FG_SIP_IDS_H
#define FG_SIP_IDS_H

#include <stdint.h>

#include "base/crypto.h"
#include "base/hash.h"
#include "base/slice.h"
#include "sip/limits.h"

struct sip_ids {
    struct hash_key key[2];
    uint64_t counter;
};

struct sip_id {
    char text[SIP_ID_BYTES]; /* NUL-terminated */
    uint8_t len;
};

static inline struct slice sip_id_slice(const struct sip_id *id)
{
    return slice_make(id->text, id->len);
}

/* Draws the secret; the only use of crypto. */
void sip_ids_init(struct sip_ids *ids, const struct crypto *crypto);
/* For tests: the same seed gives the same values. */
void sip_ids_init_seeded(struct sip_ids *ids, uint64_t seed);

struct sip_id sip_ids_branch(struct sip_ids *ids);  /* z9hG4bK + 32 hex digits */
struct sip_id sip_ids_tag(struct sip_ids *ids);     /* 16 hex digits */
struct sip_id sip_ids_call_id(struct sip_ids *ids); /* 32 hex digits, no host part */
/* The same text for the same input while the generator lives, unguessable: for a To tag that
 * must be equal in all responses to one request (RFC 3261 8.2.6.2).                             */
struct sip_id sip_ids_tag_of(const struct sip_ids *ids, struct slice what);

#endif
