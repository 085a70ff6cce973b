/* SPDX-License-Identifier: GPL-2.0-or-later */
/* txn_server_int: one server transaction from inside, shared by txn_server.c (requests as they
 * come) and txn_server_life.c (what happens to one after that). */
#ifndef FG_SIP_TXN_SERVER_INT_H
#define FG_SIP_TXN_SERVER_INT_H

#include <stddef.h>

#include "sip/txn_int.h"

struct sip_server {
    struct sip_node node;     /* first: in server_by_key */
    uint64_t key[2];          /* keyed hashes, of which the first is the node's */
    struct sip_txns *table;   /* borrowed */
    struct sip_link *link;    /* borrowed until sip_link_down, then NULL */
    struct list link_node;    /* in link->servers */
    struct wheel_timer timer; /* 100, then the end of patience; timer H when completed */
    void *owner;              /* borrowed */
    uint64_t answer_by_ms;
    struct sip_txn_ref ref;
    struct sip_merge_key merge_key;
    enum sip_server_state state;
    enum sip_method method;
    struct sip_id to_tag;
    bool is_merge_kept;
    uint32_t stem_len;      /* response lines copied from the request */
    uint32_t timestamp_len; /* behind them: the Timestamp line, for 100 only */
    char stem[];
};

STATIC_ASSERT(offsetof(struct sip_server, node) == 0, "a node is its transaction");

/* The timer of a new one: 100 is due. */
void sip_server_on_trying(struct wheel_timer *timer, void *ctx);
/* Sends the final response; afterwards the transaction is gone or, an INVITE, waits for its ACK. */
int sip_server_finish(struct sip_server *s, const struct sip_answer *a, uint64_t now_ms);
/* Ends and frees it; nobody is told. */
void sip_server_discard(struct sip_server *s);

#endif
