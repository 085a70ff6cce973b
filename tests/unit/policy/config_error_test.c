/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_error_test: what --check prints, to the letter, for every kind of mistake. */
#include <stdio.h>

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

        cr_expect_str_eq(report, cases[i].report);
    }
}

Test(config_error, keys)
{
    static const struct error_case cases[] = {
        {{.node = "{\"nmae\":\"a.example\"}"},
         "f:1:9: node.name: is missing\n"
         "f:1:10: node.nmae: is unknown here; did you mean \"name\"?\n"},
        {{.node = "{\"name\":\"a.example\",\"colour\":1}"},
         "f:1:29: node.colour: is unknown here; allowed are name, state_dir, shards, "
         "busy_poll_us\n"},
        {{.node = "{\"name\":\"a.example\",\"\xc3\xbc\\n\":1}"},
         "f:1:29: node.\"\xc3\xbc\\u{a}\": is unknown here; allowed are name, state_dir, shards, "
         "busy_poll_us\n"},
        {{.log = "{\"level\":\"info\",\"level\":\"warn\"}"},
         "f:10:23: log.level: is written twice; one of the two must go\n"},
        {{.partners = "[{\"domain\":\"a.example\",\"TlsNegotiation\":\"Required\"}]"},
         "f:7:35: partners[0].TlsNegotiation: is unknown here; did you mean \"tls\"?\n"},
        {{.partners = "[{\"domain\":\"a.example\",\"EnableKeepAlive\":true}]"},
         "f:7:35: partners[0].EnableKeepAlive: is unknown here; did you mean \"keepalive\"?\n"},
    };

    expect_all(cases, ARRAY_COUNT(cases));
}

Test(config_error, types_and_ranges)
{
    static const struct error_case cases[] = {
        {{.node = "[]"}, "f:1:9: node: must be an object, { ... }, not a list\n"},
        {{.node = "{\"name\":5}"}, "f:1:17: node.name: must be a text in quotes, not 5\n"},
        {{.node = "{\"name\":null}"}, "f:1:17: node.name: must be a text in quotes, not null\n"},
        {{.node = "{\"name\":\"\"}"}, "f:1:17: node.name: has 0 bytes; 1 to 253 are allowed\n"},
        {{.node = "{\"name\":\"a.example\",\"shards\":65}"},
         "f:1:38: node.shards: must be a whole number from 0 to 64, not 65\n"},
        {{.node = "{\"name\":\"a.example\",\"shards\":-1}"},
         "f:1:38: node.shards: must be a whole number from 0 to 64, not -1\n"},
        {{.node = "{\"name\":\"a.example\",\"shards\":1.0}"},
         "f:1:38: node.shards: must be a whole number from 0 to 64, not 1.0\n"},
        {{.node = "{\"name\":\"a.example\",\"shards\":\"2\"}"},
         "f:1:38: node.shards: must be a whole number from 0 to 64, not the text \"2\"\n"},
        {{.gateway = "{\"connection_limit\":99999999999999999999}"},
         "f:8:31: gateway.connection_limit: must be a whole number from 1 to 1000000, not "
         "99999999999999999999\n"},
        {{.gateway = "{\"log_message_bodies\":\"no\"}"},
         "f:8:33: gateway.log_message_bodies: must be true or false, not the text \"no\"\n"},
        {{.tls = "{\"ktls\":\"of\",\"certificate\":\"c\",\"key\":\"k\"}"},
         "f:3:15: tls.ktls: must be \"auto\", \"require\" or \"off\", not the text \"of\"; did you "
         "mean \"off\"?\n"},
        {{.tls = "{\"ktls\":true,\"certificate\":\"c\",\"key\":\"k\"}"},
         "f:3:15: tls.ktls: must be \"auto\", \"require\" or \"off\", not true\n"},
        {{.limits = "{\"connections_per_address_max\":-1}"},
         "f:9:41: limits.connections_per_address_max: must be a whole number from 1 to 100000, or "
         "0 for off, not -1\n"},
        {{.listen = "{\"xmpp_server\":\"0.0.0.0:5269\",\"sip\":[\"tls:0.0.0.0:5061\"]}"},
         "f:2:25: listen.xmpp_server: must be a list of texts, [\"...\"], not the text "
         "\"0.0.0.0:5269\"\n"},
        {{.domains = "{}"}, "f:5:11: domains: must be a list, [ ... ], not an object\n"},
        {{.domains = "[]"}, "f:5:11: domains: has 0 entries; 1 to 100000 are allowed\n"},
        {{.store = "{}"}, "f:11:9: store: must be a text in quotes, not what is written\n"},
        {{.log = "{\"file\":\"a\\u0007\"}"},
         "f:10:15: log.file: holds a control character; printable text is allowed\n"},
    };

    expect_all(cases, ARRAY_COUNT(cases));
}

