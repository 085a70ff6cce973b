/* SPDX-License-Identifier: GPL-2.0-or-later */
/* judge: the plan against the configuration that is there, and against itself: partners, gateway,
 * blocked domains. */
#include <stdio.h>

#include "base/pool.h"
#include "import/plan_int.h"
#include "policy/edit.h"
#include "policy/quote.h"

/* Where domains of the configuration stand. */
struct owners {
    struct arena *arena; /* of the plan */
    const struct json_doc *doc;
    struct map partner_of; /* A-label -> node of its partner + 1 */
    struct map ours;       /* A-label -> any: local domains */
    struct map blocked;    /* A-label -> any */
};

static void add_owner(struct owners *o, struct map *map, uint32_t text_node, uint32_t node)
{
    struct jid_ascii key;

    if (json_kind_of(o->doc, text_node) == JSON_TEXT &&
        jid_domain_to_ascii(json_text(o->doc, text_node), &key) == 0) {
        (void)map_add(map, arena_slice(o->arena, jid_ascii_slice(&key)),
                      (void *)((uintptr_t)node + 1));
    }
}

static uint32_t member_of(const struct json_doc *doc, uint32_t node, const char *key)
{
    return node == JSON_NONE || json_kind_of(doc, node) != JSON_OBJECT
               ? JSON_NONE
               : edit_member(doc, node, slice_from_cstr(key));
}

static bool is_list(const struct json_doc *doc, uint32_t node)
{
    return node != JSON_NONE && json_kind_of(doc, node) == JSON_LIST;
}

static void add_partner(struct owners *o, uint32_t node)
{
    uint32_t domain = member_of(o->doc, node, "domain");
    uint32_t more = member_of(o->doc, node, "additional_domains");

    if (domain != JSON_NONE) {
        add_owner(o, &o->partner_of, domain, node);
    }
    if (!is_list(o->doc, more)) {
        return;
    }
    for (uint32_t at = more + 1; at < o->doc->nodes[more].next; at = o->doc->nodes[at].next) {
        add_owner(o, &o->partner_of, at, node);
    }
}

static void owners_init(struct owners *o, struct arena *arena, const struct json_doc *doc)
{
    uint32_t partners = member_of(doc, 0, "partners");
    uint32_t domains = member_of(doc, 0, "domains");
    uint32_t blocked = member_of(doc, 0, "blocked");

    *o = (struct owners){.arena = arena, .doc = doc};
    for (uint32_t at = partners + 1; is_list(doc, partners) && at < doc->nodes[partners].next;
         at = doc->nodes[at].next) {
        add_partner(o, at);
    }
    for (uint32_t at = domains + 1; is_list(doc, domains) && at < doc->nodes[domains].next;
         at = doc->nodes[at].next) {
        uint32_t name = member_of(doc, at, "name");

        if (name != JSON_NONE) {
            add_owner(o, &o->ours, name, at);
        }
    }
    for (uint32_t at = blocked + 1; is_list(doc, blocked) && at < doc->nodes[blocked].next;
         at = doc->nodes[at].next) {
        add_owner(o, &o->blocked, at, at);
    }
}

static void owners_deinit(struct owners *o)
{
    map_deinit(&o->partner_of);
    map_deinit(&o->ours);
    map_deinit(&o->blocked);
}

/* Node of the partner that has this domain; JSON_NONE. */
static uint32_t owner_of(const struct owners *o, struct slice key)
{
    uintptr_t found = (uintptr_t)map_get(&o->partner_of, key);

    return found ? (uint32_t)(found - 1) : JSON_NONE;
}

/* --- partners --- */

/* Whether each of a's domains is one of b's, in any spelling. */
static bool has_all(const struct prop *a, const struct prop *b)
{
    struct jid_ascii *keys = pool_heap_zalloc((b->count + 1) * sizeof(*keys));
    struct map known = {0};
    struct jid_ascii one;
    bool is_known = true;

    for (uint32_t i = 0; i < b->count; i++) {
        if (jid_domain_to_ascii(b->list[i], &keys[i]) == 0) {
            (void)map_add(&known, jid_ascii_slice(&keys[i]), &keys[i]);
        }
    }
    for (uint32_t i = 0; i < a->count && is_known; i++) {
        is_known = jid_domain_to_ascii(a->list[i], &one) == 0 &&
                   map_get(&known, jid_ascii_slice(&one)) != NULL;
    }
    map_deinit(&known);
    pool_heap_free(keys);
    return is_known;
}

