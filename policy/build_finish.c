/* SPDX-License-Identifier: GPL-2.0-or-later */
/* build_finish: what can be judged only when all sections are read. */
#include "policy/build.h"

/* The default credential first, then those of single domains, in their order. */
static void number_credentials(struct load *l)
{
    struct snapshot *s = l->snapshot;
    struct credential *all;
    uint32_t count = 0;

    all = arena_zalloc(l->arena, (s->domain_count + 1) * sizeof(*all));
    if (l->default_credential.certificate_path) {
        all[count++] = l->default_credential;
    }
    for (uint32_t i = 0; i < s->domain_count; i++) {
        if (l->credentials[i].certificate_path) {
            all[count] = l->credentials[i];
            all[count++].domain = l->domains[i].name;
        }
    }
    s->credentials = all;
    s->credential_count = count;
}

static void check_certificates(struct load *l)
{
    const struct snapshot *s = l->snapshot;

    if (!l->needs_tls || l->has_default_credential) {
        return;
    }
    for (uint32_t i = 0; i < s->domain_count; i++) {
        struct load_where where = {.section = "domains", .kind = LOAD_AT_IDX, .idx = i};
        char path[LOAD_PATH_BYTES];

        if (l->credentials[i].certificate_path || l->domains[i].name.len == 0) {
            continue; /* has one, or was complained about already */
        }
        load_path(path, &where, "certificate", -1);
        load_problem_at(l, false, l->doc.nodes[l->domain_nodes[i]].start, path,
                        "is missing, and there is no tls.certificate either: TLS is offered or "
                        "required, so every domain needs one of the two");
    }
}

static void check_hops(struct load *l, const struct schema_values *root)
{
    const struct snapshot *s = l->snapshot;
    bool has_sip = false;

    for (uint32_t i = 0; i < s->next_hop_count; i++) {
        struct load_where where = {
            .section = "next_hops", .kind = LOAD_AT_NAME, .name = l->next_hops[i].name};
        char path[LOAD_PATH_BYTES];

        has_sip = has_sip || (l->next_hops[i].kind == NEXT_HOP_SIP && l->next_hops[i].uri.len);
        if (l->domains && !l->hop_is_used[i]) {
            load_path(path, &where, NULL, -1);
            load_problem_at(l, true, l->doc.nodes[l->hop_nodes[i]].start, path,
                            "is not the next hop of any domain");
        }
    }
    if (has_sip && l->listens_of[LISTEN_SIP_TLS] + l->listens_of[LISTEN_SIP_TCP] == 0) {
        uint32_t listen = schema_get(root, KEY_root_listen)->node;

        load_problem_at(l, true, l->doc.nodes[listen == JSON_NONE ? 0 : listen].start, "listen.sip",
                        "nothing is listened on: requests of SIP next hops arrive only over "
                        "connections that were opened from here");
    }
}

void build_finish(struct load *l, const struct schema_values *root)
{
    l->needs_tls =
        l->needs_tls || l->listens_of[LISTEN_XMPPS_SERVER] || l->listens_of[LISTEN_SIP_TLS];
    check_hops(l, root);
    if (l->snapshot->any_partner_tls_min == PARTNER_TLS_MIN_COUNT) {
        l->snapshot->any_partner_tls_min = l->snapshot->tls_min; /* no partner that uses TLS */
    }
    if (l->credentials) {
        check_certificates(l);
        number_credentials(l);
    }
}
