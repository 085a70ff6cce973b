/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The watchers: SIP users' devices, as RFC 6665 subscribers. A dialog is what the NOTIFY makes it;
 * the tag of the 2xx is not looked at.                                                           */
#include <stdio.h>
#include <string.h>

#include "presence_sim.h"

#include "sip/event.h"

static void subscribe(struct sim *s, struct sim_pair *p, struct sim_device *d, uint32_t expires_s)
{
    char text[1500];
    struct sim_txn *t;

    if (d->phase == DEVICE_NONE) {
        sim_new_id(s, d->call_id, "w");
        sim_new_id(s, d->local_tag, "w");
        d->remote_tag[0] = 0;
        d->remote_cseq = 0;
        d->cseq = 0;
        d->phase = DEVICE_TRYING;
        d->body_at = 0;
    }
    (void)snprintf(text, sizeof(text),
                   "SUBSCRIBE sip:%s SIP/2.0\n"
                   "Via: SIP/2.0/TLS ua.corp.example:5061;branch=z9hG4bKw%u\n"
                   "Max-Forwards: 70\nFrom: <sip:%s>;tag=%s\nTo: <sip:%s>%s%s\nCall-ID: %s\n"
                   "CSeq: %u SUBSCRIBE\nContact: <sip:ua.corp.example:5061;gr=%s>\n"
                   "Event: presence\nAccept: application/pidf+xml\nExpires: %u\n"
                   "Content-Length: 0\n\n",
                   sim_x_names[p->x], d->cseq + 1, sim_s_names[p->s], d->local_tag,
                   sim_x_names[p->x], d->remote_tag[0] ? ";tag=" : "", d->remote_tag, d->call_id,
                   d->cseq + 1, d->local_tag, expires_s);
    d->cseq++;
    d->is_asking = true;
    d->refresh_at = 0;
    d->timer_n = expires_s > 0 ? sim_now(s) + 40 * SIM_S : 0;
    sim_trace(s, "watcher SUBSCRIBE %s %u Expires %u", d->call_id, d->cseq, expires_s);
    t = sim_send_request(s, text);
    if (t) {
        t->device = d;
        t->expires = expires_s;
        (void)snprintf(t->sub_call_id, SIM_ID, "%s", d->call_id);
    }
}

static void forget(struct sim_device *d, uint64_t retry_at)
{
    d->phase = DEVICE_NONE;
    d->is_active = false;
    d->view.count = 0;
    d->expires_at = 0;
    d->refresh_at = 0;
    d->timer_n = 0;
    d->retry_at = retry_at;
}

static void refused(struct sim_device *d)
{
    forget(d, 0);
    d->wants = false;
    d->is_refused = true;
}

void watcher_answered(struct sim *s, const struct sim_txn *t, unsigned status, const char *text)
{
    struct sim_device *d = t->device;
    const char *expires = strstr(text, "\nExpires: ");

    if (d->phase == DEVICE_NONE || strcmp(d->call_id, t->sub_call_id) != 0) {
        return;
    }
    d->is_asking = false;
    sim_trace(s, "watcher %s hears %u", d->call_id, status);
    if (t->expires == 0) {
        forget(d, sim_now(s));
    } else if (status < 300) {
        uint32_t granted = 0;

        for (expires = expires ? expires + 10 : ""; *expires >= '0' && *expires <= '9'; expires++) {
            granted = granted * 10 + (uint32_t)(*expires - '0');
        }
        d->expires_at = sim_now(s) + granted * SIM_S;
        d->refresh_at = sim_now(s) + granted * SIM_S * 4 / 5;
    } else if (status == 403) {
        refused(d);
    } else if (sip_status_ends_subscription(status) || d->phase == DEVICE_TRYING) {
        forget(d, sim_now(s) + (status == 481 ? 1 : 60) * SIM_S);
    } else {
        d->refresh_at = sim_now(s) + 30 * SIM_S;
    }
}

static void read_view(struct sim_view *v, const char *body)
{
    const char *at = body;

    v->count = 0;
    while ((at = strstr(at, "<tuple ")) != NULL && v->count < SIM_ITEMS) {
        const char *end = strstr(at, "</tuple>");
        struct sim_shown shown = {.show = 0};
        const char *found;

        if (!end) {
            return;
        }
        found = strstr(at, "<basic>open<");
        shown.is_open = found && found < end;
        for (uint8_t i = 1; i < SIM_SHOWS; i++) {
            char show[80];

            (void)snprintf(show, sizeof(show), "<show xmlns=\"jabber:client\">%s<",
                           sim_show_names[i]);
            found = strstr(at, show);
            shown.show = found && found < end ? i : shown.show;
        }
        found = strstr(at, "<note");
        found = found && found < end ? strstr(found, ">n") : NULL;
        for (found = found ? found + 2 : ""; *found >= '0' && *found <= '9'; found++) {
            shown.note = shown.note * 10 + (uint32_t)(*found - '0');
        }
        if (shown.is_open) {
            v->items[v->count].resource[0] = 0;
            v->items[v->count++].shown = shown;
        }
        at = end;
    }
}

