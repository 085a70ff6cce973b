/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reach: the shard's table and the news between shards. */
#include "edge/reach.h"

#include "base/hash.h"
#include "edge/edge.h"
#include "edge/reach_table.h"

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

void reach_note(struct edge *e, enum reach_what what, uint64_t key)
{
    if (!learn(e, what, key, false)) {
        return;
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

bool reach_is_open(const struct edge *e, uint64_t key)
{
    return reach_table_is_open(e->reach, key, shard_now_ms(e->sh), window_ms(e));
}
