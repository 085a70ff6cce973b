/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapshot: lookups in the compiled configuration and its end. */
#include "policy/snapshot.h"

#include "base/check.h"
#include "base/pool.h"
#include "base/utf8.h"
#include "policy/arena.h"
#include "policy/users.h"
#include "xmpp/jid.h"

static void wipe(const char *text, size_t len)
{
    if (text) {
        /* The arena is ours and is about to be freed: nobody reads this as constant any more. */
        explicit_bzero((void *)(uintptr_t)text, len);
    }
}

void snapshot_free(struct snapshot *s)
{
    if (!s) {
        return;
    }
    ASSERT(s->magic == SNAPSHOT_MAGIC);
    s->magic = 0;
    for (uint32_t i = 0; i < s->next_hop_count; i++) {
        const char *secret = s->next_hops[i].secret;

        wipe(secret, secret ? strlen(secret) : 0);
    }
    wipe(s->gateway.dialback_secret.ptr, s->gateway.dialback_secret.len);
    map_deinit(&s->domain_map);
    names_deinit(&s->partner_names);
    map_deinit(&s->hop_map);
    arena_free(s->arena);
    pool_heap_free(s);
}

/* The tables hold A-labels and the U-labels of the configuration; a U-label spelled otherwise
 * (other normal form, as a stream may bring it) is found by its A-labels. */

NOINLINE static const struct local_domain *domain_by_ascii(const struct snapshot *s,
                                                           struct slice name)
{
    struct jid_ascii ascii;

    return jid_domain_to_ascii(name, &ascii) == 0
               ? map_get(&s->domain_map, jid_ascii_slice(&ascii))
               : NULL;
}

const struct local_domain *snapshot_domain(const struct snapshot *s, struct slice name)
{
    const struct local_domain *found = map_get(&s->domain_map, name);

    return found || utf8_is_ascii(name) ? found : domain_by_ascii(s, name);
}

/* The one with suffix_match whose name is the longest that name, A-labels, is below. Only as many
 * steps as such names have labels, whatever a peer sends. */
static uint32_t find_suffix(const struct snapshot *s, struct slice name)
{
    uint32_t labels = 1;

    for (size_t i = 0; i < name.len; i++) {
        labels += name.ptr[i] == '.';
    }
    for (size_t i = 0; i < name.len && labels > s->suffix_labels_min; i++) {
        uint32_t idx;

        if (name.ptr[i] != '.' || --labels > s->suffix_labels_max) {
            continue;
        }
        if (map_get(&s->domain_map, slice_from(name, i + 1))) {
            return NAMES_NONE; /* what is below a domain of ours is no partner's by itself */
        }
        idx = names_find(&s->partner_names, slice_from(name, i + 1));
        if (idx != NAMES_NONE && s->partners[idx].suffix_match) {
            return idx;
        }
    }
    return NAMES_NONE;
}

const struct partner *snapshot_suffix_partner(const struct snapshot *s, struct slice ascii)
{
    uint32_t idx = s->any_suffix_match ? find_suffix(s, ascii) : NAMES_NONE;

    return idx == NAMES_NONE ? NULL : &s->partners[idx];
}

/* A name that is no key of the table: another spelling of one, or below one. */
NOINLINE static uint32_t find_otherwise(const struct snapshot *s, struct slice name)
{
    uint32_t idx = NAMES_NONE;
    struct jid_ascii ascii;

    if (!utf8_is_ascii(name)) {
        if (jid_domain_to_ascii(name, &ascii) != 0) {
            return NAMES_NONE;
        }
        name = jid_ascii_slice(&ascii);
        idx = names_find(&s->partner_names, name);
    }
    if (idx != NAMES_NONE || !s->any_suffix_match || map_get(&s->domain_map, name)) {
        return idx; /* policy_pair relies on it: a name of ours is never a partner's */
    }
    return find_suffix(s, name);
}

/* The idx of the partner that name belongs to: one of its names, or below one. */
static inline uint32_t find_name(const struct snapshot *s, struct slice name)
{
    uint32_t idx = names_find(&s->partner_names, name);

    return idx != NAMES_NONE || (!s->any_suffix_match && utf8_is_ascii(name))
               ? idx
               : find_otherwise(s, name);
}

