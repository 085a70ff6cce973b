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
    pool_heap_free(x->heads);
    *x = (struct sip_index){.count = 0};
}

static struct sip_node **head_of(const struct sip_index *x, uint64_t hash)
{
    return &x->heads[(uint32_t)hash & (x->head_count - 1)];
}

/* One chain for each node on average at most; the table only grows, as the slots do. */
static void grow_index(struct sip_index *x)
{
    struct sip_index bigger = {.head_count = x->head_count ? x->head_count * 2 : SLOT_COUNT_MIN};

    bigger.heads = pool_heap_zalloc(sizeof(struct sip_node *) * bigger.head_count);
    for (uint32_t i = 0; i < x->head_count; i++) {
        struct sip_node *node;

        while ((node = x->heads[i])) {
            x->heads[i] = node->next;
            sip_index_add(&bigger, node, node->hash);
        }
    }
    sip_index_deinit(x);
    *x = bigger;
}

void sip_index_add(struct sip_index *x, struct sip_node *node, uint64_t hash)
{
    struct sip_node **head;

    if (x->count >= x->head_count) {
        grow_index(x);
    }
    head = head_of(x, hash);
    *node = (struct sip_node){.next = *head, .hash = hash};
    *head = node;
    x->count++;
}

void sip_index_remove(struct sip_index *x, struct sip_node *node)
{
    struct sip_node **at = head_of(x, node->hash);

    while (*at != node) {
        ASSERT(*at);
        at = &(*at)->next;
    }
    *at = node->next;
    x->count--;
}

struct sip_node *sip_index_find(const struct sip_index *x, uint64_t hash, sip_match_fn *match,
                                const void *what)
{
    struct sip_node *node = x->count > 0 ? *head_of(x, hash) : NULL;

    while (node && (node->hash != hash || !match(node, what))) {
        node = node->next;
    }
    return node;
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
