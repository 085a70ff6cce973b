/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ids: SipHash of a counter under two secret keys: 128 bits that do not repeat in practice. */
#include "sip/ids.h"

/* The low eight digits of value as eight characters, the highest digit first in memory (little
 * endian machines only, as all of fedgate).                                                      */
static uint64_t hex_of(uint32_t value)
{
    uint64_t x = __builtin_bswap32(value);
    uint64_t above_nine;

    /* One digit a byte: four bytes apart, then their halves, the high one first. */
    x = (x | x << 16) & 0x0000FFFF0000FFFFu;
    x = (x | x << 8) & 0x00FF00FF00FF00FFu;
    x = (x >> 4 | x << 8) & 0x0F0F0F0F0F0F0F0Fu;
    above_nine = (x + 0x0606060606060606u) >> 4 & 0x0101010101010101u;
    return x + 0x3030303030303030u + above_nine * ('a' - '0' - 10);
}

static void put_hex(struct sip_id *id, uint64_t value)
{
    uint64_t words[2] = {hex_of((uint32_t)(value >> 32)), hex_of((uint32_t)value)};

    memcpy(id->text + id->len, words, sizeof(words));
    id->len = (uint8_t)(id->len + sizeof(words));
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
