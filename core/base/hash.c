/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hash: SipHash-2-4 (Aumasson, Bernstein 2012). */
#include "base/hash.h"

static struct hash_key process_key; /* written once at start, before other threads exist */

static inline uint64_t rotl(uint64_t x, unsigned n)
{
    return (x << n) | (x >> (64 - n));
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

void hash_seed(struct hash_key key)
{
    process_key = key;
}

uint64_t hash_bytes_keyed(struct hash_key key, struct slice s)
{
    uint64_t v[4] = {key.k0 ^ 0x736f6d6570736575u, key.k1 ^ 0x646f72616e646f6du,
                     key.k0 ^ 0x6c7967656e657261u, key.k1 ^ 0x7465646279746573u};
    size_t whole = s.len & ~(size_t)7;
    uint64_t last = (uint64_t)s.len << 56;
    uint64_t word;

    for (size_t i = 0; i < whole; i += 8) {
        memcpy(&word, s.ptr + i, 8); /* little endian machines only, as all of fedgate */
        v[3] ^= word;
        sip_round(v);
        sip_round(v);
        v[0] ^= word;
    }
    if (s.len > whole && s.len >= 8) {
        memcpy(&word, s.ptr + s.len - 8, 8); /* the tail without a loop: it mispredicts */
        last |= word >> (8 * (8 - (s.len - whole)));
    } else {
        for (size_t i = whole; i < s.len; i++) {
            last |= (uint64_t)(unsigned char)s.ptr[i] << (8 * (i - whole));
        }
    }
    v[3] ^= last;
    sip_round(v);
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++) {
        sip_round(v);
    }
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct hash_key hash_process_key(void)
{
    return process_key;
}

uint64_t hash_bytes(struct slice s)
{
    return hash_bytes_keyed(process_key, s);
}

struct hash_key hash_derive(struct slice purpose)
{
    struct hash_key other = {process_key.k1, ~process_key.k0};

    return (struct hash_key){hash_bytes(purpose), hash_bytes_keyed(other, purpose)};
}
