/* SPDX-License-Identifier: GPL-2.0-or-later */
/* leg_in: one incoming s2s stream: its connection, its life, its review. leg_in_events.c: what it
 * says; legs_in.c: all of them. */
#include "edge/leg_in_int.h"

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "edge/fail.h"
#include "edge/host.h"
#include "edge/partner_run.h"

#define LINGER_MS 5000u

static void on_deadline(struct wheel_timer *t, void *ctx)
{
    struct leg_in *leg = ctx;

    (void)t;
    ASSERT(leg->magic == LEG_IN_MAGIC);
    if (leg->pauses != 0) {
        leg_in_not_listening(leg);
    }
    leg_in_handle(leg, stream_timeout(leg->s, shard_now_ms(leg->host.e->sh),
                                      &leg->host.e->in_event));
}

void leg_in_settle(struct leg_in *leg)
{
    struct edge *e = leg->host.e;
    uint64_t deadline;

    conn_flush(leg->c);
    leg_in_hear_close(leg);
    if (leg->is_ended || !leg->s) {
        shard_timer_disarm(e->sh, &leg->timer);
        return;
    }
    deadline = stream_deadline(leg->s);
    if (deadline == STREAM_NEVER) {
        shard_timer_disarm(e->sh, &leg->timer);
    } else {
        uint64_t now = shard_now_ms(e->sh);

        shard_timer_arm(e->sh, &leg->timer, deadline > now ? deadline - now : 0, on_deadline, leg);
    }
}

static void enlist(struct leg_in *leg, struct edge *e)
{
    list_push_back(&e->legs_in, &leg->all);
    leg->reviewed_version = e->setup_version;
    e->inbound_count++;
    leg->is_listed = true;
}

void leg_in_delist(struct leg_in *leg, struct edge *e)
{
    if (leg->is_listed) {
        list_remove(&leg->all);
        e->inbound_count--;
        leg->is_listed = false;
    }
}

void leg_in_end(struct leg_in *leg)
{
    leg->is_ended = true;
    leg_in_unpause(leg, leg->pauses); /* the peer's end is waited for */
    conn_close(leg->c, leg->is_refused ? HOST_REFUSED_LINGER_MS : LINGER_MS);
}

void leg_in_start_tls(struct leg_in *leg)
{
    const struct snapshot *policy = edge_policy(leg->host.e);
    struct conn_tls_params params = {
        .ctx = edge_setup(leg->host.e)->tls,
        .session = {.role = TLS_ROLE_SERVER,
                    .alpn = SLICE_LIT("xmpp-server"),
                    .credential_idx = UINT32_MAX,
                    /* Before STARTTLS the header may have named the partner. */
                    .version_min = host_tls_min(leg->host.e, leg->s ? stream_remote(leg->s)
                                                                    : SLICE_NONE)},
        .handshake_timeout_ms = policy->gateway.stream_establishment_timeout_s * 1000,
        .ktls = edge_ktls(leg->host.e),
    };

    if (!params.ctx || conn_start_tls(leg->c, &params) != 0) {
        leg->is_ended = true;
        conn_abort(leg->c, ERR_TLS_CONFIG, "no certificate to serve TLS with");
    }
}

void leg_in_handle(struct leg_in *leg, enum stream_event_kind kind)
{
    struct edge *e = leg->host.e;

    while (kind != STREAM_MORE && leg_in_event(leg, kind)) {
        kind = stream_timeout(leg->s, shard_now_ms(e->sh), &e->in_event);
    }
    leg_in_settle(leg);
}

/* The peer will dial again; what it has sent meanwhile is still taken. */
static void close_if_worn(struct leg_in *leg)
{
    struct edge *e = leg->host.e;

    if (leg->is_worn || leg->is_ended || !conn_is_worn(leg->c)) {
        return;
    }
    leg->is_worn = true;
    e->stats.tls_worn++;
    LOG_I(stream_worn, "dir=in peer=%s remote=%s", conn_peer_text(leg->c),
          log_quote(stream_remote(leg->s)).text);
    stream_close(leg->s, shard_now_ms(e->sh), STREAM_CONDITION_NONE, "");
}

