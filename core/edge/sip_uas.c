/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip_uas: requests in: OPTIONS is answered, MESSAGE becomes a stanza whose fate is the response,
 * SUBSCRIBE and NOTIFY are presence's (sip_events.c), INVITE is refused 488 (no sessions yet),
 * everything else 405. */
#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "edge/body_log.h"
#include "edge/judge.h"
#include "edge/refuse.h"
#include "edge/route.h"
#include "edge/sip_int.h"
#include "translate/error.h"
#include "translate/message.h"
#include "translate/pidf.h"

/* After the partner confirmed a stanza, an error of its server still has this long to come and
 * become the response (sip.md 2.3: an early stanza error); then 202. */
#define HOLD_MS 100u
#define STATUS_ACCEPTED 202u

static const struct slice accept_types[] = {
    {"text/plain", 10}, {"text/html", 9}, {"message/cpim", 12}, {"multipart/alternative", 21},
    {"multipart/mixed", 15}, {"multipart/related", 17}, {"application/im-iscomposing+xml", 30},
};

/* What pidf_read takes (translate/pidf.h). */
static const struct slice notify_accept_types[] = {
    {"application/pidf+xml", 20},
    {"text/xml+msrtc.pidf", 19},
    {"application/msrtc-event-categories+xml", 38},
};
static const struct slice event_packages[] = {{"presence", 8}};

void sip_uas_answer(struct sip_side *s, struct sip_txn_ref ref, const struct sip_answer *answer)
{
    struct sip_link *link = sip_server_link(s->txns, ref);
    int err = sip_server_respond(s->txns, ref, answer, shard_now_ms(s->e->sh));

    if (err == ERR_STALE) {
        return; /* answered already */
    }
    if (link && sip_conn_has_left(link->owner)) {
        sip_conn_close(link->owner); /* behind its last answer, before its sender's next request */
    }
    if (answer->status < 300) {
        s->e->stats.sip_answered_ok++;
    } else {
        s->e->stats.sip_answered_error++;
    }
}

void sip_uas_respond(struct sip_side *s, uint64_t handle, unsigned status, uint32_t retry_after_s)
{
    struct buf fields;
    struct sip_answer answer = {.status = status};

    buf_init(&fields, 256);
    if (retry_after_s != 0) {
        sip_write_header_u32(&fields, SIP_HDR_RETRY_AFTER, retry_after_s);
    }
    answer.fields = buf_slice(&fields);
    sip_uas_answer(s, sip_ref_of(handle), &answer);
    buf_deinit(&fields);
}

void sip_side_answer(struct sip_side *s, uint64_t handle, const struct sip_answer *answer)
{
    sip_uas_answer(s, sip_ref_of(handle), answer);
}

static void on_options(struct sip_conn *sc, struct sip_txn_ref ref,
                       const struct sip_check_policy *policy)
{
    struct buf fields;
    struct sip_answer answer = {0};

    buf_init(&fields, 2048);
    sip_options_answer_put(&fields, policy, sc->side->e->is_draining, &answer.status);
    answer.fields = buf_slice(&fields);
    sip_uas_answer(sc->side, ref, &answer);
    buf_deinit(&fields);
}

bool sip_uas_is_of_hop(struct sip_conn *sc, struct slice name)
{
    const struct local_domain *domain = snapshot_domain(edge_policy(sc->side->e), name);

    if (!domain || !slice_eq_cstr(domain->next_hop->name, sc->hop)) {
        LOG_W(sip_refused, "peer=%s from=%s why=from-domain-not-of-this-next-hop",
              conn_peer_text(sc->c), log_quote(name).text);
        sc->side->e->stats.spoofed++;
        return false;
    }
    return true;
}

void sip_uas_refuse_by_policy(struct sip_conn *sc, struct sip_txn_ref ref,
                              const struct policy_decision *d)
{
    struct refuse_status how;
    struct sip_answer answer;
    struct buf fields;

    refuse_status(&how, d);
    answer = (struct sip_answer){.status = how.status, .reason = how.reason};
    buf_init(&fields, 256);
    if (how.retry_after_s != 0) {
        sip_write_header_u32(&fields, SIP_HDR_RETRY_AFTER, how.retry_after_s);
    }
    answer.fields = buf_slice(&fields);
    sip_uas_answer(sc->side, ref, &answer);
    buf_deinit(&fields);
}

