/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mbedtls: the backend on mbedTLS 2.28 (Debian): TLS 1.2. Together with
 * mbedtls_keys.c and mbedtls_ticket.c all that knows it.
 *
 * - A configuration per session: it is a small struct, and ALPN and certificate are its members.
 * - The library's own path building runs without CAs in "optional" mode, i.e. changes nothing;
 *   ours looks at the chain when the handshake is complete (chain.h).
 * - Threads: sessions share the generator (locked by MBEDTLS_THREADING_C) and the private keys. RSA
 *   keys lock themselves. An EC group writes a table of base point multiples at its first use and
 *   only reads it later: cred_new signs once, so that this is over before threads see the key.   */
#include "tls/mbedtls_int.h"

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/md.h>
#include <mbedtls/sha1.h>
#include <mbedtls/sha256.h>
#include <mbedtls/version.h>
#include <pthread.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"

#if !defined(MBEDTLS_THREADING_C)
#error "mbedTLS must be built with MBEDTLS_THREADING_C: sessions of several threads share one RNG"
#endif

/* Forward secret AEAD only, none with a truncated tag; the fastest first (README.md). */
#define CHACHA20                                            \
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, \
        MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
#define AES                                               \
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,     \
        MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,   \
        MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, \
        MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
static const int chacha20_first[] = {CHACHA20, AES, 0};
static const int aes_first[] = {AES, CHACHA20, 0};

/* Its default goes down to 192 bits. Certificates' keys are checked against this list, too. */
static const mbedtls_ecp_group_id curves[] = {
    MBEDTLS_ECP_DP_CURVE25519, MBEDTLS_ECP_DP_SECP256R1, MBEDTLS_ECP_DP_SECP384R1,
    MBEDTLS_ECP_DP_SECP521R1,  MBEDTLS_ECP_DP_NONE,
};

/* Of signatures in handshakes; its default has SHA-224. */
static const int digests[] = {MBEDTLS_MD_SHA512, MBEDTLS_MD_SHA384, MBEDTLS_MD_SHA256,
                              MBEDTLS_MD_NONE};

struct mbed_cred {
    mbedtls_x509_crt chain;
    mbedtls_pk_context key;
};

static pthread_once_t init_once = PTHREAD_ONCE_INIT;
static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context generator;

static void init(void)
{
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&generator);
    int err = mbedtls_ctr_drbg_seed(&generator, mbedtls_entropy_func, &entropy, NULL, 0);
    ASSERT(err == 0);
}

static const char *version(void)
{
    return MBEDTLS_VERSION_STRING_FULL;
}

static bool has_fast_aes(void)
{
    return tls_aead_mbedcrypto.is_accelerated(TLS_CIPHER_AES_128_GCM);
}

/* Measured: its AES-GCM with instructions does 246 MB/s, its ChaCha20-Poly1305 346. */
static bool is_aes_faster(void)
{
    return false;
}

/* --- primitives --- */

static void mbed_sha1(struct slice data, unsigned char out[CRYPTO_SHA1_BYTES])
{
    int err = mbedtls_sha1_ret((const unsigned char *)data.ptr, data.len, out);
    ASSERT(err == 0);
}

static void mbed_sha256(struct slice data, unsigned char out[CRYPTO_SHA256_BYTES])
{
    int err = mbedtls_sha256_ret((const unsigned char *)data.ptr, data.len, out, 0);
    ASSERT(err == 0);
}

static void mbed_hmac_sha256(struct slice key, struct slice data,
                             unsigned char out[CRYPTO_SHA256_BYTES])
{
    int err = mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256),
                              (const unsigned char *)key.ptr, key.len,
                              (const unsigned char *)data.ptr, data.len, out);
    ASSERT(err == 0);
}

static void mbed_random(void *out, size_t len)
{
    (void)pthread_once(&init_once, init);
    unsigned char *at = out;
    while (len > 0) {
        size_t step = len < MBEDTLS_CTR_DRBG_MAX_REQUEST ? len : MBEDTLS_CTR_DRBG_MAX_REQUEST;
        int err = mbedtls_ctr_drbg_random(&generator, at, step);
        ASSERT(err == 0);
        at += step;
        len -= step;
    }
}

static const struct crypto crypto = {mbed_sha1, mbed_sha256, mbed_hmac_sha256, mbed_random};

/* --- certificates --- */

