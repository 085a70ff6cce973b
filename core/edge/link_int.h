/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link_int: the link's inside, shared by link.c (queue and life), link_dial.c (the way there),
 * link_stream.c (connection and stream), link_verify.c (dialback questions), link_custody.c (what
 * was written and is not confirmed) and link_renew.c (a stream with used-up keys is replaced). See
 * link.h. */
#ifndef FG_EDGE_LINK_INT_H
#define FG_EDGE_LINK_INT_H

#include "edge/ask.h"
#include "edge/bounce.h"
#include "edge/host.h"
#include "edge/link.h"
#include "edge/partner_run.h"
#include "edge/place.h"
#include "engine/dial.h"

#define LINK_MAGIC 0x4c494e4bu

/* State, states it may go to (bits). */
#define LINK_STATES(X)                                                      \
    X(IDLE, LINK_BIT(DIALLING) | LINK_BIT(BACKOFF))                         \
    X(DIALLING, LINK_BIT(NEGOTIATING) | LINK_BIT(BACKOFF) | LINK_BIT(IDLE)) \
    X(NEGOTIATING, LINK_BIT(READY) | LINK_BIT(CLOSING))                     \
    X(READY, LINK_BIT(CLOSING))                                             \
    X(CLOSING, LINK_BIT(DIALLING) | LINK_BIT(BACKOFF) | LINK_BIT(IDLE))     \
    X(BACKOFF, LINK_BIT(DIALLING) | LINK_BIT(IDLE))

enum link_state {
#define X(name, next) LINK_ST_##name,
    LINK_STATES(X)
#undef X
};
#define LINK_BIT(name) (1u << LINK_ST_##name)

/* How the partner confirms what it got. */
enum link_confirm_mode { LINK_CONFIRM_NONE, LINK_CONFIRM_SM, LINK_CONFIRM_PING };

/* What a link object is to its pair of domains. All but MAIN are in edge.links_aside. */
enum link_part {
    LINK_PART_MAIN,      /* in the map: has queue, questions and, mostly, the stream in use */
    LINK_PART_SUCCESSOR, /* dials for one whose keys are used up, and is ready to take its place */
    LINK_PART_RETIRED,   /* its place was taken: closes its stream */
    LINK_PART_DEAD,      /* to be freed at the end of the turn */
};

/* Who waits at a gate of this link. */
enum link_readers { LINK_READERS_INSIDE, LINK_READERS_PARTNER, LINK_READERS };
struct link_hold {
    uint32_t closed_ms; /* of the shard's clock, cut, as is the next one */
    uint32_t renewed_ms;
    bool is_closed;
    bool is_slow; /* was closed for too long: not again before the queue is low */
};

struct link {
    uint32_t magic;
    enum link_part part;
    enum link_state state; /* link_set_state only */
    struct host_ctx host;

    struct block_queue waiting; /* owned; not yet written */
    struct block_queue written; /* owned; written to the current stream, not confirmed */
    struct list verifies;       /* struct mail_verify.mail.link, owned: questions without answer */

    struct dial *dial; /* owned; from the first attempt until READY or the last failure */
    struct conn *c;    /* the engine's; between dial's done and closed */
    struct stream *s;  /* owned; lives with c */
    struct list dirty; /* in edge.links_dirty */
    struct list all;   /* in edge.links_all */
    struct place place; /* from dialling to the connection's end; SUCCESSOR: none, its MAIN's */
    uint64_t reviewed_version; /* setup_version it was last held against */
    uint64_t old_end; /* conn_bytes_written at a reload, until that has left; 0 = it has */
    uint64_t old_since_ms;
    uint64_t rules_mark;  /* of what the partner's row said when it was last dialled */
    bool is_refused;      /* the current stream is, by a reload: its close is not waited for */
    bool is_limited;      /* BACKOFF because no place was free */
    struct link *main;      /* of a SUCCESSOR: borrowed, outlives it */
    struct link *successor; /* of MAIN: lives in edge.links_aside; NULL = none */
    struct list aside;      /* in edge.links_aside, which owns it */
    bool is_held;           /* nothing more is written to this stream */
    uint32_t renew_failures;
    uint64_t renew_ms; /* not before */
    struct wheel_timer timer; /* NEGOTIATING.. : the stream's deadline; BACKOFF: its end */

    enum link_confirm_mode confirm;
    struct ask ask;               /* when the partner is asked next */
    struct wheel_timer ask_timer; /* ASK_LATE_MS: nothing followed */
    uint64_t written_count; /* stanzas written to the current stream */
    uint64_t ping_number;   /* outstanding ping's number; 0 = none */
    uint64_t ping_covers;   /* written_count when it was sent */
    uint64_t ping_sent_ms;

    uint64_t dialled_ms;    /* when dialling last began */
    uint64_t bytes_max_version; /* setup_version + 1 of bytes_max; 0 = not known */
    uint32_t bytes_max;     /* link_stanza_bytes_max only */
    uint64_t used_ms;       /* when READY was reached, or something last written */
    uint32_t attempts;      /* failed in a row */
    bool is_down_for_good;  /* BACKOFF after a failure that waiting does not mend */
    bool was_ready;         /* the current connection has been READY */
    bool is_failed;         /* the current connection failed: fail_* say how */
    bool is_orderly;        /* the current stream was closed in order */
    bool avoid_tls;         /* TLS failed and the rules allow to do without */
    struct link_hold holds[LINK_READERS];
    enum fail_step fail_step;
    bool is_fail_final; /* nothing that waiting mends: the peer and the row do not go together */
    char *fail_text; /* owned, with is_failed; NULL = no memory for it */

