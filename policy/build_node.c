/* SPDX-License-Identifier: GPL-2.0-or-later */
/* build_node: the sections that concern the node as a whole. */
#include <stdio.h>

#include "base/log.h"
#include "policy/address.h"
#include "policy/build.h"
#include "policy/quote.h"

#define DNS_SERVERS_MAX 16u

static void read_section(struct load *l, const struct schema_values *root, enum schema_key_idx key,
                         enum schema_section section, struct schema_values *out)
{
    struct load_where where = {.section = schema_key_at(key)->name};

    (void)schema_read(l, schema_get(root, key)->node, section, &where, out);
}

const char *build_path(struct load *l, struct slice path)
{
    char *out;

    if (path.ptr[0] == '/' || l->folder.len == 0) {
        return arena_strdup(l->arena, path);
    }
    out = arena_zalloc(l->arena, l->folder.len + path.len + 1);
    memcpy(out, l->folder.ptr, l->folder.len);
    memcpy(out + l->folder.len, path.ptr, path.len);
    return out;
}

void build_gateway(struct load *l, const struct schema_values *root)
{
    struct gateway_settings *g = &l->snapshot->gateway;
    struct schema_values v;

    read_section(l, root, KEY_root_gateway, SECTION_gateway, &v);
    g->connection_limit = schema_u32(&v, KEY_gateway_connection_limit);
    g->partner_connection_limit = schema_u32(&v, KEY_gateway_partner_connection_limit);
    g->keepalive_interval_s = schema_u32(&v, KEY_gateway_keepalive_interval_s);
    g->stream_establishment_timeout_s = schema_u32(&v, KEY_gateway_stream_establishment_timeout_s);
    g->stream_inactivity_timeout_s = schema_u32(&v, KEY_gateway_stream_inactivity_timeout_s);
    g->subscription_refresh_interval_s =
        schema_u32(&v, KEY_gateway_subscription_refresh_interval_s);
    g->reply_window_s = schema_u32(&v, KEY_gateway_reply_window_s);
    g->log_message_bodies = schema_u32(&v, KEY_gateway_log_message_bodies) != 0;
    g->dialback_secret = arena_slice(l->arena, schema_get(&v, KEY_gateway_dialback_secret)->text);
    if (g->partner_connection_limit > g->connection_limit) {
        schema_warning(l, &v, KEY_gateway_partner_connection_limit,
                       "is above gateway.connection_limit (%u), which is reached first",
                       (unsigned)g->connection_limit);
    }
}

void build_limits(struct load *l, const struct schema_values *root)
{
    struct limit_settings *m = &l->snapshot->limits;
    struct schema_values v;

    read_section(l, root, KEY_root_limits, SECTION_limits, &v);
    m->queue_bytes_max = schema_u32(&v, KEY_limits_queue_bytes_max);
    m->queue_count_max = schema_u32(&v, KEY_limits_queue_count_max);
    m->queue_age_s_max = schema_u32(&v, KEY_limits_queue_age_s_max);
    m->stanza_bytes_max = schema_u32(&v, KEY_limits_stanza_bytes_max);
    m->unauthenticated_bytes_max = schema_u32(&v, KEY_limits_unauthenticated_bytes_max);
    m->connections_per_address_max = schema_u32(&v, KEY_limits_connections_per_address_max);
    m->handshakes_per_shard_max = schema_u32(&v, KEY_limits_handshakes_per_shard_max);
    m->handshakes_per_address_max = schema_u32(&v, KEY_limits_handshakes_per_address_max);
    m->connections_per_shard_max = schema_u32(&v, KEY_limits_connections_per_shard_max);
    m->memory_per_shard_bytes_max = schema_get(&v, KEY_limits_memory_per_shard_bytes_max)->number;
    m->undecided_per_user_max = schema_u32(&v, KEY_limits_undecided_per_user_max);
    m->undecided_per_domain_max = schema_u32(&v, KEY_limits_undecided_per_domain_max);
    m->drain_timeout_s = schema_u32(&v, KEY_limits_drain_timeout_s);
    if (m->queue_bytes_max < m->stanza_bytes_max) {
        schema_error(l, &v, KEY_limits_queue_bytes_max,
                     "is below limits.stanza_bytes_max (%u): a stanza that is allowed would never "
                     "fit the queue",
                     (unsigned)m->stanza_bytes_max);
    }
}

