/* SPDX-License-Identifier: GPL-2.0-or-later */
/* edge: where the parts meet, on one shard. Legs (s2s in and out, component, SIP) hang on
 * connections of the engine; between them run blocks (stanzas in custody), by the route:
 *
 *   leg_in / leg_component / sip_uas  ->  route  ->  link / leg_component / sip_uac
 *
 * struct edge is what one shard has of all that. Its thread only; struct edge_shared is made by the
 * control thread before the shards start and is read-only or atomic after that. */
#ifndef FG_EDGE_EDGE_H
#define FG_EDGE_EDGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "edge/block.h"
#include "edge/flow.h"
#include "edge/mails.h"
#include "edge/refusal_log.h"
#include "edge/setup.h"
#include "edge/stats.h"
#include "edge/way.h"
#include "engine/conn.h"
#include "engine/engine.h"
#include "engine/shard.h"
#include "xml/parser.h"
#include "xmpp/component.h"
#include "xmpp/stream.h"

struct presence_paces;
struct presence_side;
struct reach_table;
struct sip_side;
struct store;
struct store_rows;
struct report_partner;

/* Of an administrator's text, for whoever is refused. */
#define EDGE_MAINTENANCE_BYTES 256u

struct edge_shared {
    struct store *store;           /* borrowed, for the engine's life */
    struct presence_paces *paces;  /* likewise; any shard (presence/paces.h) */
    const struct store_rows *rows; /* borrowed until the shards have started: what it holds */
    struct log_ring rings[ENGINE_SHARDS_MAX]; /* shard i writes ring i, control drains */
    char names[ENGINE_SHARDS_MAX][16];
    /* Connections with a place (place.h), by direction: all, and of each shard; relaxed. */
    _Atomic uint32_t place_count[2];
    _Atomic uint32_t shard_place_count[ENGINE_SHARDS_MAX][2];
    _Atomic bool is_place_wanted; /* by an outgoing stream whose shard has none to close; relaxed */
    _Atomic uint32_t flushed_count; /* shards that have once had nothing under way while stopping */
    _Atomic uint32_t drained_count; /* shards that have nothing left to do; release/acquire */
};

struct edge {
    struct shard *sh;
    struct edge_shared *shared; /* borrowed for the engine's life */
    uint32_t idx;
    uint32_t shard_count;

    struct flow flow;
    struct map links;        /* "local remote" -> struct link, owned; their home is here */
    struct map partner_runs; /* primary domain -> struct partner_run, owned */
    struct map components;   /* domain -> struct component_leg, borrowed from their conns */
    /* Counted up with each entry that leaves these three maps or is replaced in them (way.h). */
    uint64_t links_mark;
    uint64_t runs_mark;
    uint64_t components_mark;
    struct ways ways;        /* what is known of pairs of domains */
    struct list runs_all;    /* struct partner_run.all: those of the map, as last reviewed */
    struct list runs_orphan; /* struct partner_run.orphan: of partners that are gone */
    struct list runs_claimed;    /* struct partner_run.claimed, oldest first */
    uint32_t runs_claimed_count; /* of that list */
    struct refusal_log refusals; /* of those who are no partners */
    struct list refusals_held;   /* struct refusal_log.held_by */
    struct list legs_in;     /* struct leg_in.all, borrowed from their conns; as last reviewed */
    struct list links_all;   /* struct link.all: those of the map and those aside; likewise */
    struct list places[2];   /* struct place.all, by direction, oldest first */
    uint64_t place_number;   /* of the last one taken */
    struct list legs_component; /* struct component_leg.all, borrowed from their conns */
    struct list legs_moving;    /* struct leg_in.moving: to be handed over at the turn's end */
    struct list links_dirty;    /* struct link.dirty: have something to write */
    struct list links_aside;    /* struct link.aside, owned: not in the map (link_renew.c) */
    struct sip_side *sip;    /* owned */
    struct presence_side *presence; /* owned */
    struct reach_table *reach; /* owned */

    struct list overflow[ENGINE_SHARDS_MAX]; /* owned: mails that did not fit; gates bound it */
    uint32_t overflow_count[ENGINE_SHARDS_MAX];
    struct shard_mail_wait overflow_wait[ENGINE_SHARDS_MAX];

    struct buf scratch;               /* where a stanza is serialised before it becomes a block */
    struct xml_parser *bounce_parser; /* owned; reads our own bytes back (block_read.h) */
    uint64_t next_id;                 /* for ids of stanzas we make; prefixed by boot_tag */
    char boot_tag[9];
    struct edge_stats stats;
    struct dialback_secret dialback_secret; /* of the current setup */
    uint64_t setup_version;                 /* counts snapshots: streams check their pairs again */
    /* Big and not copyable, one per nesting: what legs and links hand to their machines. */
    struct stream_event in_event;
    struct stream_event out_event;
    struct component_event component_event;
    char fault[160]; /* text of the last certificate_fault asked for (host.c) */
    struct stream_refusal maintenance; /* the last one asked for (host.c): text is the next field */
    char maintenance_text[EDGE_MAINTENANCE_BYTES];
    uint32_t inbound_count; /* incoming s2s connections on this shard */
    bool is_draining;
    bool is_flushed; /* counted in shared.flushed_count */
    bool is_drained;
    bool is_drain_closing; /* flushing is over */
    uint64_t drain_start_ms;
    struct wheel_timer tick; /* once a second: ages, leases */
    struct wheel_timer drain_timer;
    struct wheel_timer review_timer;
};

/* For engine_params.app; ctx is struct edge_shared. */
extern const struct engine_app edge_app;

static inline const struct setup *edge_setup(const struct edge *e)
{
    return shard_snapshot(e->sh);
}
static inline const struct snapshot *edge_policy(const struct edge *e)
{
    return edge_setup(e)->policy;
}

/* What a connection's TLS is, for log lines: "tls=TLSv1.3 cipher=... records=user resumed=0". */
struct edge_tls_text {
    char text[112];
};
struct edge_tls_text edge_tls_text(const struct conn *c);
/* Whether the kernel is to protect the records of our connections (tls.ktls). */
enum conn_ktls edge_ktls(const struct edge *e);

/* Home shard of a pair with a partner / of the component of one of our domains. */
uint32_t edge_home_of_partner(const struct edge *e, const struct partner *p);
uint32_t edge_home_of_domain(const struct edge *e, struct slice local);

/* Posts, or keeps the mail in the overflow list of that shard and closes its gate, so that readers
 * stop; never loses it. gate_key: what a reader waits for, see edge_post_gate(). */
void edge_post(struct edge *e, uint32_t to_idx, struct mail *m);
/* Key of the gate that is closed while mail to to_idx does not fit. */
struct slice edge_post_gate(uint32_t to_idx, char mem[16]);
/* Tells this and all other shards about a gate owned here. */
void edge_gate(struct edge *e, struct slice key, bool is_closed);

/* A mail of size bytes with this kind; NULL without memory. */
NODISCARD void *edge_mail_new(enum mail_kind kind, size_t size);

#endif
