/* SPDX-License-Identifier: GPL-2.0-or-later */
/* list_file_test: lines of list files, and what is reported about files that are bad. */
#include "policy/list_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/pool.h"
#include "help.h"
#include "policy/decide.h"

/* "3:ann@a.example" for entries, "!3:is not" for faults, one per line. */
static const char *read_lines(struct slice bytes)
{
    static char out[4096];
    struct list_reader r;
    enum list_step step;
    struct slice text;
    const char *fault = NULL;
    struct entry e;
    size_t at = 0;

    out[0] = 0;
    list_begin(&r, bytes);
    while ((step = list_next(&r, &e, &text, &fault)) != LIST_END) {
        if (step == LIST_ENTRY) {
            at += (size_t)snprintf(out + at, sizeof(out) - at, "%u:%.*s\n", r.line,
                                   SLICE_FMT(entry_text(&e)));
        } else {
            at += (size_t)snprintf(out + at, sizeof(out) - at, "!%u:%.6s:%zu\n", r.line, fault,
                                   text.len);
        }
        cr_assert_lt(at, sizeof(out));
    }
    return out;
}

Test(list_file, lines)
{
    static const struct {
        struct slice bytes;
        const char *lines;
    } cases[] = {
        {SLICE_LIT(""), ""},
        {SLICE_LIT("\n\n"), ""},
        {SLICE_LIT("\xef\xbb\xbf# only this"), ""},
        {SLICE_LIT("ann@a.example"), "1:ann@a.example\n"},
        {SLICE_LIT("\xef\xbb\xbf"
                   "Ann@a.example\r\n\r\n  b.example\t# all of b\r\n#x\nc.example\n"),
         "1:ann@a.example\n3:b.example\n5:c.example\n"},
        /* '#' inside an address is part of it */
        {SLICE_LIT("ann#1@a.example #x\n"), "1:ann#1@a.example\n"},
        {SLICE_LIT("ann@a.example bob@a.example\nb.example\n"), "!1:holds :27\n2:b.example\n"},
        {SLICE_LIT("a\xff@a.example\nb.example"), "!1:is not:0\n2:b.example\n"},
        {SLICE_LIT("a\0n\0n\0\n"), "!1:holds :0\n"},
        {SLICE_LIT("a\x01@a.example\n"), "!1:holds :12\n"},
        {SLICE_LIT("group:x\n*.a.example\n@\n"), "!1:names :7\n!2:names :11\n!3:has no:1\n"},
    };

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const char *lines = read_lines(cases[i].bytes);

        cr_expect_str_eq(lines, cases[i].lines, "%zu: %s", i, lines);
    }
}

Test(list_file, a_line_that_is_too_long)
{
    char *bytes = pool_heap_zalloc(10000);

    memset(bytes, 'a', 9999);
    memcpy(bytes + 9990, "\nb.e", 4);
    cr_expect_str_eq(read_lines(slice_make(bytes, 9994)), "!1:is too:0\n2:b.e\n");
    pool_heap_free(bytes);
}

/* --- through the loader --- */

static char folder[32];

