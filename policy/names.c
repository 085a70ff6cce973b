/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names: a hash table of buckets of two cache lines. A bucket holds entries behind each other; one
 * that was full when an entry came says so, and the search goes on in the next one. */
#include "policy/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/check.h"
#include "base/hash.h"

#define BUCKET_BYTES   128u /* neighbouring cache lines: fetched together */
#define BUCKET_ENTRIES 8u
#define BUCKET_ROOM    110u
#define BUCKETS_MIN    32u
#define LONGS_MIN      4096u
#define USUAL_NAME_BYTES 20u
#define HUGE_PAGE      ((size_t)2 << 20)
/* Fuller than that on average, buckets overflow often. */
#define FILL_PERCENT 45u

/* Entries are told apart without a branch per entry: lookups by chance would mispredict them, and a
 * mispredicted branch that waits for memory keeps the next lookup from starting. */
struct names_bucket {
    uint8_t tags[BUCKET_ENTRIES]; /* of the names' hashes; 0 = no entry */
    uint8_t ends[BUCKET_ENTRIES + 1]; /* [i] begin of entry i, [i + 1] its end; [0] is 0 */
    uint8_t is_overfull;              /* an entry went to a later bucket */
    char entries[BUCKET_ROOM];
};
STATIC_ASSERT(sizeof(struct names_bucket) == BUCKET_BYTES, "two cache lines");

/* An entry: the value, then the name; or IS_LONG and where the name stands in longs, its length
 * before it. */
#define VALUE_BYTES   4u
#define SHORT_MAX     (BUCKET_ROOM - VALUE_BYTES)
#define PLACE_BYTES   8u /* 0 byte, three more, 32 bits: no name begins with a 0 byte */
#define LONG_LEN_HEAD 2u

static void *map_pages(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED) {
        (void)fprintf(stderr, "out of memory: %zu bytes for the table of names\n", bytes);
        abort();
    }
    if (bytes >= HUGE_PAGE) {
        (void)madvise(at, bytes, MADV_HUGEPAGE); /* a wish: small pages are slower, not wrong */
    }
    return at;
}

static void unmap_pages(void *at, size_t bytes)
{
    if (at) {
        (void)munmap(at, bytes);
    }
}

void names_deinit(struct names *n)
{
    unmap_pages(n->buckets, n->bucket_count * sizeof(*n->buckets));
    unmap_pages(n->longs, n->longs_cap);
    *n = (struct names){0};
}

size_t names_bytes(const struct names *n)
{
    return n->bucket_count * sizeof(*n->buckets) + n->longs_cap;
}

static struct slice entry_name(const struct names *n, const struct names_bucket *b, uint32_t i)
{
    const char *at = b->entries + b->ends[i] + VALUE_BYTES;
    uint32_t place;
    uint16_t len;

    if (*at) {
        return slice_make(at, (size_t)(b->ends[i + 1] - b->ends[i]) - VALUE_BYTES);
    }
    memcpy(&place, at + VALUE_BYTES, sizeof(place));
    memcpy(&len, n->longs + place, sizeof(len));
    return slice_make(n->longs + place + LONG_LEN_HEAD, len);
}

static inline uint8_t tag_of(uint64_t hash)
{
    uint8_t tag = (uint8_t)hash;

    return tag ? tag : 1;
}

/* Bit 7 of each byte of tags that is tag, and no other. */
static inline uint64_t matches_of(const struct names_bucket *b, uint8_t tag)
{
    const uint64_t low = 0x7f7f7f7f7f7f7f7fu;
    uint64_t tags;

    memcpy(&tags, b->tags, sizeof(tags));
    tags ^= tag * 0x0101010101010101u;
    return ~(((tags & low) + low) | tags | low);
}

/* The upper half of the hash, scaled to the count. */
static inline uint32_t home_of(const struct names *n, uint64_t hash)
{
    return (uint32_t)(((hash >> 32) * n->bucket_count) >> 32);
}

static inline uint32_t next_of(const struct names *n, uint32_t idx)
{
    return idx + 1 == n->bucket_count ? 0 : idx + 1;
}

static uint32_t find(const struct names *n, struct slice name, uint64_t hash)
{
    uint8_t tag = tag_of(hash);

    for (uint32_t idx = home_of(n, hash);; idx = next_of(n, idx)) {
        const struct names_bucket *b = &n->buckets[idx];
        uint64_t matches = matches_of(b, tag);

        for (; matches; matches &= matches - 1) {
            uint32_t i = (uint32_t)__builtin_ctzll(matches) / 8;

            if (slice_eq(entry_name(n, b, i), name)) {
                uint32_t value;

                memcpy(&value, b->entries + b->ends[i], sizeof(value));
                return value;
            }
        }
        if (!b->is_overfull) {
            return NAMES_NONE;
        }
    }
}

static bool has_room(const struct names_bucket *b, uint32_t bytes)
{
    return b->tags[BUCKET_ENTRIES - 1] == 0 && bytes <= BUCKET_ROOM - b->ends[BUCKET_ENTRIES];
}

