/* SPDX-License-Identifier: GPL-2.0-or-later */
/* merge: a ring in order of expiry with hash chains through it. All entries live equally long, so
 * the oldest expires first and no timer is needed.                                               */
#include "sip/merge.h"

#include "base/check.h"
#include "base/pool.h"
#include "sip/transaction.h"

void sip_merge_init(struct sip_merge *m, uint32_t entry_max)
{
    uint32_t head_count = 1;

    ASSERT(entry_max > 0 && entry_max <= 1u << 24);
    while (head_count < entry_max) {
        head_count *= 2;
    }
    *m = (struct sip_merge){.entry_max = entry_max, .head_mask = head_count - 1};
    m->entries = pool_heap_zalloc(sizeof(*m->entries) * entry_max);
    m->heads = pool_heap_zalloc(sizeof(*m->heads) * head_count);
    for (uint32_t i = 0; i < head_count; i++) {
        m->heads[i] = SIP_MERGE_NIL;
    }
}

void sip_merge_deinit(struct sip_merge *m)
{
    pool_heap_free(m->entries);
    pool_heap_free(m->heads);
    *m = (struct sip_merge){.entry_max = 0};
}

static uint32_t *head_of(struct sip_merge *m, struct sip_merge_key key)
{
    return &m->heads[(uint32_t)key.half[0] & m->head_mask];
}

static struct sip_merge_entry *find(struct sip_merge *m, struct sip_merge_key key)
{
    uint32_t at = *head_of(m, key);

    while (at != SIP_MERGE_NIL) {
        struct sip_merge_entry *e = &m->entries[at];

        if (e->is_live && e->key.half[0] == key.half[0] && e->key.half[1] == key.half[1]) {
            return e;
        }
        at = e->next;
    }
    return NULL;
}

static void drop_oldest(struct sip_merge *m)
{
    uint32_t *link = head_of(m, m->entries[m->oldest].key);

    while (*link != m->oldest) {
        ASSERT(*link != SIP_MERGE_NIL);
        link = &m->entries[*link].next;
    }
    *link = m->entries[m->oldest].next;
    m->oldest = (m->oldest + 1) % m->entry_max;
    m->count--;
}

bool sip_merge_add(struct sip_merge *m, struct sip_merge_key key, uint64_t now_ms)
{
    struct sip_merge_entry *e;
    uint32_t at;

    while (m->count > 0 && m->entries[m->oldest].expire_ms <= now_ms) {
        drop_oldest(m);
    }
    if (find(m, key)) {
        return false;
    }
    if (m->count == m->entry_max) {
        drop_oldest(m);
    }
    at = (m->oldest + m->count++) % m->entry_max;
    e = &m->entries[at];
    *e = (struct sip_merge_entry){
        .key = key,
        .expire_ms = now_ms + SIP_MERGE_MS,
        .next = *head_of(m, key),
        .is_live = true,
    };
    *head_of(m, key) = at;
    return true;
}

void sip_merge_forget(struct sip_merge *m, struct sip_merge_key key)
{
    struct sip_merge_entry *e = find(m, key);

    if (e) {
        e->is_live = false;
    }
}
