/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip_ground: the shard, the connection and the next hop that a test says there are. */
#include "sip_ground.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "edge/presence_side.h"
#include "engine/conn.h"
#include "engine/shard.h"

#define START_MS  1000u
#define OUT_BYTES (1u << 20)

struct ground ground;

/* --- the engine's ----------------------------------------------------------------------------- */

uint64_t shard_now_ms(const struct shard *sh)
{
    (void)sh;
    return ground.now_ms;
}

void shard_timer_arm(struct shard *sh, struct wheel_timer *t, uint64_t delay_ms,
                     wheel_fire_fn *fire, void *ctx)
{
    (void)sh;
    wheel_arm(&ground.wheel, t, ground.now_ms + delay_ms, fire, ctx);
}

void shard_timer_disarm(struct shard *sh, struct wheel_timer *t)
{
    (void)sh;
    wheel_disarm(&ground.wheel, t);
}

struct buf *conn_out(struct conn *c)
{
    (void)c;
    return &ground.out;
}

bool conn_out_is_crowded(const struct conn *c)
{
    (void)c;
    return ground.is_crowded;
}

void conn_flush(struct conn *c)
{
    (void)c;
    ground.flushes++;
}

/* --- the leg's -------------------------------------------------------------------------------- */

const struct sip_own *sip_own(struct sip_side *s, bool is_tls)
{
    static const char name[] = "edge.corp.test:5061";
    struct sip_own *own = &s->own[is_tls];

    own->len = sizeof(name) - 1;
    memcpy(own->text, name, own->len);
    return own;
}

struct sip_peer *sip_peer_of(struct sip_side *s, const struct next_hop *hop)
{
    (void)s;
    (void)hop;
    return ground.has_no_peer ? NULL : &ground.peer;
}

void sip_peer_need(struct sip_peer *p)
{
    ASSERT(p == &ground.peer);
    ground.needs++;
}

bool sip_peer_may_failover(const struct sip_peer *p)
{
    (void)p;
    return ground.may_failover;
}

void sip_peer_failover(struct sip_peer *p, const char *why)
{
    ASSERT(why[0] != '\0');
    p->state = SIP_PEER_DIALLING;
    ground.failovers++;
}

/* --- presence --------------------------------------------------------------------------------- */

void presence_side_response(struct presence_side *ps, struct presence_call *call,
                            enum sip_outcome outcome, unsigned status,
                            const struct sip_msg *response)
{
    (void)ps;
    ASSERT(ground.told_count < GROUND_TOLD_MAX);
    ground.told[ground.told_count++] =
        (struct ground_told){call, outcome, status, response != NULL};
}

void presence_side_hop_seen(struct presence_side *ps, struct slice hop, enum presence_hop_news what)
{
    size_t len = strlen(ground.news);

    (void)ps;
    (void)snprintf(ground.news + len, sizeof(ground.news) - len, " %c%.*s",
                   "-*+"[what], SLICE_FMT(hop));
}

/* --- life ------------------------------------------------------------------------------------- */

static struct buf *out_of(struct sip_link *link)
{
    return link->is_up ? &ground.out : NULL;
}

static void flush(struct sip_link *link)
{
    (void)link;
}

static void client_done(void *owner, const struct sip_client_done *done)
{
    sip_req_done(owner, done);
}

static void server_ended(struct sip_txn_ref ref, void *owner, enum sip_server_end why)
{
    (void)ref;
    (void)owner;
    (void)why;
}

void ground_init(void)
{
    static const struct sip_txn_ops ops = {
        .out = out_of, .flush = flush, .client_done = client_done, .server_ended = server_ended};
    struct sip_txns_params params = {.ops = &ops};

    ground = (struct ground){.now_ms = START_MS};
    wheel_init(&ground.wheel, ground.now_ms);
    buf_init(&ground.out, OUT_BYTES);
    ground.side.e = &ground.e;
    ground.e.sip = &ground.side;
    sip_ids_init_seeded(&ground.side.ids, 1);
    list_init(&ground.side.req_over);
    list_init(&ground.side.peer_news);
    params.wheel = &ground.wheel;
    params.ids = &ground.side.ids;
    ASSERT(sip_txns_new(&ground.side.txns, &params) == 0);
    ground.conn.side = &ground.side;
    sip_link_init(&ground.conn.link, ground.side.txns, &ground.conn, SLICE_LIT("10.0.0.9"), 5060);
    ground.peer.side = &ground.side;
    ground.peer.state = SIP_PEER_UP;
    ground.peer.conn = &ground.conn;
    list_init(&ground.peer.req_waiting);
    list_init(&ground.peer.req_sent);
    memcpy(ground.peer.name, "pool", sizeof("pool"));
}

void ground_deinit(void)
{
    sip_req_peer_free(&ground.peer);
    sip_req_free(&ground.side);
    sip_txns_free(ground.side.txns);
    buf_deinit(&ground.out);
}

void ground_run(uint64_t ms)
{
    uint64_t until = ground.now_ms + ms;

    while (ground.now_ms < until) {
        uint64_t next = wheel_next_ms(&ground.wheel);

        ground.now_ms = next > ground.now_ms && next < until ? next : until;
        (void)wheel_run(&ground.wheel, ground.now_ms, UINT32_MAX);
    }
}
