/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapshot: the compiled configuration: what shards read. Built once by config_load on the control
 * thread, immutable from then on, freed after the grace period of its publication.
 * Threads: everything here is read-only and may be read by any thread while the snapshot is alive.
 * Ownership: all pointers and slices inside belong to the snapshot and die with it. A shard keeps
 *   none across turns (shard.h): it keeps partner ids and domain names.
 * Names: domains are looked up as A-labels or U-labels, lower case, as jid.h normalises them; both
 *   forms of an internationalised name find the same entry.                                      */
#ifndef FG_POLICY_SNAPSHOT_H
#define FG_POLICY_SNAPSHOT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/map.h"
#include "base/slice.h"
#include "policy/names.h"
#include "policy/partner.h"

struct list_file;

#define SNAPSHOT_MAGIC 0x534e4150u

enum listen_kind {
    LISTEN_XMPP_SERVER,  /* STARTTLS */
    LISTEN_XMPPS_SERVER, /* direct TLS, XEP-0368 */
    LISTEN_COMPONENT,    /* XEP-0114 */
    LISTEN_SIP_TLS,
    LISTEN_SIP_TCP,
    LISTEN_HTTP, /* control thread */
    LISTEN_KIND_COUNT
};
/* "xmpp_server", "xmpps_server", "component", "sip", "sip", "http". */
const char *listen_kind_name(enum listen_kind kind);

struct listen_address {
    enum listen_kind kind;
    const char *text; /* as written, without "tls:": "[::]:5269" */
    struct sockaddr_storage addr;
    socklen_t addr_len;
};

/* An address range that requests are accepted from. IPv4 as ::ffff:0:0/96. */
struct address_range {
    struct in6_addr addr;
    uint8_t prefix_bits; /* 0..128 */
};

enum next_hop_kind { NEXT_HOP_SIP, NEXT_HOP_COMPONENT };
enum next_hop_profile { NEXT_HOP_PROFILE_SIMPLE, NEXT_HOP_PROFILE_LYNC };

struct next_hop {
    struct slice name; /* its key in "next_hops" */
    uint32_t idx;
    enum next_hop_kind kind;
    const char *secret; /* component: handshake secret, never logged; else NULL */
    /* sip */
    struct slice uri;  /* as written */
    struct slice host; /* A-label, or IP literal without brackets */
    uint16_t port;     /* 0 = by SRV (host is a name), else 5061 / 5060 */
    bool is_tls;
    bool host_is_address;
    enum next_hop_profile profile;
    const struct address_range *trusted_ranges; /* requests are accepted from these ... */
    uint32_t trusted_range_count;
    const struct slice *trusted_names; /* ... or over TLS with one of these names, A-labels */
    uint32_t trusted_name_count;       /* TLS hop: at least 1 (host, when nothing is configured) */
    uint32_t options_interval_s;       /* probe; 0 = off */
    uint32_t subscribe_rate_max;       /* SUBSCRIBEs per second, of the whole node */
    uint32_t connections_max;
};

/* A domain of ours. */
struct local_domain {
    struct slice name;         /* A-label */
    struct slice name_unicode; /* U-label; equals name for ASCII names */
    uint32_t idx;
    const struct next_hop *next_hop;
};

struct credential {
    const char *certificate_path; /* PEM, leaf first, then the chain */
    const char *key_path;
    struct slice domain; /* of ours that it was configured for; empty = the node's */
};

struct gateway_settings {
    uint32_t connection_limit;         /* all partners together */
    uint32_t partner_connection_limit; /* default; partner.connection_limit is the effective one */
    uint32_t keepalive_interval_s;
    uint32_t stream_establishment_timeout_s;
    uint32_t stream_inactivity_timeout_s;
    uint32_t subscription_refresh_interval_s;
    uint32_t reply_window_s; /* how long writing first lets an unverified partner's user answer */
    bool log_message_bodies;
    struct slice dialback_secret; /* empty = made by the node at start (edge) */
};

struct limit_settings {
    uint32_t queue_bytes_max; /* per partner, of stanzas waiting for a stream */
    uint32_t queue_count_max;
    uint32_t queue_age_s_max;
    uint32_t stanza_bytes_max;            /* authenticated; >= 10000 (RFC 6120 13.12) */
    uint32_t unauthenticated_bytes_max;   /* whole stream before authentication */
    uint32_t connections_per_address_max; /* unauthenticated inbound; 0 = no cap */
    uint32_t handshakes_per_shard_max;    /* TLS handshakes in progress */
    uint32_t handshakes_per_address_max;
    uint32_t connections_per_shard_max;
    uint64_t memory_per_shard_bytes_max; /* 0 = no cap */
    uint32_t undecided_per_user_max;     /* presence requests of one user of a partner */
    uint32_t undecided_per_domain_max;   /* of all users of one domain of a partner */
    uint32_t drain_timeout_s;            /* bound of an orderly stop */
};

/* What some users of ours may do outside (fedgate.conf(5), ACCESS). */
struct access_policy {
    struct slice name; /* its key; empty = access.global */
    bool xmpp;         /* may talk to XMPP partners */
    bool sip_federation; /* to SIP partners; nothing uses it yet */
};

struct access_settings {
    bool is_written; /* without the section: nobody may talk */
    struct access_policy global;
    const struct access_policy *sites;
    uint32_t site_count;
    const struct access_policy *users;
    uint32_t user_count;
    /* All members of a tier, each with the idx of its policy (users_int.h); NULL = no members. */
    const struct user_set *site_members;
    const struct user_set *user_members;
};

