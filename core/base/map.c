/* SPDX-License-Identifier: GPL-2.0-or-later */
/* map: linear probing with backward-shift deletion, so there are no tombstones. */
#include "base/map.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/pool.h"

#define MAP_SLOTS_MIN 16u

void map_deinit(struct map *m)
{
    pool_heap_free(m->slots);
    *m = (struct map){0};
}

/* The slot holding key, or the free slot where it would go. */
static size_t find_slot(const struct map *m, struct slice key, uint64_t hash)
{
    size_t mask = m->slot_count - 1;
    size_t at = hash & mask;

    while (m->slots[at].value) {
        if (m->slots[at].hash == hash && slice_eq(m->slots[at].key, key)) {
            break;
        }
        at = (at + 1) & mask;
    }
    return at;
}

static void grow(struct map *m)
{
    struct map bigger = {.slot_count = m->slot_count ? m->slot_count * 2 : MAP_SLOTS_MIN};

    bigger.slots = pool_heap_zalloc(bigger.slot_count * sizeof(*bigger.slots));
    for (size_t i = 0; i < m->slot_count; i++) {
        if (m->slots[i].value) {
            bigger.slots[find_slot(&bigger, m->slots[i].key, m->slots[i].hash)] = m->slots[i];
        }
    }
    bigger.count = m->count;
    pool_heap_free(m->slots);
    *m = bigger;
}

void *map_get(const struct map *m, struct slice key)
{
    if (m->count == 0) {
        return NULL;
    }
    return m->slots[find_slot(m, key, hash_bytes(key))].value;
}

void *map_add(struct map *m, struct slice key, void *value)
{
    uint64_t hash = hash_bytes(key);
    size_t at;

    ASSERT(value);
    if ((m->count + 1) * 4 > m->slot_count * 3) {
        grow(m);
    }
    at = find_slot(m, key, hash);
    if (m->slots[at].value) {
        return m->slots[at].value;
    }
    m->slots[at] = (struct map_slot){.key = key, .value = value, .hash = hash};
    m->count++;
    return NULL;
}

void *map_remove(struct map *m, struct slice key)
{
    size_t mask = m->slot_count - 1;
    size_t at;
    size_t next;
    void *value;

    if (m->count == 0) {
        return NULL;
    }
    at = find_slot(m, key, hash_bytes(key));
    value = m->slots[at].value;
    if (!value) {
        return NULL;
    }
    /* Pull later members of the run into the hole unless they sit at or after their home. */
    for (next = (at + 1) & mask; m->slots[next].value; next = (next + 1) & mask) {
        size_t home = m->slots[next].hash & mask;

        if (((next - home) & mask) >= ((next - at) & mask)) {
            m->slots[at] = m->slots[next];
            at = next;
        }
    }
    m->slots[at] = (struct map_slot){0};
    m->count--;
    return value;
}

void *map_next(const struct map *m, size_t *cursor)
{
    while (*cursor < m->slot_count) {
        void *value = m->slots[(*cursor)++].value;

        if (value) {
            return value;
        }
    }
    return NULL;
}