/* "sqlite:PATH"; relative: inside state_dir. */
static void build_store(struct load *l, const struct schema_values *root, const char *state_dir)
{
    struct slice text = schema_get(root, KEY_root_store)->text;
    struct snapshot *s = l->snapshot;
    struct slice sqlite = SLICE_LIT("sqlite:");

    if (slice_starts(text, SLICE_LIT("postgresql://")) ||
        slice_starts(text, SLICE_LIT("postgres://"))) {
        schema_error(l, root, KEY_root_store,
                     "PostgreSQL comes with a later version: must be \"sqlite:FILE\"");
        return;
    }
    if (!slice_starts(text, sqlite) || text.len == sqlite.len) {
        schema_error(l, root, KEY_root_store, "must be \"sqlite:FILE\"");
        return;
    }
    text = slice_from(text, sqlite.len);
    if (text.ptr[0] == '/') {
        s->store_target = arena_strdup(l->arena, text);
    } else {
        size_t bytes = strlen(state_dir) + text.len + 2;
        char *path = arena_zalloc(l->arena, bytes);

        (void)snprintf(path, bytes, "%s/%.*s", state_dir, SLICE_FMT(text));
        s->store_target = path;
    }
}

void build_node(struct load *l, const struct schema_values *root)
{
    struct snapshot *s = l->snapshot;
    struct address_host host;
    struct schema_values v;
    const char *fault;

    read_section(l, root, KEY_root_node, SECTION_node, &v);
    s->state_dir = build_path(l, schema_get(&v, KEY_node_state_dir)->text);
    s->shard_count = schema_u32(&v, KEY_node_shards);
    s->busy_poll_us = schema_u32(&v, KEY_node_busy_poll_us);
    build_store(l, root, s->state_dir);
    s->node_name = "";
    if (!schema_is_written(&v, KEY_node_name) || !schema_get(&v, KEY_node_name)->is_good) {
        return;
    }
    fault = address_host_parse(schema_get(&v, KEY_node_name)->text, &host);
    if (!fault && (host.is_address || host.port)) {
        fault = "must be a host name without port";
    }
    if (fault) {
        schema_error(l, &v, KEY_node_name, "%s", fault);
        return;
    }
    s->node_name = arena_strdup(l->arena, jid_ascii_slice(&host.host));
}

void build_check_tls_min(struct load *l, const struct schema_values *v, enum schema_key_idx key)
{
    if (schema_u32(v, key) == PARTNER_TLS_1_3 && schema_get(v, key)->is_good &&
        strcmp(l->snapshot->tls_backend, "mbedtls") == 0) {
        schema_error(l, v, key,
                     "\"1.3\" cannot be had with tls.backend \"mbedtls\", whose library speaks "
                     "TLS 1.2 only: every connection would fail; use \"wolfssl\"");
    }
}

/* Revocation, versions and tickets. */
static void build_tls_checks(struct load *l, const struct schema_values *v)
{
    struct snapshot *s = l->snapshot;

    s->tls_min = (enum partner_tls_min)schema_u32(v, KEY_tls_min_version);
    s->any_partner_tls_min = PARTNER_TLS_MIN_COUNT; /* until the partners are read */
    s->resumption = (enum tls_resumption)schema_u32(v, KEY_tls_resumption);
    s->crl_required = schema_u32(v, KEY_tls_crl_required) != 0;
    build_check_tls_min(l, v, KEY_tls_min_version);
    if (schema_is_written(v, KEY_tls_crl) && schema_get(v, KEY_tls_crl)->is_good) {
        s->crl_path = build_path(l, schema_get(v, KEY_tls_crl)->text);
    }
    if (s->crl_required && schema_get(v, KEY_tls_crl)->node == JSON_NONE) {
        schema_error(l, v, KEY_tls_crl_required,
                     "needs tls.crl: without any CRL no certificate could be accepted");
    }
}

