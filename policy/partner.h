/* SPDX-License-Identifier: GPL-2.0-or-later */
/* partner: the allowed XMPP partner and how a stream with it may be authenticated: the truth table
 * of TLS x SASL x dialback, 18 rows, as data. One verdict for file, command line and API.
 * "Required" is literal: with SASL required nothing but EXTERNAL authenticates (README, decisions).
 * Threads: constant data and pure functions; any thread.
 * Facts: RFC 6120 section 5, XEP-0178 (EXTERNAL), XEP-0220 (dialback), RFC 7590 3.4.             */
#ifndef FG_POLICY_PARTNER_H
#define FG_POLICY_PARTNER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct user_set;

/* How much is asked of one mechanism. */
enum partner_level {
    PARTNER_LEVEL_REQUIRED,      /* fail when the peer does not offer it */
    PARTNER_LEVEL_OPTIONAL,      /* offer, use when the peer does */
    PARTNER_LEVEL_NOT_SUPPORTED, /* never offer or use */
    PARTNER_LEVEL_COUNT
};

enum partner_verdict {
    PARTNER_VERDICT_ACCEPT,
    PARTNER_VERDICT_WARN,  /* accepted; reason names what the administrator should know */
    PARTNER_VERDICT_REJECT /* refused at load; reason and remedy */
};

/* What partner users may do towards ours (decide.h). */
enum partner_type {
    PARTNER_TYPE_FEDERATED,
    PARTNER_TYPE_PUBLIC_VERIFIED,
    PARTNER_TYPE_PUBLIC_UNVERIFIED,
};

/* Stream acknowledgements towards a partner: XEP-0198 where offered, else ping (XEP-0199). */
enum partner_acks {
    PARTNER_ACKS_AUTO, /* XEP-0198 when offered, else a ping behind the last stanza */
    PARTNER_ACKS_SM,   /* XEP-0198 only */
    PARTNER_ACKS_PING, /* ping only */
    PARTNER_ACKS_OFF,
};

/* Lowest TLS version that is spoken. */
enum partner_tls_min { PARTNER_TLS_1_2, PARTNER_TLS_1_3, PARTNER_TLS_MIN_COUNT };

/* The ways a domain pair can end up authenticated, as bits. The values are those of
 * enum stream_method (xmpp/stream.h), so that row->auth is stream_rules.methods; a test holds them
 * together.                                                                                      */
#define PARTNER_AUTH_EXTERNAL     1u /* SASL EXTERNAL over TLS with a valid certificate */
#define PARTNER_AUTH_CERTIFICATE  2u /* dialback answered from a valid certificate (XEP-0344) */
#define PARTNER_AUTH_DIALBACK_TLS 4u /* dialback over TLS; the certificate need not be valid */
#define PARTNER_AUTH_DIALBACK_TCP 8u /* dialback without TLS */

/* One row of the truth table. */
struct partner_row {
    uint8_t number; /* 1..18, as in the manual page */
    uint8_t tls;    /* enum partner_level */
    uint8_t sasl;
    bool dialback;
    uint8_t verdict; /* enum partner_verdict */
    uint8_t auth;    /* PARTNER_AUTH_* bits that can result; 0 when rejected */
    /* What the stream machines do with it; derived from auth, written out to be read. */
    bool tls_offer;   /* offer STARTTLS and use it when offered */
    bool tls_require; /* no dialback, SASL or stanza before TLS */
    bool
        external_offer; /* offer EXTERNAL to a peer whose certificate passes, use it when offered */
    bool dialback_offer;    /* offer, accept and send dialback for the pair */
    bool certificate_valid; /* a peer whose certificate fails cannot end up authenticated */
    const char *reason;     /* stable name, "" for plain accept: "sasl-needs-tls" */
    const char *text;       /* one sentence for people, with the remedy; "" for plain accept */
};

#define PARTNER_ROW_COUNT 18u
/* NULL past the end; idx 0..17 is row number idx + 1. */
const struct partner_row *partner_row_at(uint32_t idx);
const struct partner_row *partner_row_find(enum partner_level tls, enum partner_level sasl,
                                           bool dialback);
/* Whether a pair authenticated by auth (one PARTNER_AUTH_ bit) may carry stanzas under this row:
 * asked again when the first stanza is accepted. */
static inline bool partner_row_allows(const struct partner_row *row, uint32_t auth)
{
    return (row->auth & auth) != 0;
}

/* "required", "optional", "not_supported"; never NULL. */
const char *partner_level_name(enum partner_level level);
const char *partner_type_name(enum partner_type type);
const char *partner_acks_name(enum partner_acks acks);
const char *partner_verdict_name(enum partner_verdict verdict);

/* What few partners have; a partner without any of it has no such object. 0, empty, NULL = off. */
struct partner_extra {
    uint32_t stanza_rate_max; /* from the partner, stanzas per second; over it its streams wait */
    uint32_t stanza_burst;    /* stanzas; at least 1 with a rate */
    uint64_t byte_rate_max;   /* bytes of stanzas per second */
    uint64_t byte_burst;      /* at least the largest stanza it may send */
    uint32_t stanza_bytes_max; /* either direction; larger ones are answered; 0 = limits.* alone */
    struct slice maintenance;  /* no streams, no stanzas; refused politely with this text */
    const struct user_set *allowed_users; /* of ours; NULL = whoever access allows */
    const struct user_set *blocked;       /* addresses and domains of the partner */
};

/* Small on purpose: a million of them are in memory. Strings live as long as the snapshot. */
struct partner {
    struct slice domain;              /* primary, A-label, lower case */
    const struct partner_row *row;    /* never a rejected one */
    const struct slice *more_domains; /* additional, A-labels */
    struct slice description;         /* UTF-8, may be empty */
    struct slice proxy_host;          /* A-label or IP literal; empty = SRV lookup */
    uint64_t id;                      /* hash of domain: same in every snapshot and process */
    uint32_t idx;                     /* in this snapshot: 0..partner_count-1 */
    uint32_t more_domain_count;
    uint32_t connection_limit; /* effective: own, or gateway.partner_connection_limit */
    uint16_t proxy_port;       /* with proxy_host; 5269 unless told */
    uint8_t type;              /* enum partner_type */
    uint8_t acks;              /* enum partner_acks */
    uint8_t tls_min;           /* enum partner_tls_min: its own, or tls.min_version */
    bool keepalive;            /* the partner is expected to send keep-alives */
    bool suffix_match;         /* domains below its domains are its, too */
    const struct partner_extra *extra; /* NULL = nothing of it */
};

/* The id a partner with this primary domain has or would have. */
uint64_t partner_id(struct slice domain);
/* Shard that owns the partner's streams, queues and limits. Also defined for domains that are no
 * partner's. shard_count >= 1. */
uint32_t partner_home_of_id(uint64_t id, uint32_t shard_count);
static inline uint32_t partner_home(const struct partner *p, uint32_t shard_count)
{
    return partner_home_of_id(p->id, shard_count);
}

#endif
