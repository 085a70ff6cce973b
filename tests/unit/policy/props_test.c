/* SPDX-License-Identifier: GPL-2.0-or-later */
/* props_test: names and values in both spellings, reading, writing, comparing. */
#include "policy/props.h"

#include <criterion/criterion.h>

#include "base/err.h"

static const char *name_of(const char *name)
{
    enum schema_key_idx key;

    return props_find(SECTION_partner, slice_from_cstr(name), &key) ? schema_key_at(key)->name
                                                                    : "unknown";
}

Test(props, names_in_both_spellings)
{
    static const char *const pairs[][2] = {
        {"Domain", "domain"},
        {"identity", "domain"},
        {"AdditionalDomains", "additional_domains"},
        {"description", "description"},
        {"PARTNERTYPE", "type"},
        {"TlsNegotiation", "tls"},
        {"saslnegotiation", "sasl"},
        {"SupportDialbackNegotiation", "dialback"},
        {"EnableKeepAlive", "keepalive"},
        {"ConnectionLimit", "connection_limit"},
        {"ProxyFqdn", "proxy_fqdn"},
        {"MinTlsVersion", "min_tls_version"},
        {"Acks", "acks"},
        {"TlsNegotiation ", "unknown"},
        {"", "unknown"},
    };
    char out[PROPS_NAME_BYTES];

    for (size_t i = 0; i < ARRAY_COUNT(pairs); i++) {
        cr_expect_str_eq(name_of(pairs[i][0]), pairs[i][1], "%s", pairs[i][0]);
    }
    cr_expect_str_eq(props_suggest(SECTION_partner, SLICE_LIT("conection_limit"), out),
                     "connection_limit");
    cr_expect_str_eq(props_suggest(SECTION_partner, SLICE_LIT("TlsNegotation"), out),
                     "TlsNegotiation");
    cr_expect_null(props_suggest(SECTION_partner, SLICE_LIT("xyzzyxyz"), out));
    cr_expect_str_eq(props_old_name(KEY_gateway_keepalive_interval_s, out), "KeepAliveInterval");
    cr_expect_str_eq(props_old_name(KEY_gateway_stream_establishment_timeout_s, out),
                     "StreamEstablishmentTimeout");
    cr_expect_str_eq(props_old_name(KEY_gateway_log_message_bodies, out),
                     "EnableLoggingAllMessageBodies");
}

/* Every plain key of every section is found by both of its names, and by nobody else's. */
Test(props, every_key_has_two_names)
{
    for (uint32_t i = 0; schema_key_at((enum schema_key_idx)i); i++) {
        enum schema_key_idx key = (enum schema_key_idx)i;
        const struct schema_key *k = schema_key_at(key);
        enum schema_key_idx found;
        char old[PROPS_NAME_BYTES];

        if (k->kind == SCHEMA_OBJECT || k->kind == SCHEMA_LIST || k->kind == SCHEMA_MAP) {
            continue;
        }
        cr_assert(props_find(k->section, slice_from_cstr(k->name), &found));
        cr_expect_eq(found, key);
        cr_assert(props_find(k->section, slice_from_cstr(props_old_name(key, old)), &found));
        cr_expect_eq(found, key, "%s", old);
    }
}

static const char *set(struct props *p, const char *name, const char *value)
{
    static char why[PROPS_WHY_BYTES];
    enum schema_key_idx key;

    cr_assert(props_find(p->section, slice_from_cstr(name), &key));
    return props_set(p, key, slice_from_cstr(value), why) == 0 ? "" : why;
}

static const char *written(const struct props *p, bool special_only)
{
    static char out[4096];
    struct buf text;

    buf_init(&text, sizeof(out));
    props_write(p, special_only, &text);
    slice_to_cstr_cut(buf_slice(&text), out, sizeof(out));
    buf_deinit(&text);
    return out;
}

static const char *read_text(struct props *p, struct arena *arena, const char *text)
{
    static char why[PROPS_WHY_BYTES];
    struct json_doc doc = {0};
    struct json_fault fault;
    int err;

    cr_assert_eq(json_parse(&doc, slice_from_cstr(text), 8, &fault), 0, "%s", fault.text);
    props_init(p, SECTION_partner, arena);
    err = props_read(p, &doc, 0, why);
    json_deinit(&doc);
    return err ? why : "";
}

