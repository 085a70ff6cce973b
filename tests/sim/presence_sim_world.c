/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What goes wrong, and what people do meanwhile. */
#include <stdio.h>
#include <string.h>

#include "presence_sim.h"

#include "base/pool.h"

void sim_attribute(const char *stanza, const char *name, char out[SIM_ID])
{
    const char *end = strchr(stanza, '>');
    char key[40];
    const char *at;
    size_t len = 0;

    out[0] = 0;
    (void)snprintf(key, sizeof(key), " %s=", name);
    at = strstr(stanza, key);
    if (!at || at > end) {
        return;
    }
    at += strlen(key) + 1;
    while (at[len] != '"' && at[len] != '\'' && len < SIM_ID - 1) {
        len++;
    }
    memcpy(out, at, len);
    out[len] = 0;
}

bool sim_is_management(const char *stanza)
{
    char type[SIM_ID];

    sim_attribute(stanza, "type", type);
    return strncmp(type, "subscribe", 9) == 0 || strncmp(type, "unsubscribe", 11) == 0;
}

static void drop_event(struct sim *s, uint32_t i)
{
    pool_heap_free(s->events[i].text);
    s->events[i] = s->events[--s->event_count];
    s->sums.lost++;
}

/* Stanzas under way when the stream ends. What is about a subscription the partner sends again,
 * perhaps although it had arrived; of ours some are reported, some are not. */
static void cut_stream(struct sim *s, uint64_t up_at, bool reports)
{
    for (uint32_t i = 0; i < s->event_count;) {
        struct sim_event *ev = &s->events[i];

        if (ev->kind == EV_STANZA_TO_GW && sim_is_management(ev->text)) {
            ev->at = ev->at > up_at ? ev->at : up_at; /* in order */
            s->last[CH_X_TO] = s->last[CH_X_TO] > up_at + 60 ? s->last[CH_X_TO] : up_at + 60;
        } else if (ev->kind == EV_STANZA_TO_GW) {
            drop_event(s, i);
            continue;
        } else if (ev->kind == EV_STANZA_FROM_GW && sim_random(s, 2)) {
            char type[SIM_ID];

            sim_attribute(ev->text, "type", type);
            if (reports && (strcmp(type, "subscribe") == 0 || strcmp(type, "probe") == 0)) {
                ev->kind = EV_UNDELIVERED;
                ev->a = strcmp(type, "probe") == 0 ? STANZA_TYPE_PROBE : STANZA_TYPE_SUBSCRIBE;
                ev->at = sim_now(s) + 1;
            } else {
                drop_event(s, i);
                continue;
            }
        }
        i++;
    }
}

static void up_later(struct sim *s, enum sim_kind kind, uint64_t at)
{
    for (uint32_t i = 0; i < s->event_count; i++) {
        if (s->events[i].kind == kind) {
            s->events[i].at = at;
            return;
        }
    }
    (void)sim_post(s, kind, at, NULL);
}

void sim_break_stream(struct sim *s, uint64_t down_ms)
{
    sim_trace(s, "### stream breaks for %llu s", (unsigned long long)(down_ms / SIM_S));
    s->sums.breaks++;
    cut_stream(s, sim_now(s) + down_ms, true);
    s->is_stream_up = false;
    presence_partner_seen(s->f.p, SLICE_LIT("chat.example"), false);
    up_later(s, EV_STREAM_UP, sim_now(s) + down_ms);
}

/* Who sent it knows of the lost connection. */
static void fail_txn(struct sim *s, uint64_t id)
{
    for (uint32_t i = 0; i < s->event_count; i++) {
        if (s->events[i].kind == EV_TIMER_F && s->events[i].id == id) {
            s->events[i].at = sim_now(s) + 1;
            s->events[i].a = 503;
        }
    }
}

static void cut_hop(struct sim *s)
{
    for (uint32_t i = 0; i < s->event_count;) {
        struct sim_event *ev = &s->events[i];

        switch ((unsigned)ev->kind) {
        case EV_REQUEST_TO_GW:
            fail_txn(s, ev->id);
            drop_event(s, i);
            break;
        case EV_ANSWER_TO_GW:
        case EV_ANSWER_FROM_GW:
        case EV_REQUEST_FROM_GW:
            drop_event(s, i);
            break;
        case EV_TIMER_F_GW: /* the gateway knows of the lost connection */
            ev->at = sim_now(s) + 1;
            ev->a = SIP_OUTCOME_LINK;
            i++;
            break;
        default:
            i++;
            break;
        }
    }
}

