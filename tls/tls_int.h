/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls_int: what tls.c and the backends share. Private to this room.
 *
 * A backend keeps its own objects behind the `lib` pointers and moves bytes through
 * tls_wire_read/tls_wire_write; everything that can be the same for all of them (loading of files,
 * choice of credentials, path validation, names, limits) is in tls.c, load.c and chain.c.        */
#ifndef FG_TLS_TLS_INT_H
#define FG_TLS_TLS_INT_H

#include <stdatomic.h>

#include "tls/aead.h"
#include "tls/chain.h"
#include "tls/control.h"
#include "tls/hello.h"
#include "tls/record.h"
#include "tls/resume.h"
#include "tls/tls.h"

#define TLS_CONTEXT_MAGIC 0x544c5343u
#define TLS_SESSION_MAGIC 0x544c5353u

#define TLS_CREDENTIALS_MAX 256u
/* A stream's first bytes go in small records: a peer opens a record only when it has all of it. */
#define TLS_FRESH_BYTES 65536u
#define TLS_FRESH_RECORD_BYTES 4096u
/* Of a handshake: records in a row without a part of it, and all that the peer may send. */
#define TLS_SHAKE_QUIET_MAX 64u
#define TLS_SHAKE_BYTES_MAX ((size_t)256 << 10)
/* Client of TLS 1.3: records without data that the library may see before its keys are taken. */
#define TLS_LIBRARY_QUIET_MAX 8u

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
    struct issuers *issuers;   /* shared (ref) */
    struct chain_cache *cache; /* owned */
    uint64_t grounds_hash;     /* of trust and crls */
    bool crl_required;
    bool is_aes_first;
    struct resume *resume; /* owned; NULL = no tickets */
    struct tls_cred *creds;    /* owned, cred_count */
    uint32_t cred_count;
};

enum tls_state { TLS_STATE_HANDSHAKE, TLS_STATE_OPEN, TLS_STATE_PEER_CLOSED, TLS_STATE_FAILED };

/* Follows the record borders of what the backend reads or writes while it shakes hands. */
struct tls_framing {
    unsigned char header[5];
    uint8_t header_have;
    uint32_t body_left;
    bool is_not_tls; /* first bytes of the peer were no record */
    bool saw_record;
    bool saw_protected; /* ChangeCipherSpec or application data */
    uint32_t quiet_count; /* records in a row that are no part of the handshake */
};

/* What is needed only until the keys are taken: of the handshake, and the library's objects. */
struct tls_shake {
    void *lib;             /* owned by the backend */
    int64_t now_unix_s;
    uint32_t cred_idx;     /* UINT32_MAX = none */
    uint16_t version_min;
    bool cred_is_fixed;    /* server: do not choose by SNI */
    bool peer_seen;        /* the peer's chain was looked at */
    bool may_resume;       /* client: offers an earlier session and keeps this one */
    bool is_resumed;       /* this handshake continues one, whose peer is in resumed */
    bool has_ems;          /* TLS 1.2: extended master secret */
    bool has_ticket_id;
    uint8_t ticket_tries;  /* server: tickets looked at */
    unsigned char ticket_id[RESUME_ID_BYTES]; /* server: of the ticket given */
    struct resume_identity *resumed; /* owned; of the session offered, or NULL */
    int64_t chain_expires_unix_s;    /* the first of the certificates shown */
    void (*chain_seen)(void *ctx, const struct slice *chain, uint32_t count); /* or NULL */
    void *chain_seen_ctx;
    uint32_t quiet_count;  /* records without data that the library has read */
    struct slice in;       /* borrowed for one call */
    size_t in_used;
    size_t in_bytes;       /* read in all */
    bool is_flooded;       /* the peer sends more than any handshake takes: nothing is read now */
    struct tls_framing framing;
    struct tls_framing out_framing;
    struct hello hello;    /* the peer's */
    char sni[256];         /* client: to send; server: received, lower case */
    char alpn[32];         /* client: to offer; server: to require */
    char agreed[32];       /* ALPN */
    char subject[128];
    char issuer[128];
    /* As far as the library tells them by callbacks: secrets of TLS 1.3, keys of TLS 1.2. */
    struct tls_keys keys[TLS_DIRECTION_COUNT];
};

/* What waits to be said in a record of its own (bits), sent in this order. */
enum tls_say {
    TLS_SAY_NO_RENEGOTIATION = 1,
    TLS_SAY_KEY_UPDATE = 2,     /* ours has changed */
    TLS_SAY_KEY_UPDATE_ASK = 4, /* and theirs should */
    TLS_SAY_ALERT = 8,          /* fatal, its number in session.alert */
    TLS_SAY_CLOSE = 16,
};

struct tls_session {
    uint32_t magic;
    uint8_t role;      /* enum tls_role */
    uint8_t state;     /* enum tls_state */
    uint8_t path[TLS_DIRECTION_COUNT]; /* enum tls_path */
    uint8_t say;       /* enum tls_say bits */
    uint8_t alert;
    bool is_failing;   /* err is to be raised when what came before it was taken */
    bool is_said_bye;  /* close_notify or a fatal alert went out: nothing may follow */
    bool has_asked;    /* for new keys of the peer */
    bool has_answered; /* a wish of the peer, and sent no data since: others get no answer */
    bool is_due[TLS_DIRECTION_COUNT]; /* kernel: new keys are to be installed */
    uint32_t fresh_bytes;    /* sealed since the stream began or rested, up to TLS_FRESH_BYTES */
    int err;                 /* of error */
    const struct tls_backend *backend;
    uint64_t grounds_hash;   /* of the context that judged the peer */
    /* Shared (ref); NULL once the keys were taken: a stream that lasts for weeks would keep all
     * that was replaced since, private keys and lists and tickets. */
    struct tls_context *ctx;
    struct tls_shake *shake; /* owned; NULL once the keys were taken */
    struct tls_error *error; /* owned; NULL = none, or no memory for it */
    struct control control;
    struct buf *out;         /* borrowed for one call */
    char *texts;             /* owned: what peer's pointers point to */
    struct tls_peer peer;
    struct chain_proof *proof; /* owned; what peer.chain = OK rests upon; NULL = unknown */
    struct record_side sides[TLS_DIRECTION_COUNT];
};

