/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link_stream: the outgoing connection and stream of a link: negotiation, events, its end. */
#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "edge/fail.h"
#include "edge/link_int.h"
#include "edge/presence_side.h"

#define LINGER_MS 2000u
/* Enough for the partner to read while we write more, and room for the largest stanza above it. */
#define OUT_BYTES_CROWDED ((size_t)128 << 10)
#define OUT_BYTES_MAX     (2 * (size_t)XML_STANZA_BYTES_CEILING)

static void handle_events(struct link *l, enum stream_event_kind kind);

static void on_deadline(struct wheel_timer *t, void *ctx)
{
    struct link *l = ctx;

    (void)t;
    ASSERT(l->magic == LINK_MAGIC);
    if (l->s) {
        handle_events(l, stream_timeout(l->s, shard_now_ms(l->host.e->sh), &l->host.e->out_event));
    }
}

void link_settle(struct link *l)
{
    struct edge *e = l->host.e;
    uint64_t deadline;

    if (!l->c || !l->s) {
        return;
    }
    conn_flush(l->c);
    deadline = stream_deadline(l->s);
    if (deadline == STREAM_NEVER || l->is_failed || l->is_orderly) {
        shard_timer_disarm(e->sh, &l->timer);
    } else {
        uint64_t now = shard_now_ms(e->sh);

        shard_timer_arm(e->sh, &l->timer, deadline > now ? deadline - now : 0, on_deadline, l);
    }
}

void link_close(struct link *l, enum stream_condition condition, const char *text)
{
    if (l->state == LINK_ST_READY || l->state == LINK_ST_NEGOTIATING) {
        if (l->state == LINK_ST_READY) {
            link_ask(l, true);
        }
        link_set_state(l, LINK_ST_CLOSING);
        stream_close(l->s, shard_now_ms(l->host.e->sh), condition, text);
        link_settle(l);
    }
}

void link_close_refused(struct link *l, const struct stream_refusal *refusal)
{
    if (l->s) {
        LOG_I(stream_refused, "dir=out peer=%s remote=%s why=reload rule=%s text=%s",
              conn_peer_text(l->c), log_quote(link_remote(l)).text,
              host_rule_of(l->host.e, link_local(l), link_remote(l)).text,
              log_quote(slice_from_cstr(refusal->text)).text);
        l->is_refused = true;
        link_close(l, refusal->condition, refusal->text);
        stream_close_within(l->s, shard_now_ms(l->host.e->sh), HOST_REFUSED_CLOSE_MS);
        link_settle(l);
    }
}

static void end(struct link *l)
{
    if (l->state != LINK_ST_CLOSING) {
        link_set_state(l, LINK_ST_CLOSING);
    }
    conn_close(l->c, l->is_refused ? HOST_REFUSED_LINGER_MS : LINGER_MS);
}

static void note_failure(struct link *l, enum fail_step step, const char *text)
{
    size_t len = strnlen(text, FAIL_TEXT_BYTES - 1);

    l->is_failed = true;
    l->fail_step = step;
    pool_free(l->fail_text);
    l->fail_text = pool_alloc(len + 1);
    if (l->fail_text) {
        memcpy(l->fail_text, text, len);
        l->fail_text[len] = '\0';
    }
}

void link_forget_failure(struct link *l)
{
    l->is_failed = false;
    l->is_fail_final = false;
    pool_free(l->fail_text);
    l->fail_text = NULL;
}

const char *link_fail_text(const struct link *l)
{
    return l->fail_text ? l->fail_text : fail_step_name(l->fail_step);
}

static void on_failed(struct link *l, const struct stream_failure *failure)
{
    note_failure(l, fail_step_of(failure), failure->text);
    /* Also TLS that the row demands and the peer refuses, or the other way round; not TLS that
     * broke while it was negotiated. */
    l->is_fail_final = l->fail_step == FAIL_STEP_CERTIFICATE || failure->is_mismatch;
    LOG_W(stream_error, "dir=out peer=%s remote=%s step=%s condition=%s text=%s",
          conn_peer_text(l->c), log_quote(link_remote(l)).text, stream_step_name(failure->step),
          stream_condition_name(failure->condition),
          log_quote(slice_from_cstr(failure->text)).text);
}

