/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wolfssl: the backend on wolfSSL 5.5 (Debian) or later. Together with
 * wolfssl_keys.c and wolfssl_ticket.c all that knows it.
 *
 * - One pair of WOLFSSL_CTX (client, server) per credential; no CA is ever loaded into them: the
 *   library's own path building would add peers' intermediates to the shared manager (chain.h).
 *   Its verify callback is where we see the peer's chain, and always says yes.
 * - The server changes its credential in the SNI callback (wolfSSL_set_SSL_CTX). That works across
 *   key types because the cipher list is set explicitly and so is not recomputed.
 * - Threads: a CTX is counted under the library's mutex and read only after set-up.             */
#include "tls/wolfssl_int.h"

#include <pthread.h>

#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/hmac.h>
#include <wolfssl/wolfcrypt/sha.h>
#include <wolfssl/wolfcrypt/sha256.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"

#ifndef FG_WOLFSSL_BUILD
#define FG_WOLFSSL_BUILD "distribution"
#endif

/* Forward secret AEAD only, the fastest first (README.md). */
#define CHACHA20_1_3 "TLS13-CHACHA20-POLY1305-SHA256"
#define AES_1_3 "TLS13-AES128-GCM-SHA256:TLS13-AES256-GCM-SHA384"
#define CHACHA20_1_2 "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define AES_1_2                                                   \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:" \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"
static const char chacha20_first[] = CHACHA20_1_3 ":" AES_1_3 ":" CHACHA20_1_2 ":" AES_1_2;
static const char aes_first[] = AES_1_3 ":" CHACHA20_1_3 ":" AES_1_2 ":" CHACHA20_1_2;

#define WOLF_KEY_BITS_RSA_MIN 2048
#define WOLF_KEY_BITS_EC_MIN  256

struct wolf_cred {
    WOLFSSL_CTX *by_role[2]; /* owned; index is enum tls_role */
};

static pthread_once_t init_once = PTHREAD_ONCE_INIT;
static pthread_key_t thread_state;

/* The library keeps, per thread, tables of curve points (12 MiB in Debian's build) and a queue of
 * errors; it frees neither by itself. */
static void on_thread_exit(void *value)
{
    (void)value;
#ifdef FP_ECC /* not in the production build */
    wc_ecc_fp_free();
#endif
    wolfSSL_ERR_remove_thread_state(NULL);
}

static void init(void)
{
    int ok = wolfSSL_Init();
    ASSERT(ok == WOLFSSL_SUCCESS);
    ok = pthread_key_create(&thread_state, on_thread_exit);
    ASSERT(ok == 0);
    /* Creates the lazily made global generator and its locks while nobody else can race for it. */
    unsigned char byte;
    ok = wolfSSL_RAND_bytes(&byte, 1);
    ASSERT(ok == WOLFSSL_SUCCESS);
}

static const char *version(void)
{
    return "wolfSSL " LIBWOLFSSL_VERSION_STRING;
}

static bool has_fast_aes(void)
{
    return tls_aead_wolfcrypt.is_accelerated(TLS_CIPHER_AES_128_GCM);
}

/* --- primitives --- */

static void wolf_sha1(struct slice data, unsigned char out[CRYPTO_SHA1_BYTES])
{
    int err = wc_ShaHash((const unsigned char *)data.ptr, (word32)data.len, out);
    ASSERT(err == 0);
}

static void wolf_sha256(struct slice data, unsigned char out[CRYPTO_SHA256_BYTES])
{
    int err = wc_Sha256Hash((const unsigned char *)data.ptr, (word32)data.len, out);
    ASSERT(err == 0);
}

static void wolf_hmac_sha256(struct slice key, struct slice data,
                             unsigned char out[CRYPTO_SHA256_BYTES])
{
    Hmac hmac;
    int err = wc_HmacInit(&hmac, NULL, INVALID_DEVID);
    ASSERT(err == 0);
    err = wc_HmacSetKey(&hmac, WC_SHA256, (const unsigned char *)key.ptr, (word32)key.len);
    ASSERT(err == 0);
    err = wc_HmacUpdate(&hmac, (const unsigned char *)data.ptr, (word32)data.len);
    ASSERT(err == 0);
    err = wc_HmacFinal(&hmac, out);
    ASSERT(err == 0);
    wc_HmacFree(&hmac);
}

static void wolf_random(void *out, size_t len)
{
    (void)pthread_once(&init_once, init);
    int ok = wolfSSL_RAND_bytes(out, (int)len);
    ASSERT(ok == WOLFSSL_SUCCESS);
}