static size_t on_data(struct conn *c, void *owner, char *bytes, size_t len)
{
    struct leg_in *leg = owner;
    struct edge *e = leg->host.e;
    uint64_t now = shard_now_ms(e->sh);
    size_t used = 0;

    (void)c;
    ASSERT(leg->magic == LEG_IN_MAGIC);
    /* Until MORE, also without bytes: one element may bring several events. */
    while (!leg->is_ended && leg->pauses == 0) {
        size_t consumed = 0;
        enum stream_event_kind kind =
            stream_feed(leg->s, now, slice_make(bytes + used, len - used), &consumed, &e->in_event);

        used += consumed;
        if (kind == STREAM_START_TLS) {
            (void)leg_in_event(leg, kind);
            leg_in_settle(leg);
            return used; /* plaintext behind it ends the connection */
        }
        if (!leg_in_event(leg, kind) || kind == STREAM_MORE) {
            break;
        }
    }
    leg_in_refuse_place(leg);
    close_if_worn(leg);
    leg_in_settle(leg);
    return leg->is_ended || leg->pauses == 0 ? len : used;
}

static int open_stream(struct leg_in *leg, bool is_secured)
{
    struct edge *e = leg->host.e;
    const struct snapshot *policy = edge_policy(e);
    struct stream_limits limits = stream_limits_default;
    uint64_t spent;
    struct stream_params params = {
        .role = STREAM_IN,
        .is_secured = is_secured,
        .host = &host_ops,
        .ctx = &leg->host,
        .crypto = edge_setup(e)->crypto,
        .limits = &limits,
        .out = conn_out(leg->c),
    };

    /* One deadline for all of it, a TLS handshake before the stream included. */
    limits.establish_ms = policy->gateway.stream_establishment_timeout_s * 1000;
    spent = shard_now_ms(e->sh) - leg->accepted_ms;
    limits.establish_ms = spent < limits.establish_ms ? limits.establish_ms - (uint32_t)spent : 1;
    limits.stanza_bytes_max = policy->limits.stanza_bytes_max;
    limits.early_bytes_max = policy->limits.unauthenticated_bytes_max;
    return stream_new(&leg->s, shard_now_ms(e->sh), &params);
}

static void on_secured(struct conn *c, void *owner)
{
    struct leg_in *leg = owner;
    struct edge *e = leg->host.e;
    const struct tls_peer *peer = conn_tls_peer(c);

    LOG_D(tls_established, "dir=in peer=%s %s chain=%s", conn_peer_text(c), edge_tls_text(c).text,
          tls_chain_name(peer->chain));
    (void)conn_tls_rejudge(c, edge_setup(e)->tls); /* a reload may have come meanwhile */
    if (!leg->s) {
        e->stats.streams_in_opened++;
        if (open_stream(leg, true) != 0) {
            leg->is_ended = true;
            conn_abort(c, ERR_NOMEM, "out of memory");
            return;
        }
        leg_in_settle(leg);
        return;
    }
    leg_in_handle(leg, stream_secured(leg->s, shard_now_ms(e->sh), slice_from_cstr(peer->sni),
                                      &e->in_event));
}

/* After a reload. */
void leg_in_review(struct leg_in *leg)
{
    struct edge *e = leg->host.e;
    const struct stream_refusal *refusal;

    if (leg->is_ended) {
        return;
    }
    refusal = host_review(&leg->host, leg->s);
    if (refusal) {
        struct host_rule rule = host_rule_of(e, stream_local(leg->s), stream_remote(leg->s));

        LOG_I(stream_refused, "dir=in peer=%s remote=%s why=reload rule=%s text=%s",
              conn_peer_text(leg->c), log_quote(stream_remote(leg->s)).text, rule.text,
              log_quote(slice_from_cstr(refusal->text)).text);
        partner_run_refused(e, leg_in_run_of(leg), PARTNER_IN, rule.text, refusal->text);
        leg->is_refused = true;
        stream_close(leg->s, shard_now_ms(e->sh), refusal->condition, refusal->text);
        stream_close_within(leg->s, shard_now_ms(e->sh), HOST_REFUSED_CLOSE_MS);
    } else if (leg->place.run) {
        struct partner_run *run = leg->place.run;
        const struct partner *p =
            snapshot_partner(edge_policy(e), slice_make(run->domain, run->domain_len));

        if (p) {
            place_shed_partner(e, run, p);
        }
    }
    if (leg->s) {
        leg_in_settle(leg);
    }
}

