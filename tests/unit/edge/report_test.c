/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report: sums over shards; the text stays one JSON document whatever peers put into names. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "edge/report.h"

static bool is_balanced(struct slice text)
{
    int depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (in_string) {
            if (c == '\\') {
                i++;
            } else if (c == '"') {
                in_string = false;
            } else if ((unsigned char)c < 0x20) {
                return false;
            }
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if ((c == '}' || c == ']') && --depth < 0) {
            return false;
        }
    }
    return depth == 0 && !in_string;
}

Test(report, sums_partners_over_shards_and_escapes)
{
    static struct report_partner partners[2];
    static struct edge_report shards[2];
    static struct engine_stats engine[2];
    struct report_node node = {"edge\"1", "0.1", "wolfssl", "wolfSSL 5", "running", 7, 1};
    struct buf out;

    (void)snprintf(partners[0].domain, sizeof(partners[0].domain), "fabrikam.test");
    partners[1] = partners[0];
    partners[0].stats.stanzas[0] = 40;
    partners[1].stats.stanzas[0] = 2;
    partners[0].trouble.bounced[BOUNCE_QUEUE_AGE] = 3;
    partners[1].trouble.bounced[BOUNCE_QUEUE_AGE] = 4;
    partners[1].trouble.bounced[BOUNCE_SIZE] = 1;
    partners[1].trouble.last_failure_unix_s[1] = 5;
    (void)snprintf(partners[1].trouble.last_failure[1], FAIL_TEXT_BYTES, "tls: \"x\"\n\\");
    shards[0] = (struct edge_report){.partners = &partners[0], .partner_count = 1};
    shards[1] = (struct edge_report){.shard_idx = 1, .partners = &partners[1], .partner_count = 1};
    shards[0].stats.stanzas_in_partner = 1;
    shards[1].stats.stanzas_in_partner = 2;
    buf_init(&out, 1 << 20);
    report_write_json(&out, &node, shards, engine, 2);
    buf_putc(&out, 0);
    cr_assert_not(out.failed);
    cr_assert(is_balanced(slice_to(buf_slice(&out), buf_len(&out) - 1)));
    cr_assert_not_null(strstr(buf_slice(&out).ptr, "\"stanzas\": 42"));
    cr_assert_not_null(strstr(buf_slice(&out).ptr, "\"stanzas_in_partner\": 3"));
    cr_assert_not_null(
        strstr(buf_slice(&out).ptr, "\"bounced\": {\"queue_age\": 7, \"size\": 1}"));
    cr_assert_not_null(strstr(buf_slice(&out).ptr, "tls: \\\"x\\\"\\u000a\\\\"));
    buf_deinit(&out);
}

Test(report, metrics_have_a_line_per_counter_and_shard)
{
    static struct edge_report shards[2];
    static struct engine_stats engine[2];
    struct report_node node = {"edge1", "0.1", "wolfssl", "wolfSSL 5", "running", 7, 1};
    struct buf out;

    shards[1].stats.bounced_queue_full = 9;
    buf_init(&out, 1 << 20);
    report_write_metrics(&out, &node, shards, engine, 2);
    buf_putc(&out, 0);
    cr_assert_not_null(strstr(buf_slice(&out).ptr,
                              "fedgate_bounced_queue_full_total{shard=\"1\"} 9\n"));
    buf_deinit(&out);
}
