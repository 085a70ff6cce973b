/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream: one XMPP server-to-server stream, incoming or outgoing, as a machine without I/O: bytes,
 * time and answers of the edge in; bytes (appended to out) and events out. RFC 6120, XEP-0220,
 * 0178, 0344, 0198 (acks only), 0478. Streams are one-way: stanzas come in on incoming ones and go
 * out on outgoing ones (no XEP-0288).
 *
 *   stream_new -> { stream_feed until STREAM_MORE, for each event: act }* ; stream_timeout likewise
 *   whenever stream_deadline has passed -> FAILED / CLOSED / PEER_CLOSED: flush out, close the
 *   connection, stream_free. After every call the deadline may have changed and out have grown.
 *
 * Domains in the interface (local = ours, remote = the peer's) are normalised as jid.h does.
 * Threads: one at a time; the object moves with its connection (memory: pool). It keeps the
 * pointers out, host and ctx; stream_set_out() when the first changes.
 * An event's slices are valid until the next call on the stream and, for a stanza, as long as the
 * fed bytes are kept.                                                                            */
#ifndef FG_XMPP_STREAM_H
#define FG_XMPP_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/crypto.h"
#include "base/slice.h"
#include "xmpp/acks.h"
#include "xmpp/dialback.h"
#include "xmpp/error.h"
#include "xmpp/stanza.h"

struct stream; /* opaque */

#define STREAM_NEVER UINT64_MAX

enum stream_role { STREAM_IN, STREAM_OUT };

/* Ways to prove a domain pair, as bits. */
enum stream_method {
    STREAM_METHOD_NONE = 0,
    STREAM_METHOD_EXTERNAL = 1,    /* SASL EXTERNAL with the TLS certificate */
    STREAM_METHOD_CERTIFICATE = 2, /* dialback answered from the certificate (XEP-0344) */
    STREAM_METHOD_DIALBACK_TLS = 4,
    STREAM_METHOD_DIALBACK_PLAIN = 8, /* TCP dialback */
};
const char *stream_method_name(enum stream_method m);

/* What is agreed for one (local, remote) pair. Everything about TLS, SASL and dialback follows from
 * the methods that the negotiation table (policy) leaves open:
 *   TLS is offered and used when one of EXTERNAL, CERTIFICATE, DIALBACK_TLS is;
 *   TLS is required when DIALBACK_PLAIN is not;
 *   dialback is offered, accepted and sent when one of the other three is.
 * CERTIFICATE (XEP-0344) only means that a db:result is answered at once when the certificate
 * proves the domain; beside EXTERNAL it lets a peer add domains of its certificate to a stream. */
struct stream_rules {
    uint32_t methods;       /* bits of enum stream_method; 0 = refused */
    bool multiplex;         /* out: further pairs may share a stream */
    bool acks;              /* in: offer XEP-0198; out: use it when offered */
    /* Out: space when nothing was sent for so long. In: closed in order when nothing, not even a
     * space, was received for so long. 0 = none */
    uint32_t keepalive_ms;
    uint32_t inactivity_ms; /* in: no element received; out: no stanza sent; 0 = no bound */
    uint32_t stanza_bytes_max; /* in: told to the peer where it is less than the limits'; 0 = not */
};

/* Why a pair may not talk, as the host says it. */
struct stream_refusal {
    enum stream_condition condition; /* closes a stream whose header names the pair */
    enum stanza_condition dialback;  /* answers a dialback request for it */
    const char *text;                /* static; goes to the peer: nothing it need not know */
};
extern const struct stream_refusal stream_refusal_unknown_local;   /* host-unknown */
extern const struct stream_refusal stream_refusal_unknown_partner; /* policy-violation */
extern const struct stream_refusal stream_refusal_maintenance;     /* remote-server-timeout */
extern const struct stream_refusal stream_refusal_limit;           /* resource-constraint */
extern const struct stream_refusal stream_refusal_method;          /* policy-violation */

/* Pure questions to the edge; answered from the current snapshot. ctx knows the connection. */
struct stream_host {
    /* Whether we serve this domain. */
    bool (*is_local)(void *ctx, struct slice domain);
    /* NULL and *out filled, or why not. remote empty = the peer has not said who it is: the rules
     * for strangers that may still become a known partner (what to offer before that).           */
    const struct stream_refusal *(*rules)(void *ctx, enum stream_role role, struct slice local,
                                          struct slice remote, struct stream_rules *out);
    /* Changes with the snapshot: pairs are then checked against the rules again. */
    uint64_t (*rules_version)(void *ctx);
    /* The peer of this connection showed a certificate whose chain is good and whose names cover
     * domain. False on plain connections.                                                        */
    bool (*certificate_ok)(void *ctx, struct slice domain);
    /* Why not, for the log ("expired", "names a.example, not b.example"); never NULL. */
    const char *(*certificate_fault)(void *ctx, struct slice domain);
    const struct dialback_secret *(*dialback_secret)(void *ctx, struct slice local);
    /* Out: the key of our db:result, where another process holds the secret and answers for it
     * (diagnosis). False: there is none, dialback fails. NULL = made of dialback_secret. */
    bool (*dialback_key)(void *ctx, const struct dialback_bond *bond, struct dialback_key *out);
};

struct stream_limits {
    uint32_t establish_ms;       /* header to authenticated, all together */
    uint32_t dialback_ms;        /* one db:result or db:verify awaiting its answer */
    uint32_t ack_ms;             /* an <r/> awaiting its <a/> */
    uint32_t close_ms;           /* our </stream:stream> awaiting the peer's */
    uint32_t sasl_attempts_max;  /* RFC 6120 6.4.5: 2 to 5 */
    uint32_t pairs_max;          /* asked and proved, per stream */
    uint32_t verifies_max;       /* unanswered at a time, per stream */
    uint32_t early_elements_max; /* first-level elements before authentication */
    uint32_t early_bytes_max;    /* received before authentication */
    uint32_t stanza_bytes_max;   /* after authentication; told to the peer (XEP-0478) */
};
extern const struct stream_limits stream_limits_default;

struct stream_params {
    enum stream_role role;
    bool is_secured;     /* direct TLS: the handshake is behind us */
    bool is_verify_only; /* out: carries db:verify, no pair is authenticated */
    bool avoid_tls;      /* out: an earlier try failed in TLS; only where the rules allow plain */
    struct slice local;  /* out; any spelling, A-labels too; empty = only to see the features */
    struct slice remote; /* out */
    const struct stream_host *host;
    void *ctx;
    const struct crypto *crypto;
    const struct stream_limits *limits; /* copied; NULL = default */
    struct buf *out;
};

/* What a stream was doing: where it failed. */
#define STREAM_STEPS(X)                                                                            \
    X(HEADER, "header")                                                                            \
    X(STARTTLS, "starttls")                                                                        \
    X(TLS, "tls")                                                                                  \
    X(CERTIFICATE, "certificate")                                                                  \
    X(FEATURES, "features")                                                                        \
    X(SASL, "sasl")                                                                                \
    X(DIALBACK, "dialback")                                                                        \
    X(POLICY, "policy")                                                                            \
    X(XML, "xml")                                                                                  \
    X(STANZA, "stanza")                                                                            \
    X(ACKS, "acks")                                                                                \
    X(STREAM_ERROR, "stream-error") /* the peer's: condition and text are the peer's */            \
    X(OPEN, "open")                 /* authenticated: connection lost, idle */                     \
    X(RESOURCES, "resources")
enum stream_step {
#define X(name, text) STREAM_STEP_##name,
    STREAM_STEPS(X)
#undef X
        STREAM_STEP_COUNT
};
const char *stream_step_name(enum stream_step step);

enum stream_event_kind {
    STREAM_MORE,      /* nothing (more); out may have grown */
    STREAM_START_TLS, /* flush out in plain, upgrade, then stream_secured(). No bytes may be left */
    STREAM_PAIR_AUTHENTICATED, /* in: stanzas from remote to local are taken from now on */
    STREAM_VERIFY_WANTED, /* in: ask remote's server elsewhere, then stream_verify_result() */
    STREAM_VERIFY_ANSWER, /* out: to a stream_send_verify() */
    STREAM_READY,         /* out: stanzas of the pair may be sent */
    STREAM_PAIR_REFUSED,  /* out: stanzas of the pair must not be sent; other pairs live on */
    STREAM_STANZA,        /* in: checked, counted; ours to deliver or answer */
    STREAM_STANZA_BAD,   /* in: as before but unusable: answer bounce to its sender, if it may be */
    STREAM_ACKED,        /* out: the oldest acked_count stanzas are delivered */
    STREAM_ACKS_REFUSED, /* out: the peer will not acknowledge: stop keeping stanzas */
    STREAM_NOTE,         /* something was ignored (failure says what): count and log */
    STREAM_IDLE,         /* out: unused; closing has begun, send no more, feed until CLOSED */
    STREAM_PEER_CLOSED,  /* the peer closed in order, our close is written */
    STREAM_CLOSED,       /* our close was answered, or not within close_ms */
    STREAM_FAILED,       /* failure says where and why; stream error and close are written */
};
const char *stream_event_name(enum stream_event_kind kind);

struct stream_failure {
    enum stream_step step;
    enum stream_condition condition; /* ours or, for STREAM_ERROR, the peer's */
    bool is_timeout;
    bool is_mismatch; /* out: TLS is demanded by one side and not had by the other: final */
    const char *text; /* what was seen, what to do; NUL-terminated, untrusted parts escaped */
};

#define STREAM_WHY_BYTES 320u
/* Big (it holds a stanza's addresses): one per thread, handed in again and again; not copyable. */
struct stream_event {
    /* PAIR_AUTHENTICATED, VERIFY_*, READY, PAIR_REFUSED */
    struct slice local;
    struct slice remote;
    enum stream_method method;       /* PAIR_AUTHENTICATED, READY */
    struct slice stream_id;          /* VERIFY_WANTED, VERIFY_ANSWER: id the key is bound to */
    struct slice key;                /* VERIFY_WANTED */
    enum dialback_verdict verdict;   /* VERIFY_ANSWER, PAIR_REFUSED */
    enum stanza_condition condition; /* with DIALBACK_ERROR; STANZA_BAD: what to answer */
    struct stanza stanza;            /* STANZA, STANZA_BAD */
    uint32_t acked_count;            /* ACKED */
    struct stream_failure failure;   /* FAILED, PAIR_REFUSED, NOTE, STANZA_BAD (text) */
    char why[STREAM_WHY_BYTES];      /* where failure.text may be */
};

/* Outgoing: writes the header. ERR_NOMEM, ERR_JID, or ERR_STATE when the rules refuse the pair
 * outright or leave no method (ask host.rules before). now_ms: any monotonic clock. */
NODISCARD int stream_new(struct stream **s, uint64_t now_ms, const struct stream_params *params);
void stream_free(struct stream *s);
void stream_set_out(struct stream *s, struct buf *out);

/* Consumes received bytes up to the next event; again with the rest until STREAM_MORE. */
enum stream_event_kind stream_feed(struct stream *s, uint64_t now_ms, struct slice bytes,
                                   size_t *consumed, struct stream_event *ev);
/* When stream_timeout() is due; STREAM_NEVER = not. */
uint64_t stream_deadline(const struct stream *s);
/* Call until STREAM_MORE. Earlier calls are harmless. */
enum stream_event_kind stream_timeout(struct stream *s, uint64_t now_ms, struct stream_event *ev);

/* The answer to STREAM_START_TLS. sni: in: what the client asked for, empty = nothing. */
enum stream_event_kind stream_secured(struct stream *s, uint64_t now_ms, struct slice sni,
                                      struct stream_event *ev);
/* The connection is gone (TCP end or error, TLS failure): FAILED saying in which step, unless the
 * stream was closed or idle: CLOSED. why: err_text or the like. */
enum stream_event_kind stream_lost(struct stream *s, const char *why, struct stream_event *ev);
/* Begins a close: stream error unless NONE, then </stream:stream>. Feed on until CLOSED. */
void stream_close(struct stream *s, uint64_t now_ms, enum stream_condition condition,
                  const char *text);

/* The rules may have changed: asks the host again about each proved pair (or, before any is, about
 * the pair of the header). A pair that is refused, or was proved by one of lost_methods, carries
 * stanzas no more: they are answered. NULL = the stream may go on; else why the last of its pairs
 * may not (lost where that was it): the caller closes the stream. Timers follow the new rules. */
struct stream_review {
    uint32_t lost_methods;
    const struct stream_refusal *lost;
};
const struct stream_refusal *stream_review(struct stream *s, uint64_t now_ms,
                                           const struct stream_review *how);
/* In: the owner does not read at present; silence is not the peer's. */
void stream_not_listening(struct stream *s, uint64_t now_ms);

/* Closing: the peer's close is waited for no longer than that. */
void stream_close_within(struct stream *s, uint64_t now_ms, uint32_t wait_ms);

/* --- incoming --- */
struct stream_verify {
    struct slice local;
    struct slice remote;
    struct slice stream_id;
    struct slice key; /* stream_send_verify only */
};
/* What the authoritative server said (condition with DIALBACK_ERROR: remote-server-not-found,
 * remote-connection-failed, remote-server-timeout). Ignored (MORE) when no such request is open on
 * this stream: late, or the stream was restarted. Yields PAIR_AUTHENTICATED, FAILED or MORE. */
enum stream_event_kind stream_verify_result(struct stream *s, uint64_t now_ms,
                                            const struct stream_verify *v,
                                            enum dialback_verdict verdict,
                                            enum stanza_condition condition,
                                            struct stream_event *ev);

/* --- outgoing --- */
/* Asks to send one more pair on this stream: READY or PAIR_REFUSED follow. ERR_STATE when the
 * rules, the peer's features or the state do not allow that here: use another stream. ERR_LIMIT. */
NODISCARD int stream_add_pair(struct stream *s, uint64_t now_ms, struct slice local,
                              struct slice remote);
bool stream_pair_is_ready(const struct stream *s, struct slice local, struct slice remote);
/* Sends (as soon as the stream's state lets it) a db:verify; VERIFY_ANSWER follows, or the end of
 * the stream. v->remote is the stream's remote or another domain ready on it, else ERR_STATE.
 * ERR_LIMIT, ERR_NOMEM. */
NODISCARD int stream_send_verify(struct stream *s, uint64_t now_ms, const struct stream_verify *v);
/* After appending stanzas to out: counts them, restarts keep-alive. */
void stream_sent(struct stream *s, uint64_t now_ms, uint32_t stanza_count);
/* Asks for an acknowledgement of what was sent, at once or when the last question is answered. No
 * effect where the peer acknowledges nothing. */
void stream_ask(struct stream *s, uint64_t now_ms);
/* What the peer's last features (and header) had, as far as streams use it: for diagnosis. */
enum stream_offer {
    STREAM_OFFER_STARTTLS = 1,
    STREAM_OFFER_STARTTLS_REQUIRED = 2,
    STREAM_OFFER_EXTERNAL = 4,
    STREAM_OFFER_DIALBACK = 8, /* the feature, or the namespace in its header */
    STREAM_OFFER_DIALBACK_ERRORS = 16,
    STREAM_OFFER_ACKS = 32,
};
/* Bits of enum stream_offer. */
uint32_t stream_peer_offers(const struct stream *s);
/* The largest stanza the peer takes (XEP-0478); 0 = unknown. */
uint32_t stream_peer_bytes_max(const struct stream *s);

/* --- for statistics and decisions of the edge --- */
const struct acks *stream_acks(const struct stream *s);
bool stream_is_secured(const struct stream *s);
/* Something is proved, or (verify-only) requests may flow; nothing is closing. */
bool stream_is_open(const struct stream *s);
/* Proved pairs. */
uint32_t stream_pair_count(const struct stream *s);
/* Pairs whose proof is still awaited. */
uint32_t stream_asked_count(const struct stream *s);
/* Id of the latest stream; the peer's for outgoing ones; empty before it is known. */
struct slice stream_id(const struct stream *s);
/* In: what the header said, empty = not yet or nothing. Out: as given. */
struct slice stream_local(const struct stream *s);
struct slice stream_remote(const struct stream *s);
/* "IN_FEATURES": stable names, see README. */
const char *stream_state_name(const struct stream *s);

#endif
