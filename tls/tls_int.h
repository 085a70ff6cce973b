/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls_int: what tls.c and the backends share. Private to this room.
 *
 * A backend keeps its own objects behind the `lib` pointers and moves bytes through
 * tls_wire_read/tls_wire_write; everything that can be the same for all of them (loading of files,
 * choice of credentials, path validation, names, limits) is in tls.c, load.c and chain.c.        */
#ifndef FG_TLS_TLS_INT_H
#define FG_TLS_TLS_INT_H

#include <stdatomic.h>

#include "tls/chain.h"
#include "tls/record.h"
#include "tls/tls.h"

#define TLS_CONTEXT_MAGIC 0x544c5343u
#define TLS_SESSION_MAGIC 0x544c5353u

#define TLS_CREDENTIALS_MAX 256u
/* A stream's first bytes go in small records: a peer opens a record only when it has all of it. */
#define TLS_FRESH_BYTES 65536u
#define TLS_FRESH_RECORD_BYTES 4096u
/* Records in a row that carry no application data (tickets, key updates, alerts, empty ones):
 * a peer that sends more is only making us work (SEC-38). */
#define TLS_QUIET_RECORDS_MAX 64u

struct tls_cred {
    char domain[256]; /* lower case; empty = none in particular */
    struct tls_names names;
    int64_t not_after_unix_s;
    void *lib; /* owned by the backend */
};

struct tls_context {
    uint32_t magic;
    _Atomic uint32_t refs; /* last unref: acq_rel, so that its free sees all uses */
    const struct tls_backend *backend;
    struct chain_trust *trust; /* owned; NULL = trust nobody */
    struct crl_store *crls;    /* owned; NULL = revocation is not looked at */
    struct chain_cache *cache; /* owned */
    bool crl_required;
    bool is_aes_first;
    struct tls_cred *creds;    /* owned, cred_count */
    uint32_t cred_count;
};

enum tls_state { TLS_STATE_HANDSHAKE, TLS_STATE_OPEN, TLS_STATE_PEER_CLOSED, TLS_STATE_FAILED };

/* Follows the record borders of what the backend reads while it shakes hands. */
struct tls_framing {
    unsigned char header[5];
    uint8_t header_have;
    uint32_t body_left;
    bool is_not_tls;       /* first bytes of the peer were no record */
    bool saw_record;
};

struct tls_session {
    uint32_t magic;
    enum tls_role role;
    enum tls_state state;
    struct tls_context *ctx; /* shared (ref) */
    uint32_t cred_idx;       /* UINT32_MAX = none */
    bool cred_is_fixed;      /* server: do not choose by SNI */
    int64_t now_unix_s;
    enum tls_version version_min;
    uint32_t fresh_bytes;    /* sealed since the stream began or rested, up to TLS_FRESH_BYTES */
    uint32_t quiet_count;    /* complete records since the last application data */
    struct slice in;         /* borrowed for one call */
    size_t in_used;
    struct buf *out;         /* borrowed for one call */
    struct tls_framing framing;
    bool peer_seen;          /* the peer's chain was looked at */
    char sni[256];           /* client: to send */
    char alpn[32];
    struct tls_error error;
    struct tls_peer peer;
    void *lib; /* owned by the backend */
};

struct tls_backend {
    const char *name;
    const char *(*version)(void);
    const struct crypto *crypto;
    const char *build;
    enum tls_version version_max;
    bool has_secrets;
    /* By the processor's instructions; and whether that makes it faster than ChaCha20. */
    bool (*has_fast_aes)(void);
    bool (*is_aes_faster)(void);
    /* Same key in both? Fills cred->lib. Texts are PEM, NUL-terminated; the backend copies. */
    int (*cred_new)(const struct tls_context *ctx, struct tls_cred *cred, struct slice chain_pem,
                    struct slice key_pem, struct tls_error *why);
    void (*cred_free)(struct tls_cred *cred);
    int (*session_new)(struct tls_session *s);
    void (*session_free)(struct tls_session *s);
    enum tls_step (*handshake)(struct tls_session *s);
    /* After the handshake: version, cipher, alpn into s->peer; the chain, if not seen earlier. */
    void (*describe)(struct tls_session *s);
    /* > 0: bytes; 0: more input needed; ERR_CLOSED; another error with s->error set. */
    int (*read)(struct tls_session *s, char *dst, size_t room);
    /* Records of at most record_bytes plaintext each. */
    int (*write)(struct tls_session *s, struct slice plain, size_t record_bytes);
    void (*close)(struct tls_session *s);
    chain_signed_by_fn *signed_by;
};

extern const struct tls_backend tls_backend_wolfssl;
extern const struct tls_backend tls_backend_mbedtls;

/* For the backends' I/O callbacks: at most room bytes of what came in, 0 = none left. */
size_t tls_wire_read(struct tls_session *s, void *dst, size_t room);
/* False when the caller's buffer is full. */
bool tls_wire_write(struct tls_session *s, const void *bytes, size_t len);
/* Judges the peer's chain, leaf first, and notes its names. count 0 = it showed none. */
void tls_peer_judge(struct tls_session *s, const struct slice *chain, uint32_t count);
/* Server: which credential for this server name; cred_idx stays when nothing fits. */
uint32_t tls_cred_for_sni(struct tls_session *s, struct slice server_name);
/* Records the first error; returns err. */
int tls_fail(struct tls_session *s, int err, const char *fmt, ...) PRINTF_LIKE(3, 4);
int tls_why(struct tls_error *why, int err, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* "handshake_failure" for 40; "alert" for unknown ones. */
const char *tls_alert_name(int alert);

#endif
