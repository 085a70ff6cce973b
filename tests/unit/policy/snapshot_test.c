/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapshot_test: lookups, verdicts, what the loader compiled. */
#include "policy/snapshot.h"

#include <criterion/criterion.h>

#include "help.h"
#include "base/log.h"

static const struct help_doc rich = {
    .domains = "[{\"name\":\"corp.example\",\"next_hop\":\"pool\"},"
               "{\"name\":\"b\xc3\xbc"
               "cher.example\",\"next_hop\":\"app\","
               "\"certificate\":\"sub/b.pem\",\"key\":\"/abs/b.key\"}]",
    .listen = "{\"xmpp_server\":[\"127.0.0.1:5269\",\"[::1]:5269\"],\"xmpps_server\":"
              "[\"127.0.0.1:5270\"],\"component\":[\"127.0.0.1:5347\"],\"sip\":"
              "[\"tls:0.0.0.0:5061\",\"tcp:127.0.0.1:5060\"],\"admin\":\"/run/a.sock\",\"http\":"
              "\"127.0.0.1:8069\"}",
    .next_hops =
        "{\"pool\":{\"kind\":\"sip\",\"uri\":\"sip:Pool.corp.example:5071;transport=tls\","
        "\"profile\":\"lync\",\"trusted_addresses\":[\"192.0.2.0/24\"],\"max_connections\":"
        "2,\"options_interval_s\":0,\"subscribe_rate_max\":50},"
        "\"app\":{\"kind\":\"component\",\"secret\":\"a long enough secret\"}}",
    .partners = "[{\"domain\":\"Fabrikam.Example\",\"additional_domains\":[\"it.fabrikam.example\","
                "\"m\xc3\xbcnchen.example\"],\"type\":\"federated\",\"description\":\"Fabrikam\","
                "\"connection_limit\":3,\"proxy_fqdn\":\"xmpp.fabrikam.example:5299\","
                "\"acks\":\"ping\",\"keepalive\":false},"
                "{\"domain\":\"t.example\",\"tls\":\"not_supported\",\"sasl\":\"not_supported\"}]",
    .dns =
        "{\"servers\":[\"9.9.9.9\",\"127.0.0.1:5353\",\"2001:db8::53\",\"[2001:db8::53]:5353\"]}",
};

static bool is(struct slice s, const char *text)
{
    return slice_eq_cstr(s, text);
}

Test(snapshot, domains_in_both_forms)
{
    struct snapshot *s = help_load(&rich);
    const struct local_domain *d = snapshot_domain(s, SLICE_LIT("xn--bcher-kva.example"));

    cr_assert_not_null(d);
    cr_expect_eq(d, snapshot_domain(s, SLICE_LIT("b\xc3\xbc"
                                                 "cher.example")));
    cr_expect(is(d->name, "xn--bcher-kva.example"));
    cr_expect(is(d->name_unicode, "b\xc3\xbc"
                                  "cher.example"));
    cr_expect(is(d->next_hop->name, "app"));
    cr_expect_eq(d->idx, 1);
    cr_expect_null(snapshot_domain(s, SLICE_LIT("fabrikam.example")));
    cr_expect_null(snapshot_domain(s, SLICE_LIT("corp.exampl")));
    cr_expect_null(snapshot_domain(s, SLICE_LIT("a.corp.example")));
    cr_expect_null(snapshot_domain(s, SLICE_NONE));
    snapshot_free(s);
    snapshot_free(NULL);
}

Test(snapshot, credentials_default_first)
{
    struct snapshot *s = help_load(&rich);

    cr_assert_eq(s->credential_count, 2);
    cr_expect_str_eq(s->credentials[0].certificate_path, "c.pem");
    cr_expect_eq(s->credentials[0].domain.len, 0);
    cr_expect_str_eq(s->credentials[1].certificate_path, "sub/b.pem");
    cr_expect_str_eq(s->credentials[1].key_path, "/abs/b.key");
    cr_expect(slice_eq(s->credentials[1].domain, s->domains[1].name));
    snapshot_free(s);
}

