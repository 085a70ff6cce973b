/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host: policy and certificates as struct stream_host. */
#include "edge/host.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/utf8.h"
#include "edge/fail.h"

/* The snapshot's tables are keyed by A-labels, streams speak U-labels. A domain that has no A-label
 * form is in no table; it must not look like an absent one. */
static struct slice key_of(struct slice domain, struct jid_ascii *ascii)
{
    if (slice_is_empty(domain)) {
        return SLICE_NONE;
    }
    return jid_domain_to_ascii(domain, ascii) == 0 ? jid_ascii_slice(ascii) : SLICE_LIT(".");
}

static bool is_local(void *ctx, struct slice domain)
{
    const struct host_ctx *h = ctx;
    struct jid_ascii ascii;

    return snapshot_domain(edge_policy(h->e), key_of(domain, &ascii)) != NULL;
}

/* The policy's ways to authenticate are the machine's methods, bit by bit. */
STATIC_ASSERT((uint32_t)PARTNER_AUTH_EXTERNAL == STREAM_METHOD_EXTERNAL, "the same bits");
STATIC_ASSERT((uint32_t)PARTNER_AUTH_CERTIFICATE == STREAM_METHOD_CERTIFICATE, "the same bits");
STATIC_ASSERT((uint32_t)PARTNER_AUTH_DIALBACK_TLS == STREAM_METHOD_DIALBACK_TLS, "the same bits");
STATIC_ASSERT((uint32_t)PARTNER_AUTH_DIALBACK_TCP == STREAM_METHOD_DIALBACK_PLAIN, "the same bits");

void host_rules_of(const struct edge *e, const struct partner *p, enum stream_role role,
                   struct stream_rules *out)
{
    const struct gateway_settings *g = &edge_policy(e)->gateway;
    /* In: something must come within it. Out: twice, so that one lost in time ends no stream. */
    uint32_t interval_ms = g->keepalive_interval_s * (role == STREAM_IN ? 1000 : 500);

    *out = (struct stream_rules){
        .methods = p->row->auth,
        .acks = p->acks == PARTNER_ACKS_AUTO || p->acks == PARTNER_ACKS_SM,
        .keepalive_ms = p->keepalive ? interval_ms : 0,
        .stanza_bytes_max = p->extra ? p->extra->stanza_bytes_max : 0,
        .inactivity_ms = g->stream_inactivity_timeout_s * 1000,
    };
}

/* Before the peer has said who it is: whatever some partner may use. */
static void rules_for_strangers(const struct snapshot *s, struct stream_rules *out)
{
    *out = (struct stream_rules){
        .methods = s->any_partner_auth,
        .inactivity_ms = s->gateway.stream_inactivity_timeout_s * 1000,
    };
}

static enum tls_version version_of(uint32_t min)
{
    return min == PARTNER_TLS_1_3 ? TLS_VERSION_1_3 : TLS_VERSION_1_2;
}

enum tls_version host_tls_min(const struct edge *e, struct slice remote)
{
    struct jid_ascii ascii;
    const struct partner *p = snapshot_partner(edge_policy(e), key_of(remote, &ascii));

    return version_of(p ? p->tls_min : (uint32_t)edge_policy(e)->any_partner_tls_min);
}

enum tls_version host_tls_min_inside(const struct edge *e)
{
    return version_of(edge_policy(e)->tls_min);
}

bool host_tls_is_enough_inside(const struct edge *e, const struct conn *c)
{
    const struct tls_peer *peer = conn_tls_peer(c);

    return !peer || host_tls_min_inside(e) != TLS_VERSION_1_3 ||
           strcmp(peer->version, "TLSv1.3") == 0;
}

static const struct stream_refusal refusal_tls_version = {
    STREAM_CONDITION_POLICY_VIOLATION, STANZA_CONDITION_POLICY_VIOLATION,
    "a later version of TLS is required: 1.3"};

