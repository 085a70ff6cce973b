/* SPDX-License-Identifier: GPL-2.0-or-later */
/* access_error_test: what is reported, to the letter, about access, groups, block lists and what
 * partners may have in addition. */
#include <criterion/criterion.h>

#include "help.h"

struct error_case {
    struct help_doc doc;
    const char *report;
};

static void expect_all(const struct error_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *report = help_report(&cases[i].doc);

        cr_expect_str_eq(report, cases[i].report, "%zu\n%s", i, report);
    }
}

#define PARTNER(more) "[{\"domain\":\"fab.example\"" more "}]"

Test(access_error, access_and_groups)
{
    static const struct error_case cases[] = {
        {{.access = "{}"},
         "f:12:10: access: warning: lets nobody talk to partners: no policy has \"xmpp\": true\n"},
        {{.access = "[]"}, "f:12:10: access: must be an object, { ... }, not a list\n"},
        {{.access = "{\"global\":{\"xmpp\":true,\"xmp\":1,\"members\":[]}}"},
         "f:12:33: access.global.xmp: is unknown here; did you mean \"xmpp\"?\n"
         "f:12:41: access.global.members: is unknown here; allowed are xmpp, sip_federation, "
         "description\n"},
        {{.access = "{\"globl\":{\"xmpp\":true}}"},
         "f:12:10: access: warning: lets nobody talk to partners: no policy has \"xmpp\": true\n"
         "f:12:11: access.globl: is unknown here; did you mean \"global\"?\n"},
        {{.access = "{\"global\":{\"EnableXmppAccess\":true}}"},
         "f:12:10: access: warning: lets nobody talk to partners: no policy has \"xmpp\": true\n"
         "f:12:21: access.global.EnableXmppAccess: is unknown here; did you mean \"xmpp\"?\n"},
        {{.access = "{\"global\":{\"xmpp\":true,\"sip_federation\":true}}"},
         "f:12:50: access.global.sip_federation: warning: is accepted, but has no effect in this "
         "release\n"},
        {{.access = "{\"users\":{\"a b\":{\"xmpp\":true,\"memebrs\":[]},\"c\":5}}"},
         "f:12:20: access.users.\"a b\": warning: counts for nobody: neither \"members\" nor "
         "\"list_file\" is written\n"
         "f:12:39: access.users.\"a b\".memebrs: is unknown here; did you mean \"members\"?\n"
         "f:12:57: access.users.c: must be an object, { ... }, not a number\n"},
        {{.access = "{\"users\":{\"\":{\"xmpp\":true,\"members\":[\"ann@corp.example\"]}}}"},
         "f:12:20: access.users.\"\": names a policy with 1 to 128 bytes\n"},
        {{.access = "{\"users\":{\"a\":{\"xmpp\":true,\"members\":[]},\"a\":{\"members\":[]}}}"},
         "f:12:51: access.users.a: is written twice; one of the two must go\n"},
        {{.access = "{\"sites\":{\"a\":{\"xmpp\":true,\"members\":[\"ann@else.example\",7,"
                    "\"*.corp.example\",\"group:nobody\",\"ann@corp.example/x\"]}}}"},
         "f:12:48: access.sites.a.members[0]: \"ann@else.example\" is of no domain of ours, so it "
         "would never count; correct it, add the domain to \"domains\", or take the entry out\n"
         "f:12:67: access.sites.a.members[1]: must be a text in quotes, not 7\n"
         "f:12:69: access.sites.a.members[2]: \"*.corp.example\" names all domains below one, "
         "which only \"blocked\" can; write each domain\n"
         "f:12:86: access.sites.a.members[3]: names the group \"nobody\", which is not in "
         "\"groups\"\n"
         "f:12:101: access.sites.a.members[4]: \"ann@corp.example/x\" has a resource ('/'); write "
         "USER@DOMAIN: it counts for all clients of the user\n"},
        {{.groups = "{\"finance\":{\"members\":[\"ann@corp.example\"]}}",
          .access = "{\"users\":{\"a\":{\"xmpp\":true,\"members\":[\"group:finanse\"]}}}"},
         "f:12:48: access.users.a.members[0]: names the group \"finanse\", which is not in "
         "\"groups\"; did you mean \"finance\"?\n"
         "f:13:11: groups.finance: warning: is named by no policy and no partner's "
         "\"allowed_users\"\n"},
        {{.groups = "{\"g\":{},\"\":{\"members\":[]},\"g\":{\"members\":[\"group:g\"]}}",
          .access = "{\"users\":{\"a\":{\"xmpp\":true,\"members\":[\"group:g\"]}}}"},
         "f:13:11: groups.g: warning: has nobody in it: neither \"members\" nor \"list_file\" is "
         "written\n"
         "f:13:18: groups.\"\": names a group with 1 to 64 printable bytes\n"
         "f:13:18: groups.\"\": warning: is named by no policy and no partner's "
         "\"allowed_users\"\n"
         "f:13:36: groups.g: is written twice; one of the two must go\n"
         "f:13:36: groups.g: warning: is named by no policy and no partner's \"allowed_users\"\n"
         "f:13:52: groups.g.members[0]: \"group:g\" names a group, which cannot stand inside a "
         "group or a list file; write its members\n"},
    };

    expect_all(cases, ARRAY_COUNT(cases));
}

