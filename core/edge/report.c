/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report: sums over shards, as JSON and as Prometheus text. */
#include "edge/report.h"

#include <string.h>

#include "base/map.h"
#include "base/pool.h"

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

static void add_failures(struct report_partner *sum, const struct report_partner *p)
{
    if (p->failure_count == 0) {
        return;
    }
    sum->failures = pool_heap_grow(
        sum->failures, (sum->failure_count + p->failure_count) * sizeof(*sum->failures));
    memcpy(sum->failures + sum->failure_count, p->failures,
           p->failure_count * sizeof(*p->failures));
    sum->failure_count += p->failure_count;
}

/* Partners may appear on several shards (counters of streams before they moved): summed by name. */
static struct report_partner **sum_partners(struct edge_report *shards, uint32_t shard_count,
                                            uint32_t *count)
{
    struct map by_name = {0};
    struct report_partner **list = NULL;

    *count = 0;
    for (uint32_t i = 0; i < shard_count; i++) {
        for (uint32_t k = 0; k < shards[i].partner_count; k++) {
            struct report_partner *p = &shards[i].partners[k];
            struct report_partner *sum = map_add(&by_name, slice_from_cstr(p->domain), p);

            if (!sum) {
                list = pool_heap_grow(list, (*count + 1) * sizeof(struct report_partner *));
                list[(*count)++] = p;
                continue;
            }
            for (int d = 0; d < 2; d++) {
                sum->stats.stanzas[d] += p->stats.stanzas[d];
                sum->stats.bytes[d] += p->stats.bytes[d];
                for (int m = 0; m < STAT_METHOD_COUNT; m++) {
                    sum->stats.authenticated[d][m] += p->stats.authenticated[d][m];
                }
                for (int f = 0; f < FAIL_STEP_COUNT; f++) {
                    sum->trouble.failures[d][f] += p->trouble.failures[d][f];
                }
                if (p->trouble.last_failure_unix_s[d] > sum->trouble.last_failure_unix_s[d]) {
                    sum->trouble.last_failure_unix_s[d] = p->trouble.last_failure_unix_s[d];
                    memcpy(sum->trouble.last_failure[d], p->trouble.last_failure[d],
                           FAIL_TEXT_BYTES);
                }
            }
            for (int w = 0; w < BOUNCE_WHY_COUNT; w++) {
                sum->trouble.bounced[w] += p->trouble.bounced[w];
            }
            add_failures(sum, p);
            sum->streams_in += p->streams_in;
            sum->streams_out += p->streams_out;
            sum->queue_count += p->queue_count;
            sum->queue_bytes += p->queue_bytes;
            sum->unacked_count += p->unacked_count;
        }
    }
    map_deinit(&by_name);
    return list;
}

static const char *const direction_names[] = {"in", "out"};

const struct partner_failure *report_failure_find(const struct report_partner *p, int direction,
                                                  enum fail_step step)
{
    const struct partner_failure *found = NULL;

    for (uint32_t i = 0; i < p->failure_count; i++) {
        const struct report_failure *f = &p->failures[i];

        if (f->direction == direction && f->step == (uint8_t)step &&
            (!found || f->last.unix_s > found->unix_s)) {
            found = &f->last;
        }
    }
    return found;
}

void report_put_failures(struct buf *out, const struct report_partner *p, int direction)
{
    bool first = true;

    buf_put_lit(out, ", \"last_failures\": {");
    for (int f = 0; f < FAIL_STEP_COUNT; f++) {
        const struct partner_failure *last =
            report_failure_find(p, direction, (enum fail_step)f);

        if (last) {
            buf_printf(out, "%s\"%s\": {\"at\": %ld, \"text\": ", first ? "" : ", ",
                       fail_step_name((enum fail_step)f), last->unix_s);
            report_put_text(out, last->text);
            buf_putc(out, '}');
            first = false;
        }
    }
    buf_putc(out, '}');
}

