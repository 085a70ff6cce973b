/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chain_cache: see chain_cache.h. */
#include "tls/chain_cache.h"

#include <pthread.h>

#include "base/check.h"
#include "base/pool.h"
#include "tls/chain.h"

#define CHAIN_CACHE_SLOTS 1024u /* 48 KiB */

struct slot {
    struct chain_cache_key key;
    int64_t from_unix_s;
    int64_t until_unix_s; /* 0 = empty */
};

struct chain_cache {
    const struct crypto *crypto;
    pthread_mutex_t lock; /* of the slots; held for a comparison */
    struct slot slots[CHAIN_CACHE_SLOTS];
};

struct chain_cache *chain_cache_new(const struct crypto *crypto)
{
    struct chain_cache *cache = pool_heap_zalloc(sizeof(*cache));
    cache->crypto = crypto;
    (void)pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

void chain_cache_free(struct chain_cache *cache)
{
    if (cache) {
        (void)pthread_mutex_destroy(&cache->lock);
        pool_heap_free(cache);
    }
}

struct chain_cache_key chain_cache_key(const struct chain_cache *cache, const struct slice *chain,
                                       uint32_t count, bool peer_is_server)
{
    unsigned char digests[CHAIN_CERTS_MAX * CRYPTO_SHA256_BYTES + 1];
    size_t len = 0;
    struct chain_cache_key key;
    ASSERT(count <= CHAIN_CERTS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        cache->crypto->sha256(chain[i], digests + len);
        len += CRYPTO_SHA256_BYTES;
    }
    digests[len++] = peer_is_server;
    cache->crypto->sha256(slice_make((const char *)digests, len), key.digest);
    return key;
}

static struct slot *slot_of(struct chain_cache *cache, const struct chain_cache_key *key)
{
    uint32_t at;
    memcpy(&at, key->digest, sizeof(at));
    return &cache->slots[at % CHAIN_CACHE_SLOTS];
}

bool chain_cache_has(struct chain_cache *cache, const struct chain_cache_key *key,
                     int64_t now_unix_s)
{
    const struct slot *slot = slot_of(cache, key);
    (void)pthread_mutex_lock(&cache->lock);
    bool has = slot->until_unix_s != 0 && now_unix_s >= slot->from_unix_s &&
               now_unix_s <= slot->until_unix_s &&
               memcmp(&slot->key, key, sizeof(*key)) == 0;
    (void)pthread_mutex_unlock(&cache->lock);
    return has;
}

void chain_cache_add(struct chain_cache *cache, const struct chain_cache_key *key,
                     int64_t now_unix_s, int64_t until_unix_s)
{
    struct slot *slot = slot_of(cache, key);
    (void)pthread_mutex_lock(&cache->lock);
    *slot = (struct slot){*key, now_unix_s, until_unix_s};
    (void)pthread_mutex_unlock(&cache->lock);
}
