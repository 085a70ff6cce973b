/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Path validation: every class, both roles, both backends, OpenSSL as oracle. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/pool.h"
#include "der_file.h"
#include "tls/chain_cache.h"
#include "tls/pem.h"
#include "tls/tls_int.h"

static const struct tls_backend *const both[] = {&tls_backend_wolfssl, &tls_backend_mbedtls};

static struct chain_trust *trust_of(const char *name)
{
    char path[256];
    struct slice pem;
    uint32_t skipped;
    (void)snprintf(path, sizeof(path), TLS_CERTS "/%s.leaf.crt", name);
    cr_assert_eq(pem_file_read(path, &pem), 0);
    struct chain_trust *trust = chain_trust_new(pem, &skipped);
    cr_assert_not_null(trust);
    cr_assert_eq(skipped, 0);
    pem_file_free(&pem);
    return trust;
}

static enum tls_chain judge(const struct tls_backend *backend, const struct chain_trust *trust,
                            const struct der_file *f, bool peer_is_server)
{
    struct chain_params params = {
        .trust = trust,
        .signed_by = backend->signed_by,
        .now_unix_s = (int64_t)time(NULL),
        .peer_is_server = peer_is_server,
    };
    return chain_judge(&params, f->certs, f->count);
}

struct row {
    const char *name;
    enum tls_chain server;
    enum tls_chain client;
    const char *openssl_differs; /* why OpenSSL answers otherwise; NULL = it must agree */
};

static const struct row rows[] = {
    {"good", TLS_CHAIN_OK, TLS_CHAIN_OK, NULL},
    {"rsa", TLS_CHAIN_OK, TLS_CHAIN_OK, NULL},
    {"ec384", TLS_CHAIN_OK, TLS_CHAIN_OK, NULL},
    {"expired", TLS_CHAIN_EXPIRED, TLS_CHAIN_EXPIRED, NULL},
    {"future", TLS_CHAIN_NOT_YET_VALID, TLS_CHAIN_NOT_YET_VALID, NULL},
    {"self", TLS_CHAIN_SELF_SIGNED, TLS_CHAIN_SELF_SIGNED, NULL},
    {"selfexpired", TLS_CHAIN_SELF_SIGNED, TLS_CHAIN_SELF_SIGNED, NULL},
    {"unknown", TLS_CHAIN_UNKNOWN_CA, TLS_CHAIN_UNKNOWN_CA, NULL},
    {"viainter", TLS_CHAIN_OK, TLS_CHAIN_OK, NULL},
    {"serveronly", TLS_CHAIN_OK, TLS_CHAIN_OK, NULL},
    {"clientonly", TLS_CHAIN_BAD, TLS_CHAIN_OK, NULL},
    {"noeku", TLS_CHAIN_OK, TLS_CHAIN_OK, NULL},
    {"anyeku", TLS_CHAIN_OK, TLS_CHAIN_OK, "does not know anyExtendedKeyUsage"},
    {"emaileku", TLS_CHAIN_BAD, TLS_CHAIN_BAD, NULL},
    {"noku", TLS_CHAIN_OK, TLS_CHAIN_OK, NULL},
    {"badku", TLS_CHAIN_BAD, TLS_CHAIN_BAD, "accepts keyAgreement for static ECDH"},
    {"cnonly", TLS_CHAIN_OK, TLS_CHAIN_OK, NULL},
    {"names", TLS_CHAIN_OK, TLS_CHAIN_OK, NULL},
    {"many", TLS_CHAIN_OK, TLS_CHAIN_OK, NULL},
    {"critical", TLS_CHAIN_BAD, TLS_CHAIN_BAD, NULL},
    {"sha1", TLS_CHAIN_BAD, TLS_CHAIN_BAD, NULL},
    {"weak", TLS_CHAIN_BAD, TLS_CHAIN_BAD, NULL},
    {"underold", TLS_CHAIN_EXPIRED, TLS_CHAIN_EXPIRED, NULL},
    {"inside", TLS_CHAIN_OK, TLS_CHAIN_OK, NULL},
    {"outside", TLS_CHAIN_BAD, TLS_CHAIN_BAD, NULL},
    {"outsidexmpp", TLS_CHAIN_BAD, TLS_CHAIN_BAD, "binds otherName by its own kind only"},
    {"outsidesrv", TLS_CHAIN_BAD, TLS_CHAIN_BAD, "binds otherName by its own kind only"},
    {"excluded", TLS_CHAIN_BAD, TLS_CHAIN_BAD, NULL},
    {"reaching", TLS_CHAIN_BAD, TLS_CHAIN_BAD, "takes the wildcard as a label"},
    {"undertoodeep", TLS_CHAIN_BAD, TLS_CHAIN_BAD, NULL},
    {"undernotca", TLS_CHAIN_BAD, TLS_CHAIN_BAD, NULL},
    {"undermail", TLS_CHAIN_BAD, TLS_CHAIN_BAD, NULL},
};

