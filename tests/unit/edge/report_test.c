/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report: sums over shards; the text stays one JSON document whatever peers put into names. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pool.h"
#include "edge/report.h"

static const struct ktls_caps kernel = {.text = "no \"tls\" here"};

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
    struct report_node node = {"edge\"1", "0.1", "wolfssl", "wolfSSL 5", "running", 7, 1,
                               {.build = "production", .ktls_mode = "auto", .kernel = &kernel},
                               {0}};
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
    engine[1].pool_bytes = -8; /* it frees what others allocated */
    buf_init(&out, 1 << 20);
    report_write_json(&out, &node, shards, engine, 2);
    buf_putc(&out, 0);
    cr_assert_not(out.failed);
    cr_assert(is_balanced(slice_to(buf_slice(&out), buf_len(&out) - 1)));
    cr_assert_not_null(strstr(buf_slice(&out).ptr, "\"stanzas\": 42"));
    cr_assert_not_null(strstr(buf_slice(&out).ptr, "\"stanzas_in_partner\": 3"));
    cr_assert_not_null(strstr(buf_slice(&out).ptr, "\"pool_bytes\": -8,"));
    cr_assert_not_null(
        strstr(buf_slice(&out).ptr, "\"bounced\": {\"queue_age\": 7, \"size\": 1}"));
    cr_assert_not_null(strstr(buf_slice(&out).ptr, "tls: \\\"x\\\"\\n\\\\"));
    buf_deinit(&out);
}

Test(report, the_last_failure_of_each_step_and_direction_is_shown_the_newest_of_all_shards)
{
    static struct report_partner partners[2];
    static struct edge_report shards[2];
    static struct engine_stats engine[2];
    struct report_node node = {"edge1", "0.1", "wolfssl", "wolfSSL 5", "running", 7, 1,
                               {.build = "production", .ktls_mode = "auto", .kernel = &kernel},
                               {0}};
    struct buf out;

    for (int i = 0; i < 2; i++) {
        (void)snprintf(partners[i].domain, sizeof(partners[i].domain), "fabrikam.test");
        partners[i].failures = pool_heap_zalloc(2 * sizeof(struct report_failure));
        partners[i].failure_count = 2;
        partners[i].failures[0] = (struct report_failure){1, FAIL_STEP_DNS, {10 - i, "no SRV"}};
        partners[i].failures[1] = (struct report_failure){1, FAIL_STEP_TLS, {20 + i, "alert"}};
        shards[i] = (struct edge_report){.partners = &partners[i], .partner_count = 1};
    }
    (void)snprintf(partners[1].failures[1].last.text, FAIL_TEXT_BYTES, "no \"cipher\"");
    buf_init(&out, 1 << 20);
    report_write_json(&out, &node, shards, engine, 2);
    buf_putc(&out, 0);
    cr_assert_not(out.failed);
    cr_assert(is_balanced(slice_to(buf_slice(&out), buf_len(&out) - 1)));
    cr_assert_not_null(strstr(buf_slice(&out).ptr,
                              "\"last_failures\": {\"dns\": {\"at\": 10, \"text\": \"no SRV\"}, "
                              "\"tls\": {\"at\": 21, \"text\": \"no \\\"cipher\\\"\"}}"));
    cr_assert_not_null(strstr(buf_slice(&out).ptr, "\"last_failures\": {}"), "in: none");
    cr_assert_null(report_failure_find(&partners[0], 0, FAIL_STEP_DNS));
    buf_clear(&out);
    report_write_partner_json(&out, shards, 1, SLICE_LIT("fabrikam.test"));
    cr_assert(is_balanced(buf_slice(&out)));
    cr_assert(slice_starts(buf_slice(&out), SLICE_LIT("{\"in\": {\"streams\": 0")));
    buf_clear(&out);
    report_write_partner_json(&out, shards, 2, SLICE_LIT("other.test"));
    cr_assert(slice_eq_cstr(buf_slice(&out), "null"));
    buf_deinit(&out);
    pool_heap_free(partners[0].failures);
    pool_heap_free(partners[1].failures);
}

Test(report, metrics_have_a_line_per_counter_and_shard)
{
    static struct edge_report shards[2];
    static struct engine_stats engine[2];
    struct report_node node = {"edge1", "0.1", "wolfssl", "wolfSSL 5", "running", 7, 1,
                               {.build = "production", .ktls_mode = "auto", .kernel = &kernel},
                               {0}};
    struct buf out;

    shards[1].stats.bounced_queue_full = 9;
    buf_init(&out, 1 << 20);
    report_write_metrics(&out, &node, shards, engine, 2);
    buf_putc(&out, 0);
    cr_assert_not_null(strstr(buf_slice(&out).ptr,
                              "fedgate_bounced_queue_full_total{shard=\"1\"} 9\n"));
    buf_deinit(&out);
}