/* The more exact one wins; of two that are equally exact nobody could tell which. */
Test(access_error, one_user_in_two_policies_of_a_tier)
{
    static const struct error_case cases[] = {
        {{.access = "{\"users\":{\"a\":{\"xmpp\":true,\"members\":[\"ann@corp.example\"]},"
                    "\"b\":{\"members\":[\"Ann@CORP.example\",\"bob@corp.example\"]}}}"},
         "f:12:85: access.users.b.members[0]: \"ann@corp.example\" is in access.users[\"a\"] "
         "already; a policy of the same tier would contradict it, so one of the two entries must "
         "go\n"},
        {{.groups = "{\"g\":{\"members\":[\"corp.example\"]}}",
          .access = "{\"sites\":{\"a\":{\"xmpp\":true,\"members\":[\"corp.example\"]},"
                    "\"b\":{\"members\":[\"group:g\"]}}}"},
         "f:12:81: access.sites.b.members[0]: \"corp.example\", of the group \"g\" is in "
         "access.sites[\"a\"] already; a policy of the same tier would contradict it, so one of "
         "the two entries must go\n"},
        /* of a group one member says so for all */
        {{.groups = "{\"g\":{\"members\":[\"ann@corp.example\",\"bob@corp.example\"]}}",
          .access = "{\"users\":{\"a\":{\"xmpp\":true,\"members\":[\"group:g\",\"group:g\"]},"
                    "\"b\":{\"members\":[\"group:g\"]}}}"},
         "f:12:86: access.users.b.members[0]: \"ann@corp.example\", of the group \"g\" is in "
         "access.users[\"a\"] already; a policy of the same tier would contradict it, so one of "
         "the two entries must go\n"},
        /* twice in one policy, in two tiers, by address and by domain: no contradiction */
        {{.groups = "{\"g\":{\"members\":[\"ann@corp.example\"]}}",
          .access = "{\"users\":{\"a\":{\"xmpp\":true,\"members\":[\"ann@corp.example\","
                    "\"ann@corp.example\",\"group:g\"]},\"b\":{\"members\":[\"corp.example\"]}},"
                    "\"sites\":{\"c\":{\"members\":[\"ann@corp.example\"]}}}"},
         ""},
    };

    expect_all(cases, ARRAY_COUNT(cases));
}

