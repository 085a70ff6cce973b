/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip_request: SUBSCRIBE and NOTIFY out, beside the messages: not queued per recipient (dialogs
 * number their own), bounded per next hop, each ending in one presence_response. While there is no
 * connection, or no room in it, they wait their turn, for SIP_WAIT_MS_MAX at most; messages and
 * these go by turns (sip_uac_peer_up), so that a storm of either holds up the other by half at
 * most. What is in them is never logged. */
#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "edge/presence_side.h"
#include "edge/sip_int.h"
#include "presence/presence.h"

#define REQ_COUNT_MAX 4096u
#define REQ_BYTES_MAX ((size_t)8 << 20)

struct sip_req {
    uint32_t magic;
    struct list link; /* in peer.req_waiting, peer.req_sent or side.req_over */
    struct sip_peer *peer; /* borrowed; NULL in side.req_over */
    struct presence_call *call;
    struct sip_txn_ref ref;
    bool is_retried; /* 503 once: on its second target */
    uint8_t outcome; /* in side.req_over: enum sip_outcome */
    uint16_t status; /* likewise */
    uint64_t created_ms;
    size_t bytes; /* what it counts for */
    /* slices into data, which begins with those of the routes */
    struct sip_request_params params;
    struct slice fields, content_type, body;
    struct slice data[];
};

static char *put(char *at, struct slice *s)
{
    struct slice from = *s;

    *s = slice_make(at, from.len);
    return from.len ? mempcpy(at, from.ptr, from.len) : at;
}

static size_t text_bytes(const struct presence_request *r)
{
    const struct sip_request_params *p = r->params;
    size_t bytes = p->uri.len + p->from_uri.len + p->from_display.len + p->from_tag.len +
                   p->to_uri.len + p->to_tag.len + p->call_id.len + r->fields.len +
                   r->content_type.len + r->body.len;

    for (uint32_t i = 0; i < p->route_count; i++) {
        bytes += p->route[i].len;
    }
    return bytes;
}

static struct sip_req *req_new(const struct presence_request *r)
{
    size_t slices = r->params->route_count * sizeof(struct slice);
    size_t text = text_bytes(r);
    struct sip_req *q = pool_alloc(sizeof(*q) + slices + text);
    char *at;

    if (!q) {
        return NULL;
    }
    *q = (struct sip_req){
        .magic = SIP_REQ_MAGIC,
        .call = r->call,
        .bytes = text,
        .params = *r->params,
        .fields = r->fields,
        .content_type = r->content_type,
        .body = r->body,
    };
    at = (char *)(q->data + r->params->route_count);
    for (uint32_t i = 0; i < r->params->route_count; i++) {
        q->data[i] = r->params->route[i];
        at = put(at, &q->data[i]);
    }
    q->params.route = q->data;
    at = put(at, &q->params.uri);
    at = put(at, &q->params.from_uri);
    at = put(at, &q->params.from_display);
    at = put(at, &q->params.from_tag);
    at = put(at, &q->params.to_uri);
    at = put(at, &q->params.to_tag);
    at = put(at, &q->params.call_id);
    at = put(at, &q->fields);
    at = put(at, &q->content_type);
    (void)put(at, &q->body);
    return q;
}

enum written {
    WRITTEN,
    WRITE_LATER, /* the connection takes none now */
    WRITE_NEVER, /* this one cannot be written: whoever stands behind it must not wait for it */
};

static enum written write_request(struct sip_req *q)
{
    struct sip_peer *p = q->peer;
    struct sip_side *s = p->side;
    struct sip_conn *sc = p->conn;
    struct buf *out = conn_out(sc->c);
    struct sip_id branch = sip_ids_branch(&s->ids);
    struct sip_request_params params = q->params;
    struct sip_client_params client = {
        .link = &sc->link,
        .method = params.method,
        .branch = sip_id_slice(&branch),
        .owner = q,
        .now_ms = shard_now_ms(s->e->sh),
    };
    size_t before = buf_len(out);

