/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip_conn: one SIP connection: who it is, framing, requests and responses to where they belong. */
#include <stdio.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "edge/host.h"
#include "edge/sip_int.h"
#include "xmpp/jid.h"

#define LINGER_MS 2000u
#define INSIDE_MS_MAX 32000u /* one message may take this long to arrive */
#define OUT_BYTES_MAX ((size_t)2 << 20)
#define HANDSHAKE_MS 15000u

void sip_conn_close(struct sip_conn *sc)
{
    if (!sc->is_ended) {
        sc->is_ended = true;
        conn_close(sc->c, LINGER_MS);
    }
}

static void trust(struct sip_conn *sc, const struct next_hop *hop)
{
    sc->is_trusted = true;
    slice_to_cstr_cut(hop->name, sc->hop, sizeof(sc->hop));
    conn_set_authenticated(sc->c);
}

static bool is_named(const struct next_hop *hop, const struct tls_peer *peer)
{
    if (!peer || peer->chain != TLS_CHAIN_OK) {
        return false;
    }
    for (uint32_t i = 0; i < hop->trusted_name_count; i++) {
        if (tls_names_match_sip(&peer->names, hop->trusted_names[i])) {
            return true;
        }
    }
    return false;
}

/* Who is refused by a reload is out within a second, also if it does not end its side. */
void sip_conn_refuse(struct sip_conn *sc)
{
    if (!sc->is_ended) {
        sc->is_ended = true;
        conn_close(sc->c, HOST_REFUSED_CLOSE_MS);
    }
}

/* Which configured next hop this connection belongs to, if any. */
static void find_hop(struct sip_conn *sc)
{
    const struct snapshot *policy = edge_policy(sc->side->e);
    socklen_t len;
    const struct sockaddr *addr = conn_peer_addr(sc->c, &len);
    const struct tls_peer *peer = conn_tls_peer(sc->c);

    for (uint32_t i = 0; i < policy->next_hop_count && !sc->is_trusted; i++) {
        const struct next_hop *hop = &policy->next_hops[i];

        if (hop->kind == NEXT_HOP_SIP &&
            (next_hop_trusts_address(hop, addr) || is_named(hop, peer))) {
            trust(sc, hop);
        }
    }
}

/* The version is asked first: no address makes up for it. */
const char *sip_conn_fault(struct sip_conn *sc)
{
    struct edge *e = sc->side->e;
    bool stands = conn_tls_rejudge(sc->c, edge_setup(e)->tls);

    if (!host_tls_is_enough_inside(e, sc->c)) {
        e->stats.sip_tls_refused++;
        return "tls-version";
    }
    if (sc->is_dialled) {
        return stands ? NULL : "certificate-withdrawn";
    }
    sc->is_trusted = false;
    find_hop(sc);
    return sc->is_trusted ? NULL : "not-a-next-hop";
}

void sip_conn_log_refused(const struct sip_conn *sc, const char *why)
{
    const struct tls_peer *peer = conn_tls_peer(sc->c);

    LOG_W(sip_refused, "next_hop=%s peer=%s tls=%d chain=%s subject=%s why=%s version=%s",
          sc->hop[0] ? sc->hop : "-", conn_peer_text(sc->c), sc->is_tls,
          peer ? tls_chain_name(peer->chain) : "-",
          peer ? log_quote(slice_from_cstr(peer->subject)).text : "-", why,
          peer ? peer->version : "-");
}

/* Of one that was accepted just now. A reload may have come while it shook hands. */
static void require_trust(struct sip_conn *sc)
{
    const char *fault = sip_conn_fault(sc);

    if (fault) {
        sc->side->e->stats.sip_refused_source += !sc->is_trusted;
        sip_conn_log_refused(sc, fault);
        sc->is_ended = true;
        conn_abort(sc->c, ERR_SHUTDOWN, "not a configured next hop");
    }
}

static void on_bad(struct sip_conn *sc)
{
    sc->side->e->stats.sip_bad++;
    LOG_W(sip_bad_message, "peer=%s status=%u why=%s", conn_peer_text(sc->c),
          sc->framer.bad.status, log_quote(slice_from_cstr(sc->framer.bad.why)).text);
    if (sc->framer.bad.status != 0) {
        sip_server_answer_bad(sc->side->txns, &sc->link, &sc->framer.msg, &sc->framer.bad);
    }
    sip_conn_close(sc);
}

static void on_message(struct sip_conn *sc)
{
    const struct sip_msg *m = &sc->framer.msg;
    const struct sip_own *own = sip_own(sc->side, sc->is_tls);
    struct sip_check_policy ours UNINITIALIZED;
    struct sip_keys keys UNINITIALIZED;
    struct sip_verdict verdict;

    if (m->is_request) {
        sip_uas_request(sc, m);
        return;
    }
    ours = (struct sip_check_policy){.own = &own->host,
                                     .own_count = own->host.kind != SIP_HOST_NONE};
    if (sip_check_response_keys(m, &ours, &keys, &verdict)) {
        (void)sip_client_receive_keys(sc->side->txns, m, &keys);
    } else {
        sc->side->e->stats.sip_bad++;
    }
}