static void make_folder(void)
{
    (void)snprintf(folder, sizeof(folder), "/tmp/list_test_XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
}

static void remove_folder(void)
{
    help_remove_folder(folder);
}

TestSuite(list_file_load, .init = make_folder, .fini = remove_folder);

static const char *in_folder(const char *name)
{
    static char path[128];

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, struct slice bytes)
{
    FILE *f = fopen(in_folder(name), "w");

    cr_assert_not_null(f);
    cr_assert_eq(fwrite(bytes.ptr, 1, bytes.len, f), bytes.len);
    cr_assert_eq(fclose(f), 0);
}

static const struct help_doc doc = {
    .access = "{\"users\":{\"a\":{\"xmpp\":true,\"list_file\":\"a.list\"}}}",
};

/* The report without the folder, which has another name each time. */
static const char *report(const struct help_doc *d)
{
    static char out[65536];
    const char *from = help_report_at(in_folder("f"), help_text(d));
    size_t at = 0;

    while (*from) {
        if (strncmp(from, folder, strlen(folder)) == 0) {
            from += strlen(folder) + 1;
            continue;
        }
        cr_assert_lt(at, sizeof(out) - 1);
        out[at++] = *from++;
    }
    out[at] = 0;
    return out;
}

Test(list_file_load, files_that_cannot_be_read)
{
    cr_expect_str_eq(report(&doc), "f:12:49: access.users.a.list_file: \"a.list\" cannot be read: "
                                   "No such file or directory\n");
    cr_assert_eq(mkdir(in_folder("a.list"), 0700), 0);
    cr_expect_str_eq(report(&doc), "f:12:49: access.users.a.list_file: \"a.list\" cannot be read: "
                                   "is not a regular file\n");
    cr_assert_eq(rmdir(in_folder("a.list")), 0);
    cr_assert_eq(mkfifo(in_folder("a.list"), 0600), 0);
    cr_expect_str_eq(report(&doc), "f:12:49: access.users.a.list_file: \"a.list\" cannot be read: "
                                   "is not a regular file\n");
    cr_assert_eq(unlink(in_folder("a.list")), 0);
    write_file("a.list", SLICE_LIT("x"));
    cr_assert_eq(truncate(in_folder("a.list"), (off_t)LIST_FILE_BYTES_MAX + 1), 0);
    cr_expect_str_eq(report(&doc), "f:12:49: access.users.a.list_file: \"a.list\" cannot be read: "
                                   "has more than 64 MiB\n");
}

Test(list_file_load, bad_lines_are_named)
{
    write_file("a.list", SLICE_LIT("# ours\nann@corp.example\nbob@corp.exampl\n\na b\n"
                                   "\xff\xfe\nann@corp.example # again\n"));
    cr_expect_str_eq(
        report(&doc),
        "f:12:49: access.users.a.list_file: a.list:3: \"bob@corp.exampl\" is of no domain of ours, "
        "so it would never count; correct it, add the domain to \"domains\", or take the entry "
        "out\n"
        "f:12:49: access.users.a.list_file: a.list:5: \"a b\" holds a character that is not "
        "allowed in a domain name\n"
        "f:12:49: access.users.a.list_file: a.list:6: the line is not UTF-8; save the file as "
        "UTF-8\n");
}

Test(list_file_load, a_file_of_another_kind_does_not_flood_the_report)
{
    char *bytes = pool_heap_zalloc(200000);
    const char *text;
    uint32_t lines = 0;

    for (size_t i = 0; i < 200000; i += 2) {
        memcpy(bytes + i, "\xff\n", 2);
    }
    write_file("a.list", slice_make(bytes, 200000));
    pool_heap_free(bytes);
    text = report(&doc);
    for (const char *at = text; *at; at++) {
        lines += *at == '\n';
    }
    cr_expect_eq(lines, 21);
    cr_expect_not_null(strstr(text, "list_file: 99980 more lines of this file have faults\n"));
}

/* Also checks that the file by itself is told as what it is: a node compares it with the disk. */
static uint64_t source_hash(const struct help_doc *what)
{
    struct config_report problems = {0};
    struct slice text = help_text(what);
    struct snapshot *s;
    uint64_t hash;

    cr_assert_eq(config_load(&s, in_folder("f"), text, &problems), 0);
    config_report_deinit(&problems);
    cr_expect_eq(s->text_hash, config_text_hash(text));
    hash = s->source_hash;
    snapshot_free(s);
    return hash;
}

/* So that a running node can say that a file was exchanged since. */
Test(list_file_load, a_file_that_was_exchanged_is_noticed)
{
    struct config_report problems = {0};
    struct snapshot *s;
    char old[128];

    write_file("a.list", SLICE_LIT("ann@corp.example\n"));
    cr_assert_eq(config_load(&s, in_folder("f"), help_text(&doc), &problems), 0);
    config_report_deinit(&problems);
    cr_expect_null(config_changed_list(s));
    write_file("b.list", SLICE_LIT("bob@corp.example\n"));
    (void)snprintf(old, sizeof(old), "%s", in_folder("b.list"));
    cr_assert_eq(rename(old, in_folder("a.list")), 0);
    cr_expect_str_eq(config_changed_list(s), in_folder("a.list"));
    cr_assert_eq(unlink(in_folder("a.list")), 0);
    cr_expect_str_eq(config_changed_list(s), in_folder("a.list"));
    snapshot_free(s);
    s = help_load(&(struct help_doc){0});
    cr_expect_null(config_changed_list(s));
    snapshot_free(s);
}

/* Operators compare it between nodes: the same file with other lists is another configuration. */
Test(list_file_load, the_source_hash_is_of_the_lists_too)
{
    static const struct help_doc two = {
        .access = "{\"users\":{\"a\":{\"xmpp\":true,\"list_file\":\"a.list\"},"
                  "\"b\":{\"xmpp\":false,\"list_file\":\"b.list\"}}}"};
    uint64_t hash;

    write_file("a.list", SLICE_LIT("ann@corp.example\n"));
    write_file("b.list", SLICE_LIT("bob@corp.example\n"));
    hash = source_hash(&two);
    cr_expect_eq(hash, source_hash(&two));
    write_file("b.list", SLICE_LIT("bob@corp.example\ncid@corp.example\n"));
    cr_expect_neq(hash, source_hash(&two));
    /* What moves from one list into the next, too. */
    write_file("a.list", SLICE_LIT("bob@corp.example\n"));
    write_file("b.list", SLICE_LIT("ann@corp.example\n"));
    cr_expect_neq(hash, source_hash(&two));
    write_file("a.list", SLICE_LIT("ann@corp.example\n"));
    write_file("b.list", SLICE_LIT("bob@corp.example\n"));
    cr_expect_eq(hash, source_hash(&two));
}

/* What a full disk leaves would let those talk whom the file denied. */
Test(list_file_load, an_empty_file_is_refused_and_one_with_a_comment_warns)
{
    static const char *const empty[] = {"", "\n", " \r\n\t\n", "\xef\xbb\xbf", "\xef\xbb\xbf\n"};

    for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
        write_file("a.list", slice_from_cstr(empty[i]));
        cr_expect_str_eq(report(&doc),
                         "f:12:49: access.users.a.list_file: names a file that is empty: was it "
                         "written to the end? One that is meant to be empty says so in a comment, "
                         "as \"# nobody\"\n");
    }
    write_file("a.list", SLICE_LIT("# nobody yet\n"));
    cr_expect_str_eq(
        report(&doc),
        "f:12:49: access.users.a.list_file: warning: names a file without any entry\n");
}

