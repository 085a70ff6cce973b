/* SPDX-License-Identifier: GPL-2.0-or-later */
/* txn_int: the transaction table from inside; private to the room. */
#ifndef FG_SIP_TXN_INT_H
#define FG_SIP_TXN_INT_H

#include "sip/checks.h"
#include "sip/merge.h"
#include "sip/transaction.h"
#include "sip/write.h"

#define SIP_TXNS_MAGIC      0x53495054u /* "SIPT" */
#define SIP_TXN_DEFAULT_MAX 65536u
#define SIP_STEM_BYTES_MAX  (SIP_HEAD_BYTES_MAX * 2u) /* unfolded Via fields, one per line */

/* Places that refs name; what they point to is a client or a server transaction. */
struct sip_slot {
    void *txn;           /* NULL = free */
    uint32_t generation; /* of the transaction in it, or of the next one; never 0 */
    uint32_t next_free;
};

struct sip_slots {
    struct sip_slot *slots; /* owned, heap */
    uint32_t slot_count;
    uint32_t free_first; /* UINT32_MAX = none */
    uint32_t used_count;
    uint32_t used_max;
};

/* Transactions by what matches them. The hashes are given by the caller and are such that no peer
 * can choose them: keyed, or of values that only this node makes.                                */
struct sip_node {
    uint64_t hash;
};

/* The hash beside the pointer: only who matches is looked at, as under load the transactions are
 * more than the processor's caches hold.                                                         */
struct sip_place {
    uint64_t hash;
    struct sip_node *node; /* borrowed; NULL = free */
};

struct sip_index {
    struct sip_place *places; /* owned, heap; linear probing, half of them free */
    uint32_t place_count;     /* power of two, or 0 */
    uint32_t count;
};

struct sip_txns {
    uint32_t magic;
    const struct sip_txn_ops *ops; /* borrowed */
    struct wheel *wheel;           /* borrowed */
    struct sip_ids *ids;           /* borrowed */
    struct sip_slots clients;
    struct sip_slots servers;
    struct sip_index client_by_branch;
    struct sip_index server_by_key;
    struct sip_merge merge;
    struct sip_keys keys; /* of the request in hand */
    struct sip_merge_key merge_key;
    struct buf scratch; /* response stem being made: */
    struct sip_id stem_tag;
    uint32_t stem_len; /* without the Timestamp line */
    struct sip_txn_stats stats;
};

/* Life of a server transaction, RFC 3261 17.2; the names are its. Confirmed and Terminated last no
 * time on a reliable transport: the object is gone.                                              */
enum sip_server_state { SIP_SERVER_TRYING, SIP_SERVER_PROCEEDING, SIP_SERVER_COMPLETED };

void sip_slots_init(struct sip_slots *s, uint32_t used_max);
void sip_slots_deinit(struct sip_slots *s);
/* False when full. */
NODISCARD bool sip_slots_take(struct sip_slots *s, void *txn, struct sip_txn_ref *ref);
void sip_slots_give(struct sip_slots *s, struct sip_txn_ref ref);
/* NULL when stale. */
void *sip_slots_get(const struct sip_slots *s, struct sip_txn_ref ref);

void sip_index_deinit(struct sip_index *x);
void sip_index_add(struct sip_index *x, struct sip_node *node, uint64_t hash);
/* It must be there. */
void sip_index_remove(struct sip_index *x, struct sip_node *node);
void sip_index_prefetch(const struct sip_index *x, uint64_t hash);
/* The first one with this hash that matches; NULL = none. */
typedef bool sip_match_fn(const struct sip_node *node, const void *what);
struct sip_node *sip_index_find(const struct sip_index *x, uint64_t hash, sip_match_fn *match,
                                const void *what);

/* RFC 3261 17.2.3. The method is left to the caller: ACK and CANCEL look for another's entry.
 * Without the cookie the parts are those of RFC 2543, To tag left out (an ACK has gained one).   */
void sip_txn_key(const struct sip_ids *ids, const struct sip_msg *m, const struct sip_keys *keys,
                 uint64_t out[2]);
/* RFC 3261 8.2.2.2: Call-ID, CSeq, From tag. */
struct sip_merge_key sip_txn_merge_key(const struct sip_ids *ids, const struct sip_keys *keys);

/* Ends all transactions of a link or of the table. */
void sip_clients_link_down(struct sip_txns *t, struct sip_link *link, int err);
void sip_servers_link_down(struct sip_link *link);
void sip_clients_free_all(struct sip_txns *t);
void sip_servers_free_all(struct sip_txns *t);

#endif