Test(config_error, listens)
{
    static const struct error_case cases[] = {
        {{.listen = "{\"xmpp_server\":[\"127.0.0.1:5269\",7,\"[::]:0\",\"\"],\"sip\":"
                    "[\"0.0.0.0:5061\",\"tls:127.0.0.1:5269\"],\"http\":\"0.0.0.0:8069\"}"},
         "f:2:10: listen.sip: warning: nothing is listened on: requests of SIP next hops arrive "
         "only "
         "over connections that were opened from here\n"
         "f:2:43: listen.xmpp_server[1]: must be a text in quotes, not 7\n"
         "f:2:45: listen.xmpp_server[2]: has a port that is not 1 to 65535\n"
         "f:2:54: listen.xmpp_server[3]: is empty or holds a control character\n"
         "f:2:65: listen.sip[0]: must begin with \"tls:\" or \"tcp:\", as \"tls:0.0.0.0:5061\"\n"
         "f:2:80: listen.sip[1]: is listened on twice; one address and port serves one purpose\n"
         "f:2:109: listen.http: warning: is not a loopback address, and the statistics are not "
         "protected\n"},
        {{.listen = "{\"xmpps_server\":[\"1.2.3.4:1\"],\"sip\":[\"tcp:1.2.3.4:2\"],\"component\":"
                    "[\"1.2.3.4:5\"],\"http\":\"1.2.3.4:1\"}"},
         "f:2:76: listen.component: warning: \"1.2.3.4:5\" is not a loopback address, and the "
         "component protocol is not encrypted\n"
         "f:2:97: listen.http: is listened on twice; one address and port serves one purpose\n"},
    };

    expect_all(cases, ARRAY_COUNT(cases));
}

Test(config_error, next_hops)
{
    static const struct error_case cases[] = {
        {{.next_hops = "{}"},
         "f:5:46: domains[0].next_hop: names \"pool\", which is not in \"next_hops\"\n"
         "f:6:13: next_hops: is empty; at least one next hop is needed\n"},
        {{.next_hops = "{\"pool\":{\"kind\":\"xmpp\"}}"},
         "f:6:29: next_hops.pool.kind: \"xmpp\" (an XMPP server as the inside) is not in this "
         "release; must be \"sip\" or \"component\"\n"},
        {{.next_hops = "{\"pool\":{\"kind\":\"http\"}}"},
         "f:6:29: next_hops.pool.kind: must be \"sip\" or \"component\", not the text \"http\"\n"},
        {{.next_hops = "{\"pool\":{}}"}, "f:6:21: next_hops.pool.kind: is missing\n"},
        {{.next_hops = "{\"pool\":5}"},
         "f:6:21: next_hops.pool: must be an object, { ... }, not a number\n"},
        {{.next_hops = "{\"pool\":{\"kind\":\"sip\"}}"},
         "f:6:21: next_hops.pool.uri: is missing; as \"sip:pool.corp.example;transport=tls\"\n"},
        {{.next_hops = "{\"pool\":{\"kind\":\"sip\",\"uri\":\"sips:a.example\",\"secret\":\"s\"}}"},
         "f:6:41: next_hops.pool.uri: sips: is not translated; write \"sip:HOST;transport=tls\"\n"
         "f:6:67: next_hops.pool.secret: is only for next hops of kind \"component\"\n"},
        {{.next_hops = "{\"pool\":{\"kind\":\"sip\",\"uri\":\"sip:a.example;transport=tcp\"}}"},
         "f:6:21: next_hops.pool.trusted_addresses: is missing: over TCP requests are accepted by "
         "address only; list the addresses of the next hop, as [\"192.0.2.10\"], or use "
         "transport=tls\n"},
        {{.next_hops = "{\"pool\":{\"kind\":\"sip\",\"uri\":\"sip:1.2.3.4;transport=tcp\","
                       "\"trusted_names\":[\"a.example\"],\"trusted_addresses\":[\"1.2.3.4/8\"]}}"},
         "f:6:85: next_hops.pool.trusted_names: needs transport=tls: without it nobody shows a "
         "certificate\n"
         "f:6:120: next_hops.pool.trusted_addresses[0]: has bits set behind its prefix length\n"},
        {{.next_hops = "{\"pool\":{\"kind\":\"sip\",\"uri\":\"sip:a.example;transport=tls\","
                       "\"trusted_names\":[\"1.2.3.4\",\"-\"]}}"},
         "f:6:88: next_hops.pool.trusted_names[0]: must be a host name as it stands in the "
         "certificate\n"
         "f:6:98: next_hops.pool.trusted_names[1]: has a label that begins or ends with '-'\n"},
        {{.next_hops = "{\"pool\":{\"kind\":\"component\",\"uri\":\"sip:a\"}}"},
         "f:6:21: next_hops.pool.secret: is missing; the component shows that it knows it "
         "(XEP-0114)\n"
         "f:6:47: next_hops.pool.uri: is only for next hops of kind \"sip\"\n"},
        {{.next_hops = "{\"pool\":{\"kind\":\"component\",\"secret\":\"twelve bytes\"}}"},
         "f:6:29: next_hops.pool.kind: component needs an address to connect to: add \"listen\": "
         "{\"component\": [\"127.0.0.1:5347\"]}\n"},
        {{.next_hops = "{\"pool\":{\"kind\":\"sip\",\"uri\":\"sip:a.example;transport=tls\"},"
                       "\"p q\":{\"kind\":\"sip\",\"uri\":\"sip:a.example;transport=tls\"}}"},
         "f:6:72: next_hops.\"p q\": names a next hop with letters, digits, '-', '_' and '.', at "
         "most 64\n"
         "f:6:72: next_hops.\"p q\": warning: is not the next hop of any domain\n"},
    };

    expect_all(cases, ARRAY_COUNT(cases));
}

