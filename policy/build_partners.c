/* SPDX-License-Identifier: GPL-2.0-or-later */
/* build_partners: the partners and their domains. */
#include <stdio.h>

#include "policy/address.h"
#include "policy/build.h"
#include "xmpp/jid.h"

#define XMPP_SERVER_PORT 5269u
#define PARTNERS_MAX     4000000u
#define MORE_DOMAINS_MAX 10000u /* of one partner */

/* Both forms; the idx of whoever had one of them before, or NAMES_NONE. */
static uint32_t add_names(struct names *table, const struct build_name *name, uint32_t idx)
{
    uint32_t before = names_add(table, name->ascii, idx);

    if (before == NAMES_NONE && !slice_eq(name->unicode, name->ascii)) {
        before = names_add(table, name->unicode, idx);
    }
    return before;
}

/* NULL, or why the name cannot be this partner's (static or in text). */
static const char *claim_name(struct load *l, struct slice written, struct partner *partner,
                              struct slice *out, char text[BUILD_TAKEN_BYTES])
{
    struct build_name names;
    const char *fault = build_read_name(l, written, &names);
    struct local_domain *ours;
    uint32_t before;

    if (fault) {
        return fault;
    }
    ours = map_get(&l->snapshot->domain_map, names.ascii);
    if (ours) {
        (void)snprintf(text, BUILD_TAKEN_BYTES,
                       "is our own domain (domains[%u]); a partner's must be another one",
                       (unsigned)ours->idx);
        return text;
    }
    before = add_names(&l->snapshot->partner_names, &names, partner->idx);
    if (before != NAMES_NONE) {
        build_taken_text(text, "partners", before);
        return text;
    }
    *out = names.ascii;
    return NULL;
}

static void build_more_domains(struct load *l, const struct schema_values *v,
                               struct partner *partner)
{
    const struct schema_value *value = schema_get(v, KEY_partner_additional_domains);
    uint32_t node = JSON_NONE;
    uint32_t element = 0;
    uint32_t count;
    struct slice text;
    struct slice *names;

    if (value->node == JSON_NONE || !value->is_good) {
        return;
    }
    count = json_child_count(&l->doc, value->node);
    if (count > MORE_DOMAINS_MAX) {
        schema_error(l, v, KEY_partner_additional_domains, "has %u entries; at most %u are allowed",
                     (unsigned)count, MORE_DOMAINS_MAX);
        return;
    }
    names = arena_zalloc(l->arena, count * sizeof(*names));
    partner->more_domains = names;
    while (schema_next_text(l, value, &node, &element, &text)) {
        char taken[BUILD_TAKEN_BYTES];
        const char *fault = claim_name(l, text, partner, &names[partner->more_domain_count], taken);

        if (fault) {
            schema_element_error(l, v, KEY_partner_additional_domains, element, node, "%s", fault);
        } else {
            partner->more_domain_count++;
        }
    }
}

static void build_negotiation(struct load *l, const struct schema_values *v,
                              struct partner *partner)
{
    enum partner_level tls = (enum partner_level)schema_u32(v, KEY_partner_tls);
    enum partner_level sasl = (enum partner_level)schema_u32(v, KEY_partner_sasl);
    bool dialback = schema_u32(v, KEY_partner_dialback) != 0;
    const struct partner_row *row = partner_row_find(tls, sasl, dialback);
    bool is_good = schema_get(v, KEY_partner_tls)->is_good &&
                   schema_get(v, KEY_partner_sasl)->is_good &&
                   schema_get(v, KEY_partner_dialback)->is_good;
    bool is_written = schema_is_written(v, KEY_partner_tls) ||
                      schema_is_written(v, KEY_partner_sasl) ||
                      schema_is_written(v, KEY_partner_dialback);
    /* Points at what is most probably to be changed. */
    enum schema_key_idx key = schema_is_written(v, KEY_partner_sasl)       ? KEY_partner_sasl
                              : schema_is_written(v, KEY_partner_dialback) ? KEY_partner_dialback
                                                                           : KEY_partner_tls;

    partner->row = row;
    if (!is_good) {
        return;
    }
    if (row->verdict == PARTNER_VERDICT_REJECT) {
        schema_error(l, v, key, "%s (tls %s, sasl %s, dialback %s): %s", row->reason,
                     partner_level_name(tls), partner_level_name(sasl), dialback ? "true" : "false",
                     row->text);
    } else if (row->verdict == PARTNER_VERDICT_WARN && is_written) {
        /* Nothing written is the default row 1: not worth a line per partner. */
        schema_warning(l, v, key, "%s (tls %s, sasl %s, dialback %s): %s", row->reason,
                       partner_level_name(tls), partner_level_name(sasl),
                       dialback ? "true" : "false", row->text);
    }
}

