/* SPDX-License-Identifier: GPL-2.0-or-later */
/* leg_in_events: what becomes of what an incoming stream says: pairs, stanzas, defects, its end. */
#include <stdio.h>

#include "base/attr.h"
#include "base/check.h"
#include "edge/bounce.h"
#include "edge/fail.h"
#include "edge/leg_in_int.h"
#include "edge/link.h"
#include "edge/presence_side.h"
#include "edge/route.h"

struct partner_run *leg_in_run_of(struct leg_in *leg)
{
    if (leg->run) {
        return leg->run;
    }
    return leg->s ? partner_run_claimed(leg->host.e, stream_remote(leg->s)) : NULL;
}

/* Nobody has proved to be the partner: the text says who it was that named itself so. */
static void keep_failure(struct leg_in *leg, const struct stream_failure *failure,
                         const char *rule)
{
    struct edge *e = leg->host.e;
    enum fail_step step = fail_step_of(failure);
    char text[FAIL_TEXT_BYTES];

    (void)snprintf(text, sizeof(text), "from %.60s, not proved: %.120s", conn_peer_text(leg->c),
                   failure->text);
    if (step == FAIL_STEP_POLICY) {
        partner_run_refused(e, leg_in_run_of(leg), PARTNER_IN, rule, text);
    } else {
        partner_run_failed(e, leg_in_run_of(leg), PARTNER_IN, step, text);
    }
}

void leg_in_failed(struct leg_in *leg, const struct stream_failure *failure)
{
    struct edge *e = leg->host.e;
    struct host_rule rule = {""};

    if (failure->step == STREAM_STEP_POLICY) {
        rule = host_rule_of(e, stream_local(leg->s), stream_remote(leg->s));
    }
    if (stream_pair_count(leg->s) == 0) {
        e->stats.streams_in_failed++;
        keep_failure(leg, failure, rule.text);
    } else {
        struct jid_ascii remote;

        e->stats.streams_lost++;
        e->stats.spoofed += failure->condition == STREAM_CONDITION_INVALID_FROM;
        if (jid_domain_to_ascii(stream_remote(leg->s), &remote) == 0) {
            presence_side_partner_cut(e, jid_ascii_slice(&remote));
        }
    }
    LOG_W(stream_error, "dir=in peer=%s remote=%s step=%s condition=%s%s%.140s text=%s",
          conn_peer_text(leg->c), log_quote(stream_remote(leg->s)).text,
          stream_step_name(failure->step), stream_condition_name(failure->condition),
          rule.text[0] ? " rule=" : "", rule.text,
          log_quote(slice_from_cstr(failure->text)).text);
}

static void count_method(struct edge *e, struct partner_run *run, enum stream_method method)
{
    enum stat_method which = stat_method_of(method);
    uint64_t *totals[STAT_METHOD_COUNT] = {
        [STAT_METHOD_EXTERNAL] = &e->stats.streams_in_external,
        [STAT_METHOD_CERTIFICATE] = &e->stats.streams_in_certificate,
        [STAT_METHOD_DIALBACK_TLS] = &e->stats.streams_in_dialback_tls,
        [STAT_METHOD_DIALBACK_PLAIN] = &e->stats.streams_in_dialback_plain,
    };

    (*totals[which])++;
    if (run) {
        run->stats.authenticated[PARTNER_IN][which]++;
    }
}

static void on_pair(struct leg_in *leg, const struct stream_event *ev)
{
    struct edge *e = leg->host.e;
    const struct partner *p = snapshot_partner(edge_policy(e), ev->remote);
    struct partner_run *run = partner_run_of(e, ev->remote);

    if (!p || !run) {
        return; /* the machine asks the rules again at the first stanza */
    }
    conn_set_authenticated(leg->c);
    count_method(e, run, ev->method);
    LOG_I(stream_authenticated, "dir=in peer=%s local=%s remote=%s method=%s %s",
          conn_peer_text(leg->c), log_quote(ev->local).text, log_quote(ev->remote).text,
          stream_method_name(ev->method), edge_tls_text(leg->c).text);
    link_seen(e, ev->local, ev->remote);
    if (leg->run) {
        return;
    }
    leg_in_set_run(leg, run);
    leg->home = edge_home_of_partner(e, p);
    leg->host.home_place = leg->home + 1;
    if (leg->home != e->idx) {
        leg_in_pause(leg, LEG_IN_PAUSE_MOVE);
        list_push_back(&e->legs_moving, &leg->moving);
        return;
    }
    leg_in_admit(leg, p, run);
}

