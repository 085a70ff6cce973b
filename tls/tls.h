/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls: sessions over memory. A backend (wolfssl, mbedtls; one file each) does the handshake; bytes
 * go in, bytes come out, no socket is known here. What the peer's certificate is worth is reported,
 * not enforced: the caller's policy decides (TLS may serve for encryption only, RFC 7590 3.4).
 *
 *   context  credentials and trust, immutable, shared by threads, counted references; a session
 *            has one until its keys are taken
 *   session  one connection; one thread at a time (it may move with its connection)
 *   records  after the handshake the library gives out its keys and is freed; our record engine
 *            (record.h) goes on, or the kernel, per direction
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
#include "tls/keys.h"
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
/* "production" (deploy/wolfssl) or "distribution". */
const char *tls_backend_build(const struct tls_backend *backend);
/* AES-GCM by the processor's instructions. */
bool tls_backend_has_fast_aes(const struct tls_backend *backend);
/* Whether it gives out traffic secrets, so that KeyUpdate works in the user record engine. */
bool tls_backend_has_secrets(const struct tls_backend *backend);

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

struct issuers;

struct tls_context_params {
    const struct tls_credential *credentials; /* the first is the default */
    uint32_t credential_count;                /* SNI picks: domain, then names inside */
    const char *trust_path;                   /* PEM bundle; NULL = trust nobody */
    const char *crl_path; /* PEM or DER file, or a folder of such; NULL = none (revocation.h) */
    bool crl_required;    /* also refuse what was issued by somebody without a list there */
    /* What earlier contexts have met, so that new lists reach live connections; gets a reference;
     * NULL = begin with none (issuers.h). */
    struct issuers *issuers;
    /* AES-GCM before ChaCha20 even if the library's is slow: the kernel's is not. */
    bool is_aes_first;
    bool has_tickets; /* server: give tickets and take them back; client: see may_resume */
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
/* The order of suites: AES-GCM before ChaCha20. */
bool tls_context_is_aes_first(const struct tls_context *ctx);

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
    enum tls_version version_min; /* 0 = TLS 1.2 */
    /* Client, where the context has_tickets: offer a ticket of an earlier session with the same
     * sni, alpn, credential and context, and keep one for later. */
    bool may_resume;
    /* Told what the peer shows, DER, leaf first, valid during the call; perhaps more than once.
     * For diagnosis; NULL = nobody asks. */
    void (*chain_seen)(void *ctx, const struct slice *chain, uint32_t count);
    void *chain_seen_ctx; /* borrowed until the handshake is over */
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

/* --- records, after TLS_STEP_DONE --- */

/* Who protects a direction's records. The library does until its keys can be taken: as a client of
 * TLS 1.3 that may_resume until the first application data has come (the server's tickets come
 * before it), else not at all. */
enum tls_path { TLS_PATH_LIBRARY, TLS_PATH_USER, TLS_PATH_KERNEL };
/* "library", "user", "kernel" */
const char *tls_path_name(enum tls_path path);
enum tls_path tls_session_path(const struct tls_session *s, enum tls_direction direction);

/* Opens whole records at the head of bytes, in place: *plain is one stretch inside the consumed
 * part of bytes (all their application data, moved together). *consumed ends at a record's border;
 * what is behind it, less than a record, is the caller's to keep and to bring again with more. So
 * is a bad record behind data: that is for the owner first, the next call tells what was wrong.
 * Answers (alerts, key updates) are appended to out. 0; ERR_CLOSED after close_notify (again on
 * every later call; plain may hold what came before it); ERR_TLS_*: plain is empty, out has the
 * alert. ERR_TLS_REKEY is no failure of ours: what we have to say, and close_notify, can still go
 * out. A transport that ends without ERR_CLOSED was cut (ERR_TLS_TRUNCATED is for the caller to
 * raise). Not for a direction that the kernel protects.                                        */
NODISCARD int tls_session_open(struct tls_session *s, char *bytes, size_t len, size_t *consumed,
                               struct slice *plain, struct buf *out);
/* Bytes that the record at the head of in needs in all; 0 = its header is not complete. */
size_t tls_session_record_bytes(const struct tls_session *s, struct slice in);
/* Plaintext in one of the records that tls_session_seal has appended (in: from its header on). Of
 * what is no application data 0, in TLS 1.3 perhaps some bytes. */
size_t tls_session_record_plain(const struct tls_session *s, struct slice in);
/* Encrypts all of plain into records appended to out: small ones at a stream's start (the peer can
 * use them as they come), full ones later. Empty plain: only what tls_session_control has left to
 * be said. */
NODISCARD int tls_session_seal(struct tls_session *s, struct slice plain, struct buf *out);
/* Appends close_notify; with the kernel path: becomes a note. */
void tls_session_close(struct tls_session *s, struct buf *out);
/* Gives back what an idle connection does not need, and everything that belongs to this thread:
 * before the session moves to another one. */
void tls_session_rest(struct tls_session *s);
/* A key is used up and cannot be renewed in this session: open another connection, then close
 * this. */
bool tls_session_is_worn(const struct tls_session *s);
/* KeyUpdates that sessions of the calling thread have followed (TLS_IN) and made (TLS_OUT). */
uint64_t tls_key_update_count(enum tls_direction direction);

/* --- the kernel's part; by core/engine --- */

/* The keys to install; NULL while the library holds them. */
const struct tls_keys *tls_session_keys(const struct tls_session *s,
                                        enum tls_direction direction);
/* From here on the kernel protects this direction; our copy of the keys is wiped (the traffic
 * secret only if the kernel cannot take new keys). TLS_IN: only when everything received was
 * opened. */
void tls_session_to_kernel(struct tls_session *s, enum tls_direction direction, bool can_rekey);
/* Content of a record of another type than application data, opened by the kernel. 0; ERR_CLOSED;
 * ERR_TLS_REKEY: its next keys cannot be followed; ERR_TLS_*. May leave notes. After 0
 * tls_session_wants_rekey says whether new keys are to be installed. */
NODISCARD int tls_session_control(struct tls_session *s, uint8_t type, struct slice content);
bool tls_session_wants_rekey(const struct tls_session *s, enum tls_direction direction);
/* The kernel has opened or sealed so many records of application data. 0; TLS_IN: ERR_TLS_RECORD:
 * none may come now, in the middle of another message; TLS_OUT: ERR_TLS_WORN: no more may be sealed
 * with this key, the connection is to be closed. */
int tls_session_count(struct tls_session *s, enum tls_direction direction, uint64_t records);

/* What is to be sent as a control record through the kernel, oldest first; false = nothing. */
struct tls_note {
    uint8_t type; /* record_type */
    uint8_t len;
    char bytes[8];
};
bool tls_session_note(struct tls_session *s, struct tls_note *note);

const struct tls_error *tls_session_error(const struct tls_session *s);

enum tls_chain {
    TLS_CHAIN_NONE,        /* the peer showed no certificate */
    TLS_CHAIN_OK,
    TLS_CHAIN_SELF_SIGNED,
    TLS_CHAIN_UNKNOWN_CA,
    TLS_CHAIN_EXPIRED,
    TLS_CHAIN_NOT_YET_VALID,
    TLS_CHAIN_BAD,         /* signature, constraints, key usage, weak key, unparsable */
    TLS_CHAIN_REVOKED,     /* a CRL lists it, or one it depends on */
    TLS_CHAIN_CRL_STALE,   /* the CRL that would tell is out of date or not valid */
};

/* Stable name: "ok", "self-signed", ...; and a sentence for people. */
const char *tls_chain_name(enum tls_chain chain);
const char *tls_chain_text(enum tls_chain chain);

struct tls_peer {
    enum tls_chain chain;
    struct tls_names names;     /* of the leaf; empty when there is none */
    int64_t not_after_unix_s;   /* leaf */
    const char *subject;        /* for people and logs; escaped, cut; these four are never NULL */
    const char *issuer;
    const char *version;        /* "TLSv1.3" */
    const char *cipher;         /* "TLS_AES_128_GCM_SHA256" */
    const char *sni;            /* server: what the client asked for, lower case; "" = nothing */
    const char *alpn;           /* what was agreed; "" = nothing */
    bool is_resumed;            /* chain and names are those of the session it continues */
};
/* Another context is in force: a chain that was OK but does not stand under its anchors and lists
 * becomes TLS_CHAIN_REVOKED or TLS_CHAIN_UNKNOWN_CA. False = it has just become so. */
bool tls_session_rejudge(struct tls_session *s, const struct tls_context *now_in_force);
/* Valid while the session lives, after TLS_STEP_DONE. */
const struct tls_peer *tls_session_peer(const struct tls_session *s);

#endif
