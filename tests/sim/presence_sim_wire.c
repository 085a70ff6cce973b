/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What goes over the wires of the simulation, and when it arrives. */
#include <stdio.h>
#include <string.h>

#include "presence_sim.h"

/* --- SIP both ways ---------------------------------------------------------------------------- */

struct sim_txn *sim_send_request(struct sim *s, const char *text)
{
    int channel = (int)sim_random(s, 2);
    struct sim_event *ev;

    for (uint32_t i = 0; i < SIM_TXNS; i++) {
        struct sim_txn *t = &s->txns[i];

        if (t->id == 0) {
            *t = (struct sim_txn){.id = ++s->ids, .channel = channel};
            ev = sim_post(s, EV_TIMER_F, sim_now(s) + (s->is_hop_up ? 32 * SIM_S : 5), NULL);
            ev->id = t->id;
            ev->a = s->is_hop_up ? 408 : 503;
            if (s->is_hop_up) {
                sim_post(s, EV_REQUEST_TO_GW,
                         sim_arrival(s, (enum sim_channel)(CH_SIP_TO + channel)), text)
                    ->id = t->id;
            }
            return t;
        }
    }
    sim_fail(s, "too many transactions");
    return NULL;
}

static struct sim_txn *txn_of(struct sim *s, uint64_t id)
{
    for (uint32_t i = 0; id != 0 && i < SIM_TXNS; i++) {
        if (s->txns[i].id == id) {
            return &s->txns[i];
        }
    }
    return NULL;
}

static void txn_ends(struct sim *s, uint64_t id, unsigned status, const char *text)
{
    struct sim_txn *t = txn_of(s, id);
    struct sim_txn copy;

    if (!t) {
        return;
    }
    copy = *t;
    t->id = 0;
    if (copy.device) {
        watcher_answered(s, &copy, status, text);
    } else if (copy.sub) {
        pool_answered(s, &copy, status);
    }
}

void sim_answer_gw(struct sim *s, const struct sim_event *request, unsigned status, const char *tag,
                   const char *fields)
{
    struct sim_event *ev;
    int channel = CH_SIP_TO + request->a;
    uint64_t id = request->id;
    uint32_t generation = request->generation;
    uint64_t at;

    if (!s->is_hop_up) {
        return;
    }
    at = sim_arrival(s, (enum sim_channel)channel);
    if (sim_chance(s, 60)) {
        at += 40 * SIM_S; /* too late */
    }
    ev = sim_post(s, EV_ANSWER_TO_GW, at, fields);
    ev->id = id;
    ev->a = (int)status;
    ev->generation = generation;
    (void)snprintf(ev->tag, SIM_ID, "%s", tag);
}

static struct said *said_of(struct sim *s, const struct sim_event *ev)
{
    if (ev->generation != s->generation) {
        return NULL;
    }
    for (struct list *l = s->f.requests.next; l != &s->f.requests; l = l->next) {
        struct said *said = LIST_ENTRY(l, struct said, link);

        if (said->handle == ev->id) {
            return said;
        }
    }
    return NULL;
}

/* --- what the gateway has said ---------------------------------------------------------------- */

static void take_stanzas(struct sim *s)
{
    struct said *said;

    while ((said = fixture_take_stanza(&s->f)) != NULL) {
        sim_trace(s, "gateway says %s", said->text);
        s->sums.stanzas++;
        check_stanza(s, said->text);
        if (s->is_stream_up) {
            (void)sim_post(s, EV_STANZA_FROM_GW, sim_arrival(s, CH_X_FROM), said->text);
        } else {
            sim_post(s, EV_UNDELIVERED, sim_now(s) + 1 + sim_random(s, 30000), said->text)->a =
                (int)said->type;
        }
    }
}

static void take_answers(struct sim *s)
{
    struct said *said;

    while ((said = fixture_take_answer(&s->f)) != NULL) {
        for (uint32_t i = 0; i < SIM_TXNS; i++) {
            struct sim_txn *t = &s->txns[i];

            if (t->id != 0 && t->handle == said->handle && s->is_hop_up) {
                struct sim_event *ev = sim_post(
                    s, EV_ANSWER_FROM_GW,
                    sim_arrival(s, (enum sim_channel)(CH_SIP_FROM + t->channel)), said->text);
                ev->id = t->id;
                ev->a = (int)said->status;
            }
        }
    }
}