static size_t on_data(struct conn *c, void *owner, char *bytes, size_t len)
{
    struct sip_conn *sc = owner;
    size_t at = 0;

    (void)c;
    ASSERT(sc->magic == SIP_CONN_MAGIC);
    while (at < len && !sc->is_ended) {
        size_t used = 0;

        switch (sip_framer_feed(&sc->framer, bytes + at, len - at, &used)) {
        case SIP_FRAME_MORE:
        case SIP_FRAME_PONG:
            break;
        case SIP_FRAME_MSG:
            on_message(sc);
            break;
        case SIP_FRAME_PING:
            buf_put(conn_out(sc->c), SIP_PONG);
            break;
        case SIP_FRAME_BAD:
            on_bad(sc);
            break;
        }
        at += used;
    }
    if (!sip_framer_is_inside(&sc->framer)) {
        sc->inside_since_ms = 0;
    } else if (sc->inside_since_ms == 0) {
        sc->inside_since_ms = shard_now_ms(sc->side->e->sh);
    }
    conn_flush(sc->c);
    sip_renew(sc);
    return len;
}

static void on_secured(struct conn *c, void *owner)
{
    (void)c;
    require_trust(owner);
}

static void on_closed(struct conn *c, void *owner, int err, const char *why, size_t unsent_bytes)
{
    struct sip_conn *sc = owner;
    struct sip_peer *peer = sc->peer;

    (void)c;
    (void)unsent_bytes;
    sc->is_ended = true;
    list_remove(&sc->all);
    sip_link_down(&sc->link, err ? err : ERR_CLOSED);
    sip_uas_held_flush(sc); /* their transactions end, or go on over another connection */
    sip_framer_deinit(&sc->framer);
    sc->magic = 0;
    if (peer) {
        sip_peer_conn_closed(peer, why);
    }
    pool_free(sc);
}

/* What waited because the connection was crowded goes on. */
static void on_writable(struct conn *c, void *owner)
{
    struct sip_conn *sc = owner;

    (void)c;
    sip_uas_held_flush(sc);
    if (sc->peer && sc->peer->conn == sc && sc->peer->state == SIP_PEER_UP) {
        sip_uac_peer_up(sc->peer);
    }
}

static const struct conn_ops sip_conn_ops = {
    .data = on_data,
    .secured = on_secured,
    .writable = on_writable,
    .closed = on_closed,
};

/* "192.0.2.1:5060" -> "192.0.2.1", "[2001:db8::1]:5060" -> "2001:db8::1" */
static void read_host(struct sip_conn *sc)
{
    struct slice text = slice_from_cstr(conn_peer_text(sc->c));
    ptrdiff_t colon = slice_find_last(text, ':');

    text = slice_to(text, colon < 0 ? text.len : (size_t)colon);
    if (text.len >= 2 && text.ptr[0] == '[') {
        text = slice_make(text.ptr + 1, text.len - 2);
    }
    slice_to_cstr_cut(text, sc->host, sizeof(sc->host));
}

struct sip_conn *sip_conn_new(struct sip_side *s, struct conn *c, bool is_tls)
{
    struct sip_conn *sc = pool_zalloc(sizeof(*sc));
    struct slice port = SLICE_NONE;
    struct slice text = slice_from_cstr(conn_peer_text(c));
    uint64_t port_number = 0;

    if (!sc) {
        conn_abort(c, ERR_NOMEM, "out of memory");
        return NULL;
    }
    sc->magic = SIP_CONN_MAGIC;
    sc->side = s;
    sc->c = c;
    sc->is_tls = is_tls;
    read_host(sc);
    port = slice_from(text, (size_t)(slice_find_last(text, ':') + 1));
    if (!slice_parse_u64(port, &port_number)) {
        port_number = 0;
    }
    sip_framer_init(&sc->framer);
    sip_link_init(&sc->link, s->txns, sc, slice_from_cstr(sc->host), (uint16_t)port_number);
    list_push_back(&s->conns, &sc->all);
    list_init(&sc->held);
    conn_set_owner(c, &sip_conn_ops, sc);
    conn_set_out_max(c, OUT_BYTES_MAX);
    return sc;
}

void sip_side_accept(struct sip_side *s, struct conn *c, bool is_tls)
{
    struct sip_conn *sc = sip_conn_new(s, c, is_tls);
    struct conn_tls_params params = {
        .ctx = edge_setup(s->e)->tls,
        .session = {.role = TLS_ROLE_SERVER,
                    .credential_idx = UINT32_MAX,
                    .version_min = host_tls_min_inside(s->e)},
        .handshake_timeout_ms = HANDSHAKE_MS,
        .ktls = edge_ktls(s->e),
    };

    if (!sc) {
        return;
    }
    if (!is_tls) {
        require_trust(sc);
    } else if (!params.ctx || conn_start_tls(c, &params) != 0) {
        sc->is_ended = true;
        conn_abort(c, ERR_TLS_CONFIG, "no certificate to serve TLS with");
    }
}

void sip_conn_review(struct sip_conn *sc)
{
    const char *fault;

    if (!sc->is_trusted || sc->peer || sc->is_ended) {
        return; /* what is a peer's goes with it */
    }
    fault = sip_conn_fault(sc);
    if (fault) {
        sip_conn_log_refused(sc, fault);
        sip_conn_refuse(sc);
    }
}

void sip_conn_tick(struct sip_conn *sc)
{
    uint64_t now = shard_now_ms(sc->side->e->sh);

    if (sc->inside_since_ms != 0 && now - sc->inside_since_ms > INSIDE_MS_MAX && !sc->is_ended) {
        sc->side->e->stats.sip_bad++;
        sc->is_ended = true;
        conn_abort(sc->c, ERR_TIMEOUT, "SIP message did not end in time");
    } else if (sip_conn_has_left(sc)) {
        sip_conn_close(sc);
    } else {
        sip_renew(sc);
    }
}
