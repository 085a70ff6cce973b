/* SPDX-License-Identifier: GPL-2.0-or-later */
/* presence: the contacts of one shard and what keeps them right: authorisations that last (RFC 6121
 * section 3), SIP subscriptions that come and go (RFC 6665, RFC 3856), and the documents in between
 * (RFC 8048). Two machines share one table:
 *   in   a partner's user watches ours: the gateway is SIP subscriber       (subscriber.h)
 *   out  a user of ours watches the partner's: the gateway is SIP notifier  (notifier.h)
 * Sans I/O: it is handed stanzas, SIP messages, responses, acknowledgements of the store; it hands
 * out stanzas, requests, answers and rows through struct presence_ops; its deadlines stand on the
 * caller's wheel. A grant is told to anybody only after its row is durable.
 * One thread. Memory: pool, bounded by presence_params. Nothing given is kept beyond the call. */
#ifndef FG_PRESENCE_PRESENCE_H
#define FG_PRESENCE_PRESENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/slice.h"
#include "base/wheel.h"
#include "sip/ids.h"
#include "sip/msg.h"
#include "sip/transaction.h"
#include "sip/write.h"
#include "xmpp/stanza.h"

struct presence;
struct presence_call;
struct presence_paces;

enum contact_direction { CONTACT_IN, CONTACT_OUT, CONTACT_DIRECTIONS };
const char *contact_direction_name(enum contact_direction direction); /* "in", "out" */

/* The authorisation. Stored: numbers never change their meaning. */
#define CONTACT_STATES(X)                                                                          \
    X(NONE, "none")       /* known for its presence only, or not at all */                         \
    X(ASKED, "asked")                                                                              \
    X(GRANTED, "granted")                                                                          \
    X(DENIED, "denied")                                                                            \
    X(BLOCKED, "blocked") /* by an administrator; ends by `allow` or `forget` only */
enum contact_state {
#define X(name, text) CONTACT_##name,
    CONTACT_STATES(X)
#undef X
        CONTACT_STATE_COUNT
};
const char *contact_state_name(enum contact_state state);

/* Who brought it about. Stored likewise. */
enum contact_asker { CONTACT_BY_PARTNER, CONTACT_BY_LOCAL, CONTACT_BY_ADMIN };
const char *contact_asker_name(enum contact_asker asker); /* "partner", "local", "administrator" */

/* Bare addresses: users normalised (jid.h), domains as A-labels. */
struct presence_pair {
    struct slice local_user;
    struct slice local_domain;
    struct slice remote_user;
    struct slice remote_domain;
};

/* Whether a SUBSCRIBE to a next hop would leave now. */
enum presence_hop_way {
    PRESENCE_HOP_UP,
    PRESENCE_HOP_COMING, /* not yet: what is let go gathers, to leave at once. It waits instead, and
                            ops->need_hop is called */
    PRESENCE_HOP_AWAY,   /* it was tried in vain: ops->request refuses it */
};
enum presence_hop_news {
    PRESENCE_HOP_LOST,  /* the connection, or it was tried in vain */
    PRESENCE_HOP_FIRST, /* it is there, and was not lost before */
    PRESENCE_HOP_BACK,  /* it is there again */
};

/* What the configuration says of a pair at this moment. */
struct presence_rule {
    bool is_allowed;  /* may the watcher of this direction watch? false also: no such domain */
    bool with_notes;  /* direction in: the partner may see status notes */
    bool is_lync;     /* profile of the next hop */
    struct slice hop; /* its name: whose pace counts; borrowed for the call */
    uint32_t expires_s;          /* asked for in SUBSCRIBE; longest that is granted to a watcher */
    uint32_t subscribe_rate_max; /* SUBSCRIBEs per second to that hop from all of presence_paces;
                                    0 = no bound */
    enum presence_hop_way hop_way;
    /* Direction in: requests that nobody has decided yet, of one user of a partner and of one
     * remote domain; 0 = PRESENCE_UNDECIDED_* */
    uint32_t undecided_user_max;
    uint32_t undecided_domain_max;
};

