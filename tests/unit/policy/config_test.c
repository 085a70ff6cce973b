/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_test: documents that must load, and what they then say. */
#include "policy/config.h"

#include <criterion/criterion.h>

#include "base/log.h"
#include "help.h"

/* The document of the design, as it stands there. */
static const char design[] =
    "{ \"node\":   { \"name\": \"edge1.corp.example\", \"state_dir\": \"/var/lib/fedgate\", "
    "\"shards\": 0 /* 0 = one per core */ },\n"
    "  \"listen\": { \"xmpp_server\": [\"0.0.0.0:5269\", \"[::]:5269\"], \"xmpps_server\": "
    "[\"[::]:5270\"],\n"
    "              \"component\": [\"127.0.0.1:5347\"], \"sip\": [\"tls:0.0.0.0:5061\", "
    "\"tcp:127.0.0.1:5060\"],\n"
    "              \"admin\": \"/run/fedgate/admin.sock\", \"http\": \"127.0.0.1:8069\" },\n"
    "  \"tls\":    { \"backend\": \"wolfssl\", \"ktls\": \"auto\" /* auto | require | off */, "
    "\"certificate\": \"edge.pem\",\n"
    "              \"key\": \"edge.key\", \"trust\": \"/etc/ssl/certs/ca-certificates.crt\" },\n"
    "  \"dns\":    { \"servers\": [] /* empty = the system's */ },\n"
    "  \"domains\":   [ { \"name\": \"corp.example\", \"next_hop\": \"pool\" } ],\n"
    "  \"next_hops\": { \"pool\": { \"kind\": \"sip\", \"uri\": "
    "\"sip:pool.corp.example;transport=tls\", \"profile\": \"simple\" /* simple | lync */ },\n"
    "                 \"app\":  { \"kind\": \"component\", \"secret\": \"...\" } },\n"
    "  \"partners\":  [ { \"domain\": \"fabrikam.com\", \"additional_domains\": "
    "[\"it.fabrikam.com\"], \"description\": \"\",\n"
    "                   \"type\": \"public_unverified\", \"tls\": \"required\", \"sasl\": "
    "\"required\", \"dialback\": true,\n"
    "                   \"keepalive\": true, \"connection_limit\": null, \"proxy_fqdn\": null } "
    "],\n"
    "  \"gateway\":   { \"connection_limit\": 1000, \"partner_connection_limit\": 20, "
    "\"keepalive_interval_s\": 300,\n"
    "                 \"stream_establishment_timeout_s\": 60, \"stream_inactivity_timeout_s\": "
    "600,\n"
    "                 \"subscription_refresh_interval_s\": 28800, \"log_message_bodies\": false, "
    "\"dialback_secret\": null },\n"
    "  \"store\":  \"sqlite:fedgate.db\" /* in node.state_dir */ }\n";

Test(config, the_document_of_the_design_loads)
{
    struct snapshot *s = help_load_text(slice_from_cstr(design));

    cr_expect_str_eq(s->node_name, "edge1.corp.example");
    cr_expect_eq(s->listen_count, 6);
    cr_expect_eq(s->domain_count, 1);
    cr_expect_eq(s->next_hop_count, 2);
    cr_expect_eq(s->partner_count, 1);
    cr_expect_eq(s->partners[0].connection_limit, 20);
    cr_expect(policy_pair(s, SLICE_LIT("corp.example"), SLICE_LIT("it.fabrikam.com")).allowed);
    snapshot_free(s);
}

Test(config, the_document_of_the_design_warns_as_it_should)
{
    cr_expect_str_eq(
        help_report_text(slice_from_cstr(design)),
        "f:1:1: access: warning: is missing: none of our users may talk to partners; "
        "\"access\": { \"global\": { \"xmpp\": true } } lets all of them\n"
        "f:10:18: next_hops.app: warning: is not the next hop of any domain\n"
        "f:10:59: next_hops.app.secret: warning: is short; 12 characters or more are advised\n"
        "f:12:76: partners[0].sasl: warning: dialback-unused (tls required, sasl required, "
        "dialback true): SASL is required, so dialback is never used: the partner must show a "
        "valid certificate over TLS; set \"dialback\": false, or \"sasl\": \"optional\" to let "
        "dialback help\n");
}