Test(access_error, blocked)
{
    static const struct error_case cases[] = {
        {{.blocked = "{}"},
         "f:14:11: blocked: must be a list of texts, [\"...\"], not an object\n"},
        {{.blocked = "[\"joe@corp.example\",\"corp.example\",\"*.corp.example\",\"group:x\","
                     "\"1.2.3.4\",\"fab.example\",\"*.fab.example\",\"x@fab.example\"]",
          .partners = PARTNER("")},
         "f:14:12: blocked[0]: \"joe@corp.example\" is of a domain of ours; \"access\" says what "
         "our users may do\n"
         "f:14:31: blocked[1]: \"corp.example\" is of a domain of ours; \"access\" says what our "
         "users may do\n"
         "f:14:63: blocked[3]: \"group:x\" names a group, and groups are of our users; write "
         "addresses and domains of partners\n"
         "f:14:73: blocked[4]: \"1.2.3.4\" is an IP address: a domain name is needed\n"
         "f:14:83: blocked[5]: warning: is a domain of partners[0], with which nobody can talk "
         "then\n"},
        {{.partners = PARTNER(",\"blocked\":[\"x@fab.example\",\"x@sub.fab.example\","
                              "\"*.fab.example\",\"x@other.example\"]")},
         "f:7:64: partners[0].blocked[1]: \"x@sub.fab.example\" is of no domain of this partner; "
         "\"blocked\" at the top level is for everybody\n"
         "f:7:84: partners[0].blocked[2]: \"*.fab.example\" says nothing without "
         "\"suffix_match\": domains below the partner's are not its\n"
         "f:7:100: partners[0].blocked[3]: \"x@other.example\" is of no domain of this partner; "
         "\"blocked\" at the top level is for everybody\n"},
        {{.partners = PARTNER(",\"suffix_match\":true,\"additional_domains\":[\"b.example\"],"
                              "\"blocked\":[\"x@sub.fab.example\",\"*.fab.example\","
                              "\"a.b.example\",\"x@b.example\"]")},
         ""},
    };

    expect_all(cases, ARRAY_COUNT(cases));
}

Test(access_error, rates_and_sizes)
{
    static const struct error_case cases[] = {
        {{.partners = PARTNER(",\"stanza_burst\":5")},
         "f:7:52: partners[0].stanza_burst: says nothing without \"stanza_rate_max\"; write that, "
         "or take this out\n"},
        {{.partners = PARTNER(",\"byte_rate_max\":0,\"byte_burst\":50000")},
         "f:7:68: partners[0].byte_burst: says nothing without \"byte_rate_max\"; write that, or "
         "take this out\n"},
        {{.partners = PARTNER(",\"byte_rate_max\":5000,\"byte_burst\":50000")},
         "f:7:71: partners[0].byte_burst: is below the largest stanza that is allowed (262144 "
         "bytes), which would never pass; raise it, or lower \"stanza_bytes_max\"\n"},
        {{.partners = PARTNER(",\"byte_rate_max\":5000,\"byte_burst\":50000,"
                              "\"stanza_bytes_max\":50000")},
         ""},
        {{.partners = PARTNER(",\"stanza_bytes_max\":500000")},
         "f:7:56: partners[0].stanza_bytes_max: warning: is above limits.stanza_bytes_max "
         "(262144), which is reached first\n"},
        {{.partners = PARTNER(",\"stanza_bytes_max\":500")},
         "f:7:56: partners[0].stanza_bytes_max: must be a whole number from 10000 to 1048576, or 0 "
         "for off, not 500\n"},
        {{.partners = PARTNER(",\"stanza_rate_max\":\"fast\",\"stanza_burst\":0")},
         "f:7:55: partners[0].stanza_rate_max: must be a whole number from 1 to 1000000, or 0 for "
         "off, not the text \"fast\"\n"
         "f:7:77: partners[0].stanza_burst: must be a whole number from 1 to 1000000, or null, not "
         "0\n"},
        {{.partners = PARTNER(",\"tls\":\"not_supported\",\"sasl\":\"not_supported\","
                              "\"min_tls_version\":\"1.3\"")},
         "f:7:100: partners[0].min_tls_version: warning: says nothing: TLS is not used with this "
         "partner\n"},
        {{.partners = PARTNER(",\"maintenance\":\"\"")},
         "f:7:51: partners[0].maintenance: has 0 bytes; 1 to 1024 are allowed\n"},
        {{.partners = PARTNER(",\"maintenance\":true")},
         "f:7:51: partners[0].maintenance: must be a text in quotes, or null, not true\n"},
        {{.partners = PARTNER(",\"maintenance\":null,\"allowed_users\":null,\"blocked\":null,"
                              "\"stanza_burst\":null,\"byte_burst\":null")},
         ""},
        {{.partners = PARTNER(",\"StanzaRateMax\":5,\"suffixmatch\":true")},
         "f:7:37: partners[0].StanzaRateMax: is unknown here; did you mean \"stanza_rate_max\"?\n"
         "f:7:55: partners[0].suffixmatch: is unknown here; did you mean \"suffix_match\"?\n"},
        {{.gateway = "{\"reply_window_s\":30}"},
         "f:8:29: gateway.reply_window_s: must be a whole number from 60 to 31536000, or 0 for "
         "off, not 30\n"},
    };

    expect_all(cases, ARRAY_COUNT(cases));
}

