/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chain: see chain.h. The path is built upwards from the leaf, without backtracking: at each step
 * an anchor of the right name and signature ends it, else a shown certificate carries it on.     */
#include "tls/chain.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/pool.h"
#include "tls/cert.h"
#include "tls/chain_cache.h"
#include "tls/constraints.h"
#include "tls/crl.h"
#include "tls/issuers.h"
#include "tls/pem.h"

struct anchor {
    char *der; /* owned; cert borrows it */
    uint64_t hash; /* of der */
    uint64_t subject_hash;
    struct cert cert;
};

struct chain_trust {
    struct anchor *anchors; /* owned */
    uint32_t count;
};

/* A path under construction: path[0] is the leaf; every one is signed by the next. */
struct path {
    const struct chain_params *params;
    struct cert shown[CHAIN_CERTS_MAX];
    bool shown_ok[CHAIN_CERTS_MAX]; /* parsed, and not on the path yet */
    uint32_t shown_count;
    const struct cert *path[CHAIN_CERTS_MAX + 1];
    uint32_t path_count;
    uint32_t signatures_left;
    bool bad_signature; /* an issuer of the right name had not signed it */
};

static bool trust_has(const struct chain_trust *trust, struct slice der)
{
    for (uint32_t i = 0; i < trust->count; i++) {
        if (slice_eq(trust->anchors[i].cert.der, der)) {
            return true;
        }
    }
    return false;
}

static bool trust_add(struct chain_trust *trust, struct slice der)
{
    struct cert cert;
    if (slice_is_empty(der) || trust->count == CHAIN_TRUST_MAX || cert_parse(&cert, der) != 0) {
        return false;
    }
    if (trust_has(trust, der)) {
        return true;
    }
    if ((trust->count & (trust->count - 1)) == 0) {
        size_t room = trust->count ? (size_t)trust->count * 2 : 1;
        trust->anchors = pool_heap_grow(trust->anchors, room * sizeof(*trust->anchors));
    }
    struct anchor *anchor = &trust->anchors[trust->count];
    anchor->der = pool_heap_strdup(der.ptr, der.len);
    int err = cert_parse(&anchor->cert, slice_make(anchor->der, der.len));
    ASSERT(err == 0);
    anchor->hash = hash_bytes(der);
    anchor->subject_hash = hash_bytes(anchor->cert.subject);
    trust->count++;
    return true;
}

struct chain_trust *chain_trust_new(struct slice pem, uint32_t *skipped_count)
{
    struct chain_trust *trust = pool_heap_zalloc(sizeof(*trust));
    struct buf der;
    buf_init(&der, CERT_BYTES_MAX);
    *skipped_count = 0;
    while (pem_next_certificate(&pem, &der)) {
        if (!trust_add(trust, buf_slice(&der))) {
            *skipped_count += 1;
        }
    }
    buf_deinit(&der);
    if (trust->count == 0) {
        chain_trust_free(trust);
        return NULL;
    }
    return trust;
}

void chain_trust_free(struct chain_trust *trust)
{
    if (!trust) {
        return;
    }
    for (uint32_t i = 0; i < trust->count; i++) {
        pool_heap_free(trust->anchors[i].der);
    }
    pool_heap_free(trust->anchors);
    pool_heap_free(trust);
}

uint32_t chain_trust_count(const struct chain_trust *trust)
{
    return trust ? trust->count : 0;
}

static bool in_time(const struct path *p, const struct cert *c)
{
    int64_t now = p->params->now_unix_s;
    return now >= c->not_before_unix_s && now <= c->not_after_unix_s;
}

/* Name first, it costs nothing; then the signature, if the budget allows. */
static bool issued_by(struct path *p, const struct cert *child, const struct cert *issuer)
{
    if (!slice_eq(child->issuer, issuer->subject)) {
        return false;
    }
    if (!slice_is_empty(child->authority_key_id) && !slice_is_empty(issuer->subject_key_id) &&
        !slice_eq(child->authority_key_id, issuer->subject_key_id)) {
        return false; /* another key of the same CA */
    }
    if (p->signatures_left == 0) {
        p->bad_signature = true;
        return false;
    }
    p->signatures_left--;
    if (!p->params->signed_by(child->der, issuer->der)) {
        p->bad_signature = true;
        return false;
    }
    return true;
}

