/* SPDX-License-Identifier: GPL-2.0-or-later */
/* crl_help: what the tests of revocation lists share. One thread per test. */
#ifndef FG_TESTS_TLS_CRL_HELP_H
#define FG_TESTS_TLS_CRL_HELP_H

#include "tls/tls_int.h"

struct chain_trust;
struct crl_store;

#define CRL_BACKENDS 2u

/* wolfSSL and mbedTLS. */
extern const struct tls_backend *const crl_backends[CRL_BACKENDS];

/* The test CA alone; freed by chain_trust_free or given on. */
struct chain_trust *crl_trust_ca(void);
/* The lists of a file or folder; asserts that they load. */
struct crl_store *crl_store_of(const struct tls_backend *backend, const char *path);
/* Removes a folder of mkdtemp() with all that is in it. */
void crl_folder_drop(const char *folder);

#endif
