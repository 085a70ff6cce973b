/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip_queue: messages out that wait: one is under way per recipient (RFC 3428 section 8), the next
 * ones in order behind it; then those that wait for the connection to their next hop. */
#include "base/attr.h"
#include "base/pool.h"
#include "edge/again.h"
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

#define GATE_BYTES 96u

static struct slice peer_gate(const struct sip_peer *p, char mem[GATE_BYTES])
{
    char *at = mempcpy(mem, "sip ", 4);

    at = mempcpy(at, p->name, strlen(p->name)); /* 63 characters at most */
    return slice_make(mem, (size_t)(at - mem));
}

/* A recipient has a gate of its own: who writes to others need not wait for this one. The table of
 * recipients tells them apart by address, and so do their gates. */
static struct slice target_gate(const struct sip_target *t, char mem[GATE_BYTES])
{
    char *at = mempcpy(mem, "sip recipient ", 14);

    for (int shift = 60; shift >= 0; shift -= 4) {
        *at++ = "0123456789abcdef"[((uintptr_t)t >> shift) & 15];
    }
    return slice_make(mem, (size_t)(at - mem));
}

/* Nothing is to be said of a gate, mostly, and then its key is not made: none is closed, and this
 * one is not to be. */
static bool is_quiet(const struct edge *e, bool is_high)
{
    return !is_high && flow_is_open(&e->flow);
}

static void set_gate(struct edge *e, struct slice key, bool is_high, bool is_low)
{
    if (is_high) {
        flow_set(&e->flow, key, true, shard_now_ms(e->sh));
    } else if (is_low && flow_is_closed(&e->flow, key)) {
        flow_set(&e->flow, key, false, shard_now_ms(e->sh));
    }
}

void sip_queue_update(struct sip_peer *p)
{
    struct edge *e = p->side->e;
    char mem[GATE_BYTES] UNINITIALIZED;
    uint32_t bytes_max = edge_policy(e)->limits.queue_bytes_max;
    bool is_high = p->queued_count > PEER_COUNT_HIGH || p->queued_bytes > bytes_max / 2;
    bool is_low = p->queued_count <= PEER_COUNT_HIGH / 4 && p->queued_bytes <= bytes_max / 4;

    is_high = is_high && p->state == SIP_PEER_UP;
    if (!is_quiet(e, is_high)) {
        set_gate(e, peer_gate(p, mem), is_high, is_low);
    }
}

void sip_queue_update_target(struct sip_side *s, const struct sip_target *t)
{
    char mem[GATE_BYTES] UNINITIALIZED;
    bool is_high = t->count > TARGET_COUNT_HIGH;

    if (!is_quiet(s->e, is_high)) {
        set_gate(s->e, target_gate(t, mem), is_high, t->count <= TARGET_COUNT_HIGH / 4);
    }
}

void sip_queue_target_free(struct sip_side *s, struct sip_target *t)
{
    s->target_ends++;
    (void)map_remove(&s->targets, slice_make(t->key, t->key_len));
    pool_free(t);
}

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

/* Whether the reader should wait, and where. t: NULL = gone. */
static bool is_gate_closed(const struct sip_side *s, const struct sip_peer *p,
                           const struct sip_target *t, struct route_gate *gate)
{
    char mem[GATE_BYTES] UNINITIALIZED;
    struct slice key = SLICE_NONE;

    if (flow_is_open(&s->e->flow)) {
        return false;
    }
    key = t ? target_gate(t, mem) : SLICE_NONE;
    if (!t || !flow_is_closed(&s->e->flow, key)) {
        key = peer_gate(p, mem);
    }
    if (!flow_is_closed(&s->e->flow, key)) {
        return false;
    }
    memcpy(gate->mem, key.ptr, key.len);
    gate->key = slice_make(gate->mem, key.len);
    return true;
}

static bool enqueue(struct sip_side *s, const struct stanza *st,
                    const struct sip_side_target *target, const struct message_to_sip *m,
                    struct route_gate *gate)
{
    struct sip_peer *p = sip_peer_of(s, target->hop);
    struct sip_target *t = p ? target_of(s, m->uri) : NULL;
    struct sip_out *o = NULL;
    struct stanza_error error;
    uint64_t ends;

