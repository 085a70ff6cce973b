/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip_side: life of the SIP leg of one shard. */
#include "edge/sip_side.h"

#include <stdio.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "edge/report.h"
#include "edge/sip_int.h"

static struct buf *txn_out(struct sip_link *link)
{
    struct sip_conn *sc = link->owner;

    return sc->is_ended ? NULL : conn_out(sc->c);
}

static void txn_flush(struct sip_link *link)
{
    conn_flush(((struct sip_conn *)link->owner)->c);
}

static void txn_server_ended(struct sip_txn_ref ref, void *owner, enum sip_server_end why)
{
    /* Answered by the table itself: what comes later for this handle finds nothing. */
    (void)ref;
    (void)owner;
    (void)why;
}

const struct sip_txn_ops sip_side_txn_ops = {
    .out = txn_out,
    .flush = txn_flush,
    .client_done = sip_uac_done,
    .server_ended = txn_server_ended,
};

int sip_side_new(struct sip_side **out, struct edge *e)
{
    struct sip_side *s = pool_heap_zalloc(sizeof(*s));
    struct sip_txns_params params = {
        .ops = &sip_side_txn_ops,
        .wheel = shard_wheel(e->sh),
        .ids = &s->ids,
    };
    int err;

    s->e = e;
    list_init(&s->conns);
    list_init(&s->holds);
    list_init(&s->req_over);
    list_init(&s->peer_news);
    sip_ids_init(&s->ids, edge_setup(e)->crypto);
    err = sip_txns_new(&s->txns, &params);
    if (err != 0) {
        pool_heap_free(s);
        return err;
    }
    *out = s;
    return 0;
}

void sip_side_free(struct sip_side *s)
{
    size_t cursor;
    struct sip_peer *p;
    struct sip_target *t;
    struct list *link;

    if (!s) {
        return;
    }
    s->is_stopping = true;
    shard_timer_disarm(s->e->sh, &s->hold_timer);
    while ((link = list_pop_front(&s->holds))) {
        pool_free(LIST_ENTRY(link, struct sip_hold, link));
    }
    for (cursor = 0; (p = map_next(&s->peers, &cursor)); cursor = 0) {
        while ((link = list_pop_front(&p->waiting)) || (link = list_pop_front(&p->sent))) {
            pool_free(LIST_ENTRY(link, struct sip_out, link));
        }
        sip_req_peer_free(p);
        sip_peer_free(p);
    }
    map_deinit(&s->peers);
    for (cursor = 0; (t = map_next(&s->targets, &cursor));) {
        while ((link = list_pop_front(&t->waiting))) {
            pool_free(LIST_ENTRY(link, struct sip_out, link));
        }
        pool_free(t);
    }
    map_deinit(&s->targets);
    sip_req_free(s);
    sip_txns_free(s->txns);
    pool_heap_free(s);
}

struct sip_ids *sip_side_ids(struct sip_side *s)
{
    return &s->ids;
}

static void read_own(struct sip_own *own, const struct snapshot *policy, bool is_tls)
{
    uint16_t port = is_tls ? 5061 : 5060;
    int len;

    for (uint32_t i = 0; i < policy->listen_count; i++) {
        const struct listen_address *l = &policy->listens[i];

        if (l->kind == (is_tls ? LISTEN_SIP_TLS : LISTEN_SIP_TCP)) {
            const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)&l->addr;

            /* sin_port and sin6_port stand in the same place. */
            port = ntohs(in->sin_port);
            break;
        }
    }
    len = snprintf(own->text, sizeof(own->text), "%s:%u", policy->node_name, port);
    own->len = len > 0 && (size_t)len < sizeof(own->text) ? (size_t)len : 0;
    if (sip_host_parse(slice_make(own->text, own->len), &own->host) != 0) {
        own->host.kind = SIP_HOST_NONE;
    }
}

