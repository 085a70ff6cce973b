/* SPDX-License-Identifier: GPL-2.0-or-later */
/* edit_test: what a person wrote stays: every layout with what becomes of it, byte for byte. */
#include "policy/edit.h"

#include <stdio.h>

#include <criterion/criterion.h>

#include "base/err.h"
#include "policy/json.h"

static struct json_doc parse(struct slice text)
{
    struct json_doc doc = {0};
    struct json_fault fault;

    cr_assert(json_parse(&doc, text, 16, &fault) == 0, "%.*s: %s", SLICE_FMT(text), fault.text);
    return doc;
}

/* The text that e makes, parsed as proof; "refused: why" otherwise. Valid until the next call. */
static const char *finish(struct edit *e, int err)
{
    static char out[8192];
    struct edit_text text = {0};

    if (err == 0) {
        err = edit_finish(e, &text);
    }
    if (err) {
        cr_assert_eq(err, ERR_CONFIG);
        (void)snprintf(out, sizeof(out), "refused: %s", e->why);
    } else {
        struct json_doc doc = parse(slice_make(text.bytes, text.len));

        json_deinit(&doc);
        slice_to_cstr_cut(slice_make(text.bytes, text.len), out, sizeof(out));
    }
    edit_text_deinit(&text);
    edit_deinit(e);
    return out;
}

/* Takes the elements with these indices (letters: "ac") out of the root's list "l" and adds. */
static const char *list_edit(const char *text, const char *removed, const char *added)
{
    struct json_doc doc = parse(slice_from_cstr(text));
    uint32_t list = edit_member(&doc, 0, SLICE_LIT("l"));
    uint32_t nodes[8];
    struct slice value = slice_from_cstr(added);
    struct edit_elements elements = {.removed = nodes, .added = &value, .added_count = added != 0};
    struct edit e;
    uint32_t idx = 0;
    const char *out;

    for (uint32_t at = list + 1; at < doc.nodes[list].next; at = doc.nodes[at].next, idx++) {
        if (strchr(removed, (char)('a' + idx))) {
            nodes[elements.removed_count++] = at;
        }
    }
    edit_init(&e, &doc);
    out = finish(&e, edit_list(&e, list, &elements));
    json_deinit(&doc);
    return out;
}

/* key=NULL value: taken away. */
static const char *object_edit(const char *text, const char *key, const char *value)
{
    struct json_doc doc = parse(slice_from_cstr(text));
    struct edit_member member = {slice_from_cstr(key), slice_from_cstr(value)};
    struct edit e;
    const char *out;

    edit_init(&e, &doc);
    out = finish(&e, edit_object(&e, 0, &member, 1));
    json_deinit(&doc);
    return out;
}

struct list_case {
    const char *before;
    const char *removed;
    const char *added;
    const char *after;
};

static void check_lists(const struct list_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *after = list_edit(cases[i].before, cases[i].removed, cases[i].added);

        cr_expect_str_eq(after, cases[i].after,
                         "case %zu\n--- before\n%s\n--- now\n%s\n--- wanted\n%s", i,
                         cases[i].before, after, cases[i].after);
    }
}

Test(edit, elements_of_one_line)
{
    static const struct list_case cases[] = {
        {"{\"l\":[1, 2, 3]}", "a", NULL, "{\"l\":[2, 3]}"},
        {"{\"l\":[1, 2, 3]}", "b", NULL, "{\"l\":[1, 3]}"},
        {"{\"l\":[1, 2, 3]}", "c", NULL, "{\"l\":[1, 2]}"},
        {"{\"l\":[1, 2, 3]}", "bc", NULL, "{\"l\":[1]}"},
        {"{\"l\":[1, 2, 3]}", "abc", NULL, "{\"l\":[]}"},
        {"{\"l\":[1,2,3]}", "b", NULL, "{\"l\":[1,3]}"},
        {"{\"l\":[1,2,3]}", "c", NULL, "{\"l\":[1,2]}"},
        {"{\"l\":[ 1 , 2 ]}", "b", NULL, "{\"l\":[ 1 ]}"},
        {"{\"l\":[1, 2]}", "", "3", "{\"l\":[1, 2, 3]}"},
        {"{\"l\":[1, 2]}", "b", "3", "{\"l\":[1, 3]}"},
        {"{\"l\":[1, 2]}", "ab", "3", "{\"l\":[3]}"},
        {"{\"l\":[]}", "", "3", "{\"l\":[3]}"},
        {"{\"l\":[]}", "", "{\n    \"a\": 1,\n    \"b\": [2]\n}",
         "{\"l\":[{\"a\": 1, \"b\": [2]}]}"},
        {"{\"l\":[{\"x\": 1}]}", "", "{\n    \"a\": 1\n}", "{\"l\":[{\"x\": 1}, {\"a\": 1}]}"},
        {"{\"l\":[1 /* one */, /* two */ 2]}", "b", NULL, "{\"l\":[1 /* one */]}"},
        {"{\"l\":[1 /* one */, /* two */ 2]}", "a", NULL, "{\"l\":[/* two */ 2]}"},
        {"{\"l\":[1 /* one */]}", "", "2", "{\"l\":[1 /* one */, 2]}"},
        {"{\"l\":[1 // one\n]}", "", "2", "{\"l\":[1, 2 // one\n]}"},
        {"{\"l\":[\"a\\\"],\", \"/*\", \"//\"]}", "a", "4", "{\"l\":[\"/*\", \"//\", 4]}"},
    };

    check_lists(cases, ARRAY_COUNT(cases));
}

