/* SPDX-License-Identifier: GPL-2.0-or-later */
/* import_print: the plan in words. */
#include "ctl/import_print.h"

#include "policy/partner.h"

static const char *const level_names[IMPORT_LEVEL_COUNT] = {"warning", "ignored", "refused"};

/* --- how many of each --- */

struct tally {
    uint32_t by_action[IMPORT_ACTION_COUNT];
    uint32_t total;
};

static void count(struct tally *t, enum import_action action)
{
    t->by_action[action]++;
    t->total++;
}

static void print_tally(struct out *o, const char *what, const struct tally *t)
{
    const char *between = ": ";

    if (t->total == 0) {
        return;
    }
    buf_printf(&o->text, "%-18s %u", what, t->total);
    for (uint32_t i = 0; i < IMPORT_ACTION_COUNT; i++) {
        if (t->by_action[i]) {
            buf_printf(&o->text, "%s%u %s", between, t->by_action[i],
                       import_action_name((enum import_action)i));
            between = ", ";
        }
    }
    buf_putc(&o->text, '\n');
}

static void print_tallies(const struct import_plan *p, struct out *o)
{
    struct tally partners = {0};
    struct tally gateway = {0};
    struct tally policies = {0};
    struct tally blocked = {0};

    for (uint32_t i = 0; i < p->partner_count; i++) {
        count(&partners, p->partners[i].action);
    }
    if (p->has_gateway) {
        count(&gateway, p->gateway_action);
    }
    for (uint32_t i = 0; i < p->policy_count; i++) {
        count(&policies, p->policies[i].action);
    }
    for (uint32_t i = 0; i < p->blocked.count; i++) {
        count(&blocked, p->blocked.list[i].action);
    }
    print_tally(o, "partners", &partners);
    print_tally(o, "gateway settings", &gateway);
    print_tally(o, "access policies", &policies);
    print_tally(o, "blocked domains", &blocked);
    if (p->users) {
        buf_printf(&o->text, "%-18s %u: %u with a policy of their own\n", "users", p->users,
                   p->grant_count);
    }
}

/* --- for people --- */

static void print_mappings(const struct import_plan *p, struct out *o)
{
    static const char *const heads[] = {"exported as", "becomes", ">objects"};
    struct out_table table;
    uint32_t left = 0;

    out_table_init(&table, heads, 3);
    for (uint32_t i = 0; i < p->mapping_count; i++) {
        const struct import_mapping *m = &p->mappings[i];

        left += m->to[0] == 0;
        if (m->to[0]) {
            out_cell(&table, slice_from_cstr(m->from));
            out_cell(&table, slice_from_cstr(m->to));
            out_cell_printf(&table, "%u", m->count);
        }
    }
    if (left < p->mapping_count) {
        buf_putc(&o->text, '\n');
        out_table_write(&table, o);
    }
    out_table_deinit(&table);
    if (left) {
        buf_put_lit(&o->text, "\nnot taken over: ");
        for (uint32_t i = 0; i < p->mapping_count; i++) {
            if (p->mappings[i].to[0] == 0) {
                out_put_clean(&o->text, slice_from_cstr(p->mappings[i].from));
                buf_put_cstr(&o->text, --left ? ", " : "\n");
            }
        }
    }
    if (p->bookkeeping) {
        buf_printf(&o->text, "\nnot taken over: %u members that only the old product uses\n",
                   p->bookkeeping);
    }
}

static void print_note(const struct import_plan *p, const struct import_note *n, struct out *o)
{
    buf_put_lit(&o->text, "  ");
    out_put_clean(&o->text, slice_from_cstr(p->files[n->file].name));
    if (n->line) {
        buf_printf(&o->text, ":%u:%u", n->line, n->column);
    }
    buf_printf(&o->text, ": %s%s%s\n", n->object, n->object[0] ? ": " : "", n->text);
}

static void print_level(const struct import_plan *p, enum import_level level, const char *head,
                        struct out *o)
{
    uint32_t shown = 0;

    if (p->totals[level] == 0) {
        return;
    }
    buf_printf(&o->text, "\n%s:\n", head);
    for (uint32_t i = 0; i < p->note_count; i++) {
        if (p->notes[i].level == level) {
            print_note(p, &p->notes[i], o);
            shown++;
            out_spill(o);
        }
    }
    if (shown < p->totals[level]) {
        buf_printf(&o->text, "  and %u more\n", p->totals[level] - shown);
    }
}

