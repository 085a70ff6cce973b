/* SPDX-License-Identifier: GPL-2.0-or-later */
/* load: contexts: credentials and trust from files, checked, with errors an admin can act upon. */
#include <errno.h>
#include <inttypes.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "tls/cert.h"
#include "tls/chain_cache.h"
#include "tls/crl.h"
#include "tls/issuers.h"
#include "tls/pem.h"
#include "tls/revocation.h"
#include "tls/tls_int.h"

static int read_file(struct slice *out, const char *what, const char *path, struct tls_error *why)
{
    int err = path ? pem_file_read(path, out) : -ENOENT;
    if (err == 0) {
        return 0;
    }
    const char *remedy = err == -ENOENT   ? "check the path"
                         : err == -EACCES ? "let the user of this service read it"
                                          : "give a PEM file";
    return tls_why(why, ERR_TLS_CONFIG, "%s %s: %s; %s", what, path ? path : "(none)",
                   err_text(err), remedy);
}

/* Names and expiry of the leaf, read by our own eyes. */
static int inspect_leaf(struct tls_cred *cred, struct slice chain_pem, const char *path,
                        struct tls_error *why)
{
    struct buf der;
    buf_init(&der, CERT_BYTES_MAX);
    struct cert leaf;
    bool found = pem_next_certificate(&chain_pem, &der);
    int err = 0;
    if (!found) {
        err = tls_why(why, ERR_TLS_CONFIG,
                      "certificate %s: holds no BEGIN CERTIFICATE block; give the certificate in "
                      "PEM form, followed by its chain",
                      path);
    } else if (cert_parse(&leaf, buf_slice(&der)) != 0 ||
               tls_names_parse(&cred->names, buf_slice(&der)) != 0) {
        err = tls_why(why, ERR_TLS_CONFIG, "certificate %s: the first block is damaged", path);
    } else {
        cred->not_after_unix_s = leaf.not_after_unix_s;
    }
    buf_deinit(&der);
    return err;
}

static int load_credential(struct tls_context *ctx, const struct tls_credential *from,
                           struct tls_error *why)
{
    struct tls_cred *cred = &ctx->creds[ctx->cred_count];
    struct slice chain;
    struct slice key = SLICE_NONE;
    int err = read_file(&chain, "certificate", from->certificate_path, why);
    if (err != 0) {
        return err;
    }
    slice_to_cstr_cut(from->domain, cred->domain, sizeof(cred->domain));
    err = read_file(&key, "key", from->key_path, why);
    if (err == 0) {
        err = inspect_leaf(cred, chain, from->certificate_path, why);
    }
    if (err == 0) {
        struct tls_error inner = {0};
        err = ctx->backend->cred_new(ctx, cred, chain, key, &inner);
        if (err != 0) {
            (void)tls_why(why, err, "certificate %.80s, key %.80s: %.80s", from->certificate_path,
                          from->key_path, inner.text);
        } else {
            ctx->cred_count++;
        }
    }
    if (err != 0) {
        tls_names_deinit(&cred->names);
    }
    pem_file_free(&key);
    pem_file_free(&chain);
    return err;
}

static int load_trust(struct tls_context *ctx, const char *path, struct tls_error *why)
{
    struct slice pem;
    int err = read_file(&pem, "trust", path, why);
    if (err != 0) {
        return err;
    }
    uint32_t skipped;
    ctx->trust = chain_trust_new(pem, &skipped);
    pem_file_free(&pem);
    if (!ctx->trust) {
        return tls_why(why, ERR_TLS_CONFIG,
                       "trust %s: no usable certificate in it (%" PRIu32 " damaged); on Debian, "
                       "/etc/ssl/certs/ca-certificates.crt of the package ca-certificates will do",
                       path, skipped);
    }
    return 0;
}

static int load_crls(struct tls_context *ctx, const char *path, struct tls_error *why)
{
    struct crl_store_params params = {
        .path = path,
        .signature = signature_ops_find(ctx->backend->name),
        .crypto = ctx->backend->crypto,
    };
    int err = crl_store_new(&ctx->crls, &params, why);
    if (err == 0) {
        chain_settle_lists(&(struct chain_params){
            .trust = ctx->trust, .crls = ctx->crls, .known = ctx->issuers});
    }
    return err;
}

