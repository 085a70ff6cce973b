/* SPDX-License-Identifier: GPL-2.0-or-later */
/* slab: the connection slots of a shard. A slot's generation grows with every use, so that a
 * reference or a late completion that names an earlier one is recognised.                        */
#include "base/check.h"
#include "base/err.h"
#include "engine/conn_int.h"

#define SLOT_NONE UINT32_MAX

int conn_slots_init(struct shard *sh, uint32_t slot_count)
{
    if (slot_count == 0 || slot_count > IO_SLOT_MAX) {
        return ERR_LIMIT;
    }
    sh->slots = pool_heap_zalloc(slot_count * sizeof(sh->slots[0]));
    sh->slot_count = slot_count;
    for (uint32_t i = 0; i < slot_count; i++) {
        sh->slots[i].generation = 1;
        sh->slots[i].next_free = i + 1 < slot_count ? i + 1 : SLOT_NONE;
    }
    sh->slot_free = 0;
    return 0;
}

void conn_slots_deinit(struct shard *sh)
{
    pool_heap_free(sh->slots);
    sh->slots = NULL;
}

int conn_slots_add(struct shard *sh, struct conn *c)
{
    uint32_t slot = sh->slot_free;

    if (slot == SLOT_NONE) {
        return ERR_FULL;
    }
    ASSERT(!sh->slots[slot].conn);
    sh->slot_free = sh->slots[slot].next_free;
    sh->slots[slot].conn = c;
    c->slot = slot;
    c->generation = sh->slots[slot].generation;
    stat_add(&sh->stats.conn_open, 1);
    return 0;
}

void conn_slots_remove(struct shard *sh, struct conn *c)
{
    struct conn_slot *slot = &sh->slots[c->slot];

    ASSERT(slot->conn == c);
    ASSERT(c->in_flight == 0);
    slot->conn = NULL;
    if (++slot->generation == 0) {
        slot->generation = 1; /* 0 names nothing */
    }
    slot->next_free = sh->slot_free;
    sh->slot_free = c->slot;
    stat_sub(&sh->stats.conn_open, 1);
}

struct conn *conn_slots_find(const struct shard *sh, uint32_t slot, uint32_t generation)
{
    if (slot >= sh->slot_count || sh->slots[slot].generation != generation) {
        return NULL;
    }
    return sh->slots[slot].conn;
}
