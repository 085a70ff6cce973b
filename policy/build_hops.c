/* SPDX-License-Identifier: GPL-2.0-or-later */
/* build_hops: next hops, the inside of the gateway. */
#include "base/ascii.h"
#include "policy/address.h"
#include "policy/build.h"
#include "policy/quote.h"

#define HOPS_MAX           4096u
#define HOP_NAME_BYTES_MAX 64u
#define SECRET_BYTES_SHORT 12u /* below: a warning */

static bool is_hop_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (!ascii_is_alnum(c) && c != '-' && c != '_' && c != '.') {
            return false;
        }
    }
    return name.len > 0 && name.len <= HOP_NAME_BYTES_MAX;
}

/* Keys of the other kind are errors: silently ignored they would look as if they worked. */
static void refuse_keys(struct load *l, const struct schema_values *v,
                        const enum schema_key_idx *keys, uint32_t count, const char *kind)
{
    for (uint32_t i = 0; i < count; i++) {
        if (schema_get(v, keys[i])->key_node != JSON_NONE) {
            schema_error(l, v, keys[i], "is only for next hops of kind \"%s\"", kind);
        }
    }
}

static uint32_t text_count(const struct load *l, const struct schema_value *value)
{
    bool is_list = value->node != JSON_NONE && value->is_good;

    return is_list ? json_child_count(&l->doc, value->node) : 0;
}

static void build_ranges(struct load *l, const struct schema_values *v, struct next_hop *hop)
{
    const struct schema_value *value = schema_get(v, KEY_next_hop_trusted_addresses);
    struct address_range *ranges =
        arena_zalloc(l->arena, (text_count(l, value) + 1) * sizeof(*ranges));
    uint32_t node = JSON_NONE;
    uint32_t element = 0;
    uint32_t count = 0;
    struct slice text;

    while (schema_next_text(l, value, &node, &element, &text)) {
        const char *fault = address_range_parse(text, &ranges[count]);

        if (fault) {
            schema_element_error(l, v, KEY_next_hop_trusted_addresses, element, node, "%s", fault);
        } else {
            count++;
        }
    }
    if (!schema_is_written(v, KEY_next_hop_trusted_addresses) && hop->host_is_address) {
        count = address_range_parse(hop->host, &ranges[0]) == NULL;
    }
    hop->trusted_ranges = ranges;
    hop->trusted_range_count = count;
}

static void build_trusted_names(struct load *l, const struct schema_values *v, struct next_hop *hop)
{
    const struct schema_value *value = schema_get(v, KEY_next_hop_trusted_names);
    struct slice *names = arena_zalloc(l->arena, (text_count(l, value) + 1) * sizeof(*names));
    uint32_t node = JSON_NONE;
    uint32_t element = 0;
    uint32_t count = 0;
    struct slice text;

    while (schema_next_text(l, value, &node, &element, &text)) {
        struct address_host host;
        const char *fault = address_host_parse(text, &host);

        if (!fault && (host.is_address || host.port)) {
            fault = "must be a host name as it stands in the certificate";
        }
        if (fault) {
            schema_element_error(l, v, KEY_next_hop_trusted_names, element, node, "%s", fault);
        } else {
            names[count++] = arena_slice(l->arena, jid_ascii_slice(&host.host));
        }
    }
    if (schema_is_written(v, KEY_next_hop_trusted_names) && hop->uri.len && !hop->is_tls) {
        schema_error(l, v, KEY_next_hop_trusted_names,
                     "needs transport=tls: without it nobody shows a certificate");
    }
    if (!schema_is_written(v, KEY_next_hop_trusted_names) && hop->is_tls && !hop->host_is_address) {
        names[count++] = hop->host;
    }
    hop->trusted_names = names;
    hop->trusted_name_count = count;
}

static void build_sip(struct load *l, const struct schema_values *v, struct next_hop *hop)
{
    static const enum schema_key_idx others[] = {KEY_next_hop_secret};
    const struct schema_value *uri = schema_get(v, KEY_next_hop_uri);
    struct address_sip sip;
    const char *fault;

    refuse_keys(l, v, others, ARRAY_COUNT(others), "component");
    hop->profile = (enum next_hop_profile)schema_u32(v, KEY_next_hop_profile);
    if (hop->profile == NEXT_HOP_PROFILE_LYNC) {
        schema_warning(
            l, v, KEY_next_hop_profile,
            "\"lync\" is in force for presence only: this release sends messages as \"simple\"");
    }
    hop->options_interval_s = schema_u32(v, KEY_next_hop_options_interval_s);
    hop->subscribe_rate_max = schema_u32(v, KEY_next_hop_subscribe_rate_max);
    hop->connections_max = schema_u32(v, KEY_next_hop_max_connections);
    if (uri->key_node == JSON_NONE) {
        schema_error(l, v, KEY_next_hop_uri,
                     "is missing; as \"sip:pool.corp.example;transport=tls\"");
    } else if (uri->is_good) {
        fault = address_sip_parse(uri->text, &sip);
        if (fault) {
            schema_error(l, v, KEY_next_hop_uri, "%s", fault);
        } else {
            hop->uri = arena_slice(l->arena, uri->text);
            hop->host = arena_slice(l->arena, jid_ascii_slice(&sip.target.host));
            hop->port = sip.target.port;
            hop->is_tls = sip.is_tls;
            hop->host_is_address = sip.target.is_address;
            l->needs_tls = l->needs_tls || sip.is_tls;
        }
    }
    build_ranges(l, v, hop);
    build_trusted_names(l, v, hop);
    if (hop->uri.len && hop->trusted_range_count == 0 && hop->trusted_name_count == 0 &&
        !schema_is_written(v, KEY_next_hop_trusted_names)) {
        schema_error(l, v, KEY_next_hop_trusted_addresses,
                     "is missing: over TCP requests are accepted by address only; list the "
                     "addresses of the next hop, as [\"192.0.2.10\"], or use transport=tls");
    }
}

