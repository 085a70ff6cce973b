/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Revocation lists: what they lead to, both backends, OpenSSL as oracle; what is refused. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/pool.h"
#include "crl_help.h"
#include "der_file.h"
#include "tls/chain_cache.h"
#include "tls/crl.h"
#include "tls/der.h"
#include "tls/pem.h"
#include "tls/revocation.h"
#include "tls/tls_int.h"

#define CRL_FILES_OF_CASE 3

/* A folder with links to the lists of these names; removed by crl_folder_drop. */
static void folder_make(char *folder, const char *const *names)
{
    cr_assert_not_null(mkdtemp(folder));
    for (size_t i = 0; i < CRL_FILES_OF_CASE && names[i]; i++) {
        char from[256];
        char to[256];
        (void)snprintf(from, sizeof(from), "%s/%s.%s", TLS_CERTS, names[i], i % 2 ? "der" : "crl");
        (void)snprintf(to, sizeof(to), "%s/%zu", folder, i);
        cr_assert_eq(symlink(from, to), 0);
    }
}

struct row {
    const char *name;
    const char *lists[CRL_FILES_OF_CASE];
    enum tls_chain loose;  /* an issuer without list is not looked at */
    enum tls_chain strict; /* crl_required */
    const char *openssl_differs;
};

static const struct row rows[] = {
    {"good", {NULL}, TLS_CHAIN_OK, TLS_CHAIN_CRL_STALE, NULL},
    {"good", {"crl-ca"}, TLS_CHAIN_OK, TLS_CHAIN_OK, NULL},
    {"second", {"crl-ca"}, TLS_CHAIN_REVOKED, TLS_CHAIN_REVOKED, NULL},
    {"rsa", {"crl-ca"}, TLS_CHAIN_REVOKED, TLS_CHAIN_REVOKED, NULL},
    {"second", {"crl-ca-held"}, TLS_CHAIN_REVOKED, TLS_CHAIN_REVOKED, NULL},
    {"second", {"crl-ca-released"}, TLS_CHAIN_OK, TLS_CHAIN_OK, NULL},
    /* The newest counts, in any order of the files. */
    {"second", {"crl-ca-released", "crl-ca-held", "crl-ca"}, TLS_CHAIN_OK, TLS_CHAIN_OK, NULL},
    {"second", {"crl-ca-held", "crl-ca-released"}, TLS_CHAIN_OK, TLS_CHAIN_OK, NULL},
    {"good", {"crl-ca-old"}, TLS_CHAIN_CRL_STALE, TLS_CHAIN_CRL_STALE, NULL},
    {"good", {"crl-ca-future"}, TLS_CHAIN_CRL_STALE, TLS_CHAIN_CRL_STALE, NULL},
    {"good", {"crl-ca-old", "crl-ca"}, TLS_CHAIN_OK, TLS_CHAIN_OK, NULL},
    {"second", {"crl-ca-v1"}, TLS_CHAIN_REVOKED, TLS_CHAIN_REVOKED, NULL},
    {"good", {"crl-ca-v1"}, TLS_CHAIN_OK, TLS_CHAIN_OK, NULL},
    {"second", {"crl-ca-sha384"}, TLS_CHAIN_REVOKED, TLS_CHAIN_REVOKED, NULL},
    {"good", {"crl-ca-sha384"}, TLS_CHAIN_OK, TLS_CHAIN_OK, NULL},
    {"second", {"crl-ca-big"}, TLS_CHAIN_REVOKED, TLS_CHAIN_REVOKED, NULL},
    {"good", {"crl-ca-big"}, TLS_CHAIN_OK, TLS_CHAIN_OK, NULL},
    /* Each issuer's own list. */
    {"viainter", {"crl-ca"}, TLS_CHAIN_OK, TLS_CHAIN_CRL_STALE, NULL},
    {"viainter", {"crl-inter"}, TLS_CHAIN_REVOKED, TLS_CHAIN_REVOKED, NULL},
    {"viainter", {"crl-inter-empty"}, TLS_CHAIN_OK, TLS_CHAIN_CRL_STALE, NULL},
    {"viainter", {"crl-inter-empty", "crl-ca"}, TLS_CHAIN_OK, TLS_CHAIN_OK, NULL},
    {"viainter", {"crl-inter-empty", "crl-ca-inter"}, TLS_CHAIN_REVOKED, TLS_CHAIN_REVOKED, NULL},
    {"viainter", {"crl-ca-inter"}, TLS_CHAIN_REVOKED, TLS_CHAIN_REVOKED,
     "stops at the leaf, whose issuer has no list"},
    {"underrsa", {"crl-rsaca", "crl-ca"}, TLS_CHAIN_REVOKED, TLS_CHAIN_REVOKED, NULL},
    {"underrsa", {"crl-rsaca-sha512", "crl-ca"}, TLS_CHAIN_REVOKED, TLS_CHAIN_REVOKED, NULL},
    {"underrsa", {"crl-rsaca-empty", "crl-ca"}, TLS_CHAIN_OK, TLS_CHAIN_OK, NULL},
    {"undernosign", {"crl-nosign", "crl-ca"}, TLS_CHAIN_CRL_STALE, TLS_CHAIN_CRL_STALE, NULL},
    /* Lists about a part of the certificates. */
    {"crlpoint", {"crl-point-a"}, TLS_CHAIN_REVOKED, TLS_CHAIN_REVOKED, NULL},
    {"crlpoint", {"crl-point-b"}, TLS_CHAIN_OK, TLS_CHAIN_CRL_STALE, NULL},
    {"second", {"crl-point-a"}, TLS_CHAIN_OK, TLS_CHAIN_CRL_STALE, NULL},
    {"crlpoint", {"crl-point-b", "crl-point-a"}, TLS_CHAIN_REVOKED, TLS_CHAIN_REVOKED, NULL},
    {"second", {"crl-users"}, TLS_CHAIN_REVOKED, TLS_CHAIN_REVOKED, NULL},
    {"second", {"crl-cas"}, TLS_CHAIN_OK, TLS_CHAIN_CRL_STALE, NULL},
    {"viainter", {"crl-inter-empty", "crl-users"}, TLS_CHAIN_OK, TLS_CHAIN_CRL_STALE, NULL},
    {"viainter", {"crl-inter-empty", "crl-cas"}, TLS_CHAIN_REVOKED, TLS_CHAIN_REVOKED, NULL},
    /* What was wrong already stays so. */
    {"expired", {"crl-ca"}, TLS_CHAIN_EXPIRED, TLS_CHAIN_EXPIRED, NULL},
    {"unknown", {"crl-ca"}, TLS_CHAIN_UNKNOWN_CA, TLS_CHAIN_UNKNOWN_CA, NULL},
};