Test(edit, elements_on_lines_of_their_own)
{
    static const char three[] = "{\n  \"l\": [\n    1, // one\n    // about two\n    2, // two\n\n"
                                "    // apart\n\n    3  // three\n    // 4\n  ]\n}\n";
    static const struct list_case cases[] = {
        {three, "a", NULL,
         "{\n  \"l\": [\n    // about two\n    2, // two\n\n"
         "    // apart\n\n    3  // three\n    // 4\n  ]\n}\n"},
        {three, "b", NULL,
         "{\n  \"l\": [\n    1, // one\n\n    // apart\n\n    3  // three\n    // 4\n  ]\n}\n"},
        {three, "c", NULL,
         "{\n  \"l\": [\n    1, // one\n    // about two\n    2 // two\n\n"
         "    // apart\n\n    // 4\n  ]\n}\n"},
        {three, "", "4",
         "{\n  \"l\": [\n    1, // one\n    // about two\n    2, // two\n\n"
         "    // apart\n\n    3,  // three\n    4\n    // 4\n  ]\n}\n"},
        {three, "c", "4",
         "{\n  \"l\": [\n    1, // one\n    // about two\n    2, // two\n    4\n\n"
         "    // apart\n\n    // 4\n  ]\n}\n"},
        {three, "abc", NULL, "{\n  \"l\": [\n\n    // apart\n\n    // 4\n  ]\n}\n"},
        {three, "abc", "4", "{\n  \"l\": [\n\n    // apart\n\n    // 4\n    4\n  ]\n}\n"},
        {"{\n\t\"l\": [\n\t\t1\n\t]\n}", "", "{\n    \"a\": 2\n}",
         "{\n\t\"l\": [\n\t\t1,\n\t\t{\n\t\t    \"a\": 2\n\t\t}\n\t]\n}"},
        {"{\n\t\"l\": []\n}", "", "{\n    \"a\": 2\n}",
         "{\n\t\"l\": [\n\t\t{\n\t\t    \"a\": 2\n\t\t}\n\t]\n}"},
        {"{\n  \"l\": [\n    // nobody yet\n  ]\n}", "", "1",
         "{\n  \"l\": [\n    // nobody yet\n    1\n  ]\n}"},
        {"{\n  \"l\": [ // nobody yet\n  ]\n}", "", "1",
         "{\n  \"l\": [ // nobody yet\n    1\n  ]\n}"},
        {"{\n  \"l\": [ /* none */ ]\n}", "", "1", "{\n  \"l\": [ /* none */ 1]\n}"},
        {"{\n  \"l\": [1,\n    2]\n}", "", "3", "{\n  \"l\": [1,\n    2,\n    3]\n}"},
        {"{\n  \"l\": [1,\n    2]\n}", "a", NULL, "{\n  \"l\": [\n    2]\n}"},
        {"{\n  \"l\": [{\n    \"a\": 1\n  }, {\n    \"a\": 2\n  }]\n}", "a", NULL,
         "{\n  \"l\": [{\n    \"a\": 2\n  }]\n}"},
        {"{\n  \"l\": [{\n    \"a\": 1\n  }]\n}", "", "{\n  \"a\": 2\n}",
         "{\n  \"l\": [{\n    \"a\": 1\n  }, {\n    \"a\": 2\n  }]\n}"},
        /* the comma first */
        {"{\"l\":[\n    1\n  , 2\n  , 3\n  ]}", "b", NULL, "{\"l\":[\n    1\n  , 3\n  ]}"},
        {"{\"l\":[\n    1\n  , 2\n  , 3\n  ]}", "c", NULL, "{\"l\":[\n    1\n  , 2\n  ]}"},
        {"{\"l\":[\n    1\n  , 2\n  , 3\n  ]}", "a", NULL, "{\"l\":[\n   2\n  , 3\n  ]}"},
        {"{\"l\":[\n    1\n    ,\n    2\n  ]}", "b", NULL, "{\"l\":[\n    1\n  ]}"},
    };

    check_lists(cases, ARRAY_COUNT(cases));
}