/* payload: the whole entry. There is room somewhere: FILL_PERCENT sees to it. */
static void put(struct names *n, uint64_t hash, struct slice payload)
{
    uint32_t bytes = (uint32_t)payload.len;
    uint32_t idx = home_of(n, hash);
    struct names_bucket *b;
    uint32_t i = 0;

    ASSERT(bytes <= BUCKET_ROOM);
    while (!has_room(&n->buckets[idx], bytes)) {
        n->buckets[idx].is_overfull = 1;
        idx = next_of(n, idx);
    }
    b = &n->buckets[idx];
    while (b->tags[i] != 0) {
        i++;
    }
    b->tags[i] = tag_of(hash);
    memcpy(b->entries + b->ends[i], payload.ptr, bytes);
    memset(b->ends + i + 1, b->ends[i] + (int)bytes, BUCKET_ENTRIES - i);
    n->used_bytes += bytes;
    n->count++;
}

static void rebuild(struct names *n, uint32_t bucket_count)
{
    struct names_bucket *old = n->buckets;
    uint32_t old_count = n->bucket_count;

    n->bucket_count = bucket_count;
    n->buckets = map_pages(n->bucket_count * sizeof(*n->buckets));
    n->used_bytes = 0;
    n->count = 0;
    for (uint32_t k = 0; k < old_count; k++) {
        const struct names_bucket *b = &old[k];

        for (uint32_t i = 0; i < BUCKET_ENTRIES && b->tags[i] != 0; i++) {
            put(n, hash_quick(n->key, entry_name(n, b, i)),
                slice_make(b->entries + b->ends[i], (size_t)(b->ends[i + 1] - b->ends[i])));
        }
    }
    unmap_pages(old, old_count * sizeof(*old));
}

/* Not so full that buckets overflow often: by bytes, and by entries where names are short. */
static bool is_roomy(const struct names *n)
{
    size_t bytes_max = (size_t)n->bucket_count * BUCKET_ROOM * FILL_PERCENT / 100;
    size_t count_max = (size_t)n->bucket_count * BUCKET_ENTRIES * FILL_PERCENT / 100;

    return n->used_bytes + BUCKET_ROOM <= bytes_max && n->count < count_max;
}

/* Where it stands in longs. */
static uint32_t keep_long(struct names *n, struct slice name)
{
    uint32_t place = (uint32_t)n->longs_bytes;
    uint16_t len = (uint16_t)name.len;
    size_t end = n->longs_bytes + LONG_LEN_HEAD + name.len;

    ASSERT(end <= UINT32_MAX);
    if (end > n->longs_cap) {
        size_t cap = n->longs_cap ? n->longs_cap * 2 : LONGS_MIN;
        char *bigger = map_pages(cap);

        if (n->longs) {
            memcpy(bigger, n->longs, n->longs_bytes);
        }
        unmap_pages(n->longs, n->longs_cap);
        n->longs = bigger;
        n->longs_cap = cap;
    }
    memcpy(n->longs + place, &len, sizeof(len));
    memcpy(n->longs + place + LONG_LEN_HEAD, name.ptr, name.len);
    n->longs_bytes = end;
    return place;
}

void names_reserve(struct names *n, uint32_t count)
{
    size_t bytes = (size_t)count * (VALUE_BYTES + USUAL_NAME_BYTES) * 100 / FILL_PERCENT;
    uint32_t bucket_count = (uint32_t)(bytes / BUCKET_ROOM) + BUCKETS_MIN;

    ASSERT(count <= NAMES_COUNT_MAX);
    if (bucket_count > n->bucket_count) {
        rebuild(n, bucket_count);
    }
}

uint32_t names_add(struct names *n, struct slice name, uint32_t value)
{
    char entry[BUCKET_ROOM] = {0};
    size_t len = name.len;
    uint64_t hash;
    uint32_t before;

    ASSERT(value != NAMES_NONE);
    ASSERT(name.len >= 1);
    ASSERT(name.len <= NAME_BYTES_MAX);
    ASSERT(name.ptr[0]);
    ASSERT(n->count < NAMES_COUNT_MAX);
    if (n->count == 0) {
        n->key = hash_derive(SLICE_LIT("policy/names")); /* none is hashed yet */
    }
    hash = hash_quick(n->key, name);
    before = n->count ? find(n, name, hash) : NAMES_NONE;
    if (before != NAMES_NONE) {
        return before;
    }
    if (!is_roomy(n)) {
        rebuild(n, n->bucket_count ? n->bucket_count + n->bucket_count / 2 : BUCKETS_MIN);
    }
    memcpy(entry, &value, sizeof(value));
    if (len > SHORT_MAX) {
        uint32_t place = keep_long(n, name);

        memcpy(entry + VALUE_BYTES + 4, &place, sizeof(place));
        len = PLACE_BYTES;
    } else {
        memcpy(entry + VALUE_BYTES, name.ptr, len);
    }
    put(n, hash, slice_make(entry, VALUE_BYTES + len));
    return NAMES_NONE;
}

uint32_t names_find(const struct names *n, struct slice name)
{
    if (n->count == 0 || name.len == 0 || name.len > NAME_BYTES_MAX) {
        return NAMES_NONE;
    }
    return find(n, name, hash_quick(n->key, name));
}