static void on_ready(struct link *l, const struct stream_event *ev)
{
    struct edge *e = l->host.e;
    struct partner_run *run = partner_run_of(e, link_remote(l));
    enum stat_method which = stat_method_of(ev->method);

    link_set_state(l, LINK_ST_READY);
    conn_set_patient(l->c, true); /* stanzas come on the partner's own stream: acks only, here */
    presence_side_partner_seen(e, link_remote(l), true);
    l->used_ms = shard_now_ms(e->sh);
    l->was_ready = true;
    l->attempts = 0;
    l->is_down_for_good = false;
    dial_free(l->dial);
    l->dial = NULL;
    l->confirm = LINK_CONFIRM_SM;
    if (stream_acks(l->s)->state == ACKS_OFF) {
        link_start_pings(l);
    }
    if (which == STAT_METHOD_EXTERNAL) {
        e->stats.streams_out_external++;
    } else if (which == STAT_METHOD_DIALBACK_TLS) {
        e->stats.streams_out_dialback_tls++;
    } else {
        e->stats.streams_out_dialback_plain++;
    }
    if (run) {
        run->streams_out++;
        run->stats.authenticated[PARTNER_OUT][which]++;
    }
    LOG_I(stream_authenticated, "dir=out peer=%s local=%s remote=%s method=%s %s",
          conn_peer_text(l->c), log_quote(link_local(l)).text, log_quote(link_remote(l)).text,
          stream_method_name(ev->method), edge_tls_text(l->c).text);
    link_mark_dirty(l);
    link_aside_ready(l);
}

/* False = the stream is over. */
static bool handle_event(struct link *l, enum stream_event_kind kind)
{
    const struct stream_event *ev = &l->host.e->out_event;
    struct conn_tls_params tls;

    switch (kind) {
    case STREAM_MORE:
        return true;
    case STREAM_START_TLS:
        tls = link_tls_params(l);
        if (!tls.ctx || conn_start_tls(l->c, &tls) != 0) {
            note_failure(l, FAIL_STEP_TLS, "no certificate to use TLS with is configured");
            conn_abort(l->c, ERR_TLS_CONFIG, "no certificate configured");
            return false;
        }
        return true;
    case STREAM_READY:
        on_ready(l, ev);
        return true;
    case STREAM_VERIFY_ANSWER:
        link_verify_answered(l, ev);
        return true;
    case STREAM_PAIR_REFUSED:
        on_failed(l, &ev->failure);
        stream_close(l->s, shard_now_ms(l->host.e->sh), STREAM_CONDITION_NONE, "");
        end(l);
        return false;
    case STREAM_ACKED:
        link_confirmed(l, ev->acked_count);
        return true;
    case STREAM_ACKS_REFUSED:
        link_start_pings(l);
        return true;
    case STREAM_NOTE:
        LOG_D(stream_error, "dir=out peer=%s note=%s", conn_peer_text(l->c),
              log_quote(slice_from_cstr(ev->failure.text)).text);
        return true;
    case STREAM_IDLE:
        if (l->state == LINK_ST_READY) {
            link_set_state(l, LINK_ST_CLOSING);
        }
        return true;
    case STREAM_PEER_CLOSED:
    case STREAM_CLOSED:
        l->is_orderly = true;
        LOG_I(stream_closed, "dir=out peer=%s remote=%s", conn_peer_text(l->c),
              log_quote(link_remote(l)).text);
        end(l);
        return false;
    case STREAM_FAILED:
        on_failed(l, &ev->failure);
        end(l);
        return false;
    case STREAM_PAIR_AUTHENTICATED:
    case STREAM_VERIFY_WANTED:
    case STREAM_STANZA:
    case STREAM_STANZA_BAD:
        break; /* of incoming streams only */
    }
    (void)CHECK(kind == STREAM_MORE);
    return true;
}

static void handle_events(struct link *l, enum stream_event_kind kind)
{
    struct edge *e = l->host.e;

    while (kind != STREAM_MORE && handle_event(l, kind)) {
        kind = stream_timeout(l->s, shard_now_ms(e->sh), &e->out_event);
    }
    link_settle(l);
}

static size_t on_data(struct conn *c, void *owner, char *bytes, size_t len)
{
    struct link *l = owner;
    struct edge *e = l->host.e;
    size_t used = 0;

    (void)c;
    ASSERT(l->magic == LINK_MAGIC);
    while (!l->is_failed && !l->is_orderly) {
        size_t consumed = 0;
        enum stream_event_kind kind =
            stream_feed(l->s, shard_now_ms(e->sh), slice_make(bytes + used, len - used), &consumed,
                        &e->out_event);

        used += consumed;
        if (kind == STREAM_START_TLS) {
            (void)handle_event(l, kind);
            link_settle(l);
            return used; /* plaintext behind it ends the connection */
        }
        if (!handle_event(l, kind) || kind == STREAM_MORE) {
            break;
        }
    }
    link_settle(l);
    return len;
}

