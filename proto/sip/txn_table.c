/* SPDX-License-Identifier: GPL-2.0-or-later */
/* txn_table: the table of transactions: slots for refs, links, creation and end. */
#include "sip/txn_int.h"

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"

#define SLOT_NONE      UINT32_MAX
#define SLOT_COUNT_MIN 64u

void sip_slots_init(struct sip_slots *s, uint32_t used_max)
{
    *s = (struct sip_slots){.free_first = SLOT_NONE, .used_max = used_max};
}

void sip_slots_deinit(struct sip_slots *s)
{
    pool_heap_free(s->slots);
    *s = (struct sip_slots){.free_first = SLOT_NONE};
}

/* The slot array only grows, and never beyond used_max. */
static void grow(struct sip_slots *s)
{
    uint32_t count = s->slot_count ? s->slot_count * 2 : SLOT_COUNT_MIN;

    if (count > s->used_max) {
        count = s->used_max;
    }
    s->slots = pool_heap_grow(s->slots, sizeof(*s->slots) * count);
    for (uint32_t i = count; i > s->slot_count; i--) {
        s->slots[i - 1] = (struct sip_slot){.generation = 1, .next_free = s->free_first};
        s->free_first = i - 1;
    }
    s->slot_count = count;
}

bool sip_slots_take(struct sip_slots *s, void *txn, struct sip_txn_ref *ref)
{
    struct sip_slot *slot;

    if (s->used_count >= s->used_max) {
        return false;
    }
    if (s->free_first == SLOT_NONE) {
        grow(s);
    }
    *ref = (struct sip_txn_ref){.slot = s->free_first};
    slot = &s->slots[ref->slot];
    ref->generation = slot->generation;
    s->free_first = slot->next_free;
    slot->txn = txn;
    s->used_count++;
    return true;
}

void sip_slots_give(struct sip_slots *s, struct sip_txn_ref ref)
{
    struct sip_slot *slot = &s->slots[ref.slot];

    ASSERT(ref.slot < s->slot_count && slot->generation == ref.generation && slot->txn);
    slot->txn = NULL;
    slot->generation = slot->generation == UINT32_MAX ? 1 : slot->generation + 1;
    slot->next_free = s->free_first;
    s->free_first = ref.slot;
    s->used_count--;
}

void *sip_slots_get(const struct sip_slots *s, struct sip_txn_ref ref)
{
    if (ref.generation == 0 || ref.slot >= s->slot_count ||
        s->slots[ref.slot].generation != ref.generation) {
        return NULL;
    }
    return s->slots[ref.slot].txn;
}

void sip_index_deinit(struct sip_index *x)
{
    pool_heap_free(x->places);
    *x = (struct sip_index){.count = 0};
}

static void put_node(struct sip_index *x, struct sip_place place)
{
    uint32_t mask = x->place_count - 1;
    uint32_t at = (uint32_t)place.hash & mask;

    while (x->places[at].node) {
        at = (at + 1) & mask;
    }
    x->places[at] = place;
}

/* The table only grows, as the slots do. */
static void grow_index(struct sip_index *x)
{
    struct sip_index bigger = {
        .place_count = x->place_count ? x->place_count * 2 : SLOT_COUNT_MIN,
        .count = x->count,
    };

    bigger.places = pool_heap_zalloc(sizeof(*bigger.places) * bigger.place_count);
    for (uint32_t i = 0; i < x->place_count; i++) {
        if (x->places[i].node) {
            put_node(&bigger, x->places[i]);
        }
    }
    sip_index_deinit(x);
    *x = bigger;
}

void sip_index_add(struct sip_index *x, struct sip_node *node, uint64_t hash)
{
    if (x->count >= x->place_count / 2) {
        grow_index(x);
    }
    node->hash = hash;
    put_node(x, (struct sip_place){hash, node});
    x->count++;
}

void sip_index_remove(struct sip_index *x, struct sip_node *node)
{
    uint32_t mask = x->place_count - 1;
    uint32_t at = (uint32_t)node->hash & mask;
    uint32_t next;

    while (x->places[at].node != node) {
        ASSERT(x->places[at].node);
        at = (at + 1) & mask;
    }
    /* Whoever stands behind moves up, if that is nearer to where he belongs. */
    for (next = (at + 1) & mask; x->places[next].node; next = (next + 1) & mask) {
        uint32_t home = (uint32_t)x->places[next].hash & mask;

        if (((next - home) & mask) >= ((next - at) & mask)) {
            x->places[at] = x->places[next];
            at = next;
        }
    }
    x->places[at].node = NULL;
    x->count--;
}

void sip_index_prefetch(const struct sip_index *x, uint64_t hash)
{
    if (x->count > 0) {
        PREFETCH(&x->places[(uint32_t)hash & (x->place_count - 1)]);
    }
}

struct sip_node *sip_index_find(const struct sip_index *x, uint64_t hash, sip_match_fn *match,
                                const void *what)
{
    uint32_t mask = x->place_count - 1;
    uint32_t at = (uint32_t)hash & mask;

    if (x->count == 0) {
        return NULL;
    }
    for (; x->places[at].node; at = (at + 1) & mask) {
        if (x->places[at].hash == hash && match(x->places[at].node, what)) {
            return x->places[at].node;
        }
    }
    return NULL;
}

static uint32_t limit_or_default(uint32_t limit)
{
    return limit ? limit : SIP_TXN_DEFAULT_MAX;
}

int sip_txns_new(struct sip_txns **out, const struct sip_txns_params *params)
{
    struct sip_txns *t = pool_heap_zalloc(sizeof(*t));

    ASSERT(params->ops && params->wheel && params->ids);
    t->magic = SIP_TXNS_MAGIC;
    t->ops = params->ops;
    t->wheel = params->wheel;
    t->ids = params->ids;
    sip_slots_init(&t->clients, limit_or_default(params->client_max));
    sip_slots_init(&t->servers, limit_or_default(params->server_max));
    sip_merge_init(&t->merge, limit_or_default(params->merge_max));
    buf_init(&t->scratch, SIP_STEM_BYTES_MAX);
    *out = t;
    return 0;
}

void sip_txns_free(struct sip_txns *t)
{
    if (!t) {
        return;
    }
    ASSERT(t->magic == SIP_TXNS_MAGIC);
    sip_clients_free_all(t);
    sip_servers_free_all(t);
    sip_slots_deinit(&t->clients);
    sip_slots_deinit(&t->servers);
    sip_index_deinit(&t->client_by_branch);
    sip_index_deinit(&t->server_by_key);
    sip_merge_deinit(&t->merge);
    buf_deinit(&t->scratch);
    t->magic = 0;
    pool_heap_free(t);
}

const struct sip_txn_stats *sip_txns_stats(const struct sip_txns *t)
{
    return &t->stats;
}

void sip_link_init(struct sip_link *link, struct sip_txns *t, void *owner, struct slice peer_host,
                   uint16_t peer_port)
{
    *link = (struct sip_link){
        .txns = t,
        .owner = owner,
        .peer_host = peer_host,
        .peer_port = peer_port,
        .is_up = true,
    };
    list_init(&link->clients);
    list_init(&link->servers);
}

void sip_link_down(struct sip_link *link, int err)
{
    if (!link->is_up) {
        return;
    }
    link->is_up = false;
    sip_servers_link_down(link);
    sip_clients_link_down(link->txns, link, err);
}
