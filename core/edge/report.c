/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report: sums over shards, as JSON and as Prometheus text. */
#include "edge/report.h"

#include <string.h>

#include "base/pool.h"
#include "edge/report_partners.h"

void edge_report_deinit(struct edge_report *r)
{
    for (uint32_t i = 0; i < r->partner_count; i++) {
        pool_heap_free(r->partners[i].failures);
    }
    pool_heap_free(r->partners);
    pool_heap_free(r->components);
    pool_heap_free(r->sip);
    pool_heap_free(r->streams.rows);
    *r = (struct edge_report){0};
}

static void put_components_and_sip(struct buf *out, const struct edge_report *shards,
                                   uint32_t shard_count)
{
    bool first = true;

    buf_put_lit(out, "  \"components\": [");
    for (uint32_t i = 0; i < shard_count; i++) {
        for (uint32_t k = 0; k < shards[i].component_count; k++) {
            const struct report_component *c = &shards[i].components[k];

            buf_put_cstr(out, first ? "\n    {\"domain\": " : ",\n    {\"domain\": ");
            first = false;
            report_put_text(out, c->domain);
            buf_put_lit(out, ", \"peer\": ");
            report_put_text(out, c->peer);
            buf_printf(out, ", \"shard\": %u, \"in\": %lu, \"out\": %lu}", shards[i].shard_idx,
                       c->stanzas[0], c->stanzas[1]);
        }
    }
    buf_put_lit(out, "],\n  \"sip\": [");
    first = true;
    for (uint32_t i = 0; i < shard_count; i++) {
        for (uint32_t k = 0; k < shards[i].sip_count; k++) {
            const struct report_sip *s = &shards[i].sip[k];

            buf_put_cstr(out, first ? "\n    {\"next_hop\": " : ",\n    {\"next_hop\": ");
            first = false;
            report_put_text(out, s->name);
            buf_printf(out, ", \"shard\": %u, \"state\": \"%s\", \"peer\": ", shards[i].shard_idx,
                       s->state);
            report_put_text(out, s->peer);
            buf_printf(out, ", \"pending\": %u, \"in\": %lu, \"out\": %lu, \"last_failure\": ",
                       s->pending, s->requests[0], s->requests[1]);
            report_put_text(out, s->last_failure);
            buf_putc(out, '}');
        }
    }
    buf_put_lit(out, "],\n");
}

/* Every figure of the engine, by the name it has in its struct. Signed: a shard that frees what
 * others allocated holds less than nothing, only the sum of all is a size.                      */
#define ENGINE_GAUGES(X) \
    X(conn_open) X(handshakes_in_progress) X(handshakes_waiting) X(pool_bytes)
#define ENGINE_COUNTERS(X)                                                                       \
    X(conn_accepted) X(conn_refused_full) X(conn_refused_address) X(conn_moved_in)               \
    X(bytes_in) X(bytes_out) X(turns) X(events) X(sends) X(recv_no_buffer) X(stale_events)       \
    X(cq_overflows) X(mail_in) X(mail_full) X(doorbells) X(spins_found) X(spins_missed)          \
    X(tls_handshakes) X(tls_failures)                                                            \
    X(tls_full_in) X(tls_full_out) X(tls_resumed_in) X(tls_resumed_out)                          \
    X(tls_failed_timeout) X(tls_failed_alert) X(tls_failed_closed) X(tls_failed_protocol)        \
    X(tls_kernel_out) X(tls_kernel_in) X(tls_kernel_refused) X(tls_rekeys) X(tls_rekey_ends)     \
    X(tls_key_updates_in) X(tls_key_updates_out)                                                 \
    X(handshakes_waited) X(handshakes_refused) X(handshakes_overdue) X(handshake_steps)          \
    X(dns_queries) X(dns_cache_hits) X(dns_failures) X(log_lost)

static uint64_t stat_value(const struct edge_stats *s, const struct stat_desc *d)
{
    uint64_t value;

    memcpy(&value, (const char *)s + d->offset, sizeof(value));
    return value;
}