static void take_requests(struct sim *s)
{
    for (struct list *l = s->f.requests.next; l != &s->f.requests; l = l->next) {
        struct said *said = LIST_ENTRY(l, struct said, link);
        struct sim_event *ev;
        int channel;

        if (said->handle != 0) {
            continue;
        }
        said->handle = ++s->ids;
        check_request(s, said->text);
        sim_trace(s, "gateway sends %.20s #%llu", said->text, (unsigned long long)said->handle);
        channel = (int)sim_random(s, 2);
        ev = sim_post(s, EV_TIMER_F_GW, sim_now(s) + (s->is_hop_up ? 32 * SIM_S : 5), NULL);
        ev->id = said->handle;
        ev->a = s->is_hop_up ? SIP_OUTCOME_TIMEOUT : SIP_OUTCOME_LINK;
        if (s->is_hop_up) {
            ev = sim_post(s, EV_REQUEST_FROM_GW,
                          sim_arrival(s, (enum sim_channel)(CH_SIP_FROM + channel)), said->text);
            ev->id = said->handle;
            ev->a = channel;
        }
    }
}

static void store_later(struct sim *s)
{
    for (uint32_t i = 0; i < s->event_count; i++) {
        if (s->events[i].kind == EV_STORE) {
            return;
        }
    }
    (void)sim_post(s, EV_STORE, sim_now(s) + 1 + sim_random(s, s->is_chaos ? 3000 : 20), NULL);
}

void wire_take_all(struct sim *s)
{
    take_stanzas(s);
    take_answers(s);
    take_requests(s);
    if (!list_is_empty(&s->f.on_way)) {
        store_later(s);
    }
}

/* --- events ----------------------------------------------------------------------------------- */

/* When the stream is back. What waits for that keeps its order. */
static uint64_t up_at(const struct sim *s)
{
    for (uint32_t i = 0; i < s->event_count; i++) {
        if (s->events[i].kind == EV_STREAM_UP) {
            return s->events[i].at;
        }
    }
    return sim_now(s) + SIM_S;
}

static void deliver_stanza(struct sim *s, const struct sim_event *ev)
{
    char from[SIM_ID];
    char to[SIM_ID];

    if (!s->is_stream_up) { /* kept until it is up if it is about a subscription */
        if (sim_is_management(ev->text)) {
            uint64_t at = up_at(s);

            (void)sim_post(s, EV_STANZA_TO_GW, at, ev->text);
            s->last[CH_X_TO] = s->last[CH_X_TO] > at ? s->last[CH_X_TO] : at;
        }
        return;
    }
    sim_attribute(ev->text, "from", from);
    sim_attribute(ev->text, "to", to);
    for (uint32_t i = 0; sim_is_management(ev->text) && i < SIM_USERS * SIM_USERS; i++) {
        struct sim_pair *p = &s->pairs[i];

        if (strncmp(from, sim_x_names[p->x], strlen(sim_x_names[p->x])) == 0 &&
            strcmp(to, sim_s_names[p->s]) == 0) {
            p->in_at = sim_now(s);
        }
    }
    sim_trace(s, "gateway hears %s", ev->text);
    if (!fixture_from_partner(&s->f, ev->text)) {
        sim_fail(s, "not a stanza: %s", ev->text);
    }
}

static void deliver_request(struct sim *s, const struct sim_event *ev)
{
    struct sim_txn *t = txn_of(s, ev->id);
    uint64_t handle;

    if (!t || ev->generation != s->generation || !s->is_hop_up) {
        return;
    }
    handle = s->f.txn + 1;
    t->handle = handle;
    if (t->device) { /* a NOTIFY at once is its due (RFC 6665 4.2.1.2) */
        t->device->may_hurry = true;
    }
    if ((strncmp(ev->text, "NOTIFY", 6) == 0 ? fixture_notify
                                             : fixture_subscribe)(&s->f, ev->text) != handle) {
        sim_fail(s, "not a message: %s", ev->text);
    }
    if (s->f.txn_open & (1ull << (handle % 64))) {
        sim_fail(s, "not answered: %s", ev->text);
    }
}

/* A stanza for a stream that is down waits a while, in case it comes back; then the domain counts
 * as lost (core/edge/link.c). One that was under way when the stream ended is told of at once. */