static void terminated(struct sim *s, struct sim_device *d, const struct sip_subscription_state *st)
{
    uint64_t now = sim_now(s);

    switch (st->reason) {
    case SIP_REASON_REJECTED:
    case SIP_REASON_NORESOURCE:
        refused(d);
        return;
    case SIP_REASON_PROBATION:
    case SIP_REASON_GIVEUP:
        forget(d, now + (st->has_retry_after ? st->retry_after_s : 60) * SIM_S);
        return;
    case SIP_REASON_DEACTIVATED:
    case SIP_REASON_TIMEOUT:
    case SIP_REASON_INVARIANT:
    case SIP_REASON_NONE:
    case SIP_REASON_UNKNOWN:
    case SIP_REASON_COUNT:
        break;
    }
    forget(d, now + 2 * SIM_S);
}

static void heard(struct sim *s, struct sim_device *d, const struct sip_notify_view *n)
{
    char body[8192];

    (void)snprintf(body, sizeof(body), "%.*s", SLICE_FMT(n->body));
    sim_trace(s, "watcher %s NOTIFY %.*s %s", d->call_id, SLICE_FMT(n->state.state_text), body);
    d->timer_n = 0;
    if (n->state.state == SIP_SUB_TERMINATED) {
        terminated(s, d, &n->state);
        return;
    }
    d->phase = DEVICE_LIVE;
    d->is_active = n->state.state == SIP_SUB_ACTIVE;
    if (!n->state.has_expires) {
        sim_fail(s, "NOTIFY without expires");
    }
    if (d->expires_at == 0) {
        d->expires_at = sim_now(s) + n->state.expires_s * SIM_S;
    }
    read_view(&d->view, body);
}

static struct sim_device *find(struct sim *s, const struct sip_dialog_key *key,
                               struct sim_pair **pair)
{
    for (uint32_t i = 0; i < SIM_USERS * SIM_USERS; i++) {
        for (uint32_t k = 0; k < SIM_DEVICES; k++) {
            struct sim_device *d = &s->pairs[i].devices[k];

            if (d->phase != DEVICE_NONE && slice_eq_cstr(key->call_id, d->call_id) &&
                slice_eq_cstr(key->local_tag, d->local_tag)) {
                *pair = &s->pairs[i];
                return d;
            }
        }
    }
    return NULL;
}

/* False: not of any dialog here. */
bool watcher_receive(struct sim *s, const struct sim_event *ev, const struct sip_msg *m)
{
    static const struct slice packages[] = {SLICE_LIT("presence")};
    const struct sip_event_policy policy = {.packages = packages, .package_count = 1};
    struct sip_verdict verdict;
    struct sip_notify_view n;
    struct sim_device *d;
    struct sim_pair *p;

    if (!sip_notify_read(m, &policy, &n, &verdict)) {
        sim_fail(s, "a NOTIFY that deserves %u: %s", verdict.status, verdict.why);
        return false;
    }
    if (n.contact.uri.text.len == 0) {
        sim_fail(s, "a NOTIFY without Contact");
    }
    d = find(s, &n.key, &p);
    if (!d || (d->remote_tag[0] && !slice_eq_cstr(n.key.remote_tag, d->remote_tag))) {
        return false;
    }
    if (!d->remote_tag[0]) {
        (void)snprintf(d->remote_tag, SIM_ID, "%.*s", SLICE_FMT(n.key.remote_tag));
    } else if (n.cseq <= d->remote_cseq) {
        s->sums.stale++;
        sim_answer_gw(s, ev, 500, "", "");
        return true;
    }
    d->remote_cseq = n.cseq;
    if (sim_chance(s, 20)) {
        sim_answer_gw(s, ev, sim_random(s, 2) ? 503 : 500, "", "");
        return true;
    }
    sim_answer_gw(s, ev, 200, "", "");
    heard(s, d, &n);
    return true;
}

void watcher_stop(struct sim *s, struct sim_device *d)
{
    (void)s;
    d->wants = false;
}

/* The device lost its memory; it starts again after a while. */
void watcher_restart(struct sim_device *d)
{
    forget(d, d->retry_at);
    d->is_asking = false;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

uint64_t watcher_next(const struct sim *s, const struct sim_device *d)
{
    uint64_t now = sim_now(s);

    if (d->phase == DEVICE_NONE) {
        return !d->wants ? 0 : d->retry_at > now ? d->retry_at : now;
    }
    if (d->is_asking) {
        return 0;
    }
    if (!d->wants && d->remote_tag[0]) {
        return now;
    }
    return earlier(d->timer_n, earlier(d->refresh_at, d->expires_at));
}

void watcher_due(struct sim *s, struct sim_pair *p, struct sim_device *d)
{
    uint64_t now = sim_now(s);

    if (d->phase == DEVICE_NONE) {
        subscribe(s, p, d, 3600);
    } else if (!d->wants && d->remote_tag[0]) {
        subscribe(s, p, d, 0);
    } else if ((d->expires_at != 0 && d->expires_at <= now) ||
               (d->timer_n != 0 && d->timer_n <= now)) {
        forget(d, now);
    } else if (d->refresh_at != 0 && d->refresh_at <= now) {
        if (d->remote_tag[0]) {
            subscribe(s, p, d, 3600);
        } else {
            forget(d, now);
        }
    }
}