static void put_shards(struct buf *out, const struct edge_report *shards,
                       const struct engine_stats *engine, uint32_t shard_count)
{
    buf_put_lit(out, "  \"shards\": [");
    for (uint32_t i = 0; i < shard_count; i++) {
        buf_put_cstr(out, i ? ",\n    " : "\n    ");
        buf_printf(out, "{\"shard\": %u, \"streams_in\": %u, \"streams_out\": %u", i,
                   shards[i].streams_in_open, shards[i].streams_out_open);
#define X(name) buf_printf(out, ", \"" #name "\": %ld", (int64_t)engine[i].name);
        ENGINE_GAUGES(X)
        ENGINE_COUNTERS(X)
#undef X
        for (size_t k = 0; k < stat_desc_count; k++) {
            buf_printf(out, ", \"%s\": %lu", stat_descs[k].name,
                       stat_value(&shards[i].stats, &stat_descs[k]));
        }
        buf_putc(out, '}');
    }
    buf_put_lit(out, "\n  ],\n");
}

void report_write_json(struct buf *out, const struct report_node *node, struct edge_report *shards,
                       const struct engine_stats *engine, uint32_t shard_count)
{
    buf_put_lit(out, "{\n  \"node\": ");
    report_put_text(out, node->node_name);
    buf_printf(out, ",\n  \"version\": \"%s\",\n  \"state\": \"%s\",\n  \"uptime_s\": %lu,\n",
               node->version, node->state, node->uptime_s);
    buf_printf(out, "  \"config_generation\": %lu,\n", node->config_generation);
    report_tls_write_json(out, &node->tls, node->tls_backend, node->tls_version);
    buf_put_lit(out, "  \"totals\": {");
    for (size_t k = 0; k < stat_desc_count; k++) {
        uint64_t sum = 0;

        for (uint32_t i = 0; i < shard_count; i++) {
            sum += stat_value(&shards[i].stats, &stat_descs[k]);
        }
        buf_printf(out, "%s\"%s\": %lu", k ? ", " : "", stat_descs[k].name, sum);
    }
    buf_put_lit(out, "},\n");
    put_components_and_sip(out, shards, shard_count);
    report_presence_write_json(out, &node->store, shards, shard_count);
    report_streams_write_json(out, shards, shard_count);
    put_shards(out, shards, engine, shard_count);
    report_partners_write_json(out, shards, shard_count); /* in the room that is left */
    buf_put_lit(out, "}\n");
}

void report_put_metric_head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP fedgate_%s %s\n# TYPE fedgate_%s %s\n", name, help, name, type);
}

void report_write_metrics(struct buf *out, const struct report_node *node,
                          struct edge_report *shards, const struct engine_stats *engine,
                          uint32_t shard_count)
{
    report_put_metric_head(out, "info", "gauge", "version and TLS library");
    buf_printf(out,
               "fedgate_info{version=\"%s\",tls=\"%s\",tls_version=\"%s\",tls_build=\"%s\"} 1\n",
               node->version, node->tls_backend, node->tls_version, node->tls.build);
    report_put_metric_head(out, "uptime_seconds", "gauge", "since start");
    buf_printf(out, "fedgate_uptime_seconds %lu\n", node->uptime_s);
    for (size_t k = 0; k < stat_desc_count; k++) {
        buf_printf(out, "# HELP fedgate_%s_total %s\n# TYPE fedgate_%s_total counter\n",
                   stat_descs[k].name, stat_descs[k].help, stat_descs[k].name);
        for (uint32_t i = 0; i < shard_count; i++) {
            buf_printf(out, "fedgate_%s_total{shard=\"%u\"} %lu\n", stat_descs[k].name, i,
                       stat_value(&shards[i].stats, &stat_descs[k]));
        }
    }
#define Y(name, type)                                                                     \
    buf_put_lit(out, "# TYPE fedgate_engine_" #name " " type "\n");                       \
    for (uint32_t i = 0; i < shard_count; i++) {                                          \
        buf_printf(out, "fedgate_engine_" #name "{shard=\"%u\"} %ld\n", i,              \
                   (int64_t)engine[i].name);                                              \
    }
#define X(name) Y(name, "gauge")
    ENGINE_GAUGES(X)
#undef X
#define X(name) Y(name, "counter")
    ENGINE_COUNTERS(X)
#undef Y
#undef X
    report_tls_write_metrics(out, &node->tls, shards, shard_count);
    report_presence_write_metrics(out, &node->store, shards, shard_count);
    report_partners_write_metrics(out, shards, shard_count); /* in the room that is left */
}
