/* SPDX-License-Identifier: GPL-2.0-or-later */
/* json_test: the node table: shapes, places, faults. */
#include "policy/json.h"

#include <stdio.h>

#include <criterion/criterion.h>

#include "base/err.h"
#include "base/pool.h"

static struct json_doc parse_good(const char *text)
{
    struct json_doc doc = {0};
    struct json_fault fault;

    cr_assert(json_parse(&doc, slice_from_cstr(text), 16, &fault) == 0, "%s: %s", text, fault.text);
    return doc;
}

/* "offset path: text" of the fault. */
static const char *fault_of(struct slice text, uint32_t depth_max)
{
    static char out[512];
    struct json_doc doc = {0};
    struct json_fault fault;

    cr_assert(json_parse(&doc, text, depth_max, &fault) == ERR_CONFIG, "%.*s", SLICE_FMT(text));
    json_deinit(&doc);
    (void)snprintf(out, sizeof(out), "%u %s: %s", (unsigned)fault.offset, fault.path, fault.text);
    return out;
}

Test(json, nodes_remember_kind_place_and_extent)
{
    struct json_doc doc =
        parse_good("{ \"a\" : [1, -2.5e3, true], /* c */ \"b\":{\"c\":null}, \"d\":false }//x");
    static const struct {
        enum json_kind kind;
        uint32_t start;
        uint32_t next;
    } expected[] = {{JSON_OBJECT, 0, 12}, {JSON_KEY, 2, 2},      {JSON_LIST, 8, 6},
                    {JSON_NUMBER, 9, 4},  {JSON_NUMBER, 12, 5},  {JSON_TRUE, 20, 6},
                    {JSON_KEY, 35, 7},    {JSON_OBJECT, 39, 10}, {JSON_KEY, 40, 9},
                    {JSON_NULL, 44, 10},  {JSON_KEY, 51, 11},    {JSON_FALSE, 55, 12}};

    cr_assert_eq(doc.count, ARRAY_COUNT(expected));
    for (uint32_t i = 0; i < doc.count; i++) {
        cr_expect_eq(json_kind_of(&doc, i), expected[i].kind, "node %u", i);
        cr_expect_eq(doc.nodes[i].start, expected[i].start, "node %u: %u", i, doc.nodes[i].start);
        cr_expect_eq(doc.nodes[i].next, expected[i].next, "node %u", i);
    }
    cr_expect(slice_eq_cstr(json_text(&doc, 4), "-2.5e3"));
    cr_expect_eq(json_child_count(&doc, 0), 3);
    cr_expect_eq(json_child_count(&doc, 2), 3);
    cr_expect_eq(json_child_count(&doc, 7), 1);
    json_deinit(&doc);
}

Test(json, escaped_texts_are_decoded_and_begin_at_their_quote)
{
    struct json_doc doc = parse_good("[\"a\\\"b\\\\\", \"\\u00fc\\ud83d\\ude00\", \"\\\\\", \"\"]");

    cr_expect(slice_eq_cstr(json_text(&doc, 1), "a\"b\\"));
    cr_expect_eq(doc.nodes[1].start, 1);
    cr_expect(slice_eq_cstr(json_text(&doc, 2), "\xc3\xbc\xf0\x9f\x98\x80"));
    cr_expect_eq(doc.nodes[2].start, 11);
    cr_expect(slice_eq_cstr(json_text(&doc, 3), "\\"));
    cr_expect_eq(doc.nodes[3].start, 33);
    cr_expect_eq(json_text(&doc, 4).len, 0);
    cr_expect_eq(doc.nodes[4].start, 39);
    json_deinit(&doc);
}

Test(json, a_byte_order_mark_is_skipped)
{
    struct json_doc doc = parse_good("\xef\xbb\xbf{\"a\":1}");

    cr_expect_eq(doc.nodes[0].start, 3);
    cr_expect_eq(doc.nodes[1].start, 4);
    cr_expect_eq(doc.nodes[2].start, 8);
    json_deinit(&doc);
}

Test(json, a_bare_number_has_its_place)
{
    struct json_doc doc = parse_good(" 42");

    cr_expect_eq(doc.nodes[0].start, 1);
    json_deinit(&doc);
}

Test(json, a_bare_text_may_hold_what_begins_a_comment)
{
    struct json_doc doc = parse_good("\"a/*\" // b");

    cr_expect(slice_eq_cstr(json_text(&doc, 0), "a/*"));
    json_deinit(&doc);
    cr_expect_str_eq(fault_of(SLICE_LIT("\"a\" /*"), 16), "4 : the file ends inside this comment");
}

