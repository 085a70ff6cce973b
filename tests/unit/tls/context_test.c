/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Contexts: what an admin's files may look like, and what is said about them; the primitives. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/err.h"
#include "tls/tls.h"

#define FILE_OF(name) TLS_CERTS "/" name

static const char *const backends[] = {"wolfssl", "mbedtls"};

static int load(const char *backend, const char *certificate, const char *key, const char *trust,
                struct tls_context **out, struct tls_error *why)
{
    struct tls_credential credential = {.certificate_path = certificate, .key_path = key};
    struct tls_context_params params = {
        .credentials = &credential, .credential_count = 1, .trust_path = trust};
    return tls_context_new(out, tls_backend_find(backend), &params, why);
}

Test(tls_context, backends_are_found_by_name)
{
    for (size_t b = 0; b < ARRAY_COUNT(backends); b++) {
        const struct tls_backend *backend = tls_backend_find(backends[b]);
        cr_assert_not_null(backend);
        cr_expect_str_eq(tls_backend_name(backend), backends[b]);
        cr_expect_gt(strlen(tls_backend_version(backend)), 8);
    }
    cr_expect_null(tls_backend_find("openssl"));
    cr_expect_null(tls_backend_find(""));
    cr_expect_null(tls_backend_find(NULL));
}

Test(tls_context, loads_and_tells_names_and_expiry)
{
    for (size_t b = 0; b < ARRAY_COUNT(backends); b++) {
        struct tls_context *ctx;
        struct tls_error why;
        int err = load(backends[b], FILE_OF("viainter.crt"), FILE_OF("viainter.key"),
                       FILE_OF("trust.crt"), &ctx, &why);
        cr_assert_eq(err, 0, "%s", why.text);
        const struct tls_names *names = tls_context_names(ctx, 0);
        cr_assert_not_null(names);
        cr_expect(tls_names_match_xmpp(names, SLICE_LIT("fabrikam.test")));
        cr_expect_null(tls_context_names(ctx, 1));
        int64_t left = tls_context_not_after_unix_s(ctx, 0) - (int64_t)time(NULL);
        cr_expect(left > 3500 * 86400 && left < 3651 * 86400, "%lld", (long long)left);
        cr_expect_eq(tls_context_not_after_unix_s(ctx, 1), 0);
        cr_expect_eq(tls_context_trust_count(ctx), 1);
        cr_expect_eq(tls_context_ref(ctx), ctx);
        tls_context_unref(ctx);
        tls_context_unref(ctx);
    }
    tls_context_unref(NULL);
}

Test(tls_context, an_expired_certificate_loads)
{
    for (size_t b = 0; b < ARRAY_COUNT(backends); b++) {
        struct tls_context *ctx;
        struct tls_error why;
        cr_assert_eq(load(backends[b], FILE_OF("expired.crt"), FILE_OF("expired.key"), NULL, &ctx,
                          &why),
                     0, "%s", why.text);
        cr_expect_lt(tls_context_not_after_unix_s(ctx, 0), (int64_t)time(NULL));
        cr_expect_eq(tls_context_trust_count(ctx), 0);
        tls_context_unref(ctx);
    }
}

