/* SPDX-License-Identifier: GPL-2.0-or-later */
/* resolver: DNS questions on a shard's loop, with a cache per shard. Same questions in flight are
 * asked once. Private to core/engine (dial.c); c-ares is known only to resolver.c, which lets it
 * ask and reads the responses with proto/dns.
 * All on the shard's thread. Never blocks, but for reading /etc/resolv.conf once per shard and
 * /etc/hosts when a host name is not in the cache (both in memory in practice). */
#ifndef FG_ENGINE_RESOLVER_H
#define FG_ENGINE_RESOLVER_H

#include "base/attr.h"
#include "base/list.h"
#include "base/slice.h"
#include "dns/answer.h"

struct shard;

/* Different questions in flight per shard; above it the answer is ERR_LIMIT at once. */
#define RESOLVER_LOOKUPS_MAX 1024u
/* First wait for a server's answer; doubled with each of the tries. */
#define RESOLVER_TIMEOUT_MS 1500
#define RESOLVER_TRIES 3

/* answer: valid during the call. */
typedef void resolver_done_fn(struct shard *sh, const struct dns_answer *answer, void *ctx);

/* Embedded by whoever asks; zeroed = not asking. */
struct resolver_query {
    struct list link;
    resolver_done_fn *done;
    void *ctx; /* borrowed until done or cancel */
};

/* done is called exactly once unless cancelled, always later. name: without final dot.
 * ERR_LIMIT, ERR_NOMEM: then done is not called. */
NODISCARD int resolver_ask(struct shard *sh, struct resolver_query *q, struct slice name,
                           enum dns_type type, resolver_done_fn *done, void *ctx);
/* Harmless when it is not asking. */
void resolver_cancel(struct resolver_query *q);
static inline bool resolver_is_asking(const struct resolver_query *q)
{
    return list_is_linked(&q->link);
}

/* c-ares' status as one of our errors; never 0. */
int resolver_err_of_ares(int status);

#endif