    if (sc->is_ended || conn_out_is_crowded(sc->c) ||
        sip_client_start(s->txns, &client, &q->ref) != 0) {
        return WRITE_LATER;
    }
    params.transport = sc->is_tls ? SLICE_LIT("TLS") : SLICE_LIT("TCP");
    params.sent_by = sip_sent_by(s, sc->is_tls);
    params.branch = sip_id_slice(&branch);
    sip_write_request(out, &params);
    buf_put(out, q->fields);
    sip_write_end(out, q->content_type, q->body);
    if (out->failed) {
        /* Not for want of room: half of the bound was free, and requests are far smaller. */
        buf_truncate(out, before);
        sip_client_forget(s->txns, q->ref);
        return WRITE_NEVER;
    }
    conn_flush(sc->c);
    p->requests[1]++;
    return WRITTEN;
}

static void give_up(struct sip_req *q, enum sip_outcome outcome, uint16_t status);

/* Writes q, which is in no list or waits; false when it waits, or waits on. */
static bool dispatch(struct sip_req *q)
{
    switch (write_request(q)) {
    case WRITTEN:
        list_remove(&q->link);
        list_push_back(&q->peer->req_sent, &q->link);
        return true;
    case WRITE_NEVER:
        LOG_W(sip_bad_message, "next_hop=%s why=\"a request to it cannot be written\" call_id=%s",
              q->peer->name, log_quote(q->params.call_id).text);
        give_up(q, SIP_OUTCOME_LINK, 503);
        return true;
    case WRITE_LATER:
        return false;
    }
    UNREACHABLE("outcome of writing");
}

int sip_side_request(struct sip_side *s, const struct next_hop *hop,
                     const struct presence_request *r)
{
    struct sip_peer *p;
    struct sip_req *q;

    if (s->is_stopping || s->e->is_draining) {
        return ERR_SHUTDOWN;
    }
    p = sip_peer_of(s, hop);
    if (!p) {
        return ERR_NOMEM;
    }
    if (p->req_count >= REQ_COUNT_MAX || p->req_bytes + text_bytes(r) > REQ_BYTES_MAX) {
        return ERR_FULL;
    }
    /* Before it is in a list: whatever comes of it at once does not concern this one. */
    sip_peer_need(p);
    q = req_new(r);
    if (!q) {
        return ERR_NOMEM;
    }
    q->peer = p;
    q->created_ms = shard_now_ms(s->e->sh);
    p->req_count++;
    p->req_bytes += q->bytes;
    /* Behind those that wait already, whoever asks next. */
    if (p->state != SIP_PEER_UP || !list_is_empty(&p->req_waiting) || !dispatch(q)) {
        list_push_back(&p->req_waiting, &q->link);
    }
    return 0;
}

/* --- the end of one --- */

static void on_over(struct wheel_timer *t, void *ctx);

/* Its next hop has nothing to do with it any more. */
static void leave_peer(struct sip_req *q)
{
    list_remove(&q->link);
    q->peer->req_count--;
    q->peer->req_bytes -= q->bytes;
    q->peer = NULL;
}

/* One at a time: what is told may make or end next hops. */
static void tell_of_peers(struct sip_side *s)
{
    struct list *link;

    while ((link = list_pop_front(&s->peer_news))) {
        struct sip_peer *p = LIST_ENTRY(link, struct sip_peer, news);
        char name[sizeof(p->name)];

        memcpy(name, p->name, sizeof(name));
        enum presence_hop_news what = p->is_lost   ? PRESENCE_HOP_LOST
                                      : p->is_back ? PRESENCE_HOP_BACK
                                                   : PRESENCE_HOP_FIRST;

        p->is_back = p->is_back && p->is_lost;
        presence_side_hop_seen(s->e->presence, slice_from_cstr(name), what);
    }
}

static void tell_soon(struct sip_side *s)
{
    if (!wheel_timer_is_armed(&s->req_timer)) {
        shard_timer_arm(s->e->sh, &s->req_timer, 0, on_over, s);
    }
}

