/* SPDX-License-Identifier: GPL-2.0-or-later */
/* partner: Get-CsXmppAllowedPartner, one object. */
#include <stdio.h>

#include "import/plan_int.h"
#include "policy/address.h"
#include "policy/partner.h"
#include "policy/quote.h"

#define ROW_TCP_DIALBACK 17u /* not_supported, not_supported, dialback: what rows 5, 11 come to */

/* --- domains --- */

/* Whether the plan has the domain already; then says so. */
static bool is_taken(struct import_record *r, struct slice key, struct slice name)
{
    uintptr_t other = (uintptr_t)map_get(&r->plan->partner_of, key);
    const struct import_partner *p;

    if (!other) {
        return false;
    }
    p = &r->plan->partners[other - 1];
    import_note(r, IMPORT_REFUSES,
                "the domain %s belongs to the partner %s of %s:%u already; a domain has one "
                "partner: take it out of one of the two",
                quote(name).text, quote(p->key).text, r->plan->files[p->place.file].name,
                p->place.line);
    return true;
}

/* Keys of the additional domains; those that say nothing new are taken out. */
static void take_more(struct import_record *r, struct import_partner *p)
{
    struct prop *more = props_get(&p->props, KEY_partner_additional_domains);
    uint32_t kept = 0;

    p->more = arena_zalloc(r->plan->arena, more->count * sizeof(*p->more));
    for (uint32_t i = 0; i < more->count; i++) {
        struct jid_ascii key;
        bool is_new = true;

        if (!import_domain_key(r, "the additional domain", more->list[i], &key)) {
            continue;
        }
        is_new = !slice_eq(jid_ascii_slice(&key), p->key);
        for (uint32_t j = 0; j < kept && is_new; j++) {
            is_new = !slice_eq(jid_ascii_slice(&key), p->more[j]);
        }
        if (!is_new) {
            import_note(r, IMPORT_IGNORES, "the additional domain %s is named twice",
                        quote(more->list[i]).text);
        } else if (!is_taken(r, jid_ascii_slice(&key), more->list[i])) {
            p->more[kept] = arena_slice(r->plan->arena, jid_ascii_slice(&key));
            more->list[kept++] = more->list[i];
        }
    }
    more->count = kept;
    more->is_written = more->is_written && kept;
    p->more_count = kept;
}

/* --- how it is proved --- */

static enum partner_level level_of(struct props *props, enum schema_key_idx key)
{
    char fallback[PROPS_NAME_BYTES];
    const struct prop *prop = props_get(props, key);
    struct slice text = prop->is_written ? prop->text : props_default(key, fallback);
    enum partner_level level = PARTNER_LEVEL_REQUIRED;

    while (level < PARTNER_LEVEL_NOT_SUPPORTED && !slice_eq_cstr(text, partner_level_name(level))) {
        level = (enum partner_level)(level + 1);
    }
    return level;
}

static void write_row(struct import_record *r, struct props *props, const struct partner_row *row)
{
    char why[PROPS_WHY_BYTES];
    struct slice tls = slice_from_cstr(partner_level_name((enum partner_level)row->tls));
    struct slice sasl = slice_from_cstr(partner_level_name((enum partner_level)row->sasl));

    if (props_set(props, KEY_partner_tls, tls, why) != 0 ||
        props_set(props, KEY_partner_sasl, sasl, why) != 0 ||
        props_set(props, KEY_partner_dialback, SLICE_LIT("true"), why) != 0) {
        import_note(r, IMPORT_REFUSES, "%s", why);
    }
}

/* The row of the truth table: 5 and 11 have an equivalent, the old product took the other refused
 * ones as little as we do. The row of the old defaults warns by its count alone. */
static void take_row(struct import_record *r, struct import_partner *p)
{
    const struct prop *dialback = props_get(&p->props, KEY_partner_dialback);
    const struct partner_row *row = partner_row_find(
        level_of(&p->props, KEY_partner_tls), level_of(&p->props, KEY_partner_sasl),
        !dialback->is_written || slice_eq(dialback->text, SLICE_LIT("true")));
    const struct partner_row *equal = partner_row_at(ROW_TCP_DIALBACK - 1);

    p->row = row->number;
    if (row->number == 5 || row->number == 11) {
        import_note(r, IMPORT_WARNS,
                    "TLS NotSupported with SASL %s (row %u) came to dialback over TCP in the old "
                    "product, and is written so: NotSupported, NotSupported, dialback (row %u)",
                    row->number == 5 ? "Required" : "Optional", row->number, ROW_TCP_DIALBACK);
        write_row(r, &p->props, equal);
    } else if (row->verdict == PARTNER_VERDICT_REJECT) {
        import_note(r, IMPORT_REFUSES, "row %u of the truth table: %s", row->number, row->text);
    } else if (row->verdict == PARTNER_VERDICT_WARN && row->number != 1) {
        import_note(r, IMPORT_WARNS, "row %u of the truth table: %s", row->number, row->text);
    }
}

