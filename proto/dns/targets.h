/* SPDX-License-Identifier: GPL-2.0-or-later */
/* targets: SRV record sets -> the order in which to try hosts (RFC 2782; XEP-0368: the sets of
 * `_xmpps-server` and `_xmpp-server` count as one), and the addresses of a host -> the order in
 * which to try those (RFC 8305 section 4). Pure functions; any thread; no memory. */
#ifndef FG_DNS_TARGETS_H
#define FG_DNS_TARGETS_H

#include "dns/answer.h"

#define DNS_SERVICES_MAX 2u
#define DNS_TARGETS_MAX 32u
#define DNS_RACE_ADDRS_MAX 16u /* addresses tried of one target */

struct dns_target {
    struct dns_name name;
    uint16_t port;
    uint16_t priority;
    uint16_t weight;
    uint8_t service_idx; /* which set it came from */
};

struct dns_targets {
    uint32_t count;
    bool is_refused[DNS_SERVICES_MAX]; /* that set is the single target ".": not offered */
    struct dns_target at[DNS_TARGETS_MAX];
};

/* Uniform over all 64-bit values. */
typedef uint64_t dns_random_fn(void *ctx);

/* sets[i] NULL = not asked; failed answers count as empty. Duplicates and "." beside other targets
 * are dropped. Sorted by priority, shuffled by weight within one. */
void dns_targets_merge(struct dns_targets *out, const struct dns_answer *const *sets,
                       uint32_t set_count, dns_random_fn *next_random, void *random_ctx);

/* IPv6 first, then alternating; duplicates dropped; returns how many. Either may be NULL or failed.
 */
uint32_t dns_addrs_interleave(struct dns_addr out[DNS_RACE_ADDRS_MAX], const struct dns_answer *v6,
                              const struct dns_answer *v4);

#endif