static void on_secured(struct conn *c, void *owner)
{
    struct link *l = owner;
    const struct tls_peer *peer = conn_tls_peer(c);

    LOG_D(tls_established, "dir=out peer=%s %s chain=%s", conn_peer_text(c), edge_tls_text(c).text,
          tls_chain_name(peer->chain));
    /* A reload may have come meanwhile. */
    (void)conn_tls_rejudge(c, edge_setup(l->host.e)->tls);
    handle_events(l, stream_secured(l->s, shard_now_ms(l->host.e->sh), SLICE_NONE,
                                    &l->host.e->out_event));
}

/* The peer's new keys cannot be followed: a farewell can still be written, so that what stands
 * before it is taken, and the next stream is dialled at once. */
static bool on_peer_ended(struct conn *c, void *owner)
{
    struct link *l = owner;

    if (conn_is_deaf(c) && !l->is_failed && !l->is_orderly) {
        link_close(l, STREAM_CONDITION_NONE, "");
        l->is_orderly = true;
    }
    return false;
}

static void on_writable(struct conn *c, void *owner)
{
    (void)c;
    link_mark_dirty(owner);
}

static void on_closed(struct conn *c, void *owner, int err, const char *why, size_t unsent_bytes)
{
    struct link *l = owner;
    struct edge *e = l->host.e;

    (void)unsent_bytes;
    ASSERT(l->magic == LINK_MAGIC && l->c == c);
    if (l->s && !l->is_failed && !l->is_orderly) {
        if (stream_lost(l->s, why, &e->out_event) == STREAM_FAILED) {
            on_failed(l, &e->out_event.failure);
        }
    }
    fail_note_end(e, c, "out", err, !l->is_failed);
    shard_timer_disarm(e->sh, &l->timer);
    if (l->was_ready) {
        struct partner_run *run = partner_run_of(e, link_remote(l));

        if (run && run->streams_out > 0) {
            run->streams_out--;
        }
        if (l->is_failed) {
            e->stats.streams_lost++;
            partner_run_failed(e, run, PARTNER_OUT, FAIL_STEP_STREAM, link_fail_text(l));
            presence_side_partner_cut(e, link_remote(l));
        }
    }
    if (l->state != LINK_ST_CLOSING) {
        link_set_state(l, LINK_ST_CLOSING);
    }
    link_settle_custody(l);
    stream_free(l->s);
    l->s = NULL;
    l->c = NULL;
    l->host.c = NULL;
    if (l->was_ready || l->is_orderly || l->part == LINK_PART_RETIRED) {
        link_after_stream(l);
    } else {
        link_dial_again(l);
    }
}

static const struct conn_ops link_ops = {
    .data = on_data,
    .secured = on_secured,
    .writable = on_writable,
    .peer_ended = on_peer_ended,
    .closed = on_closed,
};

void link_open_stream(struct link *l, struct conn *c, bool is_direct_tls)
{
    struct edge *e = l->host.e;
    struct stream_limits limits = stream_limits_default;
    struct stream_params params = {
        .role = STREAM_OUT,
        .is_secured = is_direct_tls,
        .avoid_tls = l->avoid_tls,
        .local = link_local(l),
        .remote = link_remote(l),
        .host = &host_ops,
        .ctx = &l->host,
        .crypto = edge_setup(e)->crypto,
        .limits = &limits,
        .out = conn_out(c),
    };
    struct jid_storage local_mem;
    struct jid_storage remote_mem;
    struct jid local;
    struct jid remote;

    l->c = c;
    l->host.c = c;
    l->was_ready = false;
    l->is_refused = false;
    link_forget_failure(l);
    l->is_orderly = false;
    conn_set_owner(c, &link_ops, l);
    conn_set_out_max(c, OUT_BYTES_MAX);
    conn_set_crowded(c, OUT_BYTES_CROWDED);
    link_set_state(l, LINK_ST_NEGOTIATING);
    limits.establish_ms = edge_policy(e)->gateway.stream_establishment_timeout_s * 1000;
    /* On the stream domains are U-labels, as jid.h normalises them. */
    if (jid_make(&local_mem, SLICE_NONE, params.local, SLICE_NONE, &local) == 0 &&
        jid_make(&remote_mem, SLICE_NONE, params.remote, SLICE_NONE, &remote) == 0) {
        params.local = local.domain;
        params.remote = remote.domain;
    }
    if (stream_new(&l->s, shard_now_ms(e->sh), &params) != 0) {
        static const char why[] = "no way to authenticate is left by the rules";

        note_failure(l, FAIL_STEP_POLICY, why);
        conn_abort(c, ERR_STATE, why);
        return;
    }
    LOG_D(dial_connected, "remote=%s peer=%s direct_tls=%d", log_quote(link_remote(l)).text,
          conn_peer_text(c), is_direct_tls);
    link_send_verifies(l);
    link_settle(l);
}
