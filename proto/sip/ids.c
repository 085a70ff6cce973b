/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ids: SipHash of a counter under two secret keys: 128 bits that do not repeat in practice. */
#include "sip/ids.h"

static void put_hex(struct sip_id *id, uint64_t value)
{
    static const char digits[] = "0123456789abcdef";

    for (int shift = 60; shift >= 0; shift -= 4) {
        id->text[id->len++] = digits[(value >> shift) & 15];
    }
    id->text[id->len] = '\0';
}

static uint64_t next_hash(const struct sip_ids *ids, unsigned half)
{
    return hash_bytes_keyed(ids->key[half],
                            slice_make((const char *)&ids->counter, sizeof(ids->counter)));
}

void sip_ids_init(struct sip_ids *ids, const struct crypto *crypto)
{
    *ids = (struct sip_ids){.counter = 0};
    crypto->random(ids->key, sizeof(ids->key));
}

void sip_ids_init_seeded(struct sip_ids *ids, uint64_t seed)
{
    *ids = (struct sip_ids){
        .key = {{seed, ~seed}, {seed * 0x9E3779B97F4A7C15u, seed ^ 0xD1B54A32D192ED03u}},
    };
}

struct sip_id sip_ids_branch(struct sip_ids *ids)
{
    struct sip_id id = {.text = "z9hG4bK", .len = 7};

    ids->counter++;
    put_hex(&id, next_hash(ids, 0));
    put_hex(&id, next_hash(ids, 1));
    return id;
}

struct sip_id sip_ids_tag(struct sip_ids *ids)
{
    struct sip_id id = {.len = 0};

    ids->counter++;
    put_hex(&id, next_hash(ids, 0));
    return id;
}

struct sip_id sip_ids_call_id(struct sip_ids *ids)
{
    struct sip_id id = {.len = 0};

    ids->counter++;
    put_hex(&id, next_hash(ids, 0));
    put_hex(&id, next_hash(ids, 1));
    return id;
}

struct sip_id sip_ids_tag_of(const struct sip_ids *ids, struct slice what)
{
    struct sip_id id = {.len = 0};

    put_hex(&id, hash_bytes_keyed(ids->key[0], what));
    return id;
}