Test(access_error, allowed_users)
{
    static const struct error_case cases[] = {
        {{.partners = PARTNER(",\"allowed_users\":[]")},
         "f:7:53: partners[0].allowed_users: warning: is empty: none of our users may talk to this "
         "partner; null lifts that\n"},
        {{.partners = PARTNER(",\"allowed_users\":[\"joe@fab.example\",\"group:x\",\"\"]")},
         "f:7:53: partners[0].allowed_users: warning: is empty: none of our users may talk to this "
         "partner; null lifts that\n"
         "f:7:54: partners[0].allowed_users[0]: \"joe@fab.example\" is of no domain of ours, so it "
         "would never count; correct it, add the domain to \"domains\", or take the entry out\n"
         "f:7:72: partners[0].allowed_users[1]: names the group \"x\", which is not in "
         "\"groups\"\n"
         "f:7:82: partners[0].allowed_users[2]: is empty or holds a control character\n"},
        {{.access = "{\"global\":{\"xmpp\":true},\"users\":{\"x\":{\"members\":"
                    "[\"joe@corp.example\"]}}}",
          .partners = PARTNER(",\"allowed_users\":[\"ann@corp.example\",\"joe@corp.example\","
                              "\"corp.example\"]")},
         "f:7:73: partners[0].allowed_users[1]: warning: \"joe@corp.example\" may not talk to any "
         "partner: access.users[\"x\"] does not let them\n"},
        {{.partners = PARTNER(",\"allowed_users\":\"joe@corp.example\"")},
         "f:7:53: partners[0].allowed_users: must be a list of texts, [\"...\"], not the text "
         "\"joe@corp.example\"\n"},
    };

    expect_all(cases, ARRAY_COUNT(cases));
}

/* A mistake is reported once: what follows from it is not. */
Test(access_error, mistakes_that_make_others_moot)
{
    static const struct error_case cases[] = {
        {{.domains = "[{\"name\":\"co rp.example\",\"next_hop\":\"pool\"}]",
          .access = "{\"users\":{\"a\":{\"xmpp\":true,\"members\":[\"ann@corp.example\"]}}}"},
         "f:5:20: domains[0].name: holds a character that is not allowed in a domain name\n"},
        {{.groups = "[]",
          .access = "{\"users\":{\"a\":{\"xmpp\":true,\"members\":[\"group:x\"]}}}"},
         "f:13:10: groups: must be an object, { ... }, not a list\n"},
        {{.partners = PARTNER(",\"additional_domains\":[\"b b\"],\"blocked\":[\"x@b.example\"]")},
         "f:7:59: partners[0].additional_domains[0]: holds a character that is not allowed in a "
         "domain name\n"},
    };

    expect_all(cases, ARRAY_COUNT(cases));
}

Test(access_error, overlaps)
{
    static const struct error_case cases[] = {
        {{.partners = "[{\"domain\":\"a.example\"},{\"domain\":\"b.example\","
                      "\"additional_domains\":[\"A.example.\"]}]"},
         "f:7:80: partners[1].additional_domains[0]: is already a name of partners[0]; a domain "
         "stands in one place only\n"},
        {{.partners = "[{\"domain\":\"corp.example\"}]"},
         "f:7:23: partners[0].domain: is our own domain (domains[0]); a partner's must be another "
         "one\n"},
        {{.partners = "[{\"domain\":\"example\",\"suffix_match\":true},"
                      "{\"domain\":\"b.example\",\"additional_domains\":[\"c.b.example\"],"
                      "\"suffix_match\":true}]"},
         "f:5:12: domains[0]: warning: corp.example is below a domain of partners[0], which has "
         "\"suffix_match\"; it stays ours\n"
         "f:7:48: partners[0].suffix_match: warning: makes every domain below \"example\" this "
         "partner's; that is as far as anybody who gets a name there\n"
         "f:7:54: partners[1]: warning: b.example is below a domain of partners[0], which has "
         "\"suffix_match\"; what stands here counts for it, not that\n"
         "f:7:54: partners[1]: warning: c.b.example is below another of its domains: "
         "\"suffix_match\" covers it already\n"},
    };

    expect_all(cases, ARRAY_COUNT(cases));
}
