/* SPDX-License-Identifier: GPL-2.0-or-later */
/* peer: which credential we show, and what the peer has shown. */
#include "base/ascii.h"
#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "tls/cert.h"
#include "tls/tls_int.h"

bool tls_lower_cstr(struct slice from, char *out, size_t out_bytes)
{
    if (!slice_to_cstr(from, out, out_bytes)) {
        return false;
    }
    for (char *c = out; *c; c++) {
        *c = ascii_lower(*c);
    }
    return true;
}

static bool names_hold(const struct tls_names *names, struct slice domain)
{
    for (uint32_t i = 0; i < names->count; i++) {
        enum tls_name_kind kind;
        struct slice name = tls_names_get(names, i, &kind);
        if (kind == TLS_NAME_DNS && slice_eq_nocase(name, domain)) {
            return true;
        }
    }
    return false;
}

/* The credential meant for domain, else the first that names it, else the first that covers it,
 * else fallback. */
static uint32_t cred_for(const struct tls_context *ctx, struct slice domain, uint32_t fallback)
{
    for (uint32_t i = 0; i < ctx->cred_count && domain.len != 0; i++) {
        if (slice_eq_cstr(domain, ctx->creds[i].domain)) {
            return i;
        }
    }
    for (uint32_t i = 0; i < ctx->cred_count; i++) {
        if (names_hold(&ctx->creds[i].names, domain)) {
            return i;
        }
    }
    for (uint32_t i = 0; i < ctx->cred_count; i++) {
        if (tls_names_match_xmpp(&ctx->creds[i].names, domain)) {
            return i;
        }
    }
    return fallback;
}

uint32_t tls_cred_for(const struct tls_session *s, struct slice name)
{
    const struct tls_shake *k = s->shake;
    return k->cred_is_fixed ? k->cred_idx : cred_for(s->ctx, name, k->cred_idx);
}

uint32_t tls_cred_for_sni(struct tls_session *s, struct slice server_name)
{
    if (!tls_lower_cstr(server_name, s->shake->sni, sizeof(s->shake->sni))) {
        return s->shake->cred_idx; /* no host name is that long: as if it had sent none */
    }
    s->shake->cred_idx = tls_cred_for(s, slice_from_cstr(s->shake->sni));
    return s->shake->cred_idx;
}

int tls_choose_credential(struct tls_session *s, const struct tls_session_params *params)
{
    const struct tls_context *ctx = s->ctx;
    uint32_t first = ctx->cred_count ? 0 : UINT32_MAX;
    if (params->credential_idx != UINT32_MAX) {
        if (params->credential_idx >= ctx->cred_count) {
            return ERR_NOT_FOUND;
        }
        s->shake->cred_idx = params->credential_idx;
        s->shake->cred_is_fixed = true;
    } else {
        /* A server without SNI falls back on what covers our domain on this connection. */
        s->shake->cred_idx = cred_for(ctx, params->credential_domain, first);
    }
    return s->role == TLS_ROLE_SERVER && s->shake->cred_idx == UINT32_MAX ? ERR_TLS_CONFIG : 0;
}

/* Of all that was shown, needed or not. */
static void note_expiry(struct tls_shake *k, const struct slice *chain, uint32_t count)
{
    struct cert cert;
    k->chain_expires_unix_s = INT64_MAX;
    for (uint32_t i = 0; i < count; i++) {
        int64_t end = cert_parse(&cert, chain[i]) == 0 ? cert.not_after_unix_s : 0;
        k->chain_expires_unix_s = end < k->chain_expires_unix_s ? end : k->chain_expires_unix_s;
    }
}

void tls_peer_judge(struct tls_session *s, const struct slice *chain, uint32_t count)
{
    struct chain_proof proof;
    int64_t until_unix_s = INT64_MAX; /* also by lists, and by what was not shown */
    struct chain_params params = {
        .trust = s->ctx->trust,
        .signed_by = s->backend->signed_by,
        .now_unix_s = s->shake->now_unix_s,
        .peer_is_server = s->role == TLS_ROLE_CLIENT,
        .crl_required = s->ctx->crl_required,
        .crls = s->ctx->crls,
        .known = s->ctx->issuers,
        .cache = s->ctx->cache,
        .proof = &proof,
        .until_unix_s = &until_unix_s,
    };
    s->shake->peer_seen = true;
    if (s->shake->chain_seen) {
        s->shake->chain_seen(s->shake->chain_seen_ctx, chain, count);
    }
    note_expiry(s->shake, chain, count);
    s->peer.chain = chain_judge(&params, chain, count);
    tls_proof_keep(s, s->peer.chain == TLS_CHAIN_OK ? &proof : NULL);
    if (until_unix_s < s->shake->chain_expires_unix_s) {
        s->shake->chain_expires_unix_s = until_unix_s;
    }
    struct cert leaf;
    tls_names_deinit(&s->peer.names); /* of a chain that was shown earlier */
    if (count == 0 || cert_parse(&leaf, chain[0]) != 0) {
        return;
    }
    if (tls_names_parse(&s->peer.names, chain[0]) != 0) {
        s->peer.chain = TLS_CHAIN_BAD;
    }
    s->peer.not_after_unix_s = leaf.not_after_unix_s;
    cert_name_text(leaf.subject, s->shake->subject, sizeof(s->shake->subject));
    cert_name_text(leaf.issuer, s->shake->issuer, sizeof(s->shake->issuer));
}

static const char *keep(char **at, const char *text)
{
    size_t bytes = strlen(text) + 1;
    const char *kept = *at;
    memcpy(*at, text, bytes);
    *at += bytes;
    return kept;
}

/* What a resumed session knows of its peer is what the first one has found. */
static void adopt(struct tls_session *s, struct tls_shake *k)
{
    struct resume_identity *identity = k->resumed;
    const char *issuer = identity->texts + strlen(identity->texts) + 1;
    tls_names_deinit(&s->peer.names);
    s->peer.names = identity->names;
    identity->names = (struct tls_names){0};
    tls_proof_keep(s, NULL);
    s->proof = identity->proof;
    identity->proof = NULL;
    s->peer.chain = (enum tls_chain)identity->chain;
    s->peer.not_after_unix_s = identity->not_after_unix_s;
    s->peer.is_resumed = true;
    slice_to_cstr_cut(slice_from_cstr(identity->texts), k->subject, sizeof(k->subject));
    slice_to_cstr_cut(slice_from_cstr(issuer), k->issuer, sizeof(k->issuer));
}

int tls_peer_finish(struct tls_session *s)
{
    struct tls_shake *k = s->shake;
    if (k->is_resumed) {
        adopt(s, k);
    }
    const char *sni = s->role == TLS_ROLE_SERVER ? k->sni : "";
    char *at = pool_alloc(strlen(k->subject) + strlen(k->issuer) + strlen(sni) +
                          strlen(k->agreed) + 4);
    if (!at) {
        return ERR_NOMEM;
    }
    s->texts = at;
    s->peer.subject = keep(&at, k->subject);
    s->peer.issuer = keep(&at, k->issuer);
    s->peer.sni = keep(&at, sni);
    s->peer.alpn = keep(&at, k->agreed);
    return 0;
}