void import_print_people(const struct import_plan *p, struct out *o)
{
    print_tallies(p, o);
    print_mappings(p, o);
    if (p->row_counts[1]) {
        buf_printf(&o->text, "\n%u %s the old product's defaults (row 1 of the truth table): %s\n",
                   p->row_counts[1], p->row_counts[1] == 1 ? "partner has" : "partners have",
                   partner_row_at(0)->text);
    }
    print_level(p, IMPORT_WARNS, "warnings", o);
    print_level(p, IMPORT_IGNORES, "ignored", o);
    print_level(p, IMPORT_REFUSES, "refused", o);
    buf_putc(&o->text, '\n');
}

/* --- JSON --- */

static void json_partners(const struct import_plan *p, struct out *o)
{
    jout_list(&o->json, "partners");
    for (uint32_t i = 0; i < p->partner_count; i++) {
        const struct import_partner *partner = &p->partners[i];

        jout_object(&o->json, NULL);
        jout_text(&o->json, "domain", partner->key);
        jout_cstr(&o->json, "action", import_action_name(partner->action));
        jout_u64(&o->json, "row", partner->row);
        jout_end(&o->json);
        out_spill(o);
    }
    jout_end(&o->json);
}

static void json_access(const struct import_plan *p, struct out *o)
{
    jout_list(&o->json, "policies");
    for (uint32_t i = 0; i < p->policy_count; i++) {
        const struct import_policy *policy = &p->policies[i];

        jout_object(&o->json, NULL);
        jout_cstr(&o->json, "tier", import_tier_path(policy->tier));
        jout_text(&o->json, "name", policy->name);
        jout_cstr(&o->json, "action", import_action_name(policy->action));
        jout_bool(&o->json, "xmpp", policy->xmpp);
        jout_u64(&o->json, "members", policy->member_count);
        jout_end(&o->json);
        out_spill(o);
    }
    jout_end(&o->json);
    jout_list(&o->json, "blocked");
    for (uint32_t i = 0; i < p->blocked.count; i++) {
        jout_object(&o->json, NULL);
        jout_text(&o->json, "domain", p->blocked.list[i].key);
        jout_cstr(&o->json, "action", import_action_name(p->blocked.list[i].action));
        jout_end(&o->json);
        out_spill(o);
    }
    jout_end(&o->json);
}

static void json_mappings(const struct import_plan *p, struct out *o)
{
    jout_list(&o->json, "maps");
    for (uint32_t i = 0; i < p->mapping_count; i++) {
        if (p->mappings[i].to[0]) {
            jout_object(&o->json, NULL);
            jout_cstr(&o->json, "from", p->mappings[i].from);
            jout_cstr(&o->json, "to", p->mappings[i].to);
            jout_u64(&o->json, "count", p->mappings[i].count);
            jout_end(&o->json);
        }
    }
    jout_end(&o->json);
    jout_list(&o->json, "ignored_members");
    for (uint32_t i = 0; i < p->mapping_count; i++) {
        if (p->mappings[i].to[0] == 0) {
            jout_cstr(&o->json, NULL, p->mappings[i].from);
        }
    }
    jout_end(&o->json);
}

static void json_notes(const struct import_plan *p, struct out *o)
{
    jout_list(&o->json, "notes");
    for (uint32_t i = 0; i < p->note_count; i++) {
        const struct import_note *n = &p->notes[i];

        jout_object(&o->json, NULL);
        jout_cstr(&o->json, "level", level_names[n->level]);
        jout_cstr(&o->json, "file", p->files[n->file].name);
        if (n->line) {
            jout_u64(&o->json, "line", n->line);
            jout_u64(&o->json, "column", n->column);
        } else {
            jout_null(&o->json, "line");
            jout_null(&o->json, "column");
        }
        jout_cstr(&o->json, "object", n->object);
        jout_cstr(&o->json, "text", n->text);
        jout_end(&o->json);
        out_spill(o);
    }
    jout_end(&o->json);
}

void import_print_json(const struct import_plan *p, struct out *o)
{
    jout_list(&o->json, "files");
    for (uint32_t i = 0; i < p->file_count; i++) {
        jout_object(&o->json, NULL);
        jout_cstr(&o->json, "file", p->files[i].name);
        jout_u64(&o->json, "objects", p->files[i].records);
        jout_end(&o->json);
    }
    jout_end(&o->json);
    json_partners(p, o);
    jout_cstr(&o->json, "gateway", p->has_gateway ? import_action_name(p->gateway_action) : NULL);
    json_access(p, o);
    json_mappings(p, o);
    json_notes(p, o);
    for (uint32_t i = 0; i < IMPORT_LEVEL_COUNT; i++) {
        static const char *const keys[IMPORT_LEVEL_COUNT] = {"warned", "ignored", "refused"};

        jout_u64(&o->json, keys[i], p->totals[i]);
    }
}