Test(props, values_in_both_spellings)
{
    struct arena *arena = arena_new();
    struct props p;

    props_init(&p, SECTION_partner, arena);
    cr_expect_str_eq(set(&p, "Domain", "fabrikam.example"), "");
    cr_expect_str_eq(set(&p, "TlsNegotiation", "NotSupported"), "");
    cr_expect_str_eq(set(&p, "sasl", "not_supported"), "");
    cr_expect_str_eq(set(&p, "PartnerType", "publicverified"), "");
    cr_expect_str_eq(set(&p, "dialback", "$True"), "");
    cr_expect_str_eq(set(&p, "EnableKeepAlive", "False"), "");
    cr_expect_str_eq(set(&p, "ConnectionLimit", "007"), "");
    cr_expect_str_eq(set(&p, "AdditionalDomains", "a.example, b.example"), "");
    cr_expect_str_eq(set(&p, "min_tls_version", "1.3"), "");
    cr_expect_str_eq(set(&p, "description", "say \"hi\" \\ bye"), "");
    cr_expect_str_eq(written(&p, false),
                     "{\n    \"domain\": \"fabrikam.example\",\n"
                     "    \"additional_domains\": [\"a.example\", \"b.example\"],\n"
                     "    \"description\": \"say \\\"hi\\\" \\\\ bye\",\n"
                     "    \"type\": \"public_verified\",\n"
                     "    \"tls\": \"not_supported\",\n    \"sasl\": \"not_supported\",\n"
                     "    \"dialback\": true,\n    \"keepalive\": false,\n"
                     "    \"connection_limit\": 7,\n    \"min_tls_version\": \"1.3\"\n}");
    cr_expect_null(strstr(written(&p, true), "dialback"), "a default");
    cr_expect_str_eq(set(&p, "tls", ""), "");
    cr_expect_null(strstr(written(&p, false), "tls\": \"not"));
    arena_free(arena);
}

Test(props, wrong_values_are_refused_with_what_is_allowed)
{
    struct arena *arena = arena_new();
    char why[PROPS_WHY_BYTES];
    struct props p;

    props_init(&p, SECTION_partner, arena);
    cr_expect_str_eq(set(&p, "tls", "requird"),
                     "tls must be one of required, optional, not_supported, not \"requird\"; did "
                     "you mean \"required\"?");
    cr_expect_str_eq(set(&p, "tls", "_"),
                     "tls must be one of required, optional, not_supported, not \"_\"");
    cr_expect_str_eq(set(&p, "dialback", "1"), "dialback must be true or false, not \"1\"");
    cr_expect_str_eq(set(&p, "connection_limit", "-1"),
                     "connection_limit must be a whole number, not \"-1\"");
    cr_expect_str_eq(set(&p, "description", "\x1b[2J"),
                     "description holds a control character; printable text is allowed");
    cr_expect_str_eq(set(&p, "description", "\xff"), "description is not UTF-8");
    cr_expect_str_eq(set(&p, "additional_domains", "a,,b"),
                     "additional_domains: an element is empty");
    cr_expect_eq(props_add(&p, KEY_partner_tls, SLICE_LIT("x"), why), ERR_CONFIG);
    cr_expect_eq(props_remove(&p, KEY_partner_tls, SLICE_LIT("x"), why), ERR_CONFIG);
    cr_expect_eq(props_remove(&p, KEY_partner_additional_domains, SLICE_LIT("x"), why), ERR_CONFIG);
    cr_expect_str_eq(why, "additional_domains does not hold \"x\"");
    arena_free(arena);
}

Test(props, nobody_is_not_everybody)
{
    struct arena *arena = arena_new();
    struct props a;
    struct props b;

    cr_expect_str_eq(read_text(&a, arena, "{\"allowed_users\": [], \"blocked\": []}"), "");
    cr_expect_str_eq(read_text(&b, arena, "{\"allowed_users\": null}"), "");
    cr_expect_not(props_eq(&a, &b));
    props_set_none(&b, KEY_partner_allowed_users);
    cr_expect(props_eq(&a, &b));
    cr_expect_str_eq(written(&b, true), "{\n    \"allowed_users\": []\n}");
    arena_free(arena);
}

