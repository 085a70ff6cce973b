/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chain_cache: chains that were found good, by their digest, until the first of the things that
 * this rests upon runs out: a partner that connects again costs no signature checks. Bounded; a new
 * entry takes the place of an older one. It belongs to one context, whose trust and lists never
 * change. Any thread. */
#ifndef FG_TLS_CHAIN_CACHE_H
#define FG_TLS_CHAIN_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/crypto.h"
#include "base/slice.h"
#include "tls/chain.h"

struct chain_cache;

struct chain_cache_key {
    unsigned char digest[CRYPTO_SHA256_BYTES];
};

struct chain_cache_value {
    int64_t from_unix_s; /* good from here to there, both included */
    int64_t until_unix_s;
    struct chain_proof proof;
};

struct chain_cache *chain_cache_new(const struct crypto *crypto);
void chain_cache_free(struct chain_cache *cache);
/* Of what the peer showed, in its order, and of what it was judged for. */
struct chain_cache_key chain_cache_key(const struct chain_cache *cache, const struct slice *chain,
                                       uint32_t count, bool peer_is_server);
/* Whether it is good now; then *value is filled. */
bool chain_cache_get(struct chain_cache *cache, const struct chain_cache_key *key,
                     int64_t now_unix_s, struct chain_cache_value *value);
void chain_cache_add(struct chain_cache *cache, const struct chain_cache_key *key,
                     const struct chain_cache_value *value);

#endif
