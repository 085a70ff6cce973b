/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Revocation lists and what is up already: which of them put live connections out, whose signature
 * that takes, and who remembers the issuers. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "base/pool.h"
#include "crl_help.h"
#include "der_file.h"
#include "tls/issuers.h"
#include "tls/pem.h"
#include "tls/revocation.h"
#include "tls/tls_int.h"

#define LISTS_MAX 3

/* A copy of the list; of "!name" one whose signature is wrong. */
static void put_list(const char *folder, size_t number, const char *name)
{
    char path[256];
    struct slice der;
    bool is_forged = name[0] == '!';
    (void)snprintf(path, sizeof(path), "%s/%s.der", TLS_CERTS, name + is_forged);
    cr_assert_eq(pem_file_read(path, &der), 0, "%s", path);
    (void)snprintf(path, sizeof(path), "%s/%zu", folder, number);
    FILE *out = fopen(path, "w");
    cr_assert_not_null(out);
    cr_assert_eq(fwrite(der.ptr, 1, der.len - 1, out), der.len - 1);
    (void)fputc((unsigned char)der.ptr[der.len - 1] ^ (is_forged ? 1 : 0), out);
    (void)fclose(out);
    pem_file_free(&der);
}

static void folder_make(char *folder, const char *const *names)
{
    cr_assert_not_null(mkdtemp(folder));
    for (size_t i = 0; i < LISTS_MAX && names[i]; i++) {
        put_list(folder, i, names[i]);
    }
}

struct row {
    const char *name;
    const char *lists[LISTS_MAX];
    enum tls_chain verdict;
};

static const struct row rows[] = {
    {"second", {NULL}, TLS_CHAIN_OK},
    {"second", {"crl-ca"}, TLS_CHAIN_REVOKED},
    {"second", {"crl-ca-held", "crl-ca-released"}, TLS_CHAIN_OK},
    {"second", {"crl-ca-empty"}, TLS_CHAIN_OK},
    {"second", {"crl-ca-old"}, TLS_CHAIN_OK}, /* what is not known puts nobody out */
    {"viainter", {"crl-inter"}, TLS_CHAIN_REVOKED},
    {"viainter", {"crl-ca-inter"}, TLS_CHAIN_REVOKED},
    {"viainter", {"crl-ca", "crl-inter-empty"}, TLS_CHAIN_OK},
    {"underrsa", {"crl-rsaca"}, TLS_CHAIN_REVOKED},
    /* Lists that nobody has signed neither put anybody out nor hide those that do. */
    {"second", {"!crl-ca"}, TLS_CHAIN_OK},
    {"second", {"crl-ca-empty", "!crl-ca"}, TLS_CHAIN_OK},
    {"second", {"crl-ca", "!crl-ca-empty"}, TLS_CHAIN_REVOKED},
    {"second", {"!crl-ca-released", "crl-ca-held", "!crl-ca-empty"}, TLS_CHAIN_REVOKED},
    {"viainter", {"!crl-inter"}, TLS_CHAIN_OK},
    {"viainter", {"!crl-inter", "!crl-ca-inter"}, TLS_CHAIN_OK},
    {"underrsa", {"!crl-rsaca"}, TLS_CHAIN_OK},
};

/* What is kept of a good chain finds its certificates in later lists, whatever became of these. */
static void judge_again(const struct tls_backend *backend, const struct row *row,
                        bool settle_first)
{
    char folder[] = "/tmp/fedgate-test-XXXXXX";
    struct der_file f;
    struct chain_proof proof;
    struct chain_trust *trust = crl_trust_ca();
    struct chain_params params = {.trust = trust,
                                  .signed_by = backend->signed_by,
                                  .now_unix_s = (int64_t)time(NULL),
                                  .known = issuers_new(),
                                  .proof = &proof};
    der_file_load(&f, row->name, "crt");
    cr_assert_eq(chain_judge(&params, f.certs, f.count), TLS_CHAIN_OK, "%s", row->name);
    der_file_free(&f);
    folder_make(folder, row->lists);
    params.crls = crl_store_of(backend, folder);
    if (settle_first) {
        chain_settle_lists(&params);
    }
    for (int times = 0; times < 2; times++) {
        enum tls_chain verdict = chain_rejudge(&params, &proof);
        cr_expect_eq(verdict, row->verdict, "%s, %s, %s: %s", row->name,
                     row->lists[0] ? row->lists[0] : "no list", backend->name,
                     tls_chain_name(verdict));
    }
    chain_trust_free(trust);
    params.trust = NULL;
    cr_expect_neq(chain_rejudge(&params, &proof), TLS_CHAIN_OK, "the anchor is gone");
    cr_expect_neq(chain_rejudge(&params, NULL), TLS_CHAIN_OK, "it cannot be told");
    crl_store_free(params.crls);
    issuers_unref(params.known);
    crl_folder_drop(folder);
}

