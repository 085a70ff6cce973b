/* SPDX-License-Identifier: GPL-2.0-or-later */
/* addr: name-addr and addr-spec values, header parameters, display names. */
#include "base/err.h"
#include "sip/uri.h"
#include "sip_help.h"

Test(addr, forms)
{
    static const struct {
        const char *text;
        const char *display;
        const char *uri;
        const char *params;
        const char *tag;
        bool in_brackets;
    } rows[] = {
        {"sip:a@b.example", "", "sip:a@b.example", "", "", false},
        {"sip:a@b.example;tag=1", "", "sip:a@b.example", "tag=1", "1", false},
        {"<sip:a@b.example>;tag=1", "", "sip:a@b.example", "tag=1", "1", true},
        {"<sip:a@b.example;tag=x>", "", "sip:a@b.example;tag=x", "", "", true},
        {"\"A, \\\"B\\\" <c>\" <sip:a@b.example>", "\"A, \\\"B\\\" <c>\"", "sip:a@b.example", "",
         "", true},
        {"Ann Example <sip:a@b.example>", "Ann Example", "sip:a@b.example", "", "", true},
        {"caller<sip:a@b.example>;tag=323", "caller", "sip:a@b.example", "tag=323", "323", true},
        {"\r\n <sip:a@b.example> \r\n\t; \r\n tag \r\n = \r\n 98 ; x", "", "sip:a@b.example",
         " \r\n tag \r\n = \r\n 98 ; x", "98", true},
        {"<sip:a@b.example>;+sip.instance=\"<urn:uuid:1>\";TAG=z", "", "sip:a@b.example",
         "+sip.instance=\"<urn:uuid:1>\";TAG=z", "z", true},
        {"isbn:2983792873", "", "isbn:2983792873", "", "", false},
        {"<http://www.example.com>;tag=3", "", "http://www.example.com", "tag=3", "3", true},
    };

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct sip_addr a;

        cr_assert_eq(sip_addr_parse(slice_from_cstr(rows[i].text), &a), 0, "%s", rows[i].text);
        EXPECT_SLICE(a.display, rows[i].display);
        EXPECT_SLICE(a.uri.text, rows[i].uri);
        EXPECT_SLICE(a.params, rows[i].params);
        EXPECT_SLICE(a.tag, rows[i].tag);
        cr_expect_eq(a.in_brackets, rows[i].in_brackets, "%s", rows[i].text);
        cr_expect_not(a.is_star);
    }
}

Test(addr, star)
{
    struct sip_addr a;

    cr_expect_eq(sip_addr_parse(SLICE_LIT(" * "), &a), 0);
    cr_expect(a.is_star);
    cr_expect_neq(sip_addr_parse(SLICE_LIT("*;x=1"), &a), 0);
}

Test(addr, refused)
{
    static const char *const texts[] = {
        "",
        " ",
        "<>",
        "<sip:a@b.example",
        "sip:a@b.example>",
        "\"Ann <sip:a@b.example>",
        "\"Ann\" sip:a@b.example",
        "\"Ann\"",
        "Bell, Alexander <sip:a@b.example>",
        "Ann (x) <sip:a@b.example>",
        "< sip:a@b.example >",
        "<sip:a@b.example>tag=1",
        "<sip:a@b.example>;",
        "<sip:a@b.example>;;",
        "<sip:a@b.example>;tag",
        "<sip:a@b.example>;tag=",
        "<sip:a@b.example>;tag=\"x\"",
        "<sip:a@b.example>;tag=a/b",
        "<sip:a@b.example>;tag=a;tag=b",
        "<sip:a@b.example>;x=\"",
        "<sip:a@b.example>;x=y z",
        "<sip:a@b.example>, <sip:c@d.example>",
        "sip:a@b.example, sip:c@d.example",
        "sip:a@b.example?Route=x",
        "sip:a@b.example x",
        "\"\x01\" <sip:a@b.example>",
        "\"\\\r\n\" <sip:a@b.example>",
    };

    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        struct sip_addr a;

        cr_expect_neq(sip_addr_parse(slice_from_cstr(texts[i]), &a), 0, "%s", texts[i]);
    }
}

Test(addr, broken_uri_is_told_apart)
{
    struct sip_addr a;

    cr_expect_eq(sip_addr_parse(SLICE_LIT("<sip:@b.example>"), &a), ERR_SIP_URI);
    cr_expect_eq(sip_addr_parse(SLICE_LIT("<sip:a@b.example>x"), &a), ERR_SIP_SYNTAX);
}

Test(addr, display_put)
{
    static const char *const rows[][2] = {
        {"\"A \\\"B\\\" \\\\ C\"", "A \"B\" \\ C"},
        {"Ann   \r\n  Example", "Ann Example"},
        {"\"A\r\n B\"", "A B"},
        {"\"\"", ""},
        {"", ""},
        {"\"x\\\\\"", "x\\"},
    };
    struct buf b;

    buf_init(&b, 100);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        buf_clear(&b);
        sip_display_put(&b, slice_from_cstr(rows[i][0]));
        EXPECT_SLICE(buf_slice(&b), rows[i][1]);
    }
    buf_deinit(&b);
}

Test(addr, params_walk)
{
    struct slice params = SLICE_LIT("a=1 ; b ;c=\"x;y\\\"z\"; d=[::1]");
    struct slice name;
    struct slice value;

    cr_expect(sip_params_are_valid(params));
    cr_assert(sip_params_next(&params, &name, &value));
    EXPECT_SLICE(name, "a");
    EXPECT_SLICE(value, "1");
    cr_assert(sip_params_next(&params, &name, &value));
    EXPECT_SLICE(name, "b");
    EXPECT_SLICE(value, "");
    cr_assert(sip_params_next(&params, &name, &value));
    EXPECT_SLICE(value, "\"x;y\\\"z\"");
    cr_assert(sip_params_next(&params, &name, &value));
    EXPECT_SLICE(value, "[::1]");
    cr_expect_not(sip_params_next(&params, &name, &value));
}

Test(addr, params_validity)
{
    char many[260];

    cr_expect(sip_params_are_valid(SLICE_NONE));
    cr_expect_not(sip_params_are_valid(SLICE_LIT(";")));
    cr_expect_not(sip_params_are_valid(SLICE_LIT("a;")));
    cr_expect_not(sip_params_are_valid(SLICE_LIT("a b")));
    cr_expect_not(sip_params_are_valid(SLICE_LIT("a=\"x")));
    cr_expect_not(sip_params_are_valid(SLICE_LIT("a=\"x\\")));
    cr_expect_not(sip_params_are_valid(SLICE_LIT("=x")));
    cr_expect_not(sip_params_are_valid(SLICE_LIT("a=")));
    for (size_t i = 0; i + 4 <= sizeof(many); i += 4) {
        memcpy(many + i, "a=b;", 4);
    }
    cr_expect(sip_params_are_valid(slice_make(many, 64 * 4 - 1)));
    cr_expect_not(sip_params_are_valid(slice_make(many, 65 * 4 - 1)));
    cr_expect(sip_param(SLICE_LIT("x;Charset=\"utf-8\""), SLICE_LIT("charset"), NULL));
    cr_expect_not(sip_param(SLICE_LIT("x"), SLICE_LIT("y"), NULL));
}