Test(config, a_good_document_has_nothing_to_report)
{
    cr_expect_str_eq(help_report(&(struct help_doc){0}), "");
}

Test(config, every_setting_is_taken_over)
{
    struct snapshot *s = help_load(&(struct help_doc){
        .node = "{\"name\":\"Edge.Corp.Example.\",\"state_dir\":\"/s\",\"shards\":64,"
                "\"busy_poll_us\":1000}",
        .tls = "{\"backend\":\"mbedtls\",\"ktls\":\"off\",\"certificate\":\"/c\",\"key\":\"/k\","
               "\"trust\":\"/t\",\"crl\":\"/r\",\"crl_required\":true,\"min_version\":\"1.2\","
               "\"resumption\":\"on\"}",
        .gateway = "{\"connection_limit\":7,\"partner_connection_limit\":6,"
                   "\"keepalive_interval_s\":5,\"stream_establishment_timeout_s\":4,"
                   "\"stream_inactivity_timeout_s\":3,\"subscription_refresh_interval_s\":60,"
                   "\"log_message_bodies\":true,\"dialback_secret\":\"0123456\\u0037\"}",
        .limits = "{\"queue_bytes_max\":20000,\"queue_count_max\":2,\"queue_age_s_max\":3,"
                  "\"stanza_bytes_max\":10000,\"unauthenticated_bytes_max\":10001,"
                  "\"handshakes_per_shard_max\":5,\"handshakes_per_address_max\":4,"
                  "\"connections_per_address_max\":0,\"connections_per_shard_max\":17,"
                  "\"memory_per_shard_bytes_max\":0,\"undecided_per_user_max\":1,"
                  "\"undecided_per_domain_max\":2000000,\"drain_timeout_s\":9}",
        .log = "{\"level\":\"debug\",\"file\":\"/l\"}",
        .store = "\"sqlite:sub/other.db\""});

    cr_expect_str_eq(s->node_name, "edge.corp.example");
    cr_expect_str_eq(s->state_dir, "/s");
    cr_expect_eq(s->shard_count, 64);
    cr_expect_eq(s->busy_poll_us, 1000);
    cr_expect_str_eq(s->tls_backend, "mbedtls");
    cr_expect_eq(s->ktls, TLS_KTLS_OFF);
    cr_expect_str_eq(s->trust_path, "/t");
    cr_expect_str_eq(s->crl_path, "/r");
    cr_expect(s->crl_required);
    cr_expect_eq(s->resumption, TLS_RESUMPTION_ON);
    cr_expect_eq(s->limits.handshakes_per_shard_max, 5);
    cr_expect_eq(s->limits.handshakes_per_address_max, 4);
    cr_expect_eq(s->gateway.connection_limit, 7);
    cr_expect_eq(s->gateway.partner_connection_limit, 6);
    cr_expect_eq(s->gateway.keepalive_interval_s, 5);
    cr_expect_eq(s->gateway.stream_establishment_timeout_s, 4);
    cr_expect_eq(s->gateway.stream_inactivity_timeout_s, 3);
    cr_expect_eq(s->gateway.subscription_refresh_interval_s, 60);
    cr_expect(s->gateway.log_message_bodies);
    cr_expect(slice_eq_cstr(s->gateway.dialback_secret, "01234567"));
    cr_expect_eq(s->limits.queue_bytes_max, 20000);
    cr_expect_eq(s->limits.queue_count_max, 2);
    cr_expect_eq(s->limits.queue_age_s_max, 3);
    cr_expect_eq(s->limits.stanza_bytes_max, 10000);
    cr_expect_eq(s->limits.unauthenticated_bytes_max, 10001);
    cr_expect_eq(s->limits.connections_per_address_max, 0);
    cr_expect_eq(s->limits.connections_per_shard_max, 17);
    cr_expect_eq(s->limits.memory_per_shard_bytes_max, 0);
    cr_expect_eq(s->limits.undecided_per_user_max, 1);
    cr_expect_eq(s->limits.undecided_per_domain_max, 2000000);
    cr_expect_eq(s->limits.drain_timeout_s, 9);
    cr_expect_eq(s->log_level, LOG_LEVEL_DEBUG);
    cr_expect_str_eq(s->log_path, "/l");
    cr_expect_str_eq(s->store_target, "/s/sub/other.db");
    snapshot_free(s);
}