int tls_context_new(struct tls_context **out, const struct tls_backend *backend,
                    const struct tls_context_params *params, struct tls_error *why)
{
    *out = NULL;
    *why = (struct tls_error){0};
    if (params->credential_count > TLS_CREDENTIALS_MAX) {
        return tls_why(why, ERR_TLS_CONFIG, "more than %u certificates", TLS_CREDENTIALS_MAX);
    }
    struct tls_context *ctx = pool_heap_zalloc(sizeof(*ctx));
    ctx->magic = TLS_CONTEXT_MAGIC;
    ctx->backend = backend;
    ctx->resume = params->has_tickets ? resume_new(backend) : NULL;
    ctx->is_aes_first = params->is_aes_first || backend->is_aes_faster();
    atomic_init(&ctx->refs, 1);
    if (params->credential_count > 0) {
        ctx->creds = pool_heap_zalloc(params->credential_count * sizeof(*ctx->creds));
    }
    ctx->issuers = params->issuers ? issuers_ref(params->issuers) : issuers_new();
    ctx->cache = chain_cache_new(backend->crypto);
    ctx->crl_required = params->crl_required;
    int err = params->trust_path ? load_trust(ctx, params->trust_path, why) : 0;
    if (err == 0 && params->crl_path) {
        err = load_crls(ctx, params->crl_path, why);
    }
    for (uint32_t i = 0; i < params->credential_count && err == 0; i++) {
        err = load_credential(ctx, &params->credentials[i], why);
    }
    if (err != 0) {
        tls_context_unref(ctx);
        return err;
    }
    ctx->grounds_hash = chain_grounds_hash(ctx->trust, ctx->crls);
    *out = ctx;
    return 0;
}

struct tls_context *tls_context_ref(struct tls_context *ctx)
{
    ASSERT(ctx->magic == TLS_CONTEXT_MAGIC);
    uint32_t before = atomic_fetch_add_explicit(&ctx->refs, 1, memory_order_relaxed);
    ASSERT(before > 0 && before < UINT32_MAX);
    return ctx;
}

void tls_context_unref(struct tls_context *ctx)
{
    if (!ctx) {
        return;
    }
    ASSERT(ctx->magic == TLS_CONTEXT_MAGIC);
    if (atomic_fetch_sub_explicit(&ctx->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (uint32_t i = 0; i < ctx->cred_count; i++) {
        ctx->backend->cred_free(&ctx->creds[i]);
        tls_names_deinit(&ctx->creds[i].names);
    }
    chain_cache_free(ctx->cache);
    crl_store_free(ctx->crls);
    issuers_unref(ctx->issuers);
    chain_trust_free(ctx->trust);
    resume_free(ctx->resume);
    pool_heap_free(ctx->creds);
    ctx->magic = 0;
    pool_heap_free(ctx);
}

const struct tls_names *tls_context_names(const struct tls_context *ctx, uint32_t credential_idx)
{
    return credential_idx < ctx->cred_count ? &ctx->creds[credential_idx].names : NULL;
}

int64_t tls_context_not_after_unix_s(const struct tls_context *ctx, uint32_t credential_idx)
{
    return credential_idx < ctx->cred_count ? ctx->creds[credential_idx].not_after_unix_s : 0;
}

bool tls_context_is_aes_first(const struct tls_context *ctx)
{
    return ctx->is_aes_first;
}

uint32_t tls_context_trust_count(const struct tls_context *ctx)
{
    return chain_trust_count(ctx->trust);
}

uint32_t tls_context_crl_count(const struct tls_context *ctx)
{
    return crl_store_count(ctx->crls);
}

uint64_t tls_context_crl_entry_count(const struct tls_context *ctx)
{
    struct tls_crl_info info;
    uint64_t count = 0;
    for (uint32_t i = 0; crl_store_info(ctx->crls, i, &info); i++) {
        count += info.is_newest ? info.entry_count : 0;
    }
    return count;
}

bool tls_context_crl_info(const struct tls_context *ctx, uint32_t idx, struct tls_crl_info *out)
{
    return crl_store_info(ctx->crls, idx, out);
}

int64_t tls_context_crl_next_update_unix_s(const struct tls_context *ctx)
{
    struct tls_crl_info info;
    int64_t earliest = CRL_NEVER;
    for (uint32_t i = 0; crl_store_info(ctx->crls, i, &info); i++) {
        if (info.is_newest && info.next_update_unix_s < earliest) {
            earliest = info.next_update_unix_s;
        }
    }
    return earliest == CRL_NEVER ? 0 : earliest;
}