Test(snapshot, credentials_of_domains_alone)
{
    struct snapshot *s = help_load(&(struct help_doc){
        .tls = "{}",
        .domains = "[{\"name\":\"a.example\",\"next_hop\":\"pool\",\"certificate\":\"a\",\"key\":"
                   "\"ak\"},{\"name\":\"b.example\",\"next_hop\":\"pool\",\"certificate\":\"b\","
                   "\"key\":\"bk\"}]"});

    cr_assert_eq(s->credential_count, 2);
    cr_expect_str_eq(s->credentials[0].key_path, "ak");
    cr_expect(slice_eq_cstr(s->credentials[0].domain, "a.example"));
    cr_expect_str_eq(s->credentials[1].key_path, "bk");
    cr_expect(slice_eq_cstr(s->credentials[1].domain, "b.example"));
    snapshot_free(s);
}

Test(snapshot, partners_by_all_their_names)
{
    struct snapshot *s = help_load(&rich);
    const struct partner *p = snapshot_partner(s, SLICE_LIT("fabrikam.example"));

    cr_assert_not_null(p);
    cr_expect_eq(p, snapshot_partner(s, SLICE_LIT("it.fabrikam.example")));
    cr_expect_eq(p, snapshot_partner(s, SLICE_LIT("xn--mnchen-3ya.example")));
    cr_expect_eq(p, snapshot_partner(s, SLICE_LIT("m\xc3\xbcnchen.example")));
    cr_expect_null(snapshot_partner(s, SLICE_LIT("x.fabrikam.example")));
    cr_expect_null(snapshot_partner(s, SLICE_LIT("corp.example")));
    cr_expect(is(p->domain, "fabrikam.example"));
    cr_expect_eq(p->more_domain_count, 2);
    cr_expect(is(p->more_domains[1], "xn--mnchen-3ya.example"));
    cr_expect(is(p->description, "Fabrikam"));
    cr_expect_eq(p->type, PARTNER_TYPE_FEDERATED);
    cr_expect_eq(p->acks, PARTNER_ACKS_PING);
    cr_expect_eq(p->connection_limit, 3);
    cr_expect(is(p->proxy_host, "xmpp.fabrikam.example"));
    cr_expect_eq(p->proxy_port, 5299);
    cr_expect_not(p->keepalive);
    cr_expect_eq(p->row->number, 1);
    cr_expect_eq(p->id, partner_id(SLICE_LIT("fabrikam.example")));
    cr_expect_eq(s->partners[1].row->number, 17);
    cr_expect_eq(s->partners[1].connection_limit, 20);
    cr_expect_eq(s->any_partner_auth, PARTNER_AUTH_EXTERNAL | PARTNER_AUTH_DIALBACK_TCP);
    snapshot_free(s);
}

Test(snapshot, verdicts)
{
    struct snapshot *s = help_load(&rich);
    struct policy_verdict v;

    v = policy_pair(s, SLICE_LIT("corp.example"), SLICE_LIT("it.fabrikam.example"));
    cr_expect(v.allowed && v.reason == POLICY_ALLOWED);
    cr_expect_eq(v.domain, &s->domains[0]);
    cr_expect_eq(v.partner, &s->partners[0]);
    v = policy_pair(s, SLICE_LIT("corp.example"), SLICE_LIT("stranger.example"));
    cr_expect(!v.allowed && v.reason == POLICY_PARTNER_UNKNOWN);
    cr_expect_not_null(v.domain);
    cr_expect_null(v.partner);
    v = policy_pair(s, SLICE_LIT("elsewhere.example"), SLICE_LIT("fabrikam.example"));
    cr_expect(!v.allowed && v.reason == POLICY_LOCAL_UNKNOWN);
    cr_expect_null(v.domain);
    v = policy_pair(s, SLICE_LIT("corp.example"), SLICE_LIT("xn--bcher-kva.example"));
    cr_expect(!v.allowed && v.reason == POLICY_LOCAL_AS_REMOTE);
    v = policy_pair(s, SLICE_LIT("corp.example"), SLICE_LIT("corp.example"));
    cr_expect(!v.allowed && v.reason == POLICY_LOCAL_AS_REMOTE);
    cr_expect_str_eq(policy_reason_name(POLICY_PARTNER_UNKNOWN), "unknown-partner");
    cr_expect_str_eq(policy_reason_name(POLICY_REASON_COUNT), "?");
    snapshot_free(s);
}

