/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls_facts: library, kernel, lists. */
#include "edge/tls_facts.h"

#include <time.h>

#include "base/log.h"
#include "tls/revocation.h"

#define CERTIFICATE_WARN_S ((int64_t)14 * 86400)
#define CRL_WARN_S ((int64_t)86400)
#define CRL_WARNINGS_MAX 8u

static const char *ktls_mode_name(enum tls_ktls mode)
{
    switch (mode) {
    case TLS_KTLS_AUTO:
        return "auto";
    case TLS_KTLS_REQUIRE:
        return "require";
    case TLS_KTLS_OFF:
        break;
    }
    return "off";
}

struct report_tls tls_facts(const struct setup *setup, const struct ktls_caps *kernel)
{
    const struct tls_backend *backend = tls_backend_find(setup->policy->tls_backend);
    struct report_tls facts = {
        .build = tls_backend_build(backend),
        .has_fast_aes = tls_backend_has_fast_aes(backend),
        .has_secrets = tls_backend_has_secrets(backend),
        .ktls_mode = ktls_mode_name(setup->policy->ktls),
        .kernel = kernel,
    };

    if (setup->tls) {
        facts.is_aes_first = tls_context_is_aes_first(setup->tls);
        facts.crl_count = tls_context_crl_count(setup->tls);
        facts.crl_entry_count = tls_context_crl_entry_count(setup->tls);
        facts.crl_next_update_unix_s = tls_context_crl_next_update_unix_s(setup->tls);
    }
    return facts;
}

void tls_facts_log(const struct report_tls *tls, const char *backend, const char *version)
{
    LOG_I(tls_library, "backend=%s version=%s build=%s aes=%s first_cipher=%s key_updates=%d",
          backend, log_quote(slice_from_cstr(version)).text, tls->build,
          tls->has_fast_aes ? "fast" : "slow", tls->is_aes_first ? "aes-gcm" : "chacha20-poly1305",
          tls->has_secrets);
    LOG_I(tls_kernel, "mode=%s available=%d found=%s", tls->ktls_mode, tls->kernel->is_there,
          log_quote(slice_from_cstr(tls->kernel->text)).text);
}

/* An expired certificate is no reason not to start, but partners will refuse it. */
static void warn_of_certificates(const struct setup *setup)
{
    int64_t now_unix_s = time(NULL);

    for (uint32_t i = 0; i < setup->policy->credential_count; i++) {
        int64_t left_s = tls_context_not_after_unix_s(setup->tls, i) - now_unix_s;

        if (left_s < CERTIFICATE_WARN_S) {
            const char *path = setup->policy->credentials[i].certificate_path;

            LOG_W(certificate_expires, "file=%s hours_left=%ld",
                  log_quote(slice_from_cstr(path)).text, left_s / 3600);
        }
    }
}

/* Lists that are out of date refuse their issuers' certificates. */
int64_t tls_facts_warn_of_lists(const struct tls_context *ctx, int64_t now_unix_s)
{
    int64_t first = ctx ? tls_context_crl_next_update_unix_s(ctx) : 0;
    uint32_t warned = 0;
    struct tls_crl_info info;

    if (first == 0) {
        return INT64_MAX;
    }
    if (first - now_unix_s >= CRL_WARN_S) {
        return first - CRL_WARN_S + 1;
    }
    for (uint32_t i = 0; tls_context_crl_info(ctx, i, &info) && warned < CRL_WARNINGS_MAX; i++) {
        if (info.is_newest && info.next_update_unix_s - now_unix_s < CRL_WARN_S) {
            LOG_W(crl_expires, "file=%s issuer=%s hours_left=%ld",
                  log_quote(slice_from_cstr(info.path)).text,
                  log_quote(slice_from_cstr(info.issuer)).text,
                  (info.next_update_unix_s - now_unix_s) / 3600);
            warned++;
        }
    }
    return now_unix_s + CRL_WARN_S;
}

void tls_facts_warn(const struct setup *setup)
{
    warn_of_certificates(setup);
    if (setup->tls && setup->policy->crl_path) {
        LOG_I(crl_loaded, "file=%s lists=%u revoked=%lu",
              log_quote(slice_from_cstr(setup->policy->crl_path)).text,
              tls_context_crl_count(setup->tls), tls_context_crl_entry_count(setup->tls));
    }
}