Test(config_error, names)
{
    static const struct error_case cases[] = {
        {{.domains = "[{\"name\":\"corp.example\",\"next_hop\":\"pol\"}]"},
         "f:5:46: domains[0].next_hop: names \"pol\", which is not in \"next_hops\"\n"
         "f:6:14: next_hops.pool: warning: is not the next hop of any domain\n"},
        {{.domains = "[{\"name\":\"corp.example\",\"next_hop\":\"pool\"},"
                     "{\"name\":\"Corp.EXAMPLE.\",\"next_hop\":\"pool\"}]"},
         "f:5:62: domains[1].name: is already a name of domains[0]; a domain stands in one place "
         "only\n"},
        {{.domains = "[{\"name\":\"corp.example\",\"next_hop\":\"pool\",\"key\":\"k\"}]"},
         "f:5:12: domains[0].certificate: is missing: certificate and key go together\n"},
        {{.partners = "[{\"domain\":\"corp.example\"}]"},
         "f:7:23: partners[0].domain: is our own domain (domains[0]); a partner's must be another "
         "one\n"},
        {{.partners = "[{\"domain\":\"a.example\",\"additional_domains\":[\"b.example\","
                      "\"CORP.example\",\"A.example\"]},{\"domain\":\"B.example\"},5]"},
         "f:7:69: partners[0].additional_domains[1]: is our own domain (domains[0]); a partner's "
         "must be another one\n"
         "f:7:84: partners[0].additional_domains[2]: is already a name of partners[0]; a domain "
         "stands in one place only\n"
         "f:7:108: partners[1].domain: is already a name of partners[0]; a domain stands in one "
         "place only\n"
         "f:7:121: partners[2]: must be an object, { ... }, not a number\n"},
        {{.partners = "[{\"domain\":\"b\xc3\xbc"
                      "cher.example\"},"
                      "{\"domain\":\"xn--bcher-kva.example\"}]"},
         "f:7:51: partners[1].domain: is already a name of partners[0]; a domain stands in one "
         "place only\n"},
        {{.partners = "[{\"domain\":\"192.0.2.1\"}]"},
         "f:7:23: partners[0].domain: is an IP address: a domain name is needed\n"},
        {{.partners = "[{\"domain\":\"a.example\",\"proxy_fqdn\":\"a b\"}]"},
         "f:7:48: partners[0].proxy_fqdn: holds a character that is not allowed in a domain "
         "name\n"},
        {{.tls = "{\"key\":\"k\"}"},
         "f:3:7: tls.certificate: is missing: certificate and key go together\n"},
        {{.tls = "{}"},
         "f:5:12: domains[0].certificate: is missing, and there is no tls.certificate either: TLS "
         "is offered or required, so every domain needs one of the two\n"},
    };

    expect_all(cases, ARRAY_COUNT(cases));
}

