/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip_uac: one message on its way out: written, answered, and what its sender is told. Who waits
 * behind whom: sip_queue.c. */
#include <stdio.h>
#include <time.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "edge/again.h"
#include "edge/bounce.h"
#include "edge/partner_run.h"
#include "edge/refuse.h"
#include "edge/sip_int.h"
#include "translate/error.h"
#include "translate/message.h"

static char *put(char *at, struct slice from, struct slice *to)
{
    *to = slice_make(at, from.len);
    return from.len ? mempcpy(at, from.ptr, from.len) : at;
}

/* The address as one text of jid_len bytes. */
static char *put_jid(char *at, const struct jid *j, struct slice *to)
{
    char *start = at;
    struct slice part;

    if (j->local.len != 0) {
        at = put(at, j->local, &part);
        *at++ = '@';
    }
    at = put(at, j->domain, &part);
    if (j->resource.len != 0) {
        *at++ = '/';
        at = put(at, j->resource, &part);
    }
    *to = slice_make(start, (size_t)(at - start));
    return at;
}

struct sip_out *sip_out_new(const struct stanza *st, const struct sip_side_target *target,
                               const struct message_to_sip *m)
{
    size_t bytes = target->local.len + target->remote.len + jid_len(&st->from) + jid_len(&st->to) +
                   st->id.len + m->uri.len + m->from_uri.len + m->call_id.len + m->subject.len +
                   m->language.len + m->body.len;
    struct sip_out *o = pool_alloc(sizeof(*o) + bytes);
    char *at;

    if (!o) {
        return NULL;
    }
    *o = (struct sip_out){.magic = SIP_OUT_MAGIC, .date_unix_s = m->date_unix_s};
    at = put(o->data, target->local, &o->local);
    at = put(at, target->remote, &o->remote);
    at = put_jid(at, &st->from, &o->from);
    at = put_jid(at, &st->to, &o->to);
    at = put(at, st->id, &o->id);
    at = put(at, m->uri, &o->uri);
    at = put(at, m->from_uri, &o->from_uri);
    at = put(at, m->call_id, &o->call_id);
    at = put(at, m->subject, &o->subject);
    at = put(at, m->language, &o->language);
    (void)put(at, m->body, &o->body);
    return o;
}

static void put_date(struct buf *out, int64_t unix_s)
{
    time_t when = (time_t)unix_s;
    struct tm tm;
    char text[40];
    size_t len;

    if (unix_s != 0 && gmtime_r(&when, &tm)) {
        len = strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
        sip_write_header(out, SIP_HDR_DATE, slice_make(text, len));
    }
}

/* Writes the request; false when the connection takes none now. */
static bool write_request(struct sip_out *o)
{
    struct sip_peer *p = o->peer;
    struct sip_side *s = p->side;
    struct sip_conn *sc = p->conn;
    struct buf *out = conn_out(sc->c);
    struct sip_id branch = sip_ids_branch(&s->ids);
    struct sip_id tag = sip_ids_tag(&s->ids);
    struct sip_id call_id = sip_ids_call_id(&s->ids);
    size_t before = buf_len(out);
    struct sip_request_params request = {
        .method = SIP_METHOD_MESSAGE,
        .uri = o->uri,
        .transport = sc->is_tls ? SLICE_LIT("TLS") : SLICE_LIT("TCP"),
        .sent_by = sip_sent_by(s, sc->is_tls),
        .branch = sip_id_slice(&branch),
        .max_forwards = SIP_MAX_FORWARDS,
        .from_uri = o->from_uri,
        .from_tag = sip_id_slice(&tag),
        .to_uri = o->uri,
        .call_id = o->call_id.len ? o->call_id : sip_id_slice(&call_id),
        .cseq = 1,
    };
    struct sip_client_params client = {
        .link = &sc->link,
        .method = SIP_METHOD_MESSAGE,
        .branch = sip_id_slice(&branch),
        .owner = o,
        .now_ms = shard_now_ms(s->e->sh),
    };

    if (sc->is_ended || conn_out_is_crowded(sc->c) ||
        sip_client_start(s->txns, &client, &o->ref) != 0) {
        return false;
    }
    sip_write_request(out, &request);
    if (o->subject.len != 0) {
        sip_write_header(out, SIP_HDR_SUBJECT, o->subject);
    }
    if (o->language.len != 0) {
        sip_write_header(out, SIP_HDR_CONTENT_LANGUAGE, o->language);
    }
    put_date(out, o->date_unix_s);
    sip_write_end(out, MESSAGE_CONTENT_TYPE, o->body);
    if (out->failed) {
        buf_truncate(out, before);
        sip_client_forget(s->txns, o->ref);
        return false;
    }
    conn_flush(sc->c);
    s->e->stats.stanzas_out_sip++;
    p->requests[1]++;
    return true;
}

/* Writes it, or has it wait for the connection. */
void sip_out_dispatch(struct sip_out *o)
{
    if (o->peer->state != SIP_PEER_UP || !write_request(o)) {
        list_push_back(&o->peer->waiting, &o->link);
        sip_peer_need(o->peer);
        return;
    }
    list_push_back(&o->peer->sent, &o->link);
}