Test(tls_chain, every_class_in_both_roles)
{
    struct chain_trust *trust = trust_of("ca");
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct der_file f;
        der_file_load(&f, rows[i].name, "crt");
        for (size_t b = 0; b < ARRAY_COUNT(both); b++) {
            enum tls_chain server = judge(both[b], trust, &f, true);
            enum tls_chain client = judge(both[b], trust, &f, false);
            cr_expect_eq(server, rows[i].server, "%s as server, %s: %s", rows[i].name,
                         both[b]->name, tls_chain_name(server));
            cr_expect_eq(client, rows[i].client, "%s as client, %s: %s", rows[i].name,
                         both[b]->name, tls_chain_name(client));
        }
        der_file_free(&f);
    }
    chain_trust_free(trust);
}

Test(tls_chain, agrees_with_openssl)
{
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        char command[1024];
        const char *name = rows[i].name;
        (void)snprintf(command, sizeof(command),
                       "openssl verify -auth_level 2 -purpose sslserver -CAfile '%s/trust.crt' "
                       "-untrusted '%s/%s.crt' '%s/%s.leaf.crt' >/dev/null 2>&1",
                       TLS_CERTS, TLS_CERTS, name, TLS_CERTS, name);
        bool openssl_ok = system(command) == 0;
        bool ours_ok = rows[i].server == TLS_CHAIN_OK;
        bool should_agree = rows[i].openssl_differs == NULL;
        cr_expect_eq(openssl_ok == ours_ok, should_agree, "%s: openssl %s", name,
                     openssl_ok ? "accepts" : "refuses");
    }
}

Test(tls_chain, order_and_extras_do_not_matter)
{
    struct chain_trust *trust = trust_of("ca");
    struct der_file leaf;
    struct der_file inter;
    struct der_file other;
    der_file_load(&leaf, "viainter", "leaf.crt");
    der_file_load(&inter, "inter", "leaf.crt");
    der_file_load(&other, "other", "leaf.crt");
    struct slice garbage = SLICE_LIT("\x30\x03\x01\x02");
    struct slice shown[] = {leaf.certs[0], garbage, other.certs[0], inter.certs[0]};
    struct chain_params params = {.trust = trust,
                                  .signed_by = tls_backend_wolfssl.signed_by,
                                  .now_unix_s = (int64_t)time(NULL),
                                  .peer_is_server = true};
    cr_expect_eq(chain_judge(&params, shown, 4), TLS_CHAIN_OK);
    cr_expect_eq(chain_judge(&params, shown, 3), TLS_CHAIN_UNKNOWN_CA, "intermediate missing");
    shown[0] = garbage;
    cr_expect_eq(chain_judge(&params, shown, 4), TLS_CHAIN_BAD, "unreadable leaf");
    cr_expect_eq(chain_judge(&params, NULL, 0), TLS_CHAIN_NONE);
    der_file_free(&leaf);
    der_file_free(&inter);
    der_file_free(&other);
    chain_trust_free(trust);
}

