/* SPDX-License-Identifier: GPL-2.0-or-later */
/* presence_sip: SUBSCRIBE and NOTIFY between their connections and the shard where their contact
 * lives. */
#include "base/check.h"
#include "base/pool.h"
#include "edge/presence_side_int.h"
#include "edge/sip_side.h"
#include "translate/address.h"

/* Mails that may wait for room towards the contact's shard. */
#define OVERFLOW_MAX 4096u

/* One side of the pair. */
static unsigned read_address(const struct sip_msg *m, enum sip_header header,
                             struct jid_storage *mem, struct jid_ascii *domain, struct slice *user)
{
    struct sip_addr addr;
    struct jid jid;
    unsigned status;

    if (sip_msg_addr(m, header, &addr) != 0) {
        return 400;
    }
    status = address_to_jid(&addr.uri, false, mem, &jid);
    if (status != 0) {
        return status;
    }
    if (jid.local.len == 0 || jid_domain_to_ascii(jid.domain, domain) != 0) {
        return 404;
    }
    *user = jid.local;
    return 0;
}

/* In dialogs, too: the Request-URI is ours then, and From and To are those of its beginning. */
unsigned presence_side_addresses(const struct sip_msg *m, struct presence_addresses *out)
{
    unsigned status =
        read_address(m, SIP_HDR_FROM, &out->mem[0], &out->domains[0], &out->pair.local_user);

    if (status == 0) {
        status =
            read_address(m, SIP_HDR_TO, &out->mem[1], &out->domains[1], &out->pair.remote_user);
    }
    out->pair.local_domain = jid_ascii_slice(&out->domains[0]);
    out->pair.remote_domain = jid_ascii_slice(&out->domains[1]);
    return status;
}

static void take(struct presence_side *ps, const struct presence_pair *pair,
                 const struct sip_msg *m, struct presence_txn txn)
{
    if (m->method == SIP_METHOD_NOTIFY) {
        presence_notify(ps->core, pair, m, txn);
    } else {
        presence_subscribe(ps->core, pair, m, txn);
    }
}

bool presence_side_request_in(struct edge *e, const struct presence_pair *pair,
                              const struct sip_msg *m, struct presence_txn txn)
{
    uint32_t home = edge_home_of_domain(e, pair->remote_domain);
    struct mail_sip_request *mail;

    if (home == e->idx) {
        take(e->presence, pair, m, txn);
        return true;
    }
    mail = e->overflow_count[home] < OVERFLOW_MAX ? mail_sip_request_new(m->bytes, txn) : NULL;
    if (!mail) {
        return false;
    }
    edge_post(e, home, &mail->mail);
    return true;
}

void presence_side_take_request(struct presence_side *ps, const struct mail_sip_request *m)
{
    static _Thread_local struct sip_msg msg;
    static _Thread_local struct presence_addresses addresses; /* 6 KB */
    struct presence_txn txn = mail_sip_request_txn(m);
    struct sip_bad bad;

    if (sip_msg_parse(&msg, mail_sip_request_bytes(m), &bad) != 0 ||
        presence_side_addresses(&msg, &addresses) != 0) {
        /* It was read once already. */
        presence_side_answer(ps, txn, &(struct sip_answer){.status = 500});
        return;
    }
    take(ps, &addresses.pair, &msg, txn);
}

void presence_side_response(struct presence_side *ps, struct presence_call *call,
                            enum sip_outcome outcome, unsigned status,
                            const struct sip_msg *response)
{
    presence_response(ps->core, call, outcome, status, response);
}

void presence_side_hop_seen(struct presence_side *ps, struct slice hop, enum presence_hop_news what)
{
    if (!ps->e->is_draining) {
        presence_hop_seen(ps->core, hop, what);
    }
}

void presence_side_answer(void *ctx, struct presence_txn txn, const struct sip_answer *answer)
{
    struct edge *e = ((struct presence_side *)ctx)->e;
    struct mail_sip_answer *m;

    if (txn.shard_idx == e->idx) {
        sip_side_answer(e->sip, txn.handle, answer);
        return;
    }
    m = mail_sip_answer_new(txn.handle, answer);
    if (!m) {
        e->stats.dropped_memory++; /* the transaction's own timer answers 504 */
        return;
    }
    edge_post(e, txn.shard_idx, &m->mail);
}

void presence_side_take_answer(struct presence_side *ps, const struct mail_sip_answer *m)
{
    struct sip_answer answer = mail_sip_answer_view(m);

    sip_side_answer(ps->e->sip, m->handle, &answer);
}
