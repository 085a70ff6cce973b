/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table: the presence object and what its own parts need of each other. Not for the machines: what
 * they use stands in contact.h. One thread. */
#ifndef FG_PRESENCE_TABLE_H
#define FG_PRESENCE_TABLE_H

#include "base/list.h"
#include "base/map.h"
#include "base/slab.h"
#include "presence/contact.h"

#define PRESENCE_MAGIC             0x50524553u
#define PRESENCE_CONTACTS_MAX      2000000u
#define PRESENCE_DOMAIN_MAX        1000000u
#define PRESENCE_ORDERS_MAX        1024u
#define PRESENCE_DIRTY_MS          5000u  /* a changed dialog or document waits so long at most */
#define PRESENCE_DIRTY_MS_MAX      60000u /* while the store refuses */
#define PRESENCE_RETRY_MS          100u   /* after ERR_FULL */
#define PRESENCE_RETRY_SLOW_MS     1000u  /* after ERR_FULL for PRESENCE_GIVE_UP_MS */
#define PRESENCE_GIVE_UP_MS        10000u /* a grant waits so long for a store that takes nothing */
#define PRESENCE_SLICE             256u   /* contacts at a time in long works */
#define PRESENCE_SLICE_MS          8u
#define PRESENCE_DIALOGS_BYTES_MAX 65536u /* of a row */
#define PRESENCE_FIELDS_BYTES_MAX  65536u
#define PRESENCE_BODY_BYTES_MAX    131072u
#define PRESENCE_STANZA_BYTES_MAX  262144u

enum contact_dirt {
    CONTACT_CLEAN,
    CONTACT_DIRTY,  /* at the next sweep */
    CONTACT_URGENT, /* at the settling of this event */
};

/* A row on its way to the store; one per contact at most. */
struct contact_row {
    struct list link;        /* in presence.rows, by ticket */
    struct contact *contact; /* borrowed: stays while its row is on the way */
    uint64_t ticket;
    uint32_t at_unix_s; /* when the state in it began, if it is another one */
    uint8_t wants;      /* CONTACT_WANTS_* that its durability fulfils */
    uint8_t state;      /* in it */
    uint8_t asker;
    bool is_deleted;
    bool had_row; /* contact.has_row before */
};

struct presence {
    uint32_t magic;
    const struct presence_ops *ops; /* borrowed */
    void *ctx;                      /* borrowed */
    struct wheel *wheel;            /* borrowed */
    struct sip_ids *ids;            /* borrowed */
    uint64_t random;
    uint32_t contacts_max;
    uint32_t domain_max;

    /* table.c: chains in order of hash, buckets by its top bits, so growth keeps the order */
    struct contact **buckets; /* owned */
    uint32_t bucket_bits;
    uint32_t count;
    struct map domains;              /* by A-label; owned */
    struct slab slab;                /* contacts, their dialogs and documents */
    struct sip_dialogs *sip_dialogs; /* owned */

    uint32_t *asked; /* owned; bound.c */

    /* authorise.c */
    struct list dirty;  /* struct contact.dirty; of those without a row on the way */
    struct list urgent; /* the same: the store was full */
    struct list rows;   /* struct contact_row */
    struct wheel_timer dirty_timer;
    struct wheel_timer retry_timer;
    uint32_t dirty_ms;
    bool is_full; /* the store took nothing since full_ms */
    uint64_t full_ms;

    struct list calls;  /* struct presence_call */
    struct list orders; /* admin.c: struct order */
    uint32_t order_count;
    struct map hops; /* pace.c: struct hop by name; owned */
    struct presence_paces *paces;
    bool owns_paces;
    uint32_t wait_number; /* of the last one who began to wait */

    /* review.c */
    struct list seen;     /* struct presence_domain */
    struct list hop_news; /* struct hop_news; owned */
    struct wheel_timer seen_timer;
    uint64_t review_at; /* hash of the next contact */

    struct presence_scratch scratch;
    struct buf dialogs;        /* row.c: of the row being written */
    struct buf document;       /* likewise */
    struct buf packed_dialogs; /* likewise, without envelope */
    struct buf packed_document;
    struct presence_stats stats;
};

/* Checks the handle; for public functions. */
void presence_check(const struct presence *p);

/* --- table.c --- */
NODISCARD int table_init(struct presence *p);
void table_deinit(struct presence *p); /* frees all contacts and domains */
/* Found or made (state none, machine initialised). ERR_FULL, ERR_NOMEM, ERR_BAD_INPUT. */
NODISCARD int contact_get(struct presence *p, enum contact_direction direction,
                          const struct presence_pair *pair, struct contact **out);
void contact_free(struct contact *c);
/* The first contact with this hash or a greater one; NULL: none. */
struct contact *table_next(const struct presence *p, uint64_t hash);
struct presence_domain *table_domain(const struct presence *p, struct slice ascii);
/* state, with gauges and nothing else. */
void contact_raw_set_state(struct contact *c, enum contact_state state);

/* --- bound.c --- */
NODISCARD int bound_init(struct presence *p);
void bound_deinit(struct presence *p);
/* The contact's state begins (1) or ends (-1). */
void bound_count(const struct contact *c, int32_t by);
/* May this user of a partner begin to watch one more of ours? c: the contact, NULL = there is none.
 * rule: of direction in. */
bool bound_may_ask(const struct presence *p, const struct contact *c,
                   const struct presence_pair *pair, const struct presence_rule *rule);

/* --- contact.c --- */
void contact_settle(struct contact *c);
bool contact_is_at_rest(const struct contact *c);
void contact_measure_now(struct contact *c);
uint32_t contact_now_u32(const struct contact *c);

/* --- authorise.c --- */
void authorise_init(struct presence *p);
void authorise_deinit(struct presence *p);
/* What is dirty is written from now on, not some seconds later. */
void authorise_hurry(struct presence *p);
void contact_make_urgent(struct contact *c);
/* Gives the row to the store if it takes it. False: not now. */
bool contact_write(struct contact *c);
void contact_forget_dirt(struct contact *c);

/* --- row.c --- */
void row_pack(struct contact *c, struct slice *dialogs, struct slice *document);

/* --- admin.c --- */
void admin_deinit(struct presence *p);
/* This contact's row with all that was ordered so far goes to the store; or not. */
void admin_in_row(struct contact *c);
/* is_allowed: an order to allow was in it. */
void admin_row_done(struct contact *c, bool is_allowed, int err);
/* All orders of the contact that are not in a row. */
void admin_give_up(struct contact *c, int err);

/* --- pace.c --- */
void pace_deinit(struct presence *p);
/* Its connection came or went: those who wait for it are looked at. */
void pace_hop_seen(struct presence *p, struct slice hop);
/* Rates may have changed. */
void pace_review(struct presence *p);

/* --- review.c --- */
void review_init(struct presence *p);
void review_deinit(struct presence *p);
/* Nobody of this domain watches or is watched any more. */
void review_forget(struct presence_domain *d);

/* --- gate.c: what is answered without a machine --- */
void gate_answer_stranger(struct presence *p, const struct presence_pair *pair,
                          const struct stanza *st);
void gate_answer_full(struct presence *p, const struct presence_pair *pair,
                      const struct stanza *st);
void gate_status(struct presence *p, struct presence_txn txn, unsigned status,
                 uint32_t retry_after_s);

/* --- send.c --- */
void send_deinit(struct presence *p);
/* Calls in flight lose their contact. */
void send_detach(struct contact *c);

#endif