Test(tls_context, refusals_name_the_file_and_the_remedy)
{
    static const struct {
        const char *certificate;
        const char *key;
        const char *trust;
        const char *says[3];
    } cases[] = {
        {FILE_OF("none.crt"), FILE_OF("good.key"), NULL,
         {"none.crt", "check the path", "certificate"}},
        {FILE_OF("good.crt"), FILE_OF("none.key"), NULL, {"none.key", "check the path", "key"}},
        {FILE_OF("good.crt"), FILE_OF("second.key"), NULL,
         {"good.crt", "second.key", "does not belong"}},
        {FILE_OF("good.key"), FILE_OF("good.key"), NULL, {"good.key", "BEGIN CERTIFICATE", "PEM"}},
        {FILE_OF("good.crt"), FILE_OF("good.crt"), NULL, {"good.crt", "key not readable", "PEM"}},
        {FILE_OF("good.crt"), FILE_OF("good.key"), FILE_OF("none.crt"),
         {"none.crt", "check the path", "trust"}},
        {FILE_OF("good.crt"), FILE_OF("good.key"), FILE_OF("good.key"),
         {"good.key", "no usable certificate", "ca-certificates"}},
        {FILE_OF("good.crt"), FILE_OF("good.key"), TLS_CERTS,
         {TLS_CERTS, "give a PEM file", "trust"}},
        {FILE_OF("good.crt"), "/dev/zero", NULL, {"/dev/zero", "give a PEM file", "key"}},
        {NULL, FILE_OF("good.key"), NULL, {"(none)", "check the path", "certificate"}},
    };
    for (size_t b = 0; b < ARRAY_COUNT(backends); b++) {
        for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
            struct tls_context *ctx;
            struct tls_error why;
            int err = load(backends[b], cases[i].certificate, cases[i].key, cases[i].trust, &ctx,
                           &why);
            cr_expect_eq(err, ERR_TLS_CONFIG, "case %zu", i);
            cr_expect_eq(why.err, ERR_TLS_CONFIG);
            cr_expect_null(ctx);
            for (size_t s = 0; s < 3; s++) {
                cr_expect(strstr(why.text, cases[i].says[s]) != NULL, "case %zu: '%s' in '%s'", i,
                          cases[i].says[s], why.text);
            }
        }
    }
}

/* A copy of the file, cut to a part of its length. */
static void write_part(const char *from, const char *to, double part)
{
    char bytes[65536];
    FILE *in = fopen(from, "r");
    cr_assert_not_null(in);
    size_t len = fread(bytes, 1, sizeof(bytes), in);
    (void)fclose(in);
    FILE *out = fopen(to, "w");
    cr_assert_not_null(out);
    size_t cut = (size_t)((double)len * part);
    cr_assert_eq(fwrite(bytes, 1, cut, out), cut);
    (void)fclose(out);
}

Test(tls_context, cut_files_are_refused)
{
    char cert[] = "/tmp/fedgate-test-XXXXXX";
    char key[] = "/tmp/fedgate-test-XXXXXX";
    cr_assert_geq(close(mkstemp(cert)), 0);
    cr_assert_geq(close(mkstemp(key)), 0);
    for (size_t b = 0; b < ARRAY_COUNT(backends); b++) {
        for (int tenth = 0; tenth < 9; tenth++) {
            struct tls_context *ctx;
            struct tls_error why;
            write_part(FILE_OF("good.crt"), cert, tenth / 10.0);
            cr_expect_eq(load(backends[b], cert, FILE_OF("good.key"), NULL, &ctx, &why),
                         ERR_TLS_CONFIG);
            write_part(FILE_OF("good.key"), key, tenth / 10.0);
            cr_expect_eq(load(backends[b], FILE_OF("good.crt"), key, NULL, &ctx, &why),
                         ERR_TLS_CONFIG);
            cr_expect_eq(load(backends[b], FILE_OF("good.crt"), FILE_OF("good.key"), cert, &ctx,
                              &why),
                         ERR_TLS_CONFIG);
        }
    }
    (void)unlink(cert);
    (void)unlink(key);
}

Test(tls_context, a_failing_second_credential_frees_the_first)
{
    for (size_t b = 0; b < ARRAY_COUNT(backends); b++) {
        struct tls_credential credentials[] = {
            {FILE_OF("good.crt"), FILE_OF("good.key"), SLICE_NONE},
            {FILE_OF("rsa.crt"), FILE_OF("good.key"), SLICE_NONE}};
        struct tls_context_params params = {
            .credentials = credentials, .credential_count = 2, .trust_path = FILE_OF("trust.crt")};
        struct tls_context *ctx;
        struct tls_error why;
        cr_expect_eq(tls_context_new(&ctx, tls_backend_find(backends[b]), &params, &why),
                     ERR_TLS_CONFIG);
        cr_expect(strstr(why.text, "rsa.crt") != NULL, "%s", why.text);
    }
}

Test(tls_context, chain_verdicts_have_names_and_sentences)
{
    cr_expect_str_eq(tls_chain_name(TLS_CHAIN_OK), "ok");
    cr_expect_str_eq(tls_chain_name(TLS_CHAIN_SELF_SIGNED), "self-signed");
    for (int i = TLS_CHAIN_NONE; i <= TLS_CHAIN_BAD; i++) {
        cr_expect_gt(strlen(tls_chain_name((enum tls_chain)i)), 1);
        cr_expect_gt(strlen(tls_chain_text((enum tls_chain)i)), 20);
    }
}