#define PRESENCE_UNDECIDED_USER   1000u
#define PRESENCE_UNDECIDED_DOMAIN 100000u
/* A request that nobody has decided, and a refusal, are forgotten after so long; who still wants to
 * watch is a new one (his server asks again, RFC 6121 3.1.2). */
#define PRESENCE_ASKED_LIFE_S  (90u * 86400u)
#define PRESENCE_DENIED_LIFE_S (30u * 86400u)

/* A server transaction, wherever it lives. */
struct presence_txn {
    uint64_t handle;
    uint32_t shard_idx;
    struct slice to_tag; /* of its response (sip_server_to_tag): the local tag of a dialog that a
                            SUBSCRIBE makes; borrowed for the call that brings it, not needed in
                            ops->answer */
};

/* SUBSCRIBE or NOTIFY, to be written to the next hop of the local domain. All borrowed for the
 * call. params has neither transport, sent_by nor branch: the connection's. */
struct presence_request {
    const struct presence_pair *pair;
    const struct sip_request_params *params;
    struct slice fields; /* header lines, each with its CRLF; Contact among them */
    struct slice content_type;
    struct slice body;
    struct presence_call *call; /* for presence_response, exactly once */
};

/* The durable part of one contact. Borrowed for the call. */
struct presence_row {
    struct presence_pair pair;
    enum contact_direction direction;
    bool is_deleted; /* the row goes; the rest is empty */
    enum contact_state state;
    enum contact_asker asker;
    int64_t asked_unix_s;   /* first request; 0 = never */
    int64_t changed_unix_s; /* of state */
    struct slice dialogs;   /* opaque */
    struct slice document;  /* opaque */
};

/* None of these calls presence_* of the same object, except for presence_look and presence_stats:
 * what they lead to comes in a later call. */
struct presence_ops {
    uint64_t (*now_ms)(void *ctx);
    int64_t (*now_unix_s)(void *ctx);
    /* May be asked for pairs that have no contact yet: before one is made. */
    void (*rule)(void *ctx, const struct presence_pair *pair, enum contact_direction direction,
                 struct presence_rule *out);
    /* A presence stanza for the partner's user, as for a stream with default namespace
     * jabber:server. One that cannot be delivered: presence_undelivered (subscribe and probe at
     * least). */
    void (*stanza)(void *ctx, const struct presence_pair *pair, enum stanza_type type,
                   struct slice bytes);
    /* 0: presence_response comes once, later; else nothing was taken (ERR_FULL, ERR_NOMEM, ...). */
    int (*request)(void *ctx, const struct presence_request *r);
    /* Somebody waits for the next hop of this pair: to be connected to, if it is not. Asked again
     * every second while it is PRESENCE_HOP_COMING. */
    void (*need_hop)(void *ctx, const struct presence_pair *pair);
    void (*answer)(void *ctx, struct presence_txn txn, const struct sip_answer *answer);
    /* Appends the value of a Contact field, "<sip:node:5061;transport=tls>", for dialogs with the
     * next hop of this pair. */
    void (*own_contact)(void *ctx, const struct presence_pair *pair, struct buf *out);
    /* 0: presence_stored comes for this ticket; ERR_FULL: later again (the row stays dirty).
     * Tickets grow from row to row; 0 is none. is_urgent: somebody waits for it. */
    int (*store)(void *ctx, const struct presence_row *row, bool is_urgent, uint64_t *ticket);
    /* What an administrator asked for is durable (err 0), or not: ERR_NOT_FOUND (forget), ERR_STATE
     * (another order came), ERR_FULL, ERR_NOMEM, or as the store said. `allow` was not done then;
     * `block` and `forget` count all the same, and their row is tried again. */
    void (*admin_done)(void *ctx, uint64_t cookie, int err);
};

struct presence_params {
    const struct presence_ops *ops; /* borrowed */
    void *ctx;                      /* borrowed; for ops */
    struct wheel *wheel;            /* borrowed; its time is ops->now_ms */
    struct sip_ids *ids;            /* borrowed */
    struct presence_paces *paces;   /* borrowed; of all shards (paces.h). NULL = one of its own */
    uint64_t seed;                  /* of jitter */
    uint32_t contacts_max;          /* 0 = 2,000,000 */
    uint32_t contacts_per_domain_max; /* 0 = 1,000,000; of one remote domain */
};

