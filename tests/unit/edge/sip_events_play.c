/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip_events_play: what stands around sip_events.c and presence_sip.c. */
#include "sip_events_play.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "edge/judge.h"
#include "edge/presence_side_int.h"
#include "edge/sip_int.h"
#include "presence/presence.h"

#define OUT_BYTES  (1u << 20)
#define HERE       0u
#define THERE      1u
#define FULL_COUNT UINT32_MAX

static struct {
    struct events_way way;
    struct events_result *result;
    struct edge e;
    struct sip_side side;
    struct sip_conn conn;
    struct presence_side presence;
    struct wheel wheel;
    struct buf out;
    struct sip_txn_ref ref;
    struct slice bytes;   /* of the request that is played */
    struct mail *mail;    /* on its way to the other shard */
    uint32_t answers;     /* to it; and how often presence got it */
    uint32_t takes;
} play;

/* --- who judges ------------------------------------------------------------------------------- */

bool sip_conn_is_overdue(const struct sip_conn *sc)
{
    ASSERT(sc == &play.conn);
    return play.way.is_overdue;
}

bool sip_uas_is_of_hop(struct sip_conn *sc, struct slice domain)
{
    ASSERT(sc == &play.conn && domain.len > 0);
    return !play.way.is_foreign;
}

void judge_subscribe(struct edge *e, const struct presence_pair *pair, struct policy_decision *out)
{
    ASSERT(e == &play.e && pair->local_user.len > 0 && pair->remote_user.len > 0);
    play.result->was_judged = true;
    *out = (struct policy_decision){.allowed = !play.way.is_forbidden};
}

uint32_t edge_home_of_domain(const struct edge *e, struct slice domain)
{
    ASSERT(e == &play.e && domain.len > 0);
    return play.way.is_elsewhere ? THERE : HERE;
}

/* --- who answers ------------------------------------------------------------------------------ */

static void answer(struct sip_txn_ref ref, enum events_fate fate, unsigned status)
{
    const struct sip_answer a = {.status = status};

    ASSERT(ref.slot == play.ref.slot && ref.generation == play.ref.generation);
    ASSERT(play.answers++ == 0);
    play.result->fate = fate;
    play.result->status = status;
    ASSERT(sip_server_respond(play.side.txns, ref, &a, 0) == 0);
}

void sip_uas_respond(struct sip_side *s, uint64_t handle, unsigned status, uint32_t retry_after_s)
{
    ASSERT(s == &play.side);
    play.result->retry_after_s = retry_after_s;
    answer(sip_ref_of(handle), EVENTS_ANSWERED, status);
}

void sip_uas_refuse_by_policy(struct sip_conn *sc, struct sip_txn_ref ref,
                              const struct policy_decision *d)
{
    ASSERT(sc == &play.conn && !d->allowed);
    answer(ref, EVENTS_FORBIDDEN, 403);
}

void sip_side_answer(struct sip_side *s, uint64_t handle, const struct sip_answer *a)
{
    ASSERT(s == &play.side);
    answer(sip_ref_of(handle), EVENTS_ANSWERED, a->status);
}

void edge_post(struct edge *e, uint32_t to_idx, struct mail *m)
{
    ASSERT(e == &play.e && to_idx == THERE && !play.mail);
    play.mail = m;
}

/* --- presence --------------------------------------------------------------------------------- */

/* The bytes are the same, whatever way they came, and so is the pair that is read from them. */
static void take(const struct presence_pair *pair, const struct sip_msg *m,
                 const struct presence_txn *txn)
{
    ASSERT(slice_eq(m->bytes, play.bytes));
    ASSERT(slice_eq(txn->to_tag, sip_server_to_tag(play.side.txns, play.ref)));
    ASSERT(txn->to_tag.len > 0 && txn->shard_idx == HERE);
    ASSERT(pair->local_user.len > 0 && pair->local_domain.len > 0);
    ASSERT(pair->remote_user.len > 0 && pair->remote_domain.len > 0);
    ASSERT(play.takes++ == 0);
    (void)snprintf(play.result->pair, sizeof(play.result->pair), "%.*s@%.*s %.*s@%.*s",
                   SLICE_FMT(pair->local_user), SLICE_FMT(pair->local_domain),
                   SLICE_FMT(pair->remote_user), SLICE_FMT(pair->remote_domain));
    answer(sip_ref_of(txn->handle), EVENTS_TAKEN, 200);
}

void presence_subscribe(struct presence *p, const struct presence_pair *pair,
                        const struct sip_msg *m, struct presence_txn txn)
{
    (void)p;
    ASSERT(m->method == SIP_METHOD_SUBSCRIBE && play.result->was_judged);
    take(pair, m, &txn);
}