Test(list_file_load, two_policies_with_one_user_name_both)
{
    static const struct help_doc two = {
        .access = "{\"users\":{\"a\":{\"xmpp\":true,\"list_file\":\"a.list\"},"
                  "\"b\":{\"xmpp\":false,\"list_file\":\"b.list\"}}}"};

    write_file("a.list", SLICE_LIT("ann@corp.example\n"));
    write_file("b.list", SLICE_LIT("bob@corp.example\nANN@corp.example\n"));
    cr_expect_str_eq(report(&two),
                     "f:12:89: access.users.b.list_file: b.list:2: \"ann@corp.example\" is in "
                     "access.users[\"a\"] already; a policy of the same tier would contradict it, "
                     "so one of the two entries must go\n");
}

/* A directory of a large company: time and memory stay in proportion. */
Test(list_file_load, half_a_million_lines)
{
    static const struct help_doc both = {
        .access = "{\"users\":{\"a\":{\"xmpp\":true,\"members\":[\"group:all\"]}}}",
        .groups = "{\"all\":{\"list_file\":\"a.list\"}}",
        .partners = "[{\"domain\":\"fab.example\",\"allowed_users\":[\"group:all\"],\"type\":"
                    "\"federated\"}]"};
    struct policy_question q = {.local_domain = SLICE_LIT("corp.example"),
                                .remote_user = SLICE_LIT("x"),
                                .remote_domain = SLICE_LIT("fab.example")};
    struct config_report problems = {0};
    struct snapshot *s;
    FILE *f = fopen(in_folder("a.list"), "w");

    cr_assert_not_null(f);
    for (uint32_t i = 0; i < 500000; i++) {
        (void)fprintf(f, "user%u@corp.example\n", i);
    }
    cr_assert_eq(fclose(f), 0);
    cr_assert_eq(config_load(&s, in_folder("f"), help_text(&both), &problems), 0);
    cr_expect_eq(problems.count, 0);
    config_report_deinit(&problems);
    q.local_user = SLICE_LIT("user499999");
    cr_expect(policy_decide(s, &q).allowed);
    q.local_user = SLICE_LIT("user500000");
    cr_expect_eq(policy_decide(s, &q).reason, POLICY_ACCESS_DENIED);
    snapshot_free(s);
}
