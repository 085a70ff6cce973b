/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diagnose: the walk to a partner and back that says which step fails. Out: what the node does when
 * it dials, by the same machines and the partner's row (DNS, TCP, TLS, stream, authentication). In:
 * what the partner needs to dial us, as far as it can be seen from here. What was seen of each step
 * is kept as lines, what is wrong as an entry of diagnose.def.
 *
 * Everything a peer sends is bounded: in bytes by the machines' own limits, in time by each step's
 * share of what --timeout leaves, in targets by the tables below. Texts of a peer are shown quoted
 * and cut, and cleaned when printed.
 * One thread; blocks in poll() only. Private to the command. */
#ifndef FG_CTL_DIAGNOSE_H
#define FG_CTL_DIAGNOSE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/crypto.h"
#include "ctl/ctl.h"
#include "ctl/out.h"
#include "dns/targets.h"
#include "policy/snapshot.h"
#include "tls/tls.h"
#include "xmpp/dialback.h"
#include "xmpp/jid.h"

enum diagnose_direction { DIAGNOSE_OUT, DIAGNOSE_IN };

enum diagnose_step {
#define DIAGNOSE_STEP(name, direction, text, title) DIAGNOSE_##name,
#include "ctl/diagnose.def"
#undef DIAGNOSE_STEP
    DIAGNOSE_STEP_COUNT
};

enum diagnose_fault {
    DIAGNOSE_FAULT_NONE,
#define DIAGNOSE_FAULT(name, text, who, refusal, steps, means, remedy) DIAGNOSE_FAULT_##name,
#include "ctl/diagnose.def"
#undef DIAGNOSE_FAULT
    DIAGNOSE_FAULT_COUNT
};

enum diagnose_who { DIAGNOSE_US, DIAGNOSE_PARTNER, DIAGNOSE_EITHER };

struct diagnose_step_desc {
    enum diagnose_direction direction;
    const char *name;  /* "srv": stable */
    const char *title; /* for people */
};
extern const struct diagnose_step_desc diagnose_steps[DIAGNOSE_STEP_COUNT];

struct diagnose_fault_desc {
    const char *name; /* "srv-missing": stable */
    enum diagnose_who who;
    bool is_refusal; /* somebody's decision, nothing technical */
    uint64_t steps;  /* bits: where it may stand */
    const char *means;
    const char *remedy; /* with {partner}, {local}, {config} */
};
extern const struct diagnose_fault_desc diagnose_faults[DIAGNOSE_FAULT_COUNT];

/* From good to bad: a step's status only gets worse. */
enum diagnose_status {
    DIAGNOSE_NOT_TRIED, /* an earlier step ended the walk, or something is missing to try it */
    DIAGNOSE_SKIPPED,   /* the row, or the kind of the target, has no use for it */
    DIAGNOSE_OK,
    DIAGNOSE_WARNING,
    DIAGNOSE_FAILED,
};
const char *diagnose_status_name(enum diagnose_status status);
const char *diagnose_who_name(enum diagnose_who who);

struct diagnose_result {
    enum diagnose_status status;
    enum diagnose_fault fault; /* of the worst status */
    struct buf seen;           /* lines, each with its '\n' */
    uint32_t line_count;
};

/* One direction for one domain of ours. */
struct diagnose_part {
    enum diagnose_direction direction;
    struct slice local; /* A-label, of the snapshot */
    struct diagnose_result results[DIAGNOSE_STEP_COUNT]; /* those of its direction are in use */
};

#define DIAGNOSE_LOCALS_MAX     8u  /* of ours, checked in one call */
#define DIAGNOSE_LINES_MAX      48u /* of one step */
#define DIAGNOSE_LINE_BYTES     400u
#define DIAGNOSE_SPOTS_MAX      32u /* addresses dialled at once */
#define DIAGNOSE_WALKS_MAX      4u  /* streams tried, target after target */
#define DIAGNOSE_CONNECT_MS     8000u
#define DIAGNOSE_ADMIN_S        3u
#define DIAGNOSE_SOON_DAYS      14
#define DIAGNOSE_TIMEOUT_S      30u
#define DIAGNOSE_TIMEOUT_S_MAX  600u

struct diagnose_dns;

struct diagnose {
    struct ctl *ctl;               /* borrowed */
    const struct snapshot *policy; /* borrowed */
    struct tls_context *tls;       /* borrowed; NULL = no certificate configured */
    struct tls_context *tls_bare;  /* owned; trust alone, to look at ourselves; or NULL */
    const struct crypto *crypto;
    struct jid_ascii domain;
    const struct partner *partner;  /* NULL = no partner: row is what a new one would have */
    const struct partner_row *row;
    uint64_t deadline_ms;
    struct diagnose_dns *dns;       /* owned */
    struct dialback_secret secret;  /* of the configuration, if has_secret */
    bool has_secret;
    struct diagnose_part *at;       /* where results go */
    struct diagnose_part parts[1 + DIAGNOSE_LOCALS_MAX]; /* [0] is out */
    uint32_t part_count;
    uint32_t locals_left_out;
    bool is_ping_out; /* a stanza that the partner has to answer went out */
};