void sip_req_peer_seen(struct sip_peer *p, bool is_reachable)
{
    if (p->is_lost && !is_reachable) { /* one more try in vain: who waits looks every second */
        return;
    }
    p->is_back = p->is_back || p->is_lost;
    p->is_lost = !is_reachable;
    list_remove(&p->news);
    list_push_back(&p->side->peer_news, &p->news);
    tell_soon(p->side);
}

static void on_over(struct wheel_timer *t, void *ctx)
{
    struct sip_side *s = ctx;
    struct list batch;
    struct list *link;

    (void)t;
    tell_of_peers(s);
    list_init(&batch);
    list_splice(&batch, &s->req_over);
    while ((link = list_pop_front(&batch))) {
        struct sip_req *q = LIST_ENTRY(link, struct sip_req, link);
        struct presence_call *call = q->call;
        enum sip_outcome outcome = (enum sip_outcome)q->outcome;
        unsigned status = q->status;

        q->magic = 0;
        pool_free(q);
        presence_side_response(s->e->presence, call, outcome, status, NULL);
    }
}

/* Not answered. It is told in a moment: what is done then may need next hops and connections that
 * are being walked now. */
static void give_up(struct sip_req *q, enum sip_outcome outcome, uint16_t status)
{
    struct sip_side *s = q->peer->side;

    leave_peer(q);
    q->outcome = (uint8_t)outcome;
    q->status = status;
    list_push_back(&s->req_over, &q->link);
    tell_soon(s);
}

void sip_req_done(struct sip_req *q, const struct sip_client_done *done)
{
    struct sip_peer *p = q->peer;
    struct sip_side *s = p->side;
    struct presence_call *call = q->call;

    if (done->outcome != SIP_OUTCOME_FINAL) {
        give_up(q, done->outcome, done->status);
        return;
    }
    /* In a dialog it could only go the same way again: its machine knows when. */
    if (done->status == 503 && !q->is_retried && q->params.to_tag.len == 0 &&
        sip_peer_may_failover(p)) {
        q->is_retried = true;
        list_remove(&q->link);
        list_push_back(&p->req_waiting, &q->link);
        sip_peer_failover(p, "503 from the next hop");
        return;
    }
    leave_peer(q);
    q->magic = 0;
    pool_free(q);
    presence_side_response(s->e->presence, call, done->outcome, done->status, done->response);
}

/* --- waiting --- */

bool sip_req_write_next(struct sip_peer *p)
{
    struct list *link = list_first(&p->req_waiting);

    return link && p->state == SIP_PEER_UP && dispatch(LIST_ENTRY(link, struct sip_req, link));
}

void sip_req_peer_down(struct sip_peer *p)
{
    struct list *link;

    while ((link = list_first(&p->req_waiting))) {
        give_up(LIST_ENTRY(link, struct sip_req, link), SIP_OUTCOME_LINK, 503);
    }
}

void sip_req_tick(struct sip_peer *p)
{
    uint64_t now = shard_now_ms(p->side->e->sh);
    struct list *link;

    while ((link = list_first(&p->req_waiting))) {
        struct sip_req *q = LIST_ENTRY(link, struct sip_req, link);

        if (now - q->created_ms < SIP_WAIT_MS_MAX) {
            break; /* in order of age, but for one that came back with 503: soon enough */
        }
        give_up(q, SIP_OUTCOME_LINK, 503); /* it never went out: nobody failed to answer */
    }
}

void sip_req_refuse_all(struct sip_peer *p)
{
    struct list *link;

    sip_req_peer_down(p);
    while ((link = list_first(&p->req_sent))) {
        struct sip_req *q = LIST_ENTRY(link, struct sip_req, link);

        sip_client_forget(p->side->txns, q->ref);
        give_up(q, SIP_OUTCOME_LINK, 503);
    }
}

static void free_list(struct list *l)
{
    struct list *link;

    while ((link = list_pop_front(l))) {
        pool_free(LIST_ENTRY(link, struct sip_req, link));
    }
}

void sip_req_peer_free(struct sip_peer *p)
{
    free_list(&p->req_waiting);
    free_list(&p->req_sent);
}

void sip_req_free(struct sip_side *s)
{
    shard_timer_disarm(s->e->sh, &s->req_timer);
    free_list(&s->req_over);
}