static enum tls_chain judge(const struct tls_backend *backend, const struct row *row,
                            const char *folder, bool is_strict)
{
    struct der_file f;
    struct chain_trust *trust = crl_trust_ca();
    struct crl_store *store = crl_store_of(backend, folder);
    struct chain_params params = {
        .trust = trust,
        .signed_by = backend->signed_by,
        .now_unix_s = (int64_t)time(NULL),
        .peer_is_server = true,
        .crls = store,
        .crl_required = is_strict,
    };
    der_file_load(&f, row->name, "crt");
    enum tls_chain first = chain_judge(&params, f.certs, f.count);
    /* The second time signatures of lists are remembered. */
    cr_expect_eq(chain_judge(&params, f.certs, f.count), first, "%s", row->name);
    der_file_free(&f);
    crl_store_free(store);
    chain_trust_free(trust);
    return first;
}

Test(tls_crl, verdicts, .timeout = 60)
{
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        char folder[] = "/tmp/fedgate-test-XXXXXX";
        folder_make(folder, rows[i].lists);
        for (size_t b = 0; b < ARRAY_COUNT(crl_backends); b++) {
            enum tls_chain loose = judge(crl_backends[b], &rows[i], folder, false);
            enum tls_chain strict = judge(crl_backends[b], &rows[i], folder, true);
            cr_expect_eq(loose, rows[i].loose, "row %zu, %s, %s: %s", i, rows[i].name,
                         crl_backends[b]->name, tls_chain_name(loose));
            cr_expect_eq(strict, rows[i].strict, "row %zu, %s required, %s: %s", i, rows[i].name,
                         crl_backends[b]->name, tls_chain_name(strict));
        }
        crl_folder_drop(folder);
    }
}