Test(tls_crl_live, good_chains_are_judged_again, .timeout = 60)
{
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        for (size_t b = 0; b < ARRAY_COUNT(crl_backends); b++) {
            judge_again(crl_backends[b], &rows[i], false);
            judge_again(crl_backends[b], &rows[i], true);
        }
    }
}

/* Figures and warnings are of the list that counts. */
Test(tls_crl_live, a_forged_list_is_not_the_newest)
{
    static const struct {
        const char *lists[LISTS_MAX];
        uint64_t revoked;
    } cases[] = {
        {{"crl-ca", "!crl-ca-empty"}, 2},
        {{"!crl-ca-empty", "crl-ca", "crl-ca-held"}, 1},
        {{"crl-ca", "crl-ca-empty"}, 0},
        {{"!crl-ca"}, 2}, /* the only one: its end is what an admin has to know of */
        {{"crl-inter", "!crl-ca-empty", "crl-ca"}, 3}, /* whose issuer is not known yet */
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        char folder[] = "/tmp/fedgate-test-XXXXXX";
        struct tls_context_params params = {.trust_path = TLS_CERTS "/ca.leaf.crt",
                                            .crl_path = folder};
        struct tls_context *ctx;
        struct tls_error why;
        folder_make(folder, cases[i].lists);
        cr_assert_eq(tls_context_new(&ctx, crl_backends[i % 2], &params, &why), 0, "%s", why.text);
        cr_expect_eq(tls_context_crl_entry_count(ctx), cases[i].revoked, "%zu: %lu", i,
                     tls_context_crl_entry_count(ctx));
        tls_context_unref(ctx);
        crl_folder_drop(folder);
    }
}

/* Copies of the certificate that differ in their signature only. */
static void fill(struct issuers *table, struct slice der)
{
    char *copy = pool_heap_strdup(der.ptr, der.len);
    struct cert cert;
    for (uint32_t i = 0; i < ISSUERS_MAX; i++) {
        copy[der.len - 1] = (char)i;
        copy[der.len - 2] = (char)(i >> 8);
        cr_assert_eq(cert_parse(&cert, slice_make(copy, der.len)), 0);
        cr_assert(issuers_add(table, &cert));
        cr_assert(issuers_add(table, &cert), "again");
    }
    pool_heap_free(copy);
}

/* Beyond the bound nothing is kept: who cannot be found in later lists has to connect again. */
Test(tls_crl_live, issuers_are_bounded)
{
    struct der_file f;
    struct chain_proof proof;
    struct chain_trust *trust = crl_trust_ca();
    struct chain_params params = {.trust = trust,
                                  .signed_by = tls_backend_wolfssl.signed_by,
                                  .now_unix_s = (int64_t)time(NULL),
                                  .known = issuers_new(),
                                  .proof = &proof};
    uint32_t found = 0;
    uint32_t idx = 0;
    der_file_load(&f, "rsaca", "leaf.crt");
    fill(params.known, f.certs[0]);
    struct cert cert;
    cr_assert_eq(cert_parse(&cert, f.certs[0]), 0);
    uint64_t name = hash_bytes(cert.subject);
    for (const struct cert *one; (one = issuers_next(params.known, name, &idx)); found++) {
        cr_expect(slice_eq(one->subject, cert.subject));
    }
    cr_expect_eq(found, ISSUERS_MAX, "%u", found);
    idx = 0;
    cr_expect_null(issuers_next(params.known, name + 1, &idx));
    der_file_free(&f);
    der_file_load(&f, "viainter", "crt");
    cr_expect_eq(chain_judge(&params, f.certs, f.count), TLS_CHAIN_OK);
    cr_expect_eq(chain_rejudge(&params, &proof), TLS_CHAIN_UNKNOWN_CA);
    der_file_free(&f);
    der_file_load(&f, "good", "crt");
    cr_expect_eq(chain_judge(&params, f.certs, f.count), TLS_CHAIN_OK);
    cr_expect_eq(chain_rejudge(&params, &proof), TLS_CHAIN_OK, "issued by an anchor");
    der_file_free(&f);
    issuers_unref(params.known);
    chain_trust_free(trust);
}