    if (t && t->count < TARGET_COUNT_MAX && p->queued_count < PEER_COUNT_MAX &&
        p->queued_bytes + m->body.len <= edge_policy(s->e)->limits.queue_bytes_max &&
        !s->e->is_draining) {
        o = sip_out_new(st, target, m);
    }
    if (!o) {
        error_from_local(&error, ERROR_LOCAL_QUEUE_FULL);
        s->e->stats.bounced_queue_full++;
        partner_run_bounced(s->e, target->remote, BOUNCE_QUEUE_FULL);
        if (t && t->count == 0) {
            sip_queue_target_free(s, t);
        }
        answer_local(s, st, target, &error);
        return false;
    }
    o->peer = p;
    o->target = t;
    o->created_ms = shard_now_ms(s->e->sh);
    o->generation = edge_setup(s->e)->generation;
    p->queued_count++;
    p->queued_bytes += o->body.len;
    t->count++;
    ends = s->target_ends;
    if (t->count == 1) {
        sip_out_dispatch(o);
    } else {
        list_push_back(&t->waiting, &o->link);
    }
    sip_queue_update(p);
    if (ends != s->target_ends) {
        t = map_get(&s->targets, m->uri); /* gone when the next hop could not be dialled at all */
    }
    if (t) {
        sip_queue_update_target(s, t);
    }
    return is_gate_closed(s, p, t, gate);
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
        struct sip_out *o = LIST_ENTRY(link, struct sip_out, link);

        if (sip_out_is_refused(o)) {
            sip_out_finish(o);
            continue;
        }
        sip_out_dispatch(o);
        (void)sip_req_write_next(p);
    }
    while (sip_req_write_next(p)) {
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

        if (!sip_out_is_refused(o)) {
            sip_out_refuse(o, what);
        }
        sip_out_finish(o);
    }
}

void sip_uac_peer_down(struct sip_peer *p)
{
    /* All targets failed: those who wait since before this round are answered. */
    while (!list_is_empty(&p->waiting)) {
        refuse_waiting(p, UINT64_MAX, ERROR_LOCAL_NO_ANSWER);
    }
    sip_req_peer_down(p);
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
            sip_out_refuse(LIST_ENTRY(link, struct sip_out, link), ERROR_LOCAL_NO_ANSWER);
            sip_out_free(LIST_ENTRY(link, struct sip_out, link));
        }
    }
    cursor = 0;
    while ((p = map_next(&s->peers, &cursor))) {
        while ((link = list_first(&p->sent)) || (link = list_first(&p->waiting))) {
            struct sip_out *o = LIST_ENTRY(link, struct sip_out, link);

            sip_client_forget(s->txns, o->ref);
            sip_out_refuse(o, ERROR_LOCAL_NO_ANSWER);
            sip_out_finish(o);
        }
        sip_req_refuse_all(p);
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

            if (!sip_out_is_too_old(o)) {
                break;
            }
            sip_out_refuse(o, ERROR_LOCAL_NO_ANSWER);
            sip_out_free(o);
        }
        sip_queue_update_target(s, t);
    }
}

static void judge_behind(struct sip_side *s, struct sip_target *t)
{
    struct list *at = t->waiting.next;

    while (at != &t->waiting) {
        struct sip_out *o = LIST_ENTRY(at, struct sip_out, link);

        at = at->next;
        if (sip_out_is_refused(o)) {
            sip_out_free(o);
        }
    }
    sip_queue_update_target(s, t);
}

static void judge_waiting(struct sip_peer *p)
{
    struct list *at = p->waiting.next;
    struct list doomed;
    struct list *link;

    list_init(&doomed);
    while (at != &p->waiting) {
        struct sip_out *o = LIST_ENTRY(at, struct sip_out, link);

        at = at->next;
        if (sip_out_is_refused(o)) {
            list_remove(&o->link);
            list_push_back(&doomed, &o->link);
        }
    }
    while ((link = list_pop_front(&doomed))) {
        sip_out_finish(LIST_ENTRY(link, struct sip_out, link));
    }
}

/* After a reload: none of these would leave (sip_out_is_refused is asked again then); their senders
 * need not wait for that. */
static void judge_all(struct sip_side *s)
{
    size_t cursor = 0;
    struct sip_target *t;
    struct sip_peer *p;

    if (!again_is_due(s->e, s->generation)) {
        return;
    }
    s->generation = edge_setup(s->e)->generation;
    while ((t = map_next(&s->targets, &cursor))) {
        judge_behind(s, t);
    }
    cursor = 0;
    while ((p = map_next(&s->peers, &cursor))) {
        judge_waiting(p);
    }
}

void sip_uac_tick(struct sip_side *s)
{
    uint64_t now = shard_now_ms(s->e->sh);
    size_t cursor = 0;
    struct sip_peer *p;

    judge_all(s);
    refuse_behind(s);
    while ((p = map_next(&s->peers, &cursor))) {
        if (now > SIP_WAIT_MS_MAX) {
            refuse_waiting(p, now - SIP_WAIT_MS_MAX, ERROR_LOCAL_NO_ANSWER);
        }
        sip_req_tick(p);
        if (p->state == SIP_PEER_UP &&
            (!list_is_empty(&p->waiting) || !list_is_empty(&p->req_waiting))) {
            sip_uac_peer_up(p); /* the connection was crowded */
        }
        sip_queue_update(p);
    }
}