static void refuse(struct sip_conn *sc, struct sip_txn_ref ref,
                   const struct message_from_sip *result)
{
    struct buf fields;
    struct sip_answer answer = {.status = result->status, .reason = result->reason};

    buf_init(&fields, 1024);
    if (result->accept.len != 0) {
        sip_write_header(&fields, SIP_HDR_ACCEPT, result->accept);
    }
    if (result->accept_identity) {
        sip_write_header(&fields, SIP_HDR_ACCEPT_ENCODING, SLICE_LIT("identity"));
    }
    answer.fields = buf_slice(&fields);
    sip_uas_answer(sc->side, ref, &answer);
    buf_deinit(&fields);
}

static void send_stanza(struct sip_conn *sc, struct sip_txn_ref ref,
                        const struct message_from_sip *result)
{
    struct edge *e = sc->side->e;
    struct policy_decision decision;
    struct judge_pair names;
    struct jid_ascii local;
    struct jid_ascii remote;
    struct block *b;

    if (!sip_uas_is_of_hop(sc, result->from.domain) ||
        jid_domain_to_ascii(result->from.domain, &local) != 0) {
        sip_uas_respond(sc->side, sip_handle_of(ref), 403, 0);
        return;
    }
    if (jid_domain_to_ascii(result->to.domain, &remote) != 0) {
        remote.len = 0; /* an IP literal or the like: no partner */
    }
    names = (struct judge_pair){jid_ascii_slice(&local), jid_ascii_slice(&remote)};
    judge_message(e, result->from.local, result->to.local, &names, &decision);
    if (!decision.allowed) {
        sip_uas_refuse_by_policy(sc, ref, &decision);
        return;
    }
    body_log_message(e, &result->from, &result->to, buf_slice(&e->scratch));
    b = block_new(&(struct block_params){
        .direction = BLOCK_TO_PARTNER,
        .kind = STANZA_MESSAGE,
        .may_bounce = true,
        .generation = edge_setup(e)->generation,
        .local = names.local,
        .remote = names.remote,
        .bytes = buf_slice(&e->scratch),
        .sip = {.handle = sip_handle_of(ref), .shard_idx = e->idx},
        .now_ms = shard_now_ms(e->sh),
    });
    if (!b) {
        e->stats.bounced_memory++;
        sip_uas_respond(sc->side, sip_handle_of(ref), 500, 0);
        return;
    }
    route_block_home(e, b, edge_home_of_partner(e, decision.partner));
}

static void on_message(struct sip_conn *sc, struct sip_txn_ref ref, const struct sip_msg *m,
                       const struct sip_keys *keys)
{
    struct edge *e = sc->side->e;
    struct sip_origin origin = {.handle = sip_handle_of(ref), .shard_idx = e->idx};
    char id_mem[96];
    struct message_from_sip_options options = {
        .id = sip_stanza_id(origin, id_mem),
        .keys = keys,
        .now_unix_s = shard_now_unix_s(e->sh),
    };
    static _Thread_local struct message_from_sip result; /* 6 KB of addresses */

    e->stats.stanzas_in_sip++;
    buf_clear(&e->scratch);
    message_from_sip(&result, &e->scratch, m, &options);
    switch (result.verdict) {
    case MESSAGE_SEND:
        send_stanza(sc, ref, &result);
        break;
    case MESSAGE_CONSUMED:
        e->stats.consumed++;
        sip_uas_respond(sc->side, origin.handle, result.status, 0);
        break;
    case MESSAGE_REFUSED:
    case MESSAGE_ERROR:
        e->stats.bounced_translate++;
        refuse(sc, ref, &result);
        break;
    }
}

