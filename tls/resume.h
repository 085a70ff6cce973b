/* SPDX-License-Identifier: GPL-2.0-or-later */
/* resume: what it takes to continue a session: who the peer was, for both roles; for a server, keys
 * of its own for the tickets it gives; for a client, the sessions it may offer again.
 *
 * A resumed handshake shows no certificate. So a ticket is worth nothing without the identity that
 * was judged when the session began: a server finds it by the ticket's id in a bounded store, a
 * client keeps it with the session. One that is not there, has expired (6 hours, 7 days, or the
 * first certificate of the chain shown), or belongs to another name or credential means a full
 * handshake. Everything belongs to a context: after a reload all handshakes are full ones again.
 * Any thread; one mutex, held for a copy of a few hundred bytes. RFC 5077, 7627, 8446 2.2.       */
#ifndef FG_TLS_RESUME_H
#define FG_TLS_RESUME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/slice.h"
#include "tls/names.h"

struct chain_proof;
struct tls_backend;
struct tls_session;

#define RESUME_SERVER_SECONDS (6 * 3600)
#define RESUME_CLIENT_SECONDS (7 * 86400)
#define RESUME_SWEEP_SECONDS  600
/* Tickets that a handshake may offer us. */
#define RESUME_TRIES_MAX 8u
/* The oldest ones go first. */
#define RESUME_PEERS_MAX 4096u
#define RESUME_OFFERS_MAX 512u
/* Of one session that a client keeps: the library's form of it, with the ticket. */
#define RESUME_OFFER_BYTES_MAX 16384u

#define RESUME_ID_BYTES 16u
#define RESUME_NONCE_BYTES 12u
#define RESUME_TAG_BYTES 16u

/* Who a peer was. */
struct resume_identity {
    struct tls_names names;
    char *texts; /* owned: subject, issuer and the server's name, each with its NUL */
    struct chain_proof *proof; /* owned; NULL = none */
    int64_t not_after_unix_s;
    int64_t expires_unix_s;
    uint32_t cred_idx; /* ours; UINT32_MAX = none */
    uint8_t chain;     /* enum tls_chain */
};

struct resume;

struct resume *resume_new(const struct tls_backend *backend);
void resume_free(struct resume *r);
/* Now and then: with each handshake. Forgets what has expired. */
void resume_sweep(struct resume *r, int64_t now_unix_s);

/* Who the peer of this handshake is, in full or continued. ERR_NOMEM. */
NODISCARD int resume_identity_of(struct resume_identity *out, const struct tls_session *s);
void resume_identity_deinit(struct resume_identity *identity);

/* What goes into a ticket beside the library's secret. */
struct resume_ticket {
    unsigned char id[RESUME_ID_BYTES];
    unsigned char nonce[RESUME_NONCE_BYTES];
};

/* Server: encrypts len bytes in place, with the tag behind them, and keeps who the peer is, and the
 * ticket's key, under the new id. Without memory, or when the peer's chain is not OK, it does not,
 * and the ticket will lead nowhere. */
NODISCARD int resume_seal(struct tls_session *s, struct resume_ticket *ticket, char *bytes,
                          size_t len);
/* Server: decrypts in place; len includes the tag. True when it is ours and the peer is known, may
 * still be taken for who it was, and asks for the same name (sni: as far as it was read yet); it is
 * then in s->shake->resumed. */
NODISCARD bool resume_open(struct tls_session *s, const struct resume_ticket *ticket, char *bytes,
                           size_t len, struct slice sni);
/* Server: the ticket that this handshake gave may not be used. */
void resume_revoke(struct tls_session *s);

/* Client: a session to offer, in the library's form, appended to session; its identity is then in
 * s->shake->resumed. It is taken out: offered once. */
struct buf;
NODISCARD bool resume_take_offer(struct tls_session *s, struct buf *session);
/* Client: keeps a session of this connection for lifetime_s. */
void resume_keep_offer(struct tls_session *s, struct slice session, uint64_t lifetime_s);

/* Whether it is still who it was, for the name and the credential of this handshake. */
bool resume_identity_fits(const struct resume_identity *identity, const struct tls_session *s);

/* How many there are, or keys left behind, for tests. */
uint32_t resume_peer_count(struct resume *r);
uint32_t resume_offer_count(struct resume *r);

#endif