NODISCARD int presence_new(struct presence **out, const struct presence_params *params);
/* Nothing is sent or stored any more. NULL is accepted. */
void presence_free(struct presence *p);

/* --- what comes in ---------------------------------------------------------------------------- */

/* A presence stanza of any type (error too) from a partner's user that the policy let pass, for a
 * user of a domain whose inside is SIP. */
void presence_from_partner(struct presence *p, const struct presence_pair *pair,
                           const struct stanza *st);
/* A stanza given to ops->stanza came to nothing (may be told of any type but error). */
void presence_undelivered(struct presence *p, const struct presence_pair *pair,
                          enum stanza_type type, enum stanza_condition condition);
/* The stream to this domain is down for good (false), or there again. */
void presence_partner_seen(struct presence *p, struct slice remote_domain, bool is_reachable);
/* A stream to or from this domain broke off: what was under way is lost, and its server may have
 * been started anew. Watchers are told all again, presentities are probed, which shows whether
 * somebody is there. At most every PRESENCE_CUT_REST_MS, then: a stream that breaks all the time
 * would have us send all the time. */
#define PRESENCE_CUT_REST_MS 30000u
void presence_partner_cut(struct presence *p, struct slice remote_domain);
/* Of the connection to this next hop (presence_rule.hop), after hop_way says so: who waits for it
 * hears at once. When it is back, every subscription to it is refreshed or tried again, at the
 * hop's pace: a presence server that was started anew has forgotten them. */
void presence_hop_seen(struct presence *p, struct slice hop, enum presence_hop_news what);

/* SUBSCRIBE and NOTIFY from a trusted next hop, checked (sip_check_request), pair made of From and
 * To and allowed by the policy. Each is answered once by ops->answer, at once or later. */
void presence_subscribe(struct presence *p, const struct presence_pair *pair,
                        const struct sip_msg *m, struct presence_txn txn);
void presence_notify(struct presence *p, const struct presence_pair *pair, const struct sip_msg *m,
                     struct presence_txn txn);
/* What became of a request. response: FINAL only, borrowed. status: as sip_client_done. */
void presence_response(struct presence *p, struct presence_call *call, enum sip_outcome outcome,
                       unsigned status, const struct sip_msg *response);
/* The rows with these tickets are durable (err 0), or refused for good: they will not appear. In
 * order of tickets, each once. */
void presence_stored(struct presence *p, uint64_t first, uint64_t last, int err);

/* --- start, reload, stop ---------------------------------------------------------------------- */

/* Before presence_loaded: what the store holds. A damaged dialog or document is dropped, the
 * authorisation stays. ERR_NOMEM, ERR_FULL, ERR_BAD_INPUT (pair, state, direction: nonsense). */
NODISCARD int presence_load(struct presence *p, const struct presence_row *row);
/* All are there: refreshes and probes begin, at the pace of each hop. */
void presence_loaded(struct presence *p);
/* After a new configuration: judges the next contacts again; true = call again soon. */
bool presence_review(struct presence *p, bool from_start);
/* Hands dirty rows to the store, as it takes them; true = none is left, nor on its way: call again
 * after presence_stored until it is so. Dialogs go on. */
bool presence_flush(struct presence *p);

/* --- administrators --------------------------------------------------------------------------- */

enum presence_order { PRESENCE_ALLOW, PRESENCE_BLOCK, PRESENCE_FORGET };
/* allow: in: the partner's user may watch, asked or not; out: ends a block or a denial.
 * block: ends dialogs, refuses from now on. forget: as if it had never been; ends dialogs.
 * ops->admin_done(cookie) follows, perhaps within the call. */
void presence_order(struct presence *p, const struct presence_pair *pair,
                    enum contact_direction direction, enum presence_order what, uint64_t cookie);

/* False: no such contact; *state is none. */
bool presence_look(const struct presence *p, const struct presence_pair *pair,
                   enum contact_direction direction, enum contact_state *state,
                   enum contact_asker *asker);