static void act(struct sip_conn *sc, const struct sip_server_result *taken,
                const struct sip_msg *m, const struct sip_check_policy *policy)
{
    struct sip_txn_ref ref = taken->ref;

    switch ((unsigned)m->method) {
    case SIP_METHOD_OPTIONS:
        on_options(sc, ref, policy);
        break;
    case SIP_METHOD_MESSAGE:
        if (sc->side->e->is_draining) {
            sip_uas_respond(sc->side, sip_handle_of(ref), 503, SIP_STOPPING_RETRY_S);
        } else if (sip_conn_is_overdue(sc)) {
            sip_uas_respond(sc->side, sip_handle_of(ref), 503, SIP_LEAVING_RETRY_S);
        } else {
            on_message(sc, ref, m, taken->keys);
        }
        break;
    case SIP_METHOD_SUBSCRIBE:
    case SIP_METHOD_NOTIFY:
        sip_events_request(sc, ref, m);
        break;
    default:
        /* INVITE: sessions come with the dialog profile. */
        sip_uas_respond(sc->side, sip_handle_of(ref), 488, 0);
        break;
    }
}

void sip_uas_request(struct sip_conn *sc, const struct sip_msg *m)
{
    struct sip_side *s = sc->side;
    struct edge *e = s->e;
    const struct sip_own *own = sip_own(s, sc->is_tls);
    struct sip_check_policy policy = {
        .methods = SIP_METHOD_BIT(SIP_METHOD_MESSAGE) | SIP_METHOD_BIT(SIP_METHOD_OPTIONS) |
                   SIP_METHOD_BIT(SIP_METHOD_INVITE) | SIP_METHOD_BIT(SIP_METHOD_SUBSCRIBE) |
                   SIP_METHOD_BIT(SIP_METHOD_NOTIFY),
        .schemes = SIP_SCHEME_BIT(SIP_SCHEME_SIP) | SIP_SCHEME_BIT(SIP_SCHEME_IM) |
                   SIP_SCHEME_BIT(SIP_SCHEME_PRES),
        .own = &own->host,
        .own_count = own->host.kind != SIP_HOST_NONE,
        .accept = accept_types,
        .accept_count = ARRAY_COUNT(accept_types),
        .notify_accept = notify_accept_types,
        .notify_accept_count = ARRAY_COUNT(notify_accept_types),
        .packages = event_packages,
        .package_count = ARRAY_COUNT(event_packages),
        .body_bytes_max = m->method == SIP_METHOD_NOTIFY || m->method == SIP_METHOD_SUBSCRIBE
                              ? PIDF_BYTES_MAX
                              : 0,
    };
    struct sip_server_result result;

    result = sip_server_receive(s->txns, &sc->link, m, &policy, shard_now_ms(e->sh));
    sc->request_ms = shard_now_ms(e->sh);
    switch (result.in) {
    case SIP_SERVER_NEW:
        if (sc->peer) {
            sc->peer->requests[0]++;
        }
        act(sc, &result, m, &policy);
        break;
    case SIP_SERVER_REFUSED:
        e->stats.sip_answered_error++;
        if (result.status == 482) {
            e->stats.sip_loops++;
        }
        LOG_D(sip_bad_message, "peer=%s status=%u why=%s", conn_peer_text(sc->c), result.status,
              log_quote(slice_from_cstr(result.why)).text);
        break;
    case SIP_SERVER_ABSORBED:
        break;
    case SIP_SERVER_DROPPED:
        e->stats.sip_bad++;
        break;
    }
}

/* --- fate of what came from SIP --------------------------------------------------------------- */

static void on_hold_due(struct wheel_timer *t, void *ctx)
{
    (void)t;
    sip_uas_hold_flush(ctx);
}

static void accept_held(struct sip_side *s, struct sip_hold *h)
{
    sip_uas_respond(s, h->handle, STATUS_ACCEPTED, 0);
    pool_free(h);
}

/* Thousands fall due in one turn when the machine stood still for a while: more than a connection's
 * bound, which would end it and lose them all. NULL = there is room, or no connection any more. */
static struct sip_conn *crowded_conn(const struct sip_side *s, const struct sip_hold *h)
{
    struct sip_link *link = sip_server_link(s->txns, sip_ref_of(h->handle));
    struct sip_conn *sc = link ? link->owner : NULL;

    return sc && !s->is_stopping && conn_out_is_crowded(sc->c) ? sc : NULL;
}