/* The anchor that issued child, one that is in time if there is a choice. */
static const struct cert *find_anchor(struct path *p, const struct cert *child)
{
    const struct chain_trust *trust = p->params->trust;
    const struct cert *out_of_time = NULL;
    for (uint32_t i = 0; trust && i < trust->count; i++) {
        const struct cert *anchor = &trust->anchors[i].cert;
        if (out_of_time && !in_time(p, anchor)) {
            continue;
        }
        if (issued_by(p, child, anchor)) {
            if (in_time(p, anchor)) {
                return anchor;
            }
            out_of_time = anchor;
        }
    }
    return out_of_time;
}

static const struct cert *find_shown(struct path *p, const struct cert *child)
{
    for (uint32_t i = 1; i < p->shown_count; i++) {
        if (p->shown_ok[i] && issued_by(p, child, &p->shown[i])) {
            p->shown_ok[i] = false;
            return &p->shown[i];
        }
    }
    return NULL;
}

/* True when the last of the path is an anchor. */
static bool build(struct path *p)
{
    const struct chain_trust *trust = p->params->trust;
    p->path[p->path_count++] = &p->shown[0];
    while (p->path_count <= CHAIN_CERTS_MAX) {
        const struct cert *last = p->path[p->path_count - 1];
        if (trust && trust_has(trust, last->der)) {
            return true; /* pinned as it is: a self-signed leaf, an intermediate, a root */
        }
        const struct cert *next = find_anchor(p, last);
        if (next) {
            p->path[p->path_count++] = next;
            return true;
        }
        next = cert_is_self_issued(last) ? NULL : find_shown(p, last);
        if (!next) {
            return false;
        }
        p->path[p->path_count++] = next;
    }
    return false;
}

/* What the leaf must be good for. */
static bool leaf_allowed(const struct path *p, const struct cert *leaf)
{
    unsigned wanted = CERT_EKU_ANY | CERT_EKU_SERVER;
    if (!p->params->peer_is_server) {
        wanted |= CERT_EKU_CLIENT;
    }
    return (leaf->eku & wanted) != 0 && (leaf->key_usage & CERT_KU_DIGITAL_SIGNATURE) != 0 &&
           !leaf->has_unknown_critical;
}

/* What an issuer at path[at] must be allowed to. An anchor may be a version 1 root. */
static bool issuer_allowed(const struct path *p, uint32_t at, bool is_anchor)
{
    const struct cert *issuer = p->path[at];
    bool is_old_root = is_anchor && issuer->version == 1;
    if ((!issuer->is_ca && !is_old_root) || (issuer->key_usage & CERT_KU_CERT_SIGN) == 0 ||
        issuer->has_unknown_critical) {
        return false;
    }
    /* An EKU in an intermediate binds what is below (everybody's practice); a root's does not. */
    unsigned wanted = CERT_EKU_ANY | CERT_EKU_SERVER;
    wanted |= p->params->peer_is_server ? 0u : CERT_EKU_CLIENT;
    if (!is_anchor && (issuer->eku & wanted) == 0) {
        return false;
    }
    uint32_t below = 0; /* intermediates under it that are not self-issued */
    for (uint32_t i = 1; i < at; i++) {
        below += cert_is_self_issued(p->path[i]) ? 0 : 1;
    }
    if (below > issuer->path_len) {
        return false;
    }
    for (uint32_t i = 0; i < at; i++) {
        bool is_exempt = i > 0 && cert_is_self_issued(p->path[i]); /* RFC 5280 6.1.3 (b) */
        if (!is_exempt && !constraints_allow(issuer, p->path[i])) {
            return false;
        }
    }
    return true;
}

