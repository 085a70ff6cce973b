/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip_events: SUBSCRIBE and NOTIFY in: who sends them and whether he may, then to the shard where
 * the contact lives (presence_side.h), which answers. SUBSCRIBE is a user of ours who watches the
 * partner's and is judged like a message of his. NOTIFY belongs to a subscription of ours: its hop
 * must serve the presentity's domain; whether the subscription exists, its contact knows. */
#include "base/check.h"
#include "edge/judge.h"
#include "edge/presence_side.h"
#include "edge/sip_int.h"

#define CROWDED_RETRY_S 5u

static void answer(struct sip_conn *sc, struct sip_txn_ref ref, unsigned status,
                   uint32_t retry_after_s)
{
    sip_uas_respond(sc->side, sip_handle_of(ref), status, retry_after_s);
}

static void hand_over(struct sip_conn *sc, struct sip_txn_ref ref,
                      const struct presence_pair *pair, const struct sip_msg *m)
{
    struct edge *e = sc->side->e;
    struct presence_txn txn = {.handle = sip_handle_of(ref),
                               .shard_idx = e->idx,
                               .to_tag = sip_server_to_tag(sc->side->txns, ref)};

    if (!presence_side_request_in(e, pair, m, txn)) {
        e->stats.bounced_memory++;
        answer(sc, ref, 503, CROWDED_RETRY_S);
    }
}

/* 0: it may go on. */
static unsigned stopping_status(const struct sip_conn *sc, const struct sip_msg *m,
                                uint32_t *retry_after_s)
{
    if (m->method == SIP_METHOD_NOTIFY) {
        return 0; /* what the presentity did last is worth having, now more than ever */
    }
    if (sc->side->e->is_draining) {
        *retry_after_s = SIP_STOPPING_RETRY_S;
        return 503;
    }
    if (sip_conn_is_overdue(sc)) {
        *retry_after_s = SIP_LEAVING_RETRY_S;
        return 503;
    }
    return 0;
}

void sip_events_request(struct sip_conn *sc, struct sip_txn_ref ref, const struct sip_msg *m)
{
    static _Thread_local struct presence_addresses addresses; /* 6 KB */
    struct edge *e = sc->side->e;
    struct policy_decision decision;
    uint32_t retry_after_s = 0;
    unsigned status = stopping_status(sc, m, &retry_after_s);

    if (status == 0) {
        status = presence_side_addresses(m, &addresses);
    }
    if (status == 0 && !sip_uas_is_of_hop(sc, addresses.pair.local_domain)) {
        status = 403;
    }
    if (status != 0) {
        answer(sc, ref, status, retry_after_s);
        return;
    }
    if (m->method == SIP_METHOD_SUBSCRIBE) {
        judge_subscribe(e, &addresses.pair, &decision);
        if (!decision.allowed) {
            sip_uas_refuse_by_policy(sc, ref, &decision);
            return;
        }
    }
    hand_over(sc, ref, &addresses.pair, m);
}