Test(edit, line_ends_of_the_file_are_kept)
{
    static const struct list_case cases[] = {
        {"{\r\n  \"l\": [\r\n    1, // one\r\n    2\r\n  ]\r\n}\r\n", "a", "{\n  \"a\": 3\n}",
         "{\r\n  \"l\": [\r\n    2,\r\n    {\r\n      \"a\": 3\r\n    }\r\n  ]\r\n}\r\n"},
        {"{\r\n  \"l\": []\r\n}", "", "{\n  \"a\": 3\n}",
         "{\r\n  \"l\": [\r\n    {\r\n      \"a\": 3\r\n    }\r\n  ]\r\n}"},
        {"\xef\xbb\xbf{\n  \"l\": [\n    1\n  ]\n}", "", "2",
         "\xef\xbb\xbf{\n  \"l\": [\n    1,\n    2\n  ]\n}"},
        {"\xef\xbb\xbf{\"l\": [1]}", "a", NULL, "\xef\xbb\xbf{\"l\": []}"},
    };

    check_lists(cases, ARRAY_COUNT(cases));
}

Test(edit, members)
{
    static const struct {
        const char *before;
        const char *key;
        const char *value;
        const char *after;
    } cases[] = {
        {"{}", "a", "1", "{\"a\": 1}"},
        {"{\n}", "a", "1", "{\n    \"a\": 1\n}"},
        {"{\"a\": 1}", "a", "\"x\"", "{\"a\": \"x\"}"},
        {"{\"a\": 1}", "a", NULL, "{}"},
        {"{\"a\": 1}", "b", NULL, "{\"a\": 1}"},
        {"{\"a\": 1}", "b", "true", "{\"a\": 1, \"b\": true}"},
        {"{ \"a\": 1 }", "b", "true", "{ \"a\": 1, \"b\": true }"},
        {"{\n  \"a\": 1, // one\n  \"b\" /* ! */ : /* ? */ [1,\n 2] // two\n}", "b", "[\n    3\n]",
         "{\n  \"a\": 1, // one\n  \"b\" /* ! */ : /* ? */ [\n      3\n  ] // two\n}"},
        {"{\n  \"a\": 1, // one\n  \"b\": 2 // two\n}", "b", NULL, "{\n  \"a\": 1 // one\n}"},
        {"{\n  \"a\": 1, // one\n  \"b\": 2 // two\n}", "a", NULL, "{\n  \"b\": 2 // two\n}"},
        {"{\n  \"a\": 1, // one\n  \"b\": 2 // two\n}", "c", "3",
         "{\n  \"a\": 1, // one\n  \"b\": 2, // two\n  \"c\": 3\n}"},
        {"{ \"a\": 1,\n  \"b\": 2 }", "c", "3", "{ \"a\": 1,\n  \"b\": 2,\n  \"c\": 3 }"},
        {"{\"\\u0061\": 1}", "a", "2", "{\"\\u0061\": 2}"},
        {"{\"a\": 1, \"a\": 2}", "a", "3",
         "refused: the key \"a\" stands there twice; remove one of them by hand"},
        {"{\"a\": 1}", "a", "2 // x", "refused: \"2 // x\" is not one JSON value alone"},
        {"{\"a\": 1}", "a", " 2", "refused: \" 2\" is not one JSON value alone"},
        {"{\"a\": 1}", "a\"", "2", "refused: \"a\\\"\" cannot be a key"},
        {"[1]", "a", "2", "refused: an object, {...}, is expected, not a list"},
    };

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const char *after = object_edit(cases[i].before, cases[i].key, cases[i].value);

        cr_expect_str_eq(after, cases[i].after, "case %zu\n--- now\n%s\n--- wanted\n%s", i, after,
                         cases[i].after);
    }
}