bool import_same_value(const struct props *a, const struct props *b, enum schema_key_idx key)
{
    struct props left;
    struct props right;

    props_init(&left, a->section, NULL);
    props_init(&right, a->section, NULL);
    *props_get(&left, key) = *props_get((struct props *)(uintptr_t)a, key);
    *props_get(&right, key) = *props_get((struct props *)(uintptr_t)b, key);
    if (key == KEY_partner_domain) {
        return true; /* whatever its spelling: by it the partner was found */
    }
    if (key == KEY_partner_additional_domains) {
        return has_all(props_get(&left, key), props_get(&right, key)) &&
               has_all(props_get(&right, key), props_get(&left, key));
    }
    return props_eq(&left, &right);
}

/* Names of the keys that were exported with another value than the configuration has. */
static bool differing(const struct props *there, const struct props *exported, uint32_t given,
                      char *names, size_t names_bytes)
{
    uint32_t first = (uint32_t)props_first_key(exported->section);
    size_t len = 0;

    names[0] = 0;
    for (uint32_t i = 0; props_is_key_of((enum schema_key_idx)(first + i), exported->section);
         i++) {
        enum schema_key_idx key = (enum schema_key_idx)(first + i);

        if (!(given & 1u << i) || import_same_value(there, exported, key)) {
            continue;
        }
        if (len < names_bytes) {
            len += (size_t)snprintf(names + len, names_bytes - len, "%s%s", len ? ", " : "",
                                    schema_key_at(key)->name);
        }
    }
    return len > 0;
}

static void drop(struct import_plan *p, struct import_partner *partner, const char *why)
{
    const char *object = import_printf(p, "partner %s", quote(partner->key).text);

    partner->action = IMPORT_DROPPED;
    import_note_at(p, IMPORT_REFUSES, &partner->place, object, "%s", why);
}

/* Every domain belongs to nobody yet, or to the same partner. */
static bool owner_is_clear(struct import_plan *p, const struct owners *o,
                           struct import_partner *partner)
{
    partner->node = owner_of(o, partner->key);
    for (uint32_t i = 0; i <= partner->more_count; i++) {
        struct slice key = i == 0 ? partner->key : partner->more[i - 1];
        uint32_t owner = owner_of(o, key);

        if (map_get(&o->ours, key)) {
            drop(p, partner,
                 import_printf(p, "the domain %s is one of ours; a partner cannot have it",
                               quote(key).text));
            return false;
        }
        if (owner != JSON_NONE && owner != partner->node) {
            uint32_t name = member_of(o->doc, owner, "domain");

            drop(p, partner,
                 import_printf(p,
                               "the domain %s belongs to the partner %s of the configuration; "
                               "take it out of one of the two",
                               quote(key).text,
                               name == JSON_NONE ? "?" : quote(json_text(o->doc, name)).text));
            return false;
        }
    }
    return true;
}

static void judge_partner(struct import_plan *p, const struct owners *o,
                          struct import_partner *partner)
{
    char why[PROPS_WHY_BYTES];
    char names[256];
    struct props there;

    if (partner->action == IMPORT_DROPPED || !owner_is_clear(p, o, partner)) {
        return;
    }
    if (map_get(&o->blocked, partner->key)) {
        import_note_at(p, IMPORT_WARNS, &partner->place,
                       import_printf(p, "partner %s", quote(partner->key).text),
                       "is in \"blocked\" of the configuration: nothing passes until it is taken "
                       "out there");
    }
    if (partner->node == JSON_NONE) {
        return;
    }
    props_init(&there, SECTION_partner, p->arena);
    if (props_read(&there, o->doc, partner->node, why) != 0) {
        drop(p, partner, import_printf(p, "the configuration's own entry is wrong: %s", why));
        return;
    }
    if (!differing(&there, &partner->props, partner->given, names, sizeof(names))) {
        partner->action = IMPORT_SAME;
    } else if (p->replaces) {
        partner->action = IMPORT_UPDATES;
    } else {
        partner->action = IMPORT_LEAVES;
        import_note_at(p, IMPORT_WARNS, &partner->place,
                       import_printf(p, "partner %s", quote(partner->key).text),
                       "is in the configuration with another %s, which stays; --update takes the "
                       "exported settings",
                       names);
    }
}

