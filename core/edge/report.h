/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report: one shard's figures, copied by the shard on request (MAIL_REPORT), and their sum as the
 * /stats document. The filling side runs on the shard, the rest on the control thread. */
#ifndef FG_EDGE_REPORT_H
#define FG_EDGE_REPORT_H

#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "edge/report_presence.h"
#include "edge/report_tls.h"
#include "edge/stats.h"
#include "engine/engine.h"

/* The last failure of one step in one direction. */
struct report_failure {
    uint8_t direction; /* 0 = in, 1 = out */
    uint8_t step;      /* enum fail_step */
    struct partner_failure last;
};

struct report_partner {
    char domain[256]; /* primary, A-label */
    struct partner_stats stats;
    struct partner_trouble trouble;
    struct report_failure *failures; /* owned heap array; NULL = none */
    uint32_t failure_count;          /* several of one step when shards were added up */
    uint32_t streams_in;
    uint32_t streams_out;
    uint32_t queue_count;   /* waiting for a stream */
    uint64_t queue_bytes;
    uint32_t unacked_count; /* written, not confirmed */
    struct report_contacts contacts;
};

struct report_component {
    char domain[256];
    char peer[64];
    uint64_t stanzas[2]; /* in, out */
};

struct report_sip {
    char name[64]; /* of the next hop */
    char peer[64]; /* address connected to; "" = none */
    const char *state; /* static */
    uint32_t pending;
    uint64_t requests[2]; /* in, out */
    char last_failure[FAIL_TEXT_BYTES];
};

struct edge_report {
    uint32_t shard_idx;
    struct edge_stats stats;
    struct report_partner *partners; /* owned heap array */
    uint32_t partner_count;
    struct report_component *components; /* owned heap array */
    uint32_t component_count;
    struct report_sip *sip; /* owned heap array */
    uint32_t sip_count;
    uint32_t streams_in_open, streams_out_open;
    struct report_streams streams;
    struct presence_stats presence;
};

void edge_report_deinit(struct edge_report *r);

struct report_node {
    const char *node_name;
    const char *version;
    const char *tls_backend;
    const char *tls_version;
    const char *state; /* "running", "draining" */
    uint64_t uptime_s;
    uint64_t config_generation;
    struct report_tls tls;
    struct report_store store;
};

/* The newest failure of a step; NULL = none. */
const struct partner_failure *report_failure_find(const struct report_partner *p, int direction,
                                                  enum fail_step step);
/* ", "last_failures": {"dns": {"at": 1700000000, "text": "..."}}", for /stats and the admin. */
void report_put_failures(struct buf *out, const struct report_partner *p, int direction);

/* The /stats document from all shards' reports; partners and streams as far as out's bound
 * allows. */
void report_write_json(struct buf *out, const struct report_node *node, struct edge_report *shards,
                       const struct engine_stats *engine, uint32_t shard_count);
/* One partner's object in it, by its primary domain; "null" when it has no figures yet. Sums in
 * place: one document per report. */
void report_write_partner_json(struct buf *out, struct edge_report *shards, uint32_t shard_count,
                               struct slice domain);
/* The same figures as Prometheus text. */
void report_write_metrics(struct buf *out, const struct report_node *node,
                          struct edge_report *shards, const struct engine_stats *engine,
                          uint32_t shard_count);

#endif