static const char *root_list(const char *text, const char *value)
{
    struct json_doc doc = parse(slice_from_cstr(text));
    struct slice added = slice_from_cstr(value);
    struct edit e;
    const char *out;

    edit_init(&e, &doc);
    out = finish(&e, edit_root_list(&e, SLICE_LIT("partners"),
                                    &(struct edit_elements){.added = &added, .added_count = 1}));
    json_deinit(&doc);
    return out;
}

Test(edit, a_list_of_the_root_is_made_when_absent)
{
    static const char one[] = "{\n    \"domain\": \"a\"\n}";

    cr_expect_str_eq(root_list("{\n    \"node\": 1 // us\n}\n", one),
                     "{\n    \"node\": 1, // us\n    \"partners\": [\n        {\n"
                     "            \"domain\": \"a\"\n        }\n    ]\n}\n");
    cr_expect_str_eq(root_list("{\"node\": 1}", one),
                     "{\"node\": 1, \"partners\": [{\"domain\": \"a\"}]}");
    cr_expect_str_eq(
        root_list("{\"partners\": null}", one),
        "refused: \"partners\" must be a list, [...], not null; mend the file by hand");
    cr_expect_str_eq(root_list("7", one), "refused: the file is not an object, {...}");
}

Test(edit, partners_are_found_by_any_of_their_names_in_any_spelling)
{
    struct json_doc doc = parse(SLICE_LIT(
        "{\"partners\": [7, {\"domain\": 1}, {\"domain\": \"Fabrikam.example\"},"
        "{\"domain\": \"a.example\", \"additional_domains\": [2, \"b\\u00fccher.example\"]}]}"));
    uint32_t second = edit_find_partner(&doc, SLICE_LIT("fabrikam.EXAMPLE."));
    uint32_t third = edit_find_partner(&doc, SLICE_LIT("XN--bcher-kva.example"));

    cr_assert_neq(second, JSON_NONE);
    cr_expect_eq(edit_find_partner(&doc, SLICE_LIT("a.example")), third);
    cr_expect_eq(edit_find_partner(&doc, SLICE_LIT("b\xc3\xbc"
                                                   "cher.example")),
                 third);
    cr_expect(second < third);
    cr_expect_eq(edit_find_partner(&doc, SLICE_LIT("nobody.example")), JSON_NONE);
    cr_expect_eq(edit_find_partner(&doc, SLICE_LIT("")), JSON_NONE);
    json_deinit(&doc);
    doc = parse(SLICE_LIT("{\"partners\": {}}"));
    cr_expect_eq(edit_find_partner(&doc, SLICE_LIT("a.example")), JSON_NONE);
    json_deinit(&doc);
}

Test(edit, many_changes_make_one_text)
{
    struct json_doc doc = parse(SLICE_LIT("{\n  \"a\": [1, 2],\n  \"b\": {\"c\": 1}, // b\n"
                                          "  \"d\": 4\n}"));
    uint32_t two = edit_member(&doc, 0, SLICE_LIT("a")) + 2;
    struct slice three = SLICE_LIT("3");
    struct edit e;
    int err;

    edit_init(&e, &doc);
    err = edit_object(
        &e, edit_member(&doc, 0, SLICE_LIT("b")),
        (struct edit_member[]){{SLICE_LIT("c"), SLICE_LIT("2")}, {SLICE_LIT("e"), SLICE_LIT("5")}},
        2);
    cr_assert_eq(err, 0);
    err = edit_list(&e, edit_member(&doc, 0, SLICE_LIT("a")),
                    &(struct edit_elements){&two, 1, &three, 1});
    cr_assert_eq(err, 0);
    err = edit_object(
        &e, 0,
        (struct edit_member[]){{SLICE_LIT("d"), SLICE_NONE}, {SLICE_LIT("f"), SLICE_LIT("6")}}, 2);
    cr_expect_str_eq(finish(&e, err), "{\n  \"a\": [1, 3],\n  \"b\": {\"c\": 2, \"e\": 5}, // b\n"
                                      "  \"f\": 6\n}");
    /* Inside of what goes nothing can be changed. */
    edit_init(&e, &doc);
    err = edit_object(&e, edit_member(&doc, 0, SLICE_LIT("b")),
                      &(struct edit_member){SLICE_LIT("c"), SLICE_LIT("2")}, 1);
    cr_assert_eq(err, 0);
    err = edit_object(&e, 0, &(struct edit_member){SLICE_LIT("b"), SLICE_NONE}, 1);
    cr_expect_str_eq(finish(&e, err), "refused: two changes of one edit meet in the same place");
    json_deinit(&doc);
}