STATIC_ASSERT(sizeof(struct tls_session) <= 512, "an idle stream keeps one");

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
    /* After the handshake: version into s->peer, the protocol into s->shake->agreed; the suite. */
    uint32_t (*describe)(struct tls_session *s);
    /* After the handshake: it continued an earlier session. Sets shake->has_ems. */
    bool (*is_resumed)(struct tls_session *s);
    /* Client: the session, if it came with a ticket, to resume_keep_offer. */
    void (*keep)(struct tls_session *s);
    /* > 0: bytes; 0: more input needed; ERR_CLOSED; another error with s->error set. */
    int (*read)(struct tls_session *s, char *dst, size_t room);
    /* Records of at most record_bytes plaintext each. */
    int (*write)(struct tls_session *s, struct slice plain, size_t record_bytes);
    void (*close)(struct tls_session *s);
    /* After the handshake: the keys of both directions with their sequence numbers; of TLS 1.3 also
     * secrets, if has_secrets (those at the handshake's end are enough). An error with its text. */
    int (*take_keys)(struct tls_session *s, struct tls_keys keys[TLS_DIRECTION_COUNT]);
    const struct tls_aead_ops *aead;
    chain_signed_by_fn *signed_by;
};

extern const struct tls_backend tls_backend_wolfssl;
extern const struct tls_backend tls_backend_mbedtls;

/* shake.c: up to the hand-over, and records while the library holds the keys */
enum tls_step tls_shake(struct tls_session *s, struct slice in, size_t *consumed);
void tls_shake_drop_resumed(struct tls_shake *k);
/* Takes the keys and frees what only the handshake needed. */
int tls_hand_over(struct tls_session *s);
void tls_shake_free(struct tls_session *s);
/* The whole record at bytes; its plaintext goes to plain, which may lie before bytes in the same
 * memory (room bytes up to the record's end). */
int tls_library_open(struct tls_session *s, struct slice record, char *plain, size_t room,
                     size_t *plain_len);
/* Bytes of the record at the head of in; 0 = its header is not complete. One whose header cannot be
 * right needs no more than that header to be refused. */
size_t tls_library_record_bytes(struct slice in, bool *is_possible);

/* user.c: our own records, and what the kernel's need of us */
/* The whole record at record; *plain: its data, where they stand in it. ERR_CLOSED; other errors
 * are raised by tls_raise, now or when what came before has been taken. */
int tls_user_open(struct tls_session *s, char *record, size_t len, struct slice *plain);
int tls_user_seal(struct tls_session *s, struct slice plain, size_t record_bytes);
/* The session ends with s->err: the alert that belongs to it goes out. */
int tls_raise(struct tls_session *s);
/* To be said as soon as possible, in its order. */
int tls_say(struct tls_session *s, enum tls_say what);

/* peer.c */
bool tls_lower_cstr(struct slice from, char *out, size_t out_bytes);
/* Which credential a server would show for this name. */
uint32_t tls_cred_for(const struct tls_session *s, struct slice name);
int tls_choose_credential(struct tls_session *s, const struct tls_session_params *params);
/* The peer as tls.h shows it, from what the handshake has found. */
int tls_peer_finish(struct tls_session *s);

void tls_set_state(struct tls_session *s, enum tls_state next);
/* For the backends' I/O callbacks: at most room bytes of what came in, 0 = none left. */
size_t tls_wire_read(struct tls_session *s, void *dst, size_t room);
/* False when the caller's buffer is full. */
bool tls_wire_write(struct tls_session *s, const void *bytes, size_t len);
/* Judges the peer's chain, leaf first, and notes its names. count 0 = it showed none. */
void tls_peer_judge(struct tls_session *s, const struct slice *chain, uint32_t count);
/* Of a proof that was kept. */
size_t tls_proof_bytes(const struct chain_proof *proof);
/* Keeps what is needed of a good chain's proof, or drops the one that is there. */
void tls_proof_keep(struct tls_session *s, const struct chain_proof *proof);
/* Server: which credential for this server name; cred_idx stays when nothing fits. */
uint32_t tls_cred_for_sni(struct tls_session *s, struct slice server_name);
/* Records the first error; returns that. */
int tls_fail(struct tls_session *s, int err, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The same without ending the session. */
int tls_note_error(struct tls_session *s, int err, const char *fmt, ...) PRINTF_LIKE(3, 4);
int tls_why(struct tls_error *why, int err, const char *fmt, ...) PRINTF_LIKE(3, 4);
struct tls_suite {
    uint16_t code;
    uint8_t cipher; /* enum tls_cipher */
    const char *name; /* IANA's */
};
/* NULL for one that we do not offer. */
const struct tls_suite *tls_suite_find(uint32_t code);
/* "handshake_failure" for 40; "alert" for unknown ones. */
const char *tls_alert_name(int alert);

#endif