static bool on_peer_ended(struct conn *c, void *owner)
{
    struct leg_in *leg = owner;

    if (conn_is_deaf(c) && leg->s && !leg->is_ended) {
        stream_close(leg->s, shard_now_ms(leg->host.e->sh), STREAM_CONDITION_NONE, "");
        leg->is_ended = true;
        leg_in_settle(leg);
    }
    return false;
}

static void on_closed(struct conn *c, void *owner, int err, const char *why, size_t unsent_bytes)
{
    struct leg_in *leg = owner;
    struct edge *e = shard_app(conn_shard(c)); /* a move may have failed there: no arrival */

    (void)unsent_bytes;
    leg->host.e = e;
    if (leg->s && !leg->is_ended) {
        if (stream_lost(leg->s, why, &e->in_event) == STREAM_FAILED) {
            leg_in_failed(leg, &e->in_event.failure);
        } else {
            leg->is_ended = true;
        }
    } else if (!leg->s) {
        LOG_I(tls_failed, "dir=in peer=%s err=%s why=%s", conn_peer_text(c), err_name(err), why);
    }
    fail_note_end(e, c, "in", err, leg->is_ended);
    leg_in_limits_end(leg, e);
    leg_in_delist(leg, e);
    pool_free(leg->journey);
    list_remove(&leg->moving);
    flow_wait_cancel(&leg->waiter);
    shard_timer_disarm(e->sh, &leg->timer);
    stream_free(leg->s);
    leg->magic = 0;
    pool_free(leg);
}

static const struct conn_ops leg_in_ops = {
    .data = on_data,
    .secured = on_secured,
    .peer_ended = on_peer_ended,
    .closed = on_closed,
};

void leg_in_accept(struct edge *e, struct conn *c, bool direct_tls)
{
    struct leg_in *leg = pool_zalloc(sizeof(*leg));

    if (!leg) {
        conn_abort(c, ERR_NOMEM, "out of memory");
        return;
    }
    leg->magic = LEG_IN_MAGIC;
    leg->host = (struct host_ctx){.e = e, .c = c};
    leg->c = c;
    leg->accepted_ms = shard_now_ms(e->sh);
    enlist(leg, e);
    conn_set_owner(c, &leg_in_ops, leg);
    LOG_D(conn_accepted, "kind=%s peer=%s", direct_tls ? "xmpps_server" : "xmpp_server",
          conn_peer_text(c));
    if (direct_tls) {
        leg_in_start_tls(leg);
        return;
    }
    e->stats.streams_in_opened++;
    if (open_stream(leg, false) != 0) {
        leg->is_ended = true;
        conn_abort(c, ERR_NOMEM, "out of memory");
        return;
    }
    leg_in_settle(leg);
}

void leg_in_arrived(struct shard *sh, struct conn *c, void *owner)
{
    struct leg_in *leg = owner;
    struct edge *e = shard_app(sh);
    struct slice name = slice_from_cstr(leg->journey);
    const struct partner *p = snapshot_partner(edge_policy(e), name);

    ASSERT(leg->magic == LEG_IN_MAGIC);
    leg->host.e = e;
    leg->host.c = c;
    leg->c = c;
    leg->plain_version = 0; /* counted there */
    enlist(leg, e);
    stream_set_out(leg->s, conn_out(c));
    leg_in_set_run(leg, partner_run_of(e, name));
    pool_free(leg->journey);
    leg->journey = NULL;
    if (leg->run && p) {
        leg_in_admit(leg, p, leg->run);
    }
    leg_in_unpause(leg, LEG_IN_PAUSE_MOVE);
    leg_in_settle(leg);
    leg_in_review(leg); /* a reload may have passed it on its journey */
}