void sim_break_hop(struct sim *s, uint64_t down_ms)
{
    sim_trace(s, "### hop breaks for %llu s", (unsigned long long)(down_ms / SIM_S));
    s->sums.hop_breaks++;
    cut_hop(s);
    s->is_hop_up = false;
    /* Or what is sent fails. */
    s->f.rules[CONTACT_IN].hop_way = sim_random(s, 2) ? PRESENCE_HOP_AWAY : PRESENCE_HOP_UP;
    presence_hop_seen(s->f.p, SLICE_LIT("pool"), PRESENCE_HOP_LOST);
    up_later(s, EV_HOP_UP, sim_now(s) + down_ms);
}

void sim_crash(struct sim *s)
{
    bool is_lucky = sim_random(s, 2);
    uint64_t stream_at = sim_now(s) + 100 + sim_random(s, 60000);

    sim_trace(s, "### gateway dies, what was on its way to the disk is %s",
              is_lucky ? "there" : "lost");
    s->sums.crashes++;
    s->sums.lucky += is_lucky;
    for (uint32_t i = 0; i < SIM_USERS * SIM_USERS; i++) {
        s->pairs[i].is_excused |= s->pairs[i].in_at + 120 * SIM_S > sim_now(s);
        for (uint32_t k = 0; k < SIM_DEVICES; k++) {
            s->pairs[i].devices[k].body_at = 0; /* nobody remembers */
        }
    }
    cut_stream(s, stream_at, false);
    cut_hop(s);
    s->generation++;
    s->is_stream_up = false;
    s->is_hop_up = false;
    s->f.rules[CONTACT_IN].hop_way = sim_random(s, 2) ? PRESENCE_HOP_COMING : PRESENCE_HOP_UP;
    fixture_forget(&s->f);
    s->f.store = s->f.store == FIXTURE_STORE_FULL ? FIXTURE_STORE_FULL : FIXTURE_STORE_HOLDS;
    fixture_crash(&s->f, is_lucky);
    up_later(s, EV_STREAM_UP, stream_at);
    up_later(s, EV_HOP_UP, sim_now(s) + 100 + sim_random(s, 10000));
}

static void fault(struct sim *s)
{
    switch (sim_random(s, 7)) {
    case 0:
        sim_break_stream(s, 100 + sim_random(s, sim_random(s, 4) ? 60000 : 5400000));
        break;
    case 1:
        sim_break_hop(s, 100 + sim_random(s, sim_random(s, 4) ? 60000 : 3600000));
        break;
    case 2:
        sim_trace(s, "### pool starts again");
        s->sums.pool_restarts++;
        pool_restart(s);
        sim_break_hop(s, 100 + sim_random(s, 30000));
        break;
    case 3:
        sim_trace(s, "### partner starts again");
        s->sums.partner_restarts++;
        partner_restart(s);
        sim_break_stream(s, 100 + sim_random(s, 60000));
        break;
    case 4:
        if (s->f.store != FIXTURE_STORE_FULL) {
            sim_trace(s, "### store takes nothing");
            s->f.store = FIXTURE_STORE_FULL;
            (void)sim_post(s, EV_STORE_OPEN, sim_now(s) + sim_random(s, 90000), NULL);
        }
        break;
    default:
        sim_crash(s);
        break;
    }
}

void sim_chaos_step(struct sim *s)
{
    struct sim_pair *p = &s->pairs[sim_random(s, SIM_USERS * SIM_USERS)];
    struct sim_device *d = &p->devices[sim_random(s, SIM_DEVICES)];

    switch (sim_random(s, 14)) {
    case 0:
    case 1:
        partner_subscribe(s, p);
        break;
    case 2:
        if (sim_random(s, 3) == 0) {
            partner_unsubscribe(s, p);
        }
        break;
    case 3:
    case 4:
        partner_show(s, p->x, sim_random(s, SIM_RESOURCES), sim_random(s, 3) > 0);
        break;
    case 5:
        if (sim_random(s, 4) == 0) {
            partner_revoke(s, p);
        }
        break;
    case 6:
    case 7:
        d->wants = !d->wants;
        d->is_refused = false;
        break;
    case 8:
        watcher_restart(d);
        break;
    case 9:
    case 10:
        pool_publish(s, p->s, sim_random(s, SIM_RESOURCES));
        break;
    case 11:
        if (sim_random(s, 2) == 0) {
            pool_decide(s, p, sim_random(s, 4) ? POLICY_ALLOW : POLICY_DENY);
        }
        break;
    default:
        fault(s);
        break;
    }
}
