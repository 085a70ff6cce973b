/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip_int: the inside of the SIP leg, shared by sip_*.c. See sip_side.h. */
#ifndef FG_EDGE_SIP_INT_H
#define FG_EDGE_SIP_INT_H

#include "edge/sip_side.h"
#include "engine/dial.h"
#include "sip/framer.h"
#include "sip/options.h"
#include "sip/transaction.h"
#include "sip/write.h"
#include "translate/error.h"

#define SIP_PEER_MAGIC 0x53495050u
#define SIP_CONN_MAGIC 0x53495043u
#define SIP_OUT_MAGIC 0x5349504fu
#define SIP_REQ_MAGIC 0x53495052u
#define SIP_WAIT_MS_MAX 32000u /* for a connection to the next hop, or behind another message */
#define SIP_SENT_BY_BYTES 270u
#define SIP_STOPPING_RETRY_S 30u
#define SIP_LEAVING_RETRY_S 1u /* over another connection */
#define SIP_PLACE_BYTES 280u

struct sip_peer;
struct sip_req;

/* One SIP connection, accepted or dialled. */
struct sip_conn {
    uint32_t magic;
    struct sip_side *side;
    struct conn *c;        /* the engine's; valid until closed */
    struct sip_peer *peer; /* dialled: whose; NULL = accepted, or leaving */
    struct sip_framer framer;
    struct sip_link link;
    struct list all; /* in sip_side.conns */
    struct list held; /* struct sip_hold, owned: due while its output was crowded */
    bool is_tls;
    bool is_dialled; /* by us; leaving when there is no peer (any more) */
    bool is_trusted; /* its address or certificate belongs to the hop named here */
    bool is_ended;
    bool is_worn;  /* a TLS key is used up (sip_renew.c) */
    uint64_t leaving_since_ms; /* no request of ours is begun on it, it ends soon; 0 = stays */
    uint64_t request_ms;       /* when the last request came */
    uint64_t inside_since_ms; /* a message is incomplete since; 0 = none */
    char hop[64];
    char host[64]; /* peer address without port, for the top Via */
};

/* State, name. */
#define SIP_PEER_STATES(X)      \
    X(IDLE, "idle")             \
    X(DIALLING, "dialling")     \
    X(UP, "up")                 \
    X(BACKOFF, "backoff")
enum sip_peer_state {
#define X(name, text) SIP_PEER_##name,
    SIP_PEER_STATES(X)
#undef X
};

/* A next hop as this shard reaches it. */
struct sip_peer {
    uint32_t magic;
    enum sip_peer_state state; /* sip_peer_set_state only */
    struct sip_side *side;
    struct dial *dial;     /* owned; kept while UP for the next target */
    struct sip_conn *conn; /* while UP */
    struct dial *renewal;  /* owned; while UP and conn is worn: conn's successor */
    uint64_t renew_ms;     /* no renewal is begun before */
    struct list waiting;   /* struct sip_out.link: to be written as soon as it is UP */
    struct list sent;      /* struct sip_out.link: awaiting their response */
    uint32_t queued_count; /* messages of this hop that are not finished */
    size_t queued_bytes;   /* of their bodies */
    struct list req_waiting; /* struct sip_req.link: likewise, and what is not a message */
    struct list req_sent;
    uint32_t req_count; /* of both */
    struct list news;      /* in side.peer_news */
    bool is_lost;          /* its connection is, or was tried in vain */
    bool is_back;          /* it was, until it came back; presence has not been told */
    size_t req_bytes;
    struct sip_probe probe;
    struct sip_txn_ref probe_ref; /* while probe.in_flight: its transaction has us as owner */
    struct wheel_timer timer; /* BACKOFF: its end; UP: the next probe */
    uint32_t attempts;
    uint64_t failover_ms; /* when it last left a target that answered; 0 = never */
    uint64_t requests[2]; /* in, out */
    char last_failure[FAIL_TEXT_BYTES];
    char name[64];
    char place[SIP_PLACE_BYTES]; /* where the configuration said it is, when last dialled */
};

/* What this node calls itself in Via. */
struct sip_own {
    uint64_t version; /* setup_version + 1 for which it holds; 0 = not known */
    struct sip_host host; /* text, decoded; kind SIP_HOST_NONE: it cannot be */
    size_t len;
    char text[SIP_SENT_BY_BYTES];
};

/* A recipient with messages under way: one at a time (RFC 3428 section 8). */
struct sip_target {
    struct list waiting; /* struct sip_out.link behind the one that is out */
    uint32_t count;      /* with the one that is out */
    size_t key_len;
    char key[]; /* Request-URI */
};

