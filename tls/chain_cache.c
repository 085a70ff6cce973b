/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chain_cache: see chain_cache.h. */
#include "tls/chain_cache.h"

#include <pthread.h>

#include "base/check.h"
#include "base/pool.h"

#define CHAIN_CACHE_SLOTS 1024u /* 200 KiB */

struct slot {
    struct chain_cache_key key;
    struct chain_cache_value value; /* until 0 = empty */
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

bool chain_cache_get(struct chain_cache *cache, const struct chain_cache_key *key,
                     int64_t now_unix_s, struct chain_cache_value *value)
{
    const struct slot *slot = slot_of(cache, key);
    (void)pthread_mutex_lock(&cache->lock);
    bool is_good = slot->value.until_unix_s != 0 && now_unix_s >= slot->value.from_unix_s &&
                   now_unix_s <= slot->value.until_unix_s &&
                   memcmp(&slot->key, key, sizeof(*key)) == 0;
    if (is_good) {
        *value = slot->value;
    }
    (void)pthread_mutex_unlock(&cache->lock);
    return is_good;
}

void chain_cache_add(struct chain_cache *cache, const struct chain_cache_key *key,
                     const struct chain_cache_value *value)
{
    struct slot *slot = slot_of(cache, key);
    (void)pthread_mutex_lock(&cache->lock);
    *slot = (struct slot){*key, *value};
    (void)pthread_mutex_unlock(&cache->lock);
}
