/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report_presence: sums of contacts, subscriptions, and what the store does. */
#include "edge/report_presence.h"

#include "base/err.h"
#include "edge/report.h"
#include "edge/report_partners.h"

#define BUCKET_FIRST_US 64u

/* --- sums --- */

void report_contacts_add(struct report_contacts *sum, const struct report_contacts *c)
{
    for (int d = 0; d < CONTACT_DIRECTIONS; d++) {
        for (int s = 0; s < CONTACT_STATE_COUNT; s++) {
            sum->contacts[d][s] += c->contacts[d][s];
        }
        sum->dialogs[d] += c->dialogs[d];
    }
    sum->notify_received += c->notify_received;
    sum->stanza_received += c->stanza_received;
}

bool report_contacts_has_any(const struct report_contacts *c)
{
    uint64_t sum = c->notify_received + c->stanza_received;

    for (int d = 0; d < CONTACT_DIRECTIONS; d++) {
        for (int s = 0; s < CONTACT_STATE_COUNT; s++) {
            sum += c->contacts[d][s];
        }
        sum += c->dialogs[d];
    }
    return sum != 0;
}

static struct presence_stats sum_of(const struct edge_report *shards, uint32_t shard_count)
{
    struct presence_stats sum = {0};

    for (uint32_t i = 0; i < shard_count; i++) {
        const struct presence_stats *s = &shards[i].presence;

#define X(name, help) sum.name += s->name;
        PRESENCE_COUNTERS(X)
#undef X
        for (int d = 0; d < CONTACT_DIRECTIONS; d++) {
            for (int k = 0; k < CONTACT_STATE_COUNT; k++) {
                sum.contacts[d][k] += s->contacts[d][k];
            }
            sum.dialogs[d] += s->dialogs[d];
        }
        sum.dirty += s->dirty;
        sum.waiting += s->waiting;
        sum.memory_bytes += s->memory_bytes;
    }
    return sum;
}

/* --- JSON --- */

static void put_states(struct buf *out, const uint32_t counts[CONTACT_STATE_COUNT])
{
    for (int s = 0; s < CONTACT_STATE_COUNT; s++) {
        buf_printf(out, "%s\"%s\": %u", s ? ", " : "", contact_state_name((enum contact_state)s),
                   counts[s]);
    }
}

void report_contacts_write_json(struct buf *out, const struct report_contacts *c)
{
    for (int d = 0; d < CONTACT_DIRECTIONS; d++) {
        buf_printf(out, "%s\"%s\": {", d ? ", " : "{",
                   contact_direction_name((enum contact_direction)d));
        put_states(out, c->contacts[d]);
        buf_printf(out, ", \"dialogs\": %u, \"changes\": %lu}", c->dialogs[d],
                   d == CONTACT_IN ? c->notify_received : c->stanza_received);
    }
    buf_putc(out, '}');
}

static void put_store(struct buf *out, const struct report_store *r)
{
    const struct store_stats *s = &r->stats;

    buf_printf(out, "  \"store\": {\"state\": \"%s\", \"error\": ",
               !r->is_there     ? "off"
               : r->health.err ? "failing"
                               : "good");
    if (r->health.err) {
        report_put_text(out, err_name(r->health.err));
        buf_printf(out, ", \"failing_unix_s\": %ld, \"text\": ", (long)r->health.failing_unix_s);
        report_put_text(out, r->health.text);
    } else {
        buf_put_lit(out, "null, \"failing_unix_s\": null, \"text\": \"\"");
    }
    buf_printf(out, ", \"lost_at_start\": %s", s->was_lost ? "true" : "false");
    buf_printf(out,
               ", \"queue_items\": %lu, \"queue_bytes\": %lu, \"queue_full\": %lu,"
               " \"commits\": %lu, \"rows\": %lu, \"failures\": %lu, \"rows_refused\": %lu,"
               " \"batch_rows_last\": %lu, \"batch_rows_max\": %lu, \"commit_us_last\": %lu,"
               " \"commit_us_mean\": %lu, \"commit_us_max\": %lu, \"checkpoints\": %lu,"
               " \"checkpoint_us_max\": %lu, \"file_bytes\": %lu, \"commit_buckets\": [",
               s->queue_items, s->queue_bytes, s->queue_full, s->commits, s->rows, s->failures,
               s->rows_refused, s->batch_rows_last, s->batch_rows_max, s->commit_us_last,
               s->commits ? s->commit_us_sum / s->commits : 0, s->commit_us_max, s->checkpoints,
               s->checkpoint_us_max, s->file_bytes);
    for (uint32_t i = 0; i < STORE_LATENCY_BUCKETS; i++) {
        buf_printf(out, "%s%lu", i ? ", " : "", s->commit_buckets[i]);
    }
    buf_put_lit(out, "]},\n");
}

void report_presence_write_json(struct buf *out, const struct report_store *store,
                                const struct edge_report *shards, uint32_t shard_count)
{
    struct presence_stats sum = sum_of(shards, shard_count);

    buf_put_lit(out, "  \"presence\": {\"contacts\": ");
    for (int d = 0; d < CONTACT_DIRECTIONS; d++) {
        buf_printf(out, "%s\"%s\": {", d ? ", " : "{",
                   contact_direction_name((enum contact_direction)d));
        put_states(out, sum.contacts[d]);
        buf_putc(out, '}');
    }
    buf_printf(out,
               "}, \"dialogs\": {\"in\": %u, \"out\": %u}, \"dirty\": %u, \"waiting\": %u,"
               " \"memory_bytes\": %lu",
               sum.dialogs[CONTACT_IN], sum.dialogs[CONTACT_OUT], sum.dirty, sum.waiting,
               sum.memory_bytes);
#define X(name, help) buf_printf(out, ", \"" #name "\": %lu", sum.name);
    PRESENCE_COUNTERS(X)
#undef X
    buf_put_lit(out, "},\n");
    put_store(out, store);
}

