/* SPDX-License-Identifier: GPL-2.0-or-later */
/* crl_help: the test CA, stores of lists, temporary folders. */
#include "crl_help.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tls/chain.h"
#include "tls/crl.h"
#include "tls/pem.h"
#include "tls/revocation.h"

const struct tls_backend *const crl_backends[CRL_BACKENDS] = {&tls_backend_wolfssl,
                                                              &tls_backend_mbedtls};

struct chain_trust *crl_trust_ca(void)
{
    struct slice pem;
    uint32_t skipped;
    cr_assert_eq(pem_file_read(TLS_CERTS "/ca.leaf.crt", &pem), 0);
    struct chain_trust *trust = chain_trust_new(pem, &skipped);
    cr_assert_not_null(trust);
    pem_file_free(&pem);
    return trust;
}

void crl_folder_drop(const char *folder)
{
    char command[256];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    cr_assert_eq(system(command), 0);
}

struct crl_store *crl_store_of(const struct tls_backend *backend, const char *path)
{
    struct crl_store_params params = {path, signature_ops_find(backend->name), backend->crypto};
    struct crl_store *store;
    struct tls_error why;
    int err = crl_store_new(&store, &params, &why);
    cr_assert_eq(err, 0, "%s", why.text);
    return store;
}
