/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reach_table: the memory behind reach.h: pairs (user of ours, user outside) with what is known of
 * them. A pair is a keyed 64-bit hash of both bare addresses and nothing else: entries have one
 * small size however long the addresses are. An outsider who has no entry matches one of n with
 * a chance of n / 2^64 per stanza, and cannot search for it, because the key is the process's.
 * Bounded; when full, or without memory to grow, the pair that was used least recently goes, and
 * before any other those that only something was sent to.
 * Times are monotonic milliseconds. One thread; memory: the thread's pool. */
#ifndef FG_EDGE_REACH_TABLE_H
#define FG_EDGE_REACH_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "edge/reach.h"

struct reach_table;

/* Empty: takes next to no memory until something is learned. count_max >= 1. */
NODISCARD int reach_table_new(struct reach_table **out, uint32_t count_max);
/* NULL is accepted. */
void reach_table_free(struct reach_table *t);

struct reach_fact {
    uint64_t key; /* reach_key */
    enum reach_what what;
    bool is_heard;      /* another shard's user did it */
    uint64_t now_ms;
    uint64_t window_ms; /* gateway.reply_window_s; 0 = writing opens nothing */
};
/* True when the other shards must be told: it changed something here, or the last telling is more
 * than an eighth of the window ago. For what was heard: always false. */
bool reach_table_learn(struct reach_table *t, const struct reach_fact *f);

/* Not all of them were told: the next fact about the pair is told whatever it is. */
void reach_table_untold(struct reach_table *t, uint64_t key);

/* What is known of a pair and opens the way. */
struct reach_state {
    bool is_added;
    bool is_consented;
    bool has_written; /* at wrote_ms */
    uint64_t wrote_ms;
};
/* False: nothing. */
bool reach_table_look(const struct reach_table *t, uint64_t key, struct reach_state *out);
/* Adds that to what is known, as told by nobody: for a start. */
void reach_table_restore(struct reach_table *t, uint64_t key, const struct reach_state *state);

/* Whether the outsider may reach our user. Counts as use of the pair. A window that was heard of
 * stays open an eighth longer, because its renewals may not have been told. */
bool reach_table_is_open(struct reach_table *t, uint64_t key, uint64_t now_ms,
                         uint64_t window_ms);

/* Whether REACH_SENT was learned not longer ago than REACH_ERROR_S; true at most twice as long. */
bool reach_table_was_sent(struct reach_table *t, uint64_t key, uint64_t now_ms);

uint32_t reach_table_count(const struct reach_table *t);
/* Pairs that had to go though they opened something, or were not learned, for want of room; since
 * the last call. */
uint64_t reach_table_take_evicted(struct reach_table *t);

#endif
