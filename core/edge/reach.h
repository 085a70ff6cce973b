/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reach: which users of partners of type public_unverified may reach which users of ours, because
 * ours added them (presence subscribe, probe or subscribed went out) or wrote to them (for
 * gateway.reply_window_s). Every shard has the whole table: what one learns it tells the others
 * before the stanza leaves, so that the answer finds it wherever it arrives (mail is taken before
 * received bytes in a turn, and the pair of mailboxes keeps the order). Told is what changes
 * something or is older than an eighth of the window. Bounded: beyond REACH_ENTRIES_MAX the pair
 * that was used least recently goes, and is counted. Only for such partners. What opens is given to
 * the store with every telling and is there again after a start; what was merely sent is not. The
 * shard's thread only. */
#ifndef FG_EDGE_REACH_H
#define FG_EDGE_REACH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define REACH_ENTRIES_MAX 200000u /* per node: 9 MB on each shard when full */

struct edge;
struct mail_reach;
struct store_reach;

/* An error passes to whoever sent something not longer ago than between this and twice this: longer
 * than stanzas wait in queues, ours and the partner's. */
#define REACH_ERROR_S 600u

/* What a user of ours did to somebody outside. */
enum reach_what {
    REACH_WROTE,     /* opens or renews the window */
    REACH_ADDED,     /* subscribe, probe */
    REACH_REMOVED,   /* unsubscribe; closes the window, too */
    REACH_CONSENTED, /* subscribed */
    REACH_WITHDRAWN, /* unsubscribed */
    REACH_SENT,      /* a message or presence, whatever it says: opens nothing but to its error */
};

/* Bare addresses; the users normalised, the domains A-labels. */
struct reach_pair {
    struct slice local_user;
    struct slice local_domain;
    struct slice remote_user;
    struct slice remote_domain;
};
uint64_t reach_key(const struct reach_pair *pair);
/* Remembers it here and, where needed, on all other shards and in the store. */
void reach_note(struct edge *e, enum reach_what what, const struct reach_pair *pair);
/* At the start: what the store holds of a pair; to be called on every shard. */
void reach_restore(struct edge *e, const struct store_reach *row);
void reach_receive(struct edge *e, const struct mail_reach *m);
bool reach_is_open(const struct edge *e, uint64_t key);
/* The same without the window that writing opens: ours added or approved him. */
bool reach_is_contact(const struct edge *e, uint64_t key);
/* Whether a stanza of ours is on its way or was lately, so that an error may answer it. */
bool reach_was_sent(const struct edge *e, uint64_t key);

#endif
