/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reach_table: entries in one array, found by chains, ordered by use. */
#include "edge/reach_table.h"

#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"

#define NONE UINT32_MAX
#define FIRST_COUNT 64u
#define MS_PER_S 1000u
#define RENEW_PART 8u /* told again after this part of the window */
/* When writing opens nothing there is no window to take a part of. */
#define RENEW_WITHOUT_WINDOW_MS ((uint64_t)3600 * 1000)

enum reach_flag {
    FLAG_WROTE = 1,
    FLAG_ADDED = 2,     /* ours asked for the other's presence */
    FLAG_CONSENTED = 4, /* ours gave the other his */
    FLAG_HEARD = 8,     /* another shard told of writing: it may write on without telling */
    FLAG_TOLD = 16,     /* by us, at told_ms */
    FLAG_SENT = 32,     /* at sent_s, or less than REACH_ERROR_S after it */
    FLAG_UNTOLD = 64,   /* not all shards know of that */
};
#define FLAGS_OPENING ((uint32_t)(FLAG_WROTE | FLAG_ADDED | FLAG_CONSENTED))

struct entry {
    uint64_t key;
    uint64_t wrote_ms;
    uint32_t told_ms; /* modulo 49 days: at worst a renewal is told an eighth of a window later */
    uint32_t sent_s;
    uint32_t newer; /* by use, in its order; NONE = the newest */
    uint32_t older;
    uint32_t next; /* in its chain, or among the free ones */
    uint32_t flags;
};

/* Entries by use. */
struct order {
    uint32_t newest;
    uint32_t oldest;
};

struct reach_table {
    struct entry *entries; /* owned */
    uint32_t *chains;      /* owned; first entry of each */
    uint32_t entry_count;  /* of the array */
    uint32_t chain_count;  /* power of two */
    uint32_t count_max;
    uint32_t used_count;
    uint32_t free_first;
    struct order sent; /* opens nothing: these go first */
    struct order opening;
    uint64_t evicted;
};

int reach_table_new(struct reach_table **out, uint32_t count_max)
{
    struct reach_table *t = pool_zalloc(sizeof(*t));

    ASSERT(count_max >= 1 && count_max < NONE);
    if (!t) {
        return ERR_NOMEM;
    }
    t->count_max = count_max;
    t->free_first = NONE;
    t->sent = t->opening = (struct order){NONE, NONE};
    *out = t;
    return 0;
}

void reach_table_free(struct reach_table *t)
{
    if (t) {
        pool_free(t->entries);
        pool_free(t->chains);
        pool_free(t);
    }
}

uint32_t reach_table_count(const struct reach_table *t)
{
    return t->used_count;
}

uint64_t reach_table_take_evicted(struct reach_table *t)
{
    uint64_t evicted = t->evicted;

    t->evicted = 0;
    return evicted;
}

static uint32_t *chain_of(struct reach_table *t, uint64_t key)
{
    return &t->chains[key & (t->chain_count - 1)];
}

static uint32_t find(const struct reach_table *t, uint64_t key)
{
    uint32_t at = t->chain_count != 0 ? t->chains[key & (t->chain_count - 1)] : NONE;

    while (at != NONE && t->entries[at].key != key) {
        at = t->entries[at].next;
    }
    return at;
}

/* By its flags, which change outside of both only. */
static struct order *order_of(struct reach_table *t, const struct entry *x)
{
    return (x->flags & FLAGS_OPENING) ? &t->opening : &t->sent;
}

static void order_remove(struct reach_table *t, uint32_t idx)
{
    const struct entry *x = &t->entries[idx];
    struct order *o = order_of(t, x);

    *(x->newer != NONE ? &t->entries[x->newer].older : &o->newest) = x->older;
    *(x->older != NONE ? &t->entries[x->older].newer : &o->oldest) = x->newer;
}

static void order_add(struct reach_table *t, uint32_t idx)
{
    struct entry *x = &t->entries[idx];
    struct order *o = order_of(t, x);

    x->newer = NONE;
    x->older = o->newest;
    *(o->newest != NONE ? &t->entries[o->newest].newer : &o->oldest) = idx;
    o->newest = idx;
}

static void drop(struct reach_table *t, uint32_t idx)
{
    uint32_t *link = chain_of(t, t->entries[idx].key);

    while (*link != idx) {
        link = &t->entries[*link].next;
    }
    *link = t->entries[idx].next;
    order_remove(t, idx);
    t->entries[idx].next = t->free_first;
    t->free_first = idx;
    t->used_count--;
}