/* OpenSSL always demands lists for the whole path: that is our strict column. */
Test(tls_crl, agrees_with_openssl)
{
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        char command[2048];
        char said[256] = "";
        int len = snprintf(command, sizeof(command),
                           "openssl verify -auth_level 2 -purpose sslserver -crl_check_all "
                           "-extended_crl -CAfile '%s/trust.crt' -untrusted '%s/%s.crt' ",
                           TLS_CERTS, TLS_CERTS, rows[i].name);
        for (size_t c = 0; c < CRL_FILES_OF_CASE && rows[i].lists[c]; c++) {
            len += snprintf(command + len, sizeof(command) - (size_t)len, "-CRLfile '%s/%s.crl' ",
                            TLS_CERTS, rows[i].lists[c]);
        }
        (void)snprintf(command + len, sizeof(command) - (size_t)len, "'%s/%s.leaf.crt' 2>&1",
                       TLS_CERTS, rows[i].name);
        FILE *pipe = popen(command, "r");
        cr_assert_not_null(pipe);
        while (fgets(said, sizeof(said), pipe) && !strstr(said, "error ")) {
        }
        bool openssl_ok = pclose(pipe) == 0;
        bool is_revoked = strstr(said, "error 23 ") != NULL;
        bool agrees = openssl_ok == (rows[i].strict == TLS_CHAIN_OK) &&
                      is_revoked == (rows[i].strict == TLS_CHAIN_REVOKED);
        cr_expect_eq(agrees, rows[i].openssl_differs == NULL, "row %zu, %s: openssl %s: %s", i,
                     rows[i].name, openssl_ok ? "accepts" : "refuses", said);
    }
}

/* A good verdict says until when it holds, remembered or not: its list ends before the certificates
 * do. */
Test(tls_crl, a_verdict_holds_as_long_as_its_list)
{
    struct der_file f;
    struct chain_trust *trust = crl_trust_ca();
    struct crl_store *store = crl_store_of(&tls_backend_wolfssl, TLS_CERTS "/crl-ca.crl");
    struct tls_crl_info info;
    struct chain_params params = {.trust = trust,
                                  .signed_by = tls_backend_wolfssl.signed_by,
                                  .now_unix_s = (int64_t)time(NULL),
                                  .crls = store,
                                  .cache = chain_cache_new(tls_backend_wolfssl.crypto)};
    cr_assert(crl_store_info(store, 0, &info));
    der_file_load(&f, "good", "crt");
    for (int times = 0; times < 2; times++) {
        int64_t until = 0;
        params.until_unix_s = &until;
        cr_expect_eq(chain_judge(&params, f.certs, f.count), TLS_CHAIN_OK);
        cr_expect_eq(until, info.next_update_unix_s, "%lld", (long long)until);
    }
    params.now_unix_s = info.next_update_unix_s + 1;
    cr_expect_eq(chain_judge(&params, f.certs, f.count), TLS_CHAIN_CRL_STALE, "from the cache");
    der_file_free(&f);
    chain_cache_free(params.cache);
    crl_store_free(store);
    chain_trust_free(trust);
}

