/* SPDX-License-Identifier: GPL-2.0-or-later */
/* presence_mails: what shards tell each other about presence. A contact lives on one shard; what
 * concerns it arrives on any. Rules as in mails.h. */
#ifndef FG_EDGE_PRESENCE_MAILS_H
#define FG_EDGE_PRESENCE_MAILS_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/jout.h"
#include "base/list.h"
#include "base/slice.h"
#include "edge/mails.h"
#include "presence/presence.h"

/* MAIL_PRESENCE_STANZA: a presence stanza of a partner, judged already, as for a stream with
 * default namespace jabber:server. */
struct mail_presence_stanza {
    struct mail mail;
    uint32_t bytes_len;
    char bytes[];
};
/* NULL: no memory. */
NODISCARD struct mail_presence_stanza *mail_presence_stanza_new(struct slice bytes);

/* MAIL_SIP_REQUEST: a SUBSCRIBE or NOTIFY, checked and judged already. */
struct mail_sip_request {
    struct mail mail;
    uint64_t handle;    /* of its transaction, on the shard it comes from */
    uint32_t shard_idx; /* that one */
    uint32_t to_tag_len;
    uint32_t bytes_len;
    char data[]; /* To tag of the answer, the whole message */
};
NODISCARD struct mail_sip_request *mail_sip_request_new(struct slice bytes,
                                                        struct presence_txn txn);
struct presence_txn mail_sip_request_txn(const struct mail_sip_request *m);
struct slice mail_sip_request_bytes(const struct mail_sip_request *m);

/* MAIL_SIP_ANSWER: its answer, back to the transaction. */
struct mail_sip_answer {
    struct mail mail;
    uint64_t handle;
    uint16_t status;
    uint16_t reason_len;
    uint16_t type_len;
    uint32_t fields_len;
    uint32_t body_len;
    char data[]; /* reason, content type, header lines, body */
};
/* NULL also for an answer that nobody could mean. */
NODISCARD struct mail_sip_answer *mail_sip_answer_new(uint64_t handle,
                                                      const struct sip_answer *answer);
struct sip_answer mail_sip_answer_view(const struct mail_sip_answer *m);

/* MAIL_PRESENCE_UNDELIVERED: a stanza of presence came to nothing. */
struct mail_presence_pair {
    struct mail mail;
    uint8_t type;      /* enum stanza_type */
    uint8_t condition; /* enum stanza_condition */
    uint16_t local_user_len;
    uint16_t local_domain_len;
    uint16_t remote_user_len;
    uint16_t remote_domain_len;
    char data[]; /* in this order */
};
NODISCARD struct mail_presence_pair *mail_presence_pair_new(enum mail_kind kind,
                                                            const struct presence_pair *pair);
struct presence_pair mail_presence_pair_view(const struct mail_presence_pair *m);

/* MAIL_PRESENCE_SEEN: the way to a partner's domain is there, has failed, or a stream on it broke
 * off. */
struct mail_presence_seen {
    struct mail mail;
    bool is_reachable;
    bool was_cut; /* is_reachable says nothing then */
    uint16_t domain_len;
    char domain[];
};
NODISCARD struct mail_presence_seen *mail_presence_seen_new(struct slice domain,
                                                            bool is_reachable);

/* MAIL_STORED: from the store's thread: rows of this shard are durable, or refused. */
struct mail_stored {
    struct mail mail;
    uint64_t first;
    uint64_t last;
    int err;
};

/* MAIL_CONTACTS: the control thread, which waits for done, wants contacts of this shard as JSON. */
struct contacts_ask {
    struct presence_filter filter;
    uint64_t cursor;  /* 0 = from the beginning; where it goes on */
    uint32_t limit;   /* how many more */
    struct jout *out; /* in a list */
    bool is_end;      /* of this shard */
};
struct mail_contacts {
    struct mail mail;
    struct contacts_ask *ask;
    sem_t *done;
};

/* MAIL_CONTACT_ORDER: an administrator's order; done is posted when it is durable, or not. Shared
 * between the control thread, which may give up waiting, and the shard: the last one frees it. */
struct contact_order {
    _Atomic uint32_t refs;
    sem_t done;
    enum presence_order what;
    uint32_t directions; /* bits 1u << enum contact_direction */
    uint32_t pending;    /* the shard's: how many of these are not done */
    uint32_t missing;    /* the shard's: how many there never were */
    int err;             /* the shard's: the first that failed */
    _Atomic int result;  /* release/acquire; valid after done */
    struct list link;    /* in presence_side.orders */
    struct presence_pair pair;
    char texts[]; /* of pair */
};
struct mail_contact_order {
    struct mail mail;
    struct contact_order *order; /* one ref */
};
/* With one ref. Aborts without memory. */
NODISCARD struct contact_order *contact_order_new(const struct presence_pair *pair);
void contact_order_unref(struct contact_order *order);

#endif
