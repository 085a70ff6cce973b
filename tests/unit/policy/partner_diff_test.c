/* SPDX-License-Identifier: GPL-2.0-or-later */
/* partner_diff: every property of a partner counts as a change, order and spelling do not. */
#include <stdio.h>

#include <criterion/criterion.h>

#include "help.h"
#include "policy/partner_diff.h"

static struct snapshot *load(const char *partners)
{
    return help_load(&(struct help_doc){.partners = partners});
}

static void expect(const char *before, const char *after, const char *numbers)
{
    struct snapshot *a = load(before);
    struct snapshot *b = load(after);
    struct partner_diff d = partner_diff(a, b);
    char got[64];

    (void)snprintf(got, sizeof(got), "+%u -%u ~%u", d.added, d.removed, d.changed);
    cr_expect_str_eq(got, numbers, "%s | %s", before, after);
    snapshot_free(a);
    snapshot_free(b);
}

#define ONE  "{\"domain\": \"one.example\"}"
#define TWO  "{\"domain\": \"two.example\"}"

Test(partner_diff, who_came_and_went)
{
    expect("[" ONE "," TWO "]", "[" TWO "," ONE "]", "+0 -0 ~0");
    expect("[" ONE "]", "[" ONE "," TWO "]", "+1 -0 ~0");
    expect("[" ONE "," TWO "]", "[" ONE "]", "+0 -1 ~0");
    expect("[" ONE "]", "[" TWO "]", "+1 -1 ~0");
    expect("[" ONE "]", "[ {\"domain\": \"ONE.Example.\"} ]", "+0 -0 ~0");
    /* A partner's further domain becomes a partner of its own. */
    expect("[ {\"domain\": \"one.example\", \"additional_domains\": [\"two.example\"]} ]",
           "[" ONE "," TWO "]", "+1 -0 ~1");
}

Test(partner_diff, each_property_counts)
{
    static const char *const properties[] = {
        "\"additional_domains\": [\"other.example\"]", "\"description\": \"x\"",
        "\"type\": \"federated\"", "\"sasl\": \"optional\"",
        "\"dialback\": false", "\"keepalive\": false", "\"connection_limit\": 3",
        "\"proxy_fqdn\": \"proxy.example\"", "\"acks\": \"off\"", "\"min_tls_version\": \"1.3\"",
        "\"suffix_match\": true", "\"stanza_rate_max\": 10", "\"byte_rate_max\": 100000",
        "\"stanza_bytes_max\": 20000", "\"maintenance\": \"back at noon\"",
        "\"allowed_users\": [\"ann@corp.example\"]", "\"blocked\": [\"spam@one.example\"]",
    };
    char with[256];

    for (size_t i = 0; i < sizeof(properties) / sizeof(properties[0]); i++) {
        (void)snprintf(with, sizeof(with), "[ {\"domain\": \"one.example\", %s} ]", properties[i]);
        expect("[" ONE "]", with, "+0 -0 ~1");
        expect(with, with, "+0 -0 ~0");
    }
    expect("[ {\"domain\": \"one.example\", \"blocked\": [\"a@one.example\"]} ]",
           "[ {\"domain\": \"one.example\", \"blocked\": [\"b@one.example\"]} ]", "+0 -0 ~1");
}