Test(snapshot, next_hops)
{
    struct snapshot *s = help_load(&rich);
    const struct next_hop *hop = snapshot_next_hop(s, SLICE_LIT("pool"));
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(0xc0000263)}};

    cr_assert_not_null(hop);
    cr_expect(hop->is_tls && !hop->host_is_address);
    cr_expect(is(hop->host, "pool.corp.example"));
    cr_expect_eq(hop->port, 5071);
    cr_expect_eq(hop->profile, NEXT_HOP_PROFILE_LYNC);
    cr_expect_eq(hop->connections_max, 2);
    cr_expect_eq(hop->options_interval_s, 0);
    cr_expect_eq(hop->subscribe_rate_max, 50);
    cr_expect_eq(hop->trusted_name_count, 1);
    cr_expect(is(hop->trusted_names[0], "pool.corp.example"));
    cr_expect(next_hop_trusts_address(hop, (const struct sockaddr *)&addr));
    addr.sin_addr.s_addr = htonl(0xc0000363);
    cr_expect_not(next_hop_trusts_address(hop, (const struct sockaddr *)&addr));
    hop = snapshot_next_hop(s, SLICE_LIT("app"));
    cr_expect_eq(hop->kind, NEXT_HOP_COMPONENT);
    cr_expect_str_eq(hop->secret, "a long enough secret");
    cr_expect_null(snapshot_next_hop(s, SLICE_LIT("apps")));
    snapshot_free(s);
}

Test(snapshot, a_hop_given_by_address_is_trusted_by_it)
{
    struct snapshot *s = help_load(&(struct help_doc){
        .next_hops =
            "{\"pool\":{\"kind\":\"sip\",\"uri\":\"sip:[2001:db8::1]:5060;transport=tcp\"}}"});
    struct sockaddr_in6 addr = {.sin6_family = AF_INET6,
                                .sin6_addr = {.s6_addr = {0x20, 1, 0xd, 0xb8, [15] = 1}}};

    cr_expect_eq(s->next_hops[0].trusted_name_count, 0);
    cr_expect(next_hop_trusts_address(&s->next_hops[0], (const struct sockaddr *)&addr));
    addr.sin6_addr.s6_addr[15] = 2;
    cr_expect_not(next_hop_trusts_address(&s->next_hops[0], (const struct sockaddr *)&addr));
    snapshot_free(s);
}

Test(snapshot, listens_and_node)
{
    struct snapshot *s = help_load(&rich);
    static const enum listen_kind kinds[] = {LISTEN_XMPP_SERVER,  LISTEN_XMPP_SERVER,
                                             LISTEN_XMPPS_SERVER, LISTEN_COMPONENT,
                                             LISTEN_SIP_TLS,      LISTEN_SIP_TCP};

    cr_assert_eq(s->listen_count, ARRAY_COUNT(kinds));
    for (uint32_t i = 0; i < s->listen_count; i++) {
        cr_expect_eq(s->listens[i].kind, kinds[i]);
    }
    cr_expect_str_eq(s->listens[1].text, "[::1]:5269");
    cr_expect_str_eq(s->listens[4].text, "0.0.0.0:5061");
    cr_expect_str_eq(s->http->text, "127.0.0.1:8069");
    cr_expect_eq(s->http->kind, LISTEN_HTTP);
    cr_expect_str_eq(s->admin_path, "/run/a.sock");
    cr_expect_str_eq(s->node_name, "edge.corp.example");
    cr_expect_str_eq(s->dns_servers[0], "9.9.9.9");
    cr_expect_str_eq(s->dns_servers[1], "127.0.0.1:5353");
    cr_expect_str_eq(s->dns_servers[2], "2001:db8::53");
    cr_expect_str_eq(s->dns_servers[3], "[2001:db8::53]:5353");
    cr_expect_null(s->dns_servers[4]);
    cr_expect_str_eq(listen_kind_name(LISTEN_SIP_TCP), "sip");
    cr_expect_str_eq(listen_kind_name(LISTEN_KIND_COUNT), "?");
    snapshot_free(s);
}

