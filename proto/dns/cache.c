/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cache: a map over entries that are also chained by use. */
#include "dns/cache.h"

#include "base/ascii.h"
#include "base/pool.h"

/* Type, then the name in lower case. */
#define KEY_BYTES_MAX (1u + DNS_NAME_BYTES_MAX)

struct entry {
    struct list link;
    uint64_t expires_ms;
    struct dns_answer *answer; /* owned; only dns_answer_bytes() of it are there */
    size_t key_len;
    char key[KEY_BYTES_MAX];
};

static struct slice make_key(char key[KEY_BYTES_MAX], struct slice name, enum dns_type type)
{
    name = slice_to(name, DNS_NAME_BYTES_MAX);
    key[0] = (char)type;
    for (size_t i = 0; i < name.len; i++) {
        key[1 + i] = ascii_lower(name.ptr[i]);
    }
    return slice_make(key, 1 + name.len);
}

static void drop(struct dns_cache *c, struct entry *e)
{
    (void)map_remove(&c->by_key, slice_make(e->key, e->key_len));
    list_remove(&e->link);
    pool_free(e->answer);
    pool_free(e);
}

void dns_cache_init(struct dns_cache *c, uint32_t entries_max)
{
    *c = (struct dns_cache){.entries_max = entries_max ? entries_max : DNS_CACHE_ENTRIES_MAX};
    list_init(&c->used);
}

void dns_cache_deinit(struct dns_cache *c)
{
    struct list *link;

    while ((link = list_first(&c->used)) != NULL) {
        drop(c, LIST_ENTRY(link, struct entry, link));
    }
    map_deinit(&c->by_key);
}

const struct dns_answer *dns_cache_get(struct dns_cache *c, struct slice name, enum dns_type type,
                                       uint64_t now_ms)
{
    char key[KEY_BYTES_MAX];
    struct entry *e = map_get(&c->by_key, make_key(key, name, type));

    if (e == NULL) {
        return NULL;
    }
    if (e->expires_ms <= now_ms) {
        drop(c, e);
        return NULL;
    }
    list_remove(&e->link);
    list_push_front(&c->used, &e->link);
    return e->answer;
}

uint32_t dns_cache_ttl_s(const struct dns_answer *answer)
{
    uint32_t ttl_s = answer->ttl_s;

    if (answer->err) {
        /* 0 = the answer does not say. */
        return ttl_s > 0 && ttl_s < DNS_NEGATIVE_TTL_S ? ttl_s : DNS_NEGATIVE_TTL_S;
    }
    ttl_s = ttl_s < DNS_TTL_FLOOR_S ? DNS_TTL_FLOOR_S : ttl_s;
    return ttl_s > DNS_TTL_CEILING_S ? DNS_TTL_CEILING_S : ttl_s;
}

void dns_cache_put(struct dns_cache *c, struct slice name, const struct dns_answer *answer,
                   uint64_t now_ms)
{
    struct entry *e = pool_alloc(sizeof(*e));
    struct dns_answer *copy = pool_alloc(dns_answer_bytes(answer));

    if (e == NULL || copy == NULL) {
        pool_free(e);
        pool_free(copy);
        return;
    }
    memcpy(copy, answer, dns_answer_bytes(answer));
    struct slice key = make_key(e->key, name, answer->type);
    struct entry *old = map_get(&c->by_key, key);
    if (old) {
        drop(c, old);
    } else if (c->by_key.count >= c->entries_max) {
        drop(c, LIST_ENTRY(c->used.prev, struct entry, link));
    }
    e->key_len = key.len;
    e->answer = copy;
    e->expires_ms = now_ms + (uint64_t)dns_cache_ttl_s(answer) * 1000;
    e->link = (struct list){0};
    list_push_front(&c->used, &e->link);
    (void)map_add(&c->by_key, key, e);
}

uint32_t dns_cache_count(const struct dns_cache *c)
{
    return (uint32_t)c->by_key.count;
}
