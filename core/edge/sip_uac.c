/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip_uac: messages out: one at a time per recipient (RFC 3428 section 8), in order, each ending
 * in a 2xx or in a stanza error to its sender. */
#include <stdio.h>
#include <time.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "edge/bounce.h"
#include "edge/partner_run.h"
#include "edge/route.h"
#include "edge/sip_int.h"
#include "translate/error.h"
#include "translate/message.h"

#define TARGET_COUNT_MAX 1024u
#define PEER_COUNT_MAX 16384u
/* The reader is stopped at these and goes on at a quarter. */
#define TARGET_COUNT_HIGH 512u
#define PEER_COUNT_HIGH 4096u
#define WAIT_MS_MAX 32000u /* for a connection to the next hop, or behind another message */

struct slice sip_gate(const struct sip_peer *p, char mem[96])
{
    int len = snprintf(mem, 96, "sip %s", p->name);

    return slice_make(mem, (size_t)len);
}

static void set_gate(struct edge *e, struct slice key, bool is_high, bool is_low)
{
    if (is_high) {
        flow_set(&e->flow, key, true, shard_now_ms(e->sh));
    } else if (is_low && flow_is_closed(&e->flow, key)) {
        flow_set(&e->flow, key, false, shard_now_ms(e->sh));
    }
}

static void update_gate(struct sip_peer *p)
{
    struct edge *e = p->side->e;
    char mem[96];
    uint32_t bytes_max = edge_policy(e)->limits.queue_bytes_max;
    bool is_high = p->queued_count > PEER_COUNT_HIGH || p->queued_bytes > bytes_max / 2;
    bool is_low = p->queued_count <= PEER_COUNT_HIGH / 4 && p->queued_bytes <= bytes_max / 4;

    set_gate(e, sip_gate(p, mem), is_high && p->state == SIP_PEER_UP, is_low);
}

/* A recipient has a gate of its own: who writes to others need not wait for this one. */
static struct slice target_gate(const struct sip_target *t, char mem[96])
{
    int len = snprintf(mem, 96, "sip recipient %p", (const void *)t);

    return slice_make(mem, (size_t)len);
}

static void update_target_gate(struct sip_side *s, const struct sip_target *t)
{
    char mem[96];

    set_gate(s->e, target_gate(t, mem), t->count > TARGET_COUNT_HIGH,
             t->count <= TARGET_COUNT_HIGH / 4);
}

/* --- one message ---------------------------------------------------------------------------- */

static char *put(char *at, struct slice from, struct slice *to)
{
    *to = slice_make(at, from.len);
    return from.len ? mempcpy(at, from.ptr, from.len) : at;
}