static bool key_is_strong(const mbedtls_pk_context *key)
{
    switch (mbedtls_pk_get_type(key)) {
    case MBEDTLS_PK_RSA:
        return mbedtls_pk_get_bitlen(key) >= MBED_KEY_BITS_RSA_MIN;
    case MBEDTLS_PK_ECKEY:
        return mbedtls_pk_get_bitlen(key) >= MBED_KEY_BITS_EC_MIN;
    case MBEDTLS_PK_NONE:
    case MBEDTLS_PK_ECKEY_DH:
    case MBEDTLS_PK_ECDSA:
    case MBEDTLS_PK_RSA_ALT:
    case MBEDTLS_PK_RSASSA_PSS:
    case MBEDTLS_PK_OPAQUE:
    default:
        return false;
    }
}

static bool verify(mbedtls_x509_crt *child, mbedtls_x509_crt *issuer)
{
    const mbedtls_md_info_t *md = mbedtls_md_info_from_type(child->sig_md);
    unsigned char digest[MBEDTLS_MD_MAX_SIZE];
    if (!md || mbedtls_md(md, child->tbs.p, child->tbs.len, digest) != 0) {
        return false;
    }
    return mbedtls_pk_can_do(&issuer->pk, child->sig_pk) &&
           mbedtls_pk_verify_ext(child->sig_pk, child->sig_opts, &issuer->pk, child->sig_md, digest,
                                 mbedtls_md_get_size(md), child->sig.p, child->sig.len) == 0;
}

static bool signed_by(struct slice child_der, struct slice issuer_der)
{
    mbedtls_x509_crt child;
    mbedtls_x509_crt issuer;
    mbedtls_x509_crt_init(&child);
    mbedtls_x509_crt_init(&issuer);
    bool ok = mbedtls_parse(&child, child_der) && mbedtls_parse(&issuer, issuer_der) &&
              key_is_strong(&child.pk) && key_is_strong(&issuer.pk) && verify(&child, &issuer);
    mbedtls_x509_crt_free(&issuer);
    mbedtls_x509_crt_free(&child);
    return ok;
}

static void cred_free(struct tls_cred *cred)
{
    struct mbed_cred *mbed = cred->lib;
    if (mbed) {
        mbedtls_x509_crt_free(&mbed->chain);
        mbedtls_pk_free(&mbed->key);
        pool_heap_free(mbed);
    }
    cred->lib = NULL;
}

/* Also does the lazy initialisation of an EC key's group (see the head of this file). */
static bool sign_once(mbedtls_pk_context *key)
{
    unsigned char digest[32] = {0};
    unsigned char signature[MBEDTLS_PK_SIGNATURE_MAX_SIZE];
    size_t len = 0;
    return mbedtls_pk_sign(key, MBEDTLS_MD_SHA256, digest, sizeof(digest), signature, &len,
                           mbedtls_ctr_drbg_random, &generator) == 0;
}

static int cred_new(const struct tls_context *ctx, struct tls_cred *cred, struct slice chain_pem,
                    struct slice key_pem, struct tls_error *why)
{
    (void)ctx; /* the order of suites is a matter of sessions here */
    (void)pthread_once(&init_once, init);
    struct mbed_cred *mbed = pool_heap_zalloc(sizeof(*mbed));
    mbedtls_x509_crt_init(&mbed->chain);
    mbedtls_pk_init(&mbed->key);
    cred->lib = mbed;
    int err = 0;
    /* Both want the NUL at the end counted (pem_file_read puts one there). */
    int code = mbedtls_x509_crt_parse(&mbed->chain, (const unsigned char *)chain_pem.ptr,
                                      chain_pem.len + 1);
    if (code != 0) {
        char text[64];
        mbedtls_strerror(code, text, sizeof(text));
        err = tls_why(why, ERR_TLS_CONFIG, "chain not readable by mbedTLS: %s; try wolfssl", text);
    } else if (mbedtls_pk_parse_key(&mbed->key, (const unsigned char *)key_pem.ptr, key_pem.len + 1,
                                    NULL, 0) != 0) {
        err = tls_why(why, ERR_TLS_CONFIG, "key not readable: give an unencrypted PEM key");
    } else if (mbedtls_pk_check_pair(&mbed->chain.pk, &mbed->key) != 0) {
        err = tls_why(why, ERR_TLS_CONFIG, "the key does not belong to the certificate");
    } else if (!sign_once(&mbed->key)) {
        err = tls_why(why, ERR_TLS_CONFIG, "the key cannot sign");
    }
    if (err != 0) {
        cred_free(cred);
    }
    return err;
}

/* --- sessions --- */

