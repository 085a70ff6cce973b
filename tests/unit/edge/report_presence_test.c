/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report_presence: sums over shards and partners, a store that fails, metrics that are whole. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "edge/report.h"
#include "edge/report_presence.h"

static struct buf out;

static void setup(void)
{
    buf_init(&out, 1 << 20);
}

static void teardown(void)
{
    buf_deinit(&out);
}

TestSuite(report_presence, .init = setup, .fini = teardown);

static void expect(const char *text)
{
    buf_putc(&out, 0);
    cr_expect(!out.failed && strstr(buf_slice(&out).ptr, text), "no %s in\n%s", text,
              buf_slice(&out).ptr);
    buf_truncate(&out, buf_len(&out) - 1);
}

static struct edge_report *two_shards(void)
{
    static struct edge_report shards[2];

    memset(shards, 0, sizeof(shards));
    shards[0].presence.contacts[CONTACT_IN][CONTACT_GRANTED] = 40;
    shards[1].presence.contacts[CONTACT_IN][CONTACT_GRANTED] = 2;
    shards[1].presence.contacts[CONTACT_OUT][CONTACT_BLOCKED] = 1;
    shards[0].presence.dialogs[CONTACT_OUT] = 3;
    shards[1].presence.dialogs[CONTACT_OUT] = 4;
    shards[0].presence.notify_sent = 10;
    shards[1].presence.notify_sent = 1;
    shards[1].presence.memory_bytes = 600;
    return shards;
}

Test(report_presence, sums_over_shards)
{
    report_presence_write_json(&out, &(struct report_store){.is_there = true}, two_shards(), 2);
    expect("\"in\": {\"none\": 0, \"asked\": 0, \"granted\": 42, \"denied\": 0, \"blocked\": 0}");
    expect("\"dialogs\": {\"in\": 0, \"out\": 7}");
    expect("\"notify_sent\": 11");
    expect("\"memory_bytes\": 600");
    expect("\"store\": {\"state\": \"good\", \"error\": null, \"failing_unix_s\": null");
}

Test(report_presence, a_store_that_was_lost_says_so)
{
    struct report_store store = {.is_there = true, .stats = {.was_lost = true}};

    report_presence_write_json(&out, &store, two_shards(), 2);
    expect("\"text\": \"\", \"lost_at_start\": true, \"queue_items\": 0");
    buf_clear(&out);
    report_presence_write_metrics(&out, &store, two_shards(), 2);
    expect("fedgate_store_lost_at_start 1\n");
}

Test(report_presence, a_store_that_fails_says_so)
{
    struct report_store store = {.is_there = true,
                                 .health = {.err = ERR_STORE_SPACE, .failing_unix_s = 17},
                                 .stats = {.queue_items = 5, .commits = 2, .commit_us_sum = 9}};

    (void)snprintf(store.health.text, sizeof(store.health.text), "disk \"full\"");
    report_presence_write_json(&out, &store, two_shards(), 2);
    expect("\"state\": \"failing\", \"error\": \"ERR_STORE_SPACE\", \"failing_unix_s\": 17, "
           "\"text\": \"disk \\\"full\\\"\", \"lost_at_start\": false, \"queue_items\": 5");
    expect("\"commit_us_mean\": 4");
    buf_clear(&out);
    report_presence_write_metrics(&out, &store, two_shards(), 2);
    expect("fedgate_store_failing 1\n");
}

Test(report_presence, metrics)
{
    struct report_store store = {.stats = {.commits = 3, .commit_us_sum = 1500001}};

    store.stats.commit_buckets[0] = 1;
    store.stats.commit_buckets[2] = 1;
    store.stats.commit_buckets[STORE_LATENCY_BUCKETS - 1] = 1;
    report_presence_write_metrics(&out, &store, two_shards(), 2);
    expect("fedgate_presence_contacts{direction=\"in\",state=\"granted\"} 42\n");
    expect("fedgate_presence_dialogs{direction=\"out\"} 7\n");
    expect("fedgate_presence_notify_sent_total 11\n");
    expect("fedgate_store_commit_seconds_bucket{le=\"0.000064\"} 1\n");
    expect("fedgate_store_commit_seconds_bucket{le=\"0.000256\"} 2\n");
    expect("fedgate_store_commit_seconds_bucket{le=\"+Inf\"} 3\n");
    expect("fedgate_store_commit_seconds_sum 1.500001\n");
}

Test(report_presence, of_a_partner)
{
    struct report_contacts c = {.notify_received = 6, .stanza_received = 7};

    cr_expect_not(report_contacts_has_any(&(struct report_contacts){0}));
    c.contacts[CONTACT_OUT][CONTACT_ASKED] = 2;
    c.dialogs[CONTACT_OUT] = 1;
    report_contacts_add(&c, &c);
    cr_expect(report_contacts_has_any(&c));
    report_contacts_write_json(&out, &c);
    expect("\"dialogs\": 0, \"changes\": 12}, \"out\": {\"none\": 0, \"asked\": 4");
    expect("\"dialogs\": 2, \"changes\": 14}}");
    report_contacts_write_states(&out, "open.test", &c);
    report_contacts_write_dialogs(&out, "open.test", &c);
    expect("fedgate_partner_contacts{partner=\"open.test\",direction=\"out\",state=\"asked\"} 4\n"
           "fedgate_partner_dialogs{partner=\"open.test\",direction=\"out\"} 2\n");
}
