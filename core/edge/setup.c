/* SPDX-License-Identifier: GPL-2.0-or-later */
/* setup: configuration file + certificates -> what is published. */
#include "edge/setup.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/pool.h"
#include "io/ktls.h"

/* The library's context with every certificate of the configuration. */
static int load_tls(struct setup *s, const struct setup_params *params, struct tls_error *why)
{
    const struct ktls_caps *kernel = params->kernel;
    const struct snapshot *p = s->policy;
    const struct tls_backend *backend = tls_backend_find(p->tls_backend);
    struct tls_credential *credentials;
    struct tls_context_params wanted;
    int err;

    if (!backend) {
        why->err = ERR_TLS_CONFIG;
        (void)snprintf(why->text, sizeof(why->text), "tls.backend: no backend \"%s\" in this build",
                       p->tls_backend);
        return ERR_TLS_CONFIG;
    }
    if (p->ktls == TLS_KTLS_REQUIRE && !kernel->is_there) {
        why->err = ERR_UNSUPPORTED;
        (void)snprintf(why->text, sizeof(why->text), "tls.ktls \"require\": %s; write \"auto\"",
                       kernel->text);
        return ERR_UNSUPPORTED;
    }
    s->crypto = tls_backend_crypto(backend);
    if (p->credential_count == 0) {
        return 0;
    }
    credentials = pool_heap_zalloc(p->credential_count * sizeof(*credentials));
    for (uint32_t i = 0; i < p->credential_count; i++) {
        credentials[i].certificate_path = p->credentials[i].certificate_path;
        credentials[i].key_path = p->credentials[i].key_path;
        credentials[i].domain = p->credentials[i].domain;
    }
    wanted = (struct tls_context_params){
        .credentials = credentials,
        .credential_count = p->credential_count,
        .trust_path = p->trust_path,
        .crl_path = p->crl_path,
        .crl_required = p->crl_required,
        .issuers = params->issuers,
        .has_tickets = p->resumption != TLS_RESUMPTION_OFF,
        .is_aes_first = p->ktls != TLS_KTLS_OFF && kernel->ciphers[1][KTLS_AES_128_GCM],
    };
    err = tls_context_new(&s->tls, backend, &wanted, why);
    pool_heap_free(credentials);
    return err;
}

/* The node's dialback secret: the configured one, or that of this process. */
static int take_secret(struct setup *s, const struct setup_params *params, struct tls_error *why)
{
    struct slice configured = s->policy->gateway.dialback_secret;

    if (configured.len == 0) {
        slice_to_cstr_cut(slice_from_cstr(params->secret), s->secret, sizeof(s->secret));
        return 0;
    }
    if (!slice_to_cstr(configured, s->secret, sizeof(s->secret))) {
        (void)snprintf(why->text, sizeof(why->text),
                       "gateway.dialback_secret: at most %zu bytes", sizeof(s->secret) - 1);
        return ERR_CONFIG;
    }
    return 0;
}

int setup_load(struct setup **out, const struct setup_params *params,
               struct config_report *report)
{
    struct setup *s = pool_heap_zalloc(sizeof(*s));
    struct tls_error why = {0};
    int err;

    *out = NULL;
    err = config_load_file(&s->policy, params->config_path, report);
    if (err == 0) {
        err = load_tls(s, params, &why);
    }
    if (err == 0) {
        err = take_secret(s, params, &why);
    }
    if (err != 0) {
        if (why.text[0]) {
            config_report_add(report, params->config_path, false, why.text);
        }
        setup_free(s);
        return err;
    }
    *out = s;
    return 0;
}

void setup_free(struct setup *s)
{
    if (s) {
        tls_context_unref(s->tls);
        snapshot_free(s->policy);
        explicit_bzero(s->secret, sizeof(s->secret));
        pool_heap_free(s);
    }
}

void setup_free_void(void *s)
{
    setup_free(s);
}