/* --- diagnose.c: what was seen --- */
void diagnose_seen(struct diagnose *d, enum diagnose_step step, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* OK, SKIPPED; never makes a step better. */
void diagnose_set(struct diagnose *d, enum diagnose_step step, enum diagnose_status status);
void diagnose_warn(struct diagnose *d, enum diagnose_step step, enum diagnose_fault fault);
void diagnose_fail(struct diagnose *d, enum diagnose_step step, enum diagnose_fault fault);
/* Not tried, and why; counts as a failure: nothing is proved. */
void diagnose_block(struct diagnose *d, enum diagnose_step step, enum diagnose_fault fault);
/* Failures from the header on, which another target made good, are warnings. */
void diagnose_forgive_walk(struct diagnose *d);
bool diagnose_part_has_failed(const struct diagnose_part *part);
/* The first step of the part that failed or is blocked, or DIAGNOSE_STEP_COUNT. */
enum diagnose_step diagnose_first_failure(const struct diagnose_part *part);
void diagnose_deinit(struct diagnose *d);
uint64_t diagnose_now_ms(void);
/* Until the walk's end, at most ms. */
uint64_t diagnose_left_ms(const struct diagnose *d, uint64_t ms);
/* means or remedy with the names put in; appended. */
void diagnose_expand(struct buf *out, const struct diagnose *d, struct slice local,
                     const char *text);

/* --- diagnose_dns.c --- */
struct diagnose_question {
    char name[DNS_NAME_BYTES_MAX + 1];
    enum dns_type type;
    bool is_done;
    struct dns_answer answer;
};
/* ERR_* with nothing begun. */
NODISCARD int diagnose_dns_new(struct diagnose *d);
void diagnose_dns_free(struct diagnose_dns *dns);
/* False: no such name can exist. */
NODISCARD bool diagnose_question_set(struct diagnose_question *q, enum dns_type type,
                                     const char *prefix, struct slice name);
/* Asks all at once and waits for all. */
void diagnose_dns_ask(struct diagnose *d, struct diagnose_question *questions, uint32_t count);

/* One address of one target. */
struct diagnose_spot {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_storage storage;
    } addr;
    socklen_t addr_len;
    char text[INET6_ADDRSTRLEN + 8]; /* "192.0.2.1:5269", "[2001:db8::1]:5269" */
    char host[DNS_NAME_BYTES_MAX + 1];
    uint32_t target_idx;
    bool is_direct_tls;
    bool is_connected; /* the last try */
    int err;
    int fd; /* -1 = none */
};
struct diagnose_spots {
    uint32_t count;
    uint32_t target_count;
    bool is_fallback; /* no SRV: the name itself */
    struct diagnose_spot at[DIAGNOSE_SPOTS_MAX];
};
/* What one walk through DNS looks for. */
struct diagnose_find {
    struct slice domain;     /* A-label */
    struct slice proxy_host; /* instead of SRV; or empty */
    uint16_t proxy_port;
    bool wants_direct; /* _xmpps-server too */
    enum diagnose_step srv_step;
    enum diagnose_step address_step;
};
/* SRV records, then addresses, in the order the node tries them. False: a step has failed. */
NODISCARD bool diagnose_find(struct diagnose *d, const struct diagnose_find *find,
                             struct diagnose_spots *out);
/* "192.0.2.1" or "[2001:db8::1]" as the only address. False: it is none. */
bool diagnose_spot_parse(struct diagnose_spot *out, struct slice host, uint16_t port);

/* --- diagnose_tcp.c --- */
/* Dials all at once; fills is_connected, err, fd. */
void diagnose_connect(struct diagnose *d, struct diagnose_spots *spots);
void diagnose_disconnect(struct diagnose_spots *spots);
/* ERR_* or -errno; fd stays with the spot. */
int diagnose_connect_one(struct diagnose *d, struct diagnose_spot *spot);

/* --- diagnose_wire.c: a connection with or without TLS --- */
struct diagnose_wire {
    int fd;
    struct tls_session *tls;
    bool is_shaking;
    bool is_secured;
    struct buf in;   /* as received */
    struct buf sent; /* to be sent as it is */
    struct buf out;  /* plain: of the stream */
    char why[TLS_ERROR_TEXT_BYTES + 64];
    int err;        /* that ended it */
    int err_behind; /* that will, once what came before is taken */
};
void diagnose_wire_init(struct diagnose_wire *w, int fd);
void diagnose_wire_deinit(struct diagnose_wire *w);
/* Client side. ERR_*. */
NODISCARD int diagnose_wire_start_tls(struct diagnose_wire *w, struct tls_context *ctx,
                                      const struct tls_session_params *params);