/* Before the peer is known the lowest minimum of those that may be it counts. */
Test(config, minimum_versions_of_node_and_partners)
{
    struct snapshot *s = help_load(&(struct help_doc){
        .tls = "{\"certificate\":\"c\",\"key\":\"k\",\"min_version\":\"1.3\"}",
        .partners = "[{\"domain\":\"a.example\"},{\"domain\":\"b.example\","
                    "\"min_tls_version\":\"1.2\"},{\"domain\":\"c.example\","
                    "\"min_tls_version\":null}]"});

    cr_expect_eq(s->tls_min, PARTNER_TLS_1_3);
    cr_expect_eq(s->partners[0].tls_min, PARTNER_TLS_1_3);
    cr_expect_eq(s->partners[1].tls_min, PARTNER_TLS_1_2);
    cr_expect_eq(s->partners[2].tls_min, PARTNER_TLS_1_3);
    cr_expect_eq(s->any_partner_tls_min, PARTNER_TLS_1_2);
    snapshot_free(s);
    s = help_load(&(struct help_doc){
        .partners = "[{\"domain\":\"a.example\",\"min_tls_version\":\"1.3\"},"
                    "{\"domain\":\"b.example\",\"tls\":\"not_supported\","
                    "\"sasl\":\"not_supported\"}]"});
    cr_expect_eq(s->tls_min, PARTNER_TLS_1_2);
    cr_expect_eq(s->any_partner_tls_min, PARTNER_TLS_1_3, "who uses no TLS does not count");
    snapshot_free(s);
}

Test(config, relative_paths_start_at_the_file)
{
    struct slice text = help_text(&(struct help_doc){.log = "{\"file\":\"x.log\"}"});
    struct config_report report = {0};
    struct snapshot *s;

    cr_assert_eq(config_load(&s, "/etc/fedgate/fedgate.conf", text, &report), 0);
    cr_expect_str_eq(s->credentials[0].certificate_path, "/etc/fedgate/c.pem");
    cr_expect_str_eq(s->credentials[0].key_path, "/etc/fedgate/k.pem");
    cr_expect_str_eq(s->log_path, "/etc/fedgate/x.log");
    config_report_deinit(&report);
    snapshot_free(s);
}

Test(config, the_source_hash_tells_files_apart)
{
    struct snapshot *a = help_load(&(struct help_doc){0});
    struct snapshot *b = help_load(&(struct help_doc){0});
    struct snapshot *c = help_load(&(struct help_doc){.store = "\"sqlite:other.db\""});

    cr_expect_eq(a->source_hash, b->source_hash);
    cr_expect_neq(a->source_hash, c->source_hash);
    snapshot_free(a);
    snapshot_free(b);
    snapshot_free(c);
}

Test(config, partners_may_be_absent_with_a_warning)
{
    cr_expect_str_eq(help_report(&(struct help_doc){.partners = "[]"}),
                     "f:7:12: partners: warning: is empty: nobody outside can be talked to\n");
}

Test(config, no_certificate_is_needed_without_tls)
{
    struct snapshot *s = help_load(&(struct help_doc){
        .tls = "{}",
        .listen = "{\"xmpp_server\":[\"127.0.0.1:5269\"],\"sip\":[\"tcp:127.0.0.1:5060\"]}",
        .next_hops = "{\"pool\":{\"kind\":\"sip\",\"uri\":\"sip:127.0.0.1:5070;transport=tcp\"}}",
        .partners = "[{\"domain\":\"a.example\",\"tls\":\"not_supported\",\"sasl\":"
                    "\"not_supported\"}]"});

    cr_expect_eq(s->credential_count, 0);
    snapshot_free(s);
}