static struct sip_out *out_new(const struct stanza *st, const struct sip_side_target *target,
                               const struct message_to_sip *m)
{
    size_t bytes = target->local.len + target->remote.len + jid_len(&st->from) + jid_len(&st->to) +
                   st->id.len + m->uri.len + m->from_uri.len + m->call_id.len + m->subject.len +
                   m->language.len + m->body.len;
    struct sip_out *o = pool_alloc(sizeof(*o) + bytes);
    struct buf names;
    char *at;

    if (!o) {
        return NULL;
    }
    *o = (struct sip_out){.magic = SIP_OUT_MAGIC, .date_unix_s = m->date_unix_s};
    buf_init(&names, (size_t)4 * JID_BYTES_MAX);
    jid_write(&names, &st->from);
    jid_write(&names, &st->to);
    if (names.failed) {
        buf_deinit(&names);
        pool_free(o);
        return NULL;
    }
    at = put(o->data, target->local, &o->local);
    at = put(at, target->remote, &o->remote);
    at = put(at, slice_to(buf_slice(&names), jid_len(&st->from)), &o->from);
    at = put(at, slice_from(buf_slice(&names), jid_len(&st->from)), &o->to);
    at = put(at, st->id, &o->id);
    at = put(at, m->uri, &o->uri);
    at = put(at, m->from_uri, &o->from_uri);
    at = put(at, m->call_id, &o->call_id);
    at = put(at, m->subject, &o->subject);
    at = put(at, m->language, &o->language);
    (void)put(at, m->body, &o->body);
    buf_deinit(&names);
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
    char sent_by[SIP_SENT_BY_BYTES];
    size_t before = buf_len(out);
    struct sip_request_params request = {
        .method = SIP_METHOD_MESSAGE,
        .uri = o->uri,
        .transport = sc->is_tls ? SLICE_LIT("TLS") : SLICE_LIT("TCP"),
        .sent_by = sip_sent_by(s, sc->is_tls, sent_by),
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
static void dispatch(struct sip_out *o)
{
    if (o->peer->state != SIP_PEER_UP || !write_request(o)) {
        list_push_back(&o->peer->waiting, &o->link);
        sip_peer_need(o->peer);
        return;
    }
    list_push_back(&o->peer->sent, &o->link);
}

static void target_free(struct sip_side *s, struct sip_target *t)
{
    (void)map_remove(&s->targets, slice_make(t->key, t->key_len));
    pool_free(t);
}

static void out_free(struct sip_out *o)
{
    list_remove(&o->link);
    o->peer->queued_count--;
    o->peer->queued_bytes -= o->body.len;
    o->target->count--;
    o->magic = 0;
    pool_free(o);
}

/* The error answer to the sender, built from what was kept. */
static void refuse(struct sip_out *o, const struct stanza_error *error)
{
    struct edge *e = o->peer->side->e;
    static _Thread_local struct stanza st; /* 6 KB of addresses */

    st = (struct stanza){.kind = STANZA_MESSAGE, .type = STANZA_TYPE_CHAT, .id = o->id};
    if (jid_parse(&st.from_mem, o->from, &st.from) != 0 ||
        jid_parse(&st.to_mem, o->to, &st.to) != 0) {
        e->stats.dropped_memory++;
        return;
    }
    bounce_stanza(e, &st,
                  &(struct bounce_reply){.to_partner = true,
                                         .local = o->local,
                                         .remote = o->remote,
                                         .error = *error});
}

static void refuse_unreachable(struct sip_out *o, enum error_local what)
{
    struct stanza_error error;

    error_from_local(&error, what);
    o->peer->side->e->stats.sip_unreachable++;
    partner_run_bounced(o->peer->side->e, o->remote, BOUNCE_SIP_UNREACHABLE);
    refuse(o, &error);
}

static bool is_too_old(const struct sip_out *o)
{
    return shard_now_ms(o->peer->side->e->sh) - o->created_ms >= WAIT_MS_MAX;
}

/* The message is finished: the recipient's next one goes out, unless it has waited too long. */
static void finish(struct sip_out *o)
{
    struct sip_side *s = o->peer->side;
    struct sip_peer *p = o->peer;
    struct sip_target *t = o->target;
    struct list *next;

    out_free(o);
    while ((next = list_first(&t->waiting)) && is_too_old(LIST_ENTRY(next, struct sip_out, link))) {
        o = LIST_ENTRY(next, struct sip_out, link);
        refuse_unreachable(o, ERROR_LOCAL_NO_ANSWER);
        out_free(o);
    }
    next = list_pop_front(&t->waiting);
    update_gate(p);
    update_target_gate(s, t);
    if (next) {
        dispatch(LIST_ENTRY(next, struct sip_out, link));
    } else {
        target_free(s, t);
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
        refuse_unreachable(o, ERROR_LOCAL_NO_ANSWER);
        break;
    }
    finish(o);
}

/* --- queues --------------------------------------------------------------------------------- */

static struct sip_target *target_of(struct sip_side *s, struct slice uri)
{
    struct sip_target *t = map_get(&s->targets, uri);

    if (t) {
        return t;
    }
    t = pool_zalloc(sizeof(*t) + uri.len);
    if (t) {
        list_init(&t->waiting);
        t->key_len = uri.len;
        memcpy(t->key, uri.ptr, uri.len);
        (void)map_add(&s->targets, slice_make(t->key, t->key_len), t);
    }
    return t;
}

static void answer_local(struct sip_side *s, const struct stanza *st,
                         const struct sip_side_target *target, const struct stanza_error *error)
{
    bounce_stanza(s->e, st,
                  &(struct bounce_reply){.to_partner = true,
                                         .local = target->local,
                                         .remote = target->remote,
                                         .error = *error});
}

static bool enqueue(struct sip_side *s, const struct stanza *st,
                    const struct sip_side_target *target, const struct message_to_sip *m,
                    struct route_gate *gate)
{
    struct sip_peer *p = sip_peer_of(s, target->hop);
    struct sip_target *t = p ? target_of(s, m->uri) : NULL;
    struct sip_out *o = NULL;
    struct stanza_error error;
    char mem[96];
    struct slice key;

    if (t && t->count < TARGET_COUNT_MAX && p->queued_count < PEER_COUNT_MAX &&
        p->queued_bytes + m->body.len <= edge_policy(s->e)->limits.queue_bytes_max &&
        !s->e->is_draining) {
        o = out_new(st, target, m);
    }
    if (!o) {
        error_from_local(&error, ERROR_LOCAL_QUEUE_FULL);
        s->e->stats.bounced_queue_full++;
        partner_run_bounced(s->e, target->remote, BOUNCE_QUEUE_FULL);
        if (t && t->count == 0) {
            target_free(s, t);
        }
        answer_local(s, st, target, &error);
        return false;
    }
    o->peer = p;
    o->target = t;
    o->created_ms = shard_now_ms(s->e->sh);
    p->queued_count++;
    p->queued_bytes += o->body.len;
    t->count++;
    if (t->count == 1) {
        dispatch(o);
    } else {
        list_push_back(&t->waiting, &o->link);
    }
    update_gate(p);
    t = map_get(&s->targets, m->uri); /* gone when the next hop could not be dialled at all */
    if (t) {
        update_target_gate(s, t);
    }
    key = t ? target_gate(t, mem) : SLICE_NONE;
    if (!t || !flow_is_closed(&s->e->flow, key)) {
        key = sip_gate(p, mem);
    }
    if (!flow_is_closed(&s->e->flow, key)) {
        return false;
    }
    memcpy(gate->mem, key.ptr, key.len);
    gate->key = slice_make(gate->mem, key.len);
    return true;
}

bool sip_side_send(struct sip_side *s, const struct stanza *st,
                   const struct sip_side_target *target, struct route_gate *gate)
{
    static const struct message_to_sip_options options = {0};
    struct message_to_sip m;
    bool should_wait = false;

    message_to_sip(&m, st, &options);
    switch (m.verdict) {
    case MESSAGE_SEND:
        should_wait = enqueue(s, st, target, &m, gate);
        break;
    case MESSAGE_CONSUMED:
    case MESSAGE_ERROR:
        s->e->stats.consumed++;
        break;
    case MESSAGE_REFUSED:
        s->e->stats.bounced_translate++;
        partner_run_bounced(s->e, target->remote, BOUNCE_TRANSLATE);
        answer_local(s, st, target, &m.error);
        break;
    }
    message_to_sip_deinit(&m);
    return should_wait;
}

void sip_uac_peer_up(struct sip_peer *p)
{
    struct list waiting;
    struct list *link;

    list_init(&waiting);
    list_splice(&waiting, &p->waiting);
    while ((link = list_pop_front(&waiting))) {
        dispatch(LIST_ENTRY(link, struct sip_out, link));
    }
}

static void refuse_waiting(struct sip_peer *p, uint64_t older_than_ms, enum error_local what)
{
    struct list doomed;
    struct list *at = p->waiting.next;
    struct list *link;

    /* Finishing one brings the recipient's next one into the list: it waits for the next turn. */
    list_init(&doomed);
    while (at != &p->waiting) {
        struct sip_out *o = LIST_ENTRY(at, struct sip_out, link);

        at = at->next;
        if (o->created_ms <= older_than_ms) {
            list_remove(&o->link);
            list_push_back(&doomed, &o->link);
        }
    }
    while ((link = list_pop_front(&doomed))) {
        struct sip_out *o = LIST_ENTRY(link, struct sip_out, link);

        refuse_unreachable(o, what);
        finish(o);
    }
}

void sip_uac_peer_down(struct sip_peer *p)
{
    /* All targets failed: those who wait since before this round are answered. */
    while (!list_is_empty(&p->waiting)) {
        refuse_waiting(p, UINT64_MAX, ERROR_LOCAL_NO_ANSWER);
    }
}

void sip_uac_refuse_all(struct sip_side *s)
{
    size_t cursor = 0;
    struct sip_target *t;
    struct sip_peer *p;
    struct list *link;

    /* First those behind others, so that none of them is written now. */
    while ((t = map_next(&s->targets, &cursor))) {
        while ((link = list_first(&t->waiting))) {
            refuse_unreachable(LIST_ENTRY(link, struct sip_out, link), ERROR_LOCAL_NO_ANSWER);
            out_free(LIST_ENTRY(link, struct sip_out, link));
        }
    }
    cursor = 0;
    while ((p = map_next(&s->peers, &cursor))) {
        while ((link = list_first(&p->sent)) || (link = list_first(&p->waiting))) {
            struct sip_out *o = LIST_ENTRY(link, struct sip_out, link);

            sip_client_forget(s->txns, o->ref);
            refuse_unreachable(o, ERROR_LOCAL_NO_ANSWER);
            finish(o);
        }
    }
}

/* Behind a message that gets no answer a queue would move once in a transaction's time: who has
 * waited there too long is answered. The lists are in order of age. */
static void refuse_behind(struct sip_side *s)
{
    size_t cursor = 0;
    struct sip_target *t;
    struct list *link;

    while ((t = map_next(&s->targets, &cursor))) {
        while ((link = list_first(&t->waiting))) {
            struct sip_out *o = LIST_ENTRY(link, struct sip_out, link);

            if (!is_too_old(o)) {
                break;
            }
            refuse_unreachable(o, ERROR_LOCAL_NO_ANSWER);
            out_free(o);
        }
        update_target_gate(s, t);
    }
}

void sip_uac_tick(struct sip_side *s)
{
    uint64_t now = shard_now_ms(s->e->sh);
    size_t cursor = 0;
    struct sip_peer *p;

    refuse_behind(s);

    while ((p = map_next(&s->peers, &cursor))) {
        if (now > WAIT_MS_MAX) {
            refuse_waiting(p, now - WAIT_MS_MAX, ERROR_LOCAL_NO_ANSWER);
        }
        if (p->state == SIP_PEER_UP && !list_is_empty(&p->waiting)) {
            sip_uac_peer_up(p); /* the connection was crowded */
        }
        update_gate(p);
    }
}
