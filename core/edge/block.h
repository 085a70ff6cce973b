/* SPDX-License-Identifier: GPL-2.0-or-later */
/* block: one stanza in our custody, serialised for the stream it will go out on. From the moment a
 * block exists until block_free, exactly one list, mailbox or variable owns it, and it ends in one
 * of two ways: written to the next hop (and confirmed, where that hop can confirm), or answered
 * with an error to its sender (bounce.h). A block is a mail, so it crosses shards as it is.
 * Memory: pool. The thread that holds it owns it.                                               */
#ifndef FG_EDGE_BLOCK_H
#define FG_EDGE_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/slice.h"
#include "engine/shard.h"

enum block_direction { BLOCK_TO_PARTNER, BLOCK_TO_COMPONENT };

/* Names a SIP server transaction that waits for our final response, on whatever shard it lives. */
struct sip_origin {
    uint64_t handle; /* 0 = the stanza did not come from SIP */
    uint32_t shard_idx;
};

/* An answer of ours to what was refused or cannot be delivered: no rule is asked about it. */
#define BLOCK_UNRULED UINT32_MAX

struct block {
    struct mail mail; /* first: a block travels as mail, and mail.link queues it */
    uint8_t direction; /* enum block_direction */
    uint8_t kind;      /* enum stanza_kind */
    bool may_bounce;   /* an undeliverable error or iq result is dropped, not answered */
    bool is_of_presence; /* undeliverable: presence_side is told, not an inside that asked */
    uint16_t local_len;
    uint16_t remote_len;
    uint32_t bytes_len;
    uint32_t generation; /* of the rules that let it pass (setup.h), or BLOCK_UNRULED */
    struct sip_origin sip;
    uint64_t created_ms; /* by the clock of the shard that made it; all shards share that clock */
    uint64_t start_offset; /* where its first byte stands in the stream it was written to */
    uint64_t number;       /* place among the stanzas written to that stream, from 1 */
    char data[];           /* local domain, remote domain (A-labels), stanza */
};

struct block_params {
    enum block_direction direction;
    uint8_t kind;
    bool may_bounce;
    bool is_of_presence;
    uint32_t generation; /* as in struct block; 0: it is judged again before it leaves */
    struct slice local;  /* our domain of the pair, A-label */
    struct slice remote; /* the partner's domain of the pair, A-label */
    struct slice bytes;  /* the stanza */
    struct sip_origin sip;
    uint64_t now_ms;
};

/* Copies everything. NULL: no memory. */
NODISCARD struct block *block_new(const struct block_params *params);
/* The same with room for bytes_max bytes instead of params.bytes, to be written to block_room() by
 * the caller, who then sets bytes_len. */
NODISCARD struct block *block_new_room(const struct block_params *params, size_t bytes_max);
void block_free(struct block *b);

static inline struct slice block_local(const struct block *b)
{
    return slice_make(b->data, b->local_len);
}
static inline struct slice block_remote(const struct block *b)
{
    return slice_make(b->data + b->local_len, b->remote_len);
}
static inline struct slice block_bytes(const struct block *b)
{
    return slice_make(b->data + b->local_len + b->remote_len, b->bytes_len);
}

static inline char *block_room(struct block *b)
{
    return b->data + b->local_len + b->remote_len;
}

/* First in, first out; owns its blocks. */
struct block_queue {
    struct list blocks;
    uint64_t bytes;
    uint32_t count;
};

void block_queue_init(struct block_queue *q);
void block_queue_push(struct block_queue *q, struct block *b);
void block_queue_push_front(struct block_queue *q, struct block *b);
/* NULL when empty; the caller owns the block. */
struct block *block_queue_pop(struct block_queue *q);
struct block *block_queue_pop_back(struct block_queue *q);
struct block *block_queue_peek(const struct block_queue *q);

#endif
