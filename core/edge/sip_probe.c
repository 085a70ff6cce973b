/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip_probe: OPTIONS now and then, so that a next hop's state is known before it is needed. */
#include <stdio.h>

#include "edge/sip_int.h"

static void send_probe(struct sip_peer *p)
{
    struct sip_side *s = p->side;
    const struct next_hop *hop = sip_peer_hop(p);
    struct sip_id branch = sip_ids_branch(&s->ids);
    struct sip_id call_id = sip_ids_call_id(&s->ids);
    struct sip_id tag = sip_ids_tag(&s->ids);
    char uri[300];
    char from[300];
    struct sip_client_params client;
    struct sip_request_params request;
    struct sip_check_policy policy = {0};

    if (p->state != SIP_PEER_UP || !p->conn || !hop) {
        return;
    }
    (void)snprintf(uri, sizeof(uri), "sip:%.*s", SLICE_FMT(hop->host));
    (void)snprintf(from, sizeof(from), "sip:%s", edge_policy(s->e)->node_name);
    request = (struct sip_request_params){
        .uri = slice_from_cstr(uri),
        .transport = p->conn->is_tls ? SLICE_LIT("TLS") : SLICE_LIT("TCP"),
        .sent_by = sip_sent_by(s, p->conn->is_tls),
        .branch = sip_id_slice(&branch),
        .max_forwards = SIP_MAX_FORWARDS,
        .from_uri = slice_from_cstr(from),
        .from_tag = sip_id_slice(&tag),
        .to_uri = slice_from_cstr(uri),
        .call_id = sip_id_slice(&call_id),
        .cseq = 1,
    };
    client = (struct sip_client_params){
        .link = &p->conn->link,
        .method = SIP_METHOD_OPTIONS,
        .branch = sip_id_slice(&branch),
        .owner = p,
        .now_ms = shard_now_ms(s->e->sh),
    };
    if (sip_client_start(s->txns, &client, &p->probe_ref) != 0) {
        return;
    }
    sip_probe_sent(&p->probe, client.now_ms);
    sip_options_write(conn_out(p->conn->c), &request, &policy, SLICE_LIT("fedgate"));
    conn_flush(p->conn->c);
}

static void on_probe_due(struct wheel_timer *t, void *ctx)
{
    (void)t;
    send_probe(ctx);
}

void sip_peer_probe_arm(struct sip_peer *p)
{
    uint64_t now = shard_now_ms(p->side->e->sh);
    uint64_t next = sip_probe_next_ms(&p->probe);
    const struct next_hop *hop = sip_peer_hop(p);

    if (p->state == SIP_PEER_UP && next != UINT64_MAX && hop && hop->options_interval_s != 0) {
        shard_timer_arm(p->side->e->sh, &p->timer, next > now ? next - now : 0, on_probe_due, p);
    }
}

void sip_peer_probe_forget(struct sip_peer *p)
{
    if (p->probe.in_flight) {
        sip_client_forget(p->side->txns, p->probe_ref);
        p->probe.in_flight = false;
    }
}

/* The configured interval, +-10 % so that the shards do not ask at the same time. */
static uint64_t interval_ms(struct sip_peer *p, const struct next_hop *hop)
{
    uint64_t ms = (uint64_t)hop->options_interval_s * 1000;

    return ms - ms / 10 + sip_peer_random(p) % (ms / 5 + 1);
}

void sip_peer_probe_done(struct sip_peer *p, const struct sip_client_done *done)
{
    uint64_t now = shard_now_ms(p->side->e->sh);
    const struct next_hop *hop = sip_peer_hop(p);

    if (done->outcome == SIP_OUTCOME_LINK) {
        p->probe.in_flight = false;
        return; /* the connection's end is handled as such */
    }
    if (done->outcome == SIP_OUTCOME_FINAL && done->status != 503) {
        (void)sip_probe_alive(&p->probe, now, sip_peer_random(p));
        if (hop && hop->options_interval_s != 0) {
            p->probe.next_ms = now + interval_ms(p, hop);
        }
    } else if (sip_probe_missed(&p->probe, now, sip_peer_random(p))) {
        sip_peer_failover(p, "no answer to OPTIONS");
        return;
    }
    sip_peer_probe_arm(p);
}