static int on_send(void *arg, const unsigned char *bytes, size_t len)
{
    return tls_wire_write(arg, bytes, len) ? (int)len : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

static int on_recv(void *arg, unsigned char *dst, size_t room)
{
    size_t got = tls_wire_read(arg, dst, room);
    return got > 0 ? (int)got : MBEDTLS_ERR_SSL_WANT_READ;
}

static int on_sni(void *arg, mbedtls_ssl_context *ssl, const unsigned char *name, size_t len)
{
    struct tls_session *s = arg;
    uint32_t idx = tls_cred_for_sni(s, slice_make((const char *)name, len));
    struct mbed_cred *mbed = s->ctx->creds[idx].lib;
    return mbedtls_ssl_set_hs_own_cert(ssl, &mbed->chain, &mbed->key);
}

void mbedtls_judge_chain(struct tls_session *s, const mbedtls_x509_crt *crt)
{
    struct slice chain[CHAIN_CERTS_MAX + 1]; /* one too many is for chain_judge to refuse */
    uint32_t count = 0;
    for (; crt && count < ARRAY_COUNT(chain); crt = crt->next) {
        chain[count++] = slice_make((const char *)crt->raw.p, crt->raw.len);
    }
    tls_peer_judge(s, chain, count);
}

static int configure(struct tls_session *s, struct mbed_session *m)
{
    mbedtls_ssl_config *c = &m->config;
    bool is_client = s->role == TLS_ROLE_CLIENT;
    int err = mbedtls_ssl_config_defaults(c, is_client ? MBEDTLS_SSL_IS_CLIENT
                                                       : MBEDTLS_SSL_IS_SERVER,
                                          MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
    if (err != 0) {
        return err;
    }
    mbedtls_ssl_conf_rng(c, mbedtls_ctr_drbg_random, &generator);
    mbedtls_ssl_conf_min_version(c, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
    mbedtls_ssl_conf_ciphersuites(c, s->ctx->is_aes_first ? aes_first : chacha20_first);
    mbedtls_ssl_conf_curves(c, curves);
    mbedtls_ssl_conf_sig_hashes(c, digests);
    mbedtls_ssl_conf_authmode(c, MBEDTLS_SSL_VERIFY_OPTIONAL);
    mbedtls_ssl_conf_renegotiation(c, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
    mbedtls_ssl_conf_legacy_renegotiation(c, MBEDTLS_SSL_LEGACY_NO_RENEGOTIATION);
    mbedtls_ssl_conf_export_keys_ext_cb(c, mbedtls_on_keys, s);
    mbedtls_ssl_conf_session_tickets(c, s->shake->may_resume
                                            ? MBEDTLS_SSL_SESSION_TICKETS_ENABLED
                                            : MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
    if (!is_client && s->ctx->resume) {
        mbedtls_ssl_conf_session_tickets_cb(c, mbedtls_on_new_ticket, mbedtls_on_ticket, s);
    }
    if (!is_client) {
        /* A list of CAs would only make peers hold back certificates of other ones. */
        mbedtls_ssl_conf_cert_req_ca_list(c, MBEDTLS_SSL_CERT_REQ_CA_LIST_DISABLED);
        mbedtls_ssl_conf_sni(c, on_sni, s);
    }
    if (s->shake->cred_idx != UINT32_MAX) {
        struct mbed_cred *mbed = s->ctx->creds[s->shake->cred_idx].lib;
        err = mbedtls_ssl_conf_own_cert(c, &mbed->chain, &mbed->key);
    }
    if (err == 0 && s->shake->alpn[0] != '\0') {
        m->protocols[0] = s->shake->alpn;
        err = mbedtls_ssl_conf_alpn_protocols(c, m->protocols);
    }
    return err;
}

static int session_new(struct tls_session *s)
{
    (void)pthread_once(&init_once, init);
    struct mbed_session *m = pool_zalloc(sizeof(*m));
    if (!m) {
        return ERR_NOMEM;
    }
    s->shake->lib = m;
    m->session = s;
    mbedtls_ssl_init(&m->ssl);
    mbedtls_ssl_config_init(&m->config);
    int err = configure(s, m);
    if (err == 0) {
        err = mbedtls_ssl_setup(&m->ssl, &m->config);
    }
    if (err == 0 && s->role == TLS_ROLE_CLIENT && s->shake->sni[0] != '\0') {
        err = mbedtls_ssl_set_hostname(&m->ssl, s->shake->sni);
    }
    if (err == 0 && s->shake->may_resume) {
        mbedtls_offer(s, m);
    }
    mbedtls_ssl_set_bio(&m->ssl, s, on_send, on_recv, NULL);
    return err == 0 ? 0 : ERR_NOMEM;
}

static void session_free(struct tls_session *s)
{
    struct mbed_session *m = s->shake->lib;
    if (m) {
        mbedtls_ssl_free(&m->ssl);
        mbedtls_ssl_config_free(&m->config);
        pool_free(m);
    }
    s->shake->lib = NULL;
}

static int fail_with(struct tls_session *s, int fallback, int code)
{
    struct mbed_session *m = s->shake->lib;
    if (code == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) {
        int alert = m->ssl.in_msg ? m->ssl.in_msg[1] : -1;
        return tls_note_error(s, ERR_TLS_ALERT, "the peer sent the alert %s (%d)",
                              tls_alert_name(alert), alert);
    }
    if (s->shake->framing.is_not_tls) {
        return tls_note_error(s, fallback, "what the peer sent is not TLS");
    }
    /* High-level codes from here to there are those of its X.509 module. */
    unsigned module = (unsigned)-code & 0x7f80u;
    if (module >= (unsigned)-MBEDTLS_ERR_X509_FEATURE_UNAVAILABLE &&
        module <= (unsigned)-MBEDTLS_ERR_X509_BUFFER_TOO_SMALL) {
        fallback = ERR_TLS_CERTIFICATE;
    }
    char text[128];
    mbedtls_strerror(code, text, sizeof(text));
    return tls_note_error(s, fallback, "%s (-0x%04x)", text, (unsigned)-code);
}

static enum tls_step handshake(struct tls_session *s)
{
    struct mbed_session *m = s->shake->lib;
    int code = mbedtls_ssl_handshake(&m->ssl);
    if (code == 0) {
        if (!m->is_resumed && !s->shake->peer_seen) {
            mbedtls_judge_chain(s, mbedtls_ssl_get_peer_cert(&m->ssl));
        }
        return TLS_STEP_DONE;
    }
    if (code == MBEDTLS_ERR_SSL_WANT_READ || code == MBEDTLS_ERR_SSL_WANT_WRITE) {
        return TLS_STEP_MORE;
    }
    (void)fail_with(s, ERR_TLS_HANDSHAKE, code);
    return TLS_STEP_BAD;
}

static uint32_t describe(struct tls_session *s)
{
    struct mbed_session *m = s->shake->lib;
    s->peer.version = "TLSv1.2"; /* the only one configure() leaves */
    const char *protocol = mbedtls_ssl_get_alpn_protocol(&m->ssl);
    slice_to_cstr_cut(slice_from_cstr(protocol), s->shake->agreed, sizeof(s->shake->agreed));
    return (uint32_t)m->ssl.session->ciphersuite;
}

static int read_plain(struct tls_session *s, char *dst, size_t room)
{
    struct mbed_session *m = s->shake->lib;
    int got = mbedtls_ssl_read(&m->ssl, (unsigned char *)dst, room);
    if (got > 0) {
        return got;
    }
    switch (got) {
    case 0: /* in TLS 1.2: an empty record has come */
    case MBEDTLS_ERR_SSL_WANT_READ:
    case MBEDTLS_ERR_SSL_WANT_WRITE:
        return 0;
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
        return ERR_CLOSED;
    default:
        return fail_with(s, ERR_TLS_RECORD, got);
    }
}

static int write_plain(struct tls_session *s, struct slice plain, size_t record_bytes)
{
    struct mbed_session *m = s->shake->lib;
    while (plain.len > 0) {
        size_t len = plain.len < record_bytes ? plain.len : record_bytes;
        int put = mbedtls_ssl_write(&m->ssl, (const unsigned char *)plain.ptr, len);
        if (put <= 0) {
            return s->out->failed ? ERR_NOMEM : fail_with(s, ERR_TLS_RECORD, put);
        }
        plain = slice_from(plain, (size_t)put);
    }
    return 0;
}

static void close_session(struct tls_session *s)
{
    struct mbed_session *m = s->shake->lib;
    (void)mbedtls_ssl_close_notify(&m->ssl);
}

const struct tls_backend tls_backend_mbedtls = {
    .name = "mbedtls",
    .version = version,
    .crypto = &crypto,
    .build = "distribution",
    .version_max = TLS_VERSION_1_2,
    .has_fast_aes = has_fast_aes,
    .is_aes_faster = is_aes_faster,
    .cred_new = cred_new,
    .cred_free = cred_free,
    .session_new = session_new,
    .session_free = session_free,
    .handshake = handshake,
    .describe = describe,
    .read = read_plain,
    .write = write_plain,
    .close = close_session,
    .take_keys = mbedtls_take_keys,
    .is_resumed = mbedtls_is_resumed,
    .keep = mbedtls_keep,
    .aead = &tls_aead_mbedcrypto,
    .signed_by = signed_by,
};