void sip_out_free(struct sip_out *o)
{
    list_remove(&o->link);
    o->peer->queued_count--;
    o->peer->queued_bytes -= o->body.len;
    o->target->count--;
    o->magic = 0;
    pool_free(o);
}

/* The stanza it was, as far as it was kept; NULL: no memory. Valid until the next call. */
static const struct stanza *stanza_of(const struct sip_out *o)
{
    static _Thread_local struct stanza st; /* 6 KB of addresses */

    st = (struct stanza){.kind = STANZA_MESSAGE, .type = STANZA_TYPE_CHAT, .id = o->id};
    if (jid_parse(&st.from_mem, o->from, &st.from) != 0 ||
        jid_parse(&st.to_mem, o->to, &st.to) != 0) {
        o->peer->side->e->stats.dropped_memory++;
        return NULL;
    }
    return &st;
}

/* The error answer to the sender. */
static void refuse(struct sip_out *o, const struct stanza_error *error)
{
    struct edge *e = o->peer->side->e;
    const struct stanza *st = stanza_of(o);

    if (!st) {
        return;
    }
    bounce_stanza(e, st,
                  &(struct bounce_reply){.to_partner = true,
                                         .local = o->local,
                                         .remote = o->remote,
                                         .error = *error});
}

void sip_out_refuse(struct sip_out *o, enum error_local what)
{
    struct stanza_error error;

    error_from_local(&error, what);
    o->peer->side->e->stats.sip_unreachable++;
    partner_run_bounced(o->peer->side->e, o->remote, BOUNCE_SIP_UNREACHABLE);
    refuse(o, &error);
}

bool sip_out_is_refused(struct sip_out *o)
{
    struct edge *e = o->peer->side->e;
    const struct judge_pair names = {o->local, o->remote};
    const struct stanza *st;
    struct judgement judgement;

    if (!again_is_due(e, o->generation)) {
        return false;
    }
    o->generation = edge_setup(e)->generation;
    if (again_is_plain(e, &names)) {
        return false;
    }
    st = stanza_of(o);
    if (!st) {
        return true;
    }
    judge_again(e, st, POLICY_TO_LOCAL, &names, &judgement);
    if (judgement.decision.allowed) {
        return false;
    }
    judge_note_refusal(e, st, POLICY_TO_LOCAL, &names, &judgement.decision);
    refuse_partner(e, st, &names, &judgement.decision);
    return true;
}

bool sip_out_is_too_old(const struct sip_out *o)
{
    return shard_now_ms(o->peer->side->e->sh) - o->created_ms >= SIP_WAIT_MS_MAX;
}

void sip_out_finish(struct sip_out *o)
{
    struct sip_side *s = o->peer->side;
    struct sip_peer *p = o->peer;
    struct sip_target *t = o->target;
    struct list *next;

    sip_out_free(o);
    while ((next = list_first(&t->waiting))) {
        o = LIST_ENTRY(next, struct sip_out, link);
        if (!sip_out_is_refused(o)) {
            if (!sip_out_is_too_old(o)) {
                break;
            }
            sip_out_refuse(o, ERROR_LOCAL_NO_ANSWER);
        }
        sip_out_free(o);
    }
    next = list_pop_front(&t->waiting);
    sip_queue_update(p);
    sip_queue_update_target(s, t);
    if (next) {
        sip_out_dispatch(LIST_ENTRY(next, struct sip_out, link));
    } else {
        sip_queue_target_free(s, t);
    }
}

static void on_final(struct sip_out *o, const struct sip_msg *response)
{
    struct edge *e = o->peer->side->e;
    struct error_sip sip;
    struct error_text mem;
    struct stanza_error error;

    if (response->status < 300) {
        e->stats.sip_delivered++;
        return;
    }
    e->stats.sip_rejected++;
    partner_run_bounced(e, o->remote, BOUNCE_SIP_REJECTED);
    error_sip_read(&sip, response);
    error_from_sip(&error, &mem, &sip, false);
    refuse(o, &error);
}

void sip_uac_done(void *owner, const struct sip_client_done *done)
{
    struct sip_out *o = owner;

    if (*(const uint32_t *)owner == SIP_PEER_MAGIC) {
        sip_peer_probe_done(owner, done);
        return;
    }
    if (*(const uint32_t *)owner == SIP_REQ_MAGIC) {
        sip_req_done(owner, done);
        return;
    }
    ASSERT(o->magic == SIP_OUT_MAGIC);
    if (done->outcome == SIP_OUTCOME_FINAL && done->status == 503 && !o->is_retried &&
        sip_peer_may_failover(o->peer)) {
        /* RFC 3261 21.5.4: try another target; this one was surely not delivered. */
        o->is_retried = true;
        list_remove(&o->link);
        list_push_back(&o->peer->waiting, &o->link);
        sip_peer_failover(o->peer, "503 from the next hop");
        return;
    }
    switch (done->outcome) {
    case SIP_OUTCOME_FINAL:
        on_final(o, done->response);
        break;
    case SIP_OUTCOME_TIMEOUT:
    case SIP_OUTCOME_LINK:
        sip_out_refuse(o, ERROR_LOCAL_NO_ANSWER);
        break;
    }
    sip_out_finish(o);
}