/* What peers put into names and ciphers does not break the document; rows are numbered by shard. */
Test(report, streams_are_rows_and_sums)
{
    static struct report_stream rows[2] = {
        {.direction = 0,
         .version = REPORT_VERSION_TLS13,
         .path = REPORT_PATH_KERNEL,
         .is_resumed = true,
         .cipher = "TLS_AES_128_GCM_SHA256",
         .peer = "192.0.2.1:1",
         .local = "corp.test",
         .remote = "a\"b\\.test"},
        {.direction = 1, .path = REPORT_PATH_PLAIN, .remote = "plain.test"}};
    static struct edge_report shards[2];
    static struct engine_stats engine[2];
    struct report_node node = {"edge1", "0.1", "wolfssl", "wolfSSL 5", "running", 7, 1,
                               {.build = "distribution",
                                .ktls_mode = "auto",
                                .kernel = &kernel,
                                .crl_next_update_unix_s = 1900000000},
                               {0}};
    struct buf out;

    shards[1].shard_idx = 1;
    shards[1].streams = (struct report_streams){.rows = rows, .row_count = 2, .omitted_count = 3};
    shards[0].streams.counts[0][REPORT_VERSION_TLS13][REPORT_PATH_KERNEL] = 4;
    shards[1].streams.counts[0][REPORT_VERSION_TLS13][REPORT_PATH_KERNEL] = 5;
    buf_init(&out, 1 << 20);
    report_write_json(&out, &node, shards, engine, 2);
    buf_putc(&out, 0);
    cr_assert(is_balanced(slice_to(buf_slice(&out), buf_len(&out) - 1)));
    cr_expect_not_null(strstr(
        buf_slice(&out).ptr,
        "{\"direction\": \"in\", \"shard\": 1, \"local\": \"corp.test\", \"remote\": "
        "\"a\\\"b\\\\.test\", \"peer\": \"192.0.2.1:1\", \"tls\": \"TLSv1.3\", \"cipher\": "
        "\"TLS_AES_128_GCM_SHA256\", \"records\": \"kernel\", \"resumed\": true}"));
    cr_expect_not_null(strstr(buf_slice(&out).ptr, "\"tls\": \"none\", \"cipher\": \"\""));
    cr_expect_not_null(strstr(buf_slice(&out).ptr, "\"streams_omitted\": 3"));
    cr_expect_not_null(strstr(buf_slice(&out).ptr, "\"build\": \"distribution\""));
    cr_expect_not_null(strstr(buf_slice(&out).ptr, "\"found\": \"no \\\"tls\\\" here\""));
    cr_expect_not_null(strstr(buf_slice(&out).ptr, "\"next_update_unix_s\": 1900000000"));
    buf_clear(&out);
    report_write_metrics(&out, &node, shards, engine, 2);
    buf_putc(&out, 0);
    cr_expect_not_null(strstr(
        buf_slice(&out).ptr,
        "fedgate_tls_streams{direction=\"in\",version=\"TLSv1.3\",path=\"kernel\"} 9\n"));
    cr_expect_not_null(strstr(buf_slice(&out).ptr, "tls_build=\"distribution\""));
    buf_deinit(&out);
}

#define MANY 20000u

/* MANY partners that only strangers spoke of, the last of them with a stream, the one before with
 * traffic of the past. */
static struct report_partner *many_partners(void)
{
    struct report_partner *list = pool_heap_zalloc(MANY * sizeof(*list));

    for (uint32_t i = 0; i < MANY; i++) {
        (void)snprintf(list[i].domain, sizeof(list[i].domain), "partner-%05u.test", i);
        list[i].trouble.failures[0][FAIL_STEP_TLS] = i + 1;
        list[i].trouble.last_failure_unix_s[0] = 1900000000;
        memset(list[i].trouble.last_failure[0], 'x', FAIL_TEXT_BYTES - 1);
    }
    list[MANY - 2].stats.stanzas[1] = 1;
    list[MANY - 1].streams_in = 1;
    return list;
}

/* By hand: strstr() would go to the end of 8 MiB each time where memory is checked. */
static uint32_t count_of(const char *text, const char *what)
{
    size_t len = strlen(what);
    uint32_t count = 0;

    for (; *text; text++) {
        count += *text == *what && strncmp(text, what, len) == 0;
    }
    return count;
}

static uint32_t number_behind(const char *text, const char *what)
{
    const char *at = strstr(text, what);

    cr_assert_not_null(at, "%s", what);
    return (uint32_t)strtoul(at + strlen(what), NULL, 10);
}

Test(report, more_partners_than_the_documents_hold_are_left_out_and_counted)
{
    static struct engine_stats engine[1];
    struct edge_report shard = {.partners = many_partners(), .partner_count = MANY};
    struct report_node node = {"edge1", "0.1", "wolfssl", "wolfSSL 5", "running", 7, 1,
                               {.build = "production", .ktls_mode = "auto", .kernel = &kernel},
                               {0}};
    size_t bounds[] = {(size_t)8 << 20, (size_t)1 << 20, 32 << 10};
    struct buf out;

    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        const char *first;
        uint32_t there;
        uint32_t left_out;

        buf_init(&out, bounds[i]);
        report_write_json(&out, &node, &shard, engine, 1);
        cr_assert_not(out.failed);
        cr_assert(is_balanced(buf_slice(&out)));
        buf_putc(&out, 0);
        there = count_of(out.data, "\": {\"in\": {\"streams\": ");
        left_out = number_behind(out.data, "\"partners_left_out\": ");
        cr_assert_eq(there + left_out, MANY);
        cr_assert(left_out > 0);
        cr_assert(buf_len(&out) > bounds[i] - 2048, "as many as fit, not %zu", buf_len(&out));
        first = strstr(out.data, "\"partners\": {\n    \"partner-19999.test\"");
        cr_assert_not_null(first, "who has a stream comes first");
        cr_assert(strstr(first, "partner-19998.test") < strstr(first, "partner-00000.test"));
        buf_clear(&out);
        report_write_metrics(&out, &node, &shard, engine, 1);
        cr_assert_not(out.failed);
        buf_putc(&out, 0);
        there = count_of(out.data, "fedgate_partner_queue_stanzas{");
        cr_assert_eq(there, count_of(out.data, "fedgate_partner_failures_total{"));
        cr_assert_eq(there + number_behind(out.data, "\nfedgate_partners_left_out "), MANY);
        cr_assert_not_null(strstr(out.data, "_streams{partner=\"partner-19999.test\""));
        buf_deinit(&out);
    }
    edge_report_deinit(&shard);
}