Test(config_error, relations)
{
    static const struct error_case cases[] = {
        {{.limits = "{\"queue_bytes_max\":10000}"},
         "f:9:29: limits.queue_bytes_max: is below limits.stanza_bytes_max (262144): a stanza that "
         "is allowed would never fit the queue\n"},
        {{.limits = "{\"stanza_bytes_max\":9999}"},
         "f:9:30: limits.stanza_bytes_max: must be a whole number from 10000 to 1048576, not "
         "9999\n"},
        {{.gateway = "{\"partner_connection_limit\":1001}"},
         "f:8:39: gateway.partner_connection_limit: warning: is above gateway.connection_limit "
         "(1000), which is reached first\n"},
        {{.partners = "[{\"domain\":\"a.example\",\"connection_limit\":2000}]"},
         "f:7:54: partners[0].connection_limit: warning: is above gateway.connection_limit "
         "(1000), which is reached first\n"},
        {{.partners = "[{\"domain\":\"a.example\",\"connection_limit\":0}]"},
         "f:7:54: partners[0].connection_limit: must be a whole number from 1 to 100000, or null, "
         "not 0\n"},
        {{.gateway = "{\"subscription_refresh_interval_s\":60}"}, ""},
        {{.tls = "{\"ktls\":\"require\",\"certificate\":\"c\",\"key\":\"k\"}"}, ""},
        {{.tls = "{\"certificate\":\"c\",\"key\":\"k\",\"min_version\":1.2}"},
         "f:3:50: tls.min_version: must be \"1.2\" or \"1.3\", not 1.2\n"},
        {{.tls = "{\"certificate\":\"c\",\"key\":\"k\",\"min_version\":\"1.1\"}"},
         "f:3:50: tls.min_version: must be \"1.2\" or \"1.3\", not the text \"1.1\"; did you "
         "mean \"1.2\"?\n"},
        {{.tls = "{\"certificate\":\"c\",\"key\":\"k\",\"min_tls_version\":\"1.3\"}"},
         "f:3:36: tls.min_tls_version: is unknown here; did you mean \"min_version\"?\n"},
        {{.tls = "{\"certificate\":\"c\",\"key\":\"k\",\"backend\":\"mbedtls\",\"min_version\":"
                 "\"1.3\"}"},
         "f:3:70: tls.min_version: \"1.3\" cannot be had with tls.backend \"mbedtls\", whose "
         "library speaks TLS 1.2 only: every connection would fail; use \"wolfssl\"\n"},
        {{.tls = "{\"certificate\":\"c\",\"key\":\"k\",\"backend\":\"mbedtls\"}",
          .partners = "[{\"domain\":\"a.example\",\"min_tls_version\":\"1.3\"}]"},
         "f:7:53: partners[0].min_tls_version: \"1.3\" cannot be had with tls.backend \"mbedtls\", "
         "whose library speaks TLS 1.2 only: every connection would fail; use \"wolfssl\"\n"},
        {{.partners = "[{\"domain\":\"a.example\",\"min_tls_version\":\"1.4\"}]"},
         "f:7:53: partners[0].min_tls_version: must be \"1.2\" or \"1.3\", or null, not the text "
         "\"1.4\"; did you mean \"1.2\"?\n"},
        {{.partners = "[{\"domain\":\"a.example\",\"min_tls_version\":null}]"}, ""},
        {{.tls = "{\"certificate\":\"c\",\"key\":\"k\",\"crl_required\":true}"},
         "f:3:51: tls.crl_required: needs tls.crl: without any CRL no certificate could be "
         "accepted\n"},
        {{.tls = "{\"certificate\":\"c\",\"key\":\"k\",\"crl\":null,\"crl_required\":false}"}, ""},
        {{.tls = "{\"certificate\":\"c\",\"key\":\"k\",\"resumption\":true}"},
         "f:3:49: tls.resumption: must be \"off\", \"accept\" or \"on\", not true\n"},
        {{.limits = "{\"handshakes_per_shard_max\":0}"},
         "f:9:38: limits.handshakes_per_shard_max: must be a whole number from 1 to 100000, not "
         "0\n"},
        {{.store = "\"sqlite:other.db\""}, ""},
        {{.store = "\"sqlite:fedgate.db\""}, ""},
        {{.store = "\"postgresql://u:hunter2@h/d\""},
         "f:11:9: store: PostgreSQL comes with a later version: must be \"sqlite:FILE\"\n"},
        {{.next_hops = "{\"pool\":{\"kind\":\"sip\",\"uri\":\"sip:a.example;transport=tls\","
                       "\"profile\":\"lync\",\"max_connections\":4}}"},
         "f:6:81: next_hops.pool.profile: warning: \"lync\" is in force for presence only: this "
         "release sends messages as \"simple\"\n"},
        {{.next_hops = "{\"pool\":{\"kind\":\"sip\",\"uri\":\"sip:a.example;transport=tls\","
                       "\"subscribe_rate_max\":0}}"},
         "f:6:92: next_hops.pool.subscribe_rate_max: must be a whole number from 1 to 100000, not "
         "0\n"},
        {{.store = "\"mysql:x\""},
         "f:11:9: store: must be \"sqlite:FILE\"\n"},
        {{.store = "\"sqlite:\""}, "f:11:9: store: must be \"sqlite:FILE\"\n"},
        {{.dns = "{\"servers\":[\"ns.example\"]}"},
         "f:4:19: dns.servers[0]: must be an IP address, or \"IP:PORT\", \"[IPv6]:PORT\"\n"},
        {{.node = "{\"name\":\"192.0.2.1\"}"},
         "f:1:17: node.name: must be a host name without port\n"},
    };

    expect_all(cases, ARRAY_COUNT(cases));
}