static int load(const char *path, struct tls_error *why)
{
    struct crl_store_params params = {path, &signature_wolfssl, tls_backend_wolfssl.crypto};
    struct crl_store *store = NULL;
    int err = crl_store_new(&store, &params, why);
    cr_expect_eq(err == 0, store != NULL);
    crl_store_free(store);
    return err;
}

Test(tls_crl, refusals_name_the_file_and_the_fault)
{
    static const struct {
        const char *path;
        const char *says;
    } cases[] = {
        {"crl-some.crl", "limited to some reasons"},
        {"crl-indirect.crl", "indirect"},
        {"crl-attributes.der", "attribute certificates"},
        {"crl-delta.crl", "delta"},
        {"crl-critical.crl", "critical extension"},
        {"crl-sha1.der", "RSA or ECDSA with SHA-2"},
        {"good.crt", "holds no BEGIN X509 CRL block"},
        {"good.key", "holds no BEGIN X509 CRL block"},
        {"none.crl", "No such file"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        char path[256];
        struct tls_error why;
        (void)snprintf(path, sizeof(path), "%s/%s", TLS_CERTS, cases[i].path);
        cr_expect_eq(load(path, &why), ERR_TLS_CONFIG, "%s", cases[i].path);
        cr_expect(strstr(why.text, cases[i].path) && strstr(why.text, cases[i].says), "%s: %s",
                  cases[i].says, why.text);
    }
}

/* A fetched folder: what is hidden is being written, folders are not entered, all else must be a
 * list. */
Test(tls_crl, folders)
{
    char folder[] = "/tmp/fedgate-test-XXXXXX";
    char path[256];
    struct tls_error why;
    folder_make(folder, (const char *const[]){"crl-ca", "crl-inter", "crl-ca"});
    (void)snprintf(path, sizeof(path), "%s/.part", folder);
    FILE *part = fopen(path, "w");
    cr_assert_not_null(part);
    (void)fclose(part);
    (void)snprintf(path, sizeof(path), "%s/deeper", folder);
    cr_assert_eq(mkdir(path, 0700), 0);
    struct crl_store *store = crl_store_of(&tls_backend_wolfssl, folder);
    struct tls_crl_info info;
    cr_expect_eq(crl_store_count(store), 2, "the same list twice is one");
    cr_assert(crl_store_info(store, 0, &info));
    cr_expect(strstr(info.issuer, "CN=Test-") != NULL, "%s", info.issuer);
    cr_expect(strstr(info.path, folder) != NULL, "%s", info.path);
    cr_expect_gt(info.next_update_unix_s, (int64_t)time(NULL) + 29 * 86400);
    cr_expect_not(crl_store_info(store, 2, &info));
    crl_store_free(store);
    (void)snprintf(path, sizeof(path), "%s/README", folder);
    FILE *other = fopen(path, "w");
    cr_assert_not_null(other);
    (void)fclose(other);
    cr_expect_eq(load(folder, &why), ERR_TLS_CONFIG);
    cr_expect(strstr(why.text, "/README") != NULL, "%s", why.text);
    crl_folder_drop(folder);
}

Test(tls_crl, an_empty_folder_is_no_fault)
{
    char folder[] = "/tmp/fedgate-test-XXXXXX";
    struct tls_error why;
    folder_make(folder, (const char *const[]){NULL});
    cr_expect_eq(load(folder, &why), 0, "%s", why.text);
    crl_folder_drop(folder);
}

Test(tls_crl, cut_files_are_refused)
{
    static const char *const forms[] = {"crl", "der"};
    char path[] = "/tmp/fedgate-test-XXXXXX";
    cr_assert_geq(close(mkstemp(path)), 0);
    for (size_t form = 0; form < ARRAY_COUNT(forms); form++) {
        char from[256];
        struct slice bytes;
        (void)snprintf(from, sizeof(from), "%s/crl-ca.%s", TLS_CERTS, forms[form]);
        cr_assert_eq(pem_file_read(from, &bytes), 0);
        for (size_t len = 0; len + 8 < bytes.len; len += 7) {
            struct tls_error why;
            FILE *out = fopen(path, "w");
            cr_assert_not_null(out);
            cr_assert_eq(fwrite(bytes.ptr, 1, len, out), len);
            (void)fclose(out);
            cr_expect_eq(load(path, &why), ERR_TLS_CONFIG, "%zu of %s", len, forms[form]);
        }
        pem_file_free(&bytes);
    }
    (void)unlink(path);
}

/* No flipped bit may make a revoked certificate good while the list counts. */
Test(tls_crl, flipped_bits_never_acquit, .timeout = 60)
{
    char path[] = "/tmp/fedgate-test-XXXXXX";
    struct chain_trust *trust = crl_trust_ca();
    struct der_file f;
    struct slice bytes;
    unsigned refused = 0;
    unsigned stale = 0;
    der_file_load(&f, "second", "crt");
    cr_assert_geq(close(mkstemp(path)), 0);
    cr_assert_eq(pem_file_read(TLS_CERTS "/crl-ca.der", &bytes), 0);
    char *der = pool_heap_strdup(bytes.ptr, bytes.len);
    for (size_t i = 0; i < bytes.len; i++) {
        struct crl_store_params params = {path, signature_ops_find(crl_backends[i & 1u]->name),
                                          crl_backends[i & 1u]->crypto};
        struct crl_store *store;
        struct tls_error why;
        der[i] = (char)(bytes.ptr[i] ^ (char)(1u << (i % 8)));
        FILE *out = fopen(path, "w");
        cr_assert_not_null(out);
        cr_assert_eq(fwrite(der, 1, bytes.len, out), bytes.len);
        (void)fclose(out);
        der[i] = bytes.ptr[i];
        if (crl_store_new(&store, &params, &why) != 0) {
            refused++;
            continue;
        }
        struct chain_params judging = {.trust = trust,
                                       .signed_by = crl_backends[i & 1u]->signed_by,
                                       .now_unix_s = (int64_t)time(NULL),
                                       .crl_required = true,
                                       .crls = store};
        enum tls_chain verdict = chain_judge(&judging, f.certs, f.count);
        cr_expect_neq(verdict, TLS_CHAIN_OK, "byte %zu", i);
        stale += verdict == TLS_CHAIN_CRL_STALE;
        crl_store_free(store);
    }
    cr_expect_gt(refused, 20, "%u", refused);
    cr_expect_gt(stale, 100, "%u", stale);
    pool_heap_free(der);
    pem_file_free(&bytes);
    (void)unlink(path);
    der_file_free(&f);
    chain_trust_free(trust);
}

Test(tls_crl, serial_numbers_of_any_length)
{
    static const struct {
        struct slice a;
        struct slice b;
        bool same;
    } cases[] = {
        {SLICE_LIT("\x01"), SLICE_LIT("\x01"), true},
        {SLICE_LIT("\x00\x80"), SLICE_LIT("\x80"), false}, /* 128 and -128 */
        {SLICE_LIT("\x00\x80"), SLICE_LIT("\x00\x00\x80"), true},
        {SLICE_LIT("\xff\x80"), SLICE_LIT("\x80"), true},
        {SLICE_LIT("\x01\x00"), SLICE_LIT("\x01"), false},
        {SLICE_LIT("\x7f\xff"), SLICE_LIT("\x00\x7f\xff"), true},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        unsigned char a[21];
        unsigned char b[21];
        cr_assert(crl_serial_pad(cases[i].a, a, sizeof(a)));
        cr_assert(crl_serial_pad(cases[i].b, b, sizeof(b)));
        cr_expect_eq(memcmp(a, b, sizeof(a)) == 0, cases[i].same, "%zu", i);
        cr_expect_not(crl_serial_pad(SLICE_LIT("\x01\x02\x03"), a, 2));
        cr_expect_not(crl_serial_pad(SLICE_NONE, a, 2));
    }
}

Test(tls_crl, a_context_tells_of_its_lists)
{
    for (size_t b = 0; b < ARRAY_COUNT(crl_backends); b++) {
        char folder[] = "/tmp/fedgate-test-XXXXXX";
        struct tls_context_params params = {.trust_path = TLS_CERTS "/trust.crt",
                                            .crl_path = folder};
        struct tls_context *ctx;
        struct tls_error why;
        struct tls_crl_info info;
        uint32_t newest = 0;
        folder_make(folder, (const char *const[]){"crl-ca", "crl-ca-soon", "crl-inter"});
        cr_assert_eq(tls_context_new(&ctx, crl_backends[b], &params, &why), 0, "%s", why.text);
        cr_expect_eq(tls_context_crl_count(ctx), 3);
        cr_expect_eq(tls_context_crl_entry_count(ctx), 1, "of the newest: none and one");
        for (uint32_t i = 0; tls_context_crl_info(ctx, i, &info); i++) {
            newest += info.is_newest;
        }
        cr_expect_eq(newest, 2);
        int64_t left = tls_context_crl_next_update_unix_s(ctx) - (int64_t)time(NULL);
        cr_expect_leq(left, 86400);
        tls_context_unref(ctx);
        params.crl_path = TLS_CERTS "/crl-delta.crl";
        cr_expect_eq(tls_context_new(&ctx, crl_backends[b], &params, &why), ERR_TLS_CONFIG);
        cr_expect(strstr(why.text, "crl-delta.crl") != NULL, "%s", why.text);
        params.crl_path = NULL;
        cr_assert_eq(tls_context_new(&ctx, crl_backends[b], &params, &why), 0, "%s", why.text);
        cr_expect_eq(tls_context_crl_count(ctx), 0);
        cr_expect_eq(tls_context_crl_next_update_unix_s(ctx), 0);
        tls_context_unref(ctx);
        crl_folder_drop(folder);
    }
}

/* --- lists made by hand, with signatures that are believed --- */

static bool any_digest(enum signature_digest kind, struct slice data,
                       unsigned char out[SIGNATURE_DIGEST_BYTES_MAX])
{
    (void)data;
    memset(out, 1, signature_digest_bytes(kind));
    return true;
}

static bool any_signature(const struct signature *sig, struct slice certificate_der)
{
    (void)sig;
    (void)certificate_der;
    return true;
}

static const struct signature_ops believing = {any_digest, any_signature};

/* Content first, written backwards: lengths are known when they are needed. */
struct writer {
    unsigned char *bytes;
    size_t at; /* first byte written */
};

static void put_back(struct writer *w, const void *bytes, size_t len)
{
    w->at -= len;
    memcpy(w->bytes + w->at, bytes, len);
}

static void wrap(struct writer *w, unsigned char tag, size_t end)
{
    size_t len = end - w->at;
    unsigned char head[6] = {tag, 0x84, (unsigned char)(len >> 24), (unsigned char)(len >> 16),
                             (unsigned char)(len >> 8), (unsigned char)len};
    unsigned char short_head[2] = {tag, (unsigned char)len};
    unsigned char middle_head[4] = {tag, 0x82, head[4], head[5]};
    unsigned char long_head[5] = {tag, 0x83, head[3], head[4], head[5]};
    if (len < 0x80) {
        put_back(w, short_head, sizeof(short_head));
    } else if (len < 0x10000) {
        put_back(w, middle_head, sizeof(middle_head));
    } else if (len < 0x1000000) {
        put_back(w, long_head, sizeof(long_head));
    } else {
        put_back(w, head, sizeof(head));
    }
}

static void put_time(struct writer *w, const char *text)
{
    size_t end = w->at;
    put_back(w, text, strlen(text));
    wrap(w, DER_GENERALIZED_TIME, end);
}

static const char ecdsa_sha256[] = "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";

/* Serial numbers of 20 bytes in no order, as the test below makes them again. */
static void write_list(const char *path, struct slice issuer, uint32_t count)
{
    size_t room = (size_t)count * 48 + 4096;
    struct writer w = {malloc(room), room};
    size_t end = w.at;
    put_back(&w, "\x00\x30\x06\x02\x01\x01\x02\x01\x01", 9);
    wrap(&w, DER_BIT_STRING, end);
    put_back(&w, ecdsa_sha256, sizeof(ecdsa_sha256) - 1);
    size_t tbs_end = w.at;
    for (uint32_t i = 0; i < count; i++) {
        unsigned char serial[20] = {0x55};
        uint32_t mixed = (i + 1) * 2654435761u;
        size_t entry_end = w.at;
        memcpy(serial + 4, &mixed, sizeof(mixed));
        memcpy(serial + 16, &i, sizeof(i));
        put_time(&w, "20250101000000Z");
        size_t serial_end = w.at;
        put_back(&w, serial, sizeof(serial));
        wrap(&w, DER_INTEGER, serial_end);
        wrap(&w, DER_SEQUENCE, entry_end);
    }
    wrap(&w, DER_SEQUENCE, tbs_end);
    put_time(&w, "20990101000000Z");
    put_time(&w, "20250101000000Z");
    put_back(&w, issuer.ptr, issuer.len);
    put_back(&w, ecdsa_sha256, sizeof(ecdsa_sha256) - 1);
    put_back(&w, "\x02\x01\x01", 3);
    wrap(&w, DER_SEQUENCE, tbs_end);
    wrap(&w, DER_SEQUENCE, end);
    FILE *out = fopen(path, "w");
    cr_assert_not_null(out);
    cr_assert_eq(fwrite(w.bytes + w.at, 1, room - w.at, out), room - w.at);
    (void)fclose(out);
    free(w.bytes);
}

Test(tls_crl, large_lists_in_no_order, .timeout = 60)
{
    const uint32_t count = 400000;
    char path[] = "/tmp/fedgate-test-XXXXXX";
    struct der_file f;
    struct cert leaf;
    struct cert issuer;
    struct crl_store *store;
    struct tls_error why;
    struct timespec from;
    struct timespec until;
    int64_t holds_until = CRL_NEVER;
    unsigned char serial[20] = {0x55};
    der_file_load(&f, "ca", "leaf.crt");
    cr_assert_eq(cert_parse(&issuer, f.certs[0]), 0);
    leaf = issuer;
    cr_assert_geq(close(mkstemp(path)), 0);
    write_list(path, issuer.subject, count);
    struct crl_store_params params = {path, &believing, tls_backend_wolfssl.crypto};
    (void)clock_gettime(CLOCK_MONOTONIC, &from);
    cr_assert_eq(crl_store_new(&store, &params, &why), 0, "%s", why.text);
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    printf("%u entries loaded in %lld ms\n", count,
           (long long)(until.tv_sec - from.tv_sec) * 1000 +
               (until.tv_nsec - from.tv_nsec) / 1000000);
    leaf.serial = slice_make((const char *)serial, sizeof(serial));
    for (uint32_t i = 0; i < count + 5; i++) {
        uint32_t mixed = (i + 1) * 2654435761u;
        memcpy(serial + 4, &mixed, sizeof(mixed));
        memcpy(serial + 16, &i, sizeof(i));
        if (i % 997 == 0 || i >= count - 5) {
            cr_expect_eq(crl_check(store, &leaf, &issuer, (int64_t)time(NULL), &holds_until),
                         i < count ? CRL_REVOKED : CRL_GOOD, "%u", i);
        }
    }
    cr_expect_eq(holds_until, 4070908800, "2099-01-01, when the list ends");
    crl_store_free(store);
    (void)unlink(path);
    der_file_free(&f);
}