/* An export of a part of the members leaves the rest to the defaults, which are strict. */
static void note_missing(struct import_record *r, uint32_t given)
{
    static const enum schema_key_idx keys[] = {KEY_partner_type, KEY_partner_tls, KEY_partner_sasl,
                                               KEY_partner_dialback, KEY_partner_keepalive};
    uint32_t first = (uint32_t)props_first_key(SECTION_partner);
    char missing[256] = "";
    size_t len = 0;

    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        char name[PROPS_NAME_BYTES];

        if (!(given & 1u << ((uint32_t)keys[i] - first))) {
            len += (size_t)snprintf(missing + len, sizeof(missing) - len, "%s%s", len ? ", " : "",
                                    props_old_name(keys[i], name));
        }
    }
    if (len) {
        import_note(r, IMPORT_WARNS, "not in the export: %s; the defaults count", missing);
    }
}

static void check_proxy(struct import_record *r, struct import_partner *p)
{
    const struct prop *proxy = props_get(&p->props, KEY_partner_proxy_fqdn);
    struct address_host host;
    const char *fault = proxy->is_written ? address_host_parse(proxy->text, &host) : NULL;

    if (fault) {
        import_note(r, IMPORT_REFUSES, "ProxyFqdn %s %s", quote(proxy->text).text, fault);
    }
}

/* --- into the plan --- */

static void take_domain(struct import_record *r, struct import_partner *p, struct slice name)
{
    char why[PROPS_WHY_BYTES];

    if (props_set(&p->props, KEY_partner_domain, name, why) != 0) {
        import_note(r, IMPORT_REFUSES, "%s", why);
    }
    p->given |= 1u << ((uint32_t)KEY_partner_domain - (uint32_t)props_first_key(SECTION_partner));
    import_mapped(r->plan, SLICE_LIT("Domain"), "partners[].domain");
}

/* Exported twice and the same: no conflict. */
static bool is_repeated(struct import_record *r, const struct import_partner *p)
{
    uint32_t first = (uint32_t)props_first_key(SECTION_partner);
    uintptr_t number = (uintptr_t)map_get(&r->plan->partner_of, p->key);
    const struct import_partner *other = number ? &r->plan->partners[number - 1] : NULL;

    if (!other || !slice_eq(other->key, p->key) || other->given != p->given) {
        return false;
    }
    for (uint32_t i = 0; props_is_key_of((enum schema_key_idx)(first + i), SECTION_partner); i++) {
        if (!import_same_value(&other->props, &p->props, (enum schema_key_idx)(first + i))) {
            return false;
        }
    }
    import_note(r, IMPORT_IGNORES, "was exported twice, with the same settings");
    return true;
}

static void keep(struct import_record *r, const struct import_partner *p)
{
    struct import_plan *plan = r->plan;
    void *number;

    plan->partners = import_grow(plan->partners, &plan->partner_count, &plan->partner_cap,
                                 sizeof(*plan->partners));
    number = (void *)(uintptr_t)plan->partner_count;
    plan->partners[plan->partner_count - 1] = *p;
    plan->partners[plan->partner_count - 1].action = r->is_refused ? IMPORT_DROPPED : IMPORT_ADDS;
    if (r->is_refused) {
        return;
    }
    plan->row_counts[p->row]++;
    (void)map_add(&plan->partner_of, p->key, number);
    for (uint32_t i = 0; i < p->more_count; i++) {
        (void)map_add(&plan->partner_of, p->more[i], number);
    }
}

void import_partner(struct import_record *r)
{
    static const char *const apart[] = {"Identity", "Domain", NULL};
    struct import_partner p = {.place = r->place, .node = JSON_NONE};
    struct jid_ascii key = {0};
    struct slice name;
    bool is_named = import_take_domain(r, &name, &key);

    props_init(&p.props, SECTION_partner, r->plan->arena);
    import_set_all(r, &p.props, &p.given, "partners[].", apart);
    if (is_named) {
        take_domain(r, &p, name);
    }
    p.key = arena_slice(r->plan->arena, is_named ? jid_ascii_slice(&key) : SLICE_NONE);
    take_row(r, &p);
    if (is_named && !r->is_refused && is_repeated(r, &p)) {
        return;
    }
    if (is_named) {
        (void)is_taken(r, p.key, name);
    }
    take_more(r, &p);
    check_proxy(r, &p);
    note_missing(r, p.given);
    keep(r, &p);
}