Test(snapshot, defaults_are_those_of_the_manual)
{
    struct snapshot *s = help_load(&(struct help_doc){0});

    cr_expect_str_eq(s->state_dir, "/var/lib/fedgate");
    cr_expect_eq(s->shard_count, 0);
    cr_expect_eq(s->busy_poll_us, 0);
    cr_expect_null(s->http);
    cr_expect_null(s->admin_path);
    cr_expect_str_eq(s->tls_backend, "wolfssl");
    cr_expect_eq(s->ktls, TLS_KTLS_AUTO);
    cr_expect_str_eq(s->trust_path, "/etc/ssl/certs/ca-certificates.crt");
    cr_expect_null(s->crl_path);
    cr_expect_not(s->crl_required);
    cr_expect_eq(s->tls_min, PARTNER_TLS_1_2);
    cr_expect_eq(s->any_partner_tls_min, PARTNER_TLS_1_2);
    cr_expect_eq(s->resumption, TLS_RESUMPTION_ACCEPT);
    cr_expect_eq(s->limits.handshakes_per_shard_max, 64);
    cr_expect_eq(s->limits.handshakes_per_address_max, 8);
    cr_expect_null(s->dns_servers);
    cr_expect_eq(s->gateway.connection_limit, 1000);
    cr_expect_eq(s->gateway.partner_connection_limit, 20);
    cr_expect_eq(s->gateway.keepalive_interval_s, 300);
    cr_expect_eq(s->gateway.stream_establishment_timeout_s, 60);
    cr_expect_eq(s->gateway.stream_inactivity_timeout_s, 600);
    cr_expect_eq(s->gateway.subscription_refresh_interval_s, 28800);
    cr_expect_not(s->gateway.log_message_bodies);
    cr_expect_eq(s->gateway.dialback_secret.len, 0);
    cr_expect_eq(s->limits.queue_bytes_max, 4u << 20);
    cr_expect_eq(s->limits.queue_count_max, 4096);
    cr_expect_eq(s->limits.queue_age_s_max, 60);
    cr_expect_eq(s->limits.stanza_bytes_max, 262144);
    cr_expect_eq(s->limits.undecided_per_user_max, 1000);
    cr_expect_eq(s->limits.undecided_per_domain_max, 100000);
    cr_expect_eq(s->limits.drain_timeout_s, 20);
    cr_expect_str_eq(s->store_target, "/var/lib/fedgate/fedgate.db");
    cr_expect_null(s->log_path);
    cr_expect_eq(s->log_level, LOG_LEVEL_INFO);
    cr_expect_eq(s->partners[0].row->number, 1);
    cr_expect_eq(s->partners[0].type, PARTNER_TYPE_PUBLIC_UNVERIFIED);
    cr_expect(s->partners[0].keepalive);
    cr_expect_eq(s->partners[0].proxy_host.len, 0);
    cr_expect_eq(s->next_hops[0].options_interval_s, 60);
    cr_expect_eq(s->next_hops[0].subscribe_rate_max, 200);
    cr_expect_eq(s->next_hops[0].connections_max, 4);
    cr_expect_eq(s->next_hops[0].profile, NEXT_HOP_PROFILE_SIMPLE);
    snapshot_free(s);
}
