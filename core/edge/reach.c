/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reach: the shard's table and the news between shards. */
#include "edge/reach.h"

#include "base/hash.h"
#include "edge/edge.h"
#include "edge/reach_table.h"
#include "store/store.h"

#define MS_PER_S 1000u
/* Mails that may wait for room towards a shard: whoever reads stanzas minds the gate of the shard
 * they go to, not those of all others. */
#define OVERFLOW_MAX 4096u

uint64_t reach_key(const struct reach_pair *pair)
{
    /* Each part by itself: no two pairs of addresses run together to the same bytes. */
    const uint64_t parts[4] = {hash_bytes(pair->local_user), hash_bytes(pair->local_domain),
                               hash_bytes(pair->remote_user), hash_bytes(pair->remote_domain)};

    return hash_bytes(slice_make((const char *)parts, sizeof(parts)));
}

static uint64_t window_ms(const struct edge *e)
{
    return (uint64_t)edge_policy(e)->gateway.reply_window_s * MS_PER_S;
}

static bool learn(struct edge *e, enum reach_what what, uint64_t key, bool is_heard)
{
    bool tell = reach_table_learn(e->reach, &(struct reach_fact){
                                                .key = key,
                                                .what = what,
                                                .is_heard = is_heard,
                                                .now_ms = shard_now_ms(e->sh),
                                                .window_ms = window_ms(e),
                                            });

    e->stats.reach_evicted += reach_table_take_evicted(e->reach);
    return tell;
}

/* The whole row: other shards may have told what this one did not do itself. */
static void keep(struct edge *e, const struct reach_pair *pair, uint64_t key)
{
    struct reach_state state;
    struct store_item item = {.what = STORE_PUT_REACH};
    uint64_t ticket;

    if (!e->shared->store) {
        return;
    }
    item.reach.pair = (struct store_pair){pair->local_user, pair->local_domain,
                                          pair->remote_user, pair->remote_domain};
    if (!reach_table_look(e->reach, key, &state)) {
        item.what = STORE_DROP_REACH;
    } else {
        item.reach.flags = (state.is_added ? STORE_REACH_ADDED : 0u) |
                           (state.is_consented ? STORE_REACH_CONSENTED : 0u);
        if (state.has_written) {
            item.reach.wrote_unix_s = shard_now_unix_s(e->sh) -
                                      (int64_t)((shard_now_ms(e->sh) - state.wrote_ms) / MS_PER_S);
        }
    }
    if (store_write(e->shared->store, e->idx, &item, &ticket) != 0) {
        e->stats.reach_unsaved++;
        reach_table_untold(e->reach, key); /* with the next fact */
    }
}

void reach_restore(struct edge *e, const struct store_reach *row)
{
    const struct reach_pair pair = {row->pair.local_user, row->pair.local_domain,
                                    row->pair.remote_user, row->pair.remote_domain};
    int64_t age_s = shard_now_unix_s(e->sh) - row->wrote_unix_s;
    struct reach_state state = {
        .is_added = (row->flags & STORE_REACH_ADDED) != 0,
        .is_consented = (row->flags & STORE_REACH_CONSENTED) != 0,
        .has_written = row->wrote_unix_s != 0,
        /* May lie before the clock's beginning: differences count, and they are right. */
        .wrote_ms = shard_now_ms(e->sh) - (uint64_t)(age_s > 0 ? age_s : 0) * MS_PER_S,
    };

    reach_table_restore(e->reach, reach_key(&pair), &state);
}

void reach_note(struct edge *e, enum reach_what what, const struct reach_pair *pair)
{
    uint64_t key = reach_key(pair);

    if (!learn(e, what, key, false)) {
        return;
    }
    if (what != REACH_SENT) {
        keep(e, pair, key);
    }
    for (uint32_t i = 0; i < e->shard_count; i++) {
        struct mail_reach *m;

        if (i == e->idx) {
            continue;
        }
        m = e->overflow_count[i] < OVERFLOW_MAX ? edge_mail_new(MAIL_REACH, sizeof(*m)) : NULL;
        if (!m) {
            e->stats.reach_untold++;
            reach_table_untold(e->reach, key);
            continue;
        }
        m->what = (uint8_t)what;
        m->key = key;
        edge_post(e, i, &m->mail);
    }
}

void reach_receive(struct edge *e, const struct mail_reach *m)
{
    (void)learn(e, (enum reach_what)m->what, m->key, true);
}

bool reach_was_sent(const struct edge *e, uint64_t key)
{
    return reach_table_was_sent(e->reach, key, shard_now_ms(e->sh));
}

bool reach_is_contact(const struct edge *e, uint64_t key)
{
    struct reach_state state;

    return reach_table_look(e->reach, key, &state) && (state.is_added || state.is_consented);
}

bool reach_is_open(const struct edge *e, uint64_t key)
{
    return reach_table_is_open(e->reach, key, shard_now_ms(e->sh), window_ms(e));
}
