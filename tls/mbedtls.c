/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mbedtls: the backend on mbedTLS 2.28 (Debian): TLS 1.2. The only file that knows mbedTLS.
 *
 * - A configuration per session: it is a small struct, and ALPN and certificate are its members.
 * - The library's own path building runs without CAs in "optional" mode, i.e. changes nothing;
 *   ours looks at the chain when the handshake is complete (chain.h).
 * - Threads: sessions share the generator (locked by MBEDTLS_THREADING_C) and the private keys. RSA
 *   keys lock themselves. An EC group writes a table of base point multiples at its first use and
 *   only reads it later: cred_new signs once, so that this is over before threads see the key.   */
#include "tls/tls_int.h"

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/md.h>
#include <mbedtls/sha1.h>
#include <mbedtls/sha256.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_internal.h>
#include <mbedtls/version.h>
#include <pthread.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"

#if !defined(MBEDTLS_THREADING_C)
#error "mbedTLS must be built with MBEDTLS_THREADING_C: sessions of several threads share one RNG"
#endif

#define MBED_KEY_BITS_RSA_MIN 2048
#define MBED_KEY_BITS_EC_MIN  256

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

struct mbed_cred {
    mbedtls_x509_crt chain;
    mbedtls_pk_context key;
};

struct mbed_session {
    mbedtls_ssl_context ssl; /* first: on_sni gets from it to the rest */
    mbedtls_ssl_config config;
    struct tls_session *session; /* borrowed: our owner */
    bool is_resumed;
    const char *protocols[2];
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

/* Extensions are cert.c's business: whatever this library does not know must not stop it here. */
static int on_extension(void *ctx, mbedtls_x509_crt const *crt, mbedtls_x509_buf const *oid,
                        int critical, const unsigned char *p, const unsigned char *end)
{
    (void)ctx;
    (void)crt;
    (void)oid;
    (void)critical;
    (void)p;
    (void)end;
    return 0;
}

static bool parse(mbedtls_x509_crt *crt, struct slice der)
{
    return mbedtls_x509_crt_parse_der_with_ext_cb(crt, (const unsigned char *)der.ptr, der.len, 0,
                                                  on_extension, NULL) == 0;
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
    bool ok = parse(&child, child_der) && parse(&issuer, issuer_der) && key_is_strong(&child.pk) &&
              key_is_strong(&issuer.pk) && verify(&child, &issuer);
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

/* The key block of TLS 1.2: both MAC keys (none here), both keys, both IVs, the client's first. */
static int on_keys(void *arg, const unsigned char *master, const unsigned char *block,
                   size_t mac_bytes, size_t key_bytes, size_t iv_bytes,
                   const unsigned char client_random[32], const unsigned char server_random[32],
                   mbedtls_tls_prf_types prf)
{
    (void)master;
    (void)client_random;
    (void)server_random;
    (void)prf;
    struct tls_session *s = arg;
    struct mbed_session *m = s->shake->lib;
    m->is_resumed = m->ssl.handshake->resume != 0;
    s->shake->has_ems = m->ssl.handshake->extended_ms == MBEDTLS_SSL_EXTENDED_MS_ENABLED;
    if (m->is_resumed && !s->shake->has_ems) {
        return MBEDTLS_ERR_SSL_BAD_HS_CLIENT_HELLO; /* the first one had it: RFC 7627 5.3 */
    }
    if (mac_bytes != 0 || key_bytes > TLS_KEY_BYTES_MAX || iv_bytes > TLS_IV_BYTES) {
        return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
    }
    for (uint32_t i = 0; i < TLS_DIRECTION_COUNT; i++) {
        bool is_clients = (i == TLS_OUT) == (s->role == TLS_ROLE_CLIENT);
        struct tls_keys *keys = &s->shake->keys[i];
        keys->version = TLS_VERSION_1_2;
        memcpy(keys->key, block + (is_clients ? 0 : key_bytes), key_bytes);
        memcpy(keys->iv, block + 2 * key_bytes + (is_clients ? 0 : iv_bytes), iv_bytes);
    }
    return 0;
}

/* --- tickets --- */

static void judge_chain(struct tls_session *s, const mbedtls_x509_crt *crt)
{
    struct slice chain[CHAIN_CERTS_MAX + 1]; /* one too many is for chain_judge to refuse */
    uint32_t count = 0;
    for (; crt && count < ARRAY_COUNT(chain); crt = crt->next) {
        chain[count++] = slice_make((const char *)crt->raw.p, crt->raw.len);
    }
    tls_peer_judge(s, chain, count);
}

/* Before the handshake is complete, but behind the peer's proof that the key is its own. */
static int on_new_ticket(void *arg, const mbedtls_ssl_session *session, unsigned char *start,
                         const unsigned char *end, size_t *len, uint32_t *lifetime_s)
{
    struct tls_session *s = arg;
    struct mbed_session *m = s->shake->lib;
    struct resume_ticket ticket;
    size_t room = (size_t)(end - start);
    unsigned char *text = start + sizeof(ticket);
    size_t text_len = 0;
    if (!s->shake->has_ems || room < sizeof(ticket) + RESUME_TAG_BYTES ||
        mbedtls_ssl_session_save(session, text, room - sizeof(ticket) - RESUME_TAG_BYTES,
                                 &text_len) != 0) {
        return MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL; /* it then gives an empty one */
    }
    if (!m->is_resumed && !s->shake->peer_seen) {
        judge_chain(s, session->peer_cert);
    }
    s->shake->is_resumed = m->is_resumed && s->shake->resumed;
    if (resume_seal(s, &ticket, (char *)text, text_len) != 0) {
        return MBEDTLS_ERR_SSL_ALLOC_FAILED;
    }
    memcpy(start, &ticket, sizeof(ticket));
    *len = sizeof(ticket) + text_len + RESUME_TAG_BYTES;
    *lifetime_s = RESUME_SERVER_SECONDS;
    return 0;
}

static int on_ticket(void *arg, mbedtls_ssl_session *session, unsigned char *bytes, size_t len)
{
    struct tls_session *s = arg;
    struct resume_ticket ticket;
    if (len < sizeof(ticket) + RESUME_TAG_BYTES) {
        return MBEDTLS_ERR_SSL_INVALID_MAC;
    }
    memcpy(&ticket, bytes, sizeof(ticket));
    unsigned char *text = bytes + sizeof(ticket);
    size_t text_len = len - sizeof(ticket);
    if (!resume_open(s, &ticket, (char *)text, text_len, slice_from_cstr(s->shake->sni))) {
        return MBEDTLS_ERR_SSL_INVALID_MAC;
    }
    return mbedtls_ssl_session_load(session, text, text_len - RESUME_TAG_BYTES);
}

static bool is_resumed(struct tls_session *s)
{
    const struct mbed_session *m = s->shake->lib;
    return m->is_resumed;
}

static void keep(struct tls_session *s)
{
    struct mbed_session *m = s->shake->lib;
    mbedtls_ssl_session session;
    struct buf bytes;
    size_t len = 0;
    mbedtls_ssl_session_init(&session);
    buf_init(&bytes, RESUME_OFFER_BYTES_MAX);
    char *at = buf_reserve(&bytes, RESUME_OFFER_BYTES_MAX);
    if (at && s->shake->has_ems && mbedtls_ssl_get_session(&m->ssl, &session) == 0 &&
        session.ticket_len > 0 &&
        mbedtls_ssl_session_save(&session, (unsigned char *)at, RESUME_OFFER_BYTES_MAX, &len) ==
            0) {
        /* RFC 5077 3.3: 0 says nothing. */
        resume_keep_offer(s, slice_make(at, len),
                          session.ticket_lifetime ? session.ticket_lifetime
                                                  : RESUME_SERVER_SECONDS);
    }
    buf_commit(&bytes, len);
    buf_deinit_wiped(&bytes);
    mbedtls_ssl_session_free(&session);
}

/* Client: an earlier session, if there is one. */
static void offer(struct tls_session *s, struct mbed_session *m)
{
    mbedtls_ssl_session session;
    struct buf bytes;
    mbedtls_ssl_session_init(&session);
    buf_init(&bytes, RESUME_OFFER_BYTES_MAX);
    if (resume_take_offer(s, &bytes) &&
        (mbedtls_ssl_session_load(&session, (const unsigned char *)buf_slice(&bytes).ptr,
                                  buf_len(&bytes)) != 0 ||
         mbedtls_ssl_set_session(&m->ssl, &session) != 0)) {
        tls_shake_drop_resumed(s->shake);
    }
    buf_deinit_wiped(&bytes);
    mbedtls_ssl_session_free(&session);
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
    mbedtls_ssl_conf_authmode(c, MBEDTLS_SSL_VERIFY_OPTIONAL);
    mbedtls_ssl_conf_renegotiation(c, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
    mbedtls_ssl_conf_legacy_renegotiation(c, MBEDTLS_SSL_LEGACY_NO_RENEGOTIATION);
    mbedtls_ssl_conf_export_keys_ext_cb(c, on_keys, s);
    mbedtls_ssl_conf_session_tickets(c, s->ctx->resume ? MBEDTLS_SSL_SESSION_TICKETS_ENABLED
                                                       : MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
    if (!is_client && s->ctx->resume) {
        mbedtls_ssl_conf_session_tickets_cb(c, on_new_ticket, on_ticket, s);
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
    if (err == 0 && s->role == TLS_ROLE_CLIENT && s->ctx->resume && s->shake->may_resume) {
        offer(s, m);
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
            judge_chain(s, mbedtls_ssl_get_peer_cert(&m->ssl));
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

static uint64_t read_counter(const unsigned char counter[8])
{
    uint64_t value = 0;
    for (size_t i = 0; i < 8; i++) {
        value = value << 8 | counter[i];
    }
    return value;
}

/* Each side has sent one record under the keys, its Finished. */
static int take_keys(struct tls_session *s, struct tls_keys keys[TLS_DIRECTION_COUNT])
{
    const struct mbed_session *m = s->shake->lib;
    const struct tls_suite *suite = tls_suite_find((uint32_t)m->ssl.session->ciphersuite);
    if (!suite || s->shake->keys[TLS_IN].version == 0 ||
        mbedtls_ssl_get_bytes_avail(&m->ssl) != 0 || mbedtls_ssl_check_pending(&m->ssl) != 0 ||
        read_counter(m->ssl.in_ctr) != 1 || read_counter(m->ssl.cur_out_ctr) != 1) {
        return tls_note_error(s, ERR_TLS_HANDSHAKE,
                              "mbedTLS's state after the handshake is not as expected");
    }
    for (uint32_t i = 0; i < TLS_DIRECTION_COUNT; i++) {
        keys[i] = s->shake->keys[i];
        keys[i].cipher = suite->cipher;
        keys[i].seq = 1;
    }
    return 0;
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
    .take_keys = take_keys,
    .is_resumed = is_resumed,
    .keep = keep,
    .aead = &tls_aead_mbedcrypto,
    .signed_by = signed_by,
};