static void on_verify_wanted(struct leg_in *leg, const struct stream_event *ev)
{
    struct edge *e = leg->host.e;
    struct mail_verify *v = mail_verify_new(&(struct mail_verify_params){
        .asker = conn_ref_of(leg->c),
        .local = ev->local,
        .remote = ev->remote,
        .stream_id = ev->stream_id,
        .key = ev->key,
    });

    if (!v) {
        return; /* the machine's own deadline answers the peer */
    }
    link_verify_send(e, v);
}

/* A closed gate: no more stanzas are read until it opens. */
static void on_room(struct flow_waiter *w, void *ctx)
{
    struct leg_in *leg = ctx;

    (void)w;
    leg_in_unpause(leg, LEG_IN_PAUSE_GATE);
}

static void wait_at(struct leg_in *leg, struct slice gate)
{
    if (!(leg->pauses & LEG_IN_PAUSE_GATE) && !leg->is_ended) {
        leg_in_pause(leg, LEG_IN_PAUSE_GATE);
        flow_wait(&leg->host.e->flow, gate, &leg->waiter, on_room, leg);
    }
}

static void on_stanza(struct leg_in *leg, const struct stanza *st)
{
    struct edge *e = leg->host.e;
    struct partner_run *run = leg_in_run_of(leg);
    struct route_gate gate UNINITIALIZED; /* filled where route says so */

    e->stats.stanzas_in_partner++;
    if (run) {
        run->stats.stanzas[PARTNER_IN]++;
        run->stats.bytes[PARTNER_IN] += st->tree->wire_bytes;
    }
    if (leg_in_is_within(leg, st) && route_from_partner(e, st, &gate)) {
        wait_at(leg, gate.key);
    }
}

static void on_stanza_bad(struct leg_in *leg, const struct stream_event *ev)
{
    struct edge *e = leg->host.e;
    struct jid_ascii local;
    struct jid_ascii remote;

    e->stats.bounced_policy++;
    if (ev->stanza.kind > STANZA_IQ || jid_domain_to_ascii(ev->stanza.from.domain, &remote) != 0) {
        return;
    }
    partner_run_bounced(e, jid_ascii_slice(&remote), BOUNCE_POLICY);
    if (slice_is_empty(ev->stanza.to.domain) ||
        jid_domain_to_ascii(ev->stanza.to.domain, &local) != 0 ||
        !snapshot_domain(edge_policy(e), jid_ascii_slice(&local))) {
        /* Addressed to nobody of ours: the answer goes out under the pair of the stream. */
        if (jid_domain_to_ascii(stream_local(leg->s), &local) != 0) {
            return;
        }
    }
    bounce_stanza(e, &ev->stanza,
                  &(struct bounce_reply){
                      .to_partner = true,
                      .local = jid_ascii_slice(&local),
                      .remote = jid_ascii_slice(&remote),
                      .error = {.condition = ev->condition,
                                .text = slice_from_cstr(ev->failure.text)},
                  });
}

bool leg_in_event(struct leg_in *leg, enum stream_event_kind kind)
{
    struct edge *e = leg->host.e;
    const struct stream_event *ev = &e->in_event;

    switch (kind) {
    case STREAM_MORE:
        return true;
    case STREAM_START_TLS:
        leg_in_start_tls(leg);
        return !leg->is_ended;
    case STREAM_PAIR_AUTHENTICATED:
        on_pair(leg, ev);
        return true;
    case STREAM_VERIFY_WANTED:
        on_verify_wanted(leg, ev);
        return true;
    case STREAM_STANZA:
        on_stanza(leg, &ev->stanza);
        return true;
    case STREAM_STANZA_BAD:
        on_stanza_bad(leg, ev);
        return true;
    case STREAM_NOTE:
        LOG_D(stream_error, "dir=in peer=%s note=%s", conn_peer_text(leg->c),
              log_quote(slice_from_cstr(ev->failure.text)).text);
        return true;
    case STREAM_FAILED:
        leg_in_failed(leg, &ev->failure);
        leg_in_end(leg);
        return false;
    case STREAM_PEER_CLOSED:
    case STREAM_CLOSED:
        LOG_I(stream_closed, "dir=in peer=%s remote=%s", conn_peer_text(leg->c),
              log_quote(stream_remote(leg->s)).text);
        leg_in_end(leg);
        return false;
    case STREAM_VERIFY_ANSWER:
    case STREAM_READY:
    case STREAM_PAIR_REFUSED:
    case STREAM_ACKED:
    case STREAM_ACKS_REFUSED:
    case STREAM_IDLE:
        break; /* of outgoing streams only */
    }
    (void)CHECK(kind == STREAM_MORE);
    return true;
}