void build_tls(struct load *l, const struct schema_values *root)
{
    struct snapshot *s = l->snapshot;
    struct schema_values v;
    bool has_certificate;
    bool has_key;

    read_section(l, root, KEY_root_tls, SECTION_tls, &v);
    s->tls_backend = schema_get(&v, KEY_tls_backend)->number == 0 ? "wolfssl" : "mbedtls";
    s->ktls = (enum tls_ktls)schema_u32(&v, KEY_tls_ktls);
    s->trust_path = build_path(l, schema_get(&v, KEY_tls_trust)->text);
    build_tls_checks(l, &v);
    has_certificate = schema_is_written(&v, KEY_tls_certificate);
    has_key = schema_is_written(&v, KEY_tls_key);
    /* Written, good or not: no second complaint about a missing certificate. */
    l->has_default_credential = has_certificate || has_key;
    if (has_certificate != has_key) {
        schema_error(l, &v, has_key ? KEY_tls_certificate : KEY_tls_key,
                     "is missing: certificate and key go together");
        return;
    }
    if (has_certificate && schema_get(&v, KEY_tls_certificate)->is_good &&
        schema_get(&v, KEY_tls_key)->is_good) {
        l->default_credential = (struct credential){
            .certificate_path = build_path(l, schema_get(&v, KEY_tls_certificate)->text),
            .key_path = build_path(l, schema_get(&v, KEY_tls_key)->text)};
    }
}

/* As the resolver wants it: "ip", "ip:port", "[ip6]:port"; NULL = not an address. */
static const char *dns_server(struct load *l, struct slice text)
{
    char brackets[INET6_ADDRSTRLEN + 3];
    struct address_host server;
    const char *host = server.host.text;
    char out[sizeof(brackets) + 8];

    if (slice_find(text, ':') != slice_find_last(text, ':') && text.ptr[0] != '[' &&
        text.len < INET6_ADDRSTRLEN) {
        /* A bare IPv6 address, as resolv.conf would hold it. */
        (void)snprintf(brackets, sizeof(brackets), "[%.*s]", SLICE_FMT(text));
        text = slice_from_cstr(brackets);
    }
    if (address_host_parse(text, &server) || !server.is_address) {
        return NULL;
    }
    if (server.port == 0) {
        return arena_strdup(l->arena, jid_ascii_slice(&server.host));
    }
    (void)snprintf(out, sizeof(out), strchr(host, ':') ? "[%.46s]:%u" : "%.46s:%u", host,
                   (unsigned)server.port);
    return arena_strdup(l->arena, slice_from_cstr(out));
}

void build_dns(struct load *l, const struct schema_values *root)
{
    struct schema_values v;
    uint32_t node = JSON_NONE;
    uint32_t element = 0;
    uint32_t count = 0;
    struct slice text;
    const char **servers;

    read_section(l, root, KEY_root_dns, SECTION_dns, &v);
    servers = arena_zalloc(l->arena, (DNS_SERVERS_MAX + 1) * sizeof(*servers));
    while (schema_next_text(l, schema_get(&v, KEY_dns_servers), &node, &element, &text)) {
        const char *server = dns_server(l, text);

        if (!server) {
            schema_element_error(l, &v, KEY_dns_servers, element, node,
                                 "must be an IP address, or \"IP:PORT\", \"[IPv6]:PORT\"");
        } else if (count == DNS_SERVERS_MAX) {
            schema_element_error(l, &v, KEY_dns_servers, element, node,
                                 "is one too many: at most %u servers are asked", DNS_SERVERS_MAX);
            return;
        } else {
            servers[count++] = server;
        }
    }
    l->snapshot->dns_servers = count ? servers : NULL;
}

void build_log(struct load *l, const struct schema_values *root)
{
    struct schema_values v;

    read_section(l, root, KEY_root_log, SECTION_log, &v);
    l->snapshot->log_level = (int)schema_get(&v, KEY_log_level)->number;
    if (schema_is_written(&v, KEY_log_file) && schema_get(&v, KEY_log_file)->is_good) {
        l->snapshot->log_path = build_path(l, schema_get(&v, KEY_log_file)->text);
    }
}