static void build_proxy(struct load *l, const struct schema_values *v, struct partner *partner)
{
    const struct schema_value *value = schema_get(v, KEY_partner_proxy_fqdn);
    struct address_host host;
    const char *fault;

    if (!schema_is_written(v, KEY_partner_proxy_fqdn) || !value->is_good) {
        return;
    }
    fault = address_host_parse(value->text, &host);
    if (fault) {
        schema_error(l, v, KEY_partner_proxy_fqdn, "%s", fault);
        return;
    }
    partner->proxy_host = arena_slice(l->arena, jid_ascii_slice(&host.host));
    partner->proxy_port = host.port ? host.port : XMPP_SERVER_PORT;
}

static void build_tls_min(struct load *l, const struct schema_values *v, struct partner *partner)
{
    struct snapshot *s = l->snapshot;

    partner->tls_min = (uint8_t)s->tls_min;
    if (schema_is_written(v, KEY_partner_min_tls_version)) {
        partner->tls_min = (uint8_t)schema_u32(v, KEY_partner_min_tls_version);
        build_check_tls_min(l, v, KEY_partner_min_tls_version);
        if (schema_get(v, KEY_partner_tls)->is_good && !partner->row->tls_offer) {
            schema_warning(l, v, KEY_partner_min_tls_version,
                           "says nothing: TLS is not used with this partner");
        }
    }
    if (partner->row->tls_offer && partner->tls_min < s->any_partner_tls_min) {
        s->any_partner_tls_min = (enum partner_tls_min)partner->tls_min;
    }
}

static uint8_t count_labels(struct slice ascii)
{
    uint8_t count = 1;

    for (size_t i = 0; i < ascii.len; i++) {
        count = (uint8_t)(count + (ascii.ptr[i] == '.')); /* at most 127: 253 bytes */
    }
    return count;
}

static void note_suffix(struct snapshot *s, struct slice ascii)
{
    uint8_t labels = count_labels(ascii);

    if (!s->any_suffix_match || labels < s->suffix_labels_min) {
        s->suffix_labels_min = labels;
    }
    if (labels > s->suffix_labels_max) {
        s->suffix_labels_max = labels;
    }
    s->any_suffix_match = true;
}

static void build_suffix(struct load *l, const struct schema_values *v, struct partner *partner)
{
    partner->suffix_match = schema_u32(v, KEY_partner_suffix_match) != 0;
    if (!partner->suffix_match || partner->domain.len == 0) {
        return;
    }
    note_suffix(l->snapshot, partner->domain);
    for (uint32_t i = 0; i < partner->more_domain_count; i++) {
        note_suffix(l->snapshot, partner->more_domains[i]);
    }
    for (uint32_t i = 0; i <= partner->more_domain_count; i++) {
        struct slice name = i ? partner->more_domains[i - 1] : partner->domain;

        if (slice_find(name, '.') < 0) {
            schema_warning(l, v, KEY_partner_suffix_match,
                           "makes every domain below \"%.*s\" this partner's; that is as far as "
                           "anybody who gets a name there",
                           SLICE_FMT(name));
        }
    }
}

static void build_partner(struct load *l, uint32_t node, struct partner *partner)
{
    struct load_where where = {.section = "partners", .kind = LOAD_AT_IDX, .idx = partner->idx};
    const struct gateway_settings *gateway = &l->snapshot->gateway;
    struct schema_values v;

    if (!schema_read(l, node, SECTION_partner, &where, &v)) {
        return;
    }
    if (schema_get(&v, KEY_partner_domain)->is_good) {
        char text[BUILD_TAKEN_BYTES];
        const char *fault = claim_name(l, schema_get(&v, KEY_partner_domain)->text, partner,
                                       &partner->domain, text);

        if (fault) {
            schema_error(l, &v, KEY_partner_domain, "%s", fault);
        } else {
            partner->id = partner_id(partner->domain);
        }
    }
    build_more_domains(l, &v, partner);
    build_negotiation(l, &v, partner);
    build_tls_min(l, &v, partner);
    build_proxy(l, &v, partner);
    partner->description = arena_slice(l->arena, schema_get(&v, KEY_partner_description)->text);
    partner->type = (uint8_t)schema_u32(&v, KEY_partner_type);
    partner->acks = (uint8_t)schema_u32(&v, KEY_partner_acks);
    partner->keepalive = schema_u32(&v, KEY_partner_keepalive) != 0;
    build_suffix(l, &v, partner);
    build_partner_extra(l, &v, partner);
    partner->connection_limit = gateway->partner_connection_limit;
    if (schema_is_written(&v, KEY_partner_connection_limit) &&
        schema_get(&v, KEY_partner_connection_limit)->is_good) {
        partner->connection_limit = schema_u32(&v, KEY_partner_connection_limit);
        if (partner->connection_limit > gateway->connection_limit) {
            schema_warning(l, &v, KEY_partner_connection_limit,
                           "is above gateway.connection_limit (%u), which is reached first",
                           (unsigned)gateway->connection_limit);
        }
    }
    l->snapshot->any_partner_auth |= partner->row->auth;
    l->needs_tls = l->needs_tls || partner->row->tls_offer;
}