/* Written and decoded once for a snapshot: asked for with every message. */
const struct sip_own *sip_own(struct sip_side *s, bool is_tls)
{
    struct sip_own *own = &s->own[is_tls];

    if (own->version != s->e->setup_version + 1) {
        read_own(own, edge_policy(s->e), is_tls);
        own->version = s->e->setup_version + 1;
    }
    return own;
}

void sip_side_put_contact(struct sip_side *s, bool is_tls, struct buf *out)
{
    buf_put_lit(out, "<sip:");
    buf_put(out, sip_sent_by(s, is_tls));
    buf_put_cstr(out, is_tls ? ";transport=tls>" : ";transport=tcp>");
}

void sip_side_tick(struct sip_side *s)
{
    struct list *at = s->conns.next;
    const struct snapshot *policy = edge_policy(s->e);

    while (at != &s->conns) {
        struct sip_conn *sc = LIST_ENTRY(at, struct sip_conn, all);

        at = at->next;
        sip_conn_tick(sc);
    }
    sip_uac_tick(s);
    /* A next hop that is probed is kept connected, so that its state is known before it is
     * needed. */
    for (uint32_t i = 0; i < policy->next_hop_count && !s->e->is_draining; i++) {
        const struct next_hop *hop = &policy->next_hops[i];

        if (hop->kind == NEXT_HOP_SIP && hop->options_interval_s != 0) {
            struct sip_peer *p = sip_peer_of(s, hop);

            if (p) {
                sip_peer_need(p);
            }
        }
    }
}

void sip_side_review(struct sip_side *s)
{
    size_t cursor = 0;
    struct sip_peer *p;
    struct list *at = s->conns.next;

    while (at != &s->conns) {
        struct sip_conn *sc = LIST_ENTRY(at, struct sip_conn, all);

        at = at->next;
        sip_conn_review(sc);
    }
    while ((p = map_next(&s->peers, &cursor))) {
        sip_peer_review(p);
        if (!snapshot_next_hop(edge_policy(s->e), slice_from_cstr(p->name)) &&
            p->queued_count == 0 && p->req_count == 0) {
            sip_peer_free(p);
            cursor = 0;
        }
    }
}

uint32_t sip_side_drain_flush(struct sip_side *s)
{
    size_t cursor = 0;
    uint32_t busy = sip_txns_stats(s->txns)->server_now;
    struct sip_peer *p;

    while ((p = map_next(&s->peers, &cursor))) {
        busy += p->queued_count + p->req_count;
    }
    return busy;
}

void sip_side_drain_refuse(struct sip_side *s)
{
    sip_uac_refuse_all(s);
}

uint32_t sip_side_drain_close(struct sip_side *s)
{
    struct list *at = s->conns.next;
    uint32_t open = 0;

    s->is_stopping = true;
    sip_uas_hold_flush(s);
    while (at != &s->conns) {
        struct sip_conn *sc = LIST_ENTRY(at, struct sip_conn, all);

        at = at->next;
        open++;
        sip_uas_held_flush(sc);
        sip_conn_close(sc);
    }
    return open;
}

void sip_side_report(struct sip_side *s, struct edge_report *out)
{
    size_t cursor = 0;
    struct sip_peer *p;

    out->sip = pool_heap_zalloc((s->peers.count + 1) * sizeof(*out->sip));
    while ((p = map_next(&s->peers, &cursor))) {
        struct report_sip *r = &out->sip[out->sip_count++];

        (void)snprintf(r->name, sizeof(r->name), "%s", p->name);
        (void)snprintf(r->peer, sizeof(r->peer), "%s", p->conn ? conn_peer_text(p->conn->c) : "");
        (void)snprintf(r->last_failure, sizeof(r->last_failure), "%s", p->last_failure);
        r->state = sip_peer_state_name(p->state);
        r->pending = p->queued_count + p->req_count;
        r->requests[0] = p->requests[0];
        r->requests[1] = p->requests[1];
    }
}