void presence_notify(struct presence *p, const struct presence_pair *pair, const struct sip_msg *m,
                     struct presence_txn txn)
{
    (void)p;
    ASSERT(m->method == SIP_METHOD_NOTIFY && !play.result->was_judged);
    take(pair, m, &txn);
}

/* Of presence_sip.c, not on the way in. */
void presence_response(struct presence *p, struct presence_call *call, enum sip_outcome outcome,
                       unsigned status, const struct sip_msg *response)
{
    (void)p;
    (void)call;
    (void)outcome;
    (void)status;
    (void)response;
    UNREACHABLE("nothing was asked");
}

void presence_hop_seen(struct presence *p, struct slice hop, enum presence_hop_news what)
{
    (void)p;
    (void)hop;
    (void)what;
    UNREACHABLE("nobody came or went");
}

/* --- one request ------------------------------------------------------------------------------ */

static struct buf *out_of(struct sip_link *link)
{
    return link->is_up ? &play.out : NULL;
}

static void flush(struct sip_link *link)
{
    (void)link;
}

static void client_done(void *owner, const struct sip_client_done *done)
{
    (void)owner;
    (void)done;
    UNREACHABLE("no request was sent");
}

static void server_ended(struct sip_txn_ref ref, void *owner, enum sip_server_end why)
{
    (void)ref;
    (void)owner;
    (void)why;
}

static void begin(void)
{
    static const struct sip_txn_ops ops = {
        .out = out_of, .flush = flush, .client_done = client_done, .server_ended = server_ended};
    struct sip_txns_params params = {
        .ops = &ops, .wheel = &play.wheel, .ids = &play.side.ids, .server_max = 8, .merge_max = 8};

    wheel_init(&play.wheel, 0);
    buf_init(&play.out, OUT_BYTES);
    sip_ids_init_seeded(&play.side.ids, 1);
    play.side.e = &play.e;
    play.e.sip = &play.side;
    play.e.presence = &play.presence;
    play.presence.e = &play.e;
    play.e.idx = HERE;
    play.e.is_draining = play.way.is_draining;
    play.e.overflow_count[THERE] = play.way.is_full ? FULL_COUNT : 0;
    ASSERT(sip_txns_new(&play.side.txns, &params) == 0);
    play.conn.side = &play.side;
    sip_link_init(&play.conn.link, play.side.txns, &play.conn, SLICE_LIT("10.0.0.9"), 5060);
}

static void end(void)
{
    sip_link_down(&play.conn.link, ERR_CLOSED);
    sip_txns_free(play.side.txns);
    buf_deinit(&play.out);
}

/* The request's own memory is gone by then. */
static void deliver(char *bytes, size_t len)
{
    struct mail *m = play.mail;
    char *copy = pool_heap_zalloc(len + 1);

    memcpy(copy, bytes, len);
    memset(bytes, 'x', len);
    play.bytes = slice_make(copy, len);
    presence_side_take_request(&play.presence, (const void *)m);
    pool_free(m);
    pool_heap_free(copy);
}

void events_play(const struct events_way *way, struct slice bytes, struct events_result *out)
{
    static const struct slice types[] = {SLICE_LIT("application/pidf+xml")};
    const struct sip_check_policy policy = {.methods = SIP_METHOD_BIT(SIP_METHOD_SUBSCRIBE) |
                                                       SIP_METHOD_BIT(SIP_METHOD_NOTIFY),
                                            .schemes = SIP_SCHEME_BIT(SIP_SCHEME_SIP),
                                            .notify_accept = types,
                                            .notify_accept_count = ARRAY_COUNT(types)};
    char *mine = pool_heap_zalloc(bytes.len + 1);
    struct sip_server_result got;
    struct sip_msg m;
    struct sip_bad bad;

    memcpy(mine, bytes.ptr, bytes.len);
    memset(out, 0, sizeof(*out));
    memset(&play, 0, sizeof(play));
    play.way = *way;
    play.result = out;
    begin();
    if (sip_msg_parse(&m, slice_make(mine, bytes.len), &bad) == 0 && m.method != 0) {
        got = sip_server_receive(play.side.txns, &play.conn.link, &m, &policy, 0);
        if (got.in == SIP_SERVER_NEW) {
            play.ref = got.ref;
            play.bytes = m.bytes;
            sip_events_request(&play.conn, got.ref, &m);
            ASSERT(!play.mail == (play.answers == 1));
            if (play.mail) {
                deliver(mine + (m.bytes.ptr - mine), m.bytes.len);
            }
            ASSERT(play.answers == 1 && !sip_server_is_open(play.side.txns, play.ref));
        }
    }
    end();
    pool_heap_free(mine);
}
