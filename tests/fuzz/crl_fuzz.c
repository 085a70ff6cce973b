/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Revocation lists, from DER to a verdict: whoever is in a list that counts is revoked. */
#include "base/check.h"
#include "der_seed.h"
#include "tls/crl_int.h"
#include "tls/tls.h"

static bool believe(const struct signature *sig, struct slice certificate_der)
{
    return sig->bytes.len > 0 && certificate_der.len == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct signature_ops ops = {signature_wolfssl.digest, believe};
    struct crl list;
    struct crl_store store = {.signature = &ops,
                              .crypto = tls_backend_crypto(tls_backend_find("wolfssl")),
                              .lists = &list,
                              .count = 1,
                              .lock = PTHREAD_MUTEX_INITIALIZER};
    struct crl_view v;
    const char *fault;
    struct buf der;
    buf_init(&der, 1u << 20);
    struct slice in = der_seed_decode(&der, data, size);
    if (crl_parse(&v, in, &fault) == 0 && crl_fill(&list, &v, &ops)) {
        struct cert cert = {.issuer = v.issuer, .crl_points = v.scope, .key_usage = 0xff};
        bool must_find = v.points.len == 0 && !v.only_cas &&
                         v.this_update_unix_s <= v.next_update_unix_s;
        int64_t until = CRL_NEVER;
        for (; crl_next_entry(&v.entries, &cert.serial); v.entry_count--) {
            enum crl_verdict verdict =
                crl_check(&store, &cert, &cert, v.this_update_unix_s, &until);
            ASSERT(verdict == CRL_REVOKED || !must_find);
        }
        ASSERT(v.entry_count == 0);
        crl_drop(&list);
    }
    buf_deinit(&der);
    return 0;
}
