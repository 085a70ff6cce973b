/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip_peer: a next hop as this shard reaches it: dialling over its SRV and address records, failing
 * over to the next target (RFC 3263 4.3; sip.md 4.5). Whether it lives: sip_probe.c. */
#include <stdio.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "edge/host.h"
#include "edge/sip_int.h"

#define SIP_PORT 5060u
#define SIPS_PORT 5061u
#define BACKOFF_FIRST_MS 500u
#define BACKOFF_MAX_MS 30000u
#define BACKOFF_SHIFT_MAX 6u
/* 503 for one user must not have everybody change targets all the time. */
#define FAILOVER_MS_MIN 30000u

const char *sip_peer_state_name(enum sip_peer_state state)
{
    static const char *const names[] = {
#define X(name, text) text,
        SIP_PEER_STATES(X)
#undef X
    };

    return (size_t)state < ARRAY_COUNT(names) ? names[state] : "?";
}

void sip_peer_set_state(struct sip_peer *p, enum sip_peer_state state)
{
    ASSERT(p->magic == SIP_PEER_MAGIC);
    p->state = state;
    if (state != SIP_PEER_UP) {
        sip_renew_stop(p);
    }
}

const struct next_hop *sip_peer_hop(const struct sip_peer *p)
{
    const struct next_hop *hop =
        snapshot_next_hop(edge_policy(p->side->e), slice_from_cstr(p->name));

    return hop && hop->kind == NEXT_HOP_SIP ? hop : NULL;
}

static void note_failure(struct sip_peer *p, const char *text)
{
    (void)snprintf(p->last_failure, sizeof(p->last_failure), "%s", text);
}

uint32_t sip_peer_random(struct sip_peer *p)
{
    uint32_t value;

    edge_setup(p->side->e)->crypto->random(&value, sizeof(value));
    return value;
}

static void start(struct sip_peer *p);

static void on_backoff_over(struct wheel_timer *t, void *ctx)
{
    struct sip_peer *p = ctx;

    (void)t;
    sip_peer_set_state(p, SIP_PEER_IDLE);
    start(p);
}

static void back_off(struct sip_peer *p)
{
    uint32_t shift = p->attempts < BACKOFF_SHIFT_MAX ? p->attempts : BACKOFF_SHIFT_MAX;
    uint32_t ms = BACKOFF_FIRST_MS << shift;

    if (ms > BACKOFF_MAX_MS) {
        ms = BACKOFF_MAX_MS;
    }
    p->attempts++;
    sip_req_peer_seen(p, false);
    dial_free(p->dial);
    p->dial = NULL;
    sip_peer_set_state(p, SIP_PEER_BACKOFF);
    shard_timer_arm(p->side->e->sh, &p->timer, ms - ms / 4 + sip_peer_random(p) % (ms / 2 + 1),
                    on_backoff_over, p);
}

static void came_up(struct sip_peer *p)
{
    sip_peer_set_state(p, SIP_PEER_UP);
    p->attempts = 0;
    sip_peer_probe_forget(p);
    p->probe = (struct sip_probe){.next_ms = shard_now_ms(p->side->e->sh)};
    LOG_I(sip_peer_up, "next_hop=%s peer=%s", p->name, conn_peer_text(p->conn->c));
    sip_peer_probe_arm(p);
    sip_req_peer_seen(p, true);
    sip_uac_peer_up(p);
}

/* Over TLS the one who answers must be the one configured (RFC 5922 7.2, pinned names). */
static bool is_right_peer(const struct next_hop *hop, struct conn *c)
{
    const struct tls_peer *peer = conn_tls_peer(c);

    if (!hop->is_tls) {
        return true;
    }
    if (!peer || peer->chain != TLS_CHAIN_OK) {
        return false;
    }
    for (uint32_t i = 0; i < hop->trusted_name_count; i++) {
        if (tls_names_match_sip(&peer->names, hop->trusted_names[i])) {
            return true;
        }
    }
    return tls_names_match_sip(&peer->names, hop->host);
}

/* Why this connection, which was dialled for hop, is not what the configuration wants; or NULL. */
static const char *fault_of(const struct next_hop *hop, struct sip_conn *sc)
{
    const char *fault = sip_conn_fault(sc);

    return fault || is_right_peer(hop, sc->c) ? fault : "wrong-certificate";
}

static const char *fault_text(const char *fault)
{
    return fault && strcmp(fault, "tls-version") == 0 ? "TLS is below tls.min_version"
                                                      : "certificate is not the next hop's";
}

bool sip_peer_accepts(struct sip_peer *p, struct sip_conn *sc)
{
    const struct next_hop *hop = sip_peer_hop(p);
    const char *fault = NULL;
    const char *text;

    sc->is_dialled = true;
    sc->is_trusted = true;
    slice_to_cstr_cut(slice_from_cstr(p->name), sc->hop, sizeof(sc->hop));
    if (!hop) {
        fault = "next-hop-is-gone";
        text = "next hop is gone";
    } else {
        fault = fault_of(hop, sc); /* a reload may have come meanwhile */
        text = fault_text(fault);
    }
    if (!fault) {
        return true;
    }
    sip_conn_log_refused(sc, fault);
    note_failure(p, text);
    sc->is_ended = true;
    conn_abort(sc->c, hop ? ERR_TLS_CERTIFICATE : ERR_SHUTDOWN, text);
    return false;
}

