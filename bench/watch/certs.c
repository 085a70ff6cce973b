/* SPDX-License-Identifier: GPL-2.0-or-later */
/* certs: what the partners show: each its own domain, its own P-256 key, issued by the CA of the
 * lab. Made before anything is measured, so that no server can live on a certificate or a key that
 * it has seen before.                                                                            */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "load.h"

#define SERIAL_BITS 127
#define VALID_S     (86400L * 30)
#define BACKDATED_S (-3600L)
#define TEXT_SIZE   512
#define X509_V3     2

static X509 *certificates[STREAMS_MAX];
static EVP_PKEY *keys[STREAMS_MAX];

__attribute__((noreturn)) static void failed(const char *what)
{
    die("%s: %s", what, ERR_error_string(ERR_get_error(), NULL));
}

static void add_extension(X509 *issuer, X509 *to, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, to, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    if (!extension || X509_add_ext(to, extension, -1) != 1) {
        failed(value);
    }
    X509_EXTENSION_free(extension);
}

static void set_serial(X509 *to)
{
    BIGNUM *serial = BN_new();
    if (!serial || BN_rand(serial, SERIAL_BITS, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) != 1 ||
        !BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(to))) {
        failed("serial number");
    }
    BN_free(serial);
}

static X509 *issue(X509 *ca, EVP_PKEY *ca_key, EVP_PKEY *key, const char *domain)
{
    char names[TEXT_SIZE];
    X509 *made = X509_new();
    X509_NAME *subject = X509_NAME_new();
    if (!made || !subject || X509_set_version(made, X509_V3) != 1 ||
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)domain, -1,
                                   -1, 0) != 1 ||
        X509_set_subject_name(made, subject) != 1 ||
        X509_set_issuer_name(made, X509_get_subject_name(ca)) != 1 ||
        !X509_gmtime_adj(X509_getm_notBefore(made), BACKDATED_S) ||
        !X509_gmtime_adj(X509_getm_notAfter(made), VALID_S) || X509_set_pubkey(made, key) != 1) {
        failed("certificate");
    }
    X509_NAME_free(subject);
    set_serial(made);
    (void)snprintf(names, sizeof names, "DNS:%s", domain);
    add_extension(ca, made, NID_basic_constraints, "critical,CA:FALSE");
    add_extension(ca, made, NID_key_usage, "critical,digitalSignature");
    add_extension(ca, made, NID_ext_key_usage, "serverAuth,clientAuth");
    add_extension(ca, made, NID_subject_key_identifier, "hash");
    add_extension(ca, made, NID_authority_key_identifier, "keyid");
    add_extension(ca, made, NID_subject_alt_name, names);
    if (X509_sign(made, ca_key, EVP_sha256()) == 0) {
        failed("signature");
    }
    return made;
}

static FILE *open_file(const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        die("cannot read %s", path);
    }
    return file;
}

void certs_init(const struct load *l)
{
    FILE *ca_file = open_file(l->ca);
    FILE *key_file = open_file(l->ca_key);
    X509 *ca = PEM_read_X509(ca_file, NULL, NULL, NULL);
    EVP_PKEY *ca_key = PEM_read_PrivateKey(key_file, NULL, NULL, NULL);
    if (!ca || !ca_key) {
        failed(l->ca);
    }
    for (unsigned i = 0; i < l->streams; i++) {
        char domain[TEXT_SIZE / 2];
        (void)snprintf(domain, sizeof domain, "p%04u.%s", i, l->suffix);
        keys[i] = EVP_EC_gen("P-256");
        if (!keys[i]) {
            failed("key");
        }
        certificates[i] = issue(ca, ca_key, keys[i], domain);
    }
    X509_free(ca);
    EVP_PKEY_free(ca_key);
    (void)fclose(ca_file);
    (void)fclose(key_file);
}

void certs_show(SSL *ssl, unsigned stream)
{
    if (SSL_use_certificate(ssl, certificates[stream]) != 1 ||
        SSL_use_PrivateKey(ssl, keys[stream]) != 1) {
        failed("certificate of a stream");
    }
}