Test(json, faults_name_place_path_and_remedy)
{
    static const struct {
        const char *text;
        const char *fault;
    } cases[] = {
        {"", "0 : there is nothing in the file; a JSON object { ... } is expected"},
        {" // only a comment",
         "18 : there is nothing in the file; a JSON object { ... } is expected"},
        {"{\"a\":[1,{", "9 a[1]: the file ends in the middle; 3 { or [ are still open"},
        {"{\"a\":\"b", "7 a: the file ends in the middle; 1 { or [ are still open"},
        {"{\"a\":1 /* x", "11 a: the file ends in the middle; 1 { or [ are still open"},
        {"{} /* x", "3 : the file ends inside this comment"},
        {"{} // x\n/* y */ /*/", "16 : the file ends inside this comment"},
        {"{\"a\":1,}", "7 a: not JSON: a comma is not allowed before }"},
        {"[1, ]", "4 [0]: not JSON: a comma is not allowed before ]"},
        {"{\"a\" \"b\"}", "5 a: not JSON: object key and value must be separated by a colon (':')"},
        {"{'a':1}", "1 : not JSON: invalid char in json text."},
        {"{} {}", "3 : not JSON: trailing garbage"},
        {"{\"a\":01}", "5 a: not JSON: after key and value, inside map, I expect ',' or '}'"},
        {"{\"a\":\"x\ny\"}", "6 a: not JSON: invalid character inside string."},
        {"\xff\xfe{\0}", "0 : the file is UTF-16; save it as UTF-8"},
        {"{\"a\":\"\xc3\xbc\xe9\"}", "8 : byte 0xe9 is not UTF-8; save the file as UTF-8"},
        {"{} // \xc0\x80", "6 : byte 0xc0 is not UTF-8; save the file as UTF-8"},
    };

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        cr_expect_str_eq(fault_of(slice_from_cstr(cases[i].text), 16), cases[i].fault);
    }
}

Test(json, nul_bytes_are_refused)
{
    struct json_doc doc = {0};
    struct json_fault fault;

    cr_expect(json_parse(&doc, slice_make("{\"a\0\":1}", 8), 16, &fault) == ERR_CONFIG);
    json_deinit(&doc);
    cr_expect(json_parse(&doc, slice_make("{}\0", 3), 16, &fault) == ERR_CONFIG);
    json_deinit(&doc);
}

Test(json, depth_is_bounded_exactly)
{
    struct json_doc doc = {0};
    struct json_fault fault;

    cr_expect(json_parse(&doc, SLICE_LIT("[[[]]]"), 3, &fault) == 0);
    json_deinit(&doc);
    cr_expect_str_eq(fault_of(SLICE_LIT("{\"a\":[[[]]]}"), 3),
                     "7 a[0][0]: nested too deeply; at most 3 levels are read");
}

Test(json, a_very_deep_file_is_refused_without_a_deep_stack)
{
    size_t len = 1u << 20;
    char *text = pool_heap_zalloc(len);

    memset(text, '[', len);
    cr_expect(strstr(fault_of(slice_make(text, len), JSON_DEPTH_MAX), "nested too deeply"));
    pool_heap_free(text);
}

Test(json, size_is_bounded)
{
    size_t len = JSON_BYTES_MAX + 1;
    char *text = pool_heap_zalloc(len);

    memset(text, ' ', len);
    cr_expect(strstr(fault_of(slice_make(text, len), 4), "at most 67108864 are read"));
    pool_heap_free(text);
}

Test(json, many_small_values_are_kept)
{
    enum { COUNT = 100000 };
    char *text = pool_heap_zalloc(2 * COUNT + 2);
    struct json_doc doc = {0};
    struct json_fault fault;

    text[0] = '[';
    for (size_t i = 0; i < COUNT; i++) {
        text[1 + 2 * i] = '7';
        text[2 + 2 * i] = ',';
    }
    text[2 * COUNT] = ']';
    cr_assert(json_parse(&doc, slice_make(text, 2 * COUNT + 1), 4, &fault) == 0);
    cr_expect_eq(doc.count, COUNT + 1);
    cr_expect_eq(json_child_count(&doc, 0), COUNT);
    cr_expect_eq(doc.nodes[COUNT].start, 2 * COUNT - 1);
    json_deinit(&doc);
    pool_heap_free(text);
}

/* Every prefix of a good text is refused, and its fault lies inside the prefix. */
Test(json, every_half_file_is_refused)
{
    static const char whole[] = "{\"a\":[1,true,null,\"x\\n\"],/*c*/\"b\":{\"c\":-1.5e2}}";

    for (size_t len = 0; len < sizeof(whole) - 1; len++) {
        struct json_doc doc = {0};
        struct json_fault fault;
        char *copy = pool_heap_strdup(whole, len);

        cr_expect(json_parse(&doc, slice_make(copy, len), 16, &fault) == ERR_CONFIG, "%zu", len);
        cr_expect_leq(fault.offset, len);
        json_deinit(&doc);
        pool_heap_free(copy);
    }
}
