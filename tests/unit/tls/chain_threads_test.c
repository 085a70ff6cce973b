/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Chains judged by several threads with one cache and one store of lists: what one has found out
 * another may use, and nothing else. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <time.h>

#include "base/pool.h"
#include "der_file.h"
#include "tls/chain_cache.h"
#include "tls/issuers.h"
#include "tls/pem.h"
#include "tls/tls_int.h"

#define THREADS 4u
#define ROUNDS  60u

struct work {
    struct chain_params params;
    struct tls_context *ctx;
    const struct der_file *files;
    uint32_t wrong_count;
};

static const struct {
    const char *name;
    enum tls_chain verdict;
} cases[] = {{"good", TLS_CHAIN_OK},        {"second", TLS_CHAIN_REVOKED},
             {"rsa", TLS_CHAIN_REVOKED},    {"viainter", TLS_CHAIN_OK},
             {"unknown", TLS_CHAIN_UNKNOWN_CA}, {"ec384", TLS_CHAIN_OK}};

static void *judge_all(void *arg)
{
    struct work *w = arg;
    struct tls_session *session;
    struct tls_session_params client = {.credential_idx = UINT32_MAX};
    /* As on a shard: what a library keeps per thread goes with the thread. */
    cr_assert_eq(tls_session_new(&session, w->ctx, &client), 0);
    tls_session_free(session);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
            struct chain_proof proof;
            w->params.proof = &proof;
            enum tls_chain verdict =
                chain_judge(&w->params, w->files[i].certs, w->files[i].count);
            w->wrong_count += verdict != cases[i].verdict;
            w->wrong_count += verdict == TLS_CHAIN_OK && proof.count != w->files[i].count;
            w->wrong_count += verdict == TLS_CHAIN_OK &&
                              chain_rejudge(&w->params, &proof) != TLS_CHAIN_OK;
        }
    }
    pool_trim();
    return NULL;
}

static void judge_with(const struct tls_backend *backend, const struct chain_params *params,
                       const struct der_file *files)
{
    struct work work[THREADS];
    pthread_t threads[THREADS];
    struct tls_context_params context = {.trust_path = TLS_CERTS "/trust.crt"};
    struct tls_context *ctx;
    struct tls_error why;
    cr_assert_eq(tls_context_new(&ctx, backend, &context, &why), 0);
    for (uint32_t t = 0; t < THREADS; t++) {
        work[t] = (struct work){.params = *params, .ctx = ctx, .files = files};
        cr_assert_eq(pthread_create(&threads[t], NULL, judge_all, &work[t]), 0);
    }
    for (uint32_t t = 0; t < THREADS; t++) {
        (void)pthread_join(threads[t], NULL);
        cr_expect_eq(work[t].wrong_count, 0, "%s: %u", backend->name, work[t].wrong_count);
    }
    tls_context_unref(ctx);
}

Test(tls_chain_threads, one_cache_and_one_store, .timeout = 120)
{
    static const struct tls_backend *const both[] = {&tls_backend_wolfssl, &tls_backend_mbedtls};
    struct der_file files[ARRAY_COUNT(cases)];
    struct slice pem;
    uint32_t skipped;
    cr_assert_eq(pem_file_read(TLS_CERTS "/ca.leaf.crt", &pem), 0);
    struct chain_trust *trust = chain_trust_new(pem, &skipped);
    cr_assert_not_null(trust);
    pem_file_free(&pem);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        der_file_load(&files[i], cases[i].name, "crt");
    }
    for (size_t b = 0; b < ARRAY_COUNT(both); b++) {
        struct crl_store_params lists = {TLS_CERTS "/crl-ca.crl", signature_ops_find(both[b]->name),
                                         both[b]->crypto};
        struct tls_error why;
        struct chain_params params = {.trust = trust,
                                      .signed_by = both[b]->signed_by,
                                      .now_unix_s = (int64_t)time(NULL),
                                      .known = issuers_new(),
                                      .cache = chain_cache_new(both[b]->crypto)};
        cr_assert_eq(crl_store_new(&params.crls, &lists, &why), 0);
        judge_with(both[b], &params, files);
        crl_store_free(params.crls);
        issuers_unref(params.known);
        chain_cache_free(params.cache);
    }
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        der_file_free(&files[i]);
    }
    chain_trust_free(trust);
}