/* Twice the room, up to count_max. False: none to be had. */
static bool grow(struct reach_table *t)
{
    uint32_t entry_count = t->entry_count ? t->entry_count * 2 : FIRST_COUNT;
    uint32_t chain_count = t->chain_count ? t->chain_count * 2 : FIRST_COUNT;
    struct entry *entries;
    uint32_t *chains;

    if (t->entry_count == t->count_max) {
        return false;
    }
    entry_count = entry_count < t->count_max ? entry_count : t->count_max;
    entries = pool_alloc(entry_count * sizeof(*entries));
    chains = pool_alloc(chain_count * sizeof(*chains));
    if (!entries || !chains) {
        pool_free(entries);
        pool_free(chains);
        return false;
    }
    if (t->entry_count != 0) {
        memcpy(entries, t->entries, t->entry_count * sizeof(*entries));
    }
    memset(chains, 0xff, chain_count * sizeof(*chains)); /* NONE */
    pool_free(t->entries);
    pool_free(t->chains);
    t->entries = entries;
    t->chains = chains;
    t->chain_count = chain_count;
    /* Only a full table grows: all of the old entries are in use. */
    for (uint32_t i = 0; i < t->entry_count; i++) {
        uint32_t *chain = chain_of(t, entries[i].key);

        entries[i].next = *chain;
        *chain = i;
    }
    for (uint32_t i = entry_count; i > t->entry_count; i--) {
        entries[i - 1].next = t->free_first;
        t->free_first = i - 1;
    }
    t->entry_count = entry_count;
    return true;
}

/* NONE: not even memory for the first. */
static uint32_t add(struct reach_table *t, uint64_t key)
{
    uint32_t idx;

    if (t->free_first == NONE && !grow(t)) {
        uint32_t oldest = t->sent.oldest != NONE ? t->sent.oldest : t->opening.oldest;

        if (t->sent.oldest == NONE) {
            t->evicted++;
        }
        if (oldest == NONE) {
            return NONE;
        }
        drop(t, oldest);
    }
    idx = t->free_first;
    t->free_first = t->entries[idx].next;
    t->entries[idx] = (struct entry){.key = key, .next = *chain_of(t, key)};
    *chain_of(t, key) = idx;
    order_add(t, idx);
    t->used_count++;
    return idx;
}

static bool is_open(const struct entry *x, uint64_t now_ms, uint64_t window_ms)
{
    if (x->flags & (FLAG_ADDED | FLAG_CONSENTED)) {
        return true;
    }
    if (x->flags & FLAG_HEARD) {
        window_ms += window_ms / RENEW_PART;
    }
    return (x->flags & FLAG_WROTE) && now_ms - x->wrote_ms < window_ms;
}

static bool was_sent(const struct entry *x, uint64_t now_ms)
{
    return (x->flags & FLAG_SENT) && now_ms / MS_PER_S - x->sent_s < 2 * REACH_ERROR_S;
}

/* Written down, and told, once in REACH_ERROR_S: that is why it counts for twice as long. */
static bool apply_sent(struct entry *x, uint64_t now_ms)
{
    uint32_t now_s = (uint32_t)(now_ms / MS_PER_S);

    if ((x->flags & FLAG_SENT) && !(x->flags & FLAG_UNTOLD) && now_s - x->sent_s < REACH_ERROR_S) {
        return false;
    }
    x->flags = (x->flags | FLAG_SENT) & ~(uint32_t)FLAG_UNTOLD;
    x->sent_s = now_s;
    return true;
}

/* Whether that is news to whoever knew of the entry only what was told. */
static bool apply(struct entry *x, const struct reach_fact *f)
{
    uint32_t before = x->flags;

    switch (f->what) {
    case REACH_WROTE:
        if (!is_open(x, f->now_ms, f->window_ms)) {
            before &= ~(uint32_t)FLAG_WROTE; /* opened anew */
        }
        x->wrote_ms = f->now_ms;
        x->flags |= FLAG_WROTE | (f->is_heard ? FLAG_HEARD : 0);
        break;
    case REACH_ADDED:
        x->flags |= FLAG_ADDED;
        break;
    case REACH_CONSENTED:
        x->flags |= FLAG_CONSENTED;
        break;
    case REACH_REMOVED: /* he wants no more of the other: that ends what writing opened, too */
        x->flags &= ~(uint32_t)(FLAG_ADDED | FLAG_WROTE);
        return true;
    case REACH_WITHDRAWN:
        x->flags &= ~(uint32_t)FLAG_CONSENTED;
        return true;
    case REACH_SENT:
        return apply_sent(x, f->now_ms);
    }
    return (x->flags & ~before & FLAGS_OPENING) != 0;
}