struct user_group {
    struct slice name;
    const struct user_set *members;
};

enum tls_ktls { TLS_KTLS_AUTO, TLS_KTLS_REQUIRE, TLS_KTLS_OFF };
enum tls_resumption {
    TLS_RESUMPTION_OFF,
    TLS_RESUMPTION_ACCEPT, /* tickets are given to those who connect to us, and taken back */
    TLS_RESUMPTION_ON,     /* and offered where we connect to */
};

struct snapshot {
    uint32_t magic;
    /* Of the file's bytes and of those of the lists that it names, in its order: equal on two nodes
     * when both read the same. Not of certificates, which each has of its own. */
    uint64_t source_hash;
    uint64_t text_hash; /* of the file's bytes alone: "is the running one the written one" */
    const struct list_file *list_files; /* that were read with it; config_changed_list() */

    const char *node_name; /* A-label */
    const char *state_dir;
    uint32_t shard_count; /* 0 = one per core */
    uint32_t busy_poll_us; /* a shard looks so long before it sleeps; 0 = not at all */

    const struct listen_address *listens; /* everything shards accept on */
    uint32_t listen_count;
    const struct listen_address *http; /* NULL = off */
    const char *admin_path;            /* Unix socket; NULL = off */

    const char *tls_backend; /* "wolfssl" or "mbedtls" */
    enum tls_ktls ktls;
    const char *trust_path;
    const char *crl_path;                 /* file or folder; NULL = none */
    bool crl_required;                    /* an issuer without CRL: its certificates are refused */
    enum partner_tls_min tls_min;         /* where no partner says otherwise */
    enum partner_tls_min any_partner_tls_min; /* the lowest of all: before the peer is known */
    enum tls_resumption resumption;
    const struct credential *credentials; /* [0] is tls.certificate/key; then per-domain ones */
    uint32_t credential_count;            /* 0 = no certificate configured */

    const char *const *dns_servers; /* NULL-terminated "ip:port" / "[ip6]:port"; NULL = system */

    struct gateway_settings gateway;
    struct limit_settings limits;

    const char *store_target; /* path of the database */

    const char *log_path; /* NULL = stderr */
    int log_level;        /* enum log_level */

    const struct local_domain *domains;
    uint32_t domain_count;
    const struct next_hop *next_hops;
    uint32_t next_hop_count;
    const struct partner *partners;
    uint32_t partner_count;
    bool any_suffix_match; /* some partner has it: lookups try the parents ... */
    uint8_t suffix_labels_min; /* ... with that many labels */
    uint8_t suffix_labels_max;
    struct access_settings access;
    const struct user_group *groups;
    uint32_t group_count;
    const struct user_set *blocked; /* whoever we talk to for nobody; NULL = none */
    /* What is offered before the peer's domain is known: the union over all partners. */
    uint32_t any_partner_auth; /* PARTNER_AUTH_ bits */

    struct map domain_map;  /* name -> struct local_domain */
    struct names partner_names; /* primary and additional names -> idx of the partner */
    struct map hop_map;     /* configuration name -> struct next_hop */
    void *arena;            /* owned: all strings and arrays above */
};

/* NULL is accepted. Secrets are overwritten. Control thread. */
void snapshot_free(struct snapshot *s);

/* NULL = not ours / no partner / no such hop. */
const struct local_domain *snapshot_domain(const struct snapshot *s, struct slice name);
/* By its own name, else the one with suffix_match whose name is the longest that name is below; a
 * domain of ours on the way ends that: what is below ours is nobody's unless it is written. */
const struct partner *snapshot_partner(const struct snapshot *s, struct slice name);
/* The latter alone. ascii: A-labels. */
const struct partner *snapshot_suffix_partner(const struct snapshot *s, struct slice ascii);
const struct next_hop *snapshot_next_hop(const struct snapshot *s, struct slice name);
/* Whether a request from this socket address (no TLS name needed) may come from the hop. */
bool next_hop_trusts_address(const struct next_hop *hop, const struct sockaddr *addr);

enum policy_reason {
    POLICY_ALLOWED,
    POLICY_LOCAL_UNKNOWN,   /* the local domain is not one of ours */
    POLICY_PARTNER_UNKNOWN, /* the remote domain belongs to no partner */
    POLICY_LOCAL_AS_REMOTE, /* somebody else claims to be one of our domains */
    POLICY_DOMAIN_BLOCKED,  /* by "blocked" or the partner's */
    POLICY_MAINTENANCE,     /* the partner's switch */
    /* of single stanzas (decide.h) */
    POLICY_ADDRESS_BLOCKED,
    POLICY_ACCESS_DENIED,   /* external access */
    POLICY_USER_NOT_ALLOWED, /* partners[].allowed_users */
    POLICY_NOT_REACHABLE,   /* partner type: the local user has neither added nor written */
    POLICY_REASON_COUNT
};
/* Stable names for logs and counters: "allowed", "unknown-local-domain", ... */
const char *policy_reason_name(enum policy_reason reason);

struct policy_verdict {
    bool allowed;
    enum policy_reason reason;
    const struct local_domain *domain; /* set when known, even if refused */
    const struct partner *partner;
};

/* May stanzas and streams run between our domain local and the other side's domain remote?
 * Directionless; partner->row says how the stream must be authenticated. No allocation.          */
struct policy_verdict policy_pair(const struct snapshot *s, struct slice local,
                                  struct slice remote);

#endif