/* --- Prometheus --- */

void report_contacts_write_states(struct buf *out, const char *partner,
                                  const struct report_contacts *c)
{
    for (int d = 0; d < CONTACT_DIRECTIONS; d++) {
        for (int s = 0; s < CONTACT_STATE_COUNT; s++) {
            if (c->contacts[d][s] != 0) {
                buf_printf(out,
                           "fedgate_partner_contacts{partner=\"%s\",direction=\"%s\","
                           "state=\"%s\"} %u\n",
                           partner, contact_direction_name((enum contact_direction)d),
                           contact_state_name((enum contact_state)s), c->contacts[d][s]);
            }
        }
    }
}

void report_contacts_write_dialogs(struct buf *out, const char *partner,
                                   const struct report_contacts *c)
{
    for (int d = 0; d < CONTACT_DIRECTIONS; d++) {
        if (c->dialogs[d] != 0) {
            buf_printf(out, "fedgate_partner_dialogs{partner=\"%s\",direction=\"%s\"} %u\n",
                       partner, contact_direction_name((enum contact_direction)d), c->dialogs[d]);
        }
    }
}

static void put_gauge(struct buf *out, const char *name, const char *help, uint64_t value)
{
    report_put_metric_head(out, name, "gauge", help);
    buf_printf(out, "fedgate_%s %lu\n", name, value);
}

static void put_counter(struct buf *out, const char *name, const char *help, uint64_t value)
{
    report_put_metric_head(out, name, "counter", help);
    buf_printf(out, "fedgate_%s %lu\n", name, value);
}

static void put_contact_metrics(struct buf *out, const struct presence_stats *sum)
{
    report_put_metric_head(out, "presence_contacts", "gauge", "contacts by direction and state");
    for (int d = 0; d < CONTACT_DIRECTIONS; d++) {
        for (int s = 0; s < CONTACT_STATE_COUNT; s++) {
            buf_printf(out, "fedgate_presence_contacts{direction=\"%s\",state=\"%s\"} %u\n",
                       contact_direction_name((enum contact_direction)d),
                       contact_state_name((enum contact_state)s), sum->contacts[d][s]);
        }
    }
    report_put_metric_head(out, "presence_dialogs", "gauge", "SIP subscriptions that live");
    for (int d = 0; d < CONTACT_DIRECTIONS; d++) {
        buf_printf(out, "fedgate_presence_dialogs{direction=\"%s\"} %u\n",
                   contact_direction_name((enum contact_direction)d), sum->dialogs[d]);
    }
    put_gauge(out, "presence_dirty", "contacts not yet given to the store", sum->dirty);
    put_gauge(out, "presence_waiting", "SUBSCRIBEs that wait for their pace", sum->waiting);
    put_gauge(out, "presence_memory_bytes", "of contacts, dialogs and documents",
              sum->memory_bytes);
#define X(name, help) put_counter(out, "presence_" #name "_total", help, sum->name);
    PRESENCE_COUNTERS(X)
#undef X
}

static void put_store_metrics(struct buf *out, const struct report_store *r)
{
    const struct store_stats *s = &r->stats;
    uint64_t sum = 0;

    put_gauge(out, "store_failing", "1: it cannot be written", r->health.err != 0);
    put_gauge(out, "store_lost_at_start",
              "1: the database was gone at this start, which made an empty one", s->was_lost);
    put_gauge(out, "store_queue_items", "rows not yet durable", s->queue_items);
    put_gauge(out, "store_queue_bytes", "of these", s->queue_bytes);
    put_gauge(out, "store_file_bytes", "the database with its log", s->file_bytes);
    put_counter(out, "store_queue_full_total", "rows that found no room", s->queue_full);
    put_counter(out, "store_rows_total", "rows made durable", s->rows);
    put_counter(out, "store_failures_total", "commits that failed", s->failures);
    put_counter(out, "store_rows_refused_total", "rows that were refused", s->rows_refused);
    report_put_metric_head(out, "store_commit_seconds", "histogram",
                           "from the first row to durable");
    for (uint32_t i = 0; i + 1 < STORE_LATENCY_BUCKETS; i++) {
        uint64_t us = (uint64_t)BUCKET_FIRST_US << i;

        sum += s->commit_buckets[i];
        buf_printf(out, "fedgate_store_commit_seconds_bucket{le=\"%lu.%06lu\"} %lu\n",
                   us / 1000000, us % 1000000, sum);
    }
    buf_printf(out,
               "fedgate_store_commit_seconds_bucket{le=\"+Inf\"} %lu\n"
               "fedgate_store_commit_seconds_sum %lu.%06lu\n"
               "fedgate_store_commit_seconds_count %lu\n",
               s->commits, s->commit_us_sum / 1000000, s->commit_us_sum % 1000000, s->commits);
}

void report_presence_write_metrics(struct buf *out, const struct report_store *store,
                                   const struct edge_report *shards, uint32_t shard_count)
{
    struct presence_stats sum = sum_of(shards, shard_count);

    put_contact_metrics(out, &sum);
    put_store_metrics(out, store);
}