Test(props, lists_grow_and_shrink)
{
    struct arena *arena = arena_new();
    char why[PROPS_WHY_BYTES];
    char name[8] = "a0";
    struct props p;

    props_init(&p, SECTION_partner, arena);
    for (char c = '0'; c <= '9'; c++) {
        name[1] = c;
        cr_assert_eq(props_add(&p, KEY_partner_additional_domains, slice_from_cstr(name), why), 0);
        name[0] = 'A'; /* the same */
        cr_assert_eq(props_add(&p, KEY_partner_additional_domains, slice_from_cstr(name), why), 0);
        name[0] = 'a';
    }
    cr_expect_eq(props_get(&p, KEY_partner_additional_domains)->count, 10);
    cr_assert_eq(props_remove(&p, KEY_partner_additional_domains, SLICE_LIT("A3"), why), 0);
    cr_expect_eq(props_get(&p, KEY_partner_additional_domains)->count, 9);
    cr_expect(slice_eq_cstr(props_get(&p, KEY_partner_additional_domains)->list[3], "a4"));
    arena_free(arena);
}

Test(props, what_is_written_is_read_and_defaults_do_not_count)
{
    struct arena *arena = arena_new();
    struct props a;
    struct props b;

    cr_expect_str_eq(read_text(&a, arena,
                               "{\"domain\": \"x\", \"tls\": \"required\", \"acks\": "
                               "\"auto\", \"description\": \"\", "
                               "\"additional_domains\": [], \"connection_limit\": null}"),
                     "");
    cr_expect_str_eq(read_text(&b, arena, "{\"domain\": \"x\"}"), "");
    cr_expect(props_eq(&a, &b));
    cr_expect_str_eq(written(&a, true), "{\n    \"domain\": \"x\"\n}");
    cr_expect_str_eq(read_text(&b, arena, "{\"domain\": \"x\", \"dialback\": false}"), "");
    cr_expect_not(props_eq(&a, &b));
    cr_expect_str_eq(read_text(&a, arena, written(&b, false)), "");
    cr_expect(props_eq(&a, &b));
    cr_expect_str_eq(read_text(&a, arena, "{\"domain\": 7}"), "domain cannot be a number");
    cr_expect_str_eq(read_text(&a, arena, "{\"Domain\": \"x\"}"),
                     "\"Domain\" is no key of this object");
    cr_expect_str_eq(read_text(&a, arena, "{\"tls\": \"optional\", \"tls\": \"optional\"}"),
                     "tls stands there twice");
    cr_expect_str_eq(read_text(&a, arena, "{\"additional_domains\": [7]}"),
                     "additional_domains: every element must be a text in quotes, not a number");
    cr_expect_str_eq(read_text(&a, arena, "[]"), "an object, {...}, is expected, not a list");
    arena_free(arena);
}

Test(props, the_old_product_is_written_as_its_tools_do)
{
    struct arena *arena = arena_new();
    struct buf out;
    struct props p;
    const char *text;

    cr_expect_str_eq(read_text(&p, arena,
                               "{\"domain\": \"fabrikam.example\", \"tls\": \"not_supported\", "
                               "\"sasl\": \"not_supported\", \"keepalive\": false, "
                               "\"additional_domains\": [\"a.example\", \"b.example\"]}"),
                     "");
    buf_init(&out, 8192);
    props_write_old(&p, 2, &out);
    buf_putc(&out, 0);
    text = buf_slice(&out).ptr;
    cr_expect_eq(strncmp(text,
                         "{\n    \"Identity\": \"fabrikam.example\",\n"
                         "    \"Domain\": \"fabrikam.example\",\n"
                         "    \"AdditionalDomains\": [\n      \"a.example\",\n"
                         "      \"b.example\"\n    ],\n    \"Description\": null,\n"
                         "    \"PartnerType\": \"PublicUnverified\",\n"
                         "    \"TlsNegotiation\": \"NotSupported\",\n"
                         "    \"SaslNegotiation\": \"NotSupported\",\n"
                         "    \"SupportDialbackNegotiation\": true,\n"
                         "    \"EnableKeepAlive\": false,\n    \"ConnectionLimit\": null,\n"
                         "    \"ProxyFqdn\": null,\n",
                         380),
                 0, "%s", text);
    cr_expect(slice_ends(slice_from_cstr(text), SLICE_LIT("\n  }")));
    buf_deinit(&out);
    arena_free(arena);
}