/* TLS may have been agreed before the partner was known, or under rules that changed since. */
static const struct stream_refusal *judge_version(const struct host_ctx *h, const struct partner *p)
{
    const struct tls_peer *peer = h->c ? conn_tls_peer(h->c) : NULL;

    if (!peer || p->tls_min != PARTNER_TLS_1_3 || strcmp(peer->version, "TLSv1.3") == 0) {
        return NULL;
    }
    h->e->stats.tls_version_refused++;
    LOG_W(stream_refused, "peer=%s remote=%s why=tls-version version=%s", conn_peer_text(h->c),
          log_quote(p->domain).text, peer->version);
    return &refusal_tls_version;
}

static const struct stream_refusal refusal_certificate = {
    STREAM_CONDITION_NOT_AUTHORIZED, STANZA_CONDITION_NOT_AUTHORIZED,
    "the certificate is no longer accepted"};

const struct stream_refusal *host_review(const struct host_ctx *h, struct stream *s)
{
    bool stands = !h->c || conn_tls_rejudge(h->c, edge_setup(h->e)->tls);
    struct stream_review how = {.lost = &refusal_certificate};
    const struct stream_refusal *refusal;

    if (!s) {
        return NULL;
    }
    for (uint32_t bit = 1; !stands && bit <= STREAM_METHOD_DIALBACK_PLAIN; bit <<= 1) {
        how.lost_methods |= method_rests_on_certificate((enum stream_method)bit) ? bit : 0;
    }
    refusal = stream_review(s, shard_now_ms(h->e->sh), &how);
    if (refusal == &refusal_certificate) {
        h->e->stats.certificates_withdrawn++;
        LOG_W(stream_refused, "peer=%s remote=%s why=certificate chain=%s", conn_peer_text(h->c),
              log_quote(stream_remote(s)).text, tls_chain_name(conn_tls_peer(h->c)->chain));
    }
    return refusal;
}

static const struct stream_refusal *maintenance(struct edge *e, const struct partner *p)
{
    struct slice text = p->extra ? p->extra->maintenance : SLICE_NONE;

    slice_to_cstr_cut(slice_to(text, utf8_cut(text, sizeof(e->maintenance_text) - 1)),
                      e->maintenance_text, sizeof(e->maintenance_text));
    e->maintenance = stream_refusal_maintenance;
    if (e->maintenance_text[0]) {
        e->maintenance.text = e->maintenance_text;
    }
    return &e->maintenance;
}

const struct stream_refusal *host_refusal_of(struct edge *e, const struct policy_verdict *verdict)
{
    if (verdict->reason == POLICY_MAINTENANCE && verdict->partner) {
        return maintenance(e, verdict->partner);
    }
    return verdict->reason == POLICY_LOCAL_UNKNOWN ? &stream_refusal_unknown_local
                                                   : &stream_refusal_unknown_partner;
}

/* Users do not matter here: access and the lists of addresses never end a stream. */
static struct policy_rule rule_of_pair(const struct snapshot *s, struct slice local,
                                       struct slice remote)
{
    struct policy_question question = {
        .local_domain = local,
        .remote_domain = remote,
        .direction = POLICY_TO_LOCAL,
        .act = POLICY_ACT_ANSWER,
    };
    struct policy_verdict pair = policy_pair(s, local, remote);

    if (pair.partner && (pair.allowed || slice_is_empty(local))) {
        struct slice text = pair.partner->extra ? pair.partner->extra->maintenance : SLICE_NONE;

        return (struct policy_rule){
            .kind = slice_is_empty(text) ? "partners" : "partners.maintenance",
            .name = pair.partner->domain};
    }
    if (slice_is_empty(local)) {
        return (struct policy_rule){.kind = "partners", .name = remote};
    }
    return policy_decide(s, &question).rule;
}

struct host_rule host_rule_of(const struct edge *e, struct slice local, struct slice remote)
{
    struct jid_ascii local_ascii;
    struct jid_ascii remote_ascii;
    struct host_rule rule = {""};

    if (!slice_is_empty(remote)) {
        policy_rule_text(rule_of_pair(edge_policy(e), key_of(local, &local_ascii),
                                      key_of(remote, &remote_ascii)),
                         rule.text);
    }
    return rule;
}

static const struct stream_refusal refusal_own_stream = {
    STREAM_CONDITION_POLICY_VIOLATION, STANZA_CONDITION_POLICY_VIOLATION,
    "this domain needs a stream of its own"};