static void expect_hex(const unsigned char *bytes, size_t len, const char *hex)
{
    struct buf text;
    buf_init(&text, 1024);
    hex_put(&text, slice_make((const char *)bytes, len));
    cr_expect(slice_eq_cstr(buf_slice(&text), hex), "%.*s", SLICE_FMT(buf_slice(&text)));
    buf_deinit(&text);
}

/* FIPS 180 examples, RFC 4231 case 2. */
Test(tls_crypto, digests)
{
    for (size_t b = 0; b < ARRAY_COUNT(backends); b++) {
        const struct crypto *c = tls_backend_crypto(tls_backend_find(backends[b]));
        unsigned char out[32];
        c->sha1(SLICE_LIT("abc"), out);
        expect_hex(out, 20, "a9993e364706816aba3e25717850c26c9cd0d89d");
        c->sha1(SLICE_NONE, out);
        expect_hex(out, 20, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
        c->sha256(SLICE_LIT("abc"), out);
        expect_hex(out, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        c->sha256(SLICE_NONE, out);
        expect_hex(out, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        c->hmac_sha256(SLICE_LIT("Jefe"), SLICE_LIT("what do ya want for nothing?"), out);
        expect_hex(out, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        char long_key[131];
        memset(long_key, 0xaa, sizeof(long_key));
        c->hmac_sha256(slice_make(long_key, sizeof(long_key)),
                       SLICE_LIT("Test Using Larger Than Block-Size Key - Hash Key First"), out);
        expect_hex(out, 32, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    }
}

/* XEP-0185: key is the hexadecimal text of the secret's SHA-256. */
static void dialback(const struct crypto *c, const char *secret, const char *message,
                     const char *starts, const char *ends)
{
    unsigned char digest[32];
    struct buf hex;
    buf_init(&hex, 256);
    c->sha256(slice_from_cstr(secret), digest);
    hex_put(&hex, slice_make((const char *)digest, sizeof(digest)));
    c->hmac_sha256(buf_slice(&hex), slice_from_cstr(message), digest);
    buf_clear(&hex);
    hex_put(&hex, slice_make((const char *)digest, sizeof(digest)));
    cr_expect(slice_starts(buf_slice(&hex), slice_from_cstr(starts)), "%s", message);
    cr_expect(slice_ends(buf_slice(&hex), slice_from_cstr(ends)), "%s", message);
    buf_deinit(&hex);
}

Test(tls_crypto, dialback_keys_of_the_xeps)
{
    for (size_t b = 0; b < ARRAY_COUNT(backends); b++) {
        const struct crypto *c = tls_backend_crypto(tls_backend_find(backends[b]));
        dialback(c, "s3cr3tf0rd14lb4ck", "xmpp.example.com example.org D60000229F", "37c69b1c",
                 "75643");
        dialback(c, "s3cr3tf0rd14lb4ck", "montague.example capulet.example D60000229F", "b4835385",
                 "7d23df3");
        dialback(c, "d14lb4ck43v3r", "capulet.example montague.example 417GAF25", "225cc5aa",
                 "84c972d");
    }
}

Test(tls_crypto, random_bytes_differ)
{
    for (size_t b = 0; b < ARRAY_COUNT(backends); b++) {
        const struct crypto *c = tls_backend_crypto(tls_backend_find(backends[b]));
        unsigned char first[5000] = {0};
        unsigned char second[5000] = {0};
        c->random(first, sizeof(first));
        c->random(second, sizeof(second));
        cr_expect_neq(memcmp(first, second, sizeof(first)), 0);
        unsigned ones = 0;
        for (size_t i = 0; i < sizeof(first); i++) {
            ones += (unsigned)__builtin_popcount(first[i]);
        }
        cr_expect(ones > 19400 && ones < 20600, "%u of 40000 bits", ones);
        cr_expect_neq(memcmp(first + 4984, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16), 0, "the end");
    }
}
