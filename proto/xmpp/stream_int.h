/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream_int: the inside of struct stream, shared by the stream*.c files of this room only.
 * Roles share header, XML, timers and closing (stream*.c); stream_in*.c and stream_out*.c decide.
 * Threads and ownership: as stream.h.                                                            */
#ifndef FG_XMPP_STREAM_INT_H
#define FG_XMPP_STREAM_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/list.h"
#include "xml/parser.h"
#include "xmpp/ns.h"
#include "xmpp/stream.h"

/* What bounds the stay in a state. */
enum stream_wait {
    STREAM_WAIT_ESTABLISH, /* limits.establish_ms since stream_new, for all such states together */
    STREAM_WAIT_ACTIVITY,  /* rules.inactivity_ms, and the deadlines of pairs and requests */
    STREAM_WAIT_CLOSE,     /* limits.close_ms */
    STREAM_WAIT_NONE,      /* dead */
};

/* name, wait, step a failure here belongs to, what it waits for, allowed successors */
#define STREAM_STATES(X)                                                                           \
    X(IN_OPENING, ESTABLISH, HEADER, "the stream header", S(IN_FEATURES) | S(IN_OPEN) | ENDS)      \
    X(IN_FEATURES, ESTABLISH, FEATURES, "authentication",                                          \
      S(IN_SECURING) | S(IN_SASL) | S(IN_OPENING) | S(IN_OPEN) | ENDS)                             \
    X(IN_SECURING, ESTABLISH, TLS, "the TLS handshake", S(IN_OPENING) | ENDS)                      \
    X(IN_SASL, ESTABLISH, SASL, "the SASL response",                                               \
      S(IN_FEATURES) | S(IN_OPENING) | S(IN_OPEN) | ENDS)                                          \
    X(IN_OPEN, ACTIVITY, OPEN, "stanzas", ENDS)                                                    \
    X(OUT_OPENING, ESTABLISH, HEADER, "the stream header",                                         \
      S(OUT_FEATURES) | S(OUT_DIALBACK) | S(OUT_VERIFYING) | S(OUT_OPEN) | ENDS)                   \
    X(OUT_FEATURES, ESTABLISH, FEATURES, "the stream features",                                    \
      S(OUT_STARTTLS) | S(OUT_SASL) | S(OUT_DIALBACK) | S(OUT_VERIFYING) | S(OUT_OPEN) | ENDS)     \
    X(OUT_STARTTLS, ESTABLISH, STARTTLS, "the answer to starttls",                                 \
      S(OUT_SECURING) | S(OUT_DIALBACK) | S(OUT_VERIFYING) | ENDS)                                 \
    X(OUT_SECURING, ESTABLISH, TLS, "the TLS handshake", S(OUT_OPENING) | ENDS)                    \
    X(OUT_SASL, ESTABLISH, SASL, "the SASL outcome", S(OUT_OPENING) | S(OUT_DIALBACK) | ENDS)      \
    X(OUT_DIALBACK, ESTABLISH, DIALBACK, "the dialback result", S(OUT_OPEN) | ENDS)                \
    X(OUT_VERIFYING, ACTIVITY, DIALBACK, "key verifications", ENDS)                                \
    X(OUT_OPEN, ACTIVITY, OPEN, "stanzas to send", ENDS)                                           \
    X(CLOSING, CLOSE, OPEN, "the peer to close", S(DEAD))                                          \
    X(DEAD, NONE, OPEN, "nothing", 0u)

enum stream_state {
#define X(name, wait, step, text, next) STREAM_STATE_##name,
    STREAM_STATES(X)
#undef X
        STREAM_STATE_COUNT
};

struct pair {
    struct list link;
    struct slice local;  /* into text */
    struct slice remote; /* into text */
    bool is_proved;      /* else asked: in: verification wanted; out: db:result sent */
    bool is_refused;     /* proved, but no longer agreed: its stanzas are answered */
    enum stream_method method;
    uint64_t deadline_ms;   /* while asked */
    uint64_t rules_version; /* in: of the last check; RULES_UNCHECKED before the first stanza */
    char text[];
};

struct verify {
    struct list link;
    struct slice local;
    struct slice remote;
    struct slice id;
    struct slice key;
    uint64_t deadline_ms;
    bool is_sent;
    char text[];
};

/* What the peer's last <stream:features/> offered. */
struct peer_features {
    bool starttls;
    bool starttls_required;
    bool external;
    bool dialback;
    bool dialback_errors;
    uint8_t sm_version; /* 3, 2 or 0 */
    uint32_t bytes_max;
    uint32_t idle_s; /* it may close after so long without traffic; 0 = not said */
};

#define STREAM_MAGIC          0x58735331u
#define STREAM_TRAIL          16u
#define STREAM_ID_CHARS       32u /* 128 random bits */
#define STREAM_LANG_BYTES_MAX 35u
/* Stanzas to domains we do not serve, on one stream, before it is closed as abuse. */
#define STREAM_BAD_TO_MAX 16u
#define RULES_UNCHECKED   UINT64_MAX