/* A MESSAGE on its way, with what an error answer needs. Strings stand in data. */
struct sip_out {
    uint32_t magic;
    struct list link; /* in target.waiting, peer.waiting or peer.sent */
    struct sip_peer *peer;
    struct sip_target *target;
    struct sip_txn_ref ref;
    bool is_retried; /* 503 once: on its second target */
    uint32_t generation; /* of the rules that let it pass (again.h) */
    uint64_t created_ms;
    /* slices into data */
    struct slice local, remote;             /* pair, A-labels */
    struct slice from, to, id;              /* of the stanza, for its error */
    struct slice uri, from_uri, call_id, subject, language, body;
    int64_t date_unix_s;
    char data[];
};

struct sip_hold {
    struct list link;
    uint64_t handle;
    uint64_t deadline_ms;
};

struct sip_side {
    struct edge *e;
    struct sip_txns *txns; /* owned */
    struct sip_ids ids;
    struct map peers;   /* hop name -> struct sip_peer, owned */
    struct map targets; /* Request-URI -> struct sip_target, owned */
    uint64_t target_ends; /* how many were freed: whoever kept one sees whether it may be gone */
    struct sip_own own[2]; /* TCP, TLS */
    struct list conns;  /* struct sip_conn.all */
    struct list holds;  /* struct sip_hold, owned; in order of their deadlines */
    struct wheel_timer hold_timer;
    struct list req_over; /* struct sip_req.link, owned: their outcome is told in a moment */
    struct list peer_news; /* struct sip_peer.news: presence has not been told yet */
    struct wheel_timer req_timer;
    uint32_t generation; /* setup.h: no message waits that was let pass by older rules */
    bool is_stopping;   /* connections are going for good: no one reconnects */
};

static inline uint64_t sip_handle_of(struct sip_txn_ref ref)
{
    return (uint64_t)ref.slot << 32 | ref.generation;
}
static inline struct sip_txn_ref sip_ref_of(uint64_t handle)
{
    return (struct sip_txn_ref){(uint32_t)(handle >> 32), (uint32_t)handle};
}

/* sip_side.c: what this node says of itself. Valid until the next snapshot. */
const struct sip_own *sip_own(struct sip_side *s, bool is_tls);
static inline struct slice sip_sent_by(struct sip_side *s, bool is_tls)
{
    const struct sip_own *own = sip_own(s, is_tls);

    return slice_make(own->text, own->len);
}
extern const struct sip_txn_ops sip_side_txn_ops;

/* sip_conn.c */
struct sip_conn *sip_conn_new(struct sip_side *s, struct conn *c, bool is_tls);
void sip_conn_close(struct sip_conn *sc);
void sip_conn_tick(struct sip_conn *sc);
/* After a new snapshot: hangs up on who is no longer trusted, or speaks too low a version of TLS;
 * sip_peer_review does so for a peer's. */
void sip_conn_review(struct sip_conn *sc);
/* Why the configuration in force does not have this connection, NULL = it may stay: TLS version,
 * certificate, and of an accepted one whether it is a next hop's at all. Counts versions. */
const char *sip_conn_fault(struct sip_conn *sc);
void sip_conn_log_refused(const struct sip_conn *sc, const char *why);
/* Ends it: nothing more is read, what was written leaves. */
void sip_conn_refuse(struct sip_conn *sc);

struct message_to_sip;
struct policy_decision;
struct sip_side_target;

/* sip_uas.c: a request on a trusted connection. */
void sip_uas_request(struct sip_conn *sc, const struct sip_msg *m);
void sip_uas_hold_flush(struct sip_side *s);
/* Answers that waited for room on this connection: as many as it takes; all when it is closed or
 * everything stops. */
void sip_uas_held_flush(struct sip_conn *sc);
void sip_uas_respond(struct sip_side *s, uint64_t handle, unsigned status, uint32_t retry_after_s);

/* Answers; what the transaction no longer wants is dropped. */
void sip_uas_answer(struct sip_side *s, struct sip_txn_ref ref, const struct sip_answer *answer);
void sip_uas_refuse_by_policy(struct sip_conn *sc, struct sip_txn_ref ref,
                              const struct policy_decision *d);
/* Whether this hop may speak for that domain, which is in the message's From. */
bool sip_uas_is_of_hop(struct sip_conn *sc, struct slice domain);

/* sip_events.c: SUBSCRIBE, NOTIFY. */
void sip_events_request(struct sip_conn *sc, struct sip_txn_ref ref, const struct sip_msg *m);

