/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls: sessions over memory. A backend (wolfssl, mbedtls; one file each) does the handshake; bytes
 * go in, bytes come out, no socket is known here. What the peer's certificate is worth is reported,
 * not enforced: the caller's policy decides (TLS may serve for encryption only, RFC 7590 3.4).
 *
 *   context  credentials and trust, immutable, shared by threads, counted references
 *   session  one connection; one thread at a time (it may move with its connection)
 *   records  open/seal below; the seam that kernel or own records take over later
 *
 * TLS 1.2 and 1.3; forward-secret AEAD suites; no renegotiation, no compression.
 * ALPN offered and selected: as params say. RFC 5246, 8446, 6066 (SNI), 7301 (ALPN), XEP-0368.   */
#ifndef FG_TLS_TLS_H
#define FG_TLS_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/crypto.h"
#include "base/slice.h"
#include "tls/names.h"

struct tls_context;
struct tls_session;

/* "wolfssl" or "mbedtls"; NULL = no such backend. */
struct tls_backend;
const struct tls_backend *tls_backend_find(const char *name);
const char *tls_backend_name(const struct tls_backend *backend);
/* Library version text, e.g. "wolfSSL 5.5.4". */
const char *tls_backend_version(const struct tls_backend *backend);
const struct crypto *tls_backend_crypto(const struct tls_backend *backend);

#define TLS_ERROR_TEXT_BYTES 256u
struct tls_error {
    int err;                         /* ERR_TLS_* */
    char text[TLS_ERROR_TEXT_BYTES]; /* what, which file or peer, what to do */
};

struct tls_credential {
    const char *certificate_path; /* PEM, leaf first, then the chain */
    const char *key_path;         /* PEM, unencrypted */
    struct slice domain; /* A-label it is meant for, even if others name it too; empty = none */
};

struct tls_context_params {
    const struct tls_credential *credentials; /* the first is the default */
    uint32_t credential_count;                /* SNI picks: domain, then names inside */
    const char *trust_path;                   /* PEM bundle; NULL = trust nobody */
};

/* Control thread; reads files, may take milliseconds. */
NODISCARD int tls_context_new(struct tls_context **out, const struct tls_backend *backend,
                              const struct tls_context_params *params, struct tls_error *why);
struct tls_context *tls_context_ref(struct tls_context *ctx);
void tls_context_unref(struct tls_context *ctx);
/* Names and expiry of a credential, for start-up checks and /stats; NULL past the end. An expired
 * credential loads (an admin must be able to start): whoever starts should warn. */
const struct tls_names *tls_context_names(const struct tls_context *ctx, uint32_t credential_idx);
int64_t tls_context_not_after_unix_s(const struct tls_context *ctx, uint32_t credential_idx);
/* Certificates in the trust bundle. */
uint32_t tls_context_trust_count(const struct tls_context *ctx);

enum tls_role { TLS_ROLE_CLIENT, TLS_ROLE_SERVER };

struct tls_session_params {
    enum tls_role role;
    /* Client: server_name to send, A-label; empty = none. Server: ignored. */
    struct slice sni;
    /* Protocol to offer (client) or to require when the client offers any (server: a client that
     * offers only others gets alert no_application_protocol); empty = no ALPN.               */
    struct slice alpn;
    /* Credential: UINT32_MAX = client: the one whose names cover credential_domain, server: by
     * SNI; else this index. */
    uint32_t credential_idx;
    struct slice credential_domain; /* our own XMPP domain on this connection, or empty */
    int64_t now_unix_s; /* to judge certificates by; 0 = the system's clock */
};

NODISCARD int tls_session_new(struct tls_session **out, struct tls_context *ctx,
                              const struct tls_session_params *params);
void tls_session_free(struct tls_session *s);

enum tls_step {
    TLS_STEP_DONE, /* handshake complete; tls_session_peer() is filled */
    TLS_STEP_MORE, /* send what is in out, come back with more input */
    TLS_STEP_BAD,  /* send what is in out (an alert), then close; tls_session_error() says why */
};

/* in: received ciphertext; *consumed bytes of it were taken (the rest is kept by the caller and is
 * the start of the records). out: ciphertext to send. First client call: empty in.             */
enum tls_step tls_session_handshake(struct tls_session *s, struct slice in, size_t *consumed,
                                    struct buf *out);

/* Records, after TLS_STEP_DONE. open takes whole or partial records from in, appends plaintext to
 * plain, and answers (alerts, key updates) to out. 0; ERR_CLOSED after close_notify (again on every
 * later call); ERR_TLS_*. A transport that ends without ERR_CLOSED was cut (ERR_TLS_TRUNCATED is
 * for the caller to raise). Takes nothing (*consumed 0) while plain has room for less than one
 * record: plain->bytes_max must be above TLS_PLAIN_ROOM.                                         */
#define TLS_PLAIN_ROOM 16384u
NODISCARD int tls_session_open(struct tls_session *s, struct slice in, size_t *consumed,
                               struct buf *plain, struct buf *out);
/* Encrypts all of plain into records appended to out. */
NODISCARD int tls_session_seal(struct tls_session *s, struct slice plain, struct buf *out);
/* Appends close_notify. */
void tls_session_close(struct tls_session *s, struct buf *out);
const struct tls_error *tls_session_error(const struct tls_session *s);

enum tls_chain {
    TLS_CHAIN_NONE,        /* the peer showed no certificate */
    TLS_CHAIN_OK,
    TLS_CHAIN_SELF_SIGNED,
    TLS_CHAIN_UNKNOWN_CA,
    TLS_CHAIN_EXPIRED,
    TLS_CHAIN_NOT_YET_VALID,
    TLS_CHAIN_BAD,         /* signature, constraints, key usage, weak key, unparsable */
};

/* Stable name: "ok", "self-signed", ...; and a sentence for people. */
const char *tls_chain_name(enum tls_chain chain);
const char *tls_chain_text(enum tls_chain chain);

struct tls_peer {
    enum tls_chain chain;
    struct tls_names names;     /* of the leaf; empty when there is none */
    int64_t not_after_unix_s;   /* leaf */
    char subject[128];          /* for people and logs; escaped, cut */
    char issuer[128];
    const char *version;        /* "TLSv1.3" */
    const char *cipher;         /* "TLS_AES_128_GCM_SHA256" */
    char sni[256];              /* server: what the client asked for, lower case; "" = nothing */
    char alpn[32];              /* what was agreed; "" = nothing */
};
/* Valid while the session lives, after TLS_STEP_DONE. */
const struct tls_peer *tls_session_peer(const struct tls_session *s);

#endif
