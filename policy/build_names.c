/* SPDX-License-Identifier: GPL-2.0-or-later */
/* build_names: our domains, the partners and theirs; no name may stand for two. */
#include <stdio.h>

#include "policy/address.h"
#include "policy/build.h"
#include "policy/quote.h"
#include "xmpp/jid.h"

#define XMPP_SERVER_PORT  5269u
#define LOCAL_DOMAINS_MAX 100000u
#define PARTNERS_MAX      4000000u
#define MORE_DOMAINS_MAX  10000u /* of one partner */

/* Both forms in the arena; the U-label only where it differs. */
struct names_of {
    struct slice ascii;
    struct slice unicode;
};

static const char *read_name(struct load *l, struct slice text, struct names_of *out)
{
    const char *fault = jid_domain_fault(text);
    struct jid_storage mem;
    struct jid_ascii ascii;
    struct jid jid;

    if (fault) {
        return fault;
    }
    if (jid_domain_to_ascii(text, &ascii) != 0) {
        return "is not a domain name";
    }
    out->ascii = arena_slice(l->arena, jid_ascii_slice(&ascii));
    out->unicode = out->ascii;
    if (memmem(ascii.text, ascii.len, "xn--", 4) != NULL) {
        if (jid_make(&mem, SLICE_NONE, text, SLICE_NONE, &jid) != 0) {
            return "is not a domain name";
        }
        if (!slice_eq(jid.domain, out->ascii)) {
            out->unicode = arena_slice(l->arena, jid.domain);
        }
    }
    return NULL;
}

/* Adds both forms; whoever had the name before, or NULL. */
static void *add_names(struct map *map, const struct names_of *names, void *value)
{
    void *before = map_add(map, names->ascii, value);

    if (!before && !slice_eq(names->unicode, names->ascii)) {
        before = map_add(map, names->unicode, value);
    }
    return before;
}

/* The same for a partner's: the idx of whoever had it before, or NAMES_NONE. */
static uint32_t add_partner_names(struct names *table, const struct names_of *names, uint32_t idx)
{
    uint32_t before = names_add(table, names->ascii, idx);

    if (before == NAMES_NONE && !slice_eq(names->unicode, names->ascii)) {
        before = names_add(table, names->unicode, idx);
    }
    return before;
}

/* "is already partners[3]": which element has the name. */
static void taken_text(char *out, size_t bytes, const char *list, uint32_t idx)
{
    (void)snprintf(out, bytes, "is already a name of %s[%u]; a domain stands in one place only",
                   list, (unsigned)idx);
}

/* --- our domains --- */

static void build_domain(struct load *l, uint32_t node, struct local_domain *domain)
{
    struct load_where where = {.section = "domains", .kind = LOAD_AT_IDX, .idx = domain->idx};
    const struct schema_value *hop;
    struct names_of names;
    struct schema_values v;
    bool has_certificate;

    if (!schema_read(l, node, SECTION_domain, &where, &v)) {
        return;
    }
    if (schema_get(&v, KEY_domain_name)->is_good) {
        const char *fault = read_name(l, schema_get(&v, KEY_domain_name)->text, &names);
        struct local_domain *before =
            fault ? NULL : add_names(&l->snapshot->domain_map, &names, domain);
        char text[96];

        if (before) {
            taken_text(text, sizeof(text), "domains", before->idx);
            fault = text;
        }
        if (fault) {
            schema_error(l, &v, KEY_domain_name, "%s", fault);
        } else {
            domain->name = names.ascii;
            domain->name_unicode = names.unicode;
        }
    }
    hop = schema_get(&v, KEY_domain_next_hop);
    if (hop->is_good) {
        struct next_hop *found = map_get(&l->snapshot->hop_map, hop->text);

        if (found) {
            domain->next_hop = found;
            l->hop_is_used[found->idx] = true;
        } else {
            schema_error(l, &v, KEY_domain_next_hop, "names %s, which is not in \"next_hops\"",
                         quote(hop->text).text);
        }
    }
    has_certificate = schema_is_written(&v, KEY_domain_certificate);
    if (has_certificate != schema_is_written(&v, KEY_domain_key)) {
        schema_error(l, &v, has_certificate ? KEY_domain_key : KEY_domain_certificate,
                     "is missing: certificate and key go together");
    } else if (has_certificate && schema_get(&v, KEY_domain_certificate)->is_good &&
               schema_get(&v, KEY_domain_key)->is_good) {
        l->credentials[domain->idx] = (struct credential){
            .certificate_path = build_path(l, schema_get(&v, KEY_domain_certificate)->text),
            .key_path = build_path(l, schema_get(&v, KEY_domain_key)->text)};
    }
}

void build_domains(struct load *l, const struct schema_values *root)
{
    uint32_t node = schema_get(root, KEY_root_domains)->node;
    uint32_t count;
    uint32_t idx = 0;

    if (node == JSON_NONE) {
        return;
    }
    count = json_child_count(&l->doc, node);
    if (count == 0 || count > LOCAL_DOMAINS_MAX) {
        schema_error(l, root, KEY_root_domains, "has %u entries; 1 to %u are allowed",
                     (unsigned)count, LOCAL_DOMAINS_MAX);
        return;
    }
    l->domains = arena_zalloc(l->arena, count * sizeof(*l->domains));
    l->credentials = arena_zalloc(l->arena, (count + 1) * sizeof(*l->credentials));
    l->domain_nodes = arena_zalloc(l->arena, count * sizeof(*l->domain_nodes));
    l->snapshot->domains = l->domains;
    l->snapshot->domain_count = count;
    for (uint32_t at = node + 1; at < l->doc.nodes[node].next; at = l->doc.nodes[at].next) {
        l->domains[idx].idx = idx;
        l->domain_nodes[idx] = at;
        build_domain(l, at, &l->domains[idx]);
        idx++;
    }
}

/* --- partners --- */

/* NULL, or why the name cannot be this partner's (static or in text). */
static const char *claim_name(struct load *l, struct slice written, struct partner *partner,
                              struct slice *out, char text[96])
{
    struct names_of names;
    const char *fault = read_name(l, written, &names);
    struct local_domain *ours;
    uint32_t before;

    if (fault) {
        return fault;
    }
    ours = map_get(&l->snapshot->domain_map, names.ascii);
    if (ours) {
        (void)snprintf(text, 96, "is our own domain (domains[%u]); a partner's must be another one",
                       (unsigned)ours->idx);
        return text;
    }
    before = add_partner_names(&l->snapshot->partner_names, &names, partner->idx);
    if (before != NAMES_NONE) {
        taken_text(text, 96, "partners", before);
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
        char taken[96];
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
    }
    if (partner->row->tls_offer && partner->tls_min < s->any_partner_tls_min) {
        s->any_partner_tls_min = (enum partner_tls_min)partner->tls_min;
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
        char text[96];
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
}
