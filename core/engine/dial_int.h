/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dial_int: the state of a dial; shared by dial.c (what to try next) and dial_race.c (the addresses
 * of one target). Private to these. */
#ifndef FG_ENGINE_DIAL_INT_H
#define FG_ENGINE_DIAL_INT_H

#include "base/buf.h"
#include "base/wheel.h"
#include "dns/targets.h"
#include "engine/dial.h"
#include "engine/resolver.h"
#include "engine/shard_int.h"

#define DIAL_MAGIC 0x4c414944u
#define DIAL_CONNECT_TIMEOUT_MS 10000u
#define DIAL_TOTAL_TIMEOUT_MS 60000u
#define DIAL_HANDSHAKE_TIMEOUT_MS 10000u
/* RFC 8305 sections 3 and 5. */
#define DIAL_RESOLUTION_DELAY_MS 50u
#define DIAL_ATTEMPT_DELAY_MS 250u
#define DIAL_STORY_BYTES_MAX 1024u
#define DIAL_STRINGS_BYTES 1024u

struct dial_attempt {
    struct dial *d;
    struct conn_ref ref;
    struct dns_addr addr;
    bool is_active;
};

/* The addresses of one target. */
struct dial_race {
    struct resolver_query query[2]; /* AAAA, A */
    struct dns_answer *answer[2];   /* owned copies, NULL = none (yet) */
    struct wheel_timer timer;       /* resolution delay, then attempt delay */
    struct dns_addr addr[DNS_RACE_ADDRS_MAX];
    uint32_t addr_count;
    uint32_t addr_next;
    struct dial_attempt attempt[DNS_RACE_ADDRS_MAX];
    uint32_t active_count;
    int dns_err; /* the last failure of a lookup */
    bool has_begun;
};

struct dial {
    uint32_t magic;
    struct shard *sh;
    const struct dial_ops *ops; /* borrowed */
    void *ctx;                  /* borrowed */
    struct dial_params params;  /* slices point into strings; the TLS context is referenced */
    struct resolver_query srv_query[DNS_SERVICES_MAX];
    struct dns_answer *srv_answer[DNS_SERVICES_MAX]; /* owned copies */
    struct dns_targets targets;
    uint32_t target_idx; /* being tried; valid while < targets.count */
    bool is_direct_name; /* the one target is name:port, not from SRV */
    struct dial_race race;
    struct conn *handshake;     /* ours while it shakes hands, else NULL */
    struct wheel_timer later;   /* start, next: so that nothing happens inside the caller's call */
    struct wheel_timer total;
    uint64_t total_left_ms;     /* runs only while we are at work */
    uint64_t working_since_ms;
    enum dial_step worst_step;  /* of the failures so far, the one that came farthest */
    int worst_err;
    struct buf story;
    char strings[DIAL_STRINGS_BYTES];
    size_t strings_len;
};

/* dial_race.c. Ends in dial_connected or dial_target_failed, never from inside begin. */
void race_begin_name(struct dial *d, struct slice host);
void race_begin_addr(struct dial *d, const struct dns_addr *addr);
/* Everything of it is over; harmless when it is. */
void race_stop(struct dial *d);

/* dial.c */
void dial_connected(struct dial *d, struct conn *c);
void dial_target_failed(struct dial *d);
/* One failure for the story; addr may be NULL. */
void dial_note(struct dial *d, enum dial_step step, int err, const char *addr, const char *why);

#endif