static void put_partner_direction(struct buf *out, const struct report_partner *p, int d)
{
    bool first = true;

    buf_printf(out, "\"%s\": {\"streams\": %u, \"stanzas\": %lu, \"bytes\": %lu",
               direction_names[d], d ? p->streams_out : p->streams_in, p->stats.stanzas[d],
               p->stats.bytes[d]);
    buf_put_lit(out, ", \"authenticated\": {");
    for (int m = 0; m < STAT_METHOD_COUNT; m++) {
        buf_printf(out, "%s\"%s\": %lu", m ? ", " : "",
                   stat_method_name((enum stat_method)m),
                   p->stats.authenticated[d][m]);
    }
    buf_put_lit(out, "}, \"failures\": {");
    for (int f = 0; f < FAIL_STEP_COUNT; f++) {
        if (p->trouble.failures[d][f] != 0) {
            buf_printf(out, "%s\"%s\": %lu", first ? "" : ", ", fail_step_name((enum fail_step)f),
                       p->trouble.failures[d][f]);
            first = false;
        }
    }
    buf_put_lit(out, "}, \"last_failure\": ");
    if (p->trouble.last_failure_unix_s[d] != 0) {
        buf_printf(out, "{\"unix_s\": %ld, \"text\": ", p->trouble.last_failure_unix_s[d]);
        report_put_text(out, p->trouble.last_failure[d]);
        buf_putc(out, '}');
    } else {
        buf_put_lit(out, "null");
    }
    report_put_failures(out, p, d);
    buf_putc(out, '}');
}

static void put_bounced(struct buf *out, const struct report_partner *p)
{
    bool first = true;

    buf_put_lit(out, ", \"bounced\": {");
    for (int w = 0; w < BOUNCE_WHY_COUNT; w++) {
        if (p->trouble.bounced[w] != 0) {
            buf_printf(out, "%s\"%s\": %lu", first ? "" : ", ",
                       bounce_why_name((enum bounce_why)w), p->trouble.bounced[w]);
            first = false;
        }
    }
    buf_put_lit(out, "}}");
}

static void put_partner(struct buf *out, const struct report_partner *p)
{
    buf_putc(out, '{');
    put_partner_direction(out, p, 0);
    buf_put_lit(out, ", ");
    put_partner_direction(out, p, 1);
    buf_printf(out, ", \"queue\": {\"count\": %u, \"bytes\": %lu, \"unacked\": %u}",
               p->queue_count, p->queue_bytes, p->unacked_count);
    put_bounced(out, p);
}

static void put_partners(struct buf *out, struct edge_report *shards, uint32_t shard_count)
{
    uint32_t count;
    struct report_partner **list = sum_partners(shards, shard_count, &count);

    buf_put_lit(out, "  \"partners\": {");
    for (uint32_t i = 0; i < count; i++) {
        const struct report_partner *p = list[i];

        buf_put_cstr(out, i ? ",\n    " : "\n    ");
        report_put_text(out, p->domain);
        buf_put_lit(out, ": ");
        put_partner(out, p);
    }
    buf_put_lit(out, "\n  },\n");
    pool_heap_free(list);
}

void report_write_partner_json(struct buf *out, struct edge_report *shards, uint32_t shard_count,
                               struct slice domain)
{
    uint32_t count;
    struct report_partner **list = sum_partners(shards, shard_count, &count);

    for (uint32_t i = 0; i < count; i++) {
        if (slice_eq_cstr(domain, list[i]->domain)) {
            put_partner(out, list[i]);
            pool_heap_free(list);
            return;
        }
    }
    buf_put_lit(out, "null");
    pool_heap_free(list);
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

/* Every figure of the engine, by the name it has in its struct. */
#define ENGINE_GAUGES(X) \
    X(conn_open) X(handshakes_in_progress) X(handshakes_waiting) X(pool_bytes)
#define ENGINE_COUNTERS(X)                                                                       \
    X(conn_accepted) X(conn_refused_full) X(conn_refused_address) X(conn_moved_in)               \
    X(bytes_in) X(bytes_out) X(turns) X(events) X(sends) X(recv_no_buffer) X(stale_events)       \
    X(cq_overflows) X(mail_in) X(mail_full) X(doorbells) X(tls_handshakes) X(tls_failures)       \
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
#define X(name) buf_printf(out, ", \"" #name "\": %lu", engine[i].name);
        ENGINE_GAUGES(X)
        ENGINE_COUNTERS(X)
#undef X
        for (size_t k = 0; k < stat_desc_count; k++) {
            buf_printf(out, ", \"%s\": %lu", stat_descs[k].name,
                       stat_value(&shards[i].stats, &stat_descs[k]));
        }
        buf_putc(out, '}');
    }
    buf_put_lit(out, "\n  ]\n");
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
    put_partners(out, shards, shard_count);
    put_components_and_sip(out, shards, shard_count);
    report_streams_write_json(out, shards, shard_count);
    put_shards(out, shards, engine, shard_count);
    buf_put_lit(out, "}\n");
}

