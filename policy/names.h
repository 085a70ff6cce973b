/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names: from a domain name to a number, for the table of partners: a million names that every new
 * stream and every stanza looks up. A lookup waits for memory once: a bucket is two neighbouring
 * cache lines that hold the names themselves; what does not fit goes to the next one. 50 to 95
 * bytes per name of 20. Filled by the loader, then read-only. The hash is keyed (base/hash.h):
 * nobody outside can tell which buckets are full.
 * Threads: one until it is filled, then any. Memory: its own mappings, in huge pages where the
 * kernel gives them; aborts without memory (control plane). A zeroed struct is an empty table. */
#ifndef FG_POLICY_NAMES_H
#define FG_POLICY_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/slice.h"

#define NAMES_NONE      UINT32_MAX
#define NAME_BYTES_MAX  1023u
#define NAMES_COUNT_MAX (1u << 28)

struct names_bucket;

struct names {
    struct names_bucket *buckets; /* owned */
    char *longs;                  /* owned: names that are too long for a bucket */
    size_t longs_bytes;           /* in use */
    size_t longs_cap;
    struct hash_key key;
    size_t used_bytes;     /* of buckets */
    uint32_t bucket_count;
    uint32_t count;
};

void names_deinit(struct names *n);
/* Makes room for so many names of usual length, so that adding them does not grow the table. */
void names_reserve(struct names *n, uint32_t count);
/* Copies name (1..NAME_BYTES_MAX bytes, the first not 0); value is not NAMES_NONE. NAMES_NONE, or
 * the value that the name had before: then nothing changes. */
uint32_t names_add(struct names *n, struct slice name, uint32_t value);
/* NAMES_NONE when absent. */
uint32_t names_find(const struct names *n, struct slice name);
/* What it occupies. */
size_t names_bytes(const struct names *n);

#endif
