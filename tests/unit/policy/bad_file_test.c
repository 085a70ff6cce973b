/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bad_file_test: files as a whole that are bad: cut off, with bytes that are no text, large ones
 * full of mistakes. Each is refused with a place, in time and memory that stay in proportion. */
#include <time.h>

#include <criterion/criterion.h>

#include "base/pool.h"
#include "help.h"

#define LARGE_BYTES ((size_t)10 << 20)
/* Of one core; sanitizers are slow. */
#define LARGE_SECONDS 20

static const struct help_doc rich = {
    .groups = "{\"g\":{\"members\":[\"eve@corp.example\"]}} /* ours */",
    .access = "{\"global\":{\"xmpp\":false},\"sites\":{\"s\":{\"xmpp\":true,\"members\":"
              "[\"corp.example\",\"group:g\"]}}}",
    .partners = "[{\"domain\":\"fab.example\",\"suffix_match\":true,\"blocked\":"
                "[\"x@a.fab.example\"],\"stanza_rate_max\":5,\"stanza_burst\":10},"
                "{\"domain\":\"b\xc3\xbc"
                "cher.example\",\"allowed_users\":[\"group:g\"],"
                "\"maintenance\":\"sp\xc3\xa4ter\"}]",
    .blocked = "[\"casino.example\"]",
};

/* A writer that died, at any byte: never a smaller configuration. */
Test(bad_file, no_part_of_a_file_loads)
{
    struct slice whole = slice_trim(help_text(&rich));

    for (size_t len = 0; len < whole.len; len++) {
        struct config_report report = {0};
        struct snapshot *s;

        cr_assert_neq(config_load(&s, "f", slice_to(whole, len), &report), 0, "%zu", len);
        cr_assert_null(s);
        cr_assert_eq(report.error_count, 1, "%zu", len);
        cr_assert_geq(report.problems[0].line, 1);
        config_report_deinit(&report);
    }
    snapshot_free(help_load_text(whole));
}

Test(bad_file, a_byte_that_is_no_text_is_named_wherever_it_stands)
{
    struct slice whole = help_text(&rich);
    char *text = pool_heap_zalloc(whole.len);

    for (size_t at = 0; at < whole.len; at += 7) {
        struct config_report report = {0};
        struct snapshot *s;

        memcpy(text, whole.ptr, whole.len);
        text[at] = '\xff';
        cr_assert_neq(config_load(&s, "f", slice_make(text, whole.len), &report), 0);
        cr_assert_eq(report.count, 1);
        cr_assert_not_null(strstr(report.problems[0].text, "is not UTF-8; save the file as UTF-8"));
        config_report_deinit(&report);
    }
    pool_heap_free(text);
}

/* --- large --- */

struct large {
    const char *head;
    const char *unit; /* repeated */
    const char *tail;
    uint32_t errors_min;
    const char *problem; /* part of a text that is reported */
};

static bool has_problem(const struct config_report *report, const char *part)
{
    for (uint32_t i = 0; i < report->count; i++) {
        if (strstr(report->problems[i].text, part)) {
            return true;
        }
    }
    return false;
}

static struct slice fill(const struct large *c)
{
    size_t head = strlen(c->head);
    size_t unit = strlen(c->unit);
    size_t count = LARGE_BYTES / unit;
    size_t len = head;
    char *text = pool_heap_zalloc(head + count * unit + strlen(c->tail));

    memcpy(text, c->head, head);
    for (size_t i = 0; i < count; i++) {
        memcpy(text + len, c->unit, unit);
        len += unit;
    }
    memcpy(text + len, c->tail, strlen(c->tail));
    return slice_make(text, len + strlen(c->tail));
}

Test(bad_file, ten_megabytes_of_mistakes)
{
    static const struct large cases[] = {
        {"", "[", "", 1, "nested too deeply"},
        {"", "{\"a\":", "", 1, "nested too deeply"},
        {"{\"node\":\"", "aaaaaaaaaaaaaaaa", "\"}", 1, "must be an object, { ... }, not the text"},
        {"{\"node\":", "9999999999999999", "}", 1, "must be an object, { ... }, not 9999"},
        {"{\"partners\":[", "{},", "7]}", 3000000, "is missing"},
        {"{\"partners\":[", "{\"domian\":1},", "7]}", 1000000, "did you mean \"domain\"?"},
        {"{\"partners\":[", "{\"domain\":\"a.example\"},", "7]}", 400000,
         "is already a name of partners[0]"},
        {"{\"x\":1", ",\"partnerz\":1", "}", 700000, "did you mean \"partners\"?"},
        {"{\"blocked\":[", "\"@\",", "7]}", 2000000, "has nothing before the '@'"},
        {"{\"groups\":{\"grps\":{}},\"access\":{\"users\":{\"u\":{\"members\":[", "\"group:gprs\",",
         "7]}}}}", 800000,
         "names the group \"gprs\", which is not in \"groups\"; did you mean \"grps\"?"},
        {"{\"groups\":{\"g\":{\"members\":[", "\"ann\",", "7]}}}", 3, "must be a text in quotes"},
        {"{", "                ", "", 1, "the file ends in the middle"},
        {"{/*", "                ", "", 1, ""},
        {"", "\n\n\n\n\n\n\n\n", "", 1, "there is nothing in the file"},
    };

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct slice text = fill(&cases[i]);
        struct config_report report = {0};
        clock_t start = clock();
        struct snapshot *s;

        cr_assert_neq(config_load(&s, "f", text, &report), 0);
        cr_assert_null(s);
        cr_expect_geq(report.error_count, cases[i].errors_min, "%zu: %u", i, report.error_count);
        cr_expect_leq(report.count, CONFIG_PROBLEMS_MAX);
        cr_expect(has_problem(&report, cases[i].problem), "%zu: %s", i, report.problems[0].text);
        cr_expect_lt((clock() - start) / CLOCKS_PER_SEC, LARGE_SECONDS, "%zu", i);
        config_report_deinit(&report);
        pool_heap_free((void *)(uintptr_t)text.ptr);
    }
}

/* Why a file is refused is never crowded out by what it is warned of. */
Test(bad_file, errors_take_the_place_of_warnings)
{
    struct config_report report = {0};
    struct snapshot *s;
    struct buf partners;
    uint32_t errors = 0;

    buf_init(&partners, 1 << 20);
    for (uint32_t i = 0; i < 3 * CONFIG_PROBLEMS_MAX; i++) {
        /* Row 3 warns. The last two are wrong. */
        buf_printf(&partners, "%s{\"domain\":\"%s%u.example\",\"tls\":\"optional\"}", i ? "," : "[",
                   i + 2 < 3 * CONFIG_PROBLEMS_MAX ? "p" : "-p", i);
    }
    buf_append(&partners, "]", sizeof("]"));
    cr_assert_not(partners.failed);
    cr_assert_neq(config_load(&s, "f",
                              help_text(&(struct help_doc){.partners = buf_slice(&partners).ptr}),
                              &report),
                  0);
    cr_expect_eq(report.error_count, 2);
    cr_expect_eq(report.warning_count, 3 * CONFIG_PROBLEMS_MAX);
    cr_expect_eq(report.count, CONFIG_PROBLEMS_MAX);
    for (uint32_t i = 0; i < report.count; i++) {
        errors += !report.problems[i].is_warning;
    }
    cr_expect_eq(errors, 2);
    config_report_deinit(&report);
    buf_deinit(&partners);
}
