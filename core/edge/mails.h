/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mails: what shards tell each other. Each is a pool block that starts with struct mail; whoever
 * receives one owns and frees it. Stanzas travel as struct block (block.h). */
#ifndef FG_EDGE_MAILS_H
#define FG_EDGE_MAILS_H

#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "engine/conn.h"
#include "engine/shard.h"
#include "policy/decide.h"
#include "xmpp/stream.h"

enum mail_kind {
    MAIL_BLOCK,         /* struct block: to the home of its pair or component */
    MAIL_GATE,          /* struct mail_gate: back-pressure news (flow.h) */
    MAIL_SIP_OUTCOME,   /* struct mail_outcome: what became of a stanza that came from SIP */
    MAIL_SIP_ERROR,     /* struct mail_sip_error: a stanza error, for a held SIP request */
    MAIL_CONFIRM,       /* struct mail_confirm: a ping answer arrived for a link's custody */
    MAIL_VERIFY,        /* struct mail_verify: ask the authoritative server about a dialback key */
    MAIL_VERIFY_RESULT, /* struct mail_verify: its answer, back to the stream that asked */
    MAIL_PARTNER_SEEN,  /* struct mail_pair: the partner dialled in: end the back-off */
    MAIL_REPORT,        /* struct mail_report: the control thread wants this shard's figures */
    MAIL_DRAIN,         /* struct mail: stop politely */
    MAIL_REACH,         /* struct mail_reach: a user of ours added somebody or wrote to him */
    MAIL_WHY,           /* struct mail_why: the control thread asks for a verdict (judge.h) */
    /* presence_mails.h */
    MAIL_PRESENCE_STANZA,
    MAIL_PRESENCE_UNDELIVERED,
    MAIL_PRESENCE_SEEN,
    MAIL_SIP_REQUEST,
    MAIL_SIP_ANSWER,
    MAIL_STORED,
    MAIL_CONTACTS,
    MAIL_CONTACT_ORDER,
};

struct mail_gate {
    struct mail mail;
    bool is_closed;
    uint32_t key_len;
    char key[];
};

/* Final status for a held SIP server transaction. */
struct mail_outcome {
    struct mail mail;
    uint64_t handle;
    uint16_t status;
    uint32_t retry_after_s; /* 0 = none */
};

struct mail_sip_error {
    struct mail mail;
    uint64_t handle;
    uint16_t status;
    uint32_t retry_after_s; /* 0 = none */
};

struct mail_pair {
    struct mail mail;
    uint16_t local_len;
    uint16_t remote_len;
    char data[]; /* local, remote: A-labels */
};

struct mail_confirm {
    struct mail mail;
    uint64_t number; /* of the ping */
    uint16_t local_len;
    uint16_t remote_len;
    char data[];
};

/* A dialback verification on its way to the link and back (XEP-0220, receiving server). */
struct mail_verify {
    struct mail mail;
    struct conn_ref asker; /* the incoming connection */
    uint8_t verdict;   /* enum dialback_verdict, in the answer */
    uint8_t condition; /* enum stanza_condition, with DIALBACK_ERROR */
    bool is_sent;      /* on the link: the db:verify is written */
    uint16_t local_len;
    uint16_t remote_len;
    uint16_t id_len;
    uint16_t key_len;
    char data[]; /* local, remote, stream id, key */
};

struct mail_verify_params {
    struct conn_ref asker;
    struct slice local;
    struct slice remote;
    struct slice stream_id;
    struct slice key;
};
/* NULL: no memory, or an id or key too long to be honest. */
NODISCARD struct mail_verify *mail_verify_new(const struct mail_verify_params *params);
struct stream_verify mail_verify_view(const struct mail_verify *v);

/* MAIL_PARTNER_SEEN and the like; NULL: no memory. */
NODISCARD struct mail_pair *mail_pair_new(enum mail_kind kind, struct slice local,
                                          struct slice remote);

/* News for every shard about who may answer (reach.h). */
struct mail_reach {
    struct mail mail;
    uint8_t what; /* enum reach_what */
    uint64_t key; /* reach_key of the pair */
};

/* The verdict as a stanza would meet it on this shard (judge.h). */
struct why_answer {
    bool allowed;
    bool without_note;
    bool is_reachable;
    uint8_t reason; /* enum policy_reason */
    uint8_t answer; /* enum policy_answer */
    char rule[POLICY_RULE_BYTES];
};
struct mail_why {
    struct mail mail;
    const struct policy_question *question; /* is_reachable is filled in by the shard */
    struct why_answer *answer;
    sem_t *done;
};

struct edge_report;
struct mail_report {
    struct mail mail;
    struct edge_report *report; /* filled by the shard; the control thread waits for done */
    sem_t *done;
};

#endif
