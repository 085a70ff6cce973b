/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fixture: a presence object between a scripted store, a scripted SIP side, a scripted partner and
 * a clock. What it says is kept, in order, until taken; nothing is answered unless told so. Needs
 * no test library: used by unit tests, the simulation and the fuzzer. Broken use aborts. */
#ifndef FG_TEST_PRESENCE_FIXTURE_H
#define FG_TEST_PRESENCE_FIXTURE_H

#include "base/list.h"
#include "base/map.h"
#include "presence/presence.h"
#include "xml/parser.h"

/* One thing that was said. Strings are owned and NUL-terminated. */
struct said {
    struct list link;
    /* stanza: its text; request: the whole SIP message; answer: status line, header lines, body */
    char *text;
    size_t len;
    enum stanza_type type;      /* stanza */
    enum sip_method method;     /* request */
    struct presence_call *call; /* request; NULL once answered */
    uint64_t handle;            /* answer: of the transaction; order: cookie */
    unsigned status;            /* answer */
    int err;                    /* order */
};

/* What the store holds: a row as it became durable. */
struct kept_row {
    char *key;
    char *users[2];   /* local, remote */
    char *domains[2]; /* local, remote */
    char *dialogs;    /* lengths beside */
    char *document;
    size_t dialogs_len;
    size_t document_len;
    enum contact_direction direction;
    enum contact_state state;
    enum contact_asker asker;
    int64_t asked_unix_s;
    int64_t changed_unix_s;
};

enum fixture_store {
    FIXTURE_STORE_PROMPT, /* durable at the next fixture_settle or fixture_run */
    FIXTURE_STORE_HOLDS,  /* takes, says nothing: fixture_store_done */
    FIXTURE_STORE_FULL,   /* takes nothing */
};

struct fixture {
    struct presence *p;
    struct wheel wheel;
    struct sip_ids ids;
    uint64_t now_ms;
    int64_t start_unix_s;
    struct presence_params params;                  /* bounds may be set before fixture_start */
    struct presence_rule rules[CONTACT_DIRECTIONS]; /* of everybody, unless rule_fn */
    void (*rule_fn)(struct fixture *f, const struct presence_pair *pair,
                    enum contact_direction direction, struct presence_rule *out);
    /* Sees every stanza when it is said; may be NULL. */
    void (*stanza_fn)(struct fixture *f, const struct presence_pair *pair, enum stanza_type type);
    /* The same of requests. */
    void (*request_fn)(struct fixture *f, const struct presence_pair *pair, const struct said *s);
    void *user; /* the test's */

    enum fixture_store store;
    int store_err;      /* with PROMPT: what it says of every row */
    struct list on_way; /* rows taken, not yet durable */
    struct map disk;    /* struct kept_row by key */
    uint64_t ticket;
    uint64_t rows_taken;
    uint64_t rows_urgent;
    uint64_t granted_rows; /* that became durable with state granted */

    int request_err;      /* ops->request returns it */
    uint64_t hops_needed; /* calls of ops->need_hop */
    struct list stanzas;  /* struct said */
    struct list requests; /* taken off when answered */
    struct list answers;
    struct list orders;
    uint64_t txn;          /* the last server transaction */
    struct sip_id txn_tag; /* To tag of its answer */
    uint64_t txn_open;     /* bit n: transaction n % 64 is not answered: a few at a time */
    struct xml_parser *parser;
};

/* presence_new with the clock at 1000 ms and 2026-01-01; start after setting params. */
void fixture_init(struct fixture *f);
void fixture_start(struct fixture *f);
/* Frees everything; aborts if timers are left. */
void fixture_deinit(struct fixture *f);
/* The process dies: what was on its way to the store is lost (or kept, where lucky), the next one
 * loads what is durable and presence_loaded is called. Requests in flight are gone. */
void fixture_crash(struct fixture *f, bool is_lucky);

/* Lets the store answer (PROMPT); no time passes. */
void fixture_settle(struct fixture *f);
/* Lets time pass, timers fire, the store answer. */
void fixture_run(struct fixture *f, uint64_t ms);
/* The same; a connection to the next hop that is PRESENCE_HOP_COMING does not come within a
 * minute, and is PRESENCE_HOP_AWAY then: no dialling lasts for hours. */
void fixture_run_dialling(struct fixture *f, uint64_t ms);
/* All that is on its way becomes durable (0) or is refused. */
void fixture_store_done(struct fixture *f, int err);
const struct kept_row *fixture_row_of(const struct fixture *f, enum contact_direction direction,
                                      const struct presence_pair *pair);
const struct kept_row *fixture_row(const struct fixture *f, enum contact_direction direction,
                                   const char *local, const char *remote);

/* Pair of "user@domain" addresses in normal form, domains in any; valid until the next call. */
struct presence_pair fixture_pair(const char *local, const char *remote);

/* A presence stanza from the partner: from and to as written in it. False: no such stanza. */
bool fixture_from_partner(struct fixture *f, const char *xml);
/* A request from the SIP side, pair of From and To: our user is From. Line ends may be "\n".
 * Returns its transaction, 0 = not a message. */
uint64_t fixture_subscribe(struct fixture *f, const char *text);
/* Our user is From here as well (the presentity). */
uint64_t fixture_notify(struct fixture *f, const char *text);

/* The oldest one not yet taken, or NULL. Valid until the next take of its kind. */
struct said *fixture_take_stanza(struct fixture *f);
struct said *fixture_take_answer(struct fixture *f);
struct said *fixture_take_order(struct fixture *f);
/* The oldest request without outcome, not taken off. */
struct said *fixture_request(struct fixture *f);
size_t fixture_count(const struct list *l);
/* Outcomes; the request is freed. to_tag: of the response. fields: header lines, may be "". */
void fixture_respond(struct fixture *f, struct said *request, unsigned status, const char *to_tag,
                     const char *fields);
void fixture_fail(struct fixture *f, struct said *request, enum sip_outcome outcome);
/* Everything said so far is forgotten, requests without outcome excepted. */
void fixture_forget(struct fixture *f);
/* What the store holds is forgotten. */
void fixture_forget_rows(struct fixture *f);

enum contact_state fixture_state(const struct fixture *f, enum contact_direction direction,
                                 const char *local, const char *remote);
/* Value of a header field in a request's text; empty = absent. Valid until the next call. */
struct slice fixture_header(const struct said *request, const char *name);

#endif