Test(tls_chain, what_is_in_the_trust_file_is_trusted)
{
    for (size_t b = 0; b < ARRAY_COUNT(both); b++) {
        struct der_file f;
        struct chain_trust *self = trust_of("self");
        der_file_load(&f, "self", "crt");
        cr_expect_eq(judge(both[b], self, &f, true), TLS_CHAIN_OK, "pinned self-signed leaf");
        der_file_free(&f);
        der_file_load(&f, "selfexpired", "crt");
        cr_expect_eq(judge(both[b], self, &f, true), TLS_CHAIN_SELF_SIGNED, "not that one");
        struct chain_trust *expired = trust_of("selfexpired");
        cr_expect_eq(judge(both[b], expired, &f, true), TLS_CHAIN_EXPIRED);
        der_file_free(&f);
        der_file_load(&f, "viainter", "leaf.crt");
        struct chain_trust *inter = trust_of("inter");
        cr_expect_eq(judge(both[b], inter, &f, true), TLS_CHAIN_OK, "pinned intermediate");
        cr_expect_eq(judge(both[b], NULL, &f, true), TLS_CHAIN_UNKNOWN_CA, "trust nobody");
        der_file_free(&f);
        chain_trust_free(self);
        chain_trust_free(expired);
        chain_trust_free(inter);
    }
}

Test(tls_chain, time_is_the_callers)
{
    struct chain_trust *trust = trust_of("ca");
    struct der_file f;
    der_file_load(&f, "good", "crt");
    struct chain_params params = {.trust = trust,
                                  .signed_by = tls_backend_mbedtls.signed_by,
                                  .now_unix_s = 1,
                                  .peer_is_server = true};
    cr_expect_eq(chain_judge(&params, f.certs, f.count), TLS_CHAIN_NOT_YET_VALID);
    params.now_unix_s = (int64_t)time(NULL) + (int64_t)30 * 365 * 86400;
    cr_expect_eq(chain_judge(&params, f.certs, f.count), TLS_CHAIN_EXPIRED);
    der_file_free(&f);
    chain_trust_free(trust);
}

/* No flipped bit may lead to OK, except where it changes nothing that is signed or compared. */
Test(tls_chain, flipped_bits_are_never_ok, .timeout = 60)
{
    struct chain_trust *trust = trust_of("ca");
    struct der_file f;
    der_file_load(&f, "good", "crt");
    for (size_t i = 0; i < f.certs[0].len; i++) {
        char flip = (char)(1u << (i % 8));
        f.bytes[0][i] = (char)(f.bytes[0][i] ^ flip);
        enum tls_chain verdict = judge(both[i & 1u], trust, &f, true);
        cr_expect_neq(verdict, TLS_CHAIN_OK, "byte %zu", i);
        f.bytes[0][i] = (char)(f.bytes[0][i] ^ flip);
    }
    cr_expect_eq(judge(both[0], trust, &f, true), TLS_CHAIN_OK);
    der_file_free(&f);
    chain_trust_free(trust);
}

static uint32_t signatures_asked;

static bool never_signed(struct slice child, struct slice issuer)
{
    (void)child;
    (void)issuer;
    signatures_asked++;
    return false;
}

Test(tls_chain, signature_checks_are_bounded)
{
    struct chain_trust *trust = trust_of("ca");
    struct der_file leaf;
    struct der_file inter;
    der_file_load(&leaf, "viainter", "leaf.crt");
    der_file_load(&inter, "inter", "leaf.crt");
    struct slice shown[CHAIN_CERTS_MAX + 1] = {leaf.certs[0]};
    for (uint32_t i = 1; i < ARRAY_COUNT(shown); i++) {
        shown[i] = inter.certs[0];
    }
    struct chain_params params = {.trust = trust,
                                  .signed_by = never_signed,
                                  .now_unix_s = (int64_t)time(NULL),
                                  .peer_is_server = true};
    cr_expect_eq(chain_judge(&params, shown, CHAIN_CERTS_MAX), TLS_CHAIN_BAD);
    cr_expect_leq(signatures_asked, 8, "paid for a peer that has proved nothing yet");
    cr_expect_gt(signatures_asked, 0);
    cr_expect_eq(chain_judge(&params, shown, CHAIN_CERTS_MAX + 1), TLS_CHAIN_BAD);
    der_file_free(&leaf);
    der_file_free(&inter);
    chain_trust_free(trust);
}

