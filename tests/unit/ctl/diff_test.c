/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diff_test: what a dry run shows; that it is what diff(1) shows is a live test (ctl_edit.py). */
#include "ctl/diff.h"

#include <criterion/criterion.h>

#include "policy/json.h"

/* The diff of setting the root's member key to value. */
static const char *diff_of(const char *text, const char *key, const char *value)
{
    static char out[8192];
    struct json_doc doc = {0};
    struct json_fault fault;
    struct edit_text now;
    struct buf diff;
    struct edit e;

    cr_assert_eq(json_parse(&doc, slice_from_cstr(text), 16, &fault), 0, "%s", fault.text);
    edit_init(&e, &doc);
    cr_assert_eq(
        edit_object(&e, 0, &(struct edit_member){slice_from_cstr(key), slice_from_cstr(value)}, 1),
        0);
    cr_assert_eq(edit_finish(&e, &now), 0);
    buf_init(&diff, sizeof(out));
    diff_write(&e, slice_make(now.bytes, now.len), "f", &diff, NULL);
    cr_assert_not(diff.failed);
    slice_to_cstr_cut(buf_slice(&diff), out, sizeof(out));
    buf_deinit(&diff);
    edit_text_deinit(&now);
    edit_deinit(&e);
    json_deinit(&doc);
    return out;
}

Test(ctl_diff, lines_around_a_change)
{
    cr_expect_str_eq(
        diff_of("{\n\"a\": 1,\n\"b\": 2,\n\"c\": 3,\n\"d\": 4,\n\"e\": 5\n}\n", "e", "6"),
        "--- f\n+++ f (new)\n@@ -3,5 +3,5 @@\n \"b\": 2,\n \"c\": 3,\n \"d\": 4,\n"
        "-\"e\": 5\n+\"e\": 6\n }\n");
    cr_expect_str_eq(
        diff_of("{\n\"a\": 1\n}", "b", "2"),
        "--- f\n+++ f (new)\n@@ -1,3 +1,4 @@\n {\n-\"a\": 1\n+\"a\": 1,\n+\"b\": 2\n }\n"
        "\\ No newline at end of file\n");
    cr_expect_str_eq(diff_of("{\"a\": 1}", "a", "1"), "");
}

Test(ctl_diff, secrets_are_covered_in_both_texts)
{
    cr_expect_str_eq(diff_of("{\"secret\": \"old one\", \"x\": 1}\n", "secret", "\"new one\""),
                     "--- f\n+++ f (new)\n@@ -1,1 +1,1 @@\n-{\"secret\": \"...\", \"x\": 1}\n"
                     "+{\"secret\": \"...\", \"x\": 1}\n");
    cr_expect_str_eq(diff_of("{\n\"store\": \"postgresql://u:p@h/d\",\n\"x\": 1\n}\n", "x", "2"),
                     "--- f\n+++ f (new)\n@@ -1,4 +1,4 @@\n {\n \"store\": \"...\",\n-\"x\": 1\n"
                     "+\"x\": 2\n }\n");
}

/* A whole configuration in one line: the place of the change, not megabytes. */
Test(ctl_diff, very_long_lines_are_cut_around_the_change)
{
    static char text[20000] = "{\"a\": \"";
    const char *diff;

    memset(text + 7, 'x', 15000);
    memcpy(text + 15007, "\", \"here\": 1, \"b\": \"", 20);
    memset(text + 15027, 'y', 1000);
    memcpy(text + 16027, "\"}", 3);
    diff = diff_of(text, "here", "2");
    cr_expect_lt(strlen(diff), 1500);
    cr_expect_not_null(strstr(diff, "-...xxx"));
    cr_expect_not_null(strstr(diff, "\"here\": 1, \"b\": \"yyy"));
    cr_expect_not_null(strstr(diff, "\"here\": 2, \"b\": \"yyy"));
}