static void on_dialled(struct dial *d, void *ctx, struct conn *c, bool is_direct_tls)
{
    struct sip_peer *p = ctx;
    struct sip_conn *sc = sip_conn_new(p->side, c, is_direct_tls);

    (void)d;
    if (!sc) {
        back_off(p);
        return;
    }
    sc->peer = p;
    p->conn = sc;
    if (sip_peer_accepts(p, sc)) {
        came_up(p);
    }
}

static void on_dial_failed(struct dial *d, void *ctx, enum dial_step step, int err,
                           const char *text)
{
    struct sip_peer *p = ctx;
    char line[FAIL_TEXT_BYTES];

    (void)d;
    (void)snprintf(line, sizeof(line), "%s: %s", dial_step_name(step), text);
    note_failure(p, line);
    LOG_W(sip_peer_down, "next_hop=%s step=%s err=%s text=%s", p->name, dial_step_name(step),
          err_name(err), log_quote(slice_from_cstr(text)).text);
    back_off(p);
    sip_uac_peer_down(p);
}

static const struct dial_ops sip_dial_ops = {.done = on_dialled, .failed = on_dial_failed};

static void place_of(const struct next_hop *hop, char out[SIP_PLACE_BYTES])
{
    (void)snprintf(out, SIP_PLACE_BYTES, "%s:%.*s:%u", hop->is_tls ? "tls" : "tcp",
                   SLICE_FMT(hop->host), hop->port);
}

int sip_peer_dial(struct sip_peer *p, const struct dial_ops *ops, struct dial **out)
{
    struct edge *e = p->side->e;
    const struct next_hop *hop = sip_peer_hop(p);
    struct dial_params params;

    if (!hop) {
        return ERR_CLOSED;
    }
    params = (struct dial_params){
        .name = hop->host,
        .port = hop->port ? hop->port : (uint16_t)(hop->is_tls ? SIPS_PORT : SIP_PORT),
        .port_direct_tls = hop->is_tls,
        .tls = {.ctx = edge_setup(e)->tls,
                .session = {.role = TLS_ROLE_CLIENT,
                            .sni = hop->host_is_address ? SLICE_NONE : hop->host,
                            .credential_idx = UINT32_MAX,
                            .version_min = host_tls_min_inside(e)},
                .handshake_timeout_ms = 15000,
                .ktls = edge_ktls(e)},
    };
    if (hop->port == 0 && !hop->host_is_address) {
        params.services[0] =
            (struct dial_service){hop->is_tls ? "_sips._tcp" : "_sip._tcp", hop->is_tls};
    }
    if (hop->is_tls && !params.tls.ctx) {
        return ERR_TLS_CONFIG;
    }
    return dial_start(out, e->sh, &params, ops, p);
}

static void start(struct sip_peer *p)
{
    const struct next_hop *hop = sip_peer_hop(p);
    int err;

    if (!hop || p->side->is_stopping || p->state != SIP_PEER_IDLE) {
        return;
    }
    place_of(hop, p->place);
    sip_peer_set_state(p, SIP_PEER_DIALLING);
    err = sip_peer_dial(p, &sip_dial_ops, &p->dial);
    if (err != 0) {
        p->dial = NULL;
        note_failure(p, err == ERR_TLS_CONFIG ? "tls: no certificate to use TLS with is configured"
                                              : err_text(err));
        back_off(p);
        sip_uac_peer_down(p);
    }
}

struct sip_peer *sip_peer_of(struct sip_side *s, const struct next_hop *hop)
{
    struct sip_peer *p = map_get(&s->peers, hop->name);

    if (p) {
        return p;
    }
    p = pool_zalloc(sizeof(*p));
    if (!p) {
        return NULL;
    }
    p->magic = SIP_PEER_MAGIC;
    p->side = s;
    list_init(&p->waiting);
    list_init(&p->sent);
    list_init(&p->req_waiting);
    list_init(&p->req_sent);
    if (!slice_to_cstr(hop->name, p->name, sizeof(p->name))) {
        pool_free(p);
        return NULL;
    }
    (void)map_add(&s->peers, slice_from_cstr(p->name), p);
    return p;
}

enum presence_hop_way sip_side_hop_way(struct sip_side *s, const struct next_hop *hop)
{
    const struct sip_peer *p = map_get(&s->peers, hop->name);

    if (!p || p->state == SIP_PEER_IDLE) { /* sip_side_need would dial it */
        return PRESENCE_HOP_COMING;
    }
    if (p->state == SIP_PEER_UP) {
        return PRESENCE_HOP_UP;
    }
    return p->attempts > 0 ? PRESENCE_HOP_AWAY : PRESENCE_HOP_COMING;
}

void sip_peer_need(struct sip_peer *p)
{
    if (p->state == SIP_PEER_IDLE) {
        start(p);
    }
}

