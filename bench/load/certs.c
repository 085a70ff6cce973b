/* SPDX-License-Identifier: GPL-2.0-or-later */
/* certs: what the tool shows in TLS. */
#include "load/certs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "tls/tls.h"

#define PATH_BYTES 512u

/* Of the process: one run is one process. */
static struct {
    const struct plan *plan; /* borrowed */
    const struct tls_backend *backend;
    struct tls_context *shared;
    char folder[PATH_BYTES]; /* "" = every domain shows the shared one */
} certs;

static int load(struct tls_context **out, const char *certificate, const char *key,
                struct tls_error *why)
{
    struct tls_credential credential = {.certificate_path = certificate, .key_path = key};
    struct tls_context_params params = {
        .credentials = &credential,
        .credential_count = 1,
        .is_aes_first = true, /* the same cipher with every backend */
    };

    return tls_context_new(out, certs.backend, &params, why);
}

static int make_own(const struct plan *plan, char *why, size_t why_bytes)
{
    const char *parent = getenv("TMPDIR");

    (void)snprintf(certs.folder, sizeof(certs.folder), "%s/fedgate-load-XXXXXX",
                   parent ? parent : "/tmp");
    if (!mkdtemp(certs.folder)) {
        (void)snprintf(why, why_bytes, "no folder for certificates in %s",
                       parent ? parent : "/tmp");
        certs.folder[0] = '\0';
        return ERR_CONFIG;
    }
    return certs_issue(plan, certs.folder, why, why_bytes) ? 0 : ERR_CONFIG;
}

int certs_init(const struct plan *plan, char *why, size_t why_bytes)
{
    struct tls_error error = {0};

    certs.plan = plan;
    certs.backend = tls_backend_find(plan->tls_name);
    if (!certs.backend) {
        (void)snprintf(why, why_bytes, "--tls: no backend \"%s\" in this build", plan->tls_name);
        return ERR_TLS_CONFIG;
    }
    if (!plan->certificate) {
        return 0; /* nothing of this run speaks TLS: the parties have looked */
    }
    if (load(&certs.shared, plan->certificate, plan->key, &error) != 0) {
        (void)snprintf(why, why_bytes, "%s", error.text);
        return error.err;
    }
    return plan->ca ? make_own(plan, why, why_bytes) : 0;
}

static void path_of(uint32_t domain, const char *suffix, char out[PATH_BYTES])
{
    (void)snprintf(out, PATH_BYTES, "%.400s/%05u.%s", certs.folder, (unsigned)domain, suffix);
}

void certs_free(void)
{
    char path[PATH_BYTES];

    for (uint32_t i = 0; certs.folder[0] && i < certs.plan->domains; i++) {
        path_of(i, "crt", path);
        (void)unlink(path);
        path_of(i, "key", path);
        (void)unlink(path);
    }
    if (certs.folder[0]) {
        (void)rmdir(certs.folder);
    }
    tls_context_unref(certs.shared);
    memset(&certs, 0, sizeof(certs));
}

struct tls_context *certs_client(uint32_t domain)
{
    struct tls_context *made = NULL;
    struct tls_error why;
    char certificate[PATH_BYTES];
    char key[PATH_BYTES];

    if (!certs.folder[0]) {
        return certs.shared ? tls_context_ref(certs.shared) : NULL;
    }
    path_of(domain, "crt", certificate);
    path_of(domain, "key", key);
    return load(&made, certificate, key, &why) == 0 ? made : NULL;
}

struct tls_context *certs_server(void)
{
    return certs.shared ? tls_context_ref(certs.shared) : NULL;
}

const struct crypto *certs_crypto(void)
{
    return tls_backend_crypto(certs.backend);
}
