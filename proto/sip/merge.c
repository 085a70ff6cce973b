/* SPDX-License-Identifier: GPL-2.0-or-later */
/* merge: a ring in order of expiry, and a table of places with linear probing that names its
 * entries. All entries live equally long, so the oldest expires first and no timer is needed. A
 * place has 32 bits of its entry's key, so that only what is almost surely meant is looked at
 * itself: under load the ring is larger than the processor's caches.                             */
#include "sip/merge.h"

#include "base/check.h"
#include "base/pool.h"
#include "sip/transaction.h"

void sip_merge_init(struct sip_merge *m, uint32_t entry_max)
{
    uint32_t place_count = 2;

    ASSERT(entry_max > 0 && entry_max <= 1u << 24);
    while (place_count < 2 * entry_max) {
        place_count *= 2;
    }
    *m = (struct sip_merge){.entry_max = entry_max, .place_mask = place_count - 1};
    m->entries = pool_heap_zalloc(sizeof(*m->entries) * entry_max);
    m->places = pool_heap_zalloc(sizeof(*m->places) * place_count);
}

void sip_merge_deinit(struct sip_merge *m)
{
    pool_heap_free(m->entries);
    pool_heap_free(m->places);
    *m = (struct sip_merge){.entry_max = 0};
}

static uint32_t tag_of(struct sip_merge_key key)
{
    return (uint32_t)key.half[0];
}

/* The key's place, or the free one where it would go: at most half of all are taken. */
static struct sip_merge_place *find(const struct sip_merge *m, struct sip_merge_key key)
{
    uint32_t at = tag_of(key) & m->place_mask;

    while (m->places[at].entry != 0) {
        const struct sip_merge_entry *e = &m->entries[m->places[at].entry - 1];

        if (m->places[at].tag == tag_of(key) && e->key.half[0] == key.half[0] &&
            e->key.half[1] == key.half[1]) {
            break;
        }
        at = (at + 1) & m->place_mask;
    }
    return &m->places[at];
}

/* Whoever stands behind a place that becomes free moves up, if he then is nearer to his own. */
static void free_place(struct sip_merge *m, struct sip_merge_place *place)
{
    uint32_t at = (uint32_t)(place - m->places);
    uint32_t next = at;

    for (;;) {
        uint32_t home;

        next = (next + 1) & m->place_mask;
        if (m->places[next].entry == 0) {
            break;
        }
        home = m->places[next].tag & m->place_mask;
        if (((next - home) & m->place_mask) >= ((next - at) & m->place_mask)) {
            m->places[at] = m->places[next];
            at = next;
        }
    }
    m->places[at].entry = 0;
}

static void drop_oldest(struct sip_merge *m)
{
    struct sip_merge_entry *e = &m->entries[m->oldest];

    if (e->is_live) {
        struct sip_merge_place *place = find(m, e->key);

        ASSERT(place->entry == m->oldest + 1);
        free_place(m, place);
    }
    m->oldest = m->oldest + 1 == m->entry_max ? 0 : m->oldest + 1;
    m->count--;
    /* Its place will be asked for next, by a later request. */
    PREFETCH(&m->places[tag_of(m->entries[m->oldest].key) & m->place_mask]);
}

void sip_merge_prefetch(const struct sip_merge *m, struct sip_merge_key key)
{
    PREFETCH(&m->places[tag_of(key) & m->place_mask]);
}

bool sip_merge_add(struct sip_merge *m, struct sip_merge_key key, uint64_t now_ms)
{
    struct sip_merge_place *place;
    uint32_t at;

    while (m->count > 0 && m->entries[m->oldest].expire_ms <= now_ms) {
        drop_oldest(m);
    }
    place = find(m, key);
    if (place->entry != 0) {
        return false;
    }
    if (m->count == m->entry_max) {
        drop_oldest(m);
        place = find(m, key); /* places have moved */
    }
    at = m->oldest + m->count++;
    at = at >= m->entry_max ? at - m->entry_max : at;
    m->entries[at] = (struct sip_merge_entry){
        .key = key, .expire_ms = now_ms + SIP_MERGE_MS, .is_live = true};
    *place = (struct sip_merge_place){.tag = tag_of(key), .entry = at + 1};
    return true;
}

void sip_merge_forget(struct sip_merge *m, struct sip_merge_key key)
{
    struct sip_merge_place *place = find(m, key);

    if (place->entry != 0) {
        m->entries[place->entry - 1].is_live = false;
        free_place(m, place);
    }
}
