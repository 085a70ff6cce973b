/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip_ground: one SIP connection to one next hop without shard, sockets and policy, for tests of
 * what lies between transactions and presence: what is written stands in a buffer, what is told to
 * presence in a list. The engine's and the leg's functions that are used stand in sip_ground.c and
 * take the place of the real ones at the linking. Transactions are real. One at a time. */
#ifndef FG_TEST_SIP_GROUND_H
#define FG_TEST_SIP_GROUND_H

#include "edge/edge.h"
#include "edge/sip_int.h"

#define GROUND_TOLD_MAX 8192u

struct ground_told {
    const void *call;
    enum sip_outcome outcome;
    unsigned status;
    bool has_response;
};

struct ground {
    struct edge e;
    struct sip_side side;
    struct sip_conn conn;
    struct sip_peer peer;
    struct wheel wheel;
    uint64_t now_ms;
    struct buf out;
    bool is_crowded, has_no_peer, may_failover;
    uint32_t flushes, needs, failovers;
    struct ground_told told[GROUND_TOLD_MAX];
    uint32_t told_count;
    char news[256]; /* " +pool" or " -pool": what presence was told of next hops */
};
extern struct ground ground;

/* The next hop "pool" is UP. */
void ground_init(void);
void ground_deinit(void);
void ground_run(uint64_t ms);

#endif