struct stream {
    /* What a stanza touches stands together: of many streams little is in the cache. */
    uint32_t magic;
    enum stream_role role;
    enum stream_state state; /* stream_set_state() only */
    uint32_t proved_count;
    const struct stream_host *host; /* borrowed */
    void *ctx;                      /* borrowed */
    struct xml_parser *parser;      /* owned */
    struct pair *pair_last;         /* borrowed from pairs: where the last stanza belonged */
    void *retired;      /* owned; a pair or request that the last event still speaks of */
    uint64_t now_ms;    /* of the call being served */
    uint64_t active_ms; /* when idle_by_ms was last moved */
    uint64_t heard_ms;  /* in: when something was last received */
    struct slice lang;  /* owned; of the peer's header */
    uint32_t bad_to_count;
    uint32_t asked_count;
    struct acks acks;
    /* What its deadline and its owner ask after a turn. */
    uint64_t state_by_ms; /* of the present state, STREAM_NEVER = none */
    uint64_t idle_by_ms;
    uint64_t keepalive_by_ms;
    uint64_t ack_by_ms;
    struct list pairs;
    struct list verifies;
    struct buf *out; /* borrowed */

    const struct crypto *crypto; /* borrowed */
    struct stream_limits limits;
    uint64_t establish_by_ms;
    struct slice local;        /* owned; empty = unknown */
    struct slice remote;       /* owned; empty = unknown */
    struct slice id;           /* owned */
    struct stream_rules rules; /* of (local, remote), as last asked */
    uint32_t pair_count;
    uint32_t verify_count;
    uint32_t verify_answer_count; /* in: requests answered as authority */

    uint32_t early_elements;
    uint32_t early_bytes;
    uint32_t sasl_attempts;
    bool is_secured;
    bool is_verify_only;
    bool avoid_tls;
    bool is_db_declared;    /* in our header of the present stream */
    bool is_header_written; /* of the present stream */
    bool is_version_1;      /* the peer's header says so */
    bool is_peer_db;        /* out: the peer's header advertises dialback (XEP-0220 2.3) */
    bool is_from_wrong;     /* out: the answer's from is another domain */
    bool is_sasl_done;
    bool is_external_offered;         /* in: in the last features */
    bool is_starttls_offered;         /* in */
    bool is_dialback_refused;         /* in: a db:result on the present stream */
    bool is_acks_offered;             /* in */
    bool is_starttls_refused;         /* out */
    bool is_response_sent;            /* out: to a challenge */
    enum sasl_condition sasl_failure; /* out: EXTERNAL was tried and failed */
    struct peer_features peer;
    uint8_t trail[STREAM_TRAIL]; /* last states, newest at trail_at - 1: for a debugger */
    uint8_t trail_at;
};

/* --- stream.c, stream_end.c: common parts --- */
void stream_set_state(struct stream *s, enum stream_state next);
/* "the stream header": what the state waits for. Before authentication: what of the rules the peer
 * has not met, so that one who leaves without a word is not a riddle. */
const char *stream_waits_for(const struct stream *s);
enum stream_step stream_step_of(const struct stream *s);
/* Ends the stream: our header if still due, the stream error unless NONE, the close. */
enum stream_event_kind stream_fail(struct stream *s, struct stream_event *ev, enum stream_step step,
                                   enum stream_condition condition, const char *fmt, ...)
    PRINTF_LIKE(5, 6);
