/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names: open addressing with linear probing over 8-byte slots, records packed behind each other. */
#include "policy/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/check.h"
#include "base/hash.h"

#define SLOTS_MIN     64u
#define RECORDS_MIN   4096u
#define RECORD_UNIT   4u /* records begin at multiples: a 32-bit place reaches 16 GiB */
#define RECORD_HEAD   6u /* value, length */
#define HUGE_PAGE     ((size_t)2 << 20)

struct names_slot {
    uint32_t tag;   /* upper half of the name's hash; the lower half says where to look */
    uint32_t place; /* of the record, in units; 0 = free slot */
};

struct record {
    uint32_t value;
    struct slice name;
};

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
    unmap_pages(n->slots, n->slot_count * sizeof(*n->slots));
    unmap_pages(n->records, n->records_cap);
    *n = (struct names){0};
}

size_t names_bytes(const struct names *n)
{
    return n->slot_count * sizeof(*n->slots) + n->records_cap;
}

static struct record record_at(const struct names *n, uint32_t place)
{
    const char *at = n->records + (size_t)place * RECORD_UNIT;
    struct record r;
    uint16_t len;

    memcpy(&r.value, at, sizeof(r.value));
    memcpy(&len, at + sizeof(r.value), sizeof(len));
    r.name = slice_make(at + RECORD_HEAD, len);
    return r;
}

/* The slot that holds name, or the free one where it would go; *r is its record. */
static struct names_slot *find_slot(const struct names *n, struct slice name, uint64_t hash,
                                    struct record *r)
{
    uint32_t mask = n->slot_count - 1;
    uint32_t tag = (uint32_t)(hash >> 32);

    for (uint32_t at = (uint32_t)hash & mask;; at = (at + 1) & mask) {
        struct names_slot *slot = &n->slots[at];

        if (slot->place == 0) {
            return slot;
        }
        if (slot->tag == tag) {
            *r = record_at(n, slot->place);
            if (slice_eq(r->name, name)) {
                return slot;
            }
        }
    }
}

static void grow_slots(struct names *n)
{
    struct names_slot *old = n->slots;
    uint32_t old_count = n->slot_count;
    struct record r;

    n->slot_count = old_count ? old_count * 2 : SLOTS_MIN;
    n->slots = map_pages(n->slot_count * sizeof(*n->slots));
    for (uint32_t i = 0; i < old_count; i++) {
        if (old[i].place != 0) {
            struct record mine = record_at(n, old[i].place);

            *find_slot(n, mine.name, hash_bytes(mine.name), &r) = old[i];
        }
    }
    unmap_pages(old, old_count * sizeof(*old));
}

static void grow_records(struct names *n)
{
    size_t cap = n->records_cap ? n->records_cap * 2 : RECORDS_MIN;
    char *bigger = map_pages(cap);

    if (n->records) {
        memcpy(bigger, n->records, n->records_bytes);
    }
    unmap_pages(n->records, n->records_cap);
    n->records = bigger;
    n->records_cap = cap;
}

static uint32_t add_record(struct names *n, struct slice name, uint32_t value)
{
    size_t bytes = (RECORD_HEAD + name.len + RECORD_UNIT - 1) / RECORD_UNIT * RECORD_UNIT;
    uint16_t len = (uint16_t)name.len;
    char *at;

    if (n->records_bytes == 0) {
        n->records_bytes = RECORD_UNIT; /* place 0 is no record */
    }
    while (n->records_cap < n->records_bytes + bytes) {
        grow_records(n);
    }
    at = n->records + n->records_bytes;
    memcpy(at, &value, sizeof(value));
    memcpy(at + sizeof(value), &len, sizeof(len));
    memcpy(at + RECORD_HEAD, name.ptr, name.len);
    n->records_bytes += bytes;
    return (uint32_t)((size_t)(at - n->records) / RECORD_UNIT);
}

uint32_t names_add(struct names *n, struct slice name, uint32_t value)
{
    uint64_t hash = hash_bytes(name);
    struct names_slot *slot;
    struct record r;

    ASSERT(value != NAMES_NONE);
    ASSERT(name.len >= 1);
    ASSERT(name.len <= NAME_BYTES_MAX);
    ASSERT(n->count < NAMES_COUNT_MAX);
    /* Three quarters full at most: a probe is short and a free slot always there. */
    if ((n->count + 1) > n->slot_count / 4 * 3) {
        grow_slots(n);
    }
    slot = find_slot(n, name, hash, &r);
    if (slot->place != 0) {
        return r.value;
    }
    slot->tag = (uint32_t)(hash >> 32);
    slot->place = add_record(n, name, value);
    n->count++;
    return NAMES_NONE;
}

uint32_t names_find(const struct names *n, struct slice name)
{
    struct record r;

    if (n->count == 0 || name.len > NAME_BYTES_MAX) {
        return NAMES_NONE;
    }
    return find_slot(n, name, hash_bytes(name), &r)->place != 0 ? r.value : NAMES_NONE;
}