static const struct crypto crypto = {wolf_sha1, wolf_sha256, wolf_hmac_sha256, wolf_random};

/* --- certificates --- */

static bool key_is_strong(WOLFSSL_EVP_PKEY *key)
{
    int bits = wolfSSL_EVP_PKEY_bits(key);
    switch (wolfSSL_EVP_PKEY_base_id(key)) {
    case EVP_PKEY_RSA:
        return bits >= WOLF_KEY_BITS_RSA_MIN;
    case EVP_PKEY_EC:
        return bits >= WOLF_KEY_BITS_EC_MIN;
    default:
        return false;
    }
}

static bool signed_by(struct slice child_der, struct slice issuer_der)
{
    const unsigned char *child_at = (const unsigned char *)child_der.ptr;
    const unsigned char *issuer_at = (const unsigned char *)issuer_der.ptr;
    WOLFSSL_X509 *child = wolfSSL_d2i_X509(NULL, &child_at, (int)child_der.len);
    WOLFSSL_X509 *issuer = wolfSSL_d2i_X509(NULL, &issuer_at, (int)issuer_der.len);
    WOLFSSL_EVP_PKEY *issuer_key = issuer ? wolfSSL_X509_get_pubkey(issuer) : NULL;
    WOLFSSL_EVP_PKEY *child_key = child ? wolfSSL_X509_get_pubkey(child) : NULL;
    bool ok = issuer_key && child_key && key_is_strong(issuer_key) && key_is_strong(child_key) &&
              wolfSSL_X509_verify(child, issuer_key) == WOLFSSL_SUCCESS;
    wolfSSL_EVP_PKEY_free(child_key);
    wolfSSL_EVP_PKEY_free(issuer_key);
    wolfSSL_X509_free(issuer);
    wolfSSL_X509_free(child);
    return ok;
}

/* Runs within the handshake for every certificate; the whole chain is at hand at the leaf. */
static int on_verify(int is_ok, WOLFSSL_X509_STORE_CTX *store)
{
    (void)is_ok;
    struct tls_session *s = store->userCtx;
    if (store->error_depth != 0) {
        return 1;
    }
    struct slice chain[CHAIN_CERTS_MAX];
    uint32_t count = 0;
    for (; count < CHAIN_CERTS_MAX && count < (uint32_t)store->totalCerts; count++) {
        chain[count] = slice_make((const char *)store->certs[count].buffer,
                                  store->certs[count].length);
    }
    tls_peer_judge(s, chain, count);
    return 1;
}

static int on_sni(WOLFSSL *ssl, int *alert, void *arg)
{
    (void)alert;
    (void)arg;
    struct tls_session *s = wolfSSL_GetIOReadCtx(ssl);
    void *name = NULL;
    unsigned short len = wolfSSL_SNI_GetRequest(ssl, WOLFSSL_SNI_HOST_NAME, &name);
    if (name && len > 0) {
        const struct tls_cred *cred = &s->ctx->creds[tls_cred_for_sni(s, slice_make(name, len))];
        const struct wolf_cred *wolf = cred->lib;
        if (!wolfSSL_set_SSL_CTX(ssl, wolf->by_role[TLS_ROLE_SERVER])) {
            return SSL_TLSEXT_ERR_ALERT_FATAL;
        }
    }
    return SSL_TLSEXT_ERR_OK;
}

static int wolf_recv(WOLFSSL *ssl, char *dst, int room, void *arg)
{
    (void)ssl;
    size_t got = tls_wire_read(arg, dst, (size_t)room);
    return got > 0 ? (int)got : WOLFSSL_CBIO_ERR_WANT_READ;
}

static int wolf_send(WOLFSSL *ssl, char *bytes, int len, void *arg)
{
    (void)ssl;
    return tls_wire_write(arg, bytes, (size_t)len) ? len : WOLFSSL_CBIO_ERR_GENERAL;
}

/* --- contexts --- */

/* Left alone the library offers P-521 and Brainpool before all others, with a key for P-256: GnuTLS
 * servers take the first, at the price of a round trip and a multiple of the work. */
static bool set_groups(WOLFSSL_CTX *ctx)
{
    int groups[] = {WOLFSSL_ECC_SECP256R1, WOLFSSL_ECC_X25519, WOLFSSL_ECC_SECP384R1,
                    WOLFSSL_ECC_SECP521R1};
    return wolfSSL_CTX_set_groups(ctx, groups, ARRAY_COUNT(groups)) == WOLFSSL_SUCCESS;
}

