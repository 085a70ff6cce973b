/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reach: which users of partners of type public_unverified may reach which users of ours, because
 * ours added them (presence subscribe, probe or subscribed went out) or wrote to them (for
 * gateway.reply_window_s). Every shard has the whole table: what one learns it tells the others
 * before the stanza leaves, so that the answer finds it wherever it arrives. Bounded: beyond
 * REACH_ENTRIES_MAX the entry that was used least recently goes, and is counted. Only for such
 * partners; forgotten with a restart. The shard's thread only. */
#ifndef FG_EDGE_REACH_H
#define FG_EDGE_REACH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/slice.h"

#define REACH_ENTRIES_MAX 200000u /* per node */

struct edge;
struct mail_reach;
struct stanza;

enum reach_what {
    REACH_WROTE,      /* opens or renews the window */
    REACH_ADDED,      /* subscribe, probe */
    REACH_REMOVED,    /* unsubscribe */
    REACH_CONSENTED,  /* subscribed */
    REACH_WITHDRAWN,  /* unsubscribed */
};

struct reach;
NODISCARD int reach_new(struct reach **out);
void reach_free(struct reach *r);

/* A user of ours did that to a partner's user: noted here and, where it changes anything, on all
 * other shards. local, remote: bare addresses. */
void reach_note(struct edge *e, enum reach_what what, struct slice local, struct slice remote);
void reach_receive(struct edge *e, const struct mail_reach *m);
bool reach_is_open(const struct edge *e, struct slice local, struct slice remote);

#endif
