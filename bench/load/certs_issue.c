/* SPDX-License-Identifier: GPL-2.0-or-later */
/* certs_issue: a P-256 key and a certificate for each domain, issued by the CA of the test. With
 * OpenSSL: our own rooms judge certificates, they do not make them.                              */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "load/certs.h"

#define SERIAL_BITS 127
#define VALID_S (86400L * 30)
#define BACKDATED_S (-3600L)
#define TEXT_BYTES 512u
#define X509_V3 2

struct issuer {
    X509 *certificate;
    EVP_PKEY *key;
};

static bool add_extension(const struct issuer *ca, X509 *to, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *extension;
    bool done;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, ca->certificate, to, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    done = extension && X509_add_ext(to, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return done;
}

static bool set_serial(X509 *to)
{
    BIGNUM *serial = BN_new();
    bool done = serial && BN_rand(serial, SERIAL_BITS, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
                BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(to));

    BN_free(serial);
    return done;
}

static bool set_names(X509 *to, const struct issuer *ca, const char *domain)
{
    X509_NAME *subject = X509_NAME_new();
    bool done = subject &&
                X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                           (const unsigned char *)domain, -1, -1, 0) == 1 &&
                X509_set_subject_name(to, subject) == 1 &&
                X509_set_issuer_name(to, X509_get_subject_name(ca->certificate)) == 1;

    X509_NAME_free(subject);
    return done;
}

static bool fill(X509 *made, const struct issuer *ca, EVP_PKEY *key, const char *domain)
{
    char names[TEXT_BYTES];

    (void)snprintf(names, sizeof(names), "DNS:%s", domain);
    return X509_set_version(made, X509_V3) == 1 && set_names(made, ca, domain) &&
           X509_gmtime_adj(X509_getm_notBefore(made), BACKDATED_S) &&
           X509_gmtime_adj(X509_getm_notAfter(made), VALID_S) &&
           X509_set_pubkey(made, key) == 1 && set_serial(made) &&
           add_extension(ca, made, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(ca, made, NID_key_usage, "critical,digitalSignature") &&
           add_extension(ca, made, NID_ext_key_usage, "serverAuth,clientAuth") &&
           add_extension(ca, made, NID_subject_key_identifier, "hash") &&
           add_extension(ca, made, NID_authority_key_identifier, "keyid") &&
           add_extension(ca, made, NID_subject_alt_name, names) &&
           X509_sign(made, ca->key, EVP_sha256()) > 0;
}

static bool write_files(const char *folder, uint32_t number, X509 *made, EVP_PKEY *key)
{
    char path[TEXT_BYTES];
    FILE *crt;
    FILE *pem;
    bool done;

    (void)snprintf(path, sizeof(path), "%s/%05u.crt", folder, (unsigned)number);
    crt = fopen(path, "we");
    (void)snprintf(path, sizeof(path), "%s/%05u.key", folder, (unsigned)number);
    pem = fopen(path, "we");
    done = crt && pem && PEM_write_X509(crt, made) == 1 &&
           PEM_write_PKCS8PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL) == 1;
    if (crt) {
        done = fclose(crt) == 0 && done;
    }
    if (pem) {
        done = fclose(pem) == 0 && done;
    }
    return done;
}

static bool issue(const struct plan *plan, const struct issuer *ca, const char *folder,
                  uint32_t number)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *made = X509_new();
    char domain[PLAN_NAME_BYTES];
    bool done;

    plan_partner(plan, number, domain);
    done = key && made && fill(made, ca, key, domain) && write_files(folder, number, made, key);
    X509_free(made);
    EVP_PKEY_free(key);
    return done;
}

static bool read_issuer(const struct plan *plan, struct issuer *ca)
{
    FILE *crt = fopen(plan->ca, "re");
    FILE *pem = fopen(plan->ca_key, "re");

    ca->certificate = crt ? PEM_read_X509(crt, NULL, NULL, NULL) : NULL;
    ca->key = pem ? PEM_read_PrivateKey(pem, NULL, NULL, NULL) : NULL;
    if (crt) {
        (void)fclose(crt);
    }
    if (pem) {
        (void)fclose(pem);
    }
    return ca->certificate && ca->key;
}

bool certs_issue(const struct plan *plan, const char *folder, char *why, size_t why_bytes)
{
    struct issuer ca;
    bool done = read_issuer(plan, &ca);

    for (uint32_t i = 0; done && i < plan->domains; i++) {
        done = issue(plan, &ca, folder, i);
    }
    if (!done) {
        (void)snprintf(why, why_bytes, "certificates by %s cannot be made: %s", plan->ca,
                       ERR_error_string(ERR_get_error(), NULL));
    }
    X509_free(ca.certificate);
    EVP_PKEY_free(ca.key);
    return done;
}