/* Every certificate below the anchor, by the lists of who issued it. */
static enum tls_chain judge_revocation(const struct path *p, int64_t *until_unix_s)
{
    enum tls_chain worst = TLS_CHAIN_OK;
    for (uint32_t i = 0; p->params->crls && i + 1 < p->path_count; i++) {
        switch (crl_check(p->params->crls, p->path[i], p->path[i + 1], p->params->now_unix_s,
                          until_unix_s)) {
        case CRL_REVOKED:
            return TLS_CHAIN_REVOKED;
        case CRL_STALE:
            worst = TLS_CHAIN_CRL_STALE;
            break;
        case CRL_NONE:
            worst = p->params->crl_required ? TLS_CHAIN_CRL_STALE : worst;
            break;
        case CRL_GOOD:
            break;
        }
    }
    return worst;
}

/* *until_unix_s: up to when OK holds. */
static enum tls_chain judge_path(const struct path *p, int64_t *until_unix_s)
{
    if (!leaf_allowed(p, p->path[0])) {
        return TLS_CHAIN_BAD;
    }
    bool too_late = false;
    bool too_early = false;
    for (uint32_t i = 0; i < p->path_count; i++) {
        bool is_anchor = i + 1 == p->path_count; /* its own signature proves nothing */
        if (!is_anchor && p->path[i]->is_weakly_signed) {
            return TLS_CHAIN_BAD;
        }
        if (i > 0 && !issuer_allowed(p, i, is_anchor)) {
            return TLS_CHAIN_BAD;
        }
        too_late = too_late || p->params->now_unix_s > p->path[i]->not_after_unix_s;
        too_early = too_early || p->params->now_unix_s < p->path[i]->not_before_unix_s;
        if (p->path[i]->not_after_unix_s < *until_unix_s) {
            *until_unix_s = p->path[i]->not_after_unix_s;
        }
    }
    if (too_late) {
        return TLS_CHAIN_EXPIRED;
    }
    return too_early ? TLS_CHAIN_NOT_YET_VALID : judge_revocation(p, until_unix_s);
}

static void write_proof(const struct path *p, struct chain_proof *proof)
{
    *proof = (struct chain_proof){.anchor_hash = hash_bytes(p->path[p->path_count - 1]->der)};
    for (uint32_t i = 0; i + 1 < p->path_count; i++) {
        bool is_kept = i == 0 || !p->params->known || issuers_add(p->params->known, p->path[i]);
        if (i == CHAIN_PROOF_CERTS || !is_kept ||
            !crl_trace_make(&proof->certs[i], p->path[i], p->path[i + 1])) {
            proof->count = UINT32_MAX;
            return;
        }
        proof->count++;
    }
}

static enum tls_chain judge(const struct chain_params *params, const struct slice *chain,
                            uint32_t count, struct chain_proof *proof, int64_t *until_unix_s)
{
    struct path p = {.params = params, .signatures_left = CHAIN_SIGNATURES_MAX};
    for (; p.shown_count < count; p.shown_count++) {
        uint32_t at = p.shown_count;
        p.shown_ok[at] = cert_parse(&p.shown[at], chain[at]) == 0;
    }
    if (!p.shown_ok[0]) {
        return TLS_CHAIN_BAD;
    }
    if (build(&p)) {
        enum tls_chain verdict = judge_path(&p, until_unix_s);
        if (verdict == TLS_CHAIN_OK) {
            write_proof(&p, proof);
        }
        return verdict;
    }
    if (p.bad_signature) {
        return TLS_CHAIN_BAD;
    }
    if (p.path_count == 1 && cert_is_self_issued(p.path[0])) {
        return TLS_CHAIN_SELF_SIGNED;
    }
    return TLS_CHAIN_UNKNOWN_CA;
}

static void tell(const struct chain_params *params, const struct chain_cache_value *value)
{
    if (params->proof) {
        *params->proof = value->proof;
    }
    if (params->until_unix_s) {
        *params->until_unix_s = value->until_unix_s;
    }
}