static WOLFSSL_CTX *ctx_new(const struct tls_context *owner, enum tls_role role)
{
    (void)pthread_once(&init_once, init);
    bool is_server = role == TLS_ROLE_SERVER;
    WOLFSSL_CTX *ctx =
        wolfSSL_CTX_new(is_server ? wolfSSLv23_server_method() : wolfSSLv23_client_method());
    if (!ctx) {
        return NULL;
    }
    wolfSSL_CTX_SetIORecv(ctx, wolf_recv);
    wolfSSL_CTX_SetIOSend(ctx, wolf_send);
    wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_PEER, on_verify);
    /* Neither is enough alone: sessions with tickets get around the first one. */
    (void)wolfSSL_CTX_set_session_cache_mode(ctx, WOLFSSL_SESS_CACHE_OFF);
    (void)wolfSSL_CTX_set_session_cache_mode(ctx, WOLFSSL_SESS_CACHE_NO_INTERNAL |
                                                      WOLFSSL_SESS_CACHE_NO_AUTO_CLEAR);
    bool ok = wolfSSL_CTX_SetMinVersion(ctx, WOLFSSL_TLSV1_2) == WOLFSSL_SUCCESS &&
              wolfSSL_CTX_set_cipher_list(ctx, owner->is_aes_first ? aes_first : chacha20_first) ==
                  WOLFSSL_SUCCESS &&
              set_groups(ctx);
    if (is_server) {
        ok = ok && wolfssl_set_tickets(ctx, owner->resume != NULL);
        wolfSSL_CTX_set_servername_callback(ctx, on_sni);
    }
    if (!ok) {
        wolfSSL_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

static void cred_free(struct tls_cred *cred)
{
    struct wolf_cred *wolf = cred->lib;
    if (wolf) {
        wolfSSL_CTX_free(wolf->by_role[TLS_ROLE_CLIENT]);
        wolfSSL_CTX_free(wolf->by_role[TLS_ROLE_SERVER]);
        pool_heap_free(wolf);
    }
    cred->lib = NULL;
}

/* Whether what the key signs is verified by the certificate. wolfSSL_CTX_check_private_key of 5.5.4
 * takes any EC key of the same curve for a match. */
static bool key_fits(WOLFSSL_CTX *ctx, struct slice chain_pem)
{
    static const char text[] = "does the key belong to the certificate?";
    unsigned char signature[1024];
    size_t len = sizeof(signature);
    WOLFSSL_X509 *leaf = wolfSSL_X509_load_certificate_buffer(
        (const unsigned char *)chain_pem.ptr, (int)chain_pem.len, WOLFSSL_FILETYPE_PEM);
    WOLFSSL_EVP_PKEY *public_key = leaf ? wolfSSL_X509_get_pubkey(leaf) : NULL;
    WOLFSSL_EVP_PKEY *private_key = wolfSSL_CTX_get0_privatekey(ctx); /* the context's */
    const WOLFSSL_EVP_MD *digest = wolfSSL_EVP_sha256();
    WOLFSSL_EVP_MD_CTX *sign = wolfSSL_EVP_MD_CTX_new();
    WOLFSSL_EVP_MD_CTX *verify = wolfSSL_EVP_MD_CTX_new();
    bool ok = public_key && private_key && sign && verify &&
              wolfSSL_EVP_DigestSignInit(sign, NULL, digest, NULL, private_key) == 1 &&
              wolfSSL_EVP_DigestSignUpdate(sign, text, sizeof(text)) == 1 &&
              wolfSSL_EVP_DigestSignFinal(sign, signature, &len) == 1 &&
              wolfSSL_EVP_DigestVerifyInit(verify, NULL, digest, NULL, public_key) == 1 &&
              wolfSSL_EVP_DigestVerifyUpdate(verify, text, sizeof(text)) == 1 &&
              wolfSSL_EVP_DigestVerifyFinal(verify, signature, len) == 1;
    wolfSSL_EVP_MD_CTX_free(verify);
    wolfSSL_EVP_MD_CTX_free(sign);
    wolfSSL_EVP_PKEY_free(public_key);
    wolfSSL_X509_free(leaf);
    return ok;
}

static int cred_fill(WOLFSSL_CTX *ctx, struct slice chain_pem, struct slice key_pem,
                     struct tls_error *why)
{
    if (wolfSSL_CTX_use_certificate_chain_buffer(ctx, (const unsigned char *)chain_pem.ptr,
                                                 (long)chain_pem.len) != WOLFSSL_SUCCESS) {
        return tls_why(why, ERR_TLS_CONFIG, "certificate not readable: give PEM, leaf first");
    }
    if (wolfSSL_CTX_use_PrivateKey_buffer(ctx, (const unsigned char *)key_pem.ptr,
                                          (long)key_pem.len,
                                          WOLFSSL_FILETYPE_PEM) != WOLFSSL_SUCCESS) {
        return tls_why(why, ERR_TLS_CONFIG, "key not readable: give an unencrypted PEM key");
    }
    if (!key_fits(ctx, chain_pem)) {
        return tls_why(why, ERR_TLS_CONFIG, "the key does not belong to the certificate");
    }
    return 0;
}

static int cred_new(const struct tls_context *ctx, struct tls_cred *cred, struct slice chain_pem,
                    struct slice key_pem, struct tls_error *why)
{
    struct wolf_cred *wolf = pool_heap_zalloc(sizeof(*wolf));
    cred->lib = wolf;
    int err = 0;
    for (int role = TLS_ROLE_CLIENT; role <= TLS_ROLE_SERVER && err == 0; role++) {
        wolf->by_role[role] = ctx_new(ctx, (enum tls_role)role);
        err = wolf->by_role[role] ? cred_fill(wolf->by_role[role], chain_pem, key_pem, why)
                                  : tls_why(why, ERR_NOMEM, "wolfSSL context not created");
    }
    if (err != 0) {
        cred_free(cred);
    }
    return err;
}

/* --- sessions --- */

static int session_setup(struct tls_session *s, WOLFSSL *ssl)
{
    wolfSSL_SetIOReadCtx(ssl, s);
    wolfSSL_SetIOWriteCtx(ssl, s);
    wolfSSL_SetCertCbCtx(ssl, s);
    bool ok = true;
#ifdef HAVE_SECRET_CALLBACK
    ok = wolfSSL_set_tls13_secret_cb(ssl, wolfssl_on_secret, s) == WOLFSSL_SUCCESS;
#endif
    if (ok && s->shake->version_min == TLS_VERSION_1_3) {
        ok = wolfSSL_SetMinVersion(ssl, WOLFSSL_TLSV1_3) == WOLFSSL_SUCCESS;
    }
    if (ok && s->role == TLS_ROLE_CLIENT && s->shake->sni[0] != '\0') {
        ok = wolfSSL_UseSNI(ssl, WOLFSSL_SNI_HOST_NAME, s->shake->sni,
                            (unsigned short)strlen(s->shake->sni)) == WOLFSSL_SUCCESS;
    }
    if (ok && s->shake->alpn[0] != '\0') {
        ok = wolfSSL_UseALPN(ssl, s->shake->alpn, (unsigned)strlen(s->shake->alpn),
                             WOLFSSL_ALPN_FAILED_ON_MISMATCH) == WOLFSSL_SUCCESS;
    }
    if (ok && s->shake->may_resume) {
        wolfssl_offer(s, ssl);
    }
    return ok ? 0 : ERR_BAD_INPUT;
}

static int session_new(struct tls_session *s)
{
    (void)pthread_once(&init_once, init);
    (void)pthread_setspecific(thread_state, &thread_state); /* only: not NULL */
    WOLFSSL_CTX *ctx = NULL;
    WOLFSSL_CTX *own = NULL; /* a client without credentials */
    if (s->shake->cred_idx != UINT32_MAX) {
        const struct wolf_cred *wolf = s->ctx->creds[s->shake->cred_idx].lib;
        ctx = wolf->by_role[s->role];
    } else {
        ctx = own = ctx_new(s->ctx, s->role);
    }
    WOLFSSL *ssl = ctx ? wolfSSL_new(ctx) : NULL;
    wolfSSL_CTX_free(own); /* counted: lives on in ssl */
    s->shake->lib = ssl;
    return ssl ? session_setup(s, ssl) : ERR_NOMEM;
}

static void session_free(struct tls_session *s)
{
    wolfSSL_free(s->shake->lib);
    wolfSSL_ERR_clear_error(); /* of this thread: it would grow with every bad peer */
    s->shake->lib = NULL;
}

/* A code or the peer's alert, in words. */
static int fail_with(struct tls_session *s, int fallback, int code)
{
    WOLFSSL_ALERT_HISTORY history = {{-1, -1}, {-1, -1}};
    (void)wolfSSL_get_alert_history(s->shake->lib, &history);
    if (code == FATAL_ERROR && history.last_rx.level == alert_fatal) {
        return tls_note_error(s, ERR_TLS_ALERT, "the peer sent the alert %s (%d)",
                        tls_alert_name(history.last_rx.code), history.last_rx.code);
    }
    if (s->shake->framing.is_not_tls) {
        return tls_note_error(s, fallback, "what the peer sent is not TLS");
    }
    if (code <= ASN_PARSE_E && code >= ASN_CRIT_EXT_E) {
        fallback = ERR_TLS_CERTIFICATE;
    }
    char text[WOLFSSL_MAX_ERROR_SZ];
    wolfSSL_ERR_error_string_n((unsigned long)code, text, sizeof(text));
    return tls_note_error(s, fallback, "%s (%d)", text, code);
}

static enum tls_step handshake(struct tls_session *s)
{
    WOLFSSL *ssl = s->shake->lib;
    int done = s->role == TLS_ROLE_CLIENT ? wolfSSL_connect(ssl) : wolfSSL_accept(ssl);
    if (done == WOLFSSL_SUCCESS) {
        return TLS_STEP_DONE;
    }
    int code = wolfSSL_get_error(ssl, done);
    if (code == WOLFSSL_ERROR_WANT_READ || code == WOLFSSL_ERROR_WANT_WRITE) {
        return TLS_STEP_MORE;
    }
    (void)fail_with(s, ERR_TLS_HANDSHAKE, code);
    return TLS_STEP_BAD;
}

static uint32_t describe(struct tls_session *s)
{
    WOLFSSL *ssl = s->shake->lib;
    s->peer.version = wolfSSL_version(ssl) == TLS1_3_VERSION ? "TLSv1.3" : "TLSv1.2";
    char *protocol = NULL;
    unsigned short len = 0;
    if (wolfSSL_ALPN_GetProtocol(ssl, &protocol, &len) == WOLFSSL_SUCCESS) {
        slice_to_cstr_cut(slice_make(protocol, len), s->shake->agreed, sizeof(s->shake->agreed));
    }
    return (uint32_t)wolfSSL_get_current_cipher_suite(ssl);
}

/* --- records as long as the library has the keys --- */

static int read_plain(struct tls_session *s, char *dst, size_t room)
{
    WOLFSSL *ssl = s->shake->lib;
    int got = wolfSSL_read(ssl, dst, (int)room);
    if (got > 0) {
        return got;
    }
    int code = wolfSSL_get_error(ssl, got);
    switch (code) {
    case WOLFSSL_ERROR_WANT_READ:
    case WOLFSSL_ERROR_WANT_WRITE:
        return 0;
    case WOLFSSL_ERROR_ZERO_RETURN:
        return ERR_CLOSED;
    default:
        return fail_with(s, ERR_TLS_RECORD, code);
    }
}

static int write_plain(struct tls_session *s, struct slice plain, size_t record_bytes)
{
    WOLFSSL *ssl = s->shake->lib;
    while (plain.len > 0) {
        size_t len = plain.len < record_bytes ? plain.len : record_bytes;
        int put = wolfSSL_write(ssl, plain.ptr, (int)len);
        if (put <= 0) {
            return s->out->failed ? ERR_NOMEM
                                  : fail_with(s, ERR_TLS_RECORD, wolfSSL_get_error(ssl, put));
        }
        plain = slice_from(plain, (size_t)put);
    }
    return 0;
}

static void close_session(struct tls_session *s)
{
    (void)wolfSSL_shutdown(s->shake->lib);
}

const struct tls_backend tls_backend_wolfssl = {
    .name = "wolfssl",
    .version = version,
    .crypto = &crypto,
    .build = FG_WOLFSSL_BUILD,
    .version_max = TLS_VERSION_1_3,
#ifdef HAVE_SECRET_CALLBACK
    .has_secrets = true,
#endif
    .has_fast_aes = has_fast_aes,
    .is_aes_faster = has_fast_aes,
    .cred_new = cred_new,
    .cred_free = cred_free,
    .session_new = session_new,
    .session_free = session_free,
    .handshake = handshake,
    .describe = describe,
    .read = read_plain,
    .write = write_plain,
    .close = close_session,
    .take_keys = wolfssl_take_keys,
    .is_resumed = wolfssl_is_resumed,
    .keep = wolfssl_keep,
    .aead = &tls_aead_wolfcrypt,
    .signed_by = signed_by,
};