/* The same with an application condition element. */
struct stream_end {
    enum stream_step step;
    enum stream_condition condition;
    const char *app; /* or NULL */
    bool is_timeout;
};
enum stream_event_kind stream_end(struct stream *s, struct stream_event *ev,
                                  const struct stream_end *end, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
enum stream_event_kind stream_nomem(struct stream *s, struct stream_event *ev);
enum stream_event_kind stream_note(struct stream_event *ev, enum stream_step step, const char *fmt,
                                   ...) PRINTF_LIKE(3, 4);
/* Fills ev->failure with step and a formatted text. */
void stream_explain(struct stream_event *ev, enum stream_step step, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* Asks the host for (s->local, s->remote) into s->rules; NULL or why not. */
const struct stream_refusal *stream_ask_rules(struct stream *s);
/* Replaces *to by an owned copy; false when out of memory. */
NODISCARD bool stream_keep(struct slice *to, struct slice text);
/* Drops everything of the present XML stream before a new one on the same connection. */
void stream_restart(struct stream *s);
/* Limits of the parser for an authenticated stream. */
void stream_opened(struct stream *s);
void stream_put_close(struct stream *s);
/* Restarts inactivity and keep-alive. */
void stream_touch(struct stream *s);
/* Out: when the next space is due. In: until when something must arrive. */
void stream_arm_keepalive(struct stream *s);
/* Counts from when they last happened, by rules that may have changed. */
void stream_arm_activity(struct stream *s);
/* Between <proceed/> and the end of the TLS handshake. */
bool stream_is_securing(const struct stream *s);
/* Marks the failure in ev as one that waiting does not mend; returns FAILED. */
enum stream_event_kind stream_mismatch(struct stream_event *ev);
/* Outgoing: the answer is awaited to a <starttls/> that the peer had not offered. */
bool stream_is_tls_forced(const struct stream *s);
/* Incoming, opened to verify keys with us, which was done: its end is no failure. */
bool stream_is_served(const struct stream *s);
enum stream_event_kind stream_peer_error(struct stream *s, struct stream_event *ev,
                                         const struct xml_tree *t);

/* For a test that draws the table: successors as bits. */
uint32_t stream_state_successors(uint32_t state, const char **name);

/* Attributes of a header or dialback element: 1 = a domain, 0 = absent, ERR_JID, ERR_NOMEM. */
int stream_read_domain(struct jid_storage *mem, const struct xml_tree *t, const char *attr,
                       struct slice *domain);
struct stream_header {
    struct jid_storage from_mem;
    struct jid_storage to_mem;
    struct slice from; /* empty = absent */
    struct slice to;
    struct slice id;
    struct slice lang;
    bool is_version_1;
};
/* Checks what is common to both roles. 0, or a condition and a text in *end_text. */
enum stream_condition stream_read_header(struct stream_header *h, const struct xml_tree *t,
                                         struct slice content_ns, const char **text);

/* --- stream_feed.c --- */
/* Beginning of a call of the interface: takes the time, drops what the last event spoke of. */
void stream_enter(struct stream *s, uint64_t now_ms);
/* --- pairs.c --- */
struct pair *pair_find(const struct stream *s, struct slice local, struct slice remote);
struct pair *pair_find_remote(const struct stream *s, struct slice remote);
/* Some proved pair may still be used. */
bool pair_is_any_left(const struct stream *s);
/* NULL when out of memory. Asked, deadline armed. */
struct pair *pair_add(struct stream *s, struct slice local, struct slice remote);
void pair_prove(struct stream *s, struct pair *p, enum stream_method method);
/* Its memory lives until the next call of the stream's interface, for the event. */
void pair_remove(struct stream *s, struct pair *p);
/* Dialback that began before STARTTLS or SASL is bound to a stream id that is gone. */
void pair_remove_asked(struct stream *s);
struct verify *verify_find(const struct stream *s, const struct stream_verify *v);
struct verify *verify_add(struct stream *s, const struct stream_verify *v);
void verify_remove(struct stream *s, struct verify *v);

/* --- stream_in.c --- */
enum stream_event_kind stream_in_header(struct stream *s, const struct xml_tree *t,
                                        struct stream_event *ev);
/* What a peer that has seen our features has still to do, and the step that is. */
enum stream_step stream_in_lacks(const struct stream *s, const char **what);
/* is_last: nothing was received behind the element. */
enum stream_event_kind stream_in_element(struct stream *s, const struct xml_tree *t, bool is_last,
                                         struct stream_event *ev);
void stream_in_put_header(struct stream *s, const struct stream_header *h);
enum stream_event_kind stream_in_sni(struct stream *s, struct slice sni, struct stream_event *ev);
/* --- stream_in_stanza.c --- */
enum stream_event_kind stream_in_stanza(struct stream *s, const struct xml_tree *t,
                                        struct stream_event *ev);
enum stream_event_kind stream_in_acks(struct stream *s, const struct xml_tree *t,
                                      struct stream_event *ev);
/* --- stream_in_sasl.c --- */
enum stream_event_kind stream_in_sasl(struct stream *s, const struct xml_tree *t,
                                      struct stream_event *ev);
/* --- stream_in_dialback.c --- */
enum stream_event_kind stream_in_dialback(struct stream *s, const struct xml_tree *t,
                                          struct stream_event *ev);
enum stream_event_kind stream_in_pair_timeout(struct stream *s, struct pair *p,
                                              struct stream_event *ev);
/* --- stream_out.c --- */
void stream_out_put_header(struct stream *s);
enum stream_event_kind stream_out_header(struct stream *s, const struct xml_tree *t,
                                         struct stream_event *ev);
enum stream_event_kind stream_out_element(struct stream *s, const struct xml_tree *t, bool is_last,
                                          struct stream_event *ev);
/* TLS is up: may we go on with this certificate? */
enum stream_event_kind stream_out_secured(struct stream *s, struct stream_event *ev);
/* --- stream_out_dialback.c --- */
enum stream_event_kind stream_out_start_dialback(struct stream *s, struct stream_event *ev);
enum stream_event_kind stream_out_ready(struct stream *s, struct pair *p, struct stream_event *ev);
enum stream_event_kind stream_out_dialback(struct stream *s, const struct xml_tree *t,
                                           struct stream_event *ev);
enum stream_event_kind stream_out_pair_timeout(struct stream *s, struct pair *p,
                                               struct stream_event *ev);
void stream_out_flush_verifies(struct stream *s);
enum stream_event_kind stream_out_verify_timeout(struct stream *s, struct verify *v,
                                                 struct stream_event *ev);
/* --- stream_out_acks.c --- */
/* The peer's h is more than we sent (h: what it said). */
enum stream_event_kind stream_acks_too_high(struct stream *s, struct stream_event *ev, uint64_t h);
void stream_out_enable_acks(struct stream *s);
enum stream_event_kind stream_out_acks(struct stream *s, const struct xml_tree *t,
                                       struct stream_event *ev);

#endif
