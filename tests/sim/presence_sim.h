/* SPDX-License-Identifier: GPL-2.0-or-later */
/* presence_sim: the presence room between models of the two worlds that it joins, in simulated time
 * with faults drawn from a seed: a partner's XMPP server with its users (presence_sim_partner.c,
 * RFC 6121 appendix A), a pool's presence server (presence_sim_pool.c, RFC 6665 notifier) and SIP
 * users who watch (presence_sim_watcher.c, RFC 6665 subscriber). First chaos: people do what they
 * like while messages are delayed, overtake each other on different connections, get lost with
 * connections, and each of the four parts dies and starts again. Then quiet: what people see must
 * come right by itself (presence_sim_check.c). One thread.                                       */
#ifndef FG_TEST_PRESENCE_SIM_H
#define FG_TEST_PRESENCE_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "fixture.h"

#define SIM_USERS     2u /* on each side */
#define SIM_RESOURCES 2u /* of an XMPP user; tuples of a SIP user */
#define SIM_DEVICES   2u /* with which a SIP user watches */
#define SIM_SUBS      64u
#define SIM_EVENTS    8192u
#define SIM_TXNS      512u
#define SIM_ITEMS     8u
#define SIM_ID        64u

#define SIM_S (1000ull)
#define SIM_H (3600ull * SIM_S)

/* What somebody shows in one place. */
struct sim_shown {
    bool is_open;
    uint8_t show; /* index of sim_show_names */
    uint32_t note;
};
struct sim_view {
    uint32_t count;
    struct {
        char resource[SIM_ID];
        struct sim_shown shown;
    } items[SIM_ITEMS];
};

enum sim_roster { ROSTER_NONE, ROSTER_PENDING, ROSTER_ON };
enum sim_policy { POLICY_UNDECIDED, POLICY_ALLOW, POLICY_DENY };

/* A SIP user's device that watches an XMPP user. */
struct sim_device {
    bool wants;
    bool is_refused; /* the person has given up */
    enum { DEVICE_NONE, DEVICE_TRYING, DEVICE_LIVE } phase;
    char call_id[SIM_ID];
    char local_tag[SIM_ID];
    char remote_tag[SIM_ID];
    uint32_t cseq;
    uint32_t remote_cseq;
    uint64_t expires_at;
    uint64_t refresh_at;
    uint64_t retry_at;
    uint64_t timer_n;
    bool is_asking; /* a SUBSCRIBE is out */
    bool is_active;
    struct sim_view view;
    uint64_t body_at; /* of the last NOTIFY with a document; 0 = none */
    bool may_hurry;   /* the next one need not keep the distance */
};

/* XMPP user x and SIP user s. */
struct sim_pair {
    uint8_t x, s;
    /* x watches s */
    bool wants;
    enum sim_roster out; /* in x's roster */
    enum sim_policy policy;
    struct sim_view view; /* what x's clients show */
    /* s watches x */
    enum sim_roster in; /* in x's roster */
    struct sim_device devices[SIM_DEVICES];
    /* A stanza about the subscription was on its way when the gateway or its stream died. */
    uint64_t in_at, out_at; /* the last one that reached the gateway */
    bool is_excused;
};

/* A subscription at the presence server. */
struct sim_sub {
    bool is_used;
    bool is_told_active;
    struct sim_pair *pair;
    char call_id[SIM_ID];
    char remote_tag[SIM_ID];
    char local_tag[SIM_ID];
    uint32_t cseq, remote_cseq;
    uint64_t expires_at;
};

enum sim_kind {
    EV_NONE,
    EV_STANZA_TO_GW,    /* text */
    EV_STANZA_FROM_GW,  /* text */
    EV_UNDELIVERED,     /* text, a = type */
    EV_REQUEST_TO_GW,   /* text, id = txn of theirs */
    EV_ANSWER_FROM_GW,  /* text, id */
    EV_REQUEST_FROM_GW, /* text, id = txn of the gateway's */
    EV_ANSWER_TO_GW,    /* id, a = status, tag, text = fields */
    EV_TIMER_F_GW,      /* id */
    EV_TIMER_F,         /* id */
    EV_STORE,
    EV_STREAM_UP,
    EV_HOP_UP,
    EV_DECIDE, /* a = pair: x makes up his mind about s */
    EV_LOGIN,  /* a = x, id = resource */
    EV_STORE_OPEN,
};
enum sim_channel { CH_X_TO, CH_X_FROM, CH_SIP_TO, CH_SIP_TO2, CH_SIP_FROM, CH_SIP_FROM2, CHANNELS };

struct sim_event {
    uint64_t at, order;
    enum sim_kind kind;
    uint32_t generation; /* of the gateway that it belongs to */
    int a;
    uint64_t id;
    char tag[SIM_ID];
    char *text; /* owned */
};

/* A request of theirs to the gateway. */
struct sim_txn {
    uint64_t id;     /* 0 = free */
    uint64_t handle; /* in the fixture, once it arrived */
    int channel;     /* of the answer */
    struct sim_sub *sub;
    char sub_call_id[SIM_ID]; /* the sub may be another one by then */
    struct sim_device *device;
    uint32_t expires;
};

