/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jout: commas, lines and escapes of every kind of value. */
#include <stdio.h>

#include <criterion/criterion.h>

#include "base/jout.h"

static struct buf out;
static struct jout j;

static void begin(bool is_indented)
{
    buf_init(&out, 65536);
    jout_init(&j, &out, is_indented);
}

static void expect(const char *text)
{
    char got[65536];

    cr_assert_not(out.failed);
    slice_to_cstr_cut(buf_slice(&out), got, sizeof(got));
    cr_expect_str_eq(got, text);
    buf_deinit(&out);
}

static void put_everything(void)
{
    jout_object(&j, NULL);
    jout_u64(&j, "u", UINT64_MAX);
    jout_i64(&j, "i", INT64_MIN);
    jout_list(&j, "l");
    jout_bool(&j, NULL, true);
    jout_null(&j, NULL);
    jout_object(&j, NULL);
    jout_end(&j);
    jout_list(&j, NULL);
    jout_end(&j);
    jout_end(&j);
    jout_key(&j, SLICE_LIT("a \"key\""));
    jout_object(&j, NULL);
    jout_cstr(&j, "t", "x");
    jout_cstr(&j, "none", NULL);
    jout_end(&j);
    jout_printf(&j, "p", "%u-%s", 7u, "\\");
    jout_raw(&j, "r", SLICE_LIT("[1]"));
    jout_end(&j);
}

Test(jout, one_line)
{
    begin(false);
    put_everything();
    expect("{\"u\": 18446744073709551615, \"i\": -9223372036854775808, \"l\": [true, null, {}, "
           "[]], \"a \\\"key\\\"\": {\"t\": \"x\", \"none\": null}, \"p\": \"7-\\\\\", \"r\": "
           "[1]}\n");
}

Test(jout, lines_for_people)
{
    begin(true);
    put_everything();
    expect("{\n  \"u\": 18446744073709551615,\n  \"i\": -9223372036854775808,\n  \"l\": [\n"
           "    true,\n    null,\n    {},\n    []\n  ],\n  \"a \\\"key\\\"\": {\n"
           "    \"t\": \"x\",\n    \"none\": null\n  },\n  \"p\": \"7-\\\\\",\n  \"r\": [1]\n}\n");
}

Test(jout, what_texts_may_hold)
{
    static const struct {
        struct slice text;
        const char *json;
    } cases[] = {
        {SLICE_LIT("a\"b\\c/d"), "\"a\\\"b\\\\c/d\""},
        {SLICE_LIT("\n\t\r\x1b[2J\x7f\0"), "\"\\n\\u0009\\u000d\\u001b[2J\\u007f\\u0000\""},
        {SLICE_LIT("\xc2\x9b" "31m"), "\"\\u009b31m\""},           /* C1 CSI */
        {SLICE_LIT("\xe2\x80\xae"), "\"\\u202e\""},                /* right to left from here */
        {SLICE_LIT("gr\xc3\xbc\xc3\x9f"), "\"gr\xc3\xbc\xc3\x9f\""},
        {SLICE_LIT("\xf0\x9f\x98\x80"), "\"\xf0\x9f\x98\x80\""},
        {SLICE_LIT("a\xff" "b\xc3"), "\"a\xef\xbf\xbd" "b\xef\xbf\xbd\""},
        {SLICE_LIT("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""}, /* a surrogate */
    };

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        buf_init(&out, 1024);
        jout_quoted(&out, cases[i].text);
        expect(cases[i].json);
    }
}

Test(jout, a_full_buffer_is_told)
{
    buf_init(&out, 16);
    jout_init(&j, &out, false);
    put_everything();
    cr_assert(out.failed);
    buf_deinit(&out);
}