Test(tls_chain, debian_bundle_loads)
{
    struct slice pem;
    if (pem_file_read("/etc/ssl/certs/ca-certificates.crt", &pem) != 0) {
        cr_skip_test("no Debian bundle on this machine (package ca-certificates)");
    }
    uint32_t skipped;
    struct chain_trust *trust = chain_trust_new(pem, &skipped);
    cr_expect_gt(chain_trust_count(trust), 100);
    cr_expect_eq(skipped, 0);
    struct der_file f;
    der_file_load(&f, "good", "crt");
    cr_expect_eq(judge(both[0], trust, &f, true), TLS_CHAIN_UNKNOWN_CA);
    der_file_free(&f);
    chain_trust_free(trust);
    pem_file_free(&pem);
}

static uint32_t signatures_made;

static bool counting_signed(struct slice child, struct slice issuer)
{
    signatures_made++;
    return tls_backend_wolfssl.signed_by(child, issuer);
}

/* A chain that was found good costs no signature again, within the time that it is good for, in the
 * role that it was judged for, and only as it was. */
Test(tls_chain, good_chains_are_remembered)
{
    struct chain_trust *trust = trust_of("ca");
    struct chain_cache *cache = chain_cache_new(tls_backend_wolfssl.crypto);
    struct der_file f;
    der_file_load(&f, "viainter", "crt");
    struct chain_params params = {.trust = trust,
                                  .signed_by = counting_signed,
                                  .now_unix_s = (int64_t)time(NULL),
                                  .peer_is_server = true,
                                  .cache = cache};
    int64_t now = params.now_unix_s;
    cr_expect_eq(chain_judge(&params, f.certs, f.count), TLS_CHAIN_OK);
    cr_expect_gt(signatures_made, 0);
    uint32_t first = signatures_made;
    cr_expect_eq(chain_judge(&params, f.certs, f.count), TLS_CHAIN_OK);
    cr_expect_eq(signatures_made, first);
    params.peer_is_server = false;
    cr_expect_eq(chain_judge(&params, f.certs, f.count), TLS_CHAIN_OK);
    cr_expect_eq(signatures_made, 2 * first, "another role is another question");
    params.now_unix_s = now - 1;
    cr_expect_eq(chain_judge(&params, f.certs, f.count), TLS_CHAIN_OK);
    cr_expect_eq(signatures_made, 3 * first, "a clock that was set back");
    params.now_unix_s = now + (int64_t)30 * 365 * 86400;
    cr_expect_eq(chain_judge(&params, f.certs, f.count), TLS_CHAIN_EXPIRED);
    params.now_unix_s = now;
    cr_expect_eq(chain_judge(&params, f.certs, 1), TLS_CHAIN_UNKNOWN_CA, "not the same chain");
    f.bytes[0][f.certs[0].len - 1] ^= 1;
    cr_expect_eq(chain_judge(&params, f.certs, f.count), TLS_CHAIN_BAD);
    der_file_free(&f);
    chain_cache_free(cache);
    chain_trust_free(trust);
}

Test(tls_chain, bad_chains_are_not_remembered)
{
    struct chain_trust *trust = trust_of("ca");
    struct chain_cache *cache = chain_cache_new(tls_backend_wolfssl.crypto);
    struct chain_params params = {.trust = trust,
                                  .signed_by = tls_backend_wolfssl.signed_by,
                                  .now_unix_s = (int64_t)time(NULL),
                                  .peer_is_server = true,
                                  .cache = cache};
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct der_file f;
        der_file_load(&f, rows[i].name, "crt");
        for (int times = 0; times < 3; times++) {
            params.peer_is_server = times != 1;
            enum tls_chain wanted = times != 1 ? rows[i].server : rows[i].client;
            cr_expect_eq(chain_judge(&params, f.certs, f.count), wanted, "%s", rows[i].name);
        }
        der_file_free(&f);
    }
    chain_cache_free(cache);
    chain_trust_free(trust);
}