struct sim {
    struct fixture f;
    uint64_t seed, random;
    bool is_traced, is_chaos, has_failed;
    uint32_t generation;
    uint64_t order, ids;
    uint64_t last[CHANNELS];
    struct sim_event *events;
    uint32_t event_count;
    struct sim_txn txns[SIM_TXNS];
    struct sim_sub subs[SIM_SUBS];
    struct sim_pair pairs[SIM_USERS * SIM_USERS];
    struct sim_shown resources[SIM_USERS][SIM_RESOURCES]; /* of XMPP users */
    struct sim_shown tuples[SIM_USERS][SIM_RESOURCES];    /* of SIP users */
    bool is_stream_up, is_hop_up;
    bool acknowledges_bare, answers_unavailable, denies_by_notify, keeps_subs; /* habits */
    uint32_t notes;
    uint64_t devices_at;  /* when a device has something to do; UINT64_MAX = never */
    uint64_t empty_bytes; /* memory of a table without contacts */
    struct {
        uint64_t crashes, lucky, breaks, hop_breaks, pool_restarts, partner_restarts, lost, stanzas,
            notifies, subscribes, stale, granted, denied, refusals, checked;
    } sums;
};

extern const char *const sim_x_names[SIM_USERS]; /* "ann@chat.example" */
extern const char *const sim_s_names[SIM_USERS];
extern const char *const sim_show_names[];
#define SIM_SHOWS 4u

/* --- presence_sim.c --- */
uint32_t sim_random(struct sim *s, uint32_t bound); /* below bound */
bool sim_chance(struct sim *s, uint32_t one_in);    /* never when all is quiet */
void sim_trace(struct sim *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
void sim_fail(struct sim *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
uint64_t sim_now(const struct sim *s);
/* Lets so much time pass. */
void sim_run(struct sim *s, uint32_t seconds);
/* text is copied. */
struct sim_event *sim_post(struct sim *s, enum sim_kind kind, uint64_t at, const char *text);
/* When something sent now arrives, in order within its channel. */
uint64_t sim_arrival(struct sim *s, enum sim_channel channel);
void sim_new_id(struct sim *s, char *out, const char *prefix);

/* --- presence_sim_wire.c --- */
/* Sends a request to the gateway. */
struct sim_txn *sim_send_request(struct sim *s, const char *text);
void sim_answer_gw(struct sim *s, const struct sim_event *request, unsigned status, const char *tag,
                   const char *fields);
/* Takes over what the gateway has said. */
void wire_take_all(struct sim *s);
void wire_happen(struct sim *s, const struct sim_event *ev);

/* --- presence_sim_world.c: faults --- */
void sim_chaos_step(struct sim *s);
void sim_crash(struct sim *s);
void sim_break_hop(struct sim *s, uint64_t down_ms);
void sim_break_stream(struct sim *s, uint64_t down_ms);
bool sim_is_management(const char *stanza);
/* "type" of <presence ... type="x">, copied; "" = none. */
void sim_attribute(const char *stanza, const char *name, char out[SIM_ID]);

/* --- presence_sim_partner.c --- */
void partner_receive(struct sim *s, const char *stanza);
void partner_decide(struct sim *s, struct sim_pair *p);
void partner_subscribe(struct sim *s, struct sim_pair *p);
void partner_unsubscribe(struct sim *s, struct sim_pair *p);
void partner_approve(struct sim *s, struct sim_pair *p);
void partner_revoke(struct sim *s, struct sim_pair *p);
void partner_show(struct sim *s, uint32_t x, uint32_t resource, bool is_open);
void partner_restart(struct sim *s);

/* --- presence_sim_pool.c --- */
void pool_receive(struct sim *s, const struct sim_event *ev);
void pool_publish(struct sim *s, uint32_t user, uint32_t tuple);
void pool_decide(struct sim *s, struct sim_pair *p, enum sim_policy policy);
void pool_answered(struct sim *s, const struct sim_txn *t, unsigned status);
void pool_restart(struct sim *s);
uint32_t pool_sub_count(const struct sim *s, const struct sim_pair *p);

/* --- presence_sim_watcher.c --- */
bool watcher_receive(struct sim *s, const struct sim_event *ev, const struct sip_msg *m);
void watcher_answered(struct sim *s, const struct sim_txn *t, unsigned status, const char *text);
void watcher_stop(struct sim *s, struct sim_device *d);
void watcher_restart(struct sim_device *d);
/* The next time that it has something to do; 0 = none. */
uint64_t watcher_next(const struct sim *s, const struct sim_device *d);
void watcher_due(struct sim *s, struct sim_pair *p, struct sim_device *d);

/* --- presence_sim_drill.c --- */
void drill(struct sim *s);

/* --- presence_sim_check.c --- */
/* What everybody sees is so, now. */
void check_now(struct sim *s, const char *when);
void check_stanza(struct sim *s, const char *stanza);
void check_request(struct sim *s, const char *text);
void check_end(struct sim *s);
void check_gauges(struct sim *s);
void check_empty(struct sim *s);

#endif