void sip_uas_held_flush(struct sip_conn *sc)
{
    struct sip_side *s = sc->side;
    struct list *link;

    while ((link = list_first(&sc->held)) &&
           (sc->is_ended || s->is_stopping || !conn_out_is_crowded(sc->c))) {
        list_remove(link);
        accept_held(s, LIST_ENTRY(link, struct sip_hold, link));
    }
}

void sip_uas_hold_flush(struct sip_side *s)
{
    uint64_t now = shard_now_ms(s->e->sh);
    struct list *link;

    while ((link = list_first(&s->holds))) {
        struct sip_hold *h = LIST_ENTRY(link, struct sip_hold, link);

        if (h->deadline_ms > now && !s->is_stopping) {
            shard_timer_arm(s->e->sh, &s->hold_timer, h->deadline_ms - now, on_hold_due, s);
            return;
        }
        struct sip_conn *crowded = crowded_conn(s, h);

        list_remove(link);
        if (crowded) {
            list_push_back(&crowded->held, link);
        } else {
            accept_held(s, h);
        }
    }
}

static void outcome(struct sip_side *s, uint64_t handle, uint16_t status, uint32_t retry_after_s)
{
    struct sip_hold *h;

    if (status != STATUS_ACCEPTED) {
        sip_uas_respond(s, handle, status, retry_after_s);
        return;
    }
    if (!sip_server_is_open(s->txns, sip_ref_of(handle))) {
        return; /* an error came first */
    }
    h = s->e->is_draining ? NULL : pool_alloc(sizeof(*h));
    if (!h) {
        sip_uas_respond(s, handle, STATUS_ACCEPTED, 0);
        return;
    }
    *h = (struct sip_hold){.handle = handle, .deadline_ms = shard_now_ms(s->e->sh) + HOLD_MS};
    list_push_back(&s->holds, &h->link);
    if (!wheel_timer_is_armed(&s->hold_timer)) {
        shard_timer_arm(s->e->sh, &s->hold_timer, HOLD_MS, on_hold_due, s);
    }
}

void sip_side_outcome(struct sip_side *s, const struct mail_outcome *m)
{
    outcome(s, m->handle, m->status, m->retry_after_s);
}

void sip_outcome_send(struct edge *e, struct sip_origin origin, uint16_t status,
                      uint32_t retry_after_s)
{
    struct mail_outcome *m;

    if (origin.shard_idx == e->idx) {
        outcome(e->sip, origin.handle, status, retry_after_s);
        return;
    }
    m = edge_mail_new(MAIL_SIP_OUTCOME, sizeof(*m));
    if (!m) {
        e->stats.dropped_memory++; /* the transaction's own timer answers 504 */
        return;
    }
    m->handle = origin.handle;
    m->status = status;
    m->retry_after_s = retry_after_s;
    edge_post(e, origin.shard_idx, &m->mail);
}

void sip_side_error(struct sip_side *s, const struct mail_sip_error *m)
{
    sip_uas_respond(s, m->handle, m->status, m->retry_after_s);
}

void sip_error_send(struct edge *e, struct sip_origin origin, const struct stanza *st)
{
    struct error_xmpp in = {.stream = ERROR_STREAM_NONE};
    struct error_response out;
    struct buf contact;
    struct mail_sip_error *m;

    if (!stanza_read_error(st, &in.error)) {
        in.error.condition = STANZA_CONDITION_UNDEFINED_CONDITION;
    }
    in.is_to_full = jid_is_full(&st->from);
    buf_init(&contact, 2048);
    error_to_sip(&out, &contact, &in);
    buf_deinit(&contact);
    if (origin.shard_idx >= e->shard_count) {
        return;
    }
    m = edge_mail_new(MAIL_SIP_ERROR, sizeof(*m));
    if (!m) {
        e->stats.dropped_memory++;
        return;
    }
    m->handle = origin.handle;
    m->status = (uint16_t)out.status;
    m->retry_after_s = out.retry_after_s;
    if (origin.shard_idx == e->idx) {
        sip_side_error(e->sip, m);
        pool_free(m);
    } else {
        edge_post(e, origin.shard_idx, &m->mail);
    }
}
