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
    uint32_t next; /* in its chain, SIP_MERGE_NIL = last */
    bool is_live;  /* false: forgotten, still in its chain until its turn to expire */
};

#define SIP_MERGE_NIL UINT32_MAX

struct sip_merge {
    struct sip_merge_entry *entries; /* owned; a ring in order of expiry */
    uint32_t *heads;                 /* owned; chains by hash */
    uint32_t entry_max;
    uint32_t head_mask;
    uint32_t oldest;
    uint32_t count;
};

void sip_merge_init(struct sip_merge *m, uint32_t entry_max);
void sip_merge_deinit(struct sip_merge *m);
/* True if it was new and is now kept until now_ms + SIP_MERGE_MS. now_ms never goes back. */
NODISCARD bool sip_merge_add(struct sip_merge *m, struct sip_merge_key key, uint64_t now_ms);
/* The request was refused: the same one may come again. */
void sip_merge_forget(struct sip_merge *m, struct sip_merge_key key);

#endif