    uint16_t local_len;
    uint16_t remote_len;
    char key[]; /* "local remote", A-labels */
};

static inline struct slice link_local(const struct link *l)
{
    return slice_make(l->key, l->local_len);
}
static inline struct slice link_remote(const struct link *l)
{
    return slice_make(l->key + l->local_len + 1, l->remote_len);
}
void link_set_state(struct link *l, enum link_state state);
void link_mark_dirty(struct link *l);

/* link_dial.c */
void link_connect(struct link *l);
/* The connection failed before its stream was ready: the next address, or another way, or down. */
void link_dial_again(struct link *l);
struct conn_tls_params link_tls_params(struct link *l);

/* link_stream.c */
/* The partner's server was reached: the stream begins. */
void link_open_stream(struct link *l, struct conn *c, bool is_direct_tls);
/* Flushes out, arms the timer for the stream's next deadline. */
void link_settle(struct link *l);
/* Begins to close an open stream in order. */
void link_close(struct link *l, enum stream_condition condition, const char *text);
/* The same because of a reload. */
void link_close_refused(struct link *l, const struct stream_refusal *refusal);
/* Of the current connection, or the last one: why it failed. */
const char *link_fail_text(const struct link *l);
void link_forget_failure(struct link *l);

/* link_verify.c */
void link_send_verifies(struct link *l);
void link_verify_answered(struct link *l, const struct stream_event *ev);
/* Tells all who asked that the question could not be put. */
void link_fail_verifies(struct link *l, enum stanza_condition condition);

/* link_review.c */
/* Holds it and what waits for it against the rules in force, where that was not done since they
 * came. Returns how much work that was: 0 = was done, else 1 and the stanzas looked at. */
uint32_t link_review(struct link *l);
/* Now and then while READY: what was written before a reload has not left, and some of it is
 * refused now: no way leads back but that the connection ends. What never left is judged again,
 * what may have arrived is answered as unconfirmed. */
void link_give_up_unsent(struct link *l);
/* The rules refuse the pair: who waits is answered, nothing is dialled. */
void link_refuse(struct link *l, const struct policy_verdict *verdict);
/* No place is free: waits, and asks again soon. limit: which one. */
void link_wait_for_place(struct link *l, const char *limit);
/* Once a second: an idle stream goes where another shard waits for a place. */
void links_make_room(struct edge *e);
/* Takes a place for dialling; NULL = has one, else the limit that is reached. */
const char *link_take_place(struct link *l, const struct partner *p);
/* What of a partner's row matters to dialling it, as a number. */
uint64_t link_rules_mark(const struct partner *p);
/* The largest stanza to this partner, as it is written: escapes and declarations may have made it
 * longer than it came. By its row, or limits.stanza_bytes_max. */
uint32_t link_stanza_bytes_max(struct link *l);

/* link_renew.c */
/* At the end of a turn, READY: begins or goes on replacing a stream whose keys are used up. */
void link_renew(struct link *l);
void link_renew_held(struct link *l);
/* READY was reached. */
void link_aside_ready(struct link *s);
/* A SUCCESSOR that has failed, a RETIRED one that is closed: it will be freed. */
void link_aside_over(struct link *l);
/* The stream is gone: true when a successor took over what is left, whatever it has come to. */
bool link_succeed(struct link *l);
void link_drop_successor(struct link *l);
void links_aside_turn_end(struct edge *e);
/* Closes them; returns how many have a connection. */
uint32_t links_aside_close(struct edge *e);
void links_aside_free(struct edge *e);

/* link.c */
/* Of the map; made where there is none. NULL without memory. */
struct link *link_find_or_make(struct edge *e, struct slice local, struct slice remote);
/* Not in the map. NULL without memory. */
struct link *link_new(struct edge *e, struct slice local, struct slice remote);
void link_free(struct link *l);
void link_on_backoff_over(struct wheel_timer *t, void *ctx);
/* No attempt is left: answers who waits, backs off. */
void link_down(struct link *l, enum fail_step step, bool is_for_good, const char *text);
/* After the connection is gone in order or was lost when READY. */
void link_after_stream(struct link *l);

/* link_gate.c */
/* Opens or closes the gates of this link, by the length of its queue. */
void link_update_gate(struct link *l);
/* Another object takes its place. */
void link_hand_over_gates(struct link *from, struct link *to);

/* link_custody.c */
void link_write_waiting(struct link *l);
/* Asks the partner what has arrived, if that is due, or if nothing will follow (is_last). */
void link_ask(struct link *l, bool is_last);
/* Of the oldest written stanzas, count are confirmed. */
void link_confirmed(struct link *l, uint32_t count);
/* Without confirmation: what the kernel has taken is out of our hands. */
void link_release_taken(struct link *l);
void link_start_pings(struct link *l);
void link_ping_tick(struct link *l);
/* The connection is gone: what never reached the kernel waits again, the rest is answered. */
void link_settle_custody(struct link *l);

#endif