void import_judge_partners(struct import_plan *p, const struct json_doc *doc)
{
    struct owners o;

    owners_init(&o, p->arena, doc);
    for (uint32_t i = 0; i < p->partner_count; i++) {
        judge_partner(p, &o, &p->partners[i]);
    }
    owners_deinit(&o);
}

/* --- gateway --- */

void import_judge_gateway(struct import_plan *p, const struct json_doc *doc)
{
    uint32_t node = member_of(doc, 0, "gateway");
    char why[PROPS_WHY_BYTES];
    char names[256];
    struct props there;

    if (!p->has_gateway || p->gateway_action == IMPORT_DROPPED) {
        return;
    }
    props_init(&there, SECTION_gateway, p->arena);
    if (node != JSON_NONE && props_read(&there, doc, node, why) != 0) {
        p->gateway_action = IMPORT_DROPPED;
        import_note_at(p, IMPORT_REFUSES, &p->gateway_place, "gateway settings",
                       "the configuration's own \"gateway\" is wrong: %s", why);
    } else if (!differing(&there, &p->gateway, p->gateway_given, names, sizeof(names))) {
        p->gateway_action = IMPORT_SAME;
    } else if (node == JSON_NONE || p->replaces) {
        p->gateway_action = node == JSON_NONE ? IMPORT_ADDS : IMPORT_UPDATES;
    } else {
        p->gateway_action = IMPORT_LEAVES;
        import_note_at(p, IMPORT_WARNS, &p->gateway_place, "gateway settings",
                       "the configuration has another %s, which stays; --update takes the exported "
                       "settings",
                       names);
    }
}

/* --- domains of SIP federation --- */

/* A partner of the export that is not refused. */
static bool is_partner(const struct import_plan *p, struct slice key)
{
    uintptr_t number = (uintptr_t)map_get(&p->partner_of, key);

    return number && p->partners[number - 1].action != IMPORT_DROPPED;
}

static void judge_blocked(struct import_plan *p, const struct owners *o, struct import_domain *d)
{
    const char *object = import_printf(p, "blocked domain %s", quote(d->name).text);

    if (map_get(&o->blocked, d->key)) {
        d->action = IMPORT_SAME;
    } else if (is_partner(p, d->key) || owner_of(o, d->key) != JSON_NONE) {
        d->action = IMPORT_DROPPED;
        import_note_at(p, IMPORT_REFUSES, &d->place, object,
                       "is an XMPP partner as well. In the old product the list bound SIP "
                       "federation alone; here a blocked domain is no partner: take it out of one "
                       "of the two exports");
    } else if (map_get(&o->ours, d->key)) {
        d->action = IMPORT_DROPPED;
        import_note_at(p, IMPORT_REFUSES, &d->place, object,
                       "is one of our own domains; take it out of the export");
    }
    if (map_get(&p->allowed.known, d->key)) {
        import_note_at(p, IMPORT_WARNS, &d->place, object,
                       "is on the list of allowed SIP domains as well; it is blocked here");
    }
}

/* Allowed domains are the other protocol's: nothing of them comes over. */
static void judge_allowed(struct import_plan *p, const struct owners *o)
{
    uint32_t both = 0;

    for (uint32_t i = 0; i < p->allowed.count; i++) {
        const struct import_domain *d = &p->allowed.list[i];

        if (!is_partner(p, d->key) && owner_of(o, d->key) == JSON_NONE) {
            continue;
        }
        both++;
        import_note_at(p, IMPORT_WARNS, &d->place,
                       import_printf(p, "allowed SIP domain %s", quote(d->name).text),
                       "is an XMPP partner as well: the SIP server must reach it one way only. If "
                       "it shall be XMPP, point the domain's entry there at this gateway "
                       "(ProxyFqdn), else leave the partner out");
    }
    if (p->allowed.count > both) {
        import_note_at(p, IMPORT_IGNORES, &p->allowed.list[0].place, "allowed SIP domains",
                       "%u for SIP federation, which stays with the Access Edge: nothing to import",
                       p->allowed.count - both);
    }
}

void import_judge_domains(struct import_plan *p, const struct json_doc *doc)
{
    struct owners o;

    owners_init(&o, p->arena, doc);
    for (uint32_t i = 0; i < p->blocked.count; i++) {
        judge_blocked(p, &o, &p->blocked.list[i]);
    }
    judge_allowed(p, &o);
    owners_deinit(&o);
}