/* sip_uac.c: one message. */
void sip_uac_done(void *owner, const struct sip_client_done *done);
/* NULL: no memory. */
NODISCARD struct sip_out *sip_out_new(const struct stanza *st,
                                      const struct sip_side_target *target,
                                      const struct message_to_sip *m);
/* Writes it, or has it wait for the connection. Nothing that sip_out_is_refused. */
void sip_out_dispatch(struct sip_out *o);
bool sip_out_is_too_old(const struct sip_out *o);
/* Whether the rules that came while it waited refuse it; then its sender is answered. */
NODISCARD bool sip_out_is_refused(struct sip_out *o);
/* Answers its sender. */
void sip_out_refuse(struct sip_out *o, enum error_local what);
void sip_out_free(struct sip_out *o);
/* Frees it; the recipient's next one goes out, unless it has waited too long or is refused. */
void sip_out_finish(struct sip_out *o);

/* sip_queue.c */
void sip_queue_update(struct sip_peer *p);
void sip_queue_update_target(struct sip_side *s, const struct sip_target *t);
void sip_queue_target_free(struct sip_side *s, struct sip_target *t);
/* The connection is there, or takes more: what waits is written, messages and others by turns. */
void sip_uac_peer_up(struct sip_peer *p);
/* No connection came about: what waits is answered. */
void sip_uac_peer_down(struct sip_peer *p);
/* Orderly stop: whatever has no answer yet gets one from us. */
void sip_uac_refuse_all(struct sip_side *s);
void sip_uac_tick(struct sip_side *s);

/* sip_request.c: SUBSCRIBE and NOTIFY out. */
void sip_req_done(struct sip_req *q, const struct sip_client_done *done);
/* The first one that waits; false: none, or the connection takes none now. */
bool sip_req_write_next(struct sip_peer *p);
void sip_req_peer_down(struct sip_peer *p);
/* Gives up those that have waited too long. */
void sip_req_tick(struct sip_peer *p);
/* Its connection is there, was lost, or was tried in vain: presence hears of it in a moment. */
void sip_req_peer_seen(struct sip_peer *p, bool is_reachable);
/* Orderly stop. */
void sip_req_refuse_all(struct sip_peer *p);
/* Nobody is told. */
void sip_req_peer_free(struct sip_peer *p);
void sip_req_free(struct sip_side *s);

/* sip_peer.c */
struct sip_peer *sip_peer_of(struct sip_side *s, const struct next_hop *hop);
void sip_peer_need(struct sip_peer *p);
void sip_peer_set_state(struct sip_peer *p, enum sip_peer_state state);
const char *sip_peer_state_name(enum sip_peer_state state);
void sip_peer_conn_closed(struct sip_peer *p, const char *why);
/* 503 or lost probes: leaves this target for the next. */
void sip_peer_failover(struct sip_peer *p, const char *why);
bool sip_peer_may_failover(const struct sip_peer *p);
void sip_peer_free(struct sip_peer *p);
/* After a new snapshot: leaves the place where the next hop no longer is, and a connection that the
 * configuration would not make now. */
void sip_peer_review(struct sip_peer *p);
/* Dials the next hop. */
NODISCARD int sip_peer_dial(struct sip_peer *p, const struct dial_ops *ops, struct dial **out);
/* Whether a connection just dialled leads to the next hop; else it is aborted. */
bool sip_peer_accepts(struct sip_peer *p, struct sip_conn *sc);
/* UP: sc, dialled by d (owned from now on), takes the place of conn, which leaves. */
void sip_peer_succeed(struct sip_peer *p, struct sip_conn *sc, struct dial *d);
/* Of the current snapshot; NULL = it has none of that name, or of another kind. */
const struct next_hop *sip_peer_hop(const struct sip_peer *p);
uint32_t sip_peer_random(struct sip_peer *p);

/* sip_probe.c: OPTIONS */
/* UP: the next one is due as its interval says. */
void sip_peer_probe_arm(struct sip_peer *p);
/* One that nobody waits for any more, or whose owner goes away. */
void sip_peer_probe_forget(struct sip_peer *p);
/* Its outcome; owner of the transaction is the peer itself. */
void sip_peer_probe_done(struct sip_peer *p, const struct sip_client_done *done);

/* sip_renew.c */
/* After traffic and now and then: begins the replacement of one whose TLS keys are used up. */
void sip_renew(struct sip_conn *sc);
void sip_renew_stop(struct sip_peer *p);
void sip_conn_leave(struct sip_conn *sc);
/* Whether a leaving one can be closed. */
bool sip_conn_has_left(const struct sip_conn *sc);
/* Whether a leaving one never comes to an end as long as requests are taken on it. */
bool sip_conn_is_overdue(const struct sip_conn *sc);

#endif
