/* SPDX-License-Identifier: GPL-2.0-or-later */
/* way: the table of pairs. */
#include "edge/way.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/pool.h"
#include "edge/edge.h"
#include "edge/partner_run.h"
#include "policy/decide.h"

STATIC_ASSERT((WAYS_COUNT & (WAYS_COUNT - 1)) == 0, "a mask takes the index");

/* Six times a stanza, of a dozen bytes: by words, without a call. */
static inline bool is_same(const char *a, const char *b, size_t len)
{
    uint64_t x;
    uint64_t y;

    if (len < 8) {
        return len == 0 || memcmp(a, b, len) == 0;
    }
    for (size_t at = 0; at + 8 < len; at += 8) {
        memcpy(&x, a + at, 8);
        memcpy(&y, b + at, 8);
        if (x != y) {
            return false;
        }
    }
    memcpy(&x, a + len - 8, 8);
    memcpy(&y, b + len - 8, 8);
    return x == y;
}

static inline bool is_of(const struct way *w, const struct edge *e, struct slice local,
                         struct slice remote)
{
    return w->version == e->setup_version + 1 && w->local_len == local.len &&
           w->remote_len == remote.len && is_same(w->names, local.ptr, local.len) &&
           is_same(w->names + local.len, remote.ptr, remote.len);
}

/* Names that share a place only displace each other: no strong hash is needed, but nobody outside
 * should choose which. */
static uint32_t place_of(struct slice local, struct slice remote)
{
    struct hash_key key = hash_process_key();
    uint64_t hash = hash_quick(key, remote);

    return (uint32_t)hash_quick((struct hash_key){key.k0 ^ hash, key.k1}, local) & (WAYS_COUNT - 1);
}

static void look_up(struct edge *e, struct way *w, struct slice local, struct slice remote)
{
    w->verdict = policy_pair(edge_policy(e), local, remote);
    w->is_plain = policy_pair_is_plain(edge_policy(e), &w->verdict);
    w->run = NULL;
    w->link = NULL;
    w->component = NULL;
    w->home_of_local = edge_home_of_domain(e, local);
    w->home_of_remote = w->verdict.partner ? edge_home_of_partner(e, w->verdict.partner) : 0;
}

static bool is_worth_keeping(const struct way *w, struct slice local, struct slice remote)
{
    return w->verdict.domain && w->verdict.partner && local.len + remote.len <= WAY_NAMES_BYTES;
}

NOINLINE static struct way *find(struct edge *e, struct slice local, struct slice remote)
{
    struct ways *ways = &e->ways;
    struct way *w;

    if (!ways->table) {
        ways->table = pool_heap_zalloc(WAYS_COUNT * sizeof(*ways->table));
    }
    w = &ways->table[place_of(local, remote)];
    if (is_of(w, e, local, remote)) {
        ways->last = w;
        return w;
    }
    look_up(e, &ways->other, local, remote);
    if (!is_worth_keeping(&ways->other, local, remote)) {
        return &ways->other; /* its version stays 0: never found again */
    }
    *w = ways->other;
    w->version = e->setup_version + 1;
    w->local_len = (uint16_t)local.len;
    w->remote_len = (uint16_t)remote.len;
    memcpy(w->names, local.ptr, local.len);
    memcpy(w->names + local.len, remote.ptr, remote.len);
    ways->last = w;
    return w;
}

struct way *way_of(struct edge *e, struct slice local, struct slice remote)
{
    struct way *last = e->ways.last;

    return last && is_of(last, e, local, remote) ? last : find(e, local, remote);
}

struct partner_run *way_run(struct edge *e, struct way *w, struct slice remote)
{
    if (!w->run || w->runs_mark != e->runs_mark) {
        w->run = partner_run_of(e, remote); /* may end another one: the mark comes after it */
        w->runs_mark = e->runs_mark;
    }
    return w->run;
}

void ways_free(struct edge *e)
{
    pool_heap_free(e->ways.table);
    e->ways = (struct ways){0};
}
