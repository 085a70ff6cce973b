/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hash: keyed hash of untrusted bytes (SipHash-2-4), so that a peer cannot choose collisions. */
#ifndef FG_BASE_HASH_H
#define FG_BASE_HASH_H

#include <stdint.h>

#include "base/slice.h"

struct hash_key {
    uint64_t k0;
    uint64_t k1;
};

/* The process's key, all zero until hash_seed(). Set once at start, before the shards; tests and
 * fuzzers leave it. */
void hash_seed(struct hash_key key);
/* A key for another hash, derived from the process's key; the same for the same purpose. */
struct hash_key hash_derive(struct slice purpose);
/* With the process's key. Any thread. */
uint64_t hash_bytes(struct slice s);
uint64_t hash_bytes_keyed(struct hash_key key, struct slice s);
struct hash_key hash_process_key(void);

/* One step of hash_quick. */
static inline uint64_t hash_fold(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Multiply and fold, keyed: a tenth of SipHash's time. For tables into which nobody outside can put
 * names of his choice, or where names that collide do no more than displace each other. */
static inline uint64_t hash_quick(struct hash_key key, struct slice s)
{
    uint64_t state = key.k0 ^ s.len;
    const char *at = s.ptr;
    size_t left = s.len;
    uint64_t a = 0;
    uint64_t b = 0;

    for (; left > 16; left -= 16, at += 16) {
        memcpy(&a, at, 8);
        memcpy(&b, at + 8, 8);
        state = hash_fold(a ^ key.k1, b ^ state);
    }
    a = 0;
    b = 0;
    if (left >= 8) {
        memcpy(&a, at, 8);
        memcpy(&b, at + left - 8, 8);
    } else if (left != 0) {
        memcpy(&a, at, left);
    }
    state = hash_fold(a ^ key.k1, b ^ state);
    return hash_fold(state ^ key.k0, key.k1);
}

#endif