/* --- names below those of partners with suffix_match --- */

static void warn_covered(struct load *l, const struct load_where *where, uint32_t node,
                         const char *text)
{
    char path[LOAD_PATH_BYTES];

    load_path(path, where, NULL, -1);
    load_problem_at(l, true, l->doc.nodes[node].start, path, text);
}

static void check_covered_name(struct load *l, uint32_t node, const struct partner *p,
                               struct slice name)
{
    struct load_where where = {.section = "partners", .kind = LOAD_AT_IDX, .idx = p->idx};
    const struct partner *by = name.len ? snapshot_suffix_partner(l->snapshot, name) : NULL;
    char text[512];

    if (!by) {
        return;
    }
    if (by == p) {
        (void)snprintf(text, sizeof(text),
                       "%.*s is below another of its domains: \"suffix_match\" covers it already",
                       SLICE_FMT(name));
    } else {
        (void)snprintf(text, sizeof(text),
                       "%.*s is below a domain of partners[%u], which has \"suffix_match\"; what "
                       "stands here counts for it, not that",
                       SLICE_FMT(name), (unsigned)by->idx);
    }
    warn_covered(l, &where, node, text);
}

/* The longest name counts, and ours is ours, so nothing is in doubt; but whoever wrote the short
 * one may not know of the other. */
static void check_suffixes(struct load *l, uint32_t list)
{
    struct snapshot *s = l->snapshot;
    uint32_t idx = 0;

    for (uint32_t i = 0; i < s->domain_count; i++) {
        uint8_t labels = count_labels(s->domains[i].name);

        /* Lookups stop at our domains. */
        s->suffix_labels_max = labels > s->suffix_labels_max ? labels : s->suffix_labels_max;
    }
    for (uint32_t i = 0; i < s->domain_count; i++) {
        struct load_where where = {.section = "domains", .kind = LOAD_AT_IDX, .idx = i};
        struct slice name = s->domains[i].name;
        const struct partner *by = name.len ? snapshot_suffix_partner(s, name) : NULL;
        char text[512];

        if (by) {
            (void)snprintf(text, sizeof(text),
                           "%.*s is below a domain of partners[%u], which has \"suffix_match\"; it "
                           "stays ours",
                           SLICE_FMT(name), (unsigned)by->idx);
            warn_covered(l, &where, l->domain_nodes[i], text);
        }
    }
    for (uint32_t at = list + 1; at < l->doc.nodes[list].next; at = l->doc.nodes[at].next) {
        const struct partner *p = &s->partners[idx++];

        check_covered_name(l, at, p, p->domain);
        for (uint32_t i = 0; i < p->more_domain_count; i++) {
            check_covered_name(l, at, p, p->more_domains[i]);
        }
    }
}

void build_partners(struct load *l, const struct schema_values *root)
{
    uint32_t node = schema_get(root, KEY_root_partners)->node;
    uint32_t count = node == JSON_NONE ? 0 : json_child_count(&l->doc, node);
    uint32_t idx = 0;

    if (count == 0) {
        if (schema_get(root, KEY_root_partners)->is_good) {
            schema_warning(l, root, KEY_root_partners, "is empty: nobody outside can be talked to");
        }
        return;
    }
    if (count > PARTNERS_MAX) {
        schema_error(l, root, KEY_root_partners, "has %u entries; at most %u are allowed",
                     (unsigned)count, PARTNERS_MAX);
        return;
    }
    l->partners = arena_zalloc(l->arena, count * sizeof(*l->partners));
    l->snapshot->partners = l->partners;
    l->snapshot->partner_count = count;
    names_reserve(&l->snapshot->partner_names, count);
    for (uint32_t at = node + 1; at < l->doc.nodes[node].next; at = l->doc.nodes[at].next) {
        l->partners[idx].idx = idx;
        build_partner(l, at, &l->partners[idx]);
        idx++;
    }
    if (l->snapshot->any_suffix_match) {
        check_suffixes(l, node);
    }
}