static void undelivered(struct sim *s, const struct sim_event *ev)
{
    char from[SIM_ID];
    char to[SIM_ID];
    struct presence_pair pair;

    if (ev->generation != s->generation || ev->a == STANZA_TYPE_ERROR) {
        return;
    }
    presence_partner_seen(s->f.p, SLICE_LIT("chat.example"), false);
    sim_attribute(ev->text, "from", from);
    sim_attribute(ev->text, "to", to);
    *(strchr(from, '/') ? strchr(from, '/') : from + strlen(from)) = 0;
    *(strchr(to, '/') ? strchr(to, '/') : to + strlen(to)) = 0;
    pair = fixture_pair(from, to);
    sim_trace(s, "not delivered: %s", ev->text);
    presence_undelivered(s->f.p, &pair, (enum stanza_type)ev->a,
                         STANZA_CONDITION_REMOTE_SERVER_TIMEOUT);
}

/* What waited for the stream goes first, in order. */
static void send_waiting(struct sim *s)
{
    for (;;) {
        struct sim_event *first = NULL;

        for (uint32_t i = 0; i < s->event_count; i++) {
            struct sim_event *ev = &s->events[i];

            if (ev->kind == EV_UNDELIVERED && ev->generation == s->generation &&
                (!first || ev->order < first->order)) {
                first = ev;
            }
        }
        if (!first) {
            return;
        }
        first->kind = EV_STANZA_FROM_GW;
        first->at = sim_arrival(s, CH_X_FROM);
    }
}

static void of_gateway(struct sim *s, const struct sim_event *ev)
{
    struct said *said = said_of(s, ev);

    if (!said) {
        return;
    }
    if (ev->kind == EV_TIMER_F_GW) {
        sim_trace(s, "gateway's #%llu ends without answer", (unsigned long long)ev->id);
        fixture_fail(&s->f, said, (enum sip_outcome)ev->a);
    } else if (s->is_hop_up) {
        sim_trace(s, "gateway's #%llu is answered %d", (unsigned long long)ev->id, ev->a);
        fixture_respond(&s->f, said, (unsigned)ev->a, ev->tag, ev->text);
    }
}

static void of_store(struct sim *s)
{
    bool is_refused = sim_chance(s, 30);

    sim_trace(s, "store: rows are %s", is_refused ? "refused" : "durable");
    fixture_store_done(&s->f, is_refused ? -5 : 0);
}

void wire_happen(struct sim *s, const struct sim_event *ev)
{
    bool was_coming;

    switch (ev->kind) {
    case EV_STANZA_TO_GW:
        deliver_stanza(s, ev);
        break;
    case EV_STANZA_FROM_GW:
        partner_receive(s, ev->text);
        break;
    case EV_UNDELIVERED:
        undelivered(s, ev);
        break;
    case EV_REQUEST_TO_GW:
        deliver_request(s, ev);
        break;
    case EV_ANSWER_FROM_GW:
        txn_ends(s, ev->id, (unsigned)ev->a, ev->text);
        break;
    case EV_REQUEST_FROM_GW:
        if (s->is_hop_up) {
            pool_receive(s, ev);
        }
        break;
    case EV_TIMER_F_GW:
    case EV_ANSWER_TO_GW:
        of_gateway(s, ev);
        break;
    case EV_TIMER_F:
        txn_ends(s, ev->id, (unsigned)ev->a, "");
        break;
    case EV_STORE:
        of_store(s);
        break;
    case EV_STORE_OPEN:
        s->f.store = FIXTURE_STORE_HOLDS;
        break;
    case EV_STREAM_UP:
        s->is_stream_up = true;
        send_waiting(s);
        presence_partner_seen(s->f.p, SLICE_LIT("chat.example"), true);
        break;
    case EV_HOP_UP:
        s->is_hop_up = true;
        was_coming = s->f.rules[CONTACT_IN].hop_way == PRESENCE_HOP_COMING;
        s->f.rules[CONTACT_IN].hop_way = PRESENCE_HOP_UP;
        presence_hop_seen(s->f.p, SLICE_LIT("pool"),
                          was_coming ? PRESENCE_HOP_FIRST : PRESENCE_HOP_BACK);
        break;
    case EV_DECIDE:
        partner_decide(s, &s->pairs[ev->a]);
        break;
    case EV_LOGIN:
        partner_show(s, (uint32_t)ev->a, (uint32_t)ev->id, true);
        break;
    case EV_NONE:
        break;
    }
}
