/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cache: answers by name and type, for as long as they are true. Bounded in entries (least recently
 * used goes first) and in time: TTLs are kept between a floor and a ceiling, failures of any kind
 * for DNS_NEGATIVE_TTL_S at most, so that a dead partner is not asked for with every stanza.
 * One thread. Memory: entries from the pool, the table from the heap. Time: monotonic ms,
 * passed in. */
#ifndef FG_DNS_CACHE_H
#define FG_DNS_CACHE_H

#include "base/list.h"
#include "base/map.h"
#include "dns/answer.h"

#define DNS_TTL_FLOOR_S 1u
#define DNS_TTL_CEILING_S 3600u
#define DNS_NEGATIVE_TTL_S 30u
#define DNS_CACHE_ENTRIES_MAX 4096u

struct dns_cache {
    struct map by_key;
    struct list used; /* first = used last */
    uint32_t entries_max;
};

/* entries_max 0 = DNS_CACHE_ENTRIES_MAX. */
void dns_cache_init(struct dns_cache *c, uint32_t entries_max);
void dns_cache_deinit(struct dns_cache *c);
/* NULL = not known, or no longer. Valid until the next call that is not get. name: any case. */
const struct dns_answer *dns_cache_get(struct dns_cache *c, struct slice name, enum dns_type type,
                                       uint64_t now_ms);
/* Copies; replaces what was there. Without memory the answer is just not kept. */
void dns_cache_put(struct dns_cache *c, struct slice name, const struct dns_answer *answer,
                   uint64_t now_ms);
uint32_t dns_cache_count(const struct dns_cache *c);
/* How long an answer is kept. */
uint32_t dns_cache_ttl_s(const struct dns_answer *answer);

#endif