static bool is_due(const struct entry *x, const struct reach_fact *f)
{
    uint64_t renew_ms = f->window_ms ? f->window_ms / RENEW_PART : RENEW_WITHOUT_WINDOW_MS;

    return !(x->flags & FLAG_TOLD) || (uint32_t)f->now_ms - x->told_ms >= renew_ms;
}

bool reach_table_learn(struct reach_table *t, const struct reach_fact *f)
{
    bool is_end = f->what == REACH_REMOVED || f->what == REACH_WITHDRAWN;
    uint32_t idx = find(t, f->key);
    struct entry *x;
    bool tell;

    if (f->what == REACH_WROTE && f->window_ms == 0) {
        return false;
    }
    if (idx == NONE && is_end) {
        return !f->is_heard; /* another shard may still have it */
    }
    if (idx == NONE) {
        idx = add(t, f->key);
        if (idx == NONE) {
            return !f->is_heard;
        }
    }
    x = &t->entries[idx];
    order_remove(t, idx);
    tell = apply(x, f);
    order_add(t, idx);
    if (f->what == REACH_SENT) {
        return tell && !f->is_heard; /* by its own clock, not that of what opens */
    }
    tell = !f->is_heard && (tell || is_due(x, f));
    if (tell) {
        x->flags |= FLAG_TOLD;
        x->told_ms = (uint32_t)f->now_ms;
    }
    if (!(x->flags & (FLAGS_OPENING | FLAG_SENT))) {
        drop(t, idx);
    }
    return tell;
}

void reach_table_untold(struct reach_table *t, uint64_t key)
{
    uint32_t idx = find(t, key);

    if (idx != NONE) {
        t->entries[idx].flags &= ~(uint32_t)FLAG_TOLD;
        t->entries[idx].flags |= FLAG_UNTOLD;
    }
}

bool reach_table_look(const struct reach_table *t, uint64_t key, struct reach_state *out)
{
    uint32_t idx = find(t, key);
    uint32_t flags = idx != NONE ? t->entries[idx].flags : 0;

    *out = (struct reach_state){
        .is_added = (flags & FLAG_ADDED) != 0,
        .is_consented = (flags & FLAG_CONSENTED) != 0,
        .has_written = (flags & FLAG_WROTE) != 0,
        .wrote_ms = (flags & FLAG_WROTE) ? t->entries[idx].wrote_ms : 0,
    };
    return (flags & FLAGS_OPENING) != 0;
}

void reach_table_restore(struct reach_table *t, uint64_t key, const struct reach_state *state)
{
    uint32_t flags = (state->is_added ? FLAG_ADDED : 0u) |
                     (state->is_consented ? FLAG_CONSENTED : 0u) |
                     (state->has_written ? FLAG_WROTE : 0u);
    uint32_t idx = find(t, key);

    if (flags == 0) {
        return;
    }
    if (idx == NONE) {
        idx = add(t, key);
    }
    if (idx == NONE) {
        return; /* no memory: as if it had been evicted */
    }
    order_remove(t, idx);
    t->entries[idx].flags |= flags;
    if (state->has_written) {
        t->entries[idx].wrote_ms = state->wrote_ms;
    }
    order_add(t, idx);
}

bool reach_table_is_open(struct reach_table *t, uint64_t key, uint64_t now_ms, uint64_t window_ms)
{
    uint32_t idx = find(t, key);

    if (idx == NONE) {
        return false;
    }
    if (!is_open(&t->entries[idx], now_ms, window_ms)) {
        if (!was_sent(&t->entries[idx], now_ms)) {
            drop(t, idx);
        }
        return false;
    }
    order_remove(t, idx);
    order_add(t, idx);
    return true;
}

bool reach_table_was_sent(struct reach_table *t, uint64_t key, uint64_t now_ms)
{
    uint32_t idx = find(t, key);

    return idx != NONE && was_sent(&t->entries[idx], now_ms);
}
