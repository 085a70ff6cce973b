/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Export, then import, is the identity: random partners, each property random, written as
 * `partner export` writes them and planned into an empty configuration, are the same partners, and
 * exported again are the same bytes. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/pool.h"
#include "import/apply.h"
#include "policy/partner.h"

#define ROUNDS       3000u
#define PARTNERS_MAX 5u
#define TEXT_MAX     ((size_t)1 << 20)

static uint64_t state;

static uint32_t rnd(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 33) % below);
}

PRINTF_LIKE(3, 4)
static void set(struct props *p, enum schema_key_idx key, const char *fmt, ...)
{
    char why[PROPS_WHY_BYTES];
    char value[256];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(value, sizeof(value), fmt, args);
    va_end(args);
    cr_assert(props_set(p, key, slice_from_cstr(value), why) == 0, "%s", why);
}

static void set_row(struct props *p)
{
    const struct partner_row *row;

    do {
        row = partner_row_at(rnd(PARTNER_ROW_COUNT));
    } while (row->verdict == PARTNER_VERDICT_REJECT);
    set(p, KEY_partner_tls, "%s", partner_level_name((enum partner_level)row->tls));
    set(p, KEY_partner_sasl, "%s", partner_level_name((enum partner_level)row->sasl));
    set(p, KEY_partner_dialback, "%s", row->dialback ? "true" : "false");
}

static void set_number(struct props *p, enum schema_key_idx key)
{
    const struct schema_key *k = schema_key_at(key);
    uint64_t span = k->max - k->min + 1;

    if (rnd(2)) {
        set(p, key, "%llu", (unsigned long long)(k->min + rnd((uint32_t)(span % UINT32_MAX))));
    }
}

static void set_texts(struct props *p, uint32_t number)
{
    static const char *const words[] = {"\xc3\xa9t\xc3\xa9", "\"quoted\" \\ back", "a, b; c",
                                        "<xml> & 'more'", "\xf0\x9f\x98\x80"};

    if (rnd(2)) {
        set(p, KEY_partner_description, "%s %u", words[rnd(ARRAY_COUNT(words))], number);
    }
    if (rnd(4) == 0) {
        set(p, KEY_partner_maintenance, "%s", words[rnd(ARRAY_COUNT(words))]);
    }
    if (rnd(4) == 0) {
        set(p, KEY_partner_proxy_fqdn, "xmpp%u.example:%u", rnd(9), 1 + rnd(65535));
    }
    for (uint32_t i = rnd(4); i > 0; i--) {
        char why[PROPS_WHY_BYTES];
        char name[64];

        (void)snprintf(name, sizeof(name), "a%u.p%u.example", i, number);
        cr_assert_eq(props_add(p, KEY_partner_additional_domains, slice_from_cstr(name), why), 0);
    }
    switch (rnd(4)) {
    case 0:
        props_set_none(p, KEY_partner_allowed_users);
        break;
    case 1:
        set(p, KEY_partner_allowed_users, "ann@corp.example,corp.example,group:x");
        break;
    default:
        break;
    }
    if (rnd(3) == 0) {
        set(p, KEY_partner_blocked, "eve@p%u.example", number);
    }
}

static void make(struct props *p, struct arena *arena, uint32_t number)
{
    static const char *const types[] = {"federated", "public_verified", "public_unverified"};
    static const char *const acks[] = {"auto", "sm", "ping", "off"};

    props_init(p, SECTION_partner, arena);
    set(p, KEY_partner_domain, "p%u.example", number);
    if (rnd(3)) {
        set_row(p);
    }
    set(p, KEY_partner_type, "%s", types[rnd(3)]);
    set(p, KEY_partner_keepalive, "%s", rnd(2) ? "true" : "false");
    set(p, KEY_partner_acks, "%s", acks[rnd(4)]);
    set(p, KEY_partner_suffix_match, "%s", rnd(2) ? "true" : "false");
    if (rnd(2)) {
        set(p, KEY_partner_min_tls_version, "%s", rnd(2) ? "1.2" : "1.3");
    }
    set_number(p, KEY_partner_connection_limit);
    set_number(p, KEY_partner_stanza_rate_max);
    set_number(p, KEY_partner_stanza_burst);
    set_number(p, KEY_partner_byte_rate_max);
    set_number(p, KEY_partner_byte_burst);
    set_number(p, KEY_partner_stanza_bytes_max);
    set_texts(p, number);
}

