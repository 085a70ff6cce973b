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

#endif
