/* SPDX-License-Identifier: GPL-2.0-or-later */
/* build_names: names of domains, and our own domains; no name may stand for two. */
#include <stdio.h>

#include "policy/build.h"
#include "policy/quote.h"
#include "xmpp/jid.h"

#define LOCAL_DOMAINS_MAX 100000u

const char *build_read_name(struct load *l, struct slice text, struct build_name *out)
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
static void *add_names(struct map *map, const struct build_name *names, void *value)
{
    void *before = map_add(map, names->ascii, value);

    if (!before && !slice_eq(names->unicode, names->ascii)) {
        before = map_add(map, names->unicode, value);
    }
    return before;
}

void build_taken_text(char out[BUILD_TAKEN_BYTES], const char *list, uint32_t idx)
{
    (void)snprintf(out, BUILD_TAKEN_BYTES,
                   "is already a name of %s[%u]; a domain stands in one place only", list,
                   (unsigned)idx);
}

/* --- our domains --- */

static void build_domain(struct load *l, uint32_t node, struct local_domain *domain)
{
    struct load_where where = {.section = "domains", .kind = LOAD_AT_IDX, .idx = domain->idx};
    const struct schema_value *hop;
    struct build_name names;
    struct schema_values v;
    bool has_certificate;

    if (!schema_read(l, node, SECTION_domain, &where, &v)) {
        return;
    }
    if (schema_get(&v, KEY_domain_name)->is_good) {
        const char *fault = build_read_name(l, schema_get(&v, KEY_domain_name)->text, &names);
        struct local_domain *before =
            fault ? NULL : add_names(&l->snapshot->domain_map, &names, domain);
        char text[BUILD_TAKEN_BYTES];

        if (before) {
            build_taken_text(text, "domains", before->idx);
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

    l->has_bad_domain = true;
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
    l->has_bad_domain = false;
    for (uint32_t at = node + 1; at < l->doc.nodes[node].next; at = l->doc.nodes[at].next) {
        l->domains[idx].idx = idx;
        l->domain_nodes[idx] = at;
        build_domain(l, at, &l->domains[idx]);
        l->has_bad_domain = l->has_bad_domain || l->domains[idx].name.len == 0;
        idx++;
    }
}