/* As cmd_partner_export.c does. */
static void export(const struct props *list, uint32_t count, struct buf *out)
{
    if (count == 1) {
        props_write_old(&list[0], 0, out);
        return;
    }
    buf_putc(out, '[');
    for (uint32_t i = 0; i < count; i++) {
        buf_put_cstr(out, i ? ",\n  " : "\n  ");
        props_write_old(&list[i], 2, out);
    }
    buf_put_lit(out, "\n]");
}

/* The configuration that the import of text makes of nothing. */
static struct edit_text import(struct slice text)
{
    static struct import_plan plan;
    struct json_doc doc = {0};
    struct json_fault fault;
    struct edit_text out;
    struct edit e;

    import_plan_init(&plan);
    (void)!import_plan_add_text(&plan, "partners.json", text);
    cr_assert_eq(json_parse(&doc, SLICE_LIT("{}"), 16, &fault), 0);
    import_plan_judge(&plan, &doc);
    cr_assert_eq(plan.totals[IMPORT_REFUSES], 0, "%s: %.*s",
                 plan.note_count ? plan.notes[0].text : "", SLICE_FMT(text));
    edit_init(&e, &doc);
    cr_assert_eq(import_plan_apply(&plan, &e), 0, "%s", e.why);
    cr_assert_eq(edit_finish(&e, &out), 0, "%s", e.why);
    edit_deinit(&e);
    json_deinit(&doc);
    import_plan_deinit(&plan);
    return out;
}

static void check(const struct props *list, uint32_t count, struct arena *arena,
                  struct slice config)
{
    struct props again[PARTNERS_MAX];
    char why[PROPS_WHY_BYTES];
    struct json_doc doc = {0};
    struct json_fault fault;
    struct buf first;
    struct buf second;
    uint32_t node;

    cr_assert_eq(json_parse(&doc, config, 16, &fault), 0);
    node = edit_member(&doc, 0, SLICE_LIT("partners"));
    cr_assert_eq(json_child_count(&doc, node), count);
    node++;
    for (uint32_t i = 0; i < count; i++, node = doc.nodes[node].next) {
        props_init(&again[i], SECTION_partner, arena);
        cr_assert_eq(props_read(&again[i], &doc, node, why), 0, "%s", why);
        cr_assert(props_eq(&list[i], &again[i]), "partner %u of\n%.*s", i, SLICE_FMT(config));
    }
    buf_init(&first, TEXT_MAX);
    buf_init(&second, TEXT_MAX);
    export(list, count, &first);
    export(again, count, &second);
    cr_assert(slice_eq(buf_slice(&first), buf_slice(&second)));
    buf_deinit(&first);
    buf_deinit(&second);
    json_deinit(&doc);
}

Test(import_identity, export_then_import)
{
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct arena *arena = arena_new();
        struct props list[PARTNERS_MAX];
        struct edit_text config;
        uint32_t count;
        struct buf text;

        state = 0x9e3779b97f4a7c15u * (round + 1);
        count = 1 + rnd(PARTNERS_MAX);
        for (uint32_t i = 0; i < count; i++) {
            make(&list[i], arena, i);
        }
        buf_init(&text, TEXT_MAX);
        export(list, count, &text);
        config = import(buf_slice(&text));
        check(list, count, arena, slice_make(config.bytes, config.len));
        edit_text_deinit(&config);
        buf_deinit(&text);
        arena_free(arena);
    }
}