enum diagnose_wire_event {
    DIAGNOSE_WIRE_MORE,    /* nothing yet */
    DIAGNOSE_WIRE_DATA,    /* *plain has bytes; diagnose_wire_took() says how many were used */
    DIAGNOSE_WIRE_SECURED, /* the handshake is over */
    DIAGNOSE_WIRE_ENDED,   /* w->err, w->why */
    DIAGNOSE_WIRE_LATE,    /* until_ms has come */
};
/* Sends what is to be sent, waits until something happens or until_ms comes. Time goes before what
 * has not been read yet: a peer that never stops sending gets no more of it. */
enum diagnose_wire_event diagnose_wire_wait(struct diagnose_wire *w, uint64_t until_ms,
                                            struct slice *plain);
/* Says goodbye, as far as the socket takes it at once. */
void diagnose_wire_close(struct diagnose_wire *w);
void diagnose_wire_took(struct diagnose_wire *w, size_t bytes);

/* --- diagnose_tls.c: what a certificate is worth --- */
/* Which steps a stream's outcomes belong to: the same walk is gone outwards and towards ourselves.
 */
struct diagnose_map {
    enum diagnose_step header;
    enum diagnose_step starttls;
    enum diagnose_step tls;
    enum diagnose_step chain;
    enum diagnose_step name;
    enum diagnose_step purpose;
    enum diagnose_step features;
};
extern const struct diagnose_map diagnose_map_out;
extern const struct diagnose_map diagnose_map_in;
struct diagnose_judge {
    const struct diagnose_map *map;
    struct slice wanted; /* A-label that must be named */
    bool is_needed;      /* without a good certificate there is no way in */
};
/* For tls_session_params.chain_seen; ctx: the struct diagnose, whose part in hand tells the
 * direction. Lines for the step of the chain. */
void diagnose_chain_seen(void *ctx, const struct slice *chain, uint32_t count);
/* Steps tls, chain, name, purpose. True: the certificate proves wanted. */
bool diagnose_judge_peer(struct diagnose *d, const struct diagnose_judge *j,
                         const struct tls_peer *peer);
/* The step tls (or features, behind TLS 1.3's handshake) fails with what the wire says. */
void diagnose_tls_failed(struct diagnose *d, const struct diagnose_map *map,
                         const struct diagnose_wire *w, enum diagnose_step step);

/* --- diagnose_stream.c, diagnose_reply.c: one stream --- */
enum diagnose_outcome {
    DIAGNOSE_STREAM_GOOD,  /* ready, or (towards ourselves) features seen */
    DIAGNOSE_STREAM_NEXT,  /* failed where the node tries the next target */
    DIAGNOSE_STREAM_PLAIN, /* failed in TLS where the node tries again without */
    DIAGNOSE_STREAM_END,   /* failed for good */
};
struct diagnose_stream_params {
    struct slice local;  /* A-label; empty = only to see the features */
    struct slice remote; /* A-label */
    const struct diagnose_map *map;
    bool is_direct_tls;
    bool avoid_tls;
    uint32_t methods; /* of the row */
    bool wants_acks;
    struct diagnose_part *verify_part; /* where IN_DIALBACK goes; or NULL */
};
/* Takes the fd. */
enum diagnose_outcome diagnose_stream_walk(struct diagnose *d, int fd,
                                           const struct diagnose_stream_params *params);

/* --- diagnose_node.c: the running node --- */
/* The key of a db:result of ours. False: nobody gives one. */
bool diagnose_node_key(struct diagnose *d, const struct dialback_bond *bond,
                       struct dialback_key *out);
/* Streams of the partner to us, as the node counts them. */
struct diagnose_figures {
    bool is_known; /* else there is nobody to ask */
    int64_t streams;
    int64_t authenticated; /* since the node's start */
};
struct diagnose_figures diagnose_node_figures(struct diagnose *d);
/* Step IN_ANSWER: waits for the stream that brings the answer to our ping. */
void diagnose_node_answer(struct diagnose *d, const struct diagnose_figures *before);
/* Step IN_NODE. */
void diagnose_node(struct diagnose *d);

/* --- diagnose_out.c, diagnose_in.c --- */
void diagnose_out(struct diagnose *d);
/* before: of before the way out. */
void diagnose_in(struct diagnose *d, const struct diagnose_figures *before);
/* Our rules, of either direction. */
void diagnose_policy(struct diagnose *d, enum diagnose_step step);

/* --- diagnose_print.c --- */
void diagnose_print(const struct diagnose *d, struct out *o, bool is_json);

#endif
