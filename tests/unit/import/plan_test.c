/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plans: what is kept, what is said, what it comes to. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/buf.h"
#include "base/pool.h"
#include "import/apply.h"

#define PARTNER(more)                                                                              \
    "{\"Domain\": \"a.example\", \"PartnerType\": \"Federated\","                                  \
    "\"TlsNegotiation\": \"Required\", \"SaslNegotiation\": \"Required\","                         \
    "\"SupportDialbackNegotiation\": false, \"EnableKeepAlive\": true" more "}"

static struct import_plan plan;

static void begin(const char *export)
{
    import_plan_init(&plan);
    (void)!import_plan_add_text(&plan, "file", slice_from_cstr(export));
}

/* The configuration that results. */
static void expect_text(const char *config, const char *expected)
{
    struct json_doc doc = {0};
    struct json_fault fault;
    struct edit_text text = {0};
    struct edit e;

    cr_assert(json_parse(&doc, slice_from_cstr(config), 16, &fault) == 0);
    import_plan_judge(&plan, &doc);
    edit_init(&e, &doc);
    cr_assert(import_plan_apply(&plan, &e) == 0, "%s", e.why);
    cr_assert(edit_finish(&e, &text) == 0, "%s", e.why);
    cr_expect(slice_eq_cstr(slice_make(text.bytes, text.len), expected), "%.*s", (int)text.len,
              text.bytes);
    edit_text_deinit(&text);
    edit_deinit(&e);
    json_deinit(&doc);
    import_plan_deinit(&plan);
}

Test(import_plan, nothing_is_guessed_twice)
{
    begin("[" PARTNER("") "]");
    cr_expect(plan.totals[IMPORT_REFUSES] == 0 && plan.totals[IMPORT_WARNS] == 0);
    expect_text("{\n}\n", "{\n    \"partners\": [\n        {\n"
                          "            \"domain\": \"a.example\",\n"
                          "            \"type\": \"federated\",\n"
                          "            \"dialback\": false\n        }\n    ]\n}\n");
}

Test(import_plan, same_partner_is_left)
{
    begin(PARTNER(", \"ConnectionLimit\": 7"));
    expect_text("{ \"partners\": [ { \"domain\": \"A.example\" } ] }",
                "{ \"partners\": [ { \"domain\": \"A.example\" } ] }");
    begin(PARTNER(", \"ConnectionLimit\": 7"));
    plan.replaces = true;
    expect_text("{ \"partners\": [ { \"domain\": \"a.example\", \"acks\": \"sm\", // x\n"
                " \"type\": \"federated\", \"connection_limit\": 3 } ] }",
                "{ \"partners\": [ { \"domain\": \"a.example\", \"acks\": \"sm\", // x\n"
                " \"type\": \"federated\", \"connection_limit\": 7, \"dialback\": false } ] }");
}

/* A refused partner leaves no trace but its note. */
Test(import_plan, refused_partner)
{
    begin("[" PARTNER(", \"ProxyFqdn\": \"a b\"") ", {\"Domain\": \"b.example\", "
                                                  "\"TlsNegotiation\": 1}]");
    cr_expect(plan.totals[IMPORT_REFUSES] == 2);
    cr_expect(plan.partner_count == 2 && plan.partners[0].action == IMPORT_DROPPED);
    expect_text("{\n}\n", "{\n}\n");
}

static bool holds(struct slice text, const char *word)
{
    return text.len && memmem(text.ptr, text.len, word, strlen(word)) != NULL;
}

/* The passphrase is in nothing that outlives the file: no note, no mapping, no setting. */
Test(import_plan, no_passphrase)
{
    static const char word[] = "open sesame";

    begin("{\"KeepAliveInterval\": 60, \"StreamEstablishmentTimeout\": 60,"
          "\"DialbackPassphrase\": \"open sesame\"}");
    cr_expect(plan.has_gateway && plan.totals[IMPORT_IGNORES] == 1);
    for (uint32_t i = 0; i < plan.note_count; i++) {
        cr_expect_not(holds(slice_from_cstr(plan.notes[i].text), word));
    }
    for (uint32_t i = 0; i < plan.mapping_count; i++) {
        cr_expect_not(holds(slice_from_cstr(plan.mappings[i].from), word));
    }
    for (uint32_t i = 0; i < SCHEMA_KEYS_MAX; i++) {
        cr_expect_not(holds(plan.gateway.values[i].text, word));
    }
    expect_text("{\n}\n",
                "{\n    \"gateway\": {\n        \"keepalive_interval_s\": 60\n    }\n}\n");
}

/* Notes are bounded, their number is exact. */
Test(import_plan, many_notes)
{
    struct buf text;

    buf_init(&text, POOL_BLOCK_BYTES_MAX);
    buf_putc(&text, '[');
    for (uint32_t i = 0; i < 10000; i++) {
        buf_put_cstr(&text, i ? ",1" : "1");
    }
    buf_put_lit(&text, "]\0");
    begin(buf_slice(&text).ptr);
    cr_expect(plan.totals[IMPORT_REFUSES] == 10000);
    cr_expect(plan.note_count == IMPORT_NOTES_MAX);
    buf_deinit(&text);
    import_plan_deinit(&plan);
}

/* What ConvertTo-Json and Export-Clixml make of a command that found nothing. */
Test(import_plan, nothing_found)
{
    static const char *const files[] = {
        "null", "\r\nnull\r\n", "[]", "[null]",
        "<Objs Version=\"1.1.0.1\" "
        "xmlns=\"http://schemas.microsoft.com/powershell/2004/04\"><Nil/></Objs>"};

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        import_plan_init(&plan);
        cr_assert_eq(import_plan_add_text(&plan, "x", slice_from_cstr(files[i])), 0, "%zu", i);
        cr_assert_not(import_plan_has_work(&plan));
        cr_assert_eq(plan.note_count, 1);
        cr_assert_eq(plan.notes[0].level, IMPORT_IGNORES);
        cr_assert_not_null(strstr(plan.notes[0].text, "the command found nothing"), "%s",
                           plan.notes[0].text);
        expect_text("{\n}\n", "{\n}\n");
    }
    import_plan_init(&plan);
    cr_assert_neq(import_plan_add_text(&plan, "x", SLICE_LIT("nullify")), 0);
    import_plan_deinit(&plan);
}

Test(import_plan, places)
{
    begin("[\n  " PARTNER("") ",\n  { \"x\": \"\xc3\xa4\" }, 3 ]");
    cr_assert(plan.totals[IMPORT_REFUSES] == 2);
    cr_expect(plan.notes[0].line == 3 && plan.notes[0].column == 3);
    cr_expect(plan.notes[1].line == 3 && plan.notes[1].column == 17, "%u", plan.notes[1].column);
    import_plan_deinit(&plan);
}

Test(import_plan, files)
{
    import_plan_init(&plan);
    for (uint32_t i = 0; i < IMPORT_FILES_MAX; i++) {
        cr_expect(import_plan_add_text(&plan, "f", SLICE_LIT("[]")) == 0);
    }
    cr_expect(import_plan_add_text(&plan, "f", SLICE_LIT("[]")) != 0);
    cr_expect_not(import_plan_has_work(&plan));
    cr_expect(import_plan_add_file(&plan, "/nowhere") != 0);
    import_plan_deinit(&plan);
}