const struct partner *snapshot_partner(const struct snapshot *s, struct slice name)
{
    uint32_t idx = find_name(s, name);

    return idx == NAMES_NONE ? NULL : &s->partners[idx];
}

const struct next_hop *snapshot_next_hop(const struct snapshot *s, struct slice name)
{
    return map_get(&s->hop_map, name);
}

/* As IPv6, IPv4 mapped. */
static bool address_of(const struct sockaddr *addr, struct in6_addr *out)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;

    if (addr->sa_family == AF_INET) {
        memcpy(&in4, addr, sizeof(in4));
        memcpy(out->s6_addr, mapped, sizeof(mapped));
        memcpy(out->s6_addr + sizeof(mapped), &in4.sin_addr, sizeof(in4.sin_addr));
        return true;
    }
    if (addr->sa_family == AF_INET6) {
        memcpy(&in6, addr, sizeof(in6));
        *out = in6.sin6_addr;
        return true;
    }
    return false;
}

static bool range_holds(const struct address_range *range, const struct in6_addr *addr)
{
    uint32_t bytes = range->prefix_bits / 8u;
    uint32_t bits = range->prefix_bits % 8u;
    uint8_t mask;

    if (memcmp(range->addr.s6_addr, addr->s6_addr, bytes) != 0) {
        return false;
    }
    if (bits == 0) {
        return true;
    }
    mask = (uint8_t)(0xff00u >> bits);
    return ((range->addr.s6_addr[bytes] ^ addr->s6_addr[bytes]) & mask) == 0;
}

bool next_hop_trusts_address(const struct next_hop *hop, const struct sockaddr *addr)
{
    struct in6_addr in6;

    if (!address_of(addr, &in6)) {
        return false;
    }
    for (uint32_t i = 0; i < hop->trusted_range_count; i++) {
        if (range_holds(&hop->trusted_ranges[i], &in6)) {
            return true;
        }
    }
    return false;
}

static bool is_domain_blocked(const struct snapshot *s, const struct partner *p,
                              struct slice remote)
{
    return (s->blocked && users_find(s->blocked, SLICE_NONE, remote, NULL) != USERS_NO) ||
           (p->extra && p->extra->blocked &&
            users_find(p->extra->blocked, SLICE_NONE, remote, NULL) != USERS_NO);
}

struct policy_verdict policy_pair(const struct snapshot *s, struct slice local, struct slice remote)
{
    struct policy_verdict v = {.domain = snapshot_domain(s, local),
                               .partner = snapshot_partner(s, remote)};

    if (!v.domain) {
        v.reason = POLICY_LOCAL_UNKNOWN;
    } else if (!v.partner && snapshot_domain(s, remote)) {
        v.reason = POLICY_LOCAL_AS_REMOTE;
    } else if (!v.partner) {
        v.reason = POLICY_PARTNER_UNKNOWN;
    } else if (is_domain_blocked(s, v.partner, remote)) {
        v.reason = POLICY_DOMAIN_BLOCKED;
    } else if (v.partner->extra && v.partner->extra->maintenance.len) {
        v.reason = POLICY_MAINTENANCE;
    } else {
        v.reason = POLICY_ALLOWED;
        v.allowed = true;
    }
    return v;
}

const char *policy_reason_name(enum policy_reason reason)
{
    static const char *const names[] = {
        "allowed",        "unknown-local-domain", "unknown-partner",  "local-domain-as-remote",
        "domain-blocked", "maintenance",          "address-blocked",  "access-denied",
        "user-not-allowed", "not-reachable",
    };

    return reason < ARRAY_COUNT(names) ? names[reason] : "?";
}

const char *listen_kind_name(enum listen_kind kind)
{
    static const char *const names[] = {"xmpp_server", "xmpps_server", "component",
                                        "sip",         "sip",          "http"};

    return kind < ARRAY_COUNT(names) ? names[kind] : "?";
}