/* What a partner may send is counted on its home shard: a stream that lives on another one, as
 * another partner's, does not get around it. */
static bool is_uncounted(const struct host_ctx *h, enum stream_role role, const struct partner *p)
{
    const struct partner_extra *x = p->extra;

    return role == STREAM_IN && h->home_place != 0 && x &&
           (x->stanza_rate_max != 0 || x->byte_rate_max != 0) &&
           edge_home_of_partner(h->e, p) + 1 != h->home_place;
}

/* The peer has not said whom of ours it wants. */
static const struct stream_refusal *rules_of_remote(const struct host_ctx *h, enum stream_role role,
                                                    struct slice remote, struct stream_rules *out)
{
    const struct partner *p = snapshot_partner(edge_policy(h->e), remote);

    if (!p) {
        return &stream_refusal_unknown_partner;
    }
    if (p->extra && !slice_is_empty(p->extra->maintenance)) {
        return maintenance(h->e, p);
    }
    host_rules_of(h->e, p, role, out);
    return judge_version(h, p);
}

static const struct stream_refusal *rules(void *ctx, enum stream_role role, struct slice local,
                                          struct slice remote, struct stream_rules *out)
{
    const struct host_ctx *h = ctx;
    struct jid_ascii local_ascii;
    struct jid_ascii remote_ascii;
    struct policy_verdict verdict;

    local = key_of(local, &local_ascii);
    remote = key_of(remote, &remote_ascii);
    if (slice_is_empty(remote)) {
        if (!slice_is_empty(local) && !snapshot_domain(edge_policy(h->e), local)) {
            return &stream_refusal_unknown_local;
        }
        rules_for_strangers(edge_policy(h->e), out);
        return NULL;
    }
    if (slice_is_empty(local)) {
        return rules_of_remote(h, role, remote, out);
    }
    verdict = policy_pair(edge_policy(h->e), local, remote);
    if (!verdict.allowed) {
        return host_refusal_of(h->e, &verdict);
    }
    if (is_uncounted(h, role, verdict.partner)) {
        return &refusal_own_stream;
    }
    host_rules_of(h->e, verdict.partner, role, out);
    return judge_version(h, verdict.partner);
}

static uint64_t rules_version(void *ctx)
{
    return ((const struct host_ctx *)ctx)->e->setup_version;
}

static bool certificate_ok(void *ctx, struct slice domain)
{
    const struct host_ctx *h = ctx;
    const struct tls_peer *peer = h->c ? conn_tls_peer(h->c) : NULL;
    struct jid_ascii ascii;

    return peer && peer->chain == TLS_CHAIN_OK && jid_domain_to_ascii(domain, &ascii) == 0 &&
           peer->not_after_unix_s > shard_now_unix_s(h->e->sh) &&
           (tls_names_match_xmpp(&peer->names, jid_ascii_slice(&ascii)) ||
            tls_names_match_xmpp(&peer->names, domain)); /* XmppAddr may hold U-labels */
}

static const char *certificate_fault(void *ctx, struct slice domain)
{
    const struct host_ctx *h = ctx;
    const struct tls_peer *peer = h->c ? conn_tls_peer(h->c) : NULL;
    char *text = h->e->fault;

    if (!peer) {
        return "no TLS on this connection";
    }
    if (peer->chain != TLS_CHAIN_OK) {
        (void)snprintf(text, sizeof(h->e->fault), "certificate is not acceptable: %s",
                       tls_chain_name(peer->chain));
        return text;
    }
    (void)snprintf(text, sizeof(h->e->fault), "certificate does not name %.*s",
                   domain.len > 100 ? 100 : (int)domain.len, domain.ptr ? domain.ptr : "");
    return text;
}

static const struct dialback_secret *secret(void *ctx, struct slice local)
{
    (void)local;
    return &((const struct host_ctx *)ctx)->e->dialback_secret;
}

const struct stream_host host_ops = {
    .is_local = is_local,
    .rules = rules,
    .rules_version = rules_version,
    .certificate_ok = certificate_ok,
    .certificate_fault = certificate_fault,
    .dialback_secret = secret,
};