Test(config_error, secrets_are_never_shown)
{
    static const struct help_doc docs[] = {
        {.gateway = "{\"dialback_secret\":\"hunter2\"}"},
        {.gateway = "{\"dialback_secret\":12345678}"},
        {.next_hops = "{\"pool\":{\"kind\":\"component\",\"secret\":\"hunter2\\n\"}}"},
        {.next_hops = "{\"pool\":{\"kind\":\"component\",\"secret\":\"hunter2\"}}"},
        {.next_hops = "{\"pool\":{\"kind\":\"component\",\"secret\":[\"hunter2\"]}}"},
        {.store = "\"mysql://u:hunter2@h/d\""},
        {.store = "\"postgresql://u:hunter2@h/d\""},
    };

    for (size_t i = 0; i < ARRAY_COUNT(docs); i++) {
        const char *report = help_report(&docs[i]);

        cr_expect_neq(report[0], 0);
        cr_expect_null(strstr(report, "hunter2"), "%s", report);
        cr_expect_null(strstr(report, "12345678"), "%s", report);
    }
}

Test(config_error, syntax)
{
    cr_expect_str_eq(help_report_text(SLICE_LIT("{\n  \"node\": {\n")),
                     "f:3:1: node: the file ends in the middle; 2 { or [ are still open\n");
    cr_expect_str_eq(help_report_text(SLICE_LIT("{\r\n \"n\xc3\xb6\xc3\xb6\":x}")),
                     "f:2:8: n\xc3\xb6\xc3\xb6: not JSON: invalid char in json text.\n");
    cr_expect_str_eq(help_report_text(SLICE_LIT("[]")),
                     "f:1:1: must be an object, { ... }, not a list\n");
    cr_expect_str_eq(help_report_text(SLICE_LIT("7")),
                     "f:1:1: must be an object, { ... }, not a number\n");
    cr_expect_str_eq(help_report_text(SLICE_LIT("\xef\xbb\xbf[]")),
                     "f:1:1: must be an object, { ... }, not a list\n");
    cr_expect_str_eq(help_report_text(SLICE_LIT("{}")),
                     "f:1:1: node: is missing\n"
                     "f:1:1: domains: is missing\n"
                     "f:1:1: next_hops: is missing\n"
                     "f:1:1: listen.xmpp_server: warning: neither xmpp_server nor xmpps_server is "
                     "listened on: no partner can connect\n"
                     "f:1:1: access: warning: is missing: none of our users may talk to partners; "
                     "\"access\": { \"global\": { \"xmpp\": true } } lets all of them\n"
                     "f:1:1: partners: warning: is empty: nobody outside can be talked to\n");
}

Test(config_error, problems_are_bounded_and_counted)
{
    struct buf text;
    const char *report;

    buf_init(&text, 1 << 20);
    buf_put_lit(&text, "{\"partners\":[0");
    for (uint32_t i = 0; i < CONFIG_PROBLEMS_MAX + 500; i++) {
        buf_put_lit(&text, ",0");
    }
    buf_put_lit(&text, "]}");
    report = help_report_text(buf_slice(&text));
    cr_expect(strstr(report, "more problems are not shown\n"), "%s", report + strlen(report) - 80);
    buf_deinit(&text);
}