struct presence_contact_view {
    struct presence_pair pair;
    enum contact_direction direction;
    enum contact_state state;
    enum contact_asker asker;
    int64_t asked_unix_s;
    int64_t changed_unix_s;
    const char *machine;     /* state of the subscription machine: "active" ... static */
    uint32_t dialog_count;
    int64_t expires_unix_s;  /* of the dialog that lasts longest; 0 = none */
    const char *show;        /* last known presence: "available", "away", ... static */
    struct slice note;       /* its note; borrowed for the call */
    struct slice last_error; /* what went wrong last, for people; may be empty */
};
struct presence_filter {
    struct slice local_user;    /* with local_domain; empty = any */
    struct slice local_domain;  /* empty = any */
    struct slice remote_user;
    struct slice remote_domain;
    uint32_t directions; /* bits 1u << enum contact_direction; 0 = all */
    uint32_t states;     /* bits 1u << enum contact_state; 0 = all */
};
/* The contacts in a stable order (by their addresses' hash): calls fn for at most count after
 * *cursor (0 at first) that match the filter; returns false at the end. A call looks at
 * PRESENCE_WALK_MAX contacts at most and so may find fewer than count, or none, before the end.
 * fn must not change any. */
#define PRESENCE_WALK_MAX 16384u
bool presence_walk(const struct presence *p, const struct presence_filter *filter,
                   uint64_t *cursor, uint32_t count,
                   void (*fn)(void *ctx, const struct presence_contact_view *view), void *ctx);

/* --- figures ---------------------------------------------------------------------------------- */

#define PRESENCE_COUNTERS(X)                                                                       \
    X(subscribe_sent, "SUBSCRIBE requests to next hops")                                           \
    X(subscribe_paced, "SUBSCRIBE requests that waited for the pace of their next hop")            \
    X(subscribe_failed, "SUBSCRIBE requests that were refused or not answered")                    \
    X(subscribe_received, "SUBSCRIBE requests from next hops")                                     \
    X(notify_sent, "NOTIFY requests to next hops")                                                 \
    X(notify_coalesced, "changes of presence that a later NOTIFY carried with it")                 \
    X(notify_failed, "NOTIFY requests that were refused or not answered")                          \
    X(notify_received, "NOTIFY requests from next hops")                                           \
    X(notify_stray, "NOTIFY requests without a dialog (481)")                                      \
    X(document_refused, "documents in NOTIFY that were not taken")                                 \
    X(stanza_in, "presence stanzas from partners")                                                 \
    X(stanza_out, "presence stanzas to partners")                                                  \
    X(probe_cached, "probes answered from the cached document")                                    \
    X(granted, "authorisations that became durable")                                               \
    X(denied, "authorisations refused or withdrawn by a presentity")                               \
    X(lapsed, "requests that nobody decided, and refusals, forgotten for their age")               \
    X(store_refused, "rows that the store refused")                                                \
    X(refused_full, "requests refused because the table of contacts, or a partner's share, is full")
struct presence_stats {
#define X(name, help) uint64_t name;
    PRESENCE_COUNTERS(X)
#undef X
    /* gauges */
    uint32_t contacts[CONTACT_DIRECTIONS][CONTACT_STATE_COUNT];
    uint32_t dialogs[CONTACT_DIRECTIONS];
    uint32_t dirty;          /* rows not yet given to the store */
    uint32_t waiting;        /* SUBSCRIBEs that wait for their pace */
    uint64_t memory_bytes;   /* of contacts, dialogs and documents */
};
const struct presence_stats *presence_stats(const struct presence *p);

struct presence_domain_stats {
    struct slice remote_domain; /* A-label */
    uint32_t contacts[CONTACT_DIRECTIONS][CONTACT_STATE_COUNT];
    uint32_t dialogs[CONTACT_DIRECTIONS];
    uint64_t notify_received; /* in: changes from SIP */
    uint64_t stanza_received; /* out: changes from the partner */
};
/* Once per remote domain. */
void presence_walk_domains(const struct presence *p,
                           void (*fn)(void *ctx, const struct presence_domain_stats *s), void *ctx);

#endif
