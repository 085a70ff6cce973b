/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report_partners: one entry per partner, in what room there is. */
#include "edge/report_partners.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/pool.h"

#define END_BYTES        256u  /* what closes a document, and how many were left out */
#define ENTRY_BYTES_MAX  16384u /* of one partner's metrics */

static const char *const direction_names[] = {"in", "out"};

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
    struct report_partner **list;
    uint32_t cap = 0;

    *count = 0;
    for (uint32_t i = 0; i < shard_count; i++) {
        cap += shards[i].partner_count;
    }
    list = pool_heap_zalloc((cap + 1) * sizeof(struct report_partner *));
    for (uint32_t i = 0; i < shard_count; i++) {
        for (uint32_t k = 0; k < shards[i].partner_count; k++) {
            struct report_partner *p = &shards[i].partners[k];
            struct report_partner *sum = map_add(&by_name, slice_from_cstr(p->domain), p);

            if (!sum) {
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
            report_contacts_add(&sum->contacts, &p->contacts);
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

/* --- the order: when there are too many, who matters comes first --- */

struct ranked {
    struct report_partner *p;
    uint64_t rank;
    uint64_t stanzas;
};

/* What goes on comes first, then what went on, by its last trouble. Behind all are those of whom
 * only strangers spoke: they cannot push partners out. */
static uint64_t rank_of(const struct report_partner *p)
{
    uint64_t last = 0;
    uint64_t tried = p->stats.stanzas[0] + p->stats.stanzas[1];

    for (int d = 0; d < 2; d++) {
        if (p->trouble.last_failure_unix_s[d] > (int64_t)last) {
            last = (uint64_t)p->trouble.last_failure_unix_s[d];
        }
        for (int m = 0; m < STAT_METHOD_COUNT; m++) {
            tried += p->stats.authenticated[d][m];
        }
    }
    for (int f = 0; f < FAIL_STEP_COUNT; f++) {
        tried += p->trouble.failures[1][f];
    }
    for (int w = 0; w < BOUNCE_WHY_COUNT; w++) {
        tried += p->trouble.bounced[w];
    }
    if (p->streams_in + p->streams_out + p->queue_count + p->unacked_count > 0 ||
        report_contacts_has_any(&p->contacts)) {
        return UINT64_C(2) << 62 | last;
    }
    return (uint64_t)(tried > 0) << 62 | last;
}

static int by_rank(const void *a, const void *b)
{
    const struct ranked *x = a;
    const struct ranked *y = b;

    if (x->rank != y->rank) {
        return x->rank > y->rank ? -1 : 1;
    }
    if (x->stanzas != y->stanzas) {
        return x->stanzas > y->stanzas ? -1 : 1;
    }
    return strcmp(x->p->domain, y->p->domain);
}

static struct ranked *rank_partners(struct edge_report *shards, uint32_t shard_count,
                                    uint32_t *count)
{
    struct report_partner **list = sum_partners(shards, shard_count, count);
    struct ranked *ranked = pool_heap_zalloc((*count + 1) * sizeof(*ranked));

    for (uint32_t i = 0; i < *count; i++) {
        ranked[i] = (struct ranked){
            list[i], rank_of(list[i]), list[i]->stats.stanzas[0] + list[i]->stats.stanzas[1]};
    }
    qsort(ranked, *count, sizeof(*ranked), by_rank);
    pool_heap_free(list);
    return ranked;
}

/* --- JSON --- */

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
    buf_put_lit(out, ", \"presence\": ");
    report_contacts_write_json(out, &p->contacts);
    put_bounced(out, p);
}

void report_partners_write_json(struct buf *out, struct edge_report *shards, uint32_t shard_count)
{
    uint32_t count;
    uint32_t done = 0;
    struct ranked *list = rank_partners(shards, shard_count, &count);

    buf_put_lit(out, "  \"partners\": {");
    for (; done < count && !out->failed; done++) {
        size_t before = buf_len(out);

        buf_put_cstr(out, done ? ",\n    " : "\n    ");
        report_put_text(out, list[done].p->domain);
        buf_put_lit(out, ": ");
        put_partner(out, list[done].p);
        if (out->failed || buf_room(out) < END_BYTES) {
            buf_truncate(out, before);
            break;
        }
    }
    buf_printf(out, "\n  },\n  \"partners_left_out\": %u\n", count - done);
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

/* --- Prometheus: a family's lines stand together, so what fits is counted before --- */

static void put_stanzas(struct buf *out, const struct report_partner *p)
{
    for (int d = 0; d < 2; d++) {
        buf_printf(out, "fedgate_partner_stanzas_total{partner=\"%s\",direction=\"%s\"} %lu\n",
                   p->domain, direction_names[d], p->stats.stanzas[d]);
    }
}

static void put_streams(struct buf *out, const struct report_partner *p)
{
    buf_printf(out, "fedgate_partner_streams{partner=\"%s\",direction=\"in\"} %u\n", p->domain,
               p->streams_in);
    buf_printf(out, "fedgate_partner_streams{partner=\"%s\",direction=\"out\"} %u\n", p->domain,
               p->streams_out);
}

static void put_queue(struct buf *out, const struct report_partner *p)
{
    buf_printf(out, "fedgate_partner_queue_stanzas{partner=\"%s\"} %u\n", p->domain,
               p->queue_count);
}

static void put_bounces(struct buf *out, const struct report_partner *p)
{
    for (int w = 0; w < BOUNCE_WHY_COUNT; w++) {
        if (p->trouble.bounced[w] != 0) {
            buf_printf(out, "fedgate_partner_bounced_total{partner=\"%s\",reason=\"%s\"} %lu\n",
                       p->domain, bounce_why_name((enum bounce_why)w), p->trouble.bounced[w]);
        }
    }
}

static void put_failures(struct buf *out, const struct report_partner *p)
{
    for (int d = 0; d < 2; d++) {
        for (int f = 0; f < FAIL_STEP_COUNT; f++) {
            if (p->trouble.failures[d][f] != 0) {
                buf_printf(out,
                           "fedgate_partner_failures_total{partner=\"%s\",direction=\"%s\","
                           "step=\"%s\"} %lu\n",
                           p->domain, direction_names[d], fail_step_name((enum fail_step)f),
                           p->trouble.failures[d][f]);
            }
        }
    }
}

static void put_contacts(struct buf *out, const struct report_partner *p)
{
    report_contacts_write_states(out, p->domain, &p->contacts);
}

static void put_dialogs(struct buf *out, const struct report_partner *p)
{
    report_contacts_write_dialogs(out, p->domain, &p->contacts);
}

static const struct family {
    const char *name;
    const char *type;
    const char *help;
    void (*put)(struct buf *out, const struct report_partner *p);
} families[] = {
    {"partner_stanzas_total", "counter", "stanzas by partner and direction", put_stanzas},
    {"partner_streams", "gauge", "authenticated streams open", put_streams},
    {"partner_queue_stanzas", "gauge", "stanzas waiting for a stream", put_queue},
    {"partner_bounced_total", "counter", "stanzas answered, by reason", put_bounces},
    {"partner_failures_total", "counter", "failed attempts by step", put_failures},
    {"partner_contacts", "gauge", "contacts by direction and state", put_contacts},
    {"partner_dialogs", "gauge", "SIP subscriptions that live", put_dialogs},
};
#define FAMILY_COUNT (sizeof(families) / sizeof(families[0]))

/* How many of the list fit into so many bytes. */
static uint32_t count_fitting(const struct ranked *list, uint32_t count, size_t room)
{
    struct buf scratch;
    uint32_t fitting = 0;

    buf_init(&scratch, ENTRY_BYTES_MAX);
    while (fitting < count) {
        buf_clear(&scratch);
        for (size_t k = 0; k < FAMILY_COUNT; k++) {
            families[k].put(&scratch, list[fitting].p);
        }
        if (scratch.failed || buf_len(&scratch) > room) {
            break;
        }
        room -= buf_len(&scratch);
        fitting++;
    }
    buf_deinit(&scratch);
    return fitting;
}

void report_partners_write_metrics(struct buf *out, struct edge_report *shards,
                                   uint32_t shard_count)
{
    uint32_t count;
    struct ranked *list = rank_partners(shards, shard_count, &count);
    size_t heads = (FAMILY_COUNT + 1) * END_BYTES;
    uint32_t fitting =
        count_fitting(list, count, buf_room(out) > heads ? buf_room(out) - heads : 0);

    report_put_metric_head(out, "partners_left_out", "gauge",
                           "partners with figures that the document has no room for");
    buf_printf(out, "fedgate_partners_left_out %u\n", count - fitting);
    for (size_t k = 0; k < FAMILY_COUNT; k++) {
        report_put_metric_head(out, families[k].name, families[k].type, families[k].help);
        for (uint32_t i = 0; i < fitting; i++) {
            families[k].put(out, list[i].p);
        }
    }
    pool_heap_free(list);
}