enum tls_chain chain_judge(const struct chain_params *params, const struct slice *chain,
                           uint32_t count)
{
    struct chain_cache_value value = {.from_unix_s = params->now_unix_s,
                                      .until_unix_s = INT64_MAX};
    struct chain_cache_key key = {{0}};
    if (count == 0) {
        return TLS_CHAIN_NONE;
    }
    if (count > CHAIN_CERTS_MAX) {
        return TLS_CHAIN_BAD;
    }
    if (params->cache) {
        key = chain_cache_key(params->cache, chain, count, params->peer_is_server);
        if (chain_cache_get(params->cache, &key, params->now_unix_s, &value)) {
            tell(params, &value);
            return TLS_CHAIN_OK;
        }
    }
    enum tls_chain verdict = judge(params, chain, count, &value.proof, &value.until_unix_s);
    if (verdict == TLS_CHAIN_OK) {
        tell(params, &value);
        if (params->cache) {
            chain_cache_add(params->cache, &key, &value);
        }
    }
    return verdict;
}

static bool has_key(const struct cert *cert, uint64_t key_hash)
{
    return key_hash == 0 || slice_is_empty(cert->subject_key_id) ||
           hash_bytes(cert->subject_key_id) == key_hash;
}

/* Who may have signed lists of that issuer; key_hash: with that key, 0 = with any. */
static void find_issuers(const struct chain_params *params, uint64_t subject_hash,
                         uint64_t key_hash, struct crl_issuers *out)
{
    const struct chain_trust *trust = params->trust;
    uint32_t idx = 0;
    out->count = 0;
    for (uint32_t i = 0; trust && i < trust->count && out->count < CRL_ISSUERS_MAX; i++) {
        if (trust->anchors[i].subject_hash == subject_hash &&
            has_key(&trust->anchors[i].cert, key_hash)) {
            out->certs[out->count++] = &trust->anchors[i].cert;
        }
    }
    while (params->known && out->count < CRL_ISSUERS_MAX) {
        const struct cert *next = issuers_next(params->known, subject_hash, &idx);
        if (!next) {
            break;
        }
        if (has_key(next, key_hash)) {
            out->certs[out->count++] = next;
        }
    }
}

void chain_settle_lists(const struct chain_params *params)
{
    uint32_t count = crl_store_count(params->crls);
    struct crl_issuers issuers;
    for (uint32_t i = 0; i < count;) {
        find_issuers(params, crl_store_issuer_hash(params->crls, i), 0, &issuers);
        i = crl_store_settle(params->crls, i, &issuers);
    }
}

enum tls_chain chain_rejudge(const struct chain_params *params, const struct chain_proof *proof)
{
    const struct chain_trust *trust = params->trust;
    struct crl_issuers issuers;
    bool has_anchor = false;
    if (!proof || proof->count == UINT32_MAX) {
        return TLS_CHAIN_UNKNOWN_CA;
    }
    for (uint32_t i = 0; params->crls && i < proof->count; i++) {
        const struct crl_trace *trace = &proof->certs[i];
        find_issuers(params, trace->issuer_hash, trace->key_hash, &issuers);
        if (crl_names(params->crls, trace, &issuers, params->now_unix_s)) {
            return TLS_CHAIN_REVOKED;
        }
    }
    for (uint32_t i = 0; trust && i < trust->count && !has_anchor; i++) {
        has_anchor = trust->anchors[i].hash == proof->anchor_hash;
    }
    return has_anchor ? TLS_CHAIN_OK : TLS_CHAIN_UNKNOWN_CA;
}

uint64_t chain_grounds_hash(const struct chain_trust *trust, const struct crl_store *crls)
{
    uint64_t sum = crl_store_hash(crls);
    for (uint32_t i = 0; trust && i < trust->count; i++) {
        sum += trust->anchors[i].hash; /* in any order */
    }
    return sum;
}