void sip_side_need(struct sip_side *s, const struct next_hop *hop)
{
    struct sip_peer *p = s->is_stopping || s->e->is_draining ? NULL : sip_peer_of(s, hop);

    if (p) {
        sip_peer_need(p);
    }
}

void sip_peer_conn_closed(struct sip_peer *p, const char *why)
{
    p->conn = NULL;
    if (p->state == SIP_PEER_UP) {
        LOG_W(sip_peer_down, "next_hop=%s why=%s", p->name, log_quote(slice_from_cstr(why)).text);
        note_failure(p, why);
        sip_req_peer_seen(p, false);
        shard_timer_disarm(p->side->e->sh, &p->timer);
    }
    if (p->side->is_stopping || p->state == SIP_PEER_BACKOFF) {
        if (p->state == SIP_PEER_UP) {
            sip_peer_set_state(p, SIP_PEER_IDLE); /* nothing is written to it any more */
        }
        return;
    }
    if (p->dial) {
        sip_peer_set_state(p, SIP_PEER_DIALLING);
        dial_next(p->dial, why);
    } else {
        sip_peer_set_state(p, SIP_PEER_IDLE);
        start(p);
    }
}

/* The connection lives on for the answers still due on it; new requests go to the next target. */
static void detach(struct sip_peer *p)
{
    p->conn->peer = NULL;
    sip_conn_leave(p->conn);
    p->conn = NULL;
    shard_timer_disarm(p->side->e->sh, &p->timer);
}

void sip_peer_succeed(struct sip_peer *p, struct sip_conn *sc, struct dial *d)
{
    ASSERT(p->state == SIP_PEER_UP && p->conn && !sc->peer);
    detach(p);
    dial_free(p->dial);
    p->dial = d;
    p->conn = sc;
    sc->peer = p;
    came_up(p);
}

void sip_peer_failover(struct sip_peer *p, const char *why)
{
    note_failure(p, why);
    if (p->state != SIP_PEER_UP || !p->conn) {
        return;
    }
    LOG_W(sip_peer_down, "next_hop=%s why=%s", p->name, log_quote(slice_from_cstr(why)).text);
    p->failover_ms = shard_now_ms(p->side->e->sh);
    detach(p);
    if (p->dial) {
        sip_peer_set_state(p, SIP_PEER_DIALLING);
        dial_next(p->dial, why);
    } else {
        sip_peer_set_state(p, SIP_PEER_IDLE);
        start(p);
    }
}

/* From the first target on; what waits is written as soon as there is a connection. */
static void redial(struct sip_peer *p)
{
    if (p->conn) {
        detach(p);
    }
    dial_free(p->dial);
    p->dial = NULL;
    sip_peer_set_state(p, SIP_PEER_IDLE);
    start(p);
}

/* The next target is met as the configuration in force says, not as the one that began to dial. */
static void renew_tls(struct sip_peer *p)
{
    struct edge *e = p->side->e;
    struct dial *dials[] = {p->dial, p->renewal};

    for (uint32_t i = 0; i < ARRAY_COUNT(dials) && edge_setup(e)->tls; i++) {
        if (dials[i]) {
            dial_set_tls(dials[i], edge_setup(e)->tls, host_tls_min_inside(e));
        }
    }
}

void sip_peer_review(struct sip_peer *p)
{
    const struct next_hop *hop = sip_peer_hop(p);
    struct sip_conn *sc = p->conn;
    const char *fault = NULL;
    char place[SIP_PLACE_BYTES];
    bool has_moved;

    if (!hop) {
        if (sc) {
            sip_conn_close(sc);
        }
        return;
    }
    place_of(hop, place);
    has_moved = strcmp(place, p->place) != 0;
    renew_tls(p);
    if (sc && !sc->is_ended) {
        /* Who answers elsewhere is not asked for the new place's names. */
        fault = has_moved ? sip_conn_fault(sc) : fault_of(hop, sc);
    }
    if (fault) {
        sip_conn_log_refused(sc, fault);
        note_failure(p, fault_text(fault));
        redial(p);
        sip_conn_refuse(sc);
    } else if (has_moved && (p->state == SIP_PEER_UP || p->state == SIP_PEER_DIALLING)) {
        LOG_I(sip_peer_down, "next_hop=%s why=moved-by-configuration to=%s", p->name, place);
        redial(p);
    }
}

bool sip_peer_may_failover(const struct sip_peer *p)
{
    return p->state == SIP_PEER_UP &&
           (p->failover_ms == 0 ||
            shard_now_ms(p->side->e->sh) - p->failover_ms > FAILOVER_MS_MIN);
}

void sip_peer_free(struct sip_peer *p)
{
    shard_timer_disarm(p->side->e->sh, &p->timer);
    sip_peer_probe_forget(p);
    list_remove(&p->news);
    sip_renew_stop(p);
    dial_free(p->dial);
    if (p->conn) {
        p->conn->peer = NULL;
        sip_conn_close(p->conn);
    }
    (void)map_remove(&p->side->peers, slice_from_cstr(p->name));
    p->magic = 0;
    pool_free(p);
}
