/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report_presence: presence and its store in /stats and /metrics. Filled by the shards
 * (presence) and by the control thread (store); written by the control thread. Names are stable. */
#ifndef FG_EDGE_REPORT_PRESENCE_H
#define FG_EDGE_REPORT_PRESENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "presence/presence.h"
#include "store/store.h"

struct edge;
struct edge_report;

/* Of one partner on one shard. */
struct report_contacts {
    uint32_t contacts[CONTACT_DIRECTIONS][CONTACT_STATE_COUNT];
    uint32_t dialogs[CONTACT_DIRECTIONS];
    uint64_t notify_received; /* changes from SIP */
    uint64_t stanza_received; /* changes from the partner */
};

/* Of the node. */
struct report_store {
    bool is_there; /* false: in tests only */
    struct store_health health;
    struct store_stats stats;
};

/* On the shard: its figures, and those of its domains by partner (report_partner.contacts). */
void report_presence_fill(struct edge *e, struct edge_report *out);
void report_contacts_add(struct report_contacts *sum, const struct report_contacts *more);
/* Anything but zeros. */
bool report_contacts_has_any(const struct report_contacts *c);
/* {"in": {...}, "out": {...}} */
void report_contacts_write_json(struct buf *out, const struct report_contacts *c);
/* Two families of a partner's lines. */
void report_contacts_write_states(struct buf *out, const char *partner,
                                  const struct report_contacts *c);
void report_contacts_write_dialogs(struct buf *out, const char *partner,
                                   const struct report_contacts *c);

/* "presence": {...},  "store": {...}, with the comma behind. */
void report_presence_write_json(struct buf *out, const struct report_store *store,
                                const struct edge_report *shards, uint32_t shard_count);
void report_presence_write_metrics(struct buf *out, const struct report_store *store,
                                   const struct edge_report *shards, uint32_t shard_count);

#endif
