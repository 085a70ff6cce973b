/* SPDX-License-Identifier: GPL-2.0-or-later */
/* merge: which requests (Call-ID, CSeq, From tag) were seen in the last 32 s, so that a copy that
 * took another way is answered 482 and not delivered twice (RFC 3261 8.2.2.2). Private to the room.
 * Bounded: when full, the oldest is forgotten early. Memory: heap, at init. One thread.          */
#ifndef FG_SIP_MERGE_H
#define FG_SIP_MERGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct sip_merge_key {
    uint64_t half[2]; /* keyed hashes: a peer can neither choose nor guess them */
};

struct sip_merge_entry {
    struct sip_merge_key key;
    uint64_t expire_ms;
    bool is_live; /* false: forgotten, has no place; in the ring until its turn to expire */
};

struct sip_merge_place {
    uint32_t tag;   /* the low bits of the key's first half */
    uint32_t entry; /* its index + 1; 0 = free */
};

struct sip_merge {
    struct sip_merge_entry *entries; /* owned; a ring in order of expiry */
    struct sip_merge_place *places;  /* owned; by hash */
    uint32_t entry_max;
    uint32_t place_mask;
    uint32_t oldest;
    uint32_t count;
};

void sip_merge_init(struct sip_merge *m, uint32_t entry_max);
void sip_merge_deinit(struct sip_merge *m);
/* Has the memory fetched that adding the key will look at; changes nothing. */
void sip_merge_prefetch(const struct sip_merge *m, struct sip_merge_key key);
/* True if it was new and is now kept until now_ms + SIP_MERGE_MS. now_ms never goes back. */
NODISCARD bool sip_merge_add(struct sip_merge *m, struct sip_merge_key key, uint64_t now_ms);
/* The request was refused: the same one may come again. */
void sip_merge_forget(struct sip_merge *m, struct sip_merge_key key);

#endif