static void build_component(struct load *l, const struct schema_values *v, struct next_hop *hop)
{
    static const enum schema_key_idx others[] = {KEY_next_hop_uri,
                                                 KEY_next_hop_profile,
                                                 KEY_next_hop_trusted_names,
                                                 KEY_next_hop_trusted_addresses,
                                                 KEY_next_hop_options_interval_s,
                                                 KEY_next_hop_subscribe_rate_max,
                                                 KEY_next_hop_max_connections};
    const struct schema_value *secret = schema_get(v, KEY_next_hop_secret);

    refuse_keys(l, v, others, ARRAY_COUNT(others), "sip");
    if (secret->key_node == JSON_NONE) {
        schema_error(l, v, KEY_next_hop_secret,
                     "is missing; the component shows that it knows it (XEP-0114)");
        return;
    }
    if (!secret->is_good) {
        return;
    }
    hop->secret = arena_strdup(l->arena, secret->text);
    if (secret->text.len < SECRET_BYTES_SHORT) {
        schema_warning(l, v, KEY_next_hop_secret, "is short; %u characters or more are advised",
                       SECRET_BYTES_SHORT);
    }
    if (l->listens_of[LISTEN_COMPONENT] == 0) {
        schema_error(l, v, KEY_next_hop_kind,
                     "component needs an address to connect to: add \"listen\": {\"component\": "
                     "[\"127.0.0.1:5347\"]}");
    }
}

/* kind "xmpp" is planned: it deserves better than "must be sip or component". */
static bool is_later_kind(struct load *l, uint32_t node, const struct load_where *where)
{
    uint32_t at = node + 1;

    if (json_kind_of(&l->doc, node) != JSON_OBJECT) {
        return false;
    }
    for (; at < l->doc.nodes[node].next; at = l->doc.nodes[at + 1].next) {
        if (slice_eq_cstr(json_text(&l->doc, at), "kind") &&
            json_kind_of(&l->doc, at + 1) == JSON_TEXT &&
            slice_eq_cstr(json_text(&l->doc, at + 1), "xmpp")) {
            char path[LOAD_PATH_BYTES];

            load_path(path, where, "kind", -1);
            load_problem_at(l, false, l->doc.nodes[at + 1].start, path,
                            "\"xmpp\" (an XMPP server as the inside) is not in this release; must "
                            "be \"sip\" or \"component\"");
            return true;
        }
    }
    return false;
}

static void build_hop(struct load *l, uint32_t key_node, struct next_hop *hop)
{
    struct slice name = json_text(&l->doc, key_node);
    struct load_where where = {.section = "next_hops", .kind = LOAD_AT_NAME, .name = name};
    uint32_t start = l->doc.nodes[key_node].start;
    struct schema_values v;
    char path[LOAD_PATH_BYTES];

    load_path(path, &where, NULL, -1);
    hop->name = arena_slice(l->arena, name);
    if (!is_hop_name(name)) {
        load_problem_at(l, false, start, path,
                        "names a next hop with letters, digits, '-', '_' and '.', at most 64");
    }
    if (hop->name.len && map_add(&l->snapshot->hop_map, hop->name, hop)) {
        load_problem_at(l, false, start, path, "is written twice; one of the two must go");
    }
    if (is_later_kind(l, key_node + 1, &where) ||
        !schema_read(l, key_node + 1, SECTION_next_hop, &where, &v)) {
        return;
    }
    if (!schema_get(&v, KEY_next_hop_kind)->is_good) {
        return;
    }
    hop->kind = (enum next_hop_kind)schema_u32(&v, KEY_next_hop_kind);
    if (hop->kind == NEXT_HOP_SIP) {
        build_sip(l, &v, hop);
    } else {
        build_component(l, &v, hop);
    }
}

void build_hops(struct load *l, const struct schema_values *root)
{
    uint32_t node = schema_get(root, KEY_root_next_hops)->node;
    uint32_t count;
    uint32_t idx = 0;

    if (node == JSON_NONE) {
        return;
    }
    count = json_child_count(&l->doc, node);
    if (count == 0) {
        schema_error(l, root, KEY_root_next_hops, "is empty; at least one next hop is needed");
        return;
    }
    if (count > HOPS_MAX) {
        schema_error(l, root, KEY_root_next_hops, "has %u entries; at most %u are allowed",
                     (unsigned)count, HOPS_MAX);
        return;
    }
    l->next_hops = arena_zalloc(l->arena, count * sizeof(*l->next_hops));
    l->hop_nodes = arena_zalloc(l->arena, count * sizeof(*l->hop_nodes));
    l->hop_is_used = arena_zalloc(l->arena, count * sizeof(*l->hop_is_used));
    l->snapshot->next_hops = l->next_hops;
    l->snapshot->next_hop_count = count;
    for (uint32_t at = node + 1; at < l->doc.nodes[node].next; at = l->doc.nodes[at + 1].next) {
        l->next_hops[idx].idx = idx;
        l->hop_nodes[idx] = at;
        build_hop(l, at, &l->next_hops[idx]);
        idx++;
    }
}