static void put_metric_head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP fedgate_%s %s\n# TYPE fedgate_%s %s\n", name, help, name, type);
}

static void put_partner_metrics(struct buf *out, struct report_partner **list, uint32_t count)
{
    put_metric_head(out, "partner_stanzas_total", "counter", "stanzas by partner and direction");
    for (uint32_t i = 0; i < count; i++) {
        for (int d = 0; d < 2; d++) {
            buf_printf(out, "fedgate_partner_stanzas_total{partner=\"%s\",direction=\"%s\"} %lu\n",
                       list[i]->domain, direction_names[d], list[i]->stats.stanzas[d]);
        }
    }
    put_metric_head(out, "partner_streams", "gauge", "authenticated streams open");
    for (uint32_t i = 0; i < count; i++) {
        buf_printf(out, "fedgate_partner_streams{partner=\"%s\",direction=\"in\"} %u\n",
                   list[i]->domain, list[i]->streams_in);
        buf_printf(out, "fedgate_partner_streams{partner=\"%s\",direction=\"out\"} %u\n",
                   list[i]->domain, list[i]->streams_out);
    }
    put_metric_head(out, "partner_queue_stanzas", "gauge", "stanzas waiting for a stream");
    for (uint32_t i = 0; i < count; i++) {
        buf_printf(out, "fedgate_partner_queue_stanzas{partner=\"%s\"} %u\n", list[i]->domain,
                   list[i]->queue_count);
    }
    put_metric_head(out, "partner_bounced_total", "counter", "stanzas answered, by reason");
    for (uint32_t i = 0; i < count; i++) {
        for (int w = 0; w < BOUNCE_WHY_COUNT; w++) {
            if (list[i]->trouble.bounced[w] != 0) {
                buf_printf(out, "fedgate_partner_bounced_total{partner=\"%s\",reason=\"%s\"} %lu\n",
                           list[i]->domain, bounce_why_name((enum bounce_why)w),
                           list[i]->trouble.bounced[w]);
            }
        }
    }
    put_metric_head(out, "partner_failures_total", "counter", "failed attempts by step");
    for (uint32_t i = 0; i < count; i++) {
        for (int d = 0; d < 2; d++) {
            for (int f = 0; f < FAIL_STEP_COUNT; f++) {
                if (list[i]->trouble.failures[d][f] != 0) {
                    buf_printf(out,
                               "fedgate_partner_failures_total{partner=\"%s\",direction=\"%s\","
                               "step=\"%s\"} %lu\n",
                               list[i]->domain, direction_names[d],
                               fail_step_name((enum fail_step)f), list[i]->trouble.failures[d][f]);
                }
            }
        }
    }
}

void report_write_metrics(struct buf *out, const struct report_node *node,
                          struct edge_report *shards, const struct engine_stats *engine,
                          uint32_t shard_count)
{
    uint32_t count;
    struct report_partner **list = sum_partners(shards, shard_count, &count);

    put_metric_head(out, "info", "gauge", "version and TLS library");
    buf_printf(out,
               "fedgate_info{version=\"%s\",tls=\"%s\",tls_version=\"%s\",tls_build=\"%s\"} 1\n",
               node->version, node->tls_backend, node->tls_version, node->tls.build);
    put_metric_head(out, "uptime_seconds", "gauge", "since start");
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
        buf_printf(out, "fedgate_engine_" #name "{shard=\"%u\"} %lu\n", i, engine[i].name); \
    }
#define X(name) Y(name, "gauge")
    ENGINE_GAUGES(X)
#undef X
#define X(name) Y(name, "counter")
    ENGINE_COUNTERS(X)
#undef Y
#undef X
    put_partner_metrics(out, list, count);
    report_tls_write_metrics(out, &node->tls, shards, shard_count);
    pool_heap_free(list);
}
